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
SETTLE_CYCLES = 2
"""Cycles from full queues on, before the one that counts."""
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
def _alike(free, permitted):
    """Whether all turns of a lane may go at the same times."""
    for m in range(1, free.shape[0]):
        for t in range(free.shape[1]):
            if free[m, t] != free[0, t] or permitted[m, t] != permitted[0, t]:
                return False
    return True


@njit(cache=True, nogil=True)
def _mix(free, permitted, weight, headway_s, permitted_vps, head, cap_free, cap_permitted):
    """Capacity of each turn of one lane over the cycle; fills cap_free and cap_permitted (turns, C). [veh/s]"""
    n_turn, n = free.shape
    for m in range(n_turn):
        head[m] = weight[m]
        for t in range(n):
            free[m, t] = min(1.0, free[m, t])
            permitted[m, t] = min(1.0, permitted[m, t])
    laps = 1 if n_turn == 1 or _alike(free, permitted) else SETTLE_CYCLES + 1
    for lap in range(laps):
        for t in range(n):
            leaving = 0.0
            for m in range(n_turn):
                leaving += head[m] * (free[m, t] / headway_s[m] + permitted[m, t] * permitted_vps[m])
            for m in range(n_turn):
                cap_free[m, t] = head[m] * free[m, t] / headway_s[m]
                cap_permitted[m, t] = head[m] * permitted[m, t] / headway_s[m]
                vps = free[m, t] / headway_s[m] + permitted[m, t] * permitted_vps[m]
                head[m] += weight[m] * leaving - head[m] * vps


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
    kinds, duration_s, lane_start, turn_head, turn_row, turn_values, row_most_vps, scratch, head, capacity, level,
):  # fmt: skip
    """Levels of all movements of one controller (or of none) over one cycle of C seconds.

    kinds (heads, N) int8 and duration_s (N,): the program; lane_start (lanes + 1,): turns of each lane; turn_head and
    turn_row (turns,): link index (−1 always open) and row in `level`, the row behind it is for giving way;
    turn_values (turns, 8): share of its lane, headway_s, permitted veh/s, start loss, use of yellow, yields, places,
    seconds of a stop. Fills level (C, rows) uint8; scratch (4, turns, C), head (turns,) and capacity (rows, C) are
    working memory.
    """
    capacity[:] = 0.0
    scratch[:] = 0.0
    for lane in range(lane_start.shape[0] - 1):
        first, last = lane_start[lane], lane_start[lane + 1]
        for k in range(first, last):
            _, headway_s, _, loss_s, use_s, yields, places, stop_s = turn_values[k]
            if turn_head[k] < 0:
                scratch[1 if yields > 0 else 0, k, :] = 1.0
            else:
                _open_turn(
                    kinds[turn_head[k]], duration_s, loss_s, use_s, headway_s, yields > 0, places, stop_s,
                    scratch[0, k], scratch[1, k],
                )  # fmt: skip
        _mix(
            scratch[0, first:last], scratch[1, first:last], turn_values[first:last, 0], turn_values[first:last, 1],
            turn_values[first:last, 2], head, scratch[2, first:last], scratch[3, first:last],
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
