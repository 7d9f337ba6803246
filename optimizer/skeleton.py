"""A signal program as a sequence of states whose durations may change: every rule becomes a sum of neighbours.

Take the states of a program as given and their durations as unknown. Then minimum greens, yellows, clearances, walks
and longest reds all say that the sum of some consecutive durations (around the cycle) is at least, or at most, a
number of seconds. `Skeleton` holds these sums; retiming a program is moving seconds between its intervals within them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import ClearanceMatrix, foes_of
from network_data.controllers import Controller
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan, Interval

UNBOUNDED_S = 10_000


class RuleName(NamedTuple):
    """One rule at one place: its name in `check_plan`, the link indices it is about, and what else tells it apart."""

    rule: str
    heads: tuple[int, ...] = ()
    what: str = ""

    def __str__(self) -> str:
        where = " to ".join(map(str, self.heads)) if self.rule == "clearance" else ", ".join(map(str, self.heads))
        return " ".join(part for part in (self.what or self.rule, f"of {where}" if where else "") if part)


class Span(NamedTuple):
    """The durations of `length` intervals from `first` on, around the cycle, add up to `least` to `most` seconds."""

    first: int
    length: int
    least: int
    most: int
    rule: RuleName


class Sum(NamedTuple):
    """The durations of some intervals add up to `least` to `most` seconds."""

    intervals: tuple[int, ...]
    least: int
    most: int
    rule: RuleName


@dataclass(frozen=True, eq=False)
class Skeleton:
    """States of one controller with what binds their durations; N intervals, R spans.

    `name` says where it comes from. `stretch` marks the intervals that may be retimed; the others (changes of signal:
    yellow, all-red) keep `start_s`. Each row of `member` is bound from below or from above, never both.
    """

    controller_id: str
    name: str
    states: tuple[str, ...]
    start_s: NDArray[np.int64]  # (N,) durations to start from
    stretch: NDArray[np.bool_]  # (N,)
    member: NDArray[np.int8]  # (R, N), 1 where the interval counts in the span
    least_s: NDArray[np.int64]  # (R,)
    most_s: NDArray[np.int64]  # (R,)
    rules: tuple[RuleName, ...]  # (R,)

    def allows(self, durations_s: NDArray[np.int64]) -> bool:
        """Whether the durations keep every span."""
        if (durations_s < 1).any():
            return False
        sums = self.member @ durations_s
        return bool((sums >= self.least_s).all() and (sums <= self.most_s).all())

    @cached_property
    def _greens(self) -> NDArray[np.int64]:
        return np.array([[letter in GREEN for letter in state] for state in self.states], np.int64).T

    def green_s(self, durations_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """Seconds of green of every link index; shape (H,). [s]"""
        return np.asarray(self._greens @ durations_s)

    def broken(self, durations_s: NDArray[np.int64]) -> list[str]:
        """The rules that durations break, in words."""
        sums = self.member @ durations_s
        return [
            f"{rule}: {value} s, " + (f"at most {high} s" if high < UNBOUNDED_S else f"needs {low} s")
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


def _runs(column: str, letters: str) -> list[tuple[int, int]]:
    """Maximal runs (first, length) of intervals in which a column of letters stays within some, around the cycle."""
    n = len(column)
    inside = [letter in letters for letter in column]
    if all(inside):
        return [(0, n)]
    out = []
    for i in range(n):
        if inside[i] and not inside[i - 1]:
            length = next(k for k in range(1, n + 1) if not inside[(i + k) % n])
            out.append((i, length))
    return out


def _change_spans(own: str, other: str, clearance_s: int, rule: RuleName) -> list[Span]:
    """From each end of green of one column to the next green of another, unless the first turns green before."""
    n, out = len(own), []
    for first, length in _runs(own, GREEN):
        if length == n:
            continue
        end = (first + length) % n
        if other[end - 1] in GREEN and other[end] in GREEN:
            continue  # they ran together: no change from one to the other
        for k in range(n):
            if own[(end + k) % n] in GREEN:
                break
            if other[(end + k) % n] in GREEN:
                out.append(Span(end, k, clearance_s, UNBOUNDED_S, rule))
                break
    return out


def _protected_span(own: str, against: set[str], least_s: int, steady: list[bool], rule: RuleName) -> list[Span]:
    """The run of intervals in which a column has G and yields to nobody; of several the steady, the longest."""
    n = len(own)
    shown = "".join("G" if own[x] == "G" and not any(c[x] in GREEN for c in against) else "-" for x in range(n))
    runs = _runs(shown, "G")
    if not runs or runs[0][1] == n:
        return []
    first, length = max(runs, key=lambda run: (any(steady[(run[0] + k) % n] for k in range(run[1])), run[1]))
    return [Span(first, length, least_s, UNBOUNDED_S, rule)]


def _walk_span(columns: list[str], index: int, run: tuple[int, int], foes: tuple[int, ...], least_s: int) -> Span:
    """From the begin of a crossing's green to the next start of a conflicting green."""
    n, (first, length) = len(columns[0]), run
    reach = length
    while reach < n:
        i = (first + reach) % n
        if any(columns[j][i] in GREEN and columns[j][i - 1] not in GREEN for j in foes):
            break
        reach += 1
    return Span(first, reach, least_s, UNBOUNDED_S, RuleName("walk", (index,)))


def _whole_s(seconds: float) -> int:
    return math.ceil(seconds - 1e-9)


def spans_of(
    controller: Controller,
    states: tuple[str, ...],
    matrix: ClearanceMatrix,
    *,
    max_red_s: float,
    field_red_s: NDArray[np.float64],
    walk_s: NDArray[np.float64],
    protected_s: Mapping[int, float],
    most_green_s: NDArray[np.float64] | None = None,
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
    most_green_s : ndarray, shape (H,), optional
        Longest green on end; without it nothing bounds greens. [s]
    """
    n = len(states)
    columns = ["".join(letters) for letters in zip(*states, strict=True)]
    steady = [is_steady(state) for state in states]
    foes = foes_of(frozenset((i, j) for i, j in matrix.pairs if i < j))
    spans: list[Span] = []
    for k, column in enumerate(columns):
        for run in _runs(column, GREEN):
            if run[1] < n:
                spans.append(Span(*run, _whole_s(matrix.min_green_s[k]), UNBOUNDED_S, RuleName("minimum-green", (k,))))
                if most_green_s is not None and math.isfinite(most_green_s[k]):
                    most = math.floor(most_green_s[k] + 1e-9)
                    spans.append(Span(*run, 0, most, RuleName("maximum-green", (k,))))
                if walk_s[k] > 0:
                    spans.append(_walk_span(columns, k, run, foes.get(k, ()), _whole_s(walk_s[k])))
        spans += [
            Span(first, length, _whole_s(matrix.yellow_s[k]), UNBOUNDED_S, RuleName("yellow", (k,)))
            for first, length in _runs(column, YELLOW)
            if column[first - 1] in GREEN
        ]
        if controller.heads[k].kind != "dead":
            longest = math.floor(max(max_red_s, field_red_s[k]))
            spans += [Span(*run, 0, longest, RuleName("longest-red", (k,))) for run in _red_runs(column)]
    before: dict[int, set[str]] = {k: set() for k in protected_s}
    for i, j in controller.yields:
        if i in before and j < len(columns):
            before[i].add(columns[j])
    for k, least_s in protected_s.items():
        spans += _protected_span(
            columns[k], before[k], _whole_s(least_s), steady, RuleName("protection", (k,), "protected green")
        )
    return spans + _clearance_spans(columns, matrix)


def _clearance_spans(columns: list[str], matrix: ClearanceMatrix) -> list[Span]:
    """Clearances of all conflicting pairs; pairs that show the same letters are looked at once."""
    longest: dict[tuple[str, str], tuple[int, RuleName]] = {}
    for i, j in sorted(matrix.pairs):
        seconds = _whole_s(matrix[i, j])
        if (columns[i], columns[j]) not in longest or longest[columns[i], columns[j]][0] < seconds:
            longest[columns[i], columns[j]] = (seconds, RuleName("clearance", (i, j)))
    return [
        span for (own, other), (seconds, rule) in longest.items() for span in _change_spans(own, other, seconds, rule)
    ]


def _red_runs(column: str) -> list[tuple[int, int]]:
    """Closed runs of a column, without the yellow directly behind a green."""
    n, out = len(column), []
    closed = "".join(sorted(set(column) - set(OPEN)))
    for first, length in _runs(column, closed):
        if length == n:
            continue
        skip = 0
        while skip < length and column[(first + skip) % n] in YELLOW:
            skip += 1
        if skip < length:
            out.append(((first + skip) % n, length - skip))
    return out


def stop_span(states: tuple[str, ...], durations_s: list[int], heads: list[int], least_s: int) -> Span | None:
    """The longest time in which some link indices all stand still lasts so long; None where they never do."""
    n = len(states)
    still = "".join("s" if all(state[k] in "ruR" for k in heads) else "-" for state in states)
    runs = _runs(still, "s")
    if not runs or runs[0][1] == n:
        return None
    first, length = max(runs, key=lambda run: sum(durations_s[(run[0] + k) % n] for k in range(run[1])))
    return Span(first, length, least_s, UNBOUNDED_S, RuleName("walk", tuple(heads), "assumed crossing"))


def skeleton_of(
    name: str,
    controller_id: str,
    states: tuple[str, ...],
    durations_s: list[int],
    stretch: list[bool],
    spans: Sequence[Span],
    sums: Sequence[Sum] = (),
) -> Skeleton:
    """Lay spans and sums out as a matrix; of several on the same intervals and side the tightest stays."""
    n = len(states)
    around = [Sum(tuple((s.first + k) % n for k in range(s.length)), s.least, s.most, s.rule) for s in spans]
    least: dict[frozenset[int], tuple[int, RuleName]] = {}
    most: dict[frozenset[int], tuple[int, RuleName]] = {}
    for one in (*around, *sums):
        rows = frozenset(one.intervals)
        if one.least > 0 and (rows not in least or least[rows][0] < one.least):
            least[rows] = (one.least, one.rule)
        if one.most < UNBOUNDED_S and (rows not in most or most[rows][0] > one.most):
            most[rows] = (one.most, one.rule)
    bounds = [(rows, low, UNBOUNDED_S, rule) for rows, (low, rule) in least.items()]
    bounds += [(rows, 0, high, rule) for rows, (high, rule) in most.items()]
    member = np.zeros((len(bounds), n), np.int8)
    for row, (rows, _, _, _) in enumerate(bounds):
        member[row, sorted(rows)] = 1
    return Skeleton(
        controller_id=controller_id,
        name=name,
        states=states,
        start_s=np.array(durations_s, np.int64),
        stretch=np.array(stretch, bool),
        member=member,
        least_s=np.array([low for _, low, _, _ in bounds], np.int64),
        most_s=np.array([high for _, _, high, _ in bounds], np.int64),
        rules=tuple(rule for _, _, _, rule in bounds),
    )


def is_steady(state: str) -> bool:
    """Whether a state is one to stay in: somebody has green and nobody yellow."""
    return any(letter in GREEN for letter in state) and not any(letter in YELLOW for letter in state)
