"""Dynamic programming on trees: the exact best offsets of any signals without a cycle among them, all others held.

Where the whole network is a tree (an arterial, a tree of streets) the answer is the optimum. In other networks a tree
of the links that matter most gives a start, and forests drawn at random, each with more than half of the signals of a
street grid, give steps of a search.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.offsets._kernels import pick_forest, solve_forest
from optimizer.offsets.tables import INTS, OffsetProblem


@dataclass(eq=False)
class Forests:
    """Working memory of steps on forests of one problem."""

    problem: OffsetProblem

    def __post_init__(self) -> None:
        n, width = self.problem.n_node, self.problem.cycle_s
        self.leader = np.zeros(n, np.int32)
        self._place = np.full(n, -1, np.int32)
        self._chosen = np.zeros(n, np.int32)
        memory = (np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros((n, width), np.int32))
        self.work = (self._place, self._chosen, *memory, np.zeros(width, np.int32))

    def step(self, offset: INTS, order: INTS) -> int:
        """Take signals in order as long as they form no cycle, set them to their best offsets, in place.

        Returns how many were set; what they and all others cost together never rises.
        """
        first, other, table2 = self.problem.arcs
        count = pick_forest(first, other, order, self.problem.n_free, self.leader, self._place, self._chosen)
        solve_forest(first, other, table2, count, offset, self.work)
        return int(count)


def spanning_tree_start(problem: OffsetProblem) -> INTS:
    """The best offsets of a tree of links: of all trees the one whose tables range widest.

    The optimum where the problem has no cycles. Signals that are held keep within what is allowed.
    """
    kept = _widest(problem)
    tree = replace(problem, tail=problem.tail[kept], head=problem.head[kept], cost=problem.cost[kept])
    offset = problem.start()
    Forests(tree).step(offset, np.arange(problem.n_free, dtype=np.int32))
    return offset


def _widest(problem: OffsetProblem) -> NDArray[np.int64]:
    """Links of the spanning forest with the widest tables (Kruskal), and all tables against the clock."""
    leader = list(range(problem.n_node))

    def root(v: int) -> int:
        while leader[v] != v:
            leader[v] = leader[leader[v]]
            v = leader[v]
        return v

    kept = np.flatnonzero(problem.head >= problem.n_free).tolist()
    for e in np.argsort(-problem.cost.max(axis=1, initial=0), kind="stable").tolist():
        if problem.head[e] < problem.n_free:
            a, b = root(int(problem.tail[e])), root(int(problem.head[e]))
            if a != b:
                leader[a] = b
                kept.append(e)
    return np.array(sorted(kept), np.int64)
