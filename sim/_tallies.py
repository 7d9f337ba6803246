"""What one realization's record adds up to: per connection, per lane and over all vehicles. No loop over vehicles."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from sim import _tables as k
from sim._greens import Windows, head_greens, lane_openings
from sim.compile import TICKS, ticks, yellow_use_s
from sim.queues import LaneQueues, Passages, busy_s, full_s, lane_queues
from sim.simulate import Actuated, Record, Simulator, Totals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MINUTE = 60 * TICKS
"""Stands in for the cycle of lanes without a signal."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What all realizations under one plan share; C connections, L real lanes. Times in ticks of the run."""

    simulator: Simulator
    plan: TimingPlan
    actuated: Actuated = field(default_factory=dict)
    cut: Ints | None = None

    def recorded(self, realization: int) -> tuple[Scene, Totals, Record]:
        """Run one realization; the scene with what actuated controllers have shown in it."""
        if not self.actuated:
            return self, *self.simulator.record(self.plan, realization)
        totals, record, shown = self.simulator.record_shown(self.plan, realization, self.actuated)
        return Scene(self.simulator, shown, cut=self.cycle), totals, record

    @property
    def start(self) -> int:
        """First tick that counts."""
        return round(self.simulator.warmup_s * TICKS)

    @property
    def end(self) -> int:
        """Tick at which the run ends."""
        return round((self.simulator.end_s - self.simulator.begin_s + self.simulator.warmup_s) * TICKS)

    @property
    def n_lane(self) -> int:
        """Real lanes: without waiting places inside junctions."""
        return self.simulator.compiled.n_real_lane

    @cached_property
    def lane_of(self) -> Ints:
        """Lane that each connection leaves, (C,)."""
        compiled = self.simulator.compiled
        return np.array([compiled.lane_of[c.from_link, c.from_lane] for c in compiled.network.connections], np.int64)

    @cached_property
    def signal_of(self) -> Ints:
        """Row of `greens` of each connection, -1 without a signal, (C,)."""
        compiled = self.simulator.compiled
        keys = ((c, index) for c, heads in compiled.heads_of.items() for index in heads)
        row_of = {key: n for n, key in enumerate(keys)}
        rows = [row_of.get((c.controller_id or "", -1 if c.link_index is None else c.link_index), -1)
                for c in compiled.network.connections]  # fmt: skip
        return np.array(rows, np.int64)

    @cached_property
    def greens(self) -> Windows:
        """Greens of every signal head."""
        return head_greens(self.plan, self.simulator.compiled.heads_of, self._begin_s)

    @cached_property
    def openings(self) -> Windows:
        """When each lane may discharge, as its signal shows it, (L,)."""
        return self._openings[0]

    @cached_property
    def signalled(self) -> NDArray[np.bool_]:
        """Lanes that a signal controls, (L,)."""
        return self._openings[1]

    @cached_property
    def effective(self) -> Windows:
        """When each lane may discharge: less the start-up, plus the use of yellow, (L,)."""
        parameters, raw, yellow = self.simulator.compiled.parameters, self.openings, self._openings[2]
        start_up = np.zeros(self.n_lane, np.int64)
        start_up[self.lane_of] = self.simulator.compiled.arrays.conn[:, k.START_UP]
        closes = (raw.length > 0) & (raw.length < raw.cycle[:, None])
        lost = np.where(closes, start_up[:, None], 0)
        used = np.array([ticks(yellow_use_s(float(v), parameters)) for v in self.speed_mps], np.int64)
        length = np.maximum(0, raw.length - lost + np.minimum(yellow, used[:, None]) * closes)
        return Windows(raw.cycle, raw.origin, (raw.start + lost) % raw.cycle[:, None], length)

    @cached_property
    def speed_mps(self) -> Floats:
        """Speed limit of each lane, (L,)."""
        links, out = self.simulator.compiled.network.links, np.ones(self.n_lane)
        for (link, index), lane in self.simulator.compiled.lane_of.items():
            out[lane] = links[link].lanes[index].speed_mps
        return out

    @cached_property
    def length_m(self) -> Floats:
        """Length of each lane, (L,)."""
        links, out = self.simulator.compiled.network.links, np.zeros(self.n_lane)
        for (link, index), lane in self.simulator.compiled.lane_of.items():
            out[lane] = links[link].lanes[index].length_m
        return out

    @cached_property
    def headway(self) -> Ints:
        """Saturation headway of each connection, (C,)."""
        compiled = self.simulator.compiled
        rows = compiled.arrays.conn[:, k.PACE].astype(np.int64)
        spacing_dm = round(10 * compiled.spacing_m)
        return np.asarray(round(compiled.parameters.reaction_headway_s * TICKS) + (rows * spacing_dm + 500) // 1000)

    @cached_property
    def held_inside(self) -> NDArray[np.bool_]:
        """Connections whose vehicle holds the lane up while it waits inside the junction, (C,).

        So it is where it stands in the way of the lane's other turns, and where the lane has no others.
        """
        arrays = self.simulator.compiled.arrays
        waits = arrays.conn[:, k.PLACE] >= 0
        others = np.bincount(self.lane_of[~waits], minlength=self.n_lane) > 0
        blocks = arrays.lane[: self.n_lane, k.BLOCKER] >= 0
        return np.asarray(waits & (blocks | ~others)[self.lane_of])

    @cached_property
    def wave(self) -> Floats:
        """Time per place of the backward wave in a queue and of the drive to the stop line, (L,). [ticks/veh]"""
        compiled = self.simulator.compiled
        return compiled.spacing_m * TICKS * (1 / compiled.parameters.wave_mps + 1 / self.speed_mps)

    @cached_property
    def cycle(self) -> Ints:
        """Cycle of each lane, a minute without a signal, (L,).

        Of actuated controllers that of their program, so that all realizations are cut alike. A program that is as
        long as the run (with transitions in it) has no cycle: its mean time from green to green stands in.
        """
        if self.cut is not None:
            return self.cut
        n_green = np.maximum(1, (self.openings.length > 0).sum(axis=1))
        cycle = np.where(
            self.openings.cycle < self.end - self.start, self.openings.cycle, self.openings.cycle // n_green
        )
        return np.where(self.signalled, cycle, MINUTE)

    @cached_property
    def _openings(self) -> tuple[Windows, NDArray[np.bool_], Ints]:
        compiled = self.simulator.compiled
        return lane_openings(compiled.network, self.plan, compiled.lane_of, self.n_lane, self._begin_s)

    @property
    def _begin_s(self) -> float:
        return self.simulator.begin_s - self.simulator.warmup_s


@dataclass(frozen=True, eq=False)
class Tally:
    """One realization. A vehicle *came* when it reached the stop line in the period, whether or not it passed."""

    totals: Totals
    # per connection (C,)
    came_veh: Floats
    passed_veh: Floats
    delay_s: Floats
    stops: Floats
    on_green: Floats
    travel_s: Floats
    bus_veh: Floats
    bus_delay_s: Floats
    # per lane (L,)
    entered_veh: Floats
    left_veh: Floats
    exit_veh: Floats
    exit_delay_s: Floats
    exit_stops: Floats
    full_s: Floats
    capacity_veh: Floats
    queues: LaneQueues
    # over all vehicles due in the period: cars, buses
    class_veh: Floats
    class_delay_s: Floats
    travel_time_s: float


def tally(scene: Scene, realization: int) -> Tally:
    """Run one realization and add its record up."""
    scene, totals, record = scene.recorded(realization)
    log = _Log.of(record)
    vehicle = _vehicles(scene.simulator, realization)
    start, end = scene.start, scene.end
    n_conn, n_lane = len(scene.lane_of), scene.n_lane
    real, last = log.lane < n_lane, log.conn < 0
    due = (log.leave >= start) & ((log.leave < end) | (log.arrival < end))
    turned, exits = due & ~last, due & last & real
    came = turned & real
    passed = came & (log.leave < end)
    stopped = log.delay > scene.simulator.compiled.arrays.lane[log.lane, k.STOP]
    bus = vehicle.bus[log.veh]

    def by_conn(rows: NDArray[np.bool_], what: NDArray[np.generic] | None = None) -> Floats:
        weights = None if what is None else np.asarray(what[rows], np.float64)
        return np.bincount(log.conn[rows], weights=weights, minlength=n_conn).astype(np.float64)

    def by_lane(rows: NDArray[np.bool_], what: NDArray[np.generic] | None = None) -> Floats:
        weights = None if what is None else np.asarray(what[rows], np.float64)
        return np.bincount(log.lane[rows], weights=weights, minlength=n_lane).astype(np.float64)

    passages = _passages(log, scene, came, turned & ~real)
    classes = _classes(log, vehicle, totals, start, end)
    return Tally(
        totals=totals,
        came_veh=by_conn(came),
        passed_veh=by_conn(passed),
        delay_s=by_conn(turned, log.delay / TICKS),
        stops=by_conn(turned & stopped),
        on_green=by_conn(came & _arrived_on_green(log, scene)),
        travel_s=by_conn(turned, (log.leave - log.enter) / TICKS),
        bus_veh=by_conn(came & bus),
        bus_delay_s=by_conn(turned & bus, log.delay / TICKS),
        entered_veh=np.bincount(log.by_lane[real & (log.enter >= start)], minlength=n_lane).astype(np.float64),
        left_veh=by_lane(real & (log.leave >= start) & (log.leave < end)),
        exit_veh=by_lane(exits),
        exit_delay_s=by_lane(exits, log.delay / TICKS),
        exit_stops=by_lane(exits & stopped),
        full_s=_full(log, scene, vehicle, real),
        capacity_veh=_capacity(passages, scene),
        queues=lane_queues(passages, scene.openings, _storage(scene), scene.wave, scene.cycle, start, end),
        class_veh=classes[0],
        class_delay_s=classes[1],
        travel_time_s=_travel_time_s(log, vehicle, start, end),
    )


@dataclass(frozen=True, eq=False)
class _Log:
    """The record's columns as int64."""

    veh: Ints
    lane: Ints
    conn: Ints
    enter: Ints
    arrival: Ints
    leave: Ints
    delay: Ints
    step: Ints
    by_lane: Ints
    changed: Ints

    @staticmethod
    def of(record: Record) -> _Log:
        names = (
            k.LOG_VEH,
            k.LOG_LANE,
            k.LOG_CONN,
            k.LOG_ENTER,
            k.LOG_ARRIVAL,
            k.LOG_LEAVE,
            k.LOG_DELAY,
            k.LOG_STEP,
            k.LOG_BY_LANE,
            k.LOG_CHANGED,
        )
        return _Log(*(record.column(name).astype(np.int64) for name in names))


@dataclass(frozen=True, eq=False)
class _Vehicles:
    depart: Ints
    bus: NDArray[np.bool_]
    slots: Ints


def _vehicles(simulator: Simulator, realization: int) -> _Vehicles:
    table = simulator._trips[realization].vehicle
    return _Vehicles(table[:, k.DEPART].astype(np.int64), table[:, k.IS_BUS] > 0, table[:, k.SLOTS].astype(np.int64))


def _storage(scene: Scene) -> Ints:
    return np.asarray(scene.simulator.compiled.arrays.lane[: scene.n_lane, k.STORAGE].astype(np.int64))


def _passages(log: _Log, scene: Scene, rows: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Passages:
    """Passages of stop lines, lane by lane in order of leaving; `inside` are those of waiting places behind them."""
    chosen = np.flatnonzero(rows)
    order = chosen[np.argsort(log.lane[chosen], kind="stable")]
    lane, conn, leave = log.lane[order], log.conn[order], log.leave[order]
    gone = np.where(scene.held_inside[conn], np.maximum(leave, _left_place(log, order, np.flatnonzero(inside))), leave)
    return Passages(
        lane=lane,
        edge=np.searchsorted(lane, np.arange(scene.n_lane + 1)),
        arrival=log.arrival[order],
        leave=leave,
        clear=np.where(leave < scene.end, gone + scene.headway[conn], scene.end),
    )


def _left_place(log: _Log, rows: Ints, places: Ints) -> Ints:
    """When the vehicle of each row left the waiting place that it went to; 0 where it went to none."""
    if not len(places):
        return np.zeros(len(rows), np.int64)
    wide = np.int64(1) << 32
    keys = log.veh[places] * wide + log.step[places]
    order = np.argsort(keys)
    wanted = log.veh[rows] * wide + log.step[rows]
    at = np.minimum(np.searchsorted(keys[order], wanted), len(order) - 1)
    found = keys[order][at] == wanted
    return np.where(found, log.leave[places[order][at]], 0)


def _arrived_on_green(log: _Log, scene: Scene) -> NDArray[np.bool_]:
    """Whether the movement's signal showed green when the vehicle would have reached the stop line."""
    out = np.zeros(len(log.lane), np.bool_)
    rows = np.flatnonzero((log.conn >= 0) & (log.lane < scene.n_lane))
    signal = scene.signal_of[log.conn[rows]]
    rows, signal = rows[signal >= 0], signal[signal >= 0]
    out[rows] = scene.greens.is_open(signal, log.arrival[rows])
    return out


def _full(log: _Log, scene: Scene, vehicle: _Vehicles, real: NDArray[np.bool_]) -> Floats:
    """Seconds without a free place; who changes lanes on the link takes a place of the first lane until then."""
    changed = np.minimum(log.changed[real], log.leave[real])
    moved = np.flatnonzero(log.changed[real] < log.leave[real])
    lane = np.concatenate([log.by_lane[real], log.lane[real][moved]])
    enter = np.concatenate([log.enter[real], changed[moved]])
    leave = np.concatenate([changed, log.leave[real][moved]])
    slots = np.concatenate([vehicle.slots[log.veh[real]], vehicle.slots[log.veh[real]][moved]])
    storage = _storage(scene)
    enter, leave = (np.clip(t, scene.start, scene.end) for t in (enter, leave))
    return full_s(lane, enter, leave, np.minimum(slots, storage[lane]), storage)


def _capacity(passages: Passages, scene: Scene) -> Floats:
    """Vehicles that each lane could have let out in the period, NaN without a signal.

    Served vehicles over the share of the open time in which the lane was busy (utilization of the server): so the
    turns of a shared lane, gaps of permitted turns, turns on red and blocked exits count as they were simulated.
    """
    busy, open_s = busy_s(passages, scene.effective, scene.start, scene.end)
    served = np.bincount(passages.lane[passages.leave < scene.end], minlength=scene.n_lane)
    came = np.bincount(passages.lane, minlength=scene.n_lane)
    first = np.full(scene.n_lane, np.iinfo(np.int64).max)
    np.minimum.at(first, scene.lane_of, scene.headway)
    at_saturation = open_s * TICKS / np.maximum(1, first)
    measured = served * open_s / np.maximum(busy, 1e-9)
    return np.where(scene.signalled, np.where(came == 0, at_saturation, np.where(busy > 0, measured, 0.0)), np.nan)


def _classes(log: _Log, vehicle: _Vehicles, totals: Totals, start: int, end: int) -> tuple[Floats, Floats]:
    """Vehicles due in the period and their delay, waiting to enter included: cars, buses.

    What a vehicle waited before its first lane is the begin of its first passage less its departure. Who left no
    passage stands before the network or drives on its first link unhindered: they share what is left of the total.
    """
    counts = (vehicle.depart >= start) & (vehicle.depart < end)
    delay = np.bincount(log.veh, weights=log.delay, minlength=len(counts)) / TICKS
    first = np.full(len(counts), np.iinfo(np.int64).max)
    np.minimum.at(first, log.veh, log.enter)
    seen = first < np.iinfo(np.int64).max
    delay += np.where(seen, first - vehicle.depart, 0) / TICKS
    unseen = counts & ~seen
    at_most = np.where(unseen, end - vehicle.depart, 0) / TICKS
    rest_s = totals.delay_s - float(delay[counts].sum())
    delay += at_most * (rest_s / at_most.sum() if at_most.sum() > 0 else 0.0)
    of_class = [counts & ~vehicle.bus, counts & vehicle.bus]
    return np.array([m.sum() for m in of_class], np.float64), np.array([delay[m].sum() for m in of_class])


def _travel_time_s(log: _Log, vehicle: _Vehicles, start: int, end: int) -> float:
    """Mean time from departure to arrival or the end of the run, over the vehicles due in the period. [s/veh]"""
    counts = (vehicle.depart >= start) & (vehicle.depart < end)
    out = np.full(len(counts), end)
    arrived = log.conn < 0
    out[log.veh[arrived]] = log.leave[arrived]
    return float((out - vehicle.depart)[counts].mean()) / TICKS if counts.any() else 0.0
