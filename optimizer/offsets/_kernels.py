# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Kernels of offset problems: (min,+) convolution, descent, exact forests, and the dual ascent over short cycles.

Costs are int32, so that sums are exact and every machine finds the same. Tables of arcs are written twice side by side:
the costs of all offsets x of one signal, given y of the other, are then the C entries from C - y on.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ONE, ZERO = np.uint64(1), np.uint64(0)
FAST = {"cache": True, "nogil": True, "error_model": "numpy"}
CAP = 1 << 26
"""A cost that nothing pays: forbidden."""


@njit(**FAST)
def convolve(a, b2, n, first, value, out):
    """out[x] = least a[y] + b[(x - y) mod n]; b2 is b twice; first, value: working memory of n + 4.

    Four y at a time, so that out is read and written a quarter as often: five times as fast.
    """
    low_a, low_b, high_b = a[0], b2[0], b2[0]
    for i in range(n):
        low_a = min(low_a, a[i])
        low_b = min(low_b, b2[i])
        high_b = max(high_b, b2[i])
        out[i] = np.int32(2**31 - 1)
    limit, one, four = low_a + high_b - low_b, ONE, np.uint64(4)
    k = np.uint64(0)
    for y in range(n):
        first[k], value[k] = np.uint64(n - y), a[y]
        k += np.uint64(a[y] <= limit)  # others are beaten by the least a wherever b falls
    for i in range(4):
        first[k + np.uint64(i)], value[k + np.uint64(i)] = first[k - one], value[k - one]
    for g in range((k + np.uint64(3)) // four):
        at = np.uint64(g) * four
        s0, s1, s2, s3 = first[at], first[at + one], first[at + np.uint64(2)], first[at + np.uint64(3)]
        v0, v1, v2, v3 = value[at], value[at + one], value[at + np.uint64(2)], value[at + np.uint64(3)]
        for x in range(np.uint64(n)):
            low = min(min(v0 + b2[s0 + x], v1 + b2[s1 + x]), min(v2 + b2[s2 + x], v3 + b2[s3 + x]))
            out[x] = min(out[x], low)


@njit(inline="always", **FAST)
def costs_here(v, first, other, table2, offset, skip, n, out):
    """Cost of every offset of signal v given those of its neighbours; neighbours with skip >= 0 are left out."""
    for x in range(n):
        out[x] = 0
    for arc in range(first[v], first[v + 1]):
        w = other[arc]
        if skip[w] >= 0:
            continue
        start = np.uint64(n - offset[w])
        for x in range(np.uint64(n)):
            out[x] += table2[arc, start + x]


@njit(**FAST)
def value_of(tail, head, cost, offset):
    """Sum of all tables at the offsets' differences."""
    n, total = cost.shape[1], np.int64(0)
    for e in range(len(tail)):
        total += cost[e, (offset[head[e]] - offset[tail[e]]) % n]
    return total


@njit(**FAST)
def descend(first, other, table2, order, n_free, offset, max_sweeps):
    """Set one signal after the other to its best offset until none improves; signals from n_free on stay."""
    n = table2.shape[1] // 2
    here, none = np.empty(n, np.int32), np.full(len(offset), -1, np.int32)
    for sweep in range(max_sweeps):
        moved = False
        for i in range(len(order)):
            v = order[i]
            if v >= n_free:
                continue
            costs_here(v, first, other, table2, offset, none, n, here)
            best = offset[v]
            for x in range(n):
                if here[x] < here[best]:
                    best = x
            if best != offset[v]:
                offset[v], moved = best, True
        if not moved:
            return sweep + 1
    return max_sweeps


@njit(inline="always", **FAST)
def _root(leader, v):
    while leader[v] != v:
        leader[v] = leader[leader[v]]
        v = leader[v]
    return v


@njit(**FAST)
def pick_forest(first, other, order, n_free, leader, place, chosen):
    """Take signals in order as long as those taken form no cycle: place[v] = 0 where taken; returns how many."""
    count, roots = 0, np.empty(64, np.int64)
    for i in range(len(order)):
        v = order[i]
        if v >= n_free:
            continue
        known, ok = 0, True
        for arc in range(first[v], first[v + 1]):
            if place[other[arc]] < 0:
                continue
            r = _root(leader, other[arc])
            for k in range(known):
                ok = ok and roots[k] != r
            if known == len(roots):
                ok = False
            if not ok:
                break
            roots[known] = r
            known += 1
        if not ok:
            continue
        leader[v], place[v], chosen[count] = v, 0, v
        for k in range(known):
            leader[roots[k]] = v
        count += 1
    return count


@njit(**FAST)
def solve_forest(first, other, table2, count, offset, work):
    """Set the signals of a forest to their best offsets given all others, by dynamic programming from the leaves.

    work: place (0 for those of the forest, -1 for others; -1 everywhere afterwards), chosen, walk, arc to each signal
    from the one before it, belief (signals, C), message (C,).
    """
    place, chosen, walk, arc_to, belief, message = work
    n = table2.shape[1] // 2
    at_y, of_y = np.empty(n + 4, np.uint64), np.empty(n + 4, np.int32)
    at, end = 0, 0
    for i in range(count):
        if place[chosen[i]] != 0:
            continue
        walk[end], arc_to[chosen[i]], place[chosen[i]] = chosen[i], -1, 1
        end += 1
        while at < end:
            v = walk[at]
            at += 1
            for arc in range(first[v], first[v + 1]):
                w = other[arc]
                if place[w] == 0:
                    walk[end], arc_to[w], place[w] = w, arc, 1 + v
                    end += 1
    for i in range(end):
        costs_here(walk[i], first, other, table2, offset, place, n, belief[walk[i]])
    for i in range(end - 1, -1, -1):
        v = walk[i]
        if arc_to[v] >= 0:
            p = place[v] - 1
            convolve(belief[v], table2[arc_to[v]], n, at_y, of_y, message)
            low = message[0]
            for x in range(n):
                low = min(low, message[x])
            for x in range(n):
                belief[p, x] += message[x] - low
    for i in range(end):
        v = walk[i]
        arc = arc_to[v]
        x_p = offset[place[v] - 1] if arc >= 0 else 0
        best, low = offset[v], np.int64(2**62)
        for k in range(n):
            y = (offset[v] + k) % n  # of equals, the one it has already
            value = np.int64(belief[v, y])
            if arc >= 0:
                value += table2[arc, n + x_p - y]
            if value < low:
                best, low = y, value
        offset[v] = best
    for i in range(end):
        place[walk[i]] = -1


@njit(**FAST)
def local_value(nodes, inside, first, other, table2, offset):
    """Sum of the tables that touch some signals; inside[v] tells whether v is one of them."""
    n, total = table2.shape[1] // 2, np.int64(0)
    for i in range(len(nodes)):
        v = nodes[i]
        for arc in range(first[v], first[v + 1]):
            w = other[arc]
            if not inside[w] or w < v:
                total += table2[arc, n + offset[v] - offset[w]]
    return total


@njit(inline="always", **FAST)
def _draw(state, n):
    """A number below n (xorshift64*, S. Vigna, "An experimental exploration of Marsaglia's xorshift generators")."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.int64((x * np.uint64(2685821657736338717)) >> np.uint64(33)) % n


@njit(**FAST)
def _ball(center, size, n_free, first, other, inside, out):
    """The signals nearest to one, breadth first, up to so many; marks them in `inside`; returns how many."""
    out[0], inside[center] = center, True
    at, end = 0, 1
    while at < end and end < size:
        for arc in range(first[out[at]], first[out[at] + 1]):
            w = other[arc]
            if end < size and w < n_free and not inside[w]:
                out[end], inside[w] = w, True
                end += 1
        at += 1
    return end


@njit(**FAST)
def kick(first, other, table2, n_free, offset, before, inside, leader, work, state, kicks, largest, rounds, warmth):
    """Disturb a neighbourhood and set it anew by forests; keep what is no worse. Returns what was gained in all.

    before (N,) int32, inside (N,) bool all False, leader (N,): working memory; state (1,) uint64.
    """
    n = table2.shape[1] // 2
    place, chosen = work[0], work[1]
    ball, order = np.empty(n_free, np.int32), np.empty(n_free, np.int32)
    gained = np.int64(0)
    for _ in range(kicks):
        core = 1 + _draw(state, largest)
        size = _ball(_draw(state, n_free), min(n_free, 3 * core + 8), n_free, first, other, inside, ball)
        here = ball[:size]
        was = local_value(here, inside, first, other, table2, offset)
        shift = 1 + _draw(state, n - 1)
        for i in range(size):
            before[i] = offset[here[i]]
            if i < core:
                offset[here[i]] = (offset[here[i]] + shift) % n
        for _ in range(rounds):
            for i in range(size):
                j = _draw(state, i + 1)
                order[i] = order[j]
                order[j] = here[i]
            count = pick_forest(first, other, order[:size], n_free, leader, place, chosen)
            solve_forest(first, other, table2, count, offset, work)
        now = local_value(here, inside, first, other, table2, offset)
        bar = -warmth * np.log((1.0 + _draw(state, 1 << 30)) / (1 << 30))
        if now <= was + bar:
            gained += was - now
        else:
            for i in range(size):
                offset[here[i]] = before[i]
        for i in range(size):
            inside[here[i]] = False
    return gained


@njit(inline="always", **FAST)
def _load(row, sign, n, out):
    """A table and itself again, read backwards where the cycle runs against the link."""
    for x in range(n):
        out[x] = row[x] if sign > 0 else row[(n - x) % n]
        out[n + x] = out[x]


@njit(**FAST)
def _marginals(begin, end, slot_edge_sign, phi, n, tables, ahead, behind, marg):
    """Least total cost of a cycle for every value of each of its differences; marg (k, C) in the link's direction."""
    k = end - begin
    at_y, of_y = np.empty(n + 4, np.uint64), np.empty(n + 4, np.int32)
    for i in range(k):
        _load(phi[begin + i], slot_edge_sign[begin + i], n, tables[i])
        for x in range(2 * n):
            if i == 0:
                ahead[0, x] = tables[0, x]
            if i == k - 1:
                behind[i, x] = tables[i, x]
    for i in range(1, k - 1):
        convolve(ahead[i - 1], tables[i], n, at_y, of_y, ahead[i])
        for x in range(n):
            ahead[i, n + x] = ahead[i, x]
    for i in range(k - 2, 0, -1):
        convolve(behind[i + 1], tables[i], n, at_y, of_y, behind[i])
        for x in range(n):
            behind[i, n + x] = behind[i, x]
    rest = ahead[k]  # a row to spare
    for i in range(k):
        if i == 0:
            rest[:n] = behind[1, :n]
        elif i == k - 1:
            rest[:n] = ahead[k - 2, :n]
        else:
            convolve(ahead[i - 1], behind[i + 1], n, at_y, of_y, rest)
        for x in range(n):
            back = (n - x) % n  # the others turn back by what this one turns
            value = tables[i, x] + rest[back]
            marg[i, x if slot_edge_sign[begin + i] > 0 else back] = value


@njit(**FAST)
def ascend(cycle_first, sign, onward, backward, phi, forward, tables, ahead, behind, marg):
    """One walk over all cycles, in order or back: what a cycle can spare moves on to the next one with the same link.

    Returns how much the sum of the cycles' least costs has shown; that much is taken out of phi.
    """
    n, found = phi.shape[1], np.int64(0)
    n_cycle = len(cycle_first) - 1
    for step in range(n_cycle):
        c = step if forward else n_cycle - 1 - step
        begin, end = cycle_first[c], cycle_first[c + 1]
        _marginals(begin, end, sign, phi, n, tables, ahead, behind, marg)
        low = marg[0, 0]
        for x in range(n):
            low = min(low, marg[0, x])
        found += low
        n_on, n_back = 0, 0
        for s in range(begin, end):
            n_on += onward[s] >= 0
            n_back += backward[s] >= 0
        parts = max(n_on, n_back)
        for s in range(begin, end):
            target = onward[s] if forward else backward[s]
            if s == begin:
                for x in range(n):
                    phi[s, x] -= low
            if target < 0:
                continue
            for x in range(n):
                share = min(marg[s - begin, x] - low, CAP) // parts
                phi[s, x] -= share
                phi[target, x] += share
    return found


@njit(**FAST)
def cycle_marginals(cycle_first, sign, phi, tables, ahead, behind, marg, slots):
    """Least total cost of each link's cycle for every value of its difference, all cycles; fills slots (S, C)."""
    for c in range(len(cycle_first) - 1):
        begin, end = cycle_first[c], cycle_first[c + 1]
        _marginals(begin, end, sign, phi, phi.shape[1], tables, ahead, behind, marg)
        for s in range(begin, end):
            slots[s] = marg[s - begin]


@njit(**FAST)
def decode(cycle_first, sign, node, phi, forward, offset, known, tables, behind):
    """Offsets that follow a split of the tables: cycle after cycle, what is open is set as is best for that cycle.

    node (S,): where each slot of a cycle begins. Fills offset and known (N,) bool, which the caller clears but for the
    clock. Signals on no cycle stay unknown.
    """
    n = phi.shape[1]
    at_y, of_y = np.empty(n + 4, np.uint64), np.empty(n + 4, np.int32)
    n_cycle = len(cycle_first) - 1
    for step in range(n_cycle):
        c = step if forward else n_cycle - 1 - step
        begin, k = cycle_first[c], cycle_first[c + 1] - cycle_first[c]
        start = 0
        while start < k and not known[node[begin + start]]:
            start += 1
        if start == k:
            start = 0
            offset[node[begin]], known[node[begin]] = 0, True
        i = 0
        while i < k:
            m = 1  # the way to the next signal that is known, from the one at i
            while not known[node[begin + (start + i + m) % k]]:
                m += 1
            if m > 1:
                for q in range(m):
                    s = begin + (start + i + q) % k
                    _load(phi[s], sign[s], n, tables[q])
                for x in range(2 * n):
                    behind[m - 1, x] = tables[m - 1, x]
                for q in range(m - 2, 0, -1):
                    convolve(behind[q + 1], tables[q], n, at_y, of_y, behind[q])
                    for x in range(n):
                        behind[q, n + x] = behind[q, x]
                v = node[begin + (start + i) % k]
                end = node[begin + (start + i + m) % k]
                for q in range(m - 1):
                    rest = (offset[end] - offset[v]) % n
                    best = 0
                    for y in range(n):
                        if (
                            tables[q, y] + behind[q + 1, n + rest - y]
                            < tables[q, best] + behind[q + 1, n + rest - best]
                        ):
                            best = y
                    w = node[begin + (start + i + q + 1) % k]
                    offset[w], known[w] = (offset[v] + best) % n, True
                    v = w
            i += m
