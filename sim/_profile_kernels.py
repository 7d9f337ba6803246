# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""The kernel of cyclic flow profiles: one second after the other around the cycle, node after node, plans side by side.

Rows are plans (`sim._rows`). Profiles hold vehicles per second of the cycle; second t of a profile is clock second t
modulo the cycle of the signal it belongs to. Plans of a batch may have different cycles: each uses the first of the
slots only, what lies behind counts for nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from sim._rows import gaps_left, least, load, most, splat, store, where_above

U = np.uint64
ONE, ZERO = U(1), U(0)
NONE = np.uint32(2**32 - 1)
FAST = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}

# records of movements: link it goes to; row of levels; streams it gives way to; its own row there, or NONE; whether it
# is the first to feed its link
MV = U(8)
TARGET, ROW, FOE0, FOE1, WATCHED, FIRST = map(U, range(6))
# coefficients of movements: vehicles per second and level, free and giving way; decay with what comes against it; share
# of those that go on
MV_F = U(4)
FREE, GIVING, GAP, SHARE = map(U, range(4))
# results of movements: mean queue of the cyclic polygon, capacity, arrivals, per second of the cycle
RESULT = U(3)
QUEUE, CAPACITY, ARRIVALS = map(U, range(3))


class Layout(NamedTuple):
    """Network and flows in walking order; K links, M movements, N nodes."""

    node_in: np.ndarray  # (N + 1,) uint32, links that lead to each node
    link_mv: np.ndarray  # (K + 1,) uint32, movements of each link
    clock: np.ndarray  # (K, 2) int64: clock at the end of each link, and of what feeds it
    level_clock: np.ndarray  # (K,) int64: clock that its levels stand under: the same, or that of no signal
    lag_s: np.ndarray  # (K,) int64, until a platoon's head arrives
    smoothing: np.ndarray  # (K,) float32, Robertson's F; 1 keeps platoons as they are
    entry_vps: np.ndarray  # (K,) float32, entering there from outside, evenly
    end_share: np.ndarray  # (K,) float32, those whose trip ends there
    move: np.ndarray  # (M × MV,) uint32
    move_f: np.ndarray  # (M × MV_F,) float32
    foe: np.ndarray  # (F,) uint32, rows of `passed`


class State(NamedTuple):
    """Profiles that a sweep starts from and leaves behind."""

    inflow: np.ndarray  # (K × slots, P) float32, into each link at its start [veh/s]
    passed: np.ndarray  # (watched × slots, P) float32 [veh/s]
    result: np.ndarray  # (M × RESULT, P) float32
    held: np.ndarray  # (M, P) float32, left over from before, that arrives at the stop line evenly [veh/s]


@njit(**FAST)
def _gather(inflow, k, n_slot, lag, cycle, feeding, came):
    """What reaches the stop line undispersed, plans with different cycles; uniform where the feeder's cycle differs."""
    base = k * n_slot
    for p in range(came.shape[1]):
        n = cycle[p]
        if feeding[p] == n:
            source = (n - lag % n) % n
            for t in range(n):
                came[t, p] = inflow[base + U(source), p]
                source = source + 1 if source + 1 < n else 0
        else:
            mean = np.float32(0)
            for t in range(feeding[p]):
                mean += inflow[base + U(t), p]
            mean /= np.float32(feeding[p])
            for t in range(n):
                came[t, p] = mean
        for t in range(n, n_slot):
            came[t, p] = np.float32(0)


@njit(inline="always", **FAST)
def _disperse(came, cycle_row, n, smoothing, tail, entry, arrivals):
    """Robertson's recursion around the cycle, as if it had run for ever; tail: (1 − F) to the power of the cycle."""
    rest = np.float32(1) - smoothing
    y = splat(np.float32(0))
    for t in range(n):
        going_on = load(came, U(t)) * smoothing + y * rest
        y = where_above(cycle_row, splat(np.float32(t)), going_on, y)
    y = y / (splat(np.float32(1)) - load(tail, ZERO))
    for t in range(n):
        active = splat(np.float32(t))
        y = where_above(cycle_row, active, load(came, U(t)) * smoothing + y * rest, y)
        store(arrivals, U(t), where_above(cycle_row, active, y + splat(entry), splat(np.float32(0))))


@njit(inline="always", **FAST)
def _copy_shifted(inflow, k, n_slot, lag, n, came):
    """As `_gather`, for plans that all have one cycle of n seconds."""
    source = U((n - lag % n) % n)
    for t in range(n):
        store(came, U(t), load(inflow, k * n_slot + source))
        source = source + ONE if source + ONE < U(n) else ZERO


@njit(inline="always", **FAST)
def _capacities(move, move_f, foe, level, first_row, stride, passed, m, n_slot, n, cycle_row, capacity):
    """What a movement can serve each second; returns the sum."""
    record, f = m * MV, m * MV_F
    row = first_row + U(move[record + ROW])
    gives = move[record + FOE0] < move[record + FOE1]
    total, zero = splat(np.float32(0)), splat(np.float32(0))
    for i in range(n):
        t = U(i)
        c = load(level, row + t * stride) * move_f[f + FREE]
        if gives:
            against = zero
            for e in range(U(move[record + FOE0]), U(move[record + FOE1])):
                against += load(passed, U(foe[e]) * n_slot + t)
            c += load(level, row + t * stride + ONE) * move_f[f + GIVING] * gaps_left(against * move_f[f + GAP])
        c = where_above(cycle_row, splat(np.float32(i)), c, zero)
        store(capacity, t, c)
        total += c
    return total


@njit(inline="always", **FAST)
def _serve(
    move, move_f, m, arrivals, came_sum, capacity_sum, capacity, n, n_slot, cycle_row, inflow, passed, result, held
):  # fmt: skip
    """The queue of a movement around the cycle, from the queue that it comes back to; feeds the next link.

    What comes beyond capacity is left out here: it makes no cyclic queue but one that grows, see `sim.profile`.
    """
    record, share = m * MV, move_f[m * MV_F + SHARE]
    zero = splat(np.float32(0))
    waiting = load(held, m)
    asked = came_sum * share + waiting * cycle_row
    part = where_above(asked, capacity_sum, capacity_sum / asked, splat(np.float32(1)))
    served, waiting = part * share, part * waiting
    queue = zero
    for i in range(n):
        queue = most(queue + load(arrivals, U(i)) * served + waiting - load(capacity, U(i)), zero)
    total = zero
    target = U(move[record + TARGET]) * n_slot
    watched = move[record + WATCHED]
    fresh = move[record + FIRST] == 1
    for i in range(n):
        t = U(i)
        x = queue + load(arrivals, t) * served + waiting
        out = least(x, load(capacity, t))
        queue = x - out
        total += where_above(cycle_row, splat(np.float32(i)), queue, zero)
        if watched != NONE:
            store(passed, U(watched) * n_slot + t, out)
        if fresh:
            store(inflow, target + t, out)
        else:
            store(inflow, target + t, load(inflow, target + t) + out)
    store(result, m * RESULT + QUEUE, total / cycle_row)
    store(result, m * RESULT + CAPACITY, capacity_sum / cycle_row)
    store(result, m * RESULT + ARRIVALS, asked / cycle_row)


@njit(inline="always", **FAST)
def _link(layout, state, levels, n_slot, alike, work, k):
    """Arrivals at one stop line, and what its movements make of them."""
    _, link_mv, clock, level_clock, lag_s, smoothing, entry_vps, end_share, move, move_f, foe = layout
    inflow, passed, result, held = state
    level, cycle, first, strides = levels.level, levels.cycle_s, levels.first, levels.stride
    came, arrivals, capacity, tail, cycles = work
    stands_under = level_clock[k]
    first_row = U(first[stands_under])
    stride = U(strides[stands_under]) if stands_under + 1 < len(first) else ZERO
    own, feeder = clock[k, 0], clock[k, 1]
    n = 0
    for p in range(cycles.shape[1]):
        c = cycle[own, p]
        n = max(n, c)
        cycles[0, p] = np.float32(c)
        tail[0, p] = (np.float32(1) - smoothing[k]) ** np.float32(c)
    if alike[own] and alike[feeder] and cycle[own, 0] == cycle[feeder, 0]:
        _copy_shifted(inflow, k, n_slot, lag_s[k], n, came)
    else:
        _gather(inflow, k, n_slot, lag_s[k], cycle[own], cycle[feeder], came)
    cycle_row = load(cycles, ZERO)
    _disperse(came, cycle_row, n, smoothing[k], tail, entry_vps[k], arrivals)
    going = np.float32(1) - end_share[k]
    came_sum = splat(np.float32(0))
    for i in range(n):
        x = load(arrivals, U(i)) * going
        store(arrivals, U(i), x)
        came_sum += x
    for m in range(U(link_mv[k]), U(link_mv[k + ONE])):
        capacity_sum = _capacities(
            move, move_f, foe, level, first_row, stride, passed, m, n_slot, n, cycle_row, capacity
        )
        _serve(
            move, move_f, m, arrivals, came_sum, capacity_sum, capacity, n, n_slot, cycle_row, inflow, passed, result,
            held,
        )  # fmt: skip


@njit(**FAST)
def sweep(layout, state, levels, n_slot, alike, work):
    """Walk all nodes once; what a node feeds is read by those that come later in the same sweep.

    levels: see `filter_levels.Levels`; n_slot: of profiles, the longest cycle; alike (clocks,): whether all plans have
    one cycle. work: came, arrivals, capacity (n_slot, P), tail and cycles (1, P).
    """
    node_in, link_mv = layout[0], layout[1]
    for node in range(len(node_in) - 1):
        for k in range(U(node_in[node]), U(node_in[node + 1])):
            if link_mv[k] < link_mv[k + ONE]:
                _link(layout, state, levels, n_slot, alike, work, k)


@njit(**FAST)
def link_tables(layout, state, levels, n_slot, links, work, tables):
    """Total mean queue before each of some links' stop lines, for every shift of what comes; fills tables (L, C).

    All plans of the state are one and the same, with a cycle of C seconds everywhere on both ends of these links. Entry
    s of a table holds for arrivals s seconds earlier. The state is left as it is, but for results and what feeds on.
    """
    _, link_mv, clock, level_clock, lag_s, smoothing, entry_vps, end_share, move, move_f, foe = layout
    inflow, passed, result, held = state
    level, cycle, starts, strides = levels.level, levels.cycle_s, levels.first, levels.stride
    came, arrivals, capacity, tail, cycles, shifted, nowhere = work
    width = came.shape[1]
    for i in range(len(links)):
        k = U(links[i])
        n = cycle[clock[k, 0], 0]
        first_row, stride = U(starts[level_clock[k]]), U(strides[level_clock[k]])
        for p in range(width):
            cycles[0, p] = np.float32(n)
            tail[0, p] = (np.float32(1) - smoothing[k]) ** np.float32(n)
        cycle_row = load(cycles, ZERO)
        _copy_shifted(inflow, k, n_slot, lag_s[k], n, came)
        _disperse(came, cycle_row, n, smoothing[k], tail, entry_vps[k], arrivals)
        going = np.float32(1) - end_share[k]
        for first in range(0, n, width):
            came_sum = splat(np.float32(0))
            for t in range(n):
                for p in range(width):
                    shifted[t, p] = arrivals[(t + first + p) % n, 0] * going
                came_sum += load(shifted, U(t))
            total = splat(np.float32(0))
            for m in range(U(link_mv[k]), U(link_mv[k + ONE])):
                capacity_sum = _capacities(
                    move, move_f, foe, level, first_row, stride, passed, m, n_slot, n, cycle_row, capacity
                )
                _serve(
                    nowhere, move_f, m, shifted, came_sum, capacity_sum, capacity, n, n_slot, cycle_row, inflow, passed,
                    result, held,
                )  # fmt: skip
                total += load(result, m * RESULT + QUEUE)
            store(shifted, ZERO, total)
            for p in range(min(width, n - first)):
                tables[i, first + p] = shifted[0, p]
