"""Lower bounds: no offsets can cost less, given the tables.

Each table is split among the short cycles that its link is part of. A cycle's least cost, over differences that add up
to a multiple of the cycle length around it, is found exactly by (min,+) convolution; the sum over all cycles bounds the
cost of every offsets from below, whatever the split. Walks over the cycles improve the split: what a cycle can spare is
handed on to the next one with the same link, forwards and back (the sequential dual ascent of Kolmogorov, "Convergent
tree-reweighted message passing for energy minimization", IEEE PAMI 28, 2006, with cycles in place of nodes).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.offsets._kernels import ascend, cycle_marginals, decode
from optimizer.offsets.cycles import Cycles, short_cycles
from optimizer.offsets.tables import FORBIDDEN, INTS, OffsetProblem

MODEL = "offset tables; cycle and splits fixed"
"""What every bound here bounds, and what is held."""
LITTLE = 1e-5
"""Walks end when a pair of them raises the bound by less than this share of what it is. [-]"""


@dataclass(eq=False)
class CycleBound:
    """A bound that `improve` raises; `value` is valid at any time. [units above the floor]"""

    problem: OffsetProblem

    def __post_init__(self) -> None:
        problem = self.problem
        hub = problem.n_free if problem.has_clock else None
        self.cycles: Cycles = short_cycles(problem.n_node, problem.tail, problem.head, hub=hub)
        link = self.cycles.link
        self._onward, self._backward = _neighbours(link)
        users = np.bincount(link, minlength=len(problem.tail))
        self.phi: INTS = problem.cost[link] // np.maximum(users, 1)[link][:, None]
        first_use = np.flatnonzero(self._backward < 0)
        # what the division left over goes to the first
        used = link[first_use]
        self.phi[first_use] = problem.cost[used] - (users[used] - 1)[:, None] * self.phi[first_use]
        self.value = int(problem.cost[users == 0].min(axis=1, initial=FORBIDDEN).sum()) if (users == 0).any() else 0
        longest = int(np.diff(self.cycles.first).max(initial=1))
        n = problem.cycle_s
        self._work = (*(np.zeros((longest + 1, 2 * n), np.int32) for _ in range(3)), np.zeros((longest, n), np.int32))
        self.walks = 0

    def improve(self, *, walks: int = 200, until: float | None = None, least_share: float = LITTLE) -> int:
        """Walk forwards and back until little is gained; returns the bound.

        Parameters
        ----------
        until : float, optional
            On the clock of time.process_time(); the bound then depends on the machine's speed. [s]
        """
        for _ in range(0, walks, 2):
            before = self.value
            for forward in (True, False):
                self.value += self._walk(forward)
            self.walks += 2
            if self.value - before <= least_share * abs(self.value):
                break
            if until is not None and time.process_time() >= until:
                break
        return self.value

    def _walk(self, forward: bool) -> int:
        c = self.cycles
        return int(ascend(c.first, c.sign, self._onward, self._backward, self.phi, forward, *self._work))

    def offsets(self, *, forward: bool) -> INTS:
        """Offsets that follow the split of the tables, cycle after cycle: a start for a search."""
        problem, c = self.problem, self.cycles
        offset, known = problem.start(), np.zeros(problem.n_node, bool)
        known[problem.n_free :] = True
        decode(c.first, c.sign, c.node, self.phi, forward, offset, known, self._work[0], self._work[2])
        return offset

    def cycle_least(self) -> NDArray[np.int64]:
        """Each cycle's least cost under the split as it stands, beside `value`. [units]"""
        return self._slots_and_least()[1]

    def _slots_and_least(self) -> tuple[INTS, NDArray[np.int64]]:
        slots = np.zeros(self.phi.shape, np.int32)
        cycle_marginals(self.cycles.first, self.cycles.sign, self.phi, *self._work, slots)
        return slots, slots[self.cycles.first[:-1]].min(axis=1).astype(np.int64)

    def least_with(self) -> NDArray[np.int64]:
        """For each link and difference a bound on the cost of all offsets that have it; shape (E, C). [units]"""
        slots, least = self._slots_and_least()
        out = np.zeros(self.problem.cost.shape, np.int64)
        low = np.repeat(least, np.diff(self.cycles.first))
        # a difference costs each of its cycles so much more than their least
        np.add.at(out, self.cycles.link, slots - low[:, None])
        alone = np.bincount(self.cycles.link, minlength=len(out)) == 0
        out[alone] = self.problem.cost[alone]
        return out + self.value + int(least.sum())


def _neighbours(link: INTS) -> tuple[INTS, INTS]:
    """For every slot the next and the previous slot of the same link, -1 where there is none."""
    onward, backward = np.full(len(link), -1, np.int32), np.full(len(link), -1, np.int32)
    last: dict[int, int] = {}
    for slot, e in enumerate(link.tolist()):
        if e in last:
            onward[last[e]], backward[slot] = slot, last[e]
        last[e] = slot
    return onward, backward
