"""One type of day in the simulation: what plans do in each of its intervals, at switches, and over whole days.

All plans meet the same vehicles. Each hour is simulated anew under each plan, with some time before it under the same
plan; what counts is all that vehicles lose within each interval, those on the way from before it included. So a plan
that breaks down in the morning does not pay for it in the afternoon, when another one would long have run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DAY_S, DayPlan
from network_data.trips import Trips
from optimizer.day.accrual import lost_between
from optimizer.objectives import Weighing
from sim.simulate import Simulator, Totals
from sim.transition_cycles import Method
from sim.transitions import ScheduledPlan, compile_schedule

Floats = NDArray[np.float64]
HISTORY_S = 900.0
"""Simulated before an hour, so that it does not begin with empty streets. [s]"""
BLOCK_S = 3600.0
"""Intervals are simulated together in parts of the day so long. [s]"""
AFTER_S = 1800.0
"""What a switch costs is looked at for so long after it. [s]"""


def between(trips: Trips, begin_s: float, end_s: float) -> Trips:
    """The vehicles that depart in [begin_s, end_s)."""
    first, last = (int(x) for x in np.searchsorted(trips.depart_s, (begin_s, end_s)))
    a, b = int(trips.route_start[first]), int(trips.route_start[last])
    return replace(
        trips,
        depart_s=trips.depart_s[first:last],
        route_start=trips.route_start[first : last + 1] - a,
        route_link=trips.route_link[a:b],
        kind=trips.kind[first:last],
        length_m=trips.length_m[first:last],
        dwell_s=trips.dwell_s[a:b] if len(trips.dwell_s) else trips.dwell_s,
        ids=trips.ids[first:last] if trips.ids else (),
        standing=trips.standing[first:last] if len(trips.standing) else trips.standing,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Horizon:
    """The part of the day that is planned, in equal intervals. [s after midnight]"""

    begin_s: float
    end_s: float
    interval_s: float

    def __post_init__(self) -> None:
        if not (self.n > 0 and abs(self.begin_s + self.n * self.interval_s - self.end_s) < 1e-6):
            raise PlanError(
                "day plan",
                f"the period {self.begin_s:g} to {self.end_s:g} s is no multiple of {self.interval_s:g} s; "
                "give --begin and --end on whole intervals",
            )

    @property
    def n(self) -> int:
        """Number of intervals."""
        return round((self.end_s - self.begin_s) / self.interval_s)

    @property
    def around(self) -> bool:
        """Whether it is the whole day, which goes round."""
        return self.n * self.interval_s >= DAY_S

    def at_s(self, t: int) -> float:
        """Begin of an interval. [s after midnight]"""
        return self.begin_s + t * self.interval_s


@dataclass(eq=False, kw_only=True)
class DayTraffic:
    """One type of day: its vehicles on a few days (by weights that add up to 1), and plans on them.

    All costs are seconds of delay as `[objective]` weighs them, sums over the vehicles of a day, means over the days.
    Trips should begin `HISTORY_S` before the horizon.
    """

    network: RoadNetwork
    trips: Sequence[Trips]
    weights: tuple[float, ...]
    horizon: Horizon
    weighing: Weighing
    method: Method = "shortway"
    seed: int = 0
    workers: int = 1
    saturation_vph: Mapping[tuple[str, int], float] = field(default_factory=dict)
    start_up_s: Mapping[tuple[str, int], float] = field(default_factory=dict)
    n_runs: int = 0
    _days: Simulator | None = None

    @property
    def veh(self) -> Floats:
        """Vehicles that depart in each interval, (T,)."""
        edges = self.horizon.begin_s + self.horizon.interval_s * np.arange(self.horizon.n + 1)
        counts = [np.histogram(one.depart_s, edges)[0] for one in self.trips]
        return np.asarray(np.dot(self.weights, counts), np.float64)

    def first_days(self, n: int) -> DayTraffic:
        """The same on the first n days alone."""
        kept = self.weights[:n]
        weights = tuple(weight / sum(kept) for weight in kept)
        return replace(self, trips=self.trips[:n], weights=weights, _days=None)

    def interval_costs(
        self,
        plans: Sequence[TimingPlan],
        days: Sequence[int],
        *,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[float], object] = float,
    ) -> Floats | None:
        """Cost of every interval under every plan on some of the days, (len(days), T, P); None where asked to stop."""
        beside = np.array([self.weighing.beside_plan_s(self.network, plan) for plan in plans])
        n_block = max(1, round(BLOCK_S / self.horizon.interval_s))
        blocks = range(0, self.horizon.n, n_block)

        def one(t: int) -> Floats | None:
            return None if stop() else self._block(plans, days, t, min(t + n_block, self.horizon.n))

        parts: list[Floats] = []
        with ThreadPoolExecutor(self.workers) as pool:
            for n, found in enumerate(pool.map(one, blocks), start=1):
                if found is None:
                    return None
                parts.append(found)
                progress(n / len(blocks))
        self.n_runs += len(blocks) * len(plans) * len(days)
        return np.concatenate(parts, axis=1) + beside * self.veh[:, None]

    def _block(self, plans: Sequence[TimingPlan], days: Sequence[int], first: int, last: int) -> Floats:
        """Cost of the intervals first … last - 1, (len(days), last - first, P)."""
        begin_s = self.horizon.at_s(first) - HISTORY_S
        edges_s = np.array([begin_s, *(self.horizon.at_s(t) for t in range(first, last + 1))])
        trips = [between(self.trips[r], begin_s, float(edges_s[-1])) for r in days]
        simulator = self._simulator(trips, begin_s, float(edges_s[-1]))
        out = np.zeros((len(days), last - first, len(plans)))
        for p, plan in enumerate(plans):
            for r, own in enumerate(trips):
                totals, record = simulator.record(plan, r)
                lost_s = lost_between(record, totals, own, begin_s, edges_s)
                # stops and the like are dealt out as the delay
                out[r, :, p] = lost_s[1:] / max(1e-9, lost_s.sum()) * self.weighing.total_s(totals)
        return out

    def _simulator(self, trips: Sequence[Trips], begin_s: float, end_s: float) -> Simulator:
        """A part of the day, in which all of its vehicles count."""
        return Simulator(
            self.network, trips, begin_s=begin_s, end_s=end_s, seed=self.seed, saturation_vph=self.saturation_vph,
            start_up_s=self.start_up_s,
        )  # fmt: skip

    def _costs(self, simulator: Simulator, plans: Sequence[TimingPlan]) -> Floats:
        """Cost of each plan (rows) on each day, (P, S)."""
        return np.array([[self.weighing.total_s(totals) for totals in row] for row in simulator.run(plans)])

    def switch_cost(self, t: int, old: TimingPlan, new: TimingPlan, cost: Floats) -> float:
        """What a switch at the begin of an interval costs beyond both plans' own costs; infinite where none is legal.

        What the old plan leaves standing for the new one is part of it. Never below 0: no switch gains by itself.

        Parameters
        ----------
        cost : ndarray, shape (T,)
            Cost of each interval under the new plan.
        """
        at_s = self.horizon.at_s(t)
        n_after = min(math.ceil(AFTER_S / self.horizon.interval_s), self.horizon.n - t)
        begin_s, end_s = at_s - HISTORY_S, self.horizon.at_s(t + n_after)
        try:
            shown = _between_plans(self.network, old, new, begin_s, at_s, end_s, self.method).unrolled()
        except PlanError:
            return math.inf
        trips = [between(one, begin_s, end_s) for one in self.trips]
        self.n_runs += 2 * len(self.trips)
        with_switch = self._costs(self._simulator(trips, begin_s, end_s), [shown])[0]
        before = self._costs(self._simulator(trips, begin_s, at_s), [old])[0]
        beside_s = self.weighing.beside_plan_s(self.network, new) * float(self.veh[t : t + n_after].sum())
        lost_s = float((with_switch - before) @ np.array(self.weights)) + beside_s
        return max(0.0, lost_s - float(cost[t : t + n_after].sum()))

    def day_costs(self, day: DayPlan) -> Floats:
        """Cost of each whole day under the plans of a day, transitions included, (S,). [s]

        Raises
        ------
        PlanError
            A switch for which there is no legal way.
        """
        return self.costs_of(day, self.day_totals(day))

    def costs_of(self, day: DayPlan, totals: Sequence[Totals]) -> Floats:
        """The same from what `day_totals` told."""
        return np.array([self.weighing.total_s(one) for one in totals]) + self._beside(day)

    def _beside(self, day: DayPlan) -> float:
        """What the waits on foot count over a day. [s]"""
        known: dict[tuple[int, ...], float] = {}
        total = 0.0
        for t, veh in enumerate(self.veh.tolist()):
            plan = day.plan_at(self.horizon.at_s(t))
            key = tuple(id(program) for program in plan.controllers.values())
            if key not in known:
                known[key] = self.weighing.beside_plan_s(self.network, plan)
            total += known[key] * veh
        return total

    def _whole(self) -> Simulator:
        if self._days is None:
            self._days = Simulator(
                self.network,
                self.trips,
                begin_s=self.horizon.begin_s,
                end_s=self.horizon.end_s,
                warmup_s=HISTORY_S,
                seed=self.seed,
                workers=self.workers,
                saturation_vph=self.saturation_vph,
                start_up_s=self.start_up_s,
            )
        return self._days

    def _laid(self, day: DayPlan) -> ScheduledPlan:
        begin_s = self.horizon.begin_s - HISTORY_S
        return compile_schedule(self.network, day, begin_s=begin_s, end_s=self.horizon.end_s, method=self.method)

    def day_totals(self, day: DayPlan) -> list[Totals]:
        """What each whole day comes to under the plans of a day."""
        self.n_runs += len(self.trips)
        return self._whole().run([self._laid(day).unrolled()])[0]

    def course(self, day: DayPlan) -> Floats:
        """Seconds of delay that arise in each interval of a day, mean over the days, (T,)."""
        plan = self._laid(day).unrolled()
        first_s = self.horizon.begin_s - HISTORY_S
        edges_s = np.array([first_s, *(self.horizon.at_s(t) for t in range(self.horizon.n + 1))])
        simulator = self._simulator(self.trips, first_s, self.horizon.end_s)
        out = np.zeros(self.horizon.n + 1)
        for r, weight in enumerate(self.weights):
            totals, record = simulator.record(plan, r)
            self.n_runs += 1
            out += weight * lost_between(record, totals, self.trips[r], first_s, edges_s)
        return out[1:]


def _between_plans(
    network: RoadNetwork, old: TimingPlan, new: TimingPlan, begin_s: float, at_s: float, end_s: float, method: Method
) -> ScheduledPlan:
    """The switch alone: the old plan up to a second, the new one from there on."""
    # half a day earlier the old one began: so it runs before the switch, also before one at midnight
    switches = sorted([(at_s % DAY_S, new), ((at_s + DAY_S / 2) % DAY_S, old)], key=lambda switch: switch[0])
    return compile_schedule(network, DayPlan.of_plans(switches), begin_s=begin_s, end_s=end_s, method=method)
