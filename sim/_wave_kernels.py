# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""The wave-theory kernel: Newell's link transmission model in 1 s steps, plans side by side.

Flows are whole *grains* per step (`GRAINS` to a vehicle), so what leaves one link is exactly what enters the next. The
plan index is innermost: 16 plans are one row (`sim._rows`). Indices are unsigned, so that the compiler need not look
for negative ones; records have a fixed number of fields, so that it need not multiply. Kernels read arrays only; the
caller lays them out (`sim.wave`).

Nodes act on each other only after a link's travel time, or the backward wave's. So within a time block no longer than
these a node does all its steps at once: first as if there were room for everybody, movement by movement, with its queue
in a register; where a link turns out to be full, again and step by step. Nodes joined by shorter links form a cluster,
whose nodes take turns after as many steps as its shortest link allows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from sim._rows import any_above, gaps_left, least, load, most, splat, store, transpose, where_above, whole

GRAINS = 2048.0
"""Grains per vehicle: int16 holds up to 16 vehicles per step."""
NONE = np.uint32(2**32 - 1)
U = np.uint64
ONE = U(1)
BLOCK = U(8)
"""Steps of a time block. Twice as many join more nodes to clusters, half as many cost more per block (measured)."""
# `_nrt` off: nothing is allocated, so no references need be counted (see `sim._kernels`)
FAST = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}

# records of movements: link it comes from and slot it goes to, counted from the node's first; row of levels; movements
# of the same lanes: where one of them cannot go on, this one cannot either; whether it may have to give way; to how
# many, the first 1, 2 or 4 of them, and where the others stand in a list (as rows of `Work.sent`); whether others give
# way to it
MV = U(16)
FROM, SLOT, ROW, TIE0, TIE1, GIVES_WAY, N_FOE, FOE_A, FOE_B, FOE_C, FOE_D, FOE0, FOE1, IS_FOE = map(U, range(14))
FOES_IN_RECORD = 4
# records of links: column of entries, or NONE; whether it can be full; what entered (ring of rows), what left; where
# they are read and written next; levels: rows of a step, those of this step, first and behind last
LINK = U(16)
GATE, SINK, IN_FIRST, IN_END, OUT_FIRST, OUT_END, IN_READ, IN_WRITE = map(U, range(8))
OUT_READ, OUT_WRITE, STRIDE, PHASE, PHASE_FIRST, PHASE_END, CLOCK = map(U, range(8, 15))
# coefficients of movements: grains per step and level, free and giving way; decay with what comes against it
MV_F = U(3)
FREE, GIVING, GAP = map(U, range(3))
# state of links: room for vehicles, those that stand at its end, their sum over steps; what rounding held back of what
# entered and of what left
LINK_STATE = U(5)
ROOM, STANDING, DELAY, REST_IN, REST_OUT = map(U, range(5))


class Layout(NamedTuple):
    """Network; nodes stand by cluster, links and movements by the node they lead to, streams before who yields to them.

    Slots are links by the node they come from; a node's slots are where its movements go.
    """

    cluster_start: np.ndarray  # (clusters + 1,) uint32, nodes of each cluster
    cluster_step: np.ndarray  # (clusters,) uint32, steps that a node of the cluster does at once
    clock_start: np.ndarray  # (clusters + 1,) uint32, clocks of each cluster
    clock: np.ndarray  # (C,) uint32
    clock_rows: np.ndarray  # (clocks,) int64, rows of levels per second
    node_in: np.ndarray  # (N + 1,) uint32, links that lead to each node
    node_out: np.ndarray  # (N + 1,) uint32, slots of each node
    node_mv: np.ndarray  # (N + 1,) uint32, movements of each node
    slot_link: np.ndarray  # (K,) uint32
    limit: np.ndarray  # (K × 2,) float32: capacity of the link's start, and of entering from outside [grains/step]
    move: np.ndarray  # (M × MV,) uint32
    move_f: np.ndarray  # (M × MV_F,) float32
    foe: np.ndarray  # (F,) uint32, first rows of `Work.sent`
    tie: np.ndarray  # (E,) uint32, movements counted from the node's first


class State(NamedTuple):
    """What changes; rows have one column per plan."""

    link: np.ndarray  # (K × LINK,) uint32: records of links, places in rings included
    queue: np.ndarray  # (M, P) float32, vertical queues at the stop line [grains]
    entered: np.ndarray  # (ring rows, P) int16
    left: np.ndarray  # (ring rows, P) int16
    rows: np.ndarray  # (K × LINK_STATE, P) float32
    gate: np.ndarray  # (gates × 2, P) float32: those who wait outside, their sum over steps


class Work(NamedTuple):
    """Working memory of one node over a block of B steps."""

    arriving: np.ndarray  # (links × B, P) float32, at the stop line, that go on
    leaving: np.ndarray  # (links × B, P), what leaves each link
    sent: np.ndarray  # (movements × B, P), by each movement
    want: np.ndarray  # (slots × B, P), what asks for room in each slot
    after: np.ndarray  # (movements, P), queues after the block
    room: np.ndarray  # (slots × 2, P), room, and what rounding holds back, after the block
    gate: np.ndarray  # (slots × 2, P), as `State.gate`, after the block
    asked: np.ndarray  # (slots, P), in the one step of a block, what asks for room from outside
    part: np.ndarray  # (slots × 2, P), which part of what asks gets room; what gets it of what movements sent
    at: np.ndarray  # (P,) int64


@njit(inline="always", **FAST)
def _on(place, first, end, n):
    """A place in a ring n steps on."""
    following = place + n
    return following if following < end else following - end + first


@njit(inline="always", **FAST)
def _gaps(move, move_f, foe, sent, m, b):
    """What the gaps in the streams that a movement gives way to leave of its saturation flow. [-]"""
    r, f = m * MV, m * MV_F
    against = splat(np.float32(0))
    if move[r + N_FOE] > 0:
        against = load(sent, U(move[r + FOE_A]) + b)
    if move[r + N_FOE] > ONE:
        against += load(sent, U(move[r + FOE_B]) + b)
    if move[r + N_FOE] > U(2):
        against += load(sent, U(move[r + FOE_C]) + b) + load(sent, U(move[r + FOE_D]) + b)
    for e in range(U(move[r + FOE0]), U(move[r + FOE1])):
        against += load(sent, U(foe[e]) + b)
    return gaps_left(against * move_f[f + GAP])


@njit(inline="always", **FAST)
def _arrive(link, entered, ends, arriving, leaving, k, i, n):
    """Who reaches the stop line in n steps; those whose trip ends there leave."""
    record = k * LINK
    place, first, end = U(link[record + IN_READ]), U(link[record + IN_FIRST]), U(link[record + IN_END])
    for b in range(n):
        came = load(entered, place)
        ending = came * ends
        store(leaving, i * BLOCK + b, ending)
        store(arriving, i * BLOCK + b, came - ending)
        place = _on(place, first, end, ONE)


@njit(inline="always", **FAST)
def _send(layout, link, level, queue, work, share, m, k, in0, n):
    """n steps of a movement, as if there were room for everybody."""
    move, move_f, foe = layout.move, layout.move_f, layout.foe
    record = m * MV
    i, slot, row = U(move[record + FROM]), U(move[record + SLOT]), U(move[record + ROW])
    at = (in0 + i) * LINK
    stride, phase = U(link[at + STRIDE]), U(link[at + PHASE])
    first, end = U(link[at + PHASE_FIRST]), U(link[at + PHASE_END])
    free, giving, gives = move_f[m * MV_F + FREE], move_f[m * MV_F + GIVING], move[record + GIVES_WAY] > 0
    queued, zero = load(queue, m), splat(np.float32(0))
    kept = n == ONE or move[record + IS_FOE] > 0
    for b in range(n):
        allowed = load(level, phase + row) * free
        if gives:
            allowed += load(level, phase + row + ONE) * giving * _gaps(move, move_f, foe, work.sent, m, b)
        x = queued + load(work.arriving, i * BLOCK + b) * share
        queued = most(x - allowed, zero)
        s = x - queued
        if kept:
            store(work.sent, k * BLOCK + b, s)
        store(work.want, slot * BLOCK + b, load(work.want, slot * BLOCK + b) + s)
        store(work.leaving, i * BLOCK + b, load(work.leaving, i * BLOCK + b) + s)
        phase = _on(phase, first, end, stride)
    store(work.after, k, queued)


@njit(inline="always", **FAST)
def _ask(link, limit, gate, entry, feed, feed_left, entry_step, work, k, o, n):
    """Those who wait outside are the first to ask for room; clears the slot."""
    g = link[k * LINK + GATE]
    zero = splat(np.float32(0))
    if g == NONE:
        for b in range(n):
            store(work.want, o * BLOCK + b, zero)
        return
    limit_in = splat(limit[k * U(2) + ONE])
    waiting, delay = load(gate, U(g) * U(2)), load(gate, U(g) * U(2) + ONE)
    for b in range(n):
        waiting += splat(entry[feed, U(g)])
        entering = least(waiting, limit_in)
        waiting -= entering
        delay += waiting
        store(work.want, o * BLOCK + b, entering)
        feed_left -= 1
        if feed_left == 0:
            feed, feed_left = feed + 1, entry_step
    store(work.gate, o * U(2), waiting)
    store(work.gate, o * U(2) + ONE, delay)


@njit(inline="always", **FAST)
def _enter(link, limit, rows, entered, left, work, k, o, n):
    """Let what asks for room in a link enter it; returns the first step in which there is too little, or n."""
    record = k * LINK
    top = splat(limit[k * U(2)])
    if link[record + SINK] > 0:
        for b in range(n):
            if any_above(load(work.want, o * BLOCK + b), top):
                return b
        return n
    back, back0, back1 = U(link[record + OUT_READ]), U(link[record + OUT_FIRST]), U(link[record + OUT_END])
    place, first, end = U(link[record + IN_WRITE]), U(link[record + IN_FIRST]), U(link[record + IN_END])
    # whole grains that enter may be one more than there was room for: then nobody enters in the next step
    room, rest, zero = load(rows, k * LINK_STATE + ROOM), load(rows, k * LINK_STATE + REST_IN), splat(np.float32(0))
    for b in range(n):
        room += load(left, back)
        want = load(work.want, o * BLOCK + b)
        if any_above(want, least(top, most(room, zero))):
            return b
        rest += want
        x = whole(rest)
        rest -= x
        room -= x
        store(entered, place, x)
        place, back = _on(place, first, end, ONE), _on(back, back0, back1, ONE)
    store(work.room, o * U(2), room)
    store(work.room, o * U(2) + ONE, rest)
    return n


@njit(inline="always", **FAST)
def _cut(link, limit, rows, left, work, k, o):
    """In the one step of a block: which part of what asks for room in a link gets it; all are cut alike."""
    record = k * LINK
    room = splat(limit[k * U(2)])
    if link[record + SINK] == 0:
        space = load(rows, k * LINK_STATE + ROOM) + load(left, U(link[record + OUT_READ]))
        room = least(room, most(space, splat(np.float32(0))))
    want = load(work.want, o * BLOCK)
    store(work.part, o * U(2), where_above(want, room, room / want, splat(np.float32(1))))
    store(work.part, o * U(2) + ONE, splat(np.float32(0)))


@njit(inline="always", **FAST)
def _take_back(layout, work, m, k, mv0):
    """In the one step of a block: return to their queue those of a movement for whom there is no room.

    No more of it goes on than of the movements of the same lanes.
    """
    move, tie = layout.move, layout.tie
    record = m * MV
    i, slot = U(move[record + FROM]), U(move[record + SLOT])
    part, zero = load(work.part, slot * U(2)), splat(np.float32(0))
    for e in range(U(move[record + TIE0]), U(move[record + TIE1])):
        other = U(tie[e])
        its = load(work.part, U(move[(mv0 + other) * MV + SLOT]) * U(2))
        part = least(where_above(load(work.sent, other * BLOCK), zero, its, part), part)
    sent = load(work.sent, k * BLOCK)
    x = sent * part
    store(work.after, k, load(work.after, k) + (sent - x))
    store(work.part, slot * U(2) + ONE, load(work.part, slot * U(2) + ONE) + x)
    store(work.leaving, i * BLOCK, load(work.leaving, i * BLOCK) - (sent - x))


@njit(inline="always", **FAST)
def _enter_cut(link, rows, entered, left, work, asked, k, o):
    """In the one step of a block: let enter what there is room for; the rest of those from outside waits there."""
    record = k * LINK
    x = load(work.part, o * U(2) + ONE)
    if link[record + GATE] != NONE:
        entering = load(asked, o)
        y = entering * load(work.part, o * U(2))
        store(work.gate, o * U(2), load(work.gate, o * U(2)) + (entering - y))
        store(work.gate, o * U(2) + ONE, load(work.gate, o * U(2) + ONE) + (entering - y))
        x += y
    if link[record + SINK] == 0:
        room = load(rows, k * LINK_STATE + ROOM) + load(left, U(link[record + OUT_READ]))
        rest = load(rows, k * LINK_STATE + REST_IN) + x
        x = whole(rest)
        store(work.room, o * U(2), room - x)
        store(work.room, o * U(2) + ONE, rest - x)
        store(entered, U(link[record + IN_WRITE]), x)


@njit(inline="always", **FAST)
def _pass_on(link, rows, gate, work, k, o, n):
    """Move a link's places in its rings on at its start, and keep its room and who waits outside."""
    record = k * LINK
    g = link[record + GATE]
    if g != NONE:
        store(gate, U(g) * U(2), load(work.gate, o * U(2)))
        store(gate, U(g) * U(2) + ONE, load(work.gate, o * U(2) + ONE))
    if link[record + SINK] == 0:
        store(rows, k * LINK_STATE + ROOM, load(work.room, o * U(2)))
        store(rows, k * LINK_STATE + REST_IN, load(work.room, o * U(2) + ONE))
        link[record + IN_WRITE] = _on(
            U(link[record + IN_WRITE]), U(link[record + IN_FIRST]), U(link[record + IN_END]), n
        )
        link[record + OUT_READ] = _on(
            U(link[record + OUT_READ]), U(link[record + OUT_FIRST]), U(link[record + OUT_END]), n
        )


@njit(inline="always", **FAST)
def _leave(link, entered, rows, left, work, k, i, n):
    """Note what left a link, and who stands."""
    record = k * LINK
    place, first, end = U(link[record + OUT_WRITE]), U(link[record + OUT_FIRST]), U(link[record + OUT_END])
    back, back0, back1 = U(link[record + IN_READ]), U(link[record + IN_FIRST]), U(link[record + IN_END])
    standing, delay = load(rows, k * LINK_STATE + STANDING), load(rows, k * LINK_STATE + DELAY)
    rest = load(rows, k * LINK_STATE + REST_OUT)
    for b in range(n):
        out = load(work.leaving, i * BLOCK + b)
        rest += out
        x = whole(rest)
        rest -= x
        store(left, place, x)
        standing += load(entered, back) - out
        delay += standing
        place, back = _on(place, first, end, ONE), _on(back, back0, back1, ONE)
    store(rows, k * LINK_STATE + STANDING, standing)
    store(rows, k * LINK_STATE + DELAY, delay)
    store(rows, k * LINK_STATE + REST_OUT, rest)
    link[record + OUT_WRITE], link[record + IN_READ] = place, back
    phase, first, end = U(link[record + PHASE]), U(link[record + PHASE_FIRST]), U(link[record + PHASE_END])
    phase += n * U(link[record + STRIDE])
    while phase >= end:
        phase -= end - first
    link[record + PHASE] = phase


# inlined: the call alone, with all arrays as arguments, took a quarter of the time
@njit(inline="always", **FAST)
def _steps(layout, state, level, share, end_share, entry, feed, feed_left, entry_step, work, node, n):
    """n steps of a node. If there is too little room in one of them and n > 1, nothing happens; returns which one."""
    link, queue, limit, rows, slot_link = state.link, state.queue, layout.limit, state.rows, layout.slot_link
    entered, left, gate = state.entered, state.left, state.gate
    in0, in1 = U(layout.node_in[node]), U(layout.node_in[node + 1])
    mv0, mv1 = U(layout.node_mv[node]), U(layout.node_mv[node + 1])
    slot0, n_out = U(layout.node_out[node]), U(layout.node_out[node + 1]) - U(layout.node_out[node])
    for o in range(n_out):
        _ask(link, limit, gate, entry, feed, feed_left, entry_step, work, U(slot_link[slot0 + o]), o, n)
        if n == ONE:
            store(work.asked, o, load(work.want, o * BLOCK))
    for k in range(in0, in1):
        if link[k * LINK + SINK] == 0:
            _arrive(link, entered, end_share[k], work.arriving, work.leaving, k, k - in0, n)
    for m in range(mv0, mv1):
        _send(layout, link, level, queue, work, share[m], m, m - mv0, in0, n)
    clear = n
    for o in range(n_out):
        clear = min(clear, _enter(link, limit, rows, entered, left, work, U(slot_link[slot0 + o]), o, n))
    if clear < n:
        if n > ONE:
            return clear
        for o in range(n_out):
            _cut(link, limit, rows, left, work, U(slot_link[slot0 + o]), o)
        for m in range(mv0, mv1):
            _take_back(layout, work, m, m - mv0, mv0)
        for o in range(n_out):
            _enter_cut(link, rows, entered, left, work, work.asked, U(slot_link[slot0 + o]), o)
    for o in range(n_out):
        _pass_on(link, rows, gate, work, U(slot_link[slot0 + o]), o, n)
    for k in range(in0, in1):
        if link[k * LINK + SINK] == 0:
            _leave(link, entered, rows, left, work, k, k - in0, n)
    for m in range(mv0, mv1):
        store(queue, m, load(work.after, m - mv0))
    return n


@njit(**FAST)
def _lay_out(layout, link, levels, at, n, second, node0, node1, cluster):
    """Fill in the levels of n steps for the clocks of a cluster whose levels stand apart."""
    apart, starts, level, cycle, place = levels.apart, levels.start, levels.level, levels.cycle_s, at
    for e in range(layout.clock_start[cluster], layout.clock_start[cluster + 1]):
        clock = layout.clock[e]
        if starts[clock, 0] < 0:
            continue
        rows = layout.clock_rows[clock]
        for b in range(n):
            for p in range(level.shape[1]):
                place[p] = starts[clock, p] + (second + b) % cycle[clock, p] * rows
            for r in range(0, rows, level.shape[1]):
                transpose(apart, place, level, U(levels.first[clock] + b * levels.stride[clock] + r))
                for p in range(level.shape[1]):
                    place[p] += level.shape[1]
    for k in range(U(layout.node_in[node0]), U(layout.node_in[node1])):
        clock = link[k * LINK + CLOCK]
        if starts[clock, 0] >= 0:
            link[k * LINK + PHASE] = levels.first[clock]
            link[k * LINK + PHASE_END] = NONE


@njit(inline="always", **FAST)
def _forget(rows, gate):
    """Delays count from here on."""
    for k in range(len(rows) // int(LINK_STATE)):
        store(rows, U(k) * LINK_STATE + DELAY, splat(np.float32(0)))
    for g in range(len(gate) // 2):
        store(gate, U(g) * U(2) + ONE, splat(np.float32(0)))


@njit(**FAST)
def run(layout, state, levels, begin, n_step, count_from, flows, entry_step, work):
    """Simulate n_step steps from a state; delays are those that arise from step count_from on.

    levels: see `filter_levels.Levels`, with room for a block where clocks stand apart. begin: absolute second of step
    0. flows: share (I, M) and end_share (I, K) float32 hold up to step share_last (I,), entry (J, gates) float32 are
    whole grains per step, entry_step steps each.
    """
    cluster_start, cluster_step = layout.cluster_start, layout.cluster_step
    share, end_share, share_last, entry = flows
    level = levels.level
    interval, first = 0, 0
    while first < n_step:
        last = min(n_step, first + int(BLOCK))
        if first < count_from:
            last = min(last, count_from)
        if interval + 1 < len(share_last):
            last = min(last, share_last[interval])
        if first == count_from:
            _forget(state.rows, state.gate)
        for c in range(len(cluster_start) - 1):
            node0, node1 = cluster_start[c], cluster_start[c + 1]
            if len(levels.apart) > level.shape[1]:
                _lay_out(layout, state.link, levels, work.at, last - first, begin + first, node0, node1, c)
            for at in range(first, last, cluster_step[c]):
                end = min(last, at + int(cluster_step[c]))
                for node in range(node0, node1):
                    t, n = at, U(end - at)
                    while t < end:
                        done = _steps(
                            layout, state, level, share[interval], end_share[interval], entry, t // entry_step,
                            entry_step - t % entry_step, entry_step, work, node, n,
                        )  # fmt: skip
                        if done == n:
                            t += int(n)
                        # up to the step in which there is too little room; what is left goes step by step
                        n = done if ONE < done < n else ONE
        if interval + 1 < len(share_last) and last == share_last[interval]:
            interval += 1
        first = last
