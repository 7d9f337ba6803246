"""A signal program as a sequence of states whose durations may change: every rule becomes a sum of neighbours.

Take the states of a program as given and their durations as unknown. Then minimum greens, yellows, clearances, walks
and longest reds all say that the sum of some consecutive durations (around the cycle) is at least, or at most, a
number of seconds. `Skeleton` holds these sums; retiming a program is moving seconds between its intervals within them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import ClearanceMatrix, foes_of
from network_data.controllers import Controller
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan, Interval

UNBOUNDED_S = 10_000


class Span(NamedTuple):
    """The durations of `length` intervals from `first` on, around the cycle, add up to at least `least` and at most `most`."""

    first: int
    length: int
    least: int
    most: int
    rule: str


@dataclass(frozen=True, eq=False)
class Skeleton:
    """States of one controller with what binds their durations; N intervals, R spans.

    `name` says where it comes from. `stretch` marks the intervals that may be retimed; the others (changes of signal:
    yellow, all-red) keep `start_s`.
    """

    controller_id: str
    name: str
    states: tuple[str, ...]
    start_s: NDArray[np.int64]  # (N,) durations to start from
    stretch: NDArray[np.bool_]  # (N,)
    member: NDArray[np.int8]  # (R, N), 1 where the interval counts in the span
    least_s: NDArray[np.int64]  # (R,)
    most_s: NDArray[np.int64]  # (R,)
    rules: tuple[str, ...]  # (R,)

    def allows(self, durations_s: NDArray[np.int64]) -> bool:
        """Whether the durations keep every span."""
        if (durations_s < 1).any():
            return False
        sums = self.member @ durations_s
        return bool((sums >= self.least_s).all() and (sums <= self.most_s).all())

    def broken(self, durations_s: NDArray[np.int64]) -> list[str]:
        """The rules that durations break, in words."""
        sums = self.member @ durations_s
        return [
            f"{rule}: {value} s, needs {low} to {high} s"
            for rule, value, low, high in zip(self.rules, sums, self.least_s, self.most_s, strict=True)
            if not low <= value <= high
        ]

    def plan(self, durations_s: NDArray[np.int64], offset_s: int, program_id: str = "its") -> ControllerPlan:
        """The timing with these durations."""
        intervals = tuple(Interval(float(d), state) for d, state in zip(durations_s, self.states, strict=True))
        cycle = int(durations_s.sum())
        return ControllerPlan(
            controller_id=self.controller_id,
            program_id=program_id,
            offset_s=float(offset_s % cycle),
            intervals=intervals,
        )


def _runs(states: tuple[str, ...], index: int, letters: str) -> list[tuple[int, int]]:
    """Maximal runs (first, length) of intervals in which the link index shows one of the letters, around the cycle."""
    n = len(states)
    inside = [state[index] in letters for state in states]
    if all(inside):
        return [(0, n)]
    out = []
    for i in range(n):
        if inside[i] and not inside[i - 1]:
            length = next(k for k in range(1, n + 1) if not inside[(i + k) % n])
            out.append((i, length))
    return out


def _change_spans(states: tuple[str, ...], i: int, j: int, clearance_s: int) -> list[Span]:
    """From each end of green of i to the next green of j, unless i turns green before."""
    n, out = len(states), []
    for first, length in _runs(states, i, GREEN):
        if length == n:
            continue
        end = (first + length) % n
        if states[end - 1][j] in GREEN and states[end][j] in GREEN:
            continue  # they ran together: no change from one to the other
        for k in range(n):
            state = states[(end + k) % n]
            if state[i] in GREEN:
                break
            if state[j] in GREEN:
                out.append(Span(end, k, clearance_s, UNBOUNDED_S, f"clearance from {i} to {j}"))
                break
    return out


def _protected_span(controller: Controller, states: tuple[str, ...], index: int, least_s: int) -> list[Span]:
    """The longest run of intervals in which a link index has G and yields to nobody; none where it has no such run."""
    shown = tuple(
        "G"
        if state[index] == "G"
        and not any(i == index and j < len(state) and state[j] in GREEN for i, j in controller.yields)
        else "-"
        for state in states
    )
    runs = _runs(shown, 0, "G")
    if not runs or runs[0][1] == len(states):
        return []
    first, length = max(
        runs, key=lambda run: (any(is_steady(states[(run[0] + k) % len(states)]) for k in range(run[1])), run[1])
    )
    return [Span(first, length, least_s, UNBOUNDED_S, f"protected green of {index}")]


def _walk_span(states: tuple[str, ...], index: int, run: tuple[int, int], foes: tuple[int, ...], least_s: int) -> Span:
    """From the begin of a crossing's green to the next start of a conflicting green."""
    n, (first, length) = len(states), run
    reach = length
    while reach < n:
        i = (first + reach) % n
        if any(states[i][j] in GREEN and states[i - 1][j] not in GREEN for j in foes):
            break
        reach += 1
    return Span(first, reach, least_s, UNBOUNDED_S, f"walk of {index}")


def spans_of(
    controller: Controller,
    states: tuple[str, ...],
    matrix: ClearanceMatrix,
    *,
    max_red_s: float,
    field_red_s: NDArray[np.float64],
    walk_s: NDArray[np.float64],
    protected_s: Mapping[int, float],
) -> list[Span]:
    """Every sum of durations that the rules bind.

    Parameters
    ----------
    max_red_s : float
        Longest red allowed. [s]
    field_red_s : ndarray, shape (H,)
        Longest red of each link index in the field: never refused. [s]
    walk_s : ndarray, shape (H,)
        Of crossings: least time from their green to the next start of a conflicting green; 0 elsewhere. [s]
    protected_s : mapping
        Link index → least length of a protected green on end. [s]
    """
    n, spans = len(states), []
    foes = foes_of(frozenset((i, j) for i, j in matrix.pairs if i < j))
    for k, head in enumerate(controller.heads):
        if k >= len(states[0]):
            continue
        least_green = math.ceil(matrix.min_green_s[k] - 1e-9)
        for first, length in _runs(states, k, GREEN):
            if length < n:
                spans.append(Span(first, length, least_green, UNBOUNDED_S, f"least green of {k}"))
                if walk_s[k] > 0:
                    span = _walk_span(states, k, (first, length), foes.get(k, ()), math.ceil(walk_s[k] - 1e-9))
                    spans.append(span)
        for first, length in _runs(states, k, YELLOW):
            if states[first - 1][k] in GREEN:
                yellow = math.ceil(matrix.yellow_s[k] - 1e-9)
                spans.append(Span(first, length, yellow, UNBOUNDED_S, f"yellow of {k}"))
        if head.kind == "dead":
            continue
        longest = math.floor(max(max_red_s, field_red_s[k]))
        for first, length in _red_runs(states, k):
            spans.append(Span(first, length, 0, longest, f"longest red of {k}"))
    for k, least_s in protected_s.items():
        spans += _protected_span(controller, states, k, math.ceil(least_s - 1e-9))
    for i, j in sorted(matrix.pairs):
        spans += _change_spans(states, i, j, math.ceil(matrix[i, j] - 1e-9))
    return spans


def _red_runs(states: tuple[str, ...], index: int) -> list[tuple[int, int]]:
    """Closed runs of a link index, without the yellow directly behind a green."""
    n, out = len(states), []
    closed = "".join(sorted({letter for state in states for letter in state[index] if letter not in OPEN}))
    for first, length in _runs(states, index, closed):
        if length == n:
            continue
        skip = 0
        while skip < length and states[(first + skip) % n][index] in YELLOW:
            skip += 1
        if skip < length:
            out.append(((first + skip) % n, length - skip))
    return out


def stop_span(states: tuple[str, ...], durations_s: list[int], heads: list[int], least_s: int) -> Span | None:
    """The longest time in which all of some link indices stand still lasts at least so long; None where they never do."""
    n = len(states)
    still = "".join("s" if all(state[k] in "ruR" for k in heads) else "-" for state in states)
    runs = _runs(tuple(still), 0, "s")
    if not runs or runs[0][1] == n:
        return None
    first, length = max(runs, key=lambda run: sum(durations_s[(run[0] + k) % n] for k in range(run[1])))
    return Span(first, length, least_s, UNBOUNDED_S, f"assumed crossing before {heads}")


def skeleton_of(
    name: str,
    controller_id: str,
    states: tuple[str, ...],
    durations_s: list[int],
    stretch: list[bool],
    spans: list[Span],
) -> Skeleton:
    """Lay spans out as a matrix; duplicates are joined to the tightest."""
    tightest: dict[tuple[int, int], tuple[int, int, str]] = {}
    for span in spans:
        low, high, rule = tightest.get((span.first, span.length), (0, UNBOUNDED_S, ""))
        words = span.rule if span.least > low or not rule else rule
        tightest[span.first, span.length] = (max(low, span.least), min(high, span.most), words)
    n = len(states)
    member = np.zeros((len(tightest), n), np.int8)
    for row, (first, length) in enumerate(tightest):
        member[row, [(first + k) % n for k in range(length)]] = 1
    return Skeleton(
        controller_id=controller_id,
        name=name,
        states=states,
        start_s=np.array(durations_s, np.int64),
        stretch=np.array(stretch, bool),
        member=member,
        least_s=np.array([low for low, _, _ in tightest.values()], np.int64),
        most_s=np.array([high for _, high, _ in tightest.values()], np.int64),
        rules=tuple(rule for _, _, rule in tightest.values()),
    )


def is_steady(state: str) -> bool:
    """Whether a state is one to stay in: somebody has green and nobody yellow."""
    return any(letter in GREEN for letter in state) and not any(letter in YELLOW for letter in state)
