# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Kernels that turn programs into what each movement can serve, second by second.

The head of a lane's queue is a vehicle of one of the lane's turns; who comes next is drawn by the turns' shares. While
some turns are closed, open ones leave until the head is a closed one. `fill_levels` follows the probability of each
turn being at the head: the lane serves a turn at its own rate times that probability.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FULL = 250
"""Level of a movement whose lanes all discharge at saturation; levels are uint8."""
GAP_POWER = 16
"""The filters' kernels square four times."""
SETTLE_CYCLES = 2
"""Cycles from full queues on, before the one that counts."""
SPLIT_SWEEPS = 8
LEAST_OPEN_S = 0.5
"""Seconds of green that a turn is taken to have where it has none: then it fills its lanes evenly."""
CLOSED, YELLOW, STOP_AND_GO, PERMITTED, PROTECTED = range(5)


@njit(cache=True, nogil=True)
def _add_window(row, start_s, end_s, amount):
    """Add `amount` for the seconds from start to end, around the cycle, whole seconds and parts of them."""
    n = row.shape[0]
    t = start_s
    while t < end_s - 1e-9:
        following = min(end_s, np.floor(t + 1e-9) + 1.0)
        row[int(np.floor(t + 1e-9)) % n] += (following - t) * amount
        t = following


@njit(cache=True, nogil=True)
def _open_turn(kind, duration_s, loss_s, use_s, headway_s, yields, places, stop_s, free, permitted):
    """Seconds in which one turn may go, freely and giving way; fills the rows free and permitted (C,)."""
    n = kind.shape[0]
    t = 0.0
    for i in range(n):
        end_s = t + duration_s[i]
        if kind[i] >= STOP_AND_GO:
            start_s = t + (loss_s if kind[i - 1] <= YELLOW else 0.0)
            yellow_s = 0.0
            j = (i + 1) % n
            while kind[j] == YELLOW and j != i:
                yellow_s += duration_s[j]
                j = (j + 1) % n
            last_s = end_s + min(yellow_s, use_s)
            amount = headway_s / (headway_s + stop_s) if kind[i] == STOP_AND_GO else 1.0
            giving_way = yields and kind[i] != PROTECTED
            _add_window(permitted if giving_way else free, start_s, last_s, amount)
            if giving_way and kind[i] == PERMITTED and kind[(i + 1) % n] <= YELLOW:
                _add_window(free, last_s, last_s + places * headway_s, 1.0)  # those who wait inside the junction go
        t = end_s


@njit(cache=True, nogil=True)
def _alike(free):
    """Whether all turns of a lane may go at the same times."""
    for m in range(1, free.shape[0]):
        for t in range(free.shape[1]):
            if free[m, t] != free[0, t]:
                return False
    return True


@njit(cache=True, nogil=True)
def _gaps(kinds, duration_s, foe_head, foe_vps, foe_most_vps, share_s, gap_s, free, share):
    """What is left of a permitted turn's flow, second by second, by the mean flow of those it gives way to.

    Those come while they may go, all of a cycle's vehicles then, at most at saturation. free (C,) is working memory,
    share_s what is left with nobody against it; fills share (C,). [-]
    """
    n = share.shape[0]
    share[:] = 0.0
    for f in range(foe_head.shape[0]):
        if foe_head[f] < 0:
            share += foe_vps[f]
            continue
        free[:] = 0.0
        t = 0.0
        for i in range(kinds.shape[1]):
            if kinds[foe_head[f], i] >= STOP_AND_GO:
                _add_window(free, t, t + duration_s[i], 1.0)
            t += duration_s[i]
        going_s = free.sum()
        if going_s > 0:
            share += free * min(foe_vps[f] * n / going_s, foe_most_vps[f])
    for t in range(n):
        x = max(0.0, 1.0 - gap_s * share[t])
        share[t] = share_s * x**GAP_POWER


@njit(cache=True, nogil=True)
def _split(turn_lane, mv_start, mv_turn, mv_flow, cost_s, load, use):
    """Spread movements over their lanes so that these are loaded alike; changes use (turns,). [veh/s]

    cost_s (turns,): green that one vehicle takes, over the share of time that is green; load is working memory.
    """
    load[:] = 0.0
    for k in range(use.shape[0]):
        load[turn_lane[k]] += use[k] * cost_s[k]
    for _ in range(SPLIT_SWEEPS):
        for m in range(mv_flow.shape[0]):
            first, last = mv_start[m], mv_start[m + 1]
            if last - first < 2:
                continue
            for e in range(first, last):
                load[turn_lane[mv_turn[e]]] -= use[mv_turn[e]] * cost_s[mv_turn[e]]
            top = _level(turn_lane, mv_turn[first:last], mv_flow[m], cost_s, load)
            for e in range(first, last):
                k = mv_turn[e]
                use[k] = max(0.0, top - load[turn_lane[k]]) / cost_s[k]
                load[turn_lane[k]] += use[k] * cost_s[k]


@njit(cache=True, nogil=True)
def _level(turn_lane, turns, flow_vps, cost_s, load):
    """The load of all lanes that a flow fills, least loaded ones first."""
    top = np.inf
    while True:
        filled, per = flow_vps, 0.0
        for k in turns:
            if load[turn_lane[k]] < top:
                filled += load[turn_lane[k]] / cost_s[k]
                per += 1 / cost_s[k]
        lower = filled / per
        if lower >= top:
            return top
        top = lower


@njit(cache=True, nogil=True)
def _mix(free, permitted, weight, headway_s, aside, gaps, head, inside, cap_free, cap_permitted):
    """Capacity of each turn of one lane over the cycle; fills cap_free and cap_permitted (turns, C). [veh/s]

    head and inside (turns,): who is at the head [-], and who waits aside [veh].
    """
    n_turn, n = free.shape
    for m in range(n_turn):
        head[m], inside[m] = weight[m], 0.0
        for t in range(n):
            free[m, t] = min(1.0, free[m, t])
            permitted[m, t] = min(1.0, permitted[m, t])
    laps = 1 if n_turn == 1 or (permitted.max() == 0.0 and _alike(free)) else SETTLE_CYCLES + 1
    for _ in range(laps):
        for t in range(n):
            leaving = 0.0
            for m in range(n_turn):
                leaving += (
                    head[m] * _leaves(free[m, t], permitted[m, t], gaps[m, t], inside[m], aside[m]) / headway_s[m]
                )
            for m in range(n_turn):
                ready = min(1.0, head[m] + inside[m])
                cap_free[m, t] = ready * free[m, t] / headway_s[m]
                cap_permitted[m, t] = ready * permitted[m, t] / headway_s[m]
                out = head[m] * _leaves(free[m, t], permitted[m, t], gaps[m, t], inside[m], aside[m]) / headway_s[m]
                if aside[m] > 0:
                    gone = cap_free[m, t] + cap_permitted[m, t] * gaps[m, t]
                    inside[m] = min(aside[m], max(0.0, inside[m] + out - gone))
                head[m] += weight[m] * leaving - out


@njit(cache=True, nogil=True)
def _leaves(free, permitted, gaps, inside, aside):
    """How fast a turn leaves the head of its lane, over saturation: into a gap, or aside. [-]"""
    room = max(0.0, 1.0 - inside / aside) if aside > 0 else 0.0
    return free + permitted * max(gaps, room)


@njit(cache=True, nogil=True)
def _quantize(capacity_vps, most_vps, level):
    """Capacities as levels; what rounding leaves over is carried to the next second. Fills level (C,) uint8."""
    rest = 0.0
    for t in range(capacity_vps.shape[0]):
        wanted = capacity_vps[t] / most_vps * FULL + rest
        rounded = min(255, int(wanted + 0.5))
        level[t] = rounded
        rest = wanted - rounded if rounded < 255 else 0.0


@njit(cache=True, nogil=True)
def fill_levels(
    kinds, duration_s, lane_start, turn_lane, turn_head, turn_row, turn_values, mv_start, mv_turn, mv_flow, foe_start,
    foe_head, foe_vps, foe_most_vps, gap_s, row_most_vps, scratch, head, capacity, level,
):  # fmt: skip
    """Levels of all movements of one controller (or of none) over one cycle of C seconds.

    kinds (heads, N) int8 and duration_s (N,): the program; lane_start (lanes + 1,): turns of each lane; turn_head and
    turn_row (turns,): link index (−1 always open) and row in `level`, the row behind it is for giving way;
    turn_values (turns, 9): flow to begin with, headway_s, what is left of its flow if it gives way to nobody [-], start
    loss, use of yellow, yields, places, seconds of a stop, places aside; foe_start (turns + 1,): those it gives way to,
    with their link index, mean flow and saturation flow; mv_start (movements + 1,), mv_turn: the turns of each
    movement, and its flow. Fills level (C, rows) uint8; scratch (6, turns, C), head (6, turns) and capacity (rows, C)
    are working memory.
    """
    capacity[:] = 0.0
    scratch[:] = 0.0
    n_turn, n = turn_head.shape[0], capacity.shape[1]
    use, cost_s, headway = head[2], head[3], head[4]
    for k in range(n_turn):
        use[k], headway[k], giving, loss_s, use_s, yields, places, stop_s, _ = turn_values[k]
        if turn_head[k] < 0:
            scratch[1 if yields > 0 else 0, k, :] = 1.0
        else:
            _open_turn(
                kinds[turn_head[k]], duration_s, loss_s, use_s, headway[k], yields > 0, places, stop_s,
                scratch[0, k], scratch[1, k],
            )  # fmt: skip
        if yields > 0:
            foes = slice(foe_start[k], foe_start[k + 1])
            _gaps(
                kinds, duration_s, foe_head[foes], foe_vps[foes], foe_most_vps[foes], giving, gap_s,
                scratch[5, k], scratch[4, k],
            )  # fmt: skip
        open_s = LEAST_OPEN_S
        for t in range(n):
            open_s += scratch[0, k, t] + scratch[1, k, t] * scratch[4, k, t]
        cost_s[k] = headway[k] * n / open_s
    _split(turn_lane, mv_start, mv_turn, mv_flow, cost_s, head[5], use)
    for lane in range(lane_start.shape[0] - 1):
        first, last = lane_start[lane], lane_start[lane + 1]
        use[first:last] /= use[first:last].sum()
        _mix(
            scratch[0, first:last], scratch[1, first:last], use[first:last], headway[first:last],
            turn_values[first:last, 8], scratch[4, first:last], head[0], head[1], scratch[2, first:last],
            scratch[3, first:last],
        )  # fmt: skip
        for k in range(first, last):
            capacity[turn_row[k]] += scratch[2, k]
            if turn_values[k, 5] > 0:
                capacity[turn_row[k] + 1] += scratch[3, k]
    for r in range(capacity.shape[0]):
        _quantize(capacity[r], row_most_vps[r], level[:, r])


@njit(cache=True, nogil=True)
def place_levels(level, shift, first, plan, out):
    """Write one controller's levels (C, rows) as one plan's column; second t of it comes at (t + shift) mod C."""
    n, n_row = level.shape
    at = shift
    for t in range(n):
        base = first + at * n_row
        for r in range(n_row):
            out[base + r, plan] = level[t, r]
        at = at + 1 if at + 1 < n else 0
