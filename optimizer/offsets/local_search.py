"""Iterated local search: disturb a neighbourhood, set it anew by dynamic programming on forests, keep what is better.

What is worse by little is kept too at first, and less and less of it later (annealing): offsets of neighbourhoods that
wind around the cycle in other ways are separated by worse ones.
"""

from __future__ import annotations

import time

import numpy as np

from optimizer.offsets._kernels import kick
from optimizer.offsets.tables import INTS, OffsetProblem
from optimizer.offsets.tree import Forests

LARGEST = 12
"""Most signals that a kick turns by the same seconds."""
ROUNDS = 3
"""Forests per kick."""
WARMTH = (2.0, 0.2)
"""What a kick may make worse, first and last, in shares of the mean cost of a signal. [-]"""
CHUNKS = 100
"""Steps in which the warmth falls."""


class LocalSearch:
    """Searches on one problem; the same seed and number of kicks find the same offsets."""

    def __init__(self, problem: OffsetProblem, *, seed: int) -> None:
        self.problem = problem
        self._forests = Forests(problem)
        rng = np.random.default_rng(seed)
        self._state = rng.integers(1, 2**63, 1, np.uint64)
        self._rng = rng
        n = problem.n_node
        self._memory = (np.zeros(n, np.int32), np.zeros(n, bool))

    def polish(self, offset: INTS, steps: int) -> INTS:
        """So many steps on forests of signals drawn at random."""
        out = offset.copy()
        for _ in range(steps):
            self._forests.step(out, self._rng.permutation(self.problem.n_free).astype(np.int32))
        return out

    def anneal(
        self,
        start: INTS,
        *,
        kicks: int,
        least: int = 0,
        warmth: tuple[float, float] = WARMTH,
        until: float | None = None,
    ) -> INTS:
        """Offsets no worse than the start's.

        Parameters
        ----------
        kicks : int
            How many; a tenth of them in the end without any warmth.
        least : int
            Stop where this cost is reached: a bound. [units]
        until : float, optional
            On the clock of time.process_time(): the warmth falls with time where that is shorter; what is found then
            depends on the machine's speed. [s]
        """
        problem = self.problem
        offset, value = start.copy(), problem.value(start)
        best, best_value = offset.copy(), value
        began_s = time.process_time()
        per_signal = max(1.0, value / max(1, problem.n_free))
        done = 0
        while done < kicks and best_value > least:
            share = done / kicks
            if until is not None:
                share = max(share, (time.process_time() - began_s) / max(1e-9, until - began_s))
                if share >= 1:
                    break
            cold = share >= 0.9
            if cold and value > best_value and done:
                offset, value = best.copy(), best_value
            heat = 0.0 if cold else per_signal * warmth[0] * (warmth[1] / warmth[0]) ** (share / 0.9)
            chunk = min(kicks - done, max(1, kicks // CHUNKS), 250)
            value -= self._kick(offset, chunk, heat)
            done += chunk
            if value < best_value:
                best, best_value = offset.copy(), value
        return best

    def _kick(self, offset: INTS, kicks: int, heat: float) -> int:
        first, other, table2 = self.problem.arcs
        forests, (before, inside) = self._forests, self._memory
        free = self.problem.n_free
        gained = kick(
            first, other, table2, free, offset, before, inside, forests.leader, forests.work, self._state, kicks,
            LARGEST, ROUNDS, heat,
        )  # fmt: skip
        return int(gained)
