# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""The wave-theory kernel: Newell's link transmission model in 1 s steps, plans side by side.

Flows are whole *grains* per step (`GRAINS` to a vehicle), so what leaves one link is exactly what enters the next. The
plan index is innermost: 16 plans are one row (`sim._rows`). Indices are unsigned, so that the compiler need not look
for negative ones; records have a fixed number of fields, so that it need not multiply. Kernels read arrays only; the
caller lays them out (`sim.wave`).

Nodes act on each other only after a link's travel time, or the backward wave's: within a time block no longer than
these, one cluster of nodes after the other does all its steps, and what it needs stays in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from sim._rows import least, load, splat, store, where_above, whole

GRAINS = 2048.0
"""Grains per vehicle: int16 holds up to 16 vehicles per step."""
NONE = np.uint32(2**32 - 1)
U = np.uint64
ONE, ZERO = U(1), U(0)
# `_nrt` off: nothing is allocated, so no references need be counted (see `sim._kernels`)
FAST = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}

# records of movements: where it goes, as slot of the node; row of levels; streams it gives way to, as rows of `passed`;
# its own row there, or NONE; movements of the same lanes: where one of them cannot go on, this one cannot either
MV = U(8)
SLOT, ROW, FOE0, FOE1, WATCHED, TIE0, TIE1 = map(U, range(7))
# records of links: movements; column of entries, or NONE; whether it can be full; what entered (ring of rows), what
# left; where they are read and written next; levels of this step: distance of rows, place now, first and behind last
LINK = U(16)
MV0, MV1, GATE, SINK, IN_FIRST, IN_END, OUT_FIRST, OUT_END = map(U, range(8))
IN_READ, IN_WRITE, OUT_READ, OUT_WRITE, STRIDE, PHASE, PHASE_END, CLOCK = map(U, range(8, 16))
# coefficients of movements: grains per step and level, free and giving way; see `filter_levels.gap_pace`
MV_F = U(6)
FREE, GIVING, PACE0, PACE1, PACE2, PACE3 = map(U, range(6))
# state of links: room for vehicles, those that stand at its end, their sum over steps
LINK_STATE = U(3)
ROOM, STANDING, DELAY = map(U, range(3))
# working memory of the slots of a node
SLOT_WORK = U(3)
WANT, PART, INFLOW = map(U, range(3))


class Layout(NamedTuple):
    """Network; nodes stand by cluster, links by the node they lead to, movements by the link they leave.

    Slots are links by the node they come from; a node's slots are where its movements go.
    """

    cluster_start: np.ndarray  # (clusters + 1,) uint32, nodes of each cluster
    node_in: np.ndarray  # (N + 1,) uint32, links that lead to each node
    node_out: np.ndarray  # (N + 1,) uint32, slots of each node
    slot_link: np.ndarray  # (K,) uint32
    limit: np.ndarray  # (K, 2) float32, flat: capacity of the link's start, and of entering from outside [grains/step]
    move: np.ndarray  # (M, MV) uint32, flat
    move_f: np.ndarray  # (M, MV_F) float32, flat
    foe: np.ndarray  # (F,) uint32, rows of `passed`
    tie: np.ndarray  # (E,) uint32, movements


class State(NamedTuple):
    """What changes; rows have one column per plan."""

    link: np.ndarray  # (K, LINK) uint32, flat: records of links, places in rings included
    queue: np.ndarray  # (M, P) float32, vertical queues at the stop line [grains]
    passed: np.ndarray  # (watched, P) float32, what passed in the last step
    entered: np.ndarray  # (ring rows, P) int16
    left: np.ndarray  # (ring rows, P) int16
    rows: np.ndarray  # (K × LINK_STATE, P) float32
    gate: np.ndarray  # (gates × 2, P) float32: those who wait outside, their sum over steps


@njit(inline="always", **FAST)
def _step_on(link, record, which, first, end):
    """Move a place in a ring on by a step; returns where it was."""
    place = link[record + which]
    following = place + np.uint32(1)
    link[record + which] = following if following < end else first
    return U(place)


@njit(inline="always", **FAST)
def _gaps(move, move_f, foe, passed, m):
    """What the gaps in the streams that a movement gives way to leave of its saturation flow. [-]"""
    against = splat(np.float32(0))
    for f in range(U(move[m * MV + FOE0]), U(move[m * MV + FOE1])):
        against += load(passed, U(foe[f]))
    record = m * MV_F
    pace = against * move_f[record + PACE3] + splat(move_f[record + PACE2])
    pace = pace * against + splat(move_f[record + PACE1])
    pace = pace * against + splat(move_f[record + PACE0])
    one = splat(np.float32(1))
    return least(one / pace, one)


@njit(inline="always", **FAST)
def _send(move, move_f, foe, level, passed, queue, send, slots, m, k, phase, stride, arriving):
    """What a movement would send if there were room."""
    record = m * MV
    green = U(move[record + ROW]) * stride + phase
    x = load(queue, m) + arriving
    s = load(level, green) * move_f[m * MV_F + FREE]
    if move[record + FOE0] < move[record + FOE1]:
        s += load(level, green + stride) * move_f[m * MV_F + GIVING] * _gaps(move, move_f, foe, passed, m)
    s = least(x, s)
    want = U(move[record + SLOT]) * SLOT_WORK + WANT
    store(queue, m, x)
    store(send, k, s)
    store(slots, want, load(slots, want) + s)


@njit(inline="always", **FAST)
def _ask(link, slot_link, limit, slots, gate, entry, feed, slot0, n_slot):
    """Clear a node's slots; those who wait outside are the first to ask for room."""
    zero = splat(np.float32(0))
    for o in range(n_slot):
        k = U(slot_link[slot0 + o])
        g = link[k * LINK + GATE]
        wanted = zero
        if g != NONE:
            waiting = load(gate, U(g) * U(2)) + splat(entry[feed, U(g)])
            store(gate, U(g) * U(2), waiting)
            wanted = least(waiting, splat(limit[k * U(2) + ONE]))
        store(slots, o * SLOT_WORK + WANT, wanted)
        store(slots, o * SLOT_WORK + INFLOW, zero)


@njit(inline="always", **FAST)
def _share_room(link, slot_link, limit, slots, rows, left, slot0, n_slot):
    """Which part of what asks for room in a link gets it: all are cut alike."""
    for o in range(n_slot):
        k = U(slot_link[slot0 + o])
        record = k * LINK
        room = splat(limit[k * U(2)])
        if link[record + SINK] == 0:
            back = _step_on(link, record, OUT_READ, link[record + OUT_FIRST], link[record + OUT_END])
            space = load(rows, k * LINK_STATE + ROOM) + load(left, back)
            store(rows, k * LINK_STATE + ROOM, space)
            room = least(room, space)
        wanted = load(slots, o * SLOT_WORK + WANT)
        store(slots, o * SLOT_WORK + PART, where_above(wanted, room, room / wanted, splat(np.float32(1))))


@njit(inline="always", **FAST)
def _part(move, tie, send, slots, m, mv0):
    """Which part of what a movement would send can go: no more than of those in the same lanes."""
    record = m * MV
    part = load(slots, U(move[record + SLOT]) * SLOT_WORK + PART)
    for e in range(U(move[record + TIE0]), U(move[record + TIE1])):
        other = U(tie[e])
        its = load(slots, U(move[other * MV + SLOT]) * SLOT_WORK + PART)
        part = least(where_above(load(send, other - mv0), splat(np.float32(0)), its, part), part)
    return part


@njit(inline="always", **FAST)
def _enter(link, slot_link, slots, rows, entered, limit, gate, slot0, n_slot):
    """Let those in who wait outside, and note what entered each link."""
    for o in range(n_slot):
        k = U(slot_link[slot0 + o])
        record = k * LINK
        x = load(slots, o * SLOT_WORK + INFLOW)
        g = link[record + GATE]
        if g != NONE:
            waiting = load(gate, U(g) * U(2))
            y = whole(least(waiting, splat(limit[k * U(2) + ONE])) * load(slots, o * SLOT_WORK + PART))
            waiting -= y
            store(gate, U(g) * U(2), waiting)
            store(gate, U(g) * U(2) + ONE, load(gate, U(g) * U(2) + ONE) + waiting)
            x += y
        if link[record + SINK] == 0:
            store(entered, _step_on(link, record, IN_WRITE, link[record + IN_FIRST], link[record + IN_END]), x)
            store(rows, k * LINK_STATE + ROOM, load(rows, k * LINK_STATE + ROOM) - x)


@njit(inline="always", **FAST)
def _all_send(
    link, move, move_f, foe, level, passed, queue, entered, rows, share, end_share, send, slots, gone, in0, in1, mv0
):
    """Let arrivals join the queues of all links that lead to a node, and say what each movement would send."""
    for k in range(in0, in1):
        record = k * LINK
        came = load(entered, _step_on(link, record, IN_READ, link[record + IN_FIRST], link[record + IN_END]))
        ending = whole(came * end_share[k])
        store(gone, k - in0, ending)
        store(rows, k * LINK_STATE + STANDING, load(rows, k * LINK_STATE + STANDING) + came)
        going = came - ending
        phase = _step_on(link, record, PHASE, np.uint32(0), link[record + PHASE_END])
        stride = U(link[record + STRIDE])
        for m in range(U(link[record + MV0]), U(link[record + MV1])):
            _send(
                move, move_f, foe, level, passed, queue, send, slots, m, m - mv0, phase, stride, going * share[m]
            )  # fmt: skip


@njit(inline="always", **FAST)
def _all_move(link, move, tie, queue, passed, left, rows, send, slots, gone, in0, in1, mv0):
    """Move what can move from the queues before a node."""
    for k in range(in0, in1):
        record = k * LINK
        out = load(gone, k - in0)
        for m in range(U(link[record + MV0]), U(link[record + MV1])):
            x = whole(load(send, m - mv0) * _part(move, tie, send, slots, m, mv0))
            inflow = U(move[m * MV + SLOT]) * SLOT_WORK + INFLOW
            store(queue, m, load(queue, m) - x)
            store(slots, inflow, load(slots, inflow) + x)
            if move[m * MV + WATCHED] != NONE:
                store(passed, U(move[m * MV + WATCHED]), x)
            out += x
        store(left, _step_on(link, record, OUT_WRITE, link[record + OUT_FIRST], link[record + OUT_END]), out)
        standing = load(rows, k * LINK_STATE + STANDING) - out
        store(rows, k * LINK_STATE + STANDING, standing)
        store(rows, k * LINK_STATE + DELAY, load(rows, k * LINK_STATE + DELAY) + standing)


@njit(**FAST)
def _expand(link, move, level, n_slot, cycle, first, n, begin, spare, block, k):
    """Lay the levels of n steps out for a link whose plans have different cycles, from row `spare` of level on."""
    record = k * LINK
    clock = link[record + CLOCK]
    for m in range(U(link[record + MV0]), U(link[record + MV1])):
        n_row = ONE if move[m * MV + FOE0] == move[m * MV + FOE1] else U(2)
        for r in range(U(move[m * MV + ROW]), U(move[m * MV + ROW]) + n_row):
            for p in range(level.shape[1]):
                phase = (begin + first) % cycle[clock, p]
                for b in range(n):
                    level[spare + r * block + U(b), p] = level[r * n_slot + U(phase), p]
                    phase += 1
                    if phase == cycle[clock, p]:
                        phase = 0
    link[record + STRIDE] = block
    link[record + PHASE] = spare
    link[record + PHASE_END] = NONE


@njit(**FAST)
def run(layout, state, level, n_slot, cycle, mixed, spare, begin, n_step, block, count_from, flows, entry_step, work):
    """Simulate n_step steps from a state; delays are those that arise from step count_from on.

    level (rows × n_slot, P) uint8 and cycle (clocks, P): see `filter_levels.Levels`; clocks whose plans have different
    cycles are `mixed` and laid out anew per block behind row `spare` of level. begin: absolute second of step 0. flows:
    share (I, M) and end_share (I, K) float32 hold up to step share_last (I,), entry (J, gates) float32 are grains per
    step, entry_step steps each. work: send (movements, P), slots (slots × SLOT_WORK, P) and gone (links, P) of a node.
    """
    cluster_start, node_in, node_out, slot_link, limit, move, move_f, foe, tie = layout
    link, queue, passed, entered, left, rows, gate = state
    share, end_share, share_last, entry = flows
    send, slots, gone = work
    interval = 0
    for first in range(0, n_step, block):
        last = min(n_step, first + block)
        if first <= count_from < last:
            for k in range(len(rows) // 3):
                store(rows, U(k) * LINK_STATE + DELAY, splat(np.float32(0)))
            for g in range(len(gate) // 2):
                store(gate, U(g) * U(2) + ONE, splat(np.float32(0)))
        while interval + 1 < share_last.shape[0] and first >= share_last[interval]:
            interval += 1
        for c in range(len(cluster_start) - 1):
            node0, node1 = U(cluster_start[c]), U(cluster_start[c + 1])
            for k in range(U(node_in[node0]), U(node_in[node1])):
                if mixed[link[k * LINK + CLOCK]]:
                    _expand(link, move, level, n_slot, cycle, first, last - first, begin, spare, U(block), k)
            for t in range(first, last):
                feed = t // entry_step
                for node in range(node0, node1):
                    in0, in1, slot0 = U(node_in[node]), U(node_in[node + ONE]), U(node_out[node])
                    n_out = U(node_out[node + ONE]) - slot0
                    mv0 = U(link[in0 * LINK + MV0]) if in0 < in1 else ZERO
                    _ask(link, slot_link, limit, slots, gate, entry, feed, slot0, n_out)
                    _all_send(
                        link, move, move_f, foe, level, passed, queue, entered, rows, share[interval],
                        end_share[interval], send, slots, gone, in0, in1, mv0,
                    )  # fmt: skip
                    _share_room(link, slot_link, limit, slots, rows, left, slot0, n_out)
                    _all_move(link, move, tie, queue, passed, left, rows, send, slots, gone, in0, in1, mv0)
                    _enter(link, slot_link, slots, rows, entered, limit, gate, slot0, n_out)
