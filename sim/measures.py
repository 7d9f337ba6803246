"""Measures of a plan: per movement, signal and network, as means over realizations with their standard error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.plans import ControllerPlan, TimingPlan
from sim import _kernels as k
from sim.compile import TICKS
from sim.simulate import Record, Simulator, Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementMeasures:
    """One movement. `storage_veh` is the room of its lanes; `links` are its link indices at the controller."""

    movement_id: str
    from_link: str
    to_link: str
    controller_id: str | None
    links: tuple[int, ...]
    flow_vph: float
    delay_s_per_veh: float
    delay_se_s: float
    stops_per_veh: float
    v_over_c: float | None
    queue_mean_veh: float
    queue_p95_veh: float
    queue_max_veh: float
    storage_veh: int
    on_green: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaMeasures:
    """A signal (what arises on its approaches) or the network (over all vehicles due to enter)."""

    veh: float
    delay_s_per_veh: float
    delay_se_s: float
    stops_per_veh: float
    queue_max_veh: float
    spillback_s: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Measures:
    """Everything measured of one plan; `entered_veh`, `left_veh`: per (link, lane), in at its start, out at its end."""

    network: AreaMeasures
    signals: dict[str, AreaMeasures]
    cycle_s: dict[str, float]
    movements: dict[str, MovementMeasures]
    entered_veh: dict[tuple[str, int], float]
    left_veh: dict[tuple[str, int], float]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Per connection of one realization; queue statistics per connection from 1 s samples."""

    veh: NDArray[np.float64]
    delay_s: NDArray[np.float64]
    stops: NDArray[np.float64]
    on_green: NDArray[np.float64]
    queue_mean: NDArray[np.float64]
    queue_p95: NDArray[np.float64]
    queue_max: NDArray[np.float64]
    entered: NDArray[np.float64]
    left: NDArray[np.float64]


def measure(simulator: Simulator, plan: TimingPlan) -> Measures:
    """Run a plan on all realizations and measure it."""
    runs = [simulator.record(plan, r) for r in range(simulator.n_realizations)]
    sums = [_sums(simulator, record) for _, record in runs]
    return Measures(
        network=_network(simulator, [totals for totals, _ in runs], sums),
        signals=_signals(simulator, sums, runs),
        cycle_s={c: p.cycle_s for c, p in plan.controllers.items()},
        movements=_movements(simulator, plan, sums),
        entered_veh=_by_lane(simulator, [s.entered for s in sums]),
        left_veh=_by_lane(simulator, [s.left for s in sums]),
    )


def _sums(simulator: Simulator, record: Record) -> _Sums:
    compiled = simulator.compiled
    n_conn = len(compiled.network.connections)
    conn = record.column(k.LOG_CONN)
    lane = record.column(k.LOG_LANE)
    leave, arrival = record.column(k.LOG_LEAVE), record.column(k.LOG_ARRIVAL)
    end = round((simulator.end_s - simulator.begin_s + simulator.warmup_s) * TICKS)
    start = round(simulator.warmup_s * TICKS)
    counts = (leave >= start) & (conn >= 0)
    real = lane < compiled.n_real_lane
    delay = record.column(k.LOG_DELAY)
    stop = compiled.arrays.lane[lane, k.STOP]
    veh = np.bincount(conn[counts & real], minlength=n_conn).astype(float)
    queue = _queues(conn, arrival, leave, counts, n_conn, start, end)
    in_time = leave < end
    entered = np.bincount(lane[real & (record.column(k.LOG_ENTER) >= start)], minlength=compiled.n_lane)
    left = np.bincount(lane[real & in_time & (leave >= start)], minlength=compiled.n_lane)
    return _Sums(
        veh=veh,
        delay_s=np.bincount(conn[counts], weights=delay[counts] / TICKS, minlength=n_conn).astype(float),
        stops=np.bincount(conn[counts & (delay > stop)], minlength=n_conn).astype(float),
        on_green=np.bincount(conn[counts & real & (leave - arrival <= 5)], minlength=n_conn).astype(float),
        queue_mean=queue[0],
        queue_p95=queue[1],
        queue_max=queue[2],
        entered=entered.astype(float),
        left=left.astype(float),
    )


def _queues(
    conn: NDArray[np.int32],
    arrival: NDArray[np.int32],
    leave: NDArray[np.int32],
    counts: NDArray[np.bool_],
    n_conn: int,
    start: int,
    end: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, 95th percentile (over time) and maximum of vehicles that should have passed the stop line but stand."""
    mean, p95, most = np.zeros(n_conn), np.zeros(n_conn), np.zeros(n_conn)
    n_s = max(1, (end - start) // TICKS)
    order = np.argsort(conn[counts], kind="stable")
    c, a, b = conn[counts][order], arrival[counts][order], leave[counts][order]
    edges = np.searchsorted(c, np.arange(n_conn + 1))
    for i in range(n_conn):
        lo, hi = edges[i], edges[i + 1]
        if lo == hi:
            continue
        first = np.clip((a[lo:hi] - start) // TICKS, 0, n_s)
        last = np.clip((b[lo:hi] - start) // TICKS, 0, n_s)
        steps = np.bincount(first, minlength=n_s + 1) - np.bincount(np.maximum(first, last), minlength=n_s + 1)
        queue = np.cumsum(steps)[:n_s]
        mean[i], p95[i], most[i] = queue.mean(), np.percentile(queue, 95), queue.max()
    return mean, p95, most


def _se(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _network(simulator: Simulator, totals: Sequence[Totals], sums: Sequence[_Sums]) -> AreaMeasures:
    delays = [t.delay_s_per_veh for t in totals]
    return AreaMeasures(
        veh=float(np.mean([t.veh for t in totals])),
        delay_s_per_veh=float(np.mean(delays)),
        delay_se_s=_se(delays),
        stops_per_veh=float(np.mean([t.stops / max(1, t.veh) for t in totals])),
        queue_max_veh=float(np.mean([_largest(simulator, s) for s in sums])),
        spillback_s=float(np.mean([t.blocked_s for t in totals])),
    )


def _largest(simulator: Simulator, sums: _Sums, members: Sequence[int] | None = None) -> float:
    """Longest queue of any lane among connections."""
    by_lane: dict[tuple[str, int], float] = defaultdict(float)
    chosen = range(len(sums.queue_max)) if members is None else members
    for i in chosen:
        c = simulator.compiled.network.connections[i]
        by_lane[c.from_link, c.from_lane] = max(by_lane[c.from_link, c.from_lane], float(sums.queue_max[i]))
    return max(by_lane.values(), default=0.0)


def _signals(
    simulator: Simulator, sums: Sequence[_Sums], runs: Sequence[tuple[Totals, Record]]
) -> dict[str, AreaMeasures]:
    network, out = simulator.compiled.network, {}
    members: dict[str, list[int]] = {controller: [] for controller in network.controllers}
    for i, c in enumerate(network.connections):
        if c.controller_id is not None:
            members[c.controller_id].append(i)
    blocked = [_blocked_s(simulator, record) for _, record in runs]
    for controller, mine in members.items():
        veh = [float(s.veh[mine].sum()) for s in sums]
        delays = [float(s.delay_s[mine].sum()) / max(1.0, v) for s, v in zip(sums, veh, strict=True)]
        out[controller] = AreaMeasures(
            veh=float(np.mean(veh)),
            delay_s_per_veh=float(np.mean(delays)),
            delay_se_s=_se(delays),
            stops_per_veh=float(np.mean([s.stops[mine].sum() / max(1.0, v) for s, v in zip(sums, veh, strict=True)])),
            queue_max_veh=float(np.mean([_largest(simulator, s, mine) for s in sums])),
            spillback_s=float(np.mean([b[controller] for b in blocked])),
        )
    return out


def _blocked_s(simulator: Simulator, record: Record) -> dict[str, float]:
    """Seconds of the period for which an approach's queue filled a lane, per controller (lane-seconds)."""
    compiled = simulator.compiled
    out: dict[str, float] = dict.fromkeys(compiled.network.controllers, 0.0)
    lane, leave, enter = record.column(k.LOG_LANE), record.column(k.LOG_LEAVE), record.column(k.LOG_ENTER)
    end = round((simulator.end_s - simulator.begin_s + simulator.warmup_s) * TICKS)
    start = round(simulator.warmup_s * TICKS)
    order = np.argsort(lane, kind="stable")
    edges = np.searchsorted(lane[order], np.arange(compiled.n_real_lane + 1))
    for controller, links in compiled.network.approaches.items():
        for link in links:
            for one in compiled.network.links[link].lanes:
                at = compiled.lane_of.get((link, one.index))
                if at is None or edges[at] == edges[at + 1]:
                    continue
                rows = order[edges[at] : edges[at + 1]]
                storage = int(compiled.arrays.lane[at, k.STORAGE])
                out[controller] += _full_s(np.maximum(enter[rows], start), np.clip(leave[rows], start, end), storage)
    return out


def _full_s(enter: NDArray[np.int32], leave: NDArray[np.int32], storage: int) -> float:
    """Seconds with at least `storage` vehicles inside."""
    times = np.concatenate([enter, leave])
    steps = np.concatenate([np.ones(len(enter)), -np.ones(len(leave))])
    order = np.argsort(times, kind="stable")
    inside = np.cumsum(steps[order])
    gaps = np.diff(times[order], append=times[order][-1])
    return float(gaps[inside >= storage].sum()) / TICKS


def _movements(simulator: Simulator, plan: TimingPlan, sums: Sequence[_Sums]) -> dict[str, MovementMeasures]:
    network = simulator.compiled.network
    hours = (simulator.end_s - simulator.begin_s) / 3600
    out = {}
    for movement in network.movements.values():
        mine = list(movement.connections)
        veh = [float(s.veh[mine].sum()) for s in sums]
        delays = [float(s.delay_s[mine].sum()) / max(1.0, v) for s, v in zip(sums, veh, strict=True)]
        flow = float(np.mean(veh)) / hours
        queues = [(s.queue_mean[mine].sum(), s.queue_p95[mine].max(), s.queue_max[mine].max()) for s in sums]
        lanes = {(network.connections[i].from_link, network.connections[i].from_lane) for i in mine}
        program = plan.controllers.get(movement.controller_id or "")
        on_green = sum(float(s.on_green[mine].sum()) for s in sums) / max(1.0, sum(veh))
        out[movement.id] = MovementMeasures(
            movement_id=movement.id,
            from_link=movement.from_link,
            to_link=movement.to_link,
            controller_id=movement.controller_id,
            links=movement.link_indices,
            flow_vph=flow,
            delay_s_per_veh=float(np.mean(delays)),
            delay_se_s=_se(delays),
            stops_per_veh=float(np.mean([s.stops[mine].sum() / max(1.0, v) for s, v in zip(sums, veh, strict=True)])),
            v_over_c=_load(simulator, program, mine, flow) if program is not None else None,
            queue_mean_veh=float(np.mean([q[0] for q in queues])),
            queue_p95_veh=float(np.mean([q[1] for q in queues])),
            queue_max_veh=float(np.mean([q[2] for q in queues])),
            storage_veh=sum(
                int(simulator.compiled.arrays.lane[simulator.compiled.lane_of[lane], k.STORAGE]) for lane in lanes
            ),
            on_green=on_green if program is not None else None,
        )
    return out


def _load(simulator: Simulator, program: ControllerPlan, connections: Sequence[int], flow_vph: float) -> float:
    """Flow over capacity of the movement's own greens, lanes shared with others counted whole. [-]"""
    network, parameters = simulator.compiled.network, simulator.compiled.parameters
    capacity, seen = 0.0, set()
    for i in connections:
        c = network.connections[i]
        if c.from_lane in seen or c.link_index is None or c.link_index >= len(program.intervals[0].state):
            continue
        seen.add(c.from_lane)
        speed = min(c.speed_mps, network.links[c.from_link].lanes[c.from_lane].speed_mps)
        pace = parameters.reaction_headway_s + simulator.compiled.spacing_m / speed
        capacity += program.green_s(c.link_index) / program.cycle_s * 3600 / pace
    return flow_vph / capacity if capacity > 0 else float("inf") if flow_vph > 0 else 0.0


def _by_lane(simulator: Simulator, values: Sequence[NDArray[np.float64]]) -> dict[tuple[str, int], float]:
    mean = np.mean(values, axis=0)
    return {key: float(mean[lane]) for key, lane in simulator.compiled.lane_of.items()}
