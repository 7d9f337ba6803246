"""Parts of a weighted graph, bounded in size, with as much weight inside as a deterministic greedy search finds."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

MOST_PASSES = 20
"""Sweeps of moves over all nodes; few are ever needed. [-]"""
Neighbours = list[dict[int, float]]


def partition(n: int, weight: Mapping[tuple[int, int], float], *, most: int, least: int = 1) -> list[list[int]]:
    """Cut nodes 0 … n-1 into connected parts.

    Parameters
    ----------
    n : int
        Number of nodes.
    weight : mapping
        (i, j) → weight above 0 of an undirected edge; each pair once.
    most : int
        Largest size of a part.
    least : int
        Parts below it join the neighbour they are tied to most, where that has room.

    Returns
    -------
    list of list of int
        Every node in one part; parts are connected by edges and sorted by their first node.

    Notes
    -----
    Parts grow from single nodes by joining, time and again, the two with the most weight between them over the
    geometric mean of their sizes (so that large parts do not swallow all others first). Then single nodes
    move to the part they are tied to most, as long as that takes weight from between the parts, leaves connected what
    they left, and there is room.
    """
    near = _neighbours(n, weight)
    part = _joined(near, most)
    _moved(near, part, most)
    _filled(near, part, most, least)
    members: dict[int, list[int]] = {}
    for i in range(n):
        members.setdefault(part[i], []).append(i)
    return list(members.values())


def _neighbours(n: int, weight: Mapping[tuple[int, int], float]) -> Neighbours:
    near: Neighbours = [{} for _ in range(n)]
    for (i, j), w in sorted(weight.items()):
        near[i][j] = near[j][i] = near[i].get(j, 0.0) + w
    return near


def _joined(near: Neighbours, most: int) -> list[int]:
    """Part of each node after all joins; parts are named by a node in them."""
    n = len(near)
    tied = [dict(row) for row in near]  # of parts that still stand
    size, into = [1] * n, list(range(n))
    heap = [(-w, i, j, 2) for i in range(n) for j, w in near[i].items() if i < j]
    heapq.heapify(heap)
    while heap:
        _, a, b, together = heapq.heappop(heap)
        stale = into[a] != a or into[b] != b or size[a] + size[b] != together
        if stale or together > most:
            continue
        if len(tied[a]) < len(tied[b]):
            a, b = b, a
        into[b], size[a] = a, together
        for c, w in tied[b].items():
            del tied[c][b]
            if c != a:
                tied[a][c] = tied[c][a] = tied[a].get(c, 0.0) + w
        tied[b] = {}
        for c, w in tied[a].items():
            if size[a] + size[c] <= most:
                key = -w / (size[a] * size[c]) ** 0.5
                heapq.heappush(heap, (key, min(a, c), max(a, c), size[a] + size[c]))
    return [_root(into, i) for i in range(n)]


def _root(into: list[int], i: int) -> int:
    while into[i] != i:
        into[i] = into[into[i]]
        i = into[i]
    return i


def _moved(near: Neighbours, part: list[int], most: int) -> None:
    """Move single nodes between parts, in place, until nothing is gained."""
    members: dict[int, set[int]] = {}
    for i, p in enumerate(part):
        members.setdefault(p, set()).add(i)
    todo: Iterable[int] = range(len(near))
    for _ in range(MOST_PASSES):
        again: set[int] = set()
        for i in todo:
            target = _better(near, part, members, i, most)
            if target is not None:
                members[part[i]].discard(i)
                members[target].add(i)
                part[i] = target
                again |= {i, *near[i]}
        if not again:
            return
        todo = sorted(again)


def _better(near: Neighbours, part: list[int], members: dict[int, set[int]], i: int, most: int) -> int | None:
    """The part with room that a node is tied to more than to its own, if that holds together without it."""
    ties = _ties(near, part, i)
    here = ties.pop(part[i], 0.0)
    open_to = [(w, -p) for p, w in ties.items() if len(members[p]) < most and w > here * (1 + 1e-12)]
    if not open_to or not _connected(near, members[part[i]] - {i}):
        return None
    return -max(open_to)[1]


def _ties(near: Neighbours, part: list[int], i: int) -> dict[int, float]:
    ties: dict[int, float] = {}
    for j, w in near[i].items():
        ties[part[j]] = ties.get(part[j], 0.0) + w
    return ties


def _connected(near: Neighbours, nodes: set[int]) -> bool:
    if not nodes:
        return True
    seen, stack = set(), [next(iter(nodes))]
    while stack:
        i = stack.pop()
        if i not in seen:
            seen.add(i)
            stack += [j for j in near[i] if j in nodes and j not in seen]
    return len(seen) == len(nodes)


def _filled(near: Neighbours, part: list[int], most: int, least: int) -> None:
    """Let parts that are too small join others, smallest first, in place."""
    if least <= 1:
        return
    members: dict[int, set[int]] = {}
    for i, p in enumerate(part):
        members.setdefault(p, set()).add(i)
    small = sorted((p for p in members if len(members[p]) < least), key=lambda p: (len(members[p]), min(members[p])))
    for p in small:
        if p not in members or len(members[p]) >= least:
            continue
        ties: dict[int, float] = {}
        for i in sorted(members[p]):
            for q, w in _ties(near, part, i).items():
                ties[q] = ties.get(q, 0.0) + w
        ties.pop(p, None)
        room = [(w, -q) for q, w in ties.items() if len(members[q]) + len(members[p]) <= most]
        if room:
            target = -max(room)[1]
            for i in members[p]:
                part[i] = target
            members[target] |= members.pop(p)
