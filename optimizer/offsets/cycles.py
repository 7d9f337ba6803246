"""Short cycles of a network of links: around each, the differences of offsets add up to a multiple of the cycle length.

Triangles and blocks of four are taken as they are found; where they do not generate all cycles, the shortest ones
through pairs of links at a signal are added, and the cycles of a spanning tree for what is then still missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST = 12
"""Cycles through pairs of links are looked for up to this length. [links]"""

Walk = tuple[int, ...]
"""The nodes around a cycle, each once."""


@dataclass(frozen=True, eq=False)
class Cycles:
    """Cycles one behind the other: the links of cycle c are slots first[c] to first[c + 1].

    `node` is where each begins, `sign` is 1 where the
    cycle runs from the link's tail to its head. `complete`: whether the differences of links are
    those of offsets as soon as they add up to a multiple of the cycle length around each.
    """

    first: NDArray[np.int32]
    node: NDArray[np.int32]
    link: NDArray[np.int32]
    sign: NDArray[np.int32]
    complete: bool

    def __len__(self) -> int:
        return len(self.first) - 1


def short_cycles(n_node: int, tail: NDArray[np.int32], head: NDArray[np.int32], *, hub: int | None = None) -> Cycles:
    """Cycles that generate all others, short ones first; of `hub` (a node with many links) triangles only.

    Parameters
    ----------
    tail, head : ndarray, shape (E,)
        The two ends of every link; no two links have the same ends.
    """
    link_of = {(int(a), int(b)): e for e, (a, b) in enumerate(zip(tail, head, strict=True))}
    near: list[set[int]] = [set() for _ in range(n_node)]
    for a, b in link_of:
        near[a].add(b)
        near[b].add(a)
    trees = _spanning(near)
    wanted = len(link_of) - sum(parent >= 0 for parent in trees)
    rows = _Rows()
    chosen = []
    for walk in sorted(_blocks(near, hub), key=lambda walk: (len(walk), walk)):
        rows.add(_mask(walk, link_of))
        chosen.append(walk)  # those that follow from others sharpen the bound all the same
    if len(rows) < wanted:
        chosen += _missing(sorted(_longer(near, hub), key=lambda walk: (len(walk), walk)), link_of, rows, wanted)
    if len(rows) < wanted:
        chosen += _missing(_tree_cycles(trees, link_of), link_of, rows, wanted)
    order = sorted(chosen, key=lambda walk: (min(walk), sorted(walk)))
    return _laid_out(order, link_of, complete=len(rows) == wanted and _generate_whole(order, link_of, wanted))


class _Rows:
    """Sets of links as bits, reduced: does a new one follow from those before (modulo 2)?"""

    def __init__(self) -> None:
        self._by_pivot: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._by_pivot)

    def add(self, mask: int) -> bool:
        """Take a set in; False where it is a sum of earlier ones."""
        while mask:
            pivot = mask & -mask
            if pivot not in self._by_pivot:
                self._by_pivot[pivot] = mask
                return True
            mask ^= self._by_pivot[pivot]
        return False


def _steps(walk: Walk) -> Iterable[tuple[int, int]]:
    return zip(walk, (*walk[1:], walk[0]), strict=True)


def _links(walk: Walk, link_of: dict[tuple[int, int], int]) -> list[tuple[int, int]]:
    """Links around a cycle with their signs."""
    return [(link_of[a, b], 1) if (a, b) in link_of else (link_of[b, a], -1) for a, b in _steps(walk)]


def _mask(walk: Walk, link_of: dict[tuple[int, int], int]) -> int:
    return sum(1 << e for e, _ in _links(walk, link_of))


def _blocks(near: Sequence[set[int]], hub: int | None) -> set[Walk]:
    """All triangles, and all cycles of four without a shortcut; each from its lowest node on."""
    out: set[Walk] = set()
    for v, around in enumerate(near):
        later = sorted(w for w in around if w > v)
        for i, a in enumerate(later):
            for b in later[i + 1 :]:
                if b in near[a]:
                    out.add((v, a, b))
                elif hub not in (a, b):
                    out |= {(v, a, x, b) for x in near[a] & near[b] if x > v and x != hub and x not in around}
    return out


def _longer(near: Sequence[set[int]], hub: int | None) -> set[Walk]:
    """Shortest cycles of five links or more through each two links that meet at a node."""
    out: set[Walk] = set()
    for v, around in enumerate(near):
        if v == hub:
            continue
        ordered = sorted(w for w in around if w != hub)
        for i, a in enumerate(ordered):
            back = _reached(near, a, {v, hub} if hub is not None else {v})
            for b in ordered[i + 1 :]:
                if b in back:
                    walk = [b]
                    while walk[-1] != a:
                        walk.append(back[walk[-1]])
                    if len(walk) >= 4:
                        out.add(_from_lowest((v, *reversed(walk))))
    return out


def _reached(near: Sequence[set[int]], start: int, avoided: set[int]) -> dict[int, int]:
    """Breadth first: each node within reach → the node before it."""
    back, depth, queue = {start: start}, {start: 0}, deque([start])
    while queue:
        v = queue.popleft()
        if depth[v] >= LONGEST - 2:
            break
        for w in sorted(near[v]):
            if w not in back and w not in avoided:
                back[w], depth[w] = v, depth[v] + 1
                queue.append(w)
    return back


def _from_lowest(walk: Walk) -> Walk:
    """The same cycle from its lowest node on, towards the lower of its neighbours."""
    at = walk.index(min(walk))
    turned = walk[at:] + walk[:at]
    return turned if turned[1] < turned[-1] else (turned[0], *reversed(turned[1:]))


def _missing(walks: Iterable[Walk], link_of: dict[tuple[int, int], int], rows: _Rows, wanted: int) -> list[Walk]:
    """Those that do not follow from the ones before."""
    out = []
    for walk in walks:
        if len(rows) >= wanted:
            break
        if rows.add(_mask(walk, link_of)):
            out.append(walk)
    return out


def _spanning(near: Sequence[set[int]]) -> list[int]:
    """Parents in spanning trees, breadth first; -1 at roots."""
    parent = [-2] * len(near)
    for start in range(len(near)):
        if parent[start] != -2:
            continue
        parent[start], queue = -1, deque([start])
        while queue:
            v = queue.popleft()
            for w in sorted(near[v]):
                if parent[w] == -2:
                    parent[w] = v
                    queue.append(w)
    return parent


def _tree_cycles(parent: Sequence[int], link_of: dict[tuple[int, int], int]) -> Iterable[Walk]:
    """For each link outside the trees the cycle that it closes."""

    def path(v: int) -> list[int]:
        out = [v]
        while parent[out[-1]] >= 0:
            out.append(parent[out[-1]])
        return out

    for a, b in link_of:
        if parent[a] == b or parent[b] == a:
            continue
        up_a, up_b = path(a), path(b)
        while len(up_a) > 1 and len(up_b) > 1 and up_a[-2] == up_b[-2]:
            up_a.pop()
            up_b.pop()
        yield tuple(up_a + up_b[-2::-1])


def _generate_whole(walks: Sequence[Walk], link_of: dict[tuple[int, int], int], wanted: int) -> bool:
    """Whether the cycles generate all others with whole numbers, not modulo 2 only: true if they can be taken away one
    after the other, each with a link that no other one left has."""
    users: dict[int, set[int]] = {}
    links = [[e for e, _ in _links(walk, link_of)] for walk in walks]
    for c, own in enumerate(links):
        for e in own:
            users.setdefault(e, set()).add(c)
    lonely = [e for e, cs in users.items() if len(cs) == 1]
    taken = 0
    while lonely:
        e = lonely.pop()
        if len(users[e]) != 1:
            continue
        (c,) = users[e]
        taken += 1
        for other in links[c]:
            users[other].discard(c)
            if len(users[other]) == 1:
                lonely.append(other)
    return taken >= wanted


def _laid_out(walks: Sequence[Walk], link_of: dict[tuple[int, int], int], *, complete: bool) -> Cycles:
    rows = [_links(walk, link_of) for walk in walks]
    flat = [slot for row in rows for slot in row]
    return Cycles(
        first=np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32),
        node=np.array([v for walk in walks for v in walk], np.int32),
        link=np.array([e for e, _ in flat], np.int32),
        sign=np.array([s for _, s in flat], np.int32),
        complete=complete,
    )
