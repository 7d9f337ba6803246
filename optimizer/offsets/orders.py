"""Offsets and the order of stages together: each signal runs one of a few programs, tables depend on both ends' choice.

Search: signal after signal takes its best program and offset, then offsets are set anew for the programs chosen. Small
problems are then given to CP-SAT: one yes-or-no per link, pair of programs and difference, as far as the cycle bound of
the cheapest tables leaves any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.local_search import LocalSearch
from optimizer.offsets.solve import OffsetSolution
from optimizer.offsets.tables import FORBIDDEN, INTS, LARGEST, UNIT_VEH_S, OffsetProblem

MODEL = "offset tables of each order of stages; cycle and splits fixed"
WALKS = 200
KICKS_PER_SIGNAL = 8
ROUNDS = 12
EXACT_UP_TO = 40
"""Signals up to which CP-SAT is asked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OrderProblem:
    """Tables of E pairs of signals, each with K programs at most, in a cycle of C whole seconds.

    `cost[e, a, b, d]`: cost if the tail runs program a, the head program b, and the head's offset is d seconds later;
    above the least of all its entries. Programs a signal does not have cost `FORBIDDEN`.
    """

    cycle_s: int
    signals: tuple[str, ...]
    n_programs: tuple[int, ...]
    tail: INTS
    head: INTS
    cost: INTS  # (E, K, K, C)
    floor: int
    unit_veh_s: float

    def fixed_at(self, chosen: NDArray[np.int64]) -> OffsetProblem:
        """The offset problem with these programs; its floor is not taken off."""
        return self._with(self.cost[np.arange(len(self.tail)), chosen[self.tail], chosen[self.head]])

    def cheapest(self) -> OffsetProblem:
        """Every difference at the cost of the pair of programs that makes it cheapest: bounds all programs."""
        return self._with(self.cost.min(axis=(1, 2)))

    def _with(self, cost: INTS) -> OffsetProblem:
        return OffsetProblem(
            cycle_s=self.cycle_s,
            signals=self.signals,
            tail=self.tail,
            head=self.head,
            cost=np.ascontiguousarray(cost),
            floor=self.floor,
            unit_veh_s=self.unit_veh_s,
            has_clock=False,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class OrderSolution:
    """Programs and offsets with what they cost and a bound on all. [units above the floor]"""

    chosen: NDArray[np.int64]
    offset: INTS
    value: int
    bound: int

    @property
    def proven(self) -> bool:
        """Whether nothing costs less."""
        return self.value <= self.bound


def order_problem(
    cycle_s: int,
    signals: Sequence[str],
    n_programs: Sequence[int],
    pairs: Sequence[tuple[str, str]],
    delay_s: NDArray[np.float64],
) -> OrderProblem:
    """Gather tables; those of the same two signals are added up.

    Parameters
    ----------
    n_programs : sequence of int
        Of each signal.
    pairs : sequence of (from, to)
    delay_s : ndarray, shape (L, K, K, C)
        Entry [l, a, b, d]: `from` runs program a, `to` b, `to`'s offset is d seconds later. [veh·s]
    """
    index = {name: i for i, name in enumerate(signals)}
    back = -np.arange(cycle_s) % cycle_s
    sums: dict[tuple[int, int], NDArray[np.float64]] = {}
    for (start, end), table in zip(pairs, delay_s, strict=True):
        a, b = index[start], index[end]
        key = (min(a, b), max(a, b))
        mine = table if a < b else table.transpose(1, 0, 2)[:, :, back]
        sums[key] = sums[key] + mine if key in sums else mine.astype(np.float64)
    keys = sorted(sums)
    ends = np.array(keys, np.int32).reshape(-1, 2)
    highest = max((float(np.ptp(sums[key])) for key in keys), default=0.0)
    unit = max(UNIT_VEH_S, highest / LARGEST)
    cost = np.zeros((len(keys), *delay_s.shape[1:]), np.int32)
    floor = 0
    for e, (i, j) in enumerate(keys):
        known = sums[i, j][: n_programs[i], : n_programs[j]]
        low = round(float(known.min()) / unit)
        floor += low
        cost[e] = FORBIDDEN
        cost[e, : n_programs[i], : n_programs[j]] = np.rint(known / unit).astype(np.int64) - low
    return OrderProblem(
        cycle_s=cycle_s,
        signals=tuple(signals),
        n_programs=tuple(n_programs),
        tail=np.ascontiguousarray(ends[:, 0]),
        head=np.ascontiguousarray(ends[:, 1]),
        cost=cost,
        floor=floor,
        unit_veh_s=unit,
    )


def solve_orders(
    problem: OrderProblem, start_s: Sequence[int], *, seed: int = 0, effort: float = 1.0, exact_up_to: int = EXACT_UP_TO
) -> OrderSolution:
    """Programs and offsets of low cost, from each signal's first program on, with a bound on all.

    Parameters
    ----------
    start_s : sequence of int
        Offsets to start from. [s]
    effort : float
        CP-SAT's limit in its own deterministic time, about seconds.
    """
    cheapest = problem.cheapest()
    bound = CycleBound(cheapest)
    bound.improve(walks=WALKS)
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(problem.signals), np.int64)
    offset = np.asarray(start_s, np.int32) % problem.cycle_s
    chosen, offset = _polished(problem, chosen, offset, rng)
    value = problem.fixed_at(chosen).value(offset)
    for _ in range(ROUNDS):
        if value <= bound.value:
            break
        other = chosen.copy()
        flips = rng.choice(len(other), max(1, len(other) // 8), replace=False)
        other[flips] = rng.integers(0, np.array(problem.n_programs)[flips])
        found, moved = _polished(problem, other, offset, rng)
        now = problem.fixed_at(found).value(moved)
        if now < value:
            chosen, offset, value = found, moved, now
    least = bound.value
    if value > least and len(problem.signals) <= exact_up_to:
        chosen, offset, value, least = _by_cp_sat(problem, bound, chosen, offset, effort=effort, seed=seed)
    return OrderSolution(chosen=chosen, offset=offset, value=value, bound=min(value, least))


def as_offsets(problem: OrderProblem, found: OrderSolution) -> OffsetSolution:
    """The same as an offset solution; the mean is that of random offsets under the programs chosen."""
    held = problem.fixed_at(found.chosen)
    return OffsetSolution(
        offsets_s={name: int(x) for name, x in zip(problem.signals, found.offset, strict=True)},
        value_veh_s=held.veh_s(found.value),
        bound_veh_s=held.veh_s(found.bound),
        mean_veh_s=held.veh_s(held.mean),
        floor_veh_s=held.veh_s(0),
        status="optimal" if found.proven else "feasible",
        method="descent over orders and offsets, forests, CP-SAT",
        cpu_s=0.0,
        model=MODEL,
    )


def _polished(
    problem: OrderProblem, chosen: NDArray[np.int64], offset: INTS, rng: np.random.Generator
) -> tuple[NDArray[np.int64], INTS]:
    """Each signal in turn takes its best program and offset; then offsets are set anew by kicks; until settled."""
    value = problem.fixed_at(chosen).value(offset)
    while True:
        chosen, offset = _descended(problem, chosen, offset, rng)
        held = problem.fixed_at(chosen)
        search = LocalSearch(held, seed=int(rng.integers(1 << 30)))
        offset = search.anneal(search.polish(offset, 4), kicks=KICKS_PER_SIGNAL * held.n_free)
        now = held.value(offset)
        if now >= value:
            return chosen, offset
        value = now


def _descended(
    problem: OrderProblem, chosen: NDArray[np.int64], offset: INTS, rng: np.random.Generator
) -> tuple[NDArray[np.int64], INTS]:
    """No single signal gains by another program or offset."""
    chosen, offset, n = chosen.copy(), offset.copy(), problem.cycle_s
    seconds = np.arange(n)
    touching: list[list[int]] = [[] for _ in problem.signals]
    for e, (a, b) in enumerate(zip(problem.tail.tolist(), problem.head.tolist(), strict=True)):
        touching[a].append(e)
        touching[b].append(e)
    moved = True
    while moved:
        moved = False
        for v in rng.permutation(len(problem.signals)).tolist():
            total = np.zeros((problem.n_programs[v], n), np.int64)
            for e in touching[v]:
                a, b = int(problem.tail[e]), int(problem.head[e])
                if a == v:
                    rows, turned = problem.cost[e, :, chosen[b]], (offset[b] - seconds) % n
                else:
                    rows, turned = problem.cost[e, chosen[a], :], (seconds - offset[a]) % n
                total += rows[: problem.n_programs[v]][:, turned]
            if not touching[v] or total.min() >= total[chosen[v], offset[v]]:
                continue
            best = int(np.argmin(total))
            chosen[v], offset[v], moved = best // n, best % n, True
    return chosen, offset


def _by_cp_sat(
    problem: OrderProblem,
    bound: CycleBound,
    chosen: NDArray[np.int64],
    offset: INTS,
    *,
    effort: float,
    seed: int,
) -> tuple[NDArray[np.int64], INTS, int, int]:
    """Something better, or how far the bound can be raised."""
    ceiling = problem.fixed_at(chosen).value(offset)
    model = _OrderModel(problem, bound, ceiling)
    if model.empty:
        return chosen, offset, ceiling, ceiling
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = effort
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1
    status = solver.solve(model.model)
    if status == cp_model.INFEASIBLE:
        return chosen, offset, ceiling, ceiling
    least = max(bound.value, int(np.ceil(solver.best_objective_bound - 1e-6)))
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        chosen = np.array([next(k for k, x in enumerate(row) if solver.value(x)) for row in model.runs], np.int64)
        offset = np.array([solver.value(x) for x in model.offsets], np.int32)
        ceiling = problem.fixed_at(chosen).value(offset)
    return chosen, offset, ceiling, min(least, ceiling)


class _OrderModel:
    """Programs, offsets and differences of one problem; only what costs less than the ceiling."""

    def __init__(self, problem: OrderProblem, bound: CycleBound, ceiling: int) -> None:
        self.problem, self.bound, self.model = problem, bound, cp_model.CpModel()
        model, n = self.model, problem.cycle_s
        self.runs = [[model.new_bool_var(f"{v} runs {k}") for k in range(m)] for v, m in enumerate(problem.n_programs)]
        for row in self.runs:
            model.add_exactly_one(row)
        self.offsets = [model.new_int_var(0, n - 1, f"offset {v}") for v in range(len(problem.signals))]
        model.add(self.offsets[0] == 0)
        self._add_pairs(ceiling)
        if not self.empty:
            self._differences_are_those_of_offsets()
            self._turns_around_cycles()
            self._costs(ceiling)

    def _add_pairs(self, ceiling: int) -> None:
        """One choice of programs and difference per pair of signals, of those that may be part of something better."""
        problem, model = self.problem, self.model
        least, cheapest = self.bound.least_with(), self.bound.problem.cost
        self.takes: list[dict[tuple[int, int, int], cp_model.IntVar]] = []
        for e in range(len(problem.tail)):
            with_it = least[e] + (problem.cost[e].astype(np.int64) - cheapest[e])
            kept = np.argwhere((with_it < ceiling) & (problem.cost[e] < FORBIDDEN)).tolist()
            self.takes.append({(a, b, d): model.new_bool_var(f"pair {e}: {a} {b} {d}") for a, b, d in kept})
        self.empty = any(not takes for takes in self.takes)
        for e, takes in enumerate(self.takes):
            if not takes:
                continue
            model.add_exactly_one(takes.values())
            for end, at in ((0, int(problem.tail[e])), (1, int(problem.head[e]))):
                for k, runs in enumerate(self.runs[at]):
                    model.add(sum(x for key, x in takes.items() if key[end] == k) == runs)

    def _differences_are_those_of_offsets(self) -> None:
        problem, model = self.problem, self.model
        self.differences = [
            model.new_int_var(0, problem.cycle_s - 1, f"difference {e}") for e in range(len(self.takes))
        ]
        for e, takes in enumerate(self.takes):
            model.add(self.differences[e] == sum(key[2] * x for key, x in takes.items()))
            a, b = self.offsets[int(problem.tail[e])], self.offsets[int(problem.head[e])]
            model.add(self.differences[e] == b - a + problem.cycle_s * model.new_bool_var(f"pair {e} wraps"))

    def _turns_around_cycles(self) -> None:
        cycles = self.bound.cycles
        for c in range(len(cycles)):
            slots = range(int(cycles.first[c]), int(cycles.first[c + 1]))
            turns = self.model.new_int_var(-len(slots), len(slots), f"turns {c}")
            around = [int(cycles.sign[s]) * self.differences[int(cycles.link[s])] for s in slots]
            self.model.add(sum(around) == self.problem.cycle_s * turns)

    def _costs(self, ceiling: int) -> None:
        """Each cycle costs its least; all together less than the ceiling."""
        cycles, phi, least = self.bound.cycles, self.bound.phi, self.bound.cycle_least()
        for c in range(len(cycles)):
            slots = range(int(cycles.first[c]), int(cycles.first[c + 1]))
            terms = [int(phi[s, key[2]]) * x for s in slots for key, x in self.takes[int(cycles.link[s])].items()]
            self.model.add(sum(terms) >= int(least[c]))
        total = sum(
            int(self.problem.cost[(e, *key)]) * x for e, takes in enumerate(self.takes) for key, x in takes.items()
        )
        self.model.add(total >= self.bound.value)
        self.model.add(total <= ceiling - 1)
        self.model.minimize(total)
