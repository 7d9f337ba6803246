"""The street of the cycle budget: today's traffic in the queue simulation under the plan that runs, seen by loops only.

Every `CHUNK` cycles the traffic of the next ones is simulated under the plan that runs by then, from ten minutes
before on. The judge is the same simulation over a whole hour with vehicles of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks._cycle_cases import Network
from network_data.demand import Demand
from network_data.observations import Observation
from network_data.plans import TimingPlan
from optimizer.rolling.estimate import Estimate
from optimizer.rolling.layout import StreetLayout, prior_of
from optimizer.rolling.near_future import NearFuture
from optimizer.rolling.plan_book import PlanBook
from sim import _tables as k
from sim.compile import TICKS

CHUNK, WARM_S = 10, 600.0
LOOP_S = 0.5
"""How long a moving vehicle covers a loop. [s]"""
FOLLOWS_S = 1.5
"""How long a loop is free between two vehicles of a queue. [s]"""
HOUR_S, HALF_HOUR_S = 3600.0, 1800.0
LARGE = 2_000
"""Signals beyond which half an hour is judged, with one draw."""


def known(layout: StreetLayout, demand: Demand) -> Estimate:
    """A demand as it is, nothing in queues."""
    prior = prior_of(layout, demand)
    return Estimate(
        factor=np.ones(len(layout.links)),
        entry_vps=prior.entry_vps[0],
        choice_vps=prior.choice_vps[0],
        queue_veh=np.zeros(len(layout.links)),
    )


class Street:
    """Hands out an observation per cycle."""

    def __init__(self, case: Network, layout: StreetLayout, cycle_s: int, seed: int) -> None:
        self.layout, self.cycle_s, self.seed = layout, cycle_s, seed
        self._ids = tuple(d.id for d in case.detectors)
        self._lane = np.array([layout.compiled.lane_of[d.link_id, d.lane] for d in case.detectors], np.int64)
        self._truth = known(layout, case.today)
        self._future = NearFuture(layout, WARM_S + CHUNK * cycle_s, delay=1.0, stops=0.0, blocked=0.0)
        self._seen: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._n = 0

    def observe(self, plan: TimingPlan) -> Observation:
        """What the loops have seen in the next cycle; `plan` runs."""
        if not self._seen:
            self._simulate(plan)
        count, occupancy = self._seen.pop(0)
        self._n += 1
        return Observation(
            time_s=float(self._n * self.cycle_s),
            interval_s=float(self.cycle_s),
            detector_ids=self._ids,
            count_veh=count[self._lane].astype(np.float32),
            occupancy=occupancy[self._lane].astype(np.float32),
            health=np.zeros(len(self._ids), np.uint8),
        )

    def _simulate(self, plan: TimingPlan) -> None:
        rng = np.random.default_rng([self.seed, self._n])
        book = PlanBook(self.layout.compiled, [plan.controllers[name] for name in self.layout.signals])
        begin_s = self._n * self.cycle_s - WARM_S
        arrays = book.at_moment(begin_s % (24 * 3600))
        vehicles = self._future.draw(self._truth, np.zeros(len(self.layout.target)), rng)
        outcome = self._future.run(vehicles, arrays)
        log = self._future.log[: outcome.passages]
        n_lane = self.layout.compiled.n_real_lane
        for n in range(CHUNK):
            first, last = (round((WARM_S + m * self.cycle_s) * TICKS) for m in (n, n + 1))
            self._seen.append(passages(log, n_lane, first, last))


def passages(
    log: NDArray[np.int32], n_lane: int, first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts and occupancy at the stop line of every lane from one tick to another; (lanes,) each. [veh], [-]"""
    use = (log[:, k.LOG_LEAVE] >= first) & (log[:, k.LOG_LEAVE] < last)
    use &= (log[:, k.LOG_LANE] < n_lane) & (log[:, k.LOG_CONN] >= 0)
    rows = log[use]
    rows = rows[np.argsort(rows[:, k.LOG_LANE], kind="stable")]
    lane, leave = rows[:, k.LOG_LANE], rows[:, k.LOG_LEAVE].astype(np.float64)
    count = np.bincount(lane, minlength=n_lane).astype(np.float64)
    free = np.full(len(rows), float(first))
    same = lane[1:] == lane[:-1]
    free[1:][same] = leave[:-1][same] + FOLLOWS_S * TICKS
    stood = np.maximum(0.0, leave - np.maximum(free, rows[:, k.LOG_ARRIVAL]))
    covered = np.bincount(lane, weights=stood + LOOP_S * TICKS, minlength=n_lane)
    return count, np.minimum(1.0, covered / (last - first))


class Judge:
    """Delay per vehicle of whole plans on today's demand, always with the same vehicles."""

    def __init__(self, case: Network, layout: StreetLayout, cycle_s: int) -> None:
        large = case.signals > LARGE
        self._layout, self._cycle_s = layout, cycle_s
        self._future = NearFuture(layout, HALF_HOUR_S if large else HOUR_S, delay=1.0, stops=0.0, blocked=0.0)
        truth, stands = known(layout, case.today), np.zeros(len(layout.target))
        draws = 1 if large else 2 if case.signals > 100 else 4 if case.signals > 10 else 40
        self._vehicles = [self._future.draw(truth, stands, np.random.default_rng([99, n])) for n in range(draws)]

    def delay_s(self, plans: Sequence[TimingPlan]) -> list[float]:
        """Mean delay under each plan. [s/veh]"""
        out = []
        for plan in plans:
            book = PlanBook(self._layout.compiled, [plan.controllers[name] for name in self._layout.signals])
            arrays = book.at_moment(0.0)
            costs = [self._future.run(vehicles, arrays).total for vehicles in self._vehicles]
            out.append(sum(costs) / max(1, sum(vehicles.n for vehicles in self._vehicles)))
        return out
