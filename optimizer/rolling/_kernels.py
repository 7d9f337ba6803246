# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Kernels of the rolling optimizer: routes of the vehicles to come, and whose delay a simulated run is."""

from __future__ import annotations

import numpy as np
from numba import njit

from sim import _tables as k

FAST = {"cache": True, "nogil": True}
GOLDEN, MIX_A, MIX_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
FAR_M = 1e9
"""Longer than any way. [m]"""


@njit(inline="always", **FAST)
def _uniform(key, n):
    """Number n of the stream `key`, in [0, 1) (Steele, Lea and Flood's SplitMix64)."""
    z = key + np.uint64(n + 1) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * MIX_A
    z = (z ^ (z >> np.uint64(27))) * MIX_B
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@njit(**FAST)
def walk(start_link, first_choice, depart_s, key, first, target, cumulative, pair, time_s, end_s, route_start, route):
    """Follow vehicles by turning shares until they end or the time is up.

    first (K + 1,), target, cumulative, pair (C,): the choices at the end of each link; the last of each ends the trip
    there. Fills route_start (V + 1,) and route with first rows of pairs; returns how many, or -1 where the room is too
    small.
    """
    n = 0
    for v in range(len(start_link)):
        route_start[v] = n
        link, t, chosen = start_link[v], depart_s[v], first_choice[v]
        stream = key[v]
        step = 0
        while True:
            if n >= len(route):
                return -1
            last = first[link + 1] - 1
            if step > 0 or chosen < 0:
                u = _uniform(stream, step)
                chosen = first[link]
                while chosen < last and u > cumulative[chosen]:
                    chosen += 1
                t += time_s[link]
                if t >= end_s:  # it cannot get to the end of this link in time
                    chosen = last
            step += 1
            route[n] = pair[chosen]
            n += 1
            if target[chosen] < 0:
                break
            link = target[chosen]
    route_start[len(start_link)] = n
    return n


@njit(**FAST)
def _reach(table, to_mask, length_m, way, beyond, n_beyond, bits, far):
    """How far the way goes on behind each lane that serves pair way[0]: fills bits and far, returns how many."""
    n = table[way[0], k.PAIR_N]
    for i in range(n):
        row = way[0] + i
        bits[i] = table[row, k.PAIR_BIT]
        if way[1] < 0:
            far[i] = FAR_M
            continue
        mask = to_mask[table[row, k.PAIR_CONN]]
        most = 0.0
        for j in range(n_beyond):
            if mask >> np.int64(beyond[0, j]) & 1:
                most = max(most, beyond[1, j])
        far[i] = length_m[table[way[1], k.PAIR_LANE]] + most
    return n


@njit(**FAST)
def lanes_and_gates(table, to_mask, length_m, ahead_m, links_ahead, route_start, route, lanes, gate):
    """Per step the lanes from which the way goes on far enough (bits), per vehicle the gate it enters by.

    The rules of `sim.lanes_ahead` and of the gates in `sim.compile`, for cars. length_m: of each lane's link; drivers
    look ahead_m far, over links_ahead links at most.
    """
    bits, far, beyond = np.empty(32, np.int64), np.empty(32), np.empty((2, 32))
    way = np.empty(2, np.int64)
    for v in range(len(route_start) - 1):
        begin, end = route_start[v], route_start[v + 1]
        for i in range(begin, end):
            depth, seen_m = 1, 0.0
            while depth <= links_ahead and i + depth < end and seen_m < ahead_m:
                seen_m += length_m[table[route[i + depth], k.PAIR_LANE]]
                depth += 1
            n_beyond = 0
            for back in range(depth - 1, -1, -1):
                way[0] = route[i + back]
                way[1] = route[i + back + 1] if back + 1 < depth else -1
                n = _reach(table, to_mask, length_m, way, beyond, n_beyond, bits, far)
                for j in range(n):
                    beyond[0, j], beyond[1, j] = bits[j], far[j]
                n_beyond = n
            most = 0.0
            for j in range(n_beyond):
                most = max(most, far[j])
            enough = min(most, ahead_m)
            mask = 0
            for j in range(n_beyond):
                if far[j] >= enough:
                    mask |= 1 << bits[j]
            lanes[i] = mask
        gate[v] = _gate(table, route[begin], lanes[begin])


@njit(inline="always", **FAST)
def _gate(table, pair, ahead):
    """The gate of those who turn to `pair` and take the lanes `ahead`."""
    n, least, least_any, n_any = 0, np.int64(k.NEVER), np.int64(k.NEVER), 0
    for row in range(pair, pair + table[pair, k.PAIR_N]):
        if table[row, k.PAIR_BUS] > 0:
            continue
        lane = np.int64(table[row, k.PAIR_LANE])
        least_any, n_any = min(least_any, lane), n_any + 1
        if ahead >> table[row, k.PAIR_BIT] & 1:
            least, n = min(least, lane), n + 1
    if n > 0:
        return 2 * least + (1 if n > 1 else 0)
    return 2 * least_any + (1 if n_any > 1 else 0)


@njit(**FAST)
def tally(
    log, n_log, lane_state, veh_state, vehicle, n_real, owner, stop_ticks, begin, end, stop_cost, cost
):  # fmt: skip
    """Whose delay from tick `begin` to `end` of a run it is: fills cost (owners,), `stop_cost` ticks for each stop.

    owner (lanes,): number that a lane's delay belongs to; what waits outside belongs to the lane of its gate. The first
    n_real lanes are on the road, the others waiting places inside junctions.
    """
    cost[:] = 0.0
    for n in range(n_log):
        lane, veh, leave = log[n, k.LOG_LANE], log[n, k.LOG_VEH], log[n, k.LOG_LEAVE]
        if leave > begin:
            delay = log[n, k.LOG_DELAY]
            cost[owner[lane]] += min(delay, leave - begin)
            if delay > stop_ticks[lane]:
                cost[owner[lane]] += stop_cost
        if lane < n_real and log[n, k.LOG_STEP] == vehicle[veh, k.ROUTE0] and vehicle[veh, k.STANDING] == 0:
            enter = log[n, k.LOG_ENTER]
            if enter > begin:
                cost[owner[lane]] += max(0, enter - max(begin, vehicle[veh, k.DEPART]))
    n_lane = len(owner)
    for gate in range(n_lane, n_lane + 2 * n_real):
        lane = (gate - n_lane) // 2
        veh = lane_state[gate, k.HEAD]
        while veh >= 0:
            cost[owner[lane]] += end - max(begin, vehicle[veh, k.DEPART])
            veh = veh_state[veh, k.NEXT]


@njit(**FAST)
def standing_now(signal, window, of_choice, flow_vps, room_vps, now_tick, standing):
    """What stands at this moment because of where each signal is in its cycle; fills standing (C,). [veh]

    Flow that came since the last green ended, less what has left since the running one began. of_choice (C,): signal or
    -1; room_vps (C,): what it can let go.
    """
    for c in range(len(of_choice)):
        standing[c] = 0.0
        s = of_choice[c]
        if s < 0 or flow_vps[c] <= 0:
            continue
        cycle = signal[s, k.CYCLE]
        now = (now_tick - signal[s, k.BASE]) % cycle
        red, green = cycle, 0
        for w in range(signal[s, k.WINDOW0], signal[s, k.WINDOW1]):
            begin, end = window[w, k.GREEN0], window[w, k.GREEN1]
            length = end - begin
            since = (now - begin) % cycle
            if since < length:
                red, green = 0, since
                before = cycle
                for other in range(signal[s, k.WINDOW0], signal[s, k.WINDOW1]):
                    before = min(before, (begin - window[other, k.GREEN1]) % cycle)
                standing[c] = max(0.0, (flow_vps[c] * (before + since) - room_vps[c] * since) / 10.0)
                break
            red = min(red, since - length)
        if red > 0 and green == 0:
            standing[c] = flow_vps[c] * red / 10.0
