"""The queue simulation's kernel: single vehicles in lane queues, driven by events in integer time.

Times are ticks of 0.1 s (int32) from the begin of the run. A lane has at most one pending event: the time at which its
head next tries to leave. Events stand in a calendar (one list of lanes per tick), so each costs the same whatever the
size of the network. Behind the real lanes stand *waiting places* (one per connection that leads through one inside a
junction): a turning vehicle leaves its lane, waits there for a gap and goes on; they are lanes like the others, without
a signal. Behind those stand the *gates*, one per link, where vehicles wait to enter the network.

Records are rows of int32 tables; the names below are their columns. One lane's row fills one cache line.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

NEVER = 2_000_000_000

# lanes (static): index in its link; upstream end to stop line at the limit, and as driven; places; time of the backward
# wave over the lane; least headway on entering; delay above which a vehicle has stopped; first place in the ring;
# waiting place that keeps the lane's other turns from passing while somebody stands there
BIT, FREE, DRIVE, STORAGE, WAVE, SPACING, STOP, RING, BLOCKER = range(9)
# connections (static): time across the junction, from the waiting place on, lost by turning, lost before a minor
# approach; 1000 × ticks per dm of vehicle in the headway; speed on the junction [dm/s]; waiting place; signal; foes
# [FOE0, FOE1); lanes of the next link it leads to (bits); use of yellow that comes from its speed;
# gap it needs before the next foe
CROSS, PLACE_CROSS, LOSS, APPROACH, PACE, SPEED, PLACE, SIGNAL, FOE0, FOE1, TO_MASK, USE, CLEAR_GAP = range(13)
# rows of foes: where they come from, and how long one that passed is in the way
FOE_LANE, FOE_CONN, FOE_CLEAR = range(3)
# lanes that serve a pair of links
PAIR_LANE, PAIR_CONN, PAIR_BUS = range(3)
# signals, and their windows in cycle time: green, yellow behind it, mode, whether the signal was closed before
CYCLE, OFFSET, WINDOW0, WINDOW1 = range(4)
GREEN0, GREEN1, YELLOW, MODE, FRESH = range(5)
STOP_AND_GO, PERMITTED, PROTECTED = range(3)
# vehicles (given)
DEPART, ROUTE0, LINK, IS_BUS, LENGTH, SLOTS, DRIVER = range(7)
# lanes (changing): pending event; end and mode of the green it lies in; head waits for a gap; queue; free again;
# last arrival; last to leave, and how; green in which N_GREEN vehicles left; places taken so far; who waits for
# room; when the next may enter from a gate
EVENT, WINDOW_END, LETTER, YIELDING, HEAD, TAIL, COUNT, FREE_AT, LAST_ARRIVAL = range(9)
LAST_LEAVE, LAST_CONN, GREEN_FROM = range(9, 12)
N_GREEN, SLOT, WAITER, WAITER_NEXT, BLOCKED_FROM, BUCKET_NEXT, GATE_FREE = range(12, 19)
N_LANE_STATE = 19
# vehicles (changing): next in queue; when it left the place before; when it reaches the stop line; its connection; step
NEXT, ENTER, ARRIVAL, CONN, STEP, MY_SLOT = range(6)
N_VEH_STATE = 6
# totals
DELAY, STOPS, BLOCKED, DONE, ENTERED, GATE_DELAY = range(6)
N_TOTALS = 6
# log columns
LOG_VEH, LOG_LANE, LOG_CONN, LOG_ENTER, LOG_ARRIVAL, LOG_LEAVE, LOG_DELAY, LOG_STEP = range(8)
N_LOG = 8
# constants: ticks, but for N_EARLY and LANE_CHANGE [veh], ACCEL [dm/s²]; vehicles due from COUNT_FROM on count
REACTION, START_UP, SECOND, EARLY, N_EARLY, FOLLOW_UP, STOP_ON_RED, ACCEL = range(8)
ENTRY_HEADWAY, ENTRY_LOSS, LANE_CHANGE, END, COUNT_FROM = range(8, 13)
N_CONST = 13

# `_nrt` off: numba would count references to every array at every inlined call, with atomic instructions that took nine
# tenths of the time (measured: 350 against 80 ns per vehicle and link). The kernel allocates nothing, so none are needed.
FAST = {"cache": True, "nogil": True, "_nrt": False}


class NetworkArrays(NamedTuple):
    """The network: L lanes (waiting places at the end), C connections, P link pairs, K links (gates)."""

    lane: np.ndarray  # (L, 9) int32
    conn: np.ndarray  # (C, 13) int32
    foe: np.ndarray  # (F, 3) int32
    pair_start: np.ndarray  # (P + 1,) int32
    pair: np.ndarray  # (Q, 3) int32


class PlanArrays(NamedTuple):
    """A plan: S signals and their windows."""

    signal: np.ndarray  # (S, 4) int32
    window: np.ndarray  # (W, 5) int32


class TripArrays(NamedTuple):
    """V vehicles in order of departure; R steps: the link pairs of their routes, the last one ends the trip."""

    vehicle: np.ndarray  # (V, 7) int32
    route: np.ndarray  # (R,) int32
    dwell: np.ndarray  # (R,) or (0,) int32, stop on the link of the step [ticks]


class State(NamedTuple):
    """What changes while a simulation runs; reused between runs of the same size."""

    bucket: np.ndarray  # (T,) int32, first lane with an event at that tick
    lane: np.ndarray  # (L + K, N_LANE_STATE) int32
    veh: np.ndarray  # (V, N_VEH_STATE) int32
    ring: np.ndarray  # (places,) int32, when each place was left


@njit(inline="always", **FAST)
def _push(ls, bucket, lane, t):
    """Give a lane its event; beyond the end it is only noted."""
    ls[lane, EVENT] = t
    if t < bucket.shape[0]:
        ls[lane, BUCKET_NEXT] = bucket[t]
        bucket[t] = lane


@njit(inline="always", **FAST)
def _signal_time(signals, windows, signal, t, arrival, start_up, use, ls, lane):
    """Earliest time from t on at which a vehicle may pass the signal; notes the window in the lane's row.

    A vehicle that stood when green came needs the start-up time; it may pass up to `use` into yellow.
    """
    cycle = signals[signal, CYCLE]
    base = t - (t - signals[signal, OFFSET]) % cycle  # start of the running cycle
    best, best_end, best_mode, best_from = NEVER, NEVER, 0, 0
    for lap in range(-1, 3):
        for w in range(signals[signal, WINDOW0], signals[signal, WINDOW1]):
            green = base + lap * cycle + windows[w, GREEN0]
            end = base + lap * cycle + windows[w, GREEN1] + min(windows[w, YELLOW], use)
            if end < t:
                continue
            go = max(t, green)
            if windows[w, FRESH] and arrival < green + start_up and go < green + start_up:
                go = green + start_up
            if go <= end and go < best:
                best, best_end, best_mode, best_from = go, end, windows[w, MODE], green
        if best < NEVER:
            break
    ls[lane, WINDOW_END] = best_end
    ls[lane, LETTER] = best_mode
    if ls[lane, GREEN_FROM] != best_from:
        ls[lane, GREEN_FROM] = best_from
        ls[lane, N_GREEN] = 0
    return best


@njit(inline="always", **FAST)
def _reached(accel_dmps2, k, length_dm, speed_dmps):
    """Speed of the k-th queued vehicle (from 0) as it passes the stop line. [dm/s]"""
    return min(speed_dmps, int(np.sqrt(2.0 * accel_dmps2 * (10 + k * length_dm))))


@njit(inline="always", **FAST)
def _start_loss(accel_dmps2, k, length_dm, speed_dmps):
    """What the k-th queued vehicle still loses by accelerating once it passed the stop line. [ticks]"""
    missing = speed_dmps - _reached(accel_dmps2, k, length_dm, speed_dmps)
    return 10 * missing * missing // (2 * accel_dmps2 * max(speed_dmps, 1))  # (v − v0)²/(2 a v)


@njit(inline="always", **FAST)
def _schedule(conns, signals, windows, const, ls, vs, bucket, lane, now):
    """Set the next event of a lane's head: when it has arrived, the lane is free and its signal lets it pass."""
    veh = ls[lane, HEAD]
    if veh < 0:
        ls[lane, EVENT] = NEVER
        return
    conn, arrival = vs[veh, CONN], vs[veh, ARRIVAL]
    t = max(now, arrival, ls[lane, FREE_AT])
    ls[lane, WINDOW_END] = NEVER
    ls[lane, LETTER] = PERMITTED
    if conn >= 0 and conns[conn, PLACE] != lane:
        signal = conns[conn, SIGNAL]
        if signal >= 0:
            t = _signal_time(signals, windows, signal, t, arrival, const[START_UP], conns[conn, USE], ls, lane)
            if ls[lane, LETTER] == STOP_AND_GO:
                t = max(t, arrival + const[STOP_ON_RED])
        else:
            t = max(t, arrival + conns[conn, APPROACH])
    _push(ls, bucket, lane, t)


@njit(inline="always", **FAST)
def _foe_ahead(conns, foes, ls, vs, conn, t, extra):
    """When the first foe that leaves no gap (and `extra` ticks) has passed; NEVER when the way is clear."""
    gap = conns[conn, CLEAR_GAP] + extra
    for f in range(conns[conn, FOE0], conns[conn, FOE1]):
        foe, lane = foes[f, FOE_CONN], foes[f, FOE_LANE]
        clear = foes[f, FOE_CLEAR]
        if ls[lane, LAST_CONN] == foe and ls[lane, LAST_LEAVE] + clear > t:
            return ls[lane, LAST_LEAVE] + clear
        p = ls[lane, EVENT]
        if p > t + gap or ls[lane, YIELDING]:
            continue
        veh = ls[lane, HEAD]
        n = 0
        while veh >= 0 and n < 4:
            if n > 0:
                p = max(p + 20, vs[veh, ARRIVAL])
            if p > t + gap or p > ls[lane, WINDOW_END]:
                break
            if vs[veh, CONN] == foe:
                return max(p, t) + clear
            veh = vs[veh, NEXT]
            n += 1
    return NEVER


@njit(inline="always", **FAST)
def _room_at(lanes, ls, ring, lane, slots):
    """From when on the lane has room for `slots` more places: NEVER while the vehicle n − storage is still there."""
    storage = lanes[lane, STORAGE]
    slot = ls[lane, SLOT] + min(slots, storage) - 1
    if slot < storage:
        return -NEVER
    left = ring[lanes[lane, RING] + slot % storage]
    return NEVER if left >= NEVER else left + lanes[lane, WAVE]


@njit(inline="always", **FAST)
def _choose_lane(lanes, pair_start, pairs, lane_change, ls, ring, pair, bus, slots, mask, now):
    """Row of the pair table whose lane holds fewest vehicles, lane changes and full lanes counted."""
    best, best_cost = pair_start[pair], NEVER
    for q in range(pair_start[pair], pair_start[pair + 1]):
        if pairs[q, PAIR_BUS] > bus:
            continue
        lane = pairs[q, PAIR_LANE]
        cost = ls[lane, COUNT]
        if not (mask >> lanes[lane, BIT]) & 1:
            cost += lane_change
        if _room_at(lanes, ls, ring, lane, slots) >= NEVER:
            cost += 10_000
        if mask == -1 and ls[lane, GATE_FREE] > now:
            cost += 2
        if cost < best_cost:
            best, best_cost = q, cost
    return best


@njit(inline="always", **FAST)
def _wait_for_room(ls, lane, target, now):
    """Let a lane's head wait until a vehicle leaves the target lane."""
    ls[lane, EVENT] = NEVER
    ls[lane, WAITER_NEXT] = ls[target, WAITER]
    ls[target, WAITER] = lane
    if ls[lane, BLOCKED_FROM] < 0:
        ls[lane, BLOCKED_FROM] = now


@njit(inline="always", **FAST)
def _append(lanes, vehicles, ls, vs, ring, veh, lane, conn, enter, arrival):
    """Put a vehicle at the end of a lane's queue; True when it is the head."""
    arrival = max(arrival, ls[lane, LAST_ARRIVAL] + lanes[lane, SPACING])
    ls[lane, LAST_ARRIVAL] = arrival
    vs[veh, ENTER] = enter
    vs[veh, ARRIVAL] = arrival
    vs[veh, CONN] = conn
    vs[veh, NEXT] = -1
    slot, storage = ls[lane, SLOT], lanes[lane, STORAGE]
    vs[veh, MY_SLOT] = slot
    slots = min(vehicles[veh, SLOTS], storage)
    for place in range(slot, slot + slots):
        ring[lanes[lane, RING] + place % storage] = NEVER
    ls[lane, SLOT] = slot + slots
    ls[lane, COUNT] += 1
    first = ls[lane, HEAD] < 0
    if first:
        ls[lane, HEAD] = veh
    else:
        vs[ls[lane, TAIL], NEXT] = veh
    ls[lane, TAIL] = veh
    return first


@njit(inline="always", **FAST)
def _remove_head(lanes, vehicles, ls, vs, ring, bucket, lane, now):
    """Take the head off a lane and wake those who wait for its place."""
    veh = ls[lane, HEAD]
    ls[lane, HEAD] = vs[veh, NEXT]
    ls[lane, COUNT] -= 1
    storage, slot = lanes[lane, STORAGE], vs[veh, MY_SLOT]
    for place in range(slot, slot + min(vehicles[veh, SLOTS], storage)):
        ring[lanes[lane, RING] + place % storage] = now
    waiting = ls[lane, WAITER]
    ls[lane, WAITER] = -1
    while waiting >= 0:
        following = ls[waiting, WAITER_NEXT]
        _push(ls, bucket, waiting, now + max(1, lanes[lane, WAVE]))
        waiting = following


@njit(inline="always", **FAST)
def _account(lanes, vehicles, vs, count_from, totals, log, n_log, veh, lane, leave, lost):
    """Book the delay that a vehicle met on a lane it leaves (or stands on at the end)."""
    delay = leave + lost - vs[veh, ENTER] - lanes[lane, FREE]
    if vehicles[veh, DEPART] >= count_from:
        totals[DELAY] += delay
        if delay > lanes[lane, STOP]:
            totals[STOPS] += 1
    if log.shape[0]:
        n = n_log[0]
        n_log[0] = n + 1
        log[n, LOG_VEH] = veh
        log[n, LOG_LANE] = lane
        log[n, LOG_CONN] = vs[veh, CONN]
        log[n, LOG_ENTER] = vs[veh, ENTER]
        log[n, LOG_ARRIVAL] = vs[veh, ARRIVAL]
        log[n, LOG_LEAVE] = leave
        log[n, LOG_DELAY] = delay
        log[n, LOG_STEP] = vs[veh, STEP]


@njit(**FAST)
def run(
    lanes, conns, foes, pair_start, pairs, signals, windows, vehicles, route, dwell, const,
    bucket, ls, vs, ring, totals, log, n_log,
):  # fmt: skip
    """Simulate [0, end) from an empty network; fills totals (N_TOTALS,) int64 and, where it has rows, the log."""
    _reset(bucket, ls)
    totals[:] = 0
    n_log[0] = 0
    n_lane, n_veh = lanes.shape[0], vehicles.shape[0]
    due = 0
    for now in range(const[END]):
        while due < n_veh and vehicles[due, DEPART] <= now:
            gate = n_lane + vehicles[due, LINK]
            vs[due, NEXT] = -1
            vs[due, STEP] = vehicles[due, ROUTE0]
            ls[gate, COUNT] += 1
            if ls[gate, HEAD] < 0:
                ls[gate, HEAD] = due
                _push(ls, bucket, gate, now)
            else:
                vs[ls[gate, TAIL], NEXT] = due
            ls[gate, TAIL] = due
            due += 1
        while bucket[now] >= 0:
            lane = bucket[now]
            bucket[now] = ls[lane, BUCKET_NEXT]
            veh = ls[lane, HEAD]
            slots = vehicles[veh, SLOTS]
            step = vs[veh, STEP]
            at_gate = lane >= n_lane
            conn, place, inside, must_yield, stop_inside, mask = -1, -1, False, False, False, -1
            if not at_gate:
                conn = vs[veh, CONN]
                if conn < 0:  # the trip ends here
                    _account(lanes, vehicles, vs, const[COUNT_FROM], totals, log, n_log, veh, lane, now, 0)
                    _remove_head(lanes, vehicles, ls, vs, ring, bucket, lane, now)
                    totals[DONE] += 1
                    _schedule(conns, signals, windows, const, ls, vs, bucket, lane, now)
                    continue
                if now > ls[lane, WINDOW_END]:  # woken too late for its green
                    _schedule(conns, signals, windows, const, ls, vs, bucket, lane, now)
                    continue
                place = conns[conn, PLACE]
                inside = place == lane
                must_yield = conns[conn, FOE1] > conns[conn, FOE0] and (inside or ls[lane, LETTER] < PROTECTED)
                queue_inside = place >= 0 and not inside and ls[place, COUNT] > 0
                if must_yield and not queue_inside:
                    extra = 0 if inside or place < 0 else lanes[place, FREE] + const[REACTION]
                    clear = _foe_ahead(conns, foes, ls, vs, conn, now, extra)
                    if clear < NEVER and (inside or place < 0):
                        ls[lane, YIELDING] = 1
                        _schedule(conns, signals, windows, const, ls, vs, bucket, lane, clear)
                        continue
                    stop_inside = clear < NEVER
                stop_inside = stop_inside or queue_inside
                ls[lane, YIELDING] = 0
                mask = conns[conn, TO_MASK]
                blocker = lanes[lane, BLOCKER]
                if blocker >= 0 and ls[blocker, COUNT] > 0 and place != blocker:
                    _wait_for_room(ls, lane, blocker, now)
                    continue
            # where to: the waiting place inside the junction, or the lane of the next link with fewest vehicles
            if stop_inside:
                target, next_conn = place, conn
            else:
                if not at_gate:
                    step += 1
                q = _choose_lane(
                    lanes, pair_start, pairs, const[LANE_CHANGE], ls, ring, route[step], vehicles[veh, IS_BUS], slots,
                    mask, now
                )  # fmt: skip
                target, next_conn = pairs[q, PAIR_LANE], pairs[q, PAIR_CONN]
            room = _room_at(lanes, ls, ring, target, slots)
            if at_gate:
                room = max(room, ls[target, GATE_FREE])
            if room >= NEVER:
                _wait_for_room(ls, lane, target, now)
                continue
            if room > now:
                if ls[lane, BLOCKED_FROM] < 0:
                    ls[lane, BLOCKED_FROM] = now
                if at_gate:
                    _push(ls, bucket, lane, room)
                else:
                    _schedule(conns, signals, windows, const, ls, vs, bucket, lane, room)
                continue
            # it goes
            lost, cross = 0, 0
            if at_gate:
                lost = const[ENTRY_LOSS]
                depart = vehicles[veh, DEPART]
                if depart >= const[COUNT_FROM]:
                    totals[DELAY] += now - depart + lost
                    totals[GATE_DELAY] += now - depart
                totals[ENTERED] += 1
                ls[lane, HEAD] = vs[veh, NEXT]
                ls[lane, COUNT] -= 1
                ls[target, GATE_FREE] = now + const[ENTRY_HEADWAY]
                following = ls[lane, HEAD]
                if following >= 0:
                    _push(ls, bucket, lane, max(now, vehicles[following, DEPART]))
                else:
                    ls[lane, EVENT] = NEVER
            else:
                if ls[lane, BLOCKED_FROM] >= 0:
                    totals[BLOCKED] += max(0, now - max(ls[lane, BLOCKED_FROM], const[COUNT_FROM]))
                headway = const[REACTION] + (vehicles[veh, LENGTH] * conns[conn, PACE] + 500) // 1000
                if must_yield and not stop_inside:
                    headway = max(const[FOLLOW_UP], headway)
                elif conns[conn, SIGNAL] >= 0 and now > vs[veh, ARRIVAL] + 5:
                    k = ls[lane, N_GREEN]
                    if k < 8:
                        lost = _start_loss(const[ACCEL], k, vehicles[veh, LENGTH], conns[conn, SPEED])
                    if k < const[N_EARLY]:
                        headway = max(headway, const[EARLY] if k > 0 else const[SECOND])
                    ls[lane, N_GREEN] = k + 1
                if not stop_inside:
                    lost += conns[conn, LOSS]
                    cross = conns[conn, PLACE_CROSS] if inside else conns[conn, CROSS]
                ls[lane, FREE_AT] = now + headway
                ls[lane, LAST_LEAVE] = now
                ls[lane, LAST_CONN] = conn
                _account(lanes, vehicles, vs, const[COUNT_FROM], totals, log, n_log, veh, lane, now, lost)
                _remove_head(lanes, vehicles, ls, vs, ring, bucket, lane, now)
            ls[lane, BLOCKED_FROM] = -1
            vs[veh, STEP] = step
            enter = now + lost + cross
            arrival = enter + (lanes[target, DRIVE] * vehicles[veh, DRIVER] >> 10)
            if dwell.shape[0] and not stop_inside:
                arrival += dwell[step]
            if _append(lanes, vehicles, ls, vs, ring, veh, target, next_conn, enter, arrival):
                _schedule(conns, signals, windows, const, ls, vs, bucket, target, now)
            if not at_gate:
                _schedule(conns, signals, windows, const, ls, vs, bucket, lane, now)
    _close(lanes, vehicles, ls, vs, const, totals, log, n_log)


@njit(**FAST)
def _reset(bucket, ls):
    bucket[:] = -1
    for lane in range(ls.shape[0]):
        for field in range(N_LANE_STATE):
            ls[lane, field] = 0
        ls[lane, EVENT] = NEVER
        ls[lane, WINDOW_END] = NEVER
        ls[lane, HEAD] = -1
        ls[lane, FREE_AT] = -NEVER
        ls[lane, GATE_FREE] = -NEVER
        ls[lane, LAST_ARRIVAL] = -NEVER
        ls[lane, LAST_LEAVE] = -NEVER
        ls[lane, LAST_CONN] = -1
        ls[lane, GREEN_FROM] = -NEVER
        ls[lane, WAITER] = -1
        ls[lane, BLOCKED_FROM] = -1


@njit(**FAST)
def _close(lanes, vehicles, ls, vs, const, totals, log, n_log):
    """Book what those still on the way have lost by the end."""
    n_lane, end = lanes.shape[0], const[END]
    for lane in range(n_lane):
        if ls[lane, BLOCKED_FROM] >= 0:
            totals[BLOCKED] += end - max(ls[lane, BLOCKED_FROM], const[COUNT_FROM])
        veh = ls[lane, HEAD]
        while veh >= 0:
            if end > vs[veh, ENTER] + lanes[lane, FREE]:
                _account(lanes, vehicles, vs, const[COUNT_FROM], totals, log, n_log, veh, lane, end, 0)
            veh = vs[veh, NEXT]
    for gate in range(n_lane, ls.shape[0]):
        veh = ls[gate, HEAD]
        while veh >= 0:
            if vehicles[veh, DEPART] >= const[COUNT_FROM]:
                totals[DELAY] += end - vehicles[veh, DEPART]
                totals[GATE_DELAY] += end - vehicles[veh, DEPART]
            veh = vs[veh, NEXT]
