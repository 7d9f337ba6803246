"""The next minutes in the queue simulation: vehicles that stand, drive and will come, under any plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.rolling import _kernels
from optimizer.rolling.estimate import Estimate
from optimizer.rolling.layout import FLOAT, StreetLayout
from sim import _kernels as queue_kernel
from sim import _tables as k
from sim.compile import SPEED_RANGE, TICKS, constants, new_state
from sim.lanes_ahead import LINKS_AHEAD

LEAD_S = 30.0, 90.0
"""Not counted at the begin of a run, drawn anew each time: a plan must not seem better because it would serve those who
stand right now, or because the run ends with its red. [s]"""
ROOM = 1.15
"""Memory is made for so many times the vehicles and steps needed, so that it lasts for busier cycles."""


@dataclass(frozen=True, eq=False)
class Vehicles:
    """Vehicles as the kernel reads them; what they lose counts from `begin_s` to `end_s` after the moment."""

    arrays: k.TripArrays
    begin_s: float
    end_s: float

    @property
    def n(self) -> int:
        """How many."""
        return len(self.arrays.vehicle)

    @property
    def n_steps(self) -> int:
        """Links on all routes."""
        return len(self.arrays.route)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a plan does to the vehicles within the horizon: cost by signal (the last for places without), and in all.

    Delay in seconds, with stops and blocked exits as the objective weighs them. [s]
    """

    by_signal: FLOAT  # (S + 1,)
    total: float
    passages: int


class NearFuture:
    """Draws vehicles and runs plans; memory is kept between calls."""

    def __init__(self, layout: StreetLayout, horizon_s: float, *, delay: float, stops: float, blocked: float) -> None:
        self.layout, self.horizon_s = layout, horizon_s
        self.weights = delay, stops, blocked
        compiled = layout.compiled
        self._longest_s = horizon_s + LEAD_S[1]
        self._const = constants(compiled.parameters, spacing_m=compiled.spacing_m, length_s=self._longest_s)
        self._state: k.State | None = None
        self._route = np.empty(0, np.int32)
        self._log = np.empty((0, k.N_LOG), np.int32)
        self._to_mask = compiled.arrays.conn[:, k.TO_MASK].astype(np.int64)
        lengths = np.array([compiled.network.links[link].length_m for link in layout.links])
        self._length_m = lengths[layout.link_of_lane]
        self._stop_ticks = compiled.arrays.lane[:, k.STOP].astype(np.int64)

    def draw(self, estimate: Estimate, standing_veh: FLOAT, rng: np.random.Generator) -> Vehicles:
        """Vehicles from this moment on: those standing, on the way to stop lines, and entering later.

        Parameters
        ----------
        standing_veh : ndarray, shape (C,)
            Vehicles in queues, by where they turn; fractions are drawn. [veh]
        """
        layout = self.layout
        begin_s = float(rng.integers(int(LEAD_S[0]), int(LEAD_S[1])))
        end_s = begin_s + self.horizon_s
        stands = _whole(standing_veh, rng)
        choice = np.repeat(np.arange(len(stands)), stands)
        flow = np.bincount(layout.choice_link, weights=estimate.choice_vps, minlength=len(layout.links))
        moving = np.repeat(np.arange(len(flow)), rng.poisson(flow * layout.time_s))
        enters = np.repeat(np.arange(len(flow)), rng.poisson(estimate.entry_vps * end_s))
        link = np.concatenate([layout.choice_link[choice], moving, enters])
        first = np.concatenate([choice, np.full(len(moving) + len(enters), -1)])
        depart_s = np.concatenate(
            [
                np.zeros(len(choice)),
                rng.random(len(moving)) * layout.time_s[moving],  # when it would reach the stop line
                rng.random(len(enters)) * end_s,
            ]
        )
        inside = np.arange(len(link)) < len(choice) + len(moving)
        order = np.argsort(depart_s, kind="stable")
        arrays = self._laid_out(link[order], first[order], depart_s[order], inside[order], estimate.choice_vps, rng)
        return Vehicles(arrays, begin_s, end_s)

    def _laid_out(
        self,
        link: NDArray[np.int64],
        first: NDArray[np.int64],
        depart_s: FLOAT,
        inside: NDArray[np.bool_],
        choice_vps: FLOAT,
        rng: np.random.Generator,
    ) -> k.TripArrays:
        compiled = self.layout.compiled
        n = len(link)
        key = rng.integers(0, 2**63, n, np.uint64)
        pace = 1 / np.clip(rng.normal(1.0, compiled.parameters.speed_spread, n), *SPEED_RANGE)
        start, route = self._routes(link, first, np.where(inside, depart_s - self.layout.time_s[link], depart_s),
                                    key, choice_vps)  # fmt: skip
        lanes, gate = np.empty(len(route), np.int32), np.empty(n, np.int64)
        _kernels.lanes_and_gates(
            compiled.arrays.pair, self._to_mask, self._length_m, compiled.parameters.lane_ahead_m, LINKS_AHEAD, start,
            route, lanes, gate,
        )  # fmt: skip
        vehicle = np.zeros((n, k.N_VEHICLE), np.int32)
        vehicle[:, k.DEPART] = np.round(depart_s * TICKS)
        vehicle[:, k.ROUTE0] = start[:-1]
        vehicle[:, k.LENGTH] = round(compiled.spacing_m * 10)
        vehicle[:, k.SLOTS] = 1
        vehicle[:, k.DRIVER] = np.round(1024 * pace)
        vehicle[:, k.STANDING] = inside
        vehicle[:, k.GATE] = gate
        vehicle[:, k.TRAITS] = k.pack(
            vehicle[:, k.DRIVER], vehicle[:, k.SLOTS], vehicle[:, k.LENGTH], vehicle[:, k.IS_BUS],
            np.ones(n, np.int32), vehicle[:, k.STANDING],
        )  # fmt: skip
        return k.TripArrays(vehicle=vehicle, route=route, dwell=np.empty(0, np.int32), lanes=lanes)

    def _routes(
        self,
        link: NDArray[np.int64],
        first: NDArray[np.int64],
        begin_s: FLOAT,
        key: NDArray[np.uint64],
        choice_vps: FLOAT,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        layout = self.layout
        cumulative = cumulative_shares(layout, choice_vps)
        start = np.empty(len(link) + 1, np.int64)
        size = max(len(self._route), round(ROOM * 6 * len(link)) + 64)
        while True:
            if len(self._route) < size:
                self._route = np.empty(size, np.int32)
            n = _kernels.walk(
                link, first, begin_s, key, layout.first, layout.target, cumulative, layout.pair, layout.time_s,
                self._longest_s, start, self._route,
            )  # fmt: skip
            if n >= 0:
                return start, self._route[:n].copy()
            size *= 2

    def run(self, vehicles: Vehicles, plan: k.PlanArrays) -> Outcome:
        """Run a plan on the vehicles."""
        trips = vehicles.arrays
        state = self._room(plan, vehicles)
        out = k.Results(np.zeros(k.N_TOTALS, np.int64), self._log, np.zeros(1, np.int64))
        compiled = self.layout.compiled
        const = self._const.copy()
        const[k.END] = round(vehicles.end_s * TICKS)
        queue_kernel.run(compiled.arrays, plan, trips, const, state, out)
        delay, stops, blocked = self.weights
        cost = np.zeros(self.layout.n_signal + 1)
        n_log = int(out.n_log[0])
        stop_cost = TICKS * stops / delay if delay > 0 else 0.0
        _kernels.tally(
            self._log, n_log, state.lane, state.veh, trips.vehicle, compiled.n_real_lane, self.layout.owner_of_lane,
            self._stop_ticks, round(vehicles.begin_s * TICKS), int(const[k.END]), stop_cost, cost,
        )  # fmt: skip
        by_signal = delay * cost / TICKS
        total = float(by_signal.sum()) + blocked * float(out.totals[k.BLOCKED]) / TICKS
        return Outcome(by_signal=by_signal, total=total, passages=n_log)

    def _room(self, plan: k.PlanArrays, vehicles: Vehicles) -> k.State:
        """Working memory, made anew only where the vehicles outgrow it."""
        if self._state is None or len(self._state.veh) < vehicles.n:
            n = round(ROOM * vehicles.n) + 64
            self._state = new_state(self.layout.compiled, plan, n, int(self._const[k.END]))
        if len(self._log) < 2 * vehicles.n_steps + 1:
            self._log = np.empty((round(ROOM * 2 * vehicles.n_steps) + 64, k.N_LOG), np.int32)
        return self._state

    @property
    def log(self) -> NDArray[np.int32]:
        """Passages of the last run, see `Outcome.passages` for how many."""
        return self._log


def cumulative_shares(layout: StreetLayout, choice_vps: FLOAT) -> FLOAT:
    """Cumulative share of each choice at the end of its link; (C,). Links without flow end their trips."""
    begin = layout.first[layout.choice_link]
    sums = np.concatenate(([0.0], np.cumsum(choice_vps)))
    total = sums[layout.first[1:]] - sums[layout.first[:-1]]
    within = sums[1:] - sums[begin]
    of_link = total[layout.choice_link]
    return np.asarray(np.divide(within, of_link, out=np.zeros_like(within), where=of_link > 1e-12))


def _whole(values: FLOAT, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whole numbers whose means are the values."""
    low = np.floor(values)
    return (low + (rng.random(len(values)) < values - low)).astype(np.int64)
