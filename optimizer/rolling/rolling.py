"""Once a cycle: counts in, the next plan out, inside a fixed share of the cycle.

A step takes in the newest counts, filters demand, estimates queues, simulates the next minutes from these, looks for
better cycle, splits, offsets and stages than the running plan's, and hands over what passes the rules, with a legal way
from the running programs. Work is counted in nominal units, so that the same observations lead to the same decisions on
any machine; the clock only stops a step that would be late.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand, DemandScenarios
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.observations import Observation
from network_data.plans import ControllerPlan, TimingPlan
from network_data.settings import Settings
from optimizer.candidate import plan_of
from optimizer.rolling import costs
from optimizer.rolling._kernels import standing_now
from optimizer.rolling.estimate import Estimate, Filter
from optimizer.rolling.hand_over import HandOver, Way, try_way
from optimizer.rolling.layout import detector_layout, prior_of, street_layout
from optimizer.rolling.moves import Moves
from optimizer.rolling.near_future import NearFuture, Vehicles
from optimizer.rolling.options import RollingOptions
from optimizer.rolling.plan_book import PlanBook
from optimizer.rolling.polygons import Polygons
from optimizer.rolling.proposals import Proposals
from optimizer.rolling.search import Search, Work, districts_of
from optimizer.rolling.start import first_settings, models_of
from sim.segments import Segment
from sim.transitions import Transition

PARTS = ("ingest", "estimate", "simulate", "optimize", "hand_over")
LARGE_SHARE = 0.4
"""Of the horizon, what large networks are simulated for. [-]"""
SEARCH_SHARE = 0.6
"""Of the time by the wall clock, what the search may take; the rest is for handing over. [-]"""
Status = Literal["changed", "kept", "late", "failed"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Decision:
    """What a step decided.

    Attributes
    ----------
    plan : TimingPlan
        Programs that run once all transitions are over; the running plan where nothing changed.
    transition : dict
        Controller id → what it shows from `time_s` on, without gaps, the last segment for ever; controllers that
        change now. The others go on as they are.
    status : {"changed", "kept", "late", "failed"}
        kept, late and failed: the running plan goes on, because nothing better was found, because the change was not
        ready when programs were to change, because of a fault.
    stopped : bool
        Whether a clock stopped the search before its work was done: what was best by then counts.
    candidates : int
        Settings of single signals that were judged.
    gain : float
        Share of the delay ahead that the change saves, in the runs that judged it. [-]
    milliseconds : dict
        CPU time by part, and "total"; "wall" by the clock. [ms]
    inputs : str
        Hash of the observation.
    """

    time_s: float
    plan: TimingPlan
    transition: dict[str, tuple[Segment, ...]]
    transitions: tuple[Transition, ...]
    status: Status
    stopped: bool
    choice: str
    reason: str
    candidates: int
    runs: int
    gain: float
    milliseconds: dict[str, float]
    inputs: str
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class _Clock:
    """CPU time by part."""

    ms: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    _began: float = field(default_factory=time.thread_time)
    _first: float = field(default_factory=time.thread_time)
    _wall: float = field(default_factory=time.perf_counter)

    def book(self, part: str) -> None:
        """What has passed since the last booking belongs to a part."""
        now = time.thread_time()
        self.ms[part] += 1e3 * (now - self._began)
        self._began = now

    @property
    def wall_s(self) -> float:
        """Since the step began, by the wall clock. [s]"""
        return time.perf_counter() - self._wall

    def total(self) -> dict[str, float]:
        """All parts, their sum, and the wall time."""
        now = time.thread_time()
        return {**self.ms, "total": 1e3 * (now - self._first), "wall": 1e3 * (time.perf_counter() - self._wall)}


class Rolling:
    """The rolling optimizer of one network; `step` is called once a cycle.

    Parameters
    ----------
    network : RoadNetwork
    running : TimingPlan
        The plan in force: where the first step begins, and the yardstick of every rule.
    detectors : sequence of Detector
        Those that observations may hold.
    prior : Demand or DemandScenarios
        The day's history, by interval.
    settings : Settings, optional
        Rules, limits, what may change, objective.
    options : RollingOptions, optional
        Filter, horizon, bounds on one decision.

    Raises
    ------
    DemandError
        The prior does not fit the network.
    InfeasibleError
        The running plan breaks the rules set and cannot be mended.
    """

    def __init__(
        self,
        network: RoadNetwork,
        running: TimingPlan,
        detectors: Sequence[Detector],
        prior: Demand | DemandScenarios,
        settings: Settings | None = None,
        options: RollingOptions | None = None,
    ) -> None:
        self.network, self.options = network, options or RollingOptions()
        self.settings = settings or Settings()
        self.layout = street_layout(network)
        history = prior_of(self.layout, prior)
        self.models = models_of(network, self.layout, history, running, self.settings)
        self.current, hood = first_settings(network, self.models, self.settings)
        self._filter = Filter(self.layout, detector_layout(self.layout, detectors), history, self.options)
        weights = self.settings.objective
        n = self.layout.n_signal
        self._horizon_s = self.options.horizon_s * (LARGE_SHARE if n > self.options.large else 1.0)
        self._future = NearFuture(
            self.layout, self._horizon_s, delay=weights.delay, stops=weights.stops, blocked=weights.queue_overflow
        )
        self._book = PlanBook(self.layout.compiled, [self._program(at) for at in range(n)])
        self._hand = HandOver(network, self.models, running, self.settings)
        self._districts = districts_of(self.layout, costs.DISTRICT)
        polygons = Polygons(self.layout, self.models, self._horizon_s)
        self._proposals = Proposals(self.layout, self.models, hood, polygons, self.options)
        self._hood = hood
        self._plan = {name: running.controllers[name] for name in self.layout.signals}
        self._mend = {at for at in range(n) if self.current[at].key() != hood.field[at].key()}
        self.estimate: Estimate | None = None
        self.n_steps = 0
        self._compile()

    def _compile(self) -> None:
        """Call every kernel once, so that the first step takes no longer than the others."""
        layout, rng = self.layout, np.random.default_rng(0)
        n_link, n_choice = len(layout.links), len(layout.target)
        rare = Estimate(
            np.ones(n_link), np.full(n_link, 1 / self._horizon_s), np.full(n_choice, 1e-3), np.zeros(n_link)
        )
        self._book.at_moment(0.0)
        self._standing(rare)
        vehicles = self._future.draw(rare, np.zeros(n_choice), rng)
        outcome = self._future.run(vehicles, self._book.arrays)
        polygons = Polygons(layout, self.models, self._horizon_s)
        for _ in range(2):
            log = self._future.log
            polygons.remember([polygons.collect(self.current, log, outcome.passages, vehicles.end_s)], 0.0)
        polygons.prepare(self.current, rare.choice_vps, 0.0)
        polygons.improve(np.zeros(1, np.int64), offsets=True, splits=True, most_offset_s=1, most_green_s=1)
        polygons.adopt()

    def _program(self, at: int) -> ControllerPlan:
        return plan_of(self.models[at], self.current[at])

    @property
    def plan(self) -> TimingPlan:
        """The programs that run, transitions aside."""
        return TimingPlan(controllers=dict(self._plan))

    def step(self, observation: Observation, time_s: float, budget_ms: float) -> Decision:
        """Decide on the next plan.

        Parameters
        ----------
        observation : Observation
            Since the last step.
        time_s : float
            The moment of the decision, on the field's clock (whole seconds). [s]
        budget_ms : float
            CPU time that the step may take, counted in nominal work; on the clock it is an emergency stop. [ms]

        Returns
        -------
        Decision
            Always: what fails is reported as such, and the running plan goes on.
        """
        clock, before = _Clock(), list(self.current)
        rng = np.random.default_rng([self.options.seed, self.n_steps])
        self.n_steps += 1
        try:
            return self._step(observation, time_s, budget_ms, clock, rng)
        except Exception as error:  # the signals must not stall, whatever goes wrong here; the decision says what did
            self.current = before
            self._proposals.fresh.clear()
            self._book = PlanBook(self.layout.compiled, [self._program(at) for at in range(self.layout.n_signal)])
            at = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({at.filename.rsplit('/', 1)[-1]} line {at.lineno})"
            return self._decision(time_s, {}, clock, "failed", reason, inputs="", notes=(traceback.format_exc(),))

    def _step(
        self, observation: Observation, time_s: float, budget_ms: float, clock: _Clock, rng: np.random.Generator
    ) -> Decision:
        inputs = observation.hash()
        count, occupancy = self._filter.values(observation)
        clock.book("ingest")
        self._book.at_moment(time_s)
        shares = np.append(self._book.green_share(), 1.0)[self.layout.signal_head]
        estimate = self._filter.update(count, occupancy, observation.time_s, observation.interval_s, shares)
        self.estimate = estimate
        standing = self._standing(estimate)
        clock.book("estimate")
        search = self._search(budget_ms)
        open_signals = self._hand.in_step(time_s) & np.array([not model.fixed for model in self.models])
        first = self._simulate(search, estimate, standing, rng)
        clock.book("simulate")
        search.spent_s = 0.0
        budget = costs.hand_over(budget_ms, self.options.hand_over_share)
        self._proposals.decide(search, estimate, open_signals, time_s, budget, rng)
        gain = 1 - search.total / first if first > 0 else 0.0
        simulated = search.spent_s
        clock.ms["simulate"] += 1e3 * simulated
        clock.book("optimize")
        clock.ms["optimize"] -= 1e3 * simulated
        if gain < self.options.least_gain and not self._mend:
            return self._kept(search, time_s, clock, inputs, gain)
        ways, notes = self._ways(search, time_s, budget_ms)
        clock.book("hand_over")
        if clock.wall_s > self.options.wall_factor * budget_ms / 1e3:
            self._take_back(search)
            reason = f"ready after {clock.wall_s:.1f} s, when programs were to have changed already"
            return self._decision(time_s, {}, clock, "late", reason, inputs=inputs, search=search, notes=tuple(notes))
        for at, way in ways.items():
            self.current[at] = search.current[at]
            self._hand.showing[at] = way.segments
            self._mend.discard(at)
            self._plan[self.layout.signals[at]] = way.segments[-1].program
        self._proposals.adopt(ways.keys())
        saved = f"saves {gain:.1%} of the delay in the next {self._horizon_s:g} s over {len(search.held)} draws"
        return self._decision(
            time_s, ways, clock, "changed" if ways else "kept", saved, inputs=inputs, search=search, gain=gain,
            notes=tuple(notes),
        )  # fmt: skip

    def _standing(self, estimate: Estimate) -> NDArray[np.float64]:
        """Vehicles in queues now, by choice: left over, and since the last green. [veh]"""
        layout, arrays = self.layout, self._book.arrays
        out = np.zeros(len(layout.target))
        standing_now(
            arrays.signal, arrays.window, layout.signal_head, estimate.choice_vps, np.minimum(layout.room_vps, 10.0), 0,
            out,
        )  # fmt: skip
        flow = np.bincount(layout.choice_link, weights=estimate.choice_vps, minlength=len(layout.links))
        goes = layout.target >= 0
        onward = np.bincount(layout.choice_link, weights=estimate.choice_vps * goes, minlength=len(flow))
        share = np.divide(estimate.choice_vps * goes, onward[layout.choice_link], out=np.zeros_like(out),
                          where=onward[layout.choice_link] > 0)  # fmt: skip
        out += share * estimate.queue_veh[layout.choice_link]
        total = np.bincount(layout.choice_link, weights=out, minlength=len(flow))
        fits = np.minimum(1.0, layout.room_veh / np.maximum(total, 1e-9))
        return np.asarray(out * fits[layout.choice_link])

    def _search(self, budget_ms: float) -> Search:
        moves = Moves(self.models, self._hood, self.options, list(self.current))
        budget_s = budget_ms / 1e3
        wall_s = SEARCH_SHARE * self.options.wall_factor * budget_s
        work = Work(costs.SAFE * budget_ms * 1e6, time.thread_time() + budget_s, time.monotonic() + wall_s)
        return Search(self.layout, moves, self._book, self._future, self._districts, list(self.current), work)

    def _simulate(
        self, search: Search, estimate: Estimate, standing: NDArray[np.float64], rng: np.random.Generator
    ) -> float:
        """Draws of the next minutes under the running plan: as many as the budget is good for; their total cost."""
        polygons = self._proposals.polygons
        while True:
            vehicles: Vehicles = self._future.draw(estimate, standing, rng)
            search.work.spend(costs.draw(vehicles.n_steps))
            search.run_units = costs.run(vehicles.n_steps, self.layout.compiled.n_lane)
            outcome = search.hold(vehicles)
            self._proposals.fresh.append(
                polygons.collect(search.current, self._future.log, outcome.passages, vehicles.end_s)
            )
            more = costs.draws_for(search.work, search.run_units, costs.draw(vehicles.n_steps), self.layout.n_signal)
            if len(search.held) >= more or not search.work.affords(search.run_units):
                return search.total

    def _kept(self, search: Search, time_s: float, clock: _Clock, inputs: str, gain: float) -> Decision:
        self._take_back(search)
        clock.book("hand_over")
        reason = f"nothing judged saves {self.options.least_gain:.1%} of the delay ahead"
        return self._decision(time_s, {}, clock, "kept", reason, inputs=inputs, search=search, gain=gain)

    def _take_back(self, search: Search) -> None:
        """The kernel's plan is the running one again."""
        for at, (now, before) in enumerate(zip(search.current, self.current, strict=True)):
            if now is not before:
                search.put(at, before)

    def _ways(self, search: Search, time_s: float, budget_ms: float) -> tuple[dict[int, Way], list[str]]:
        """Ways to the new settings, from when the step is over; signals that find none keep their program."""
        due_s = math.ceil(time_s + self.options.wall_factor * budget_ms / 1e3)
        ways: dict[int, Way] = {}
        notes = []
        for at, setting in enumerate(search.current):
            if setting is self.current[at] and at not in self._mend:
                continue
            old = self._plan[self.layout.signals[at]]
            way, why = try_way(self._hand, at, old, self.current[at], setting, time_s=time_s, due_s=due_s)
            if way is None:
                notes.append(f"{self.layout.signals[at]} keeps its program: {why}")
                search.put(at, self.current[at])
                search.current[at] = self.current[at]
            else:
                ways[at] = way
        return ways, notes

    def _decision(
        self,
        time_s: float,
        ways: dict[int, Way],
        clock: _Clock,
        status: Status,
        reason: str,
        *,
        inputs: str,
        search: Search | None = None,
        gain: float = 0.0,
        notes: tuple[str, ...] = (),
    ) -> Decision:
        names = self.layout.signals
        n = len(ways)
        choice = f"{n} of {len(names)} signals change" if n else "the running plan goes on"
        return Decision(
            time_s=time_s,
            plan=self.plan,
            transition={names[at]: way.segments for at, way in ways.items()},
            transitions=tuple(way.transition for way in ways.values()),
            status=status,
            stopped=bool(search and search.work.late),
            choice=choice,
            reason=reason,
            candidates=search.candidates if search else 0,
            runs=search.n_runs if search else 0,
            gain=gain if n else 0.0,
            milliseconds=clock.total(),
            inputs=inputs,
            notes=notes,
        )
