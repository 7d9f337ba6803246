"""Turn networks, plans and trips into the arrays that the kernel reads."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.actuation import ActuatedController
from network_data.errors import DemandError, NetworkError, PlanError
from network_data.network import Connection, RoadNetwork
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan, TimingPlan
from network_data.trips import Trips
from sim import _tables as k
from sim.actuated import LaneData, actuated_state, compile_actuated
from sim.lanes_ahead import lanes_ahead, unique_rows
from sim.parameters import SimParameters

TICKS = 10
"""Ticks per second."""
MIN_STORAGE_VEH = 2
CONFLICT_AT = 0.6
"""Where on the way across a junction conflicts lie, roughly. [-]"""
SPEED_RANGE = 0.7, 1.3
"""Least and highest desired speed over the limit. [-]"""
LEAST_PHASE_S = 3.0
"""Greens of actuated controllers that are kept of a run: room for one in so many seconds per signal. [s]"""
VEHICLE_M = 4.5
MOST_START_UP_S = 20.0
"""Nobody takes longer to start. [s]"""
VEHICLE_SHARE = 0.75
"""Of the spacing in a queue, what is vehicle and not gap. [-]"""


def ticks(seconds: float) -> int:
    """Seconds as whole ticks."""
    return round(seconds * TICKS)


@dataclass(frozen=True, eq=False)
class CompiledNetwork:
    """A network ready to be simulated, with the names behind the indices."""

    network: RoadNetwork
    parameters: SimParameters
    spacing_m: float
    arrays: k.NetworkArrays
    n_real_lane: int
    lane_of: dict[tuple[str, int], int]  # (link, lane index) → lane
    lane_link: tuple[str, ...]  # lane → link (waiting places: the link they are reached from)
    pair_of: dict[tuple[str, str], int]  # (link, next link or "") → its first row
    heads_of: dict[str, tuple[int, ...]]  # controller → its link indices that control connections: signals in order
    n_ring: int

    @property
    def n_lane(self) -> int:
        """Lanes, waiting places included."""
        return int(self.arrays.lane.shape[0])

    @property
    def n_gate(self) -> int:
        """Gates: two per lane, see `_gates`."""
        return 2 * self.n_real_lane


def _lane_row(
    length_m: float, speed_mps: float, bit: int, parameters: SimParameters, spacing_m: float, *, before_m: float = 0.0
) -> list[int]:
    free_s = length_m / speed_mps
    stop_s = speed_mps / 2 * (1 / parameters.decel_mps2 + 1 / parameters.accel_mps2)
    room_m = length_m + before_m
    storage = max(MIN_STORAGE_VEH, math.ceil(room_m / spacing_m - 1e-9))
    row = [0] * k.N_LANE
    row[k.BLOCKER] = row[k.LEFT] = row[k.RIGHT] = -1
    row[k.BIT] = bit
    row[k.FREE] = ticks(free_s)
    row[k.DRIVE] = ticks(free_s + parameters.dawdle * length_m / speed_mps**2)
    row[k.STORAGE] = storage
    row[k.WAVE] = ticks(max(0.0, room_m - spacing_m) / parameters.wave_mps)
    row[k.SPACING] = ticks(parameters.reaction_headway_s * 0.8 + spacing_m / speed_mps)
    row[k.STOP] = ticks(stop_s)
    return row


def _conn_row(connection: Connection, link_speed_mps: float, parameters: SimParameters) -> list[int]:
    speed = min(link_speed_mps, connection.speed_mps)
    right = connection.direction in "rR"
    paced = speed * (parameters.right_turn_pace if right else 1.0)
    row = [0] * k.N_CONN
    row[k.CROSS] = ticks(connection.length_m / connection.speed_mps)
    row[k.PLACE_CROSS] = ticks((connection.length_m - connection.wait_m) / connection.speed_mps)
    slower = max(0.0, link_speed_mps - connection.speed_mps)
    row[k.LOSS] = ticks(slower**2 / (2 * link_speed_mps) * parameters.turn_loss)
    minor = connection.link_index is None and connection.yields_to
    # slowing down for the turn is part of slowing down for the foes
    row[k.APPROACH] = max(0, ticks(parameters.minor_loss_s * link_speed_mps / 13.89) - row[k.LOSS]) if minor else 0
    row[k.PACE] = round(1000 / paced)
    row[k.SPEED] = round(10 * speed)
    row[k.USE] = ticks(yellow_use_s(speed, parameters))
    row[k.PLACE] = row[k.MERGE_LEFT] = row[k.MERGE_RIGHT] = -1
    row[k.SIGNAL] = -1
    row[k.CLEAR_GAP] = ticks(critical_gap_s(connection, parameters))
    row[k.START_UP] = ticks(parameters.start_up_s)
    return row


def yellow_use_s(speed_mps: float, parameters: SimParameters) -> float:
    """How long into yellow a vehicle still passes at this speed: later it can stop. [s]"""
    return max(0.0, speed_mps * parameters.yellow_use_per_mps - parameters.yellow_unused_s)


def critical_gap_s(connection: Connection, parameters: SimParameters) -> float:
    """The gap a vehicle needs that starts from standstill: until its rear has left the junction, and a margin. [s]"""
    way_m = connection.length_m - connection.wait_m + VEHICLE_SHARE * parameters.spacing_m
    accel, speed = parameters.accel_mps2, connection.speed_mps
    reach_m = speed**2 / (2 * accel)
    clear_s = math.sqrt(2 * way_m / accel) if way_m <= reach_m else speed / accel + (way_m - reach_m) / speed
    return max(parameters.least_gap_s, clear_s + parameters.gap_margin_s)


def compile_network(
    network: RoadNetwork,
    parameters: SimParameters,
    *,
    spacing_m: float | None = None,
    saturation_vph: Mapping[tuple[str, int], float] | None = None,
    start_up_s: Mapping[tuple[str, int], float] | None = None,
) -> CompiledNetwork:
    """Lay the network out for the kernel.

    Parameters
    ----------
    spacing_m : float, optional
        Vehicle length and gap that lanes' storage is counted in. [m] Default: the parameters' own.
    saturation_vph : mapping, optional
        (link, lane index) → saturation flow of the lane, counted in the field or by the factors of a manual. [veh/h]
        Lanes that are not named discharge as their vehicles' length and the speeds of network and turn let them.
    start_up_s : mapping, optional
        (link, lane index) → time from start of green until the first of a queue passes; others: the parameters'. [s]

    Raises
    ------
    NetworkError
        Saturation flows or start-up times of lanes that are not there, or out of range.
    """
    saturation = _saturation(network, parameters, saturation_vph or {})
    start_ups = _start_ups(network, start_up_s or {})
    spacing = spacing_m if spacing_m is not None else parameters.spacing_m
    lane_of: dict[tuple[str, int], int] = {}
    lane_link: list[str] = []
    rows: list[list[int]] = []
    before_m = _room_before_m(network)
    for link in network.links.values():
        for lane in link.lanes:
            if lane.kind != "other":
                lane_of[link.id, lane.index] = len(rows)
                lane_link.append(link.id)
                row = _lane_row(
                    lane.length_m, lane.speed_mps, lane.index, parameters, spacing,
                    before_m=before_m.get((link.id, lane.index), 0.0),
                )  # fmt: skip
                rows.append(row)
    n_real = len(rows)
    move_up = ticks(math.sqrt(2 * spacing / parameters.accel_mps2))
    for (link_id, index), at in lane_of.items():
        rows[at][k.KEEP_CLEAR] = move_up if before_m.get((link_id, index)) == 0 else 0
        rows[at][k.LEFT] = lane_of.get((link_id, index + 1), -1)
        rows[at][k.RIGHT] = lane_of.get((link_id, index - 1), -1)
    heads_of = {
        controller.id: tuple(head.index for head in controller.heads if head.connections)
        for controller in network.controllers.values()
    }
    keys = ((controller_id, index) for controller_id, heads in heads_of.items() for index in heads)
    signal_of = {key: signal for signal, key in enumerate(keys)}
    conns: list[list[int]] = []
    for c in network.connections:
        lane = network.links[c.from_link].lanes[c.from_lane]
        row = _conn_row(c, lane.speed_mps, parameters)
        if (c.from_link, c.from_lane) in saturation:
            headway_s = 3600 / saturation[c.from_link, c.from_lane]
            row[k.PACE] = max(0, round(100 * TICKS * (headway_s - parameters.reaction_headway_s) / spacing))
        if (c.from_link, c.from_lane) in start_ups:
            row[k.START_UP] = ticks(start_ups[c.from_link, c.from_lane])
        if c.controller_id is not None and c.link_index is not None:
            row[k.SIGNAL] = signal_of[c.controller_id, c.link_index]
        if c.wait_m > 0 and c.yields_to:
            row[k.PLACE] = _waiting_place(c, lane_of[c.from_link, c.from_lane], rows, lane_link, parameters, spacing)
        conns.append(row)
    _targets(network, conns)
    _merges(network, conns)
    foes = _foes(network, conns, lane_of)
    pair_of, pairs = _pairs(network, lane_of)
    ring = 0
    for row in rows:
        bits = (row[k.STORAGE] + k.ON_WAY - 1).bit_length()
        ring = -(-ring // (1 << bits)) << bits  # so that short ones lie in one line of the cache
        row[k.RING] = ring << k.RING_BITS | bits
        ring += 1 << bits
    arrays = _network_arrays(rows, conns, foes, pairs)
    return CompiledNetwork(
        network=network,
        parameters=parameters,
        spacing_m=spacing,
        arrays=arrays,
        n_real_lane=n_real,
        lane_of=lane_of,
        lane_link=tuple(lane_link),
        pair_of=pair_of,
        heads_of=heads_of,
        n_ring=ring,
    )


def _room_before_m(network: RoadNetwork) -> dict[tuple[str, int], float]:
    """Lanes that are reached over ways that nobody crosses: the queue stands on these too, so far. [m]"""
    room: dict[tuple[str, int], float] = {}
    for c in network.connections:
        key = c.to_link, c.to_lane
        room[key] = min(room.get(key, math.inf), 0.0 if c.conflicts else c.length_m)
    return room


def _saturation(
    network: RoadNetwork, parameters: SimParameters, saturation_vph: Mapping[tuple[str, int], float]
) -> Mapping[tuple[str, int], float]:
    most_vph = 3600 / parameters.reaction_headway_s
    faults = []
    for (link, index), flow_vph in saturation_vph.items():
        if link not in network.links or not 0 <= index < len(network.links[link].lanes):
            faults.append(f"saturation flow of lane {index} of link {link!r}: there is no such lane; correct its name")
        elif not 0 < flow_vph <= most_vph:  # this way round so that NaN fails too
            faults.append(
                f"saturation flow of lane {index} of link {link!r} is {flow_vph} veh/h; needs to be above 0 and at "
                f"most {most_vph:.0f} (headways are at least the reaction time)"
            )
    if faults:
        raise NetworkError("saturation flows", faults)
    return saturation_vph


def _start_ups(network: RoadNetwork, start_up_s: Mapping[tuple[str, int], float]) -> Mapping[tuple[str, int], float]:
    faults = []
    for (link, index), time_s in start_up_s.items():
        if link not in network.links or not 0 <= index < len(network.links[link].lanes):
            faults.append(f"start-up time of lane {index} of link {link!r}: there is no such lane; correct its name")
        elif not 0 <= time_s <= MOST_START_UP_S:
            faults.append(
                f"start-up time of lane {index} of link {link!r} is {time_s} s; needs to be from 0 to "
                f"{MOST_START_UP_S} s"
            )
    if faults:
        raise NetworkError("start-up times", faults)
    return start_up_s


def _waiting_place(
    c: Connection,
    lane: int,
    rows: list[list[int]],
    lane_link: list[str],
    parameters: SimParameters,
    spacing_m: float,
) -> int:
    """The waiting place of a connection; turns that wait where their way has not left the lane's others share one."""
    vehicle_m = VEHICLE_SHARE * spacing_m
    in_the_way = c.wait_m - vehicle_m < c.detach_m
    if in_the_way and rows[lane][k.BLOCKER] >= 0:
        return rows[lane][k.BLOCKER]
    place = _lane_row(c.wait_m, c.speed_mps, 0, parameters, spacing_m)
    place[k.WAVE] = ticks(
        math.sqrt(2 * vehicle_m / parameters.accel_mps2)
    )  # until it has moved out of the next one's way
    place[k.STORAGE] = max(1, int(c.wait_m / spacing_m))
    if in_the_way:
        rows[lane][k.BLOCKER] = len(rows)
    rows.append(place)
    lane_link.append(c.from_link)
    return len(rows) - 1


def _network_arrays(
    rows: list[list[int]], conns: list[list[int]], foes: list[list[int]], pairs: list[list[int]]
) -> k.NetworkArrays:
    conn, way, foe = _tables((len(conns), k.N_CONN), (len(pairs), k.N_WAY), (len(foes), k.N_FOE))
    lane, pair = np.empty((len(rows), k.N_LANE), np.int32), np.empty((len(pairs), k.N_PAIR), np.int32)
    for table, given in ((lane, rows), (conn, conns), (foe, foes), (pair, pairs)):
        table[:] = np.array(given, np.int32).reshape(table.shape)
    way[:] = k.pack_ways(pair, conn)
    return k.NetworkArrays(lane=lane, conn=conn, foe=foe, pair=pair, way=way)


def _targets(network: RoadNetwork, conns: list[list[int]]) -> None:
    """Fill which lanes of the next link a lane's turn leads to: one bit per lane."""
    masks: dict[tuple[str, int, str], int] = defaultdict(int)
    for c in network.connections:
        masks[c.from_link, c.from_lane, c.to_link] |= 1 << min(c.to_lane, 30)
    for c, row in zip(network.connections, conns, strict=True):
        row[k.TO_MASK] = masks[c.from_link, c.from_lane, c.to_link]


def _representatives(network: RoadNetwork) -> list[int]:
    """Vehicles carry the first connection of their lane and turn; connection → that one."""
    first: dict[tuple[str, int, str], int] = {}
    return [first.setdefault((c.from_link, c.from_lane, c.to_link), i) for i, c in enumerate(network.connections)]


def _merges(network: RoadNetwork, conns: list[list[int]]) -> None:
    """Fill which ways from the lanes beside it lead into the same lane of the same link."""
    representative = _representatives(network)
    for i, c in enumerate(network.connections):
        for j in c.conflicts:
            other = network.connections[j]
            if (other.from_link, other.to_link, other.to_lane) != (c.from_link, c.to_link, c.to_lane):
                continue
            for side, column in ((1, k.MERGE_LEFT), (-1, k.MERGE_RIGHT)):
                if other.from_lane == c.from_lane + side:
                    conns[representative[i]][column] = representative[j]


def _foes(network: RoadNetwork, conns: list[list[int]], lane_of: dict[tuple[str, int], int]) -> list[list[int]]:
    """Rows (lane, connection) whose vehicles a connection must let go first; its own range is filled in."""
    representative = _representatives(network)
    yields: dict[int, dict[tuple[int, int], None]] = defaultdict(dict)
    for i, c in enumerate(network.connections):
        for j in c.yields_to:
            other = network.connections[j]
            if (other.from_link, other.from_lane) == (c.from_link, c.from_lane):
                continue  # the lane's own queue keeps that order
            if (other.from_link, other.to_link) == (c.from_link, c.to_link):
                continue  # they merge
            foe = representative[j]
            yields[representative[i]][lane_of[other.from_link, other.from_lane], foe] = None
            if conns[foe][k.PLACE] >= 0:
                yields[representative[i]][conns[foe][k.PLACE], foe] = None
    rows: list[list[int]] = []
    for i, row in enumerate(conns):
        row[k.FOE0] = len(rows)
        rows += [[lane, foe, _in_the_way_ticks(network.connections[foe])] for lane, foe in yields.get(i, {})]
        row[k.FOE1] = len(rows)
    return rows


def _in_the_way_ticks(connection: Connection) -> int:
    """How long a vehicle that passed its stop line is in the way of those who yield to it."""
    return ticks((CONFLICT_AT * connection.length_m + VEHICLE_M) / connection.speed_mps)


def _pairs(
    network: RoadNetwork, lane_of: dict[tuple[str, int], int]
) -> tuple[dict[tuple[str, str], int], list[list[int]]]:
    """Which lanes serve each pair of links, and where trips may end; pair → its first row."""
    serving: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    representative = _representatives(network)
    for i, c in enumerate(network.connections):
        if representative[i] == i:
            bus = network.links[c.from_link].lanes[c.from_lane].kind == "bus" or c.kind == "bus"
            serving[c.from_link, c.to_link].append([lane_of[c.from_link, c.from_lane], i, int(bus)])
    for link in network.links.values():
        for lane in link.lanes:
            if lane.kind != "other":
                serving[link.id, ""].append([lane_of[link.id, lane.index], -1, int(lane.kind == "bus")])
    index_of = {lane: index for (_, index), lane in lane_of.items()}
    pair_of: dict[tuple[str, str], int] = {}
    rows: list[list[int]] = []
    for key, entries in serving.items():
        if all(entry[k.PAIR_BUS] for entry in entries):
            for entry in entries:
                entry[k.PAIR_BUS] = 0  # no other way: whoever is routed there goes there
        pair_of[key] = len(rows)
        rows += [[*entry, len(entries) - n, index_of[entry[k.PAIR_LANE]]] for n, entry in enumerate(entries)]
    return pair_of, rows


class ControllerArrays(NamedTuple):
    """The signals of one controller: rows of signals with window numbers counted from 0, and the windows."""

    signal: NDArray[np.int32]
    window: NDArray[np.int32]


def compile_controller(compiled: CompiledNetwork, program: ControllerPlan, *, begin_s: float = 0.0) -> ControllerArrays:
    """Lay one controller's program out as green windows; cycle time 0 is its interval 0."""
    cycle = ticks(program.cycle_s)
    offset = (ticks(program.offset_s) - ticks(begin_s)) % cycle
    rows: list[tuple[int, int, int, int]] = []
    windows: list[tuple[int, int, int, int, int]] = []
    columns = list(zip(*(interval.state for interval in program.intervals), strict=True))
    edges = [ticks(t) for t in accumulate((interval.duration_s for interval in program.intervals), initial=0.0)]
    alike: dict[tuple[str, ...], tuple[int, int]] = {}  # heads that always show the same share their windows
    for index in compiled.heads_of[program.controller_id]:
        if columns[index] not in alike:
            mine = signal_windows(columns[index], edges)
            alike[columns[index]] = len(windows), len(windows) + len(mine)
            windows += mine
        # a window may reach over the end of its cycle, even by a whole one: begin two cycles before
        rows.append((cycle, offset - 2 * cycle, *alike[columns[index]]))
    return ControllerArrays(
        np.array(rows, np.int32).reshape(len(rows), 4), np.array(windows, np.int32).reshape(len(windows), 5)
    )


_NOTHING = np.zeros(0, np.int32)
_NOT_ACTUATED = compile_actuated([], {}, {}, {})


def join_controllers(parts: Sequence[ControllerArrays]) -> k.PlanArrays:
    """One plan of all controllers' arrays, in the order of `CompiledNetwork.heads_of`."""
    signals, at = [], 0
    for part in parts:
        rows = part.signal.copy()
        fixed = rows[:, k.WINDOW1] != k.LIVE
        rows[fixed, k.WINDOW0 : k.WINDOW1 + 1] += at
        signals.append(rows)
        at += len(part.window)
    return k.PlanArrays(
        signal=np.concatenate(signals) if signals else np.zeros((0, k.N_SIGNAL), np.int32),
        window=np.concatenate([part.window for part in parts]) if parts else np.zeros((0, 5), np.int32),
        actuated=_NOT_ACTUATED,
        owner=_NOTHING,
        lane_start=_NOTHING,
        lane=_NOTHING,
    )


def compile_plan(
    compiled: CompiledNetwork,
    plan: TimingPlan,
    *,
    begin_s: float = 0.0,
    actuated: Mapping[str, ActuatedController] | None = None,
) -> k.PlanArrays:
    """Lay a plan out for the kernel.

    Parameters
    ----------
    actuated : mapping, optional
        Controllers that decide themselves; their programs in the plan are not used.

    Raises
    ------
    PlanError
        A controller of the network without a plan, an actuated one that is not in the network.
    """
    actuated = actuated or {}
    missing = sorted(set(compiled.heads_of) - set(plan.controllers) - set(actuated))
    faults = [f"has no program for controller {c!r}; add one" for c in missing]
    faults += [
        f"actuated controller {c!r} is not in the network; correct its id"
        for c in sorted(set(actuated) - set(compiled.heads_of))
    ]
    if faults:
        raise PlanError("plan", faults)
    n_live = 0
    parts = []
    for c in compiled.heads_of:
        if c in actuated:
            n = len(compiled.heads_of[c])
            live = np.array([(0, 0, n_live + 2 * i, k.LIVE) for i in range(n)], np.int32).reshape(n, k.N_SIGNAL)
            parts.append(ControllerArrays(live, np.zeros((0, 5), np.int32)))
            n_live += 2 * n
        else:
            parts.append(compile_controller(compiled, plan.controllers[c], begin_s=begin_s))
    joined = join_controllers(parts)
    return _with_actuated(compiled, joined, actuated, begin_s) if actuated else joined


def _with_actuated(
    compiled: CompiledNetwork, plan: k.PlanArrays, actuated: Mapping[str, ActuatedController], begin_s: float
) -> k.PlanArrays:
    keys = [(c, index) for c, heads in compiled.heads_of.items() for index in heads]
    signal_of = {
        key: (signal, int(plan.signal[signal, k.WINDOW0]))
        for signal, key in enumerate(keys)
        if plan.signal[signal, k.WINDOW1] == k.LIVE
    }
    links = compiled.network.links
    lane_data = {
        (link, index): LaneData(lane.length_m, lane.speed_mps, compiled.spacing_m)
        for link, index in compiled.lane_of
        for lane in (links[link].lanes[index],)
    }
    lanes: dict[int, dict[int, None]] = defaultdict(dict)
    for connection, row in zip(compiled.network.connections, compiled.arrays.conn, strict=True):
        lanes[int(row[k.SIGNAL])][compiled.lane_of[connection.from_link, connection.from_lane]] = None
    by_signal = [list(lanes.get(signal, ())) for signal in range(len(keys))]
    first = compiled.n_lane + compiled.n_gate
    return plan._replace(
        actuated=compile_actuated(
            [actuated[c] for c in compiled.heads_of if c in actuated],
            signal_of,
            compiled.lane_of,
            lane_data,
            begin_s=begin_s,
        ),
        owner=np.arange(first, first + len(actuated), dtype=np.int32),
        lane_start=np.cumsum([0, *map(len, by_signal)]).astype(np.int32),
        lane=np.array([lane for rows in by_signal for lane in rows], np.int32),
    )


def signal_windows(letters: Sequence[str], edges: Sequence[int]) -> list[tuple[int, int, int, int, int]]:
    """Rows (green from, to, yellow behind it, mode, fresh) of one link index, in ticks of cycle time.

    `letters` are those of the program's n intervals, `edges` their n + 1 begins and ends. [ticks]
    """
    starts = [n for n in range(len(letters)) if letters[n] != letters[n - 1]]
    if not starts:  # the same all the time
        return [(0, edges[-1], 0, _mode(letters[0]), 0)] if letters[0] in OPEN else []
    cycle, out = edges[-1], []
    for n, first in enumerate(starts):
        letter = letters[first]
        if letter not in OPEN:
            continue
        last = n + 1 == len(starts)
        behind = starts[0 if last else n + 1]
        until = edges[behind] + (cycle if last else 0)
        yellow = 0
        if letters[behind] in YELLOW:
            after = starts[(n + 2) % len(starts)]
            yellow = (edges[after] - edges[behind]) % cycle or cycle
        fresh = letters[first - 1] not in GREEN + "oO"
        out.append((edges[first], until, yellow, _mode(letter), int(fresh)))
    return out


def _mode(letter: str) -> int:
    return k.PROTECTED if letter == "G" else k.STOP_AND_GO if letter == "s" else k.PERMITTED


def mean_spacing_m(trips: Trips) -> float:
    """Mean length with gap of the cars among the vehicles. [m]"""
    cars = trips.length_m[trips.length_m < 10]
    return float(cars.mean()) if len(cars) else float(trips.length_m.mean()) if len(trips) else 6.5


def compile_trips(
    compiled: CompiledNetwork, trips: Trips, *, begin_s: float, seed: int, warmup_s: float = 0.0
) -> k.TripArrays:
    """Lay vehicles out for the kernel; drivers' desired speeds are drawn here.

    Raises
    ------
    DemandError
        Routes over links that are not connected.
    """
    steps = trips.route_link
    ends = np.zeros(len(steps), bool)
    ends[trips.route_start[1:] - 1] = True
    following = np.append(steps[1:], -1)
    following[ends] = -1
    key = steps.astype(np.int64) * (len(trips.links) + 1) + following + 1
    unique, inverse = np.unique(key, return_inverse=True)
    pairs, faults = _pair_indices(compiled, trips.links, unique)
    if faults:
        raise DemandError("trips", faults[:20])
    parameters = compiled.parameters
    rng = np.random.default_rng(seed)
    pace = 1 / np.clip(rng.normal(1.0, parameters.speed_spread, len(trips)), *SPEED_RANGE)
    vehicle = np.zeros((len(trips), k.N_VEHICLE), np.int32)
    vehicle[:, k.DEPART] = np.round((trips.depart_s - begin_s + warmup_s) * TICKS)
    vehicle[:, k.ROUTE0] = trips.route_start[:-1]
    vehicle[:, k.IS_BUS] = trips.kind
    vehicle[:, k.LENGTH] = np.round(trips.length_m * 10)
    vehicle[:, k.SLOTS] = np.maximum(1, np.round(trips.length_m / compiled.spacing_m))
    vehicle[:, k.DRIVER] = np.round(1024 * pace)
    vehicle[:, k.STANDING] = trips.standing if len(trips.standing) else 0
    vehicle[:, k.TRAITS] = k.pack(
        vehicle[:, k.DRIVER],
        vehicle[:, k.SLOTS],
        vehicle[:, k.LENGTH],
        vehicle[:, k.IS_BUS],
        (vehicle[:, k.DEPART] >= ticks(warmup_s)).astype(np.int32),
        vehicle[:, k.STANDING],
    )
    route = pairs[inverse]
    lanes = lanes_ahead(compiled, route, ends)
    first = trips.route_start[:-1]
    vehicle[:, k.GATE] = _gates(compiled, route[first], lanes[first], vehicle[:, k.IS_BUS])
    return k.TripArrays(
        vehicle=vehicle,
        route=route.astype(np.int32),
        dwell=np.round(trips.dwell_s * TICKS).astype(np.int32),
        lanes=lanes,
    )


def _gates(
    compiled: CompiledNetwork, route: NDArray[np.int64], lanes: NDArray[np.int32], bus: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Where vehicles wait to enter: with those who take the same lanes, and past those who wait for other ones.

    Of the lanes they may take the one furthest to the right names the gate: its first where there is no other, else
    its second.
    """
    table = compiled.arrays.pair
    ways, inverse = unique_rows(np.column_stack([route, lanes, bus]))
    gates = []
    for pair, ahead, is_bus in ways.tolist():
        rows = [row for row in table[pair : pair + table[pair, k.PAIR_N]] if row[k.PAIR_BUS] <= is_bus]
        far = [row for row in rows if ahead >> row[k.PAIR_BIT] & 1] or rows
        first = min(int(row[k.PAIR_LANE]) for row in far)
        gates.append(2 * first + int(len(far) > 1))
    return np.array(gates, np.int64)[inverse]


def _pair_indices(
    compiled: CompiledNetwork, links: tuple[str, ...], keys: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    faults, out = [], np.zeros(len(keys), np.int64)
    for n, key in enumerate(keys):
        here, there = divmod(int(key), len(links) + 1)
        names = (links[here], links[there - 1] if there else "")
        if names not in compiled.pair_of:
            faults.append(f"no way from link {names[0]!r} to {names[1]!r}; mend the route or the network's connections")
            continue
        out[n] = compiled.pair_of[names]
    return out, faults


def constants(
    parameters: SimParameters, *, spacing_m: float, length_s: float, warmup_s: float = 0.0
) -> NDArray[np.int32]:
    """The parameters as the kernel's row of constants, for a run of warmup_s + length_s; shape (N_CONST,)."""
    row = np.zeros(k.N_CONST, np.int32)
    row[k.REACTION] = ticks(parameters.reaction_headway_s)
    row[k.EARLY] = ticks(parameters.early_headway_s)
    row[k.N_EARLY] = parameters.n_early
    row[k.SECOND] = ticks(parameters.second_headway_s)
    row[k.FOLLOW_UP] = ticks(parameters.follow_up_s)
    row[k.STOP_ON_RED] = ticks(parameters.stop_on_red_s)
    row[k.ACCEL] = round(10 * parameters.accel_mps2)
    row[k.ENTRY_HEADWAY] = ticks(parameters.entry_headway_s)
    row[k.ENTRY_LOSS] = ticks(parameters.entry_loss_s)
    row[k.LANE_CHANGE] = parameters.lane_change_veh
    row[k.LANE_AHEAD] = round(parameters.lane_ahead_m / spacing_m)
    row[k.END] = ticks(length_s + warmup_s)
    row[k.COUNT_FROM] = ticks(warmup_s)
    row[k.MERGE] = ticks(parameters.merge_headway_s)
    row[k.IGNORE] = ticks(parameters.ignore_blocker_s)
    row[k.STUCK] = ticks(parameters.stuck_s)
    # a foe at speed v [dm/s] stops in v²/(2 b): at a share waited/impatience of the braking b it takes v/(2 b) × this
    row[k.IMPATIENCE] = round(ticks(parameters.impatience_s) / (2 * parameters.decel_mps2))
    row[k.CREEP] = round(10 * parameters.creep_mps)
    row[k.STUCK_VEH] = parameters.stuck_veh
    reached = [math.sqrt(2 * parameters.accel_mps2 * (1 + n * spacing_m)) for n in range(k.N_START)]
    row[k.REACHED0 : k.REACHED0 + k.N_START] = [round(10 * v) for v in reached]
    row[k.USE0 : k.USE0 + k.N_START] = [ticks(yellow_use_s(v, parameters)) for v in reached]
    return row


FAR_ROWS, FETCHED_TOGETHER = 65_536, 32
"""From so many lanes on (8 MiB) the state outgrows the cache; events fetched together there."""


def new_state(compiled: CompiledNetwork, plan: k.PlanArrays, n_veh: int, n_ticks: int) -> k.State:
    """Working memory for runs of this size; the lanes' static columns stand in it already."""
    n_row = compiled.n_lane + compiled.n_gate + len(plan.owner)
    n_live = int((plan.signal[:, k.WINDOW1] == k.LIVE).sum())
    lane, ring, signal, shown, following, bucket, veh = _tables(
        (n_row, k.N_LANE_STATE),
        (compiled.n_ring,),
        (len(plan.signal), k.N_SIGNAL_STATE),
        (len(plan.signal),),
        (n_row,),
        (n_ticks,),
        (n_veh, k.N_VEH_STATE),
    )
    lane[:, k.KEPT] = -1
    lane[: compiled.n_lane, k.KEPT] = compiled.arrays.lane[:, k.KEPT]
    return k.State(
        bucket=bucket,
        following=following,
        lane=lane,
        veh=veh,
        moved=np.empty((n_veh, 2), np.int32),
        ring=ring,
        signal=signal,
        shown=shown,
        live=np.zeros((2 * n_live, 5), np.int32),
        actuated=actuated_state(plan.actuated, n_past=n_live * (n_ticks // ticks(LEAST_PHASE_S) + 2)),
        soon=np.empty((FETCHED_TOGETHER if n_row >= FAR_ROWS else 0, k.N_SOON), np.int32),
    )


LINE, HUGE_PAGE, ADVISED = 64, 2 << 20, 4 << 20
"""Bytes of a line of the cache, of a huge page, and from which on numpy asks for huge pages."""


def _tables(*shapes: tuple[int, ...]) -> list[NDArray[np.int32]]:
    """Empty tables side by side in one block, each from the begin of a line of the cache on.

    Blocks that do not fit a few small pages lie in huge ones: the processor then finds every row's page at once.
    """
    ends = list(accumulate((-(-4 * math.prod(shape) // LINE) * LINE for shape in shapes), initial=0))
    huge = ends[-1] >= HUGE_PAGE // 2
    page = HUGE_PAGE if huge else LINE
    raw = np.empty(max(ends[-1] + page, ADVISED if huge else 0), np.uint8)
    first = -raw.ctypes.data % page
    return [
        raw[first + at : first + at + 4 * math.prod(shape)].view(np.int32).reshape(shape)
        for at, shape in zip(ends, shapes, strict=False)
    ]
