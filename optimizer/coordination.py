"""All offsets of a candidate at once: link cost tables of its cycle and splits, offsets by these, a bound beside them.

What comes out is a proposal: the queue simulation decides whether it is kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from network_data.errors import InfeasibleError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from optimizer.bandwidth.progression import widths
from optimizer.bandwidth.wanted import WantedBands
from optimizer.candidate import Candidate, Setting, changed, timing_plan, with_offset
from optimizer.moves import Neighbourhood
from optimizer.offsets.banded import keeps_bands, offsets_in_waves, offsets_with_bands
from optimizer.offsets.link_tables import common_cycles, problem_of, simulated_costs
from optimizer.offsets.orders import as_offsets, order_problem, solve_orders
from optimizer.offsets.solve import ANNEALINGS, OffsetSolution, solve_offsets
from optimizer.offsets.tables import OffsetProblem
from optimizer.order_tables import OrderTables, other_order
from sim.link_costs import LinkCosts, link_costs
from sim.profile import Profile
from sim.simulate import Simulator

MOST_SIGNALS = 3_000
"""In larger networks making the tables of all links takes too long."""
NODES_TIMES_SIGNALS = 2_000
"""Nodes of branch and bound per proposal, times signals."""
ORDER_EFFORT = 0.1
"""CP-SAT's limit for orders of stages, in its own deterministic time."""
MOST_SCENARIOS = 3
"""Tables are means over so many scenarios at most, the first ones."""
MOST_PASSAGES = 100_000
"""Simulated tables are made where a run has no more passages of links than this."""


@dataclass(frozen=True, eq=False)
class OffsetStep:
    """One proposal: where in the search it was made, of what tables, what it costs there and cannot go below."""

    iteration: int
    tables: str
    cycle_s: int
    solution: OffsetSolution

    def as_record(self) -> dict[str, Any]:
        """For run.json; no times, which differ from run to run."""
        found = self.solution
        return {
            "iteration": self.iteration,
            "tables": self.tables,
            "cycle_s": self.cycle_s,
            "signals": len(found.offsets_s),
            "model": found.model,
            "method": found.method,
            "status": found.status,
            "value_veh_s": round(found.value_veh_s, 1),
            "bound_veh_s": round(found.bound_veh_s, 1),
            "mean_of_random_offsets_veh_s": round(found.mean_veh_s, 1),
            "gap": round(found.gap, 6),
        }


@dataclass(eq=False)
class Coordinator:
    """Makes proposals for one network and demand; `steps` remembers them."""

    network: RoadNetwork
    demand: DemandScenarios
    simulator: Simulator
    neighbourhood: Neighbourhood
    seed: int
    wanted: WantedBands
    longest_s: float = 0.0
    steps: list[OffsetStep] = field(default_factory=list)
    _profiles: list[Profile] = field(default_factory=list)

    @property
    def able(self) -> bool:
        """Whether there is anything to coordinate, in reasonable time."""
        hood = self.neighbourhood
        return (
            "offsets" not in hood.settings.change.freeze
            and len(hood.open_controllers()) > 0
            and 2 <= len(hood.models) <= MOST_SIGNALS
        )

    @property
    def simulates(self) -> bool:
        """Whether the network is small enough for simulated tables."""
        return max((float(s.veh.sum()) for s in self.demand.scenarios), default=0.0) <= MOST_PASSAGES

    def _nodes(self, problem: OffsetProblem) -> int:
        return NODES_TIMES_SIGNALS // max(1, problem.n_free)

    def _timed(self, began_s: float) -> None:
        self.longest_s = max(self.longest_s / 2, time.monotonic() - began_s)  # the first one compiles

    def propose(
        self,
        candidate: Candidate,
        iteration: int,
        *,
        simulated: bool = False,
        waves: bool = False,
        quick: bool = False,
    ) -> Candidate | None:
        """The candidate with other offsets; None where no two signals of one cycle exchange platoons.

        Parameters
        ----------
        simulated : bool
            By tables from the queue simulation.
        waves : bool
            Streets get the widest bands there are, the other signals follow by the tables.
        quick : bool
            Without branch and bound, and with one annealing.
        """
        models = self.neighbourhood.models
        plan = timing_plan(models, candidate)
        index = {model.controller.id: i for i, model in enumerate(models)}
        moved, began_s = False, time.monotonic()
        for cycle_s in common_cycles(plan):
            costs = self.tables(plan, cycle_s)
            bands = self.wanted.bands(plan, cycle_s)
            if not costs.links and not bands:
                continue
            if simulated:
                costs = simulated_costs(self.simulator, plan, costs, seed=self.seed + iteration, runs=cycle_s)
            allowed = self.allowed(candidate, cycle_s)
            beside = {stop.signal for band in bands for stop in band.stops}
            problem = problem_of(costs, allowed=allowed, beside=beside)
            now = {name: candidate[index[name]].offset_s for name in problem.signals}
            if waves and bands:
                found = offsets_in_waves(problem, bands, allowed, seed=self.seed)
            else:
                found = solve_offsets(
                    problem,
                    seed=self.seed,
                    start_s=now,
                    nodes=0 if quick else self._nodes(problem),
                    annealings=1 if quick else ANNEALINGS,
                )
            if self.wanted.least_s > 0 and not keeps_bands(bands, found.offsets_s, cycle_s):
                found = offsets_with_bands(problem, bands, allowed, seed=self.seed)
            name = "queue simulation" if simulated else "cyclic flow profiles"
            self.steps.append(OffsetStep(iteration, name, cycle_s, found))
            for signal, offset_s in in_step(problem, found.offsets_s, now).items():
                at = index[signal]
                if not models[at].fixed:
                    candidate = changed(candidate, at, with_offset(candidate[at], offset_s))
            moved = True
        self._timed(began_s)
        return candidate if moved else None

    def propose_orders(self, candidate: Candidate, iteration: int) -> Candidate | None:
        """The candidate with stages in other orders where that suits its neighbours, and offsets to match.

        Every signal of a cycle that is free to change is offered one other order of its stages, another one each time.
        None where no signal has any, or none changes.
        """
        hood, models = self.neighbourhood, self.neighbourhood.models
        if {"stages", "splits"} & set(hood.settings.change.freeze) or self.wanted.asked:
            return None
        plan = timing_plan(models, candidate)
        changed_any, began_s = False, time.monotonic()
        for cycle_s in common_cycles(plan):
            held = self.allowed(candidate, cycle_s)
            here = [i for i, s in enumerate(candidate) if s.cycle_s == cycle_s]
            other = {
                i: found
                for i in here
                if models[i].controller.id not in held
                and (found := other_order(hood, i, candidate[i], iteration)) is not None
            }
            if not other or held:
                continue
            ordered = self._orders(candidate, other, cycle_s, iteration)
            if ordered is not None:
                candidate, changed_any = ordered, True
        self._timed(began_s)
        return candidate if changed_any else None

    def _orders(
        self, candidate: Candidate, other: Mapping[int, Setting], cycle_s: int, iteration: int
    ) -> Candidate | None:
        models = self.neighbourhood.models
        index = {model.controller.id: i for i, model in enumerate(models)}
        tables = OrderTables(self, candidate, other, cycle_s)
        if not tables.links:
            return None
        signals = sorted({name for pair in tables.pairs for name in pair})
        n_programs = [1 + (index[name] in other) for name in signals]
        problem = order_problem(cycle_s, signals, n_programs, tables.pairs, tables.delay_s)
        now = [candidate[index[name]].offset_s for name in signals]
        found = solve_orders(problem, now, seed=self.seed + iteration, effort=ORDER_EFFORT)
        self.steps.append(OffsetStep(iteration, "cyclic flow profiles", cycle_s, as_offsets(problem, found)))
        if not found.chosen.any():
            return None
        for name, program, offset_s in zip(signals, found.chosen.tolist(), found.offset.tolist(), strict=True):
            at = index[name]
            setting = other[at] if program else candidate[at]
            candidate = changed(candidate, at, with_offset(setting, offset_s))
        return candidate

    def with_bands(self, candidate: Candidate) -> Candidate:
        """The candidate, or one near it that leaves the green bands asked for.

        Raises
        ------
        InfeasibleError
            There is none in the cycles and splits that were tried; names street and width.
        """
        hood, models = self.neighbourhood, self.neighbourhood.models
        if self.wanted.hold(timing_plan(models, candidate)):
            return candidate
        rng = np.random.default_rng(self.seed)
        mixed = self.wanted.mixed(timing_plan(models, candidate))
        if mixed:
            common = Counter(s.cycle_s for m, s in zip(models, candidate, strict=True) if m.controller.id in mixed)
            candidate = hood.in_common_cycle(candidate, max(common, key=lambda c: (common[c], c)), rng) or candidate
        found = self.propose(candidate, 0) if self.able else None
        if found is None or not self.wanted.hold(timing_plan(models, found)):
            worst = min(widths(self.wanted.streets, timing_plan(models, found or candidate)), key=lambda w: w.width_s)
            raise InfeasibleError(
                f"street {worst.street}, {worst.direction}: no band of {self.wanted.least_s} s, the widest found has "
                f"{worst.width_s} s; its signals need one cycle and offsets that may move. Ask for less in [bandwidth]"
            )
        return found

    def tables(self, plan: TimingPlan, cycle_s: int) -> LinkCosts:
        """Mean tables over the scenarios by the cyclic-flow-profile filter."""
        if not self._profiles:
            self._profiles = [Profile(self.network, s) for s in self.demand.scenarios[:MOST_SCENARIOS]]
        found = [link_costs(profile, plan, cycle_s=cycle_s) for profile in self._profiles]
        weights = np.array(self.demand.weights[: len(found)])
        mean = np.tensordot(weights / weights.sum(), np.array([one.delay_s for one in found]), axes=1)
        return replace(found[0], delay_s=mean)

    def allowed(self, candidate: Candidate, cycle_s: int) -> dict[str, NDArray[np.bool_]]:
        """Which offsets the signals that are held may take."""
        return offsets_allowed(self.neighbourhood, candidate, cycle_s)

    def bound_of(self, candidate: Candidate) -> list[dict[str, Any]]:
        """How far the offsets of a plan are from the best, in its own tables: value, bound and gap per cycle."""
        models = self.neighbourhood.models
        plan = timing_plan(models, candidate)
        out = []
        for cycle_s in common_cycles(plan):
            costs = self.tables(plan, cycle_s)
            if not costs.links:
                continue
            problem = problem_of(costs, allowed=self.allowed(candidate, cycle_s))
            now = {m.controller.id: s.offset_s for m, s in zip(models, candidate, strict=True)}
            known = {s: now[s] for s in problem.signals}
            found = solve_offsets(problem, seed=self.seed, start_s=known, nodes=self._nodes(problem), annealings=1)
            reached = problem.veh_s(problem.value([now[s] for s in problem.signals]))
            changeable = max(found.mean_veh_s - found.bound_veh_s, 1e-9)
            out.append(
                {
                    "model": found.model,
                    "tables": "cyclic flow profiles",
                    "signals": list(problem.signals),
                    "cycle_s": cycle_s,
                    "quantity": "delay in the link cost tables [veh·s]",
                    "bound": round(found.bound_veh_s, 1),
                    "reached": round(reached, 1),
                    "gap": round(max(0.0, reached - found.bound_veh_s) / changeable, 4),
                }
            )
        return out


def offsets_allowed(hood: Neighbourhood, candidate: Candidate, cycle_s: int) -> dict[str, NDArray[np.bool_]]:
    """Signals of a cycle that are held → which of its offsets they may take; shape (cycle_s,)."""
    out = {}
    for at, (model, setting) in enumerate(zip(hood.models, candidate, strict=True)):
        if setting.cycle_s != cycle_s:
            continue
        if model.fixed or setting.skeleton < 0:
            fits = [x == setting.offset_s % cycle_s for x in range(cycle_s)]
        elif model.book.limits.offset_change_s is None:
            continue
        else:
            shifted = [with_offset(setting, x) for x in range(cycle_s)]
            fits = [hood.held(at, one).offset_s == one.offset_s for one in shifted]
        if any(fits):
            out[model.controller.id] = np.array(fits)
    return out


def in_step(problem: OffsetProblem, found_s: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """The same differences, turned so that as many seconds as possible of the offsets stay as they are."""
    if problem.has_clock or not found_s:
        return found_s
    cycle_s, names = problem.cycle_s, list(found_s)
    away = np.array([(now[n] - found_s[n]) % cycle_s for n in names])
    gaps = np.abs((away[None, :] - np.arange(cycle_s)[:, None] + cycle_s // 2) % cycle_s - cycle_s // 2)
    turn = int(np.argmin(gaps.sum(axis=1)))
    return {n: (found_s[n] + turn) % cycle_s for n in names}


def proposals(coordinator: Coordinator, candidates: Sequence[Candidate], iteration: int) -> list[Candidate]:
    """The candidates with other offsets, those that can be coordinated."""
    found = [coordinator.propose(candidate, iteration, quick=True) for candidate in candidates]
    return [candidate for candidate in found if candidate is not None]
