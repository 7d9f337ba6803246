"""A signal program as a table of letters over time: the questions that the rules ask of it.

All answers read the program as a cycle: interval 0 follows the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan


class Change(NamedTuple):
    """One change from a link index to a conflicting one, as a program shows it."""

    ends: int  # link index whose green ends
    starts: int  # link index that turns green next
    from_interval: int  # first interval after the green
    to_interval: int  # first interval of the new green
    clearance_s: float


class Run(NamedTuple):
    """A time in which a link index stays within some letters: from the start of interval `first` on. [s]"""

    first: int
    duration_s: float
    start_s: float


class ProgramTable:
    """The intervals of a program, prepared for the questions of the rules.

    Parameters
    ----------
    plan : ControllerPlan
        The program.
    least : bool
        Take the stated minima of an actuated program as durations: the shortest times it can show.
    """

    def __init__(self, plan: ControllerPlan, *, least: bool = False) -> None:
        self.plan = plan
        durations = [interval.duration_s for interval in plan.intervals]
        if least and plan.actuated:
            minima = plan.min_durations_s or (None,) * len(durations)
            durations = [d if m is None else m for d, m in zip(durations, minima, strict=True)]
        self.durations_s = durations
        self.states = [interval.state for interval in plan.intervals]
        self.n_heads = len(self.states[0])

    @property
    def n_intervals(self) -> int:
        """Number of intervals."""
        return len(self.states)

    @cached_property
    def starts_s(self) -> list[float]:
        """Start of each interval in cycle time. [s]"""
        starts, now = [], 0.0
        for duration in self.durations_s:
            starts.append(now)
            now += duration
        return starts

    @cached_property
    def greens(self) -> NDArray[np.bool_]:
        """(N, H): whether the link index is green in the interval."""
        return np.array([[letter in GREEN for letter in state] for state in self.states])

    @cached_property
    def ahead(self) -> NDArray[np.int64]:
        """(N, H): intervals from the start of interval n on until the link index is green (0: it is; N: never)."""
        n = self.n_intervals
        out = np.full((n, self.n_heads), n, dtype=np.int64)
        following = out[0]
        for turn in range(2 * n):
            i = n - 1 - turn % n
            following = np.where(self.greens[i], 0, np.minimum(following + 1, n))
            out[i] = following
        return out

    def letter_changes(self, index: int) -> Iterator[tuple[int, str, str]]:
        """(interval, letter before it, letter in it) of every change of letter of a link index."""
        for n, state in enumerate(self.states):
            before, after = self.states[n - 1][index], state[index]
            if before != after:
                yield n, before, after

    def hold_s(self, first: int, index: int, letters: str) -> float:
        """Seconds for which a link index stays within the letters from interval `first` on; at most one cycle."""
        total = 0.0
        for step in range(self.n_intervals):
            n = (first + step) % self.n_intervals
            if self.states[n][index] not in letters:
                break
            total += self.durations_s[n]
        return total

    def runs(self, index: int, letters: str) -> list[Run]:
        """Maximal times within the letters; none where the link index never leaves (or never enters) them."""
        return [
            Run(n, self.hold_s(n, index, letters), self.starts_s[n])
            for n, before, after in self.letter_changes(index)
            if before not in letters and after in letters
        ]

    def time_of_s(self, index: int, letters: str) -> float:
        """Seconds per cycle within the letters."""
        return sum(d for d, state in zip(self.durations_s, self.states, strict=True) if state[index] in letters)

    def yellow_s(self, index: int) -> float | None:
        """Shortest yellow behind a green, None where there is none."""
        times = [
            self.hold_s(n, index, YELLOW)
            for n, before, after in self.letter_changes(index)
            if before in GREEN and after in YELLOW
        ]
        return min(times, default=None)

    def longest_red_s(self, index: int) -> float:
        """Longest time closed, without the yellow directly behind a green; 0 where never or always open."""
        worst = 0.0
        for n, before, after in self.letter_changes(index):
            if before in OPEN and after not in OPEN:
                closed = "".join(set("gGyYrRusoO") - set(OPEN))
                worst = max(worst, self.hold_s(n, index, closed) - self.hold_s(n, index, YELLOW))
        return worst

    def between_s(self, first: int, until: int) -> float:
        """Seconds from the start of one interval to the next start of another (0 for the same)."""
        steps = (until - first) % self.n_intervals
        return sum(self.durations_s[(first + step) % self.n_intervals] for step in range(steps))

    def changes(self, foes: Mapping[int, tuple[int, ...]]) -> Iterator[Change]:
        """Every change i → j of foes: the green of i ends and j turns green before i does again.

        A foe that is green before and after i ends is none: the two run side by side.
        """
        for s in range(self.n_intervals):
            before, after = self.greens[s - 1], self.greens[s]
            for i in np.flatnonzero(before & ~after).tolist():
                for j in foes.get(i, ()):
                    steps = int(self.ahead[s, j])
                    if steps >= int(self.ahead[s, i]) or (before[j] and after[j]):
                        continue
                    to = (s + steps) % self.n_intervals
                    yield Change(i, j, s, to, sum(self.durations_s[(s + x) % self.n_intervals] for x in range(steps)))
