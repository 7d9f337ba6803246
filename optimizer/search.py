"""Simulation-guided search: batches of small changes, judged by the queue simulation on common random numbers.

The search climbs the ladder offsets → splits → cycle → stages. What it does in iteration i depends on i, the seed and
the inputs only, never on the clock: a run that is stopped after n iterations is the run of `iterations = n`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from network_data.settings import Objective, Settings
from optimizer.bandwidth.wanted import WantedBands
from optimizer.candidate import Candidate, Setting, plan_of, timing_plan
from optimizer.coordination import Coordinator, proposals
from optimizer.models import ControllerModel
from optimizer.moves import Neighbourhood
from optimizer.objectives import Weighing
from optimizer.start import legal_start
from optimizer.storage import StorageGuard
from sim._tables import PlanArrays
from sim.compile import ControllerArrays, compile_controller, join_controllers
from sim.simulate import Simulator, Totals

RUNGS = ("offsets", "splits", "cycle", "stages")
BATCH = 8
"""Candidates per iteration, whatever the number of workers."""
FINALISTS = 2
"""Of each batch, how many are judged on all realizations."""
RECENT = 2
"""How many of the best candidates before the last are kept, for a second model to judge."""
COMMON_CYCLES_S = tuple(range(40, 185, 5))
COORDINATED = 8
"""Of the common cycles and stages, how many of the best are given offsets of their own; fewer in large networks."""
COORDINATED_SIGNALS = 200
"""No more signals than these are given offsets in one iteration."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Where a rung of the ladder ended."""

    name: str
    candidate: Candidate
    objective: float
    iterations: int


@dataclass(eq=False)
class Evaluator:
    """Candidates to objectives: seconds of delay per vehicle, all else weighted in by `Weighing`; remembers all.

    `weights` are those of the realizations: a day that stands for more days counts more. None: all alike.
    """

    simulator: Simulator
    models: Sequence[ControllerModel]
    objective: Objective
    weights: tuple[float, ...] | None = None
    wanted: WantedBands | None = None
    weighing: Weighing | None = None
    _arrays: dict[tuple[int, tuple[int, bytes, int]], ControllerArrays] = field(default_factory=dict)
    _waits: dict[tuple[int, tuple[int, bytes, int]], float] = field(default_factory=dict)
    n_runs: int = 0

    def expected(self, values: Sequence[float]) -> float:
        """Mean (and tail, where it counts) of objectives over all realizations, by their weights. [s/veh]"""
        return self._weighing.over_days(values, self.weights)

    @property
    def _weighing(self) -> Weighing:
        return self.weighing or Weighing(self.objective)

    def arrays(self, candidate: Candidate) -> PlanArrays:
        """The candidate as the kernel reads it."""
        by_id: dict[str, ControllerArrays] = {}
        for i, (model, setting) in enumerate(zip(self.models, candidate, strict=True)):
            by_id[model.controller.id] = self._controller(i, model, setting)
        return join_controllers([by_id[c] for c in self.simulator.compiled.heads_of])

    def _controller(self, i: int, model: ControllerModel, setting: Setting) -> ControllerArrays:
        key = (i, setting.key())
        if key not in self._arrays:
            if len(self._arrays) > 50_000:
                self._arrays.clear()
            begin_s = self.simulator.begin_s - self.simulator.warmup_s
            self._arrays[key] = compile_controller(self.simulator.compiled, plan_of(model, setting), begin_s=begin_s)
        return self._arrays[key]

    def value(self, totals: Totals) -> float:
        """Objective of one realization. [s/veh]"""
        return self._weighing.per_veh_s(totals)

    def values(self, candidates: Sequence[Candidate], realizations: Sequence[int]) -> list[list[float]]:
        """Objectives of candidates (outer) on realizations (inner). [s/veh]"""
        self.n_runs += len(candidates) * len(realizations)
        plans = [self.arrays(candidate) for candidate in candidates]
        totals = self.simulator.run_compiled(plans, realizations)
        return [
            [self.value(t) + beside for t in row]
            for beside, row in zip(map(self.beside_traffic, candidates), totals, strict=True)
        ]

    def beside_traffic(self, candidate: Candidate) -> float:
        """What counts beside what happens to vehicles: waits on foot, and green bands that are missing. [s/veh]"""
        bands_s = 0.0
        if self.wanted is not None and self.wanted.worth_s > 0:
            bands_s = self.wanted.cost_s(timing_plan(self.models, candidate))
        return self.waits_on_foot(candidate) + bands_s

    def waits_on_foot(self, candidate: Candidate) -> float:
        """What the waits at all crossings count. [s/veh]"""
        if not (self.objective.pedestrian or self.objective.person):
            return 0.0
        total = 0.0
        for i, (model, setting) in enumerate(zip(self.models, candidate, strict=True)):
            key = (i, setting.key())
            if key not in self._waits:
                crossings = [head.index for head in model.controller.heads if head.kind == "crossing"]
                self._waits[key] = self._weighing.beside_s(plan_of(model, setting), crossings)
            total += self._waits[key]
        return total


@dataclass(eq=False)
class Search:
    """The state of a climb; `climb` runs it."""

    evaluator: Evaluator
    neighbourhood: Neighbourhood
    settings: Settings
    seed: int
    coordinator: Coordinator | None = None
    first: Candidate = ()
    best: Candidate = ()
    best_values: list[float] = field(default_factory=list)
    rungs: list[Rung] = field(default_factory=list)
    iterations: int = 0
    trace: list[tuple[int, str, float]] = field(default_factory=list)
    ranked: list[Candidate] = field(default_factory=list)
    recent: list[Rung] = field(default_factory=list)
    excess: float = 0.0

    @property
    def objective(self) -> float:
        """Objective of the best candidate so far, weighted mean over the realizations. [s/veh]"""
        return self.evaluator.expected(self.best_values)

    def start(self, known: Callable[[Candidate], Candidate] | None = None) -> None:
        """Begin at the field plan in whole seconds, mended where the settings ask for more than it gives.

        `known` makes another candidate of it, say of a plan found before: the better one is where the search begins.
        """
        self.first = self.best = legal_start(self.evaluator.simulator.compiled.network, self.neighbourhood)
        if self.coordinator is not None:
            self.best = self.coordinator.with_bands(self.best)
        n = self.evaluator.simulator.n_realizations
        self.best_values = self.evaluator.values([self.best], range(n))[0]
        self.excess = self.overfilled(self.best)
        if known is not None:
            self.offer([known(self.first)], "known before")

    def overfilled(self, candidate: Candidate) -> float:
        """How far queues take more of their links than the settings allow; less of it goes before any delay."""
        limits, models = self.settings.limits.storage, self.neighbourhood.models
        if not limits:
            return 0.0
        return StorageGuard(self.evaluator.simulator, limits).excess(timing_plan(models, candidate))

    def permits(self, candidate: Candidate) -> bool:
        """Whether what reaches across signals holds: common cycles, offsets, green bands."""
        wanted = self.evaluator.wanted
        if not self.neighbourhood.holds_between(candidate):
            return False
        if wanted is None or wanted.least_s <= 0:  # no band is asked for: no plan needs to be laid out
            return True
        return wanted.hold(timing_plan(self.neighbourhood.models, candidate))

    def offer(self, candidates: Sequence[Candidate], name: str) -> bool:
        """Judge candidates, first on one realization, the promising ones on all; keep the best if it is better."""
        candidates = [candidate for candidate in candidates if self.permits(candidate)]
        if not candidates:
            return False
        n = self.evaluator.simulator.n_realizations
        lead = self.iterations % n
        first = self.evaluator.values(candidates, [lead])
        # the first draw picks the finalists: one that is worse there is seldom better on average
        order = sorted(range(len(candidates)), key=lambda i: (first[i][0], i))
        self.ranked = [candidates[i] for i in order]
        hopeful = [i for i in order[:FINALISTS] if self.excess > 0 or first[i][0] < self.best_values[lead]]
        rest = [r for r in range(n) if r != lead]
        others = self.evaluator.values([candidates[i] for i in hopeful], rest) if rest else [[] for _ in hopeful]
        winner, winner_values, least = None, self.best_values, self.excess
        for i, values in zip(hopeful, others, strict=True):
            full = [*values[:lead], first[i][0], *values[lead:]]
            better = self.evaluator.expected(full) < self.evaluator.expected(winner_values) - 1e-9
            over = self.overfilled(candidates[i]) if better or least > 0 else least
            if over < least - 1e-9 or (better and over <= least + 1e-9):
                winner, winner_values, least = i, full, over
        if winner is None:
            return False
        self.recent = [*self.recent, Rung(name, self.best, self.objective, self.iterations)][-RECENT:]
        self.best, self.best_values, self.excess = candidates[winner], winner_values, least
        self.trace.append((self.iterations, name, self.objective))
        return True

    def next_s(self, rung: str, nth: int) -> float:
        """How long the next iteration takes where offsets are set at once; 0 for others, which are short. [s]"""
        planner = self.coordinator
        if planner is None:
            return 0.0
        return {"": 0, "ranked": self._n_ranked, "best": 4}[self._due(rung, nth)] * planner.longest_s

    @property
    def _n_ranked(self) -> int:
        return max(1, min(COORDINATED, COORDINATED_SIGNALS // max(1, len(self.best))))

    def _due(self, rung: str, nth: int) -> str:
        """Which plans are to get new offsets in an iteration: the best ones of the batch before, the best, or none."""
        planner = self.coordinator
        if planner is None or not planner.able:
            return ""
        if rung in ("cycle", "stages") and nth == 1 and self.ranked:
            return "ranked"
        again = rung == "stages" and nth > 1 and (nth == 2 or nth % round_length(len(self.best)) == 0)
        return "best" if again or (rung == "offsets" and nth == 0) else ""

    def coordinate(self, rung: str, nth: int) -> bool:
        """Offer all offsets set at once by link cost tables, where it is time to; whether it was."""
        planner, due = self.coordinator, self._due(rung, nth)
        if planner is None or not due:
            return False
        if due == "ranked":
            # what came before is ranked by other cycles' offsets: the best deserve their own
            self.offer(proposals(planner, self.ranked[: self._n_ranked], self.iterations), "coordinated")
        else:
            found = [planner.propose(self.best, self.iterations)]
            if rung == "stages":
                found.append(planner.propose_orders(self.best, self.iterations))
            if planner.wanted.worth_s > 0:
                found.append(planner.propose(self.best, self.iterations, waves=True))
            if planner.simulates:
                found.append(planner.propose(self.best, self.iterations, simulated=True))
            self.offer([candidate for candidate in found if candidate is not None], "offsets by tables")
        return True


def round_length(n_controllers: int) -> int:
    """Iterations of the last rung from one setting of all offsets to the next."""
    return 60 + 6 * n_controllers


def quotas(n_controllers: int, *, coordinated: bool = False) -> dict[str, int]:
    """Iterations of each rung but the last, which takes all that is left; fewer for offsets that were set at once."""
    n = max(1, n_controllers)
    return {"offsets": 5 + (n // 2 if coordinated else 2 * n), "splits": 10 + 3 * n, "cycle": 15 + 3 * n}


def climb(
    evaluator: Evaluator,
    neighbourhood: Neighbourhood,
    settings: Settings,
    *,
    seed: int,
    coordinator: Coordinator | None = None,
    iterations: int | None = None,
    deadline: float | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, str, float], None] | None = None,
    known: Callable[[Candidate], Candidate] | None = None,
) -> Search:
    """Climb the ladder until the iterations or the time are used up, or `stop` says so: the best so far stands.

    Parameters
    ----------
    coordinator : Coordinator, optional
        Sets all offsets at once where the rungs begin, and now and then in the last.
    iterations : int, optional
        Batches of candidates to judge.
    deadline : float, optional
        On the clock of time.monotonic(). [s]
    stop : callable, optional
        Asked before each iteration.
    progress : callable, optional
        Called with (iteration, rung, objective).
    known : callable, optional
        See `Search.start`.
    """
    search = Search(evaluator, neighbourhood, settings, seed, coordinator)
    search.start(known)
    set_at_once = coordinator is not None and coordinator.able
    quota = quotas(len(neighbourhood.open_controllers()), coordinated=set_at_once)
    if iterations is None and deadline is None:
        quota["stages"] = 2 * quota["cycle"]
    for rung in RUNGS:
        before = search.iterations
        for _ in range(quota.get(rung, 1 << 60)):
            if iterations is not None and search.iterations >= iterations:
                break
            if deadline is not None and deadline - time.monotonic() <= search.next_s(rung, search.iterations - before):
                deadline = -math.inf  # the time is up, also where only the next iteration is too long for it
                break
            if stop is not None and stop():
                break
            if not neighbourhood.open_controllers() or not _step(search, rung, search.iterations - before):
                break
            if progress is not None:
                progress(search.iterations, rung, search.objective)
        search.rungs.append(Rung(rung, search.best, search.objective, search.iterations - before))
    return search


def _step(search: Search, rung: str, nth: int) -> bool:
    """One iteration: a batch of changes of the best candidate; False where the rung has no moves."""
    rng = np.random.default_rng([search.seed, search.iterations])
    moves = search.neighbourhood.moves(rung)
    if not moves:
        return False
    frozen = search.settings.change.freeze
    if search.coordinate(rung, nth):
        pass
    elif rung == "cycle" and nth == 0 and "cycle" not in frozen:
        batch = _common_cycles(search, rng)
        search.offer(batch, "common cycle")
    elif rung == "stages" and nth == 0 and not {"cycle", "splits", "stages"} & set(frozen):
        search.offer(_common_stages(search), "closed-form stages")
    else:
        batch, names = [], []
        for _ in range(4 * BATCH):
            name, move = moves[int(rng.integers(len(moves)))]
            candidate = move(search.best, rng)
            if candidate is not None and rng.random() < 0.5:
                candidate = moves[int(rng.integers(len(moves)))][1](candidate, rng) or candidate
            if candidate is not None:
                batch.append(candidate)
                names.append(name)
            if len(batch) == BATCH:
                break
        search.offer(batch, rung)
    search.iterations += 1
    return True


def _common_cycles(search: Search, rng: np.random.Generator) -> list[Candidate]:
    """The plan so far, and the field's stages with closed-form splits, in every common cycle."""
    out = []
    for cycle in COMMON_CYCLES_S:
        scaled = search.neighbourhood.in_common_cycle(search.best, cycle, rng)
        out += [scaled] if scaled is not None else []
        if "splits" in search.settings.change.freeze:
            continue
        closed = list(search.best)
        for at in search.neighbourhood.open_controllers():
            found = search.neighbourhood.models[at].splits(closed[at].skeleton, cycle)
            if found is not None and search.neighbourhood.cycle_allowed(at, cycle):
                setting = Setting(closed[at].skeleton, found[0].copy(), closed[at].offset_s % cycle)
                setting = search.neighbourhood.held(at, setting)
                if search.neighbourhood.keeps_rules(at, setting):
                    closed[at] = setting
        out.append(tuple(closed))
    return out


def _common_stages(search: Search) -> list[Candidate]:
    """In every common cycle, for every controller the stages with the largest reserve of capacity."""
    hood, out = search.neighbourhood, []
    for cycle in (*COMMON_CYCLES_S, None):
        chosen = list(search.best)
        for at in hood.open_controllers():
            wanted = cycle if cycle is not None else chosen[at].cycle_s
            if not hood.cycle_allowed(at, wanted):
                continue
            found = [
                (splits[1], -i, splits[0])
                for i in hood.models[at].usable
                if (splits := hood.models[at].splits(i, wanted)) is not None
            ]
            if found:
                _, minus_i, durations = max(found, key=lambda row: row[:2])
                setting = hood.held(at, Setting(-minus_i, durations.copy(), chosen[at].offset_s % wanted))
                if hood.keeps_rules(at, setting):
                    chosen[at] = setting
        out.append(tuple(chosen))
    return out
