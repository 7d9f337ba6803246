"""Offsets by CP-SAT, in periodic form: differences over the links, and one whole number of turns around each cycle.

For what search cannot do: the last bit of a proof, and constraints that reach across many signals (green bands). The
tables enter as one yes-or-no per difference; differences that the cycle bound shows to be too dear are left out, and
each cycle's share of the bound is a cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from network_data.errors import InfeasibleError
from optimizer.offsets.bands import Band
from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.tables import FORBIDDEN, INTS, OffsetProblem

WORKERS = 1
"""One strategy, and a limit in CP-SAT's own time: the answer does not depend on the machine."""


@dataclass(frozen=True, eq=False)
class ExactResult:
    """The best offsets known, a bound on the cost of all that keep the constraints, and whether they meet. [units]"""

    offset: INTS
    value: int
    bound: int
    proven: bool


class OffsetModel:
    """The model of one problem; `ceiling` is a cost that has to be beaten."""

    def __init__(self, problem: OffsetProblem, bound: CycleBound, *, ceiling: int | None) -> None:
        self.problem, self.bound = problem, bound
        self.model = cp_model.CpModel()
        self.domains = self._domains(ceiling)
        self._add_variables()
        self._differences_are_those_of_offsets()
        self._turns_around_cycles()
        self._cycles_cost_their_least(ceiling)

    def _domains(self, ceiling: int | None) -> list[list[int]]:
        """Per link the differences that may still be part of something better."""
        limit = FORBIDDEN if ceiling is None else ceiling
        least = self.bound.least_with()
        allowed = (self.problem.cost < FORBIDDEN) & (least < limit if ceiling is not None else True)
        return [np.flatnonzero(row).tolist() for row in allowed]

    @property
    def empty(self) -> bool:
        """Whether some link has no difference left: nothing better exists."""
        return any(not domain for domain in self.domains)

    def _add_variables(self) -> None:
        problem, model = self.problem, self.model
        last = problem.cycle_s - 1
        self.offsets = [model.new_int_var(0, last, f"offset {v}") for v in range(problem.n_node)]
        # nothing but differences counts: one offset is 0
        model.add(self.offsets[-1 if problem.has_clock else 0] == 0)
        self.takes = [
            {d: model.new_bool_var(f"link {e} takes {d}") for d in domain} for e, domain in enumerate(self.domains)
        ]
        self.differences = [
            model.new_int_var_from_domain(cp_model.Domain.from_values(domain), f"difference {e}") if domain else None
            for e, domain in enumerate(self.domains)
        ]
        for difference, takes in zip(self.differences, self.takes, strict=True):
            if difference is not None:
                model.add_exactly_one(takes.values())
                model.add(difference == sum(d * literal for d, literal in takes.items()))

    def _differences_are_those_of_offsets(self) -> None:
        problem, model = self.problem, self.model
        for e, difference in enumerate(self.differences):
            if difference is not None:
                wraps = model.new_bool_var(f"link {e} wraps")
                a, b = self.offsets[int(problem.tail[e])], self.offsets[int(problem.head[e])]
                model.add(difference == b - a + problem.cycle_s * wraps)

    def _turns_around_cycles(self) -> None:
        """Redundant, and what makes it fast."""
        cycles, n = self.bound.cycles, self.problem.cycle_s
        for c in range(len(cycles)):
            slots = range(int(cycles.first[c]), int(cycles.first[c + 1]))
            around = [self.differences[int(cycles.link[s])] for s in slots]
            known = [difference for difference in around if difference is not None]
            if len(known) == len(around):
                turns = self.model.new_int_var(-len(known), len(known), f"turns {c}")
                signs = [int(cycles.sign[s]) for s in slots]
                self.model.add(sum(sign * d for sign, d in zip(signs, known, strict=True)) == n * turns)

    def _cycles_cost_their_least(self, ceiling: int | None) -> None:
        """The bound, cycle by cycle, and what is to be beaten."""
        cycles, phi = self.bound.cycles, self.bound.phi
        least = self.bound.cycle_least()
        for c in range(len(cycles)):
            terms = [
                int(phi[s, d]) * literal
                for s in range(int(cycles.first[c]), int(cycles.first[c + 1]))
                for d, literal in self.takes[int(cycles.link[s])].items()
            ]
            self.model.add(sum(terms) >= int(least[c]))
        costs = [
            int(self.problem.cost[e, d]) * literal
            for e, takes in enumerate(self.takes)
            for d, literal in takes.items()
            if self.problem.cost[e, d]
        ]
        total = sum(costs) if costs else 0
        self.model.add(total >= self.bound.value)
        if ceiling is not None:
            self.model.add(total <= ceiling - 1)
        self.model.minimize(total)

    def add_band(self, band: Band) -> None:
        """Keep a green band as wide as it asks for."""
        n, model = self.problem.cycle_s, self.model
        index = {name: i for i, name in enumerate(self.problem.signals)}
        passes = []
        for k, stop in enumerate(band.stops):
            room = min(stop.green_s, n) - band.least_s
            if room < 0:
                raise InfeasibleError(
                    f"signal {stop.signal!r}: a band of {band.least_s} s does not fit its green of {stop.green_s} s; "
                    f"ask for {band.attainable_s} s at most"
                )
            into = model.new_int_var(0, room, f"band at stop {k}")
            passes.append(self.offsets[index[stop.signal]] + stop.green_from_s + into)
        for k, travel_s in enumerate(band.travel_s):
            span = travel_s + 2 * n
            turns = model.new_int_var(-(span // n + 3), span // n + 3, f"turns to stop {k + 1}")
            model.add(passes[k + 1] == passes[k] + travel_s + n * turns)

    def hint(self, offset: INTS) -> None:
        """Where to begin."""
        for variable, value in zip(self.offsets, self._turned(offset), strict=True):
            self.model.add_hint(variable, int(value))

    def _turned(self, offset: INTS) -> INTS:
        zero = offset[-1 if self.problem.has_clock else 0]
        return np.asarray((offset - zero) % self.problem.cycle_s, np.int32)

    def solve(self, *, effort: float, seed: int) -> tuple[INTS | None, int, bool, bool]:
        """Offsets or None, a bound, whether they are best, whether there are none."""
        solver = cp_model.CpSolver()
        solver.parameters.max_deterministic_time = effort
        solver.parameters.random_seed = seed
        solver.parameters.num_workers = WORKERS
        status = solver.solve(self.model)
        none = status == cp_model.INFEASIBLE
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None, self.bound.value, False, none
        offset = np.array([solver.value(variable) for variable in self.offsets], np.int32)
        return (
            offset,
            max(self.bound.value, int(np.ceil(solver.best_objective_bound - 1e-6))),
            status == cp_model.OPTIMAL,
            none,
        )


def solve_exactly(
    problem: OffsetProblem,
    bound: CycleBound,
    known: INTS | None,
    *,
    bands: Sequence[Band] = (),
    effort: float = 4.0,
    seed: int = 0,
) -> ExactResult:
    """Offsets better than those known, or the proof that there are none, as far as the effort goes.

    Parameters
    ----------
    known : ndarray, optional
        Offsets that keep all bands.
    effort : float
        CP-SAT's limit in its own deterministic time, about seconds.

    Raises
    ------
    InfeasibleError
        No offsets keep the bands, or none were found and none known.
    """
    ceiling = None if known is None else problem.value(known)
    if known is not None and ceiling is not None and ceiling <= bound.value:
        return ExactResult(known, ceiling, ceiling, proven=True)
    model = OffsetModel(problem, bound, ceiling=ceiling)
    if known is not None and ceiling is not None and model.empty:
        return ExactResult(known, ceiling, ceiling, proven=True)
    for band in bands:
        model.add_band(band)
    if known is not None:
        model.hint(known)
    offset, least, best, none = model.solve(effort=effort, seed=seed)
    if offset is not None:
        value = problem.value(offset)
        return ExactResult(offset, value, value if best else least, proven=best)
    if known is None or ceiling is None:
        widths = ", ".join(f"{band.least_s} s over {band.stops[0].signal} to {band.stops[-1].signal}" for band in bands)
        if none:
            raise InfeasibleError(f"no offsets leave the green bands asked for ({widths}); ask for narrower ones")
        raise InfeasibleError(f"no offsets with the green bands asked for were found ({widths}); ask for narrower ones")
    return ExactResult(known, ceiling, ceiling if none else least, proven=none)
