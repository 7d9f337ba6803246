"""Branch and bound for small networks: the cycle bound again and again, with fewer differences allowed each time.

A node allows some differences of each link. Its bound starts from its parent's split of the tables; differences that
cost more than the best offsets known are ruled out, and one link's remaining ones are halved. What has the lowest bound
is looked at next, so the bound of the whole rises step by step.
"""

from __future__ import annotations

import copy
import heapq
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.descent import coordinate_descent
from optimizer.offsets.tables import FORBIDDEN, INTS, OffsetProblem

MOST_NODES = 4_000
NODE_WALKS = 24
LEAST_SHARE = 1e-4


@dataclass(eq=False)
class _Node:
    bound: CycleBound
    allowed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Branched:
    """The best offsets found, a bound on all, and how many nodes it took. [units]"""

    offset: INTS
    value: int
    bound: int
    nodes: int

    @property
    def proven(self) -> bool:
        """Whether the offsets are the best."""
        return self.value <= self.bound


def branch_and_bound(
    problem: OffsetProblem, root: CycleBound, known: INTS, *, most_nodes: int = MOST_NODES, until: float | None = None
) -> Branched:
    """Better offsets than those known or the proof that there are none, as far as the number of nodes goes.

    Parameters
    ----------
    root : CycleBound
        Improved already; it is left as it is.
    until : float, optional
        On the clock of time.process_time(); how far it comes then depends on the machine's speed. [s]
    """
    best, value = known.copy(), problem.value(known)
    queue: list[tuple[int, int, _Node]] = []
    made = 0
    first = _Node(_copied(root), problem.cost < FORBIDDEN)
    if root.value < value:
        heapq.heappush(queue, (root.value, 0, first))
    while queue and made < most_nodes and (until is None or time.process_time() < until):
        least, _, node = heapq.heappop(queue)
        if least >= value:
            queue.clear()
            break
        for child in _children(problem, node, value):
            made += 1
            child.bound.improve(walks=NODE_WALKS, least_share=LEAST_SHARE)
            found = coordinate_descent(problem, child.bound.offsets(forward=bool(made % 2)))
            if problem.value(found) < value:
                best, value = found, problem.value(found)
            if child.bound.value < value:
                heapq.heappush(queue, (child.bound.value, made, child))
    open_least = min((entry[0] for entry in queue), default=value)
    return Branched(best, value, min(value, max(root.value, open_least)), made)


def _copied(bound: CycleBound) -> CycleBound:
    out = copy.copy(bound)
    out.phi = bound.phi.copy()
    return out


def _children(problem: OffsetProblem, node: _Node, ceiling: int) -> list[_Node]:
    """Two nodes that share what may still be better than the ceiling; fewer where nothing may."""
    allowed = node.allowed & (node.bound.least_with() < ceiling)
    sizes = allowed.sum(axis=1)
    if (sizes == 0).any():
        return []
    looped = np.bincount(node.bound.cycles.link, minlength=len(sizes)) > 0
    link = int(np.argmax(np.where(looped, sizes, 0)))
    if not looped[link] or sizes[link] < 2:
        return [_restricted(problem, node, allowed)] if (allowed != node.allowed).any() else []
    out = []
    for half in _halves(np.flatnonzero(allowed[link]), problem.cycle_s):
        mine = allowed.copy()
        mine[link] = False
        mine[link, half] = True
        out.append(_restricted(problem, node, mine))
    return out


def _halves(values: NDArray[np.int64], cycle_s: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two runs around the cycle, cut where the values lie farthest apart and again in the middle."""
    gaps = np.diff(np.append(values, values[0] + cycle_s))
    turned = np.roll(values, -(int(np.argmax(gaps)) + 1))
    return turned[: len(turned) // 2], turned[len(turned) // 2 :]


def _restricted(problem: OffsetProblem, node: _Node, allowed: NDArray[np.bool_]) -> _Node:
    """A copy of the node's bound in which what is no longer allowed costs more than anything."""
    bound = _copied(node.bound)
    links, differences = np.nonzero(node.allowed & ~allowed)
    slot_of = np.full(len(problem.tail), -1)
    slot_of[bound.cycles.link[::-1]] = np.arange(len(bound.cycles.link))[::-1]
    slots = slot_of[links]
    bound.phi[slots[slots >= 0], differences[slots >= 0]] += FORBIDDEN
    return _Node(bound, allowed)
