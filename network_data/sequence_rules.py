"""What a sequence of signal states must keep, as least sums of neighbouring durations; it need not repeat.

The rules of `check_plan` judge a program as a cycle. Where one program follows another (a switch by time of day, a
transition), the seconds on both sides of the joint count together: a green that began in the old program ends in the
new one. Here every rule is a `Sum`: some neighbouring rows together last at least so long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from network_data.clearance import (
    EPSILON_S,
    MIN_GREEN_S,
    ClearanceMatrix,
    clearance_matrix,
    conflict_pairs,
    crossing_need_s,
    foes_of,
)
from network_data.controllers import Controller
from network_data.network import RoadNetwork
from network_data.plans import GREEN, YELLOW, ControllerPlan, Interval

Rule = Literal["green", "protected", "yellow", "clearance", "walk"]
NO_YELLOW = GREEN + YELLOW + "oO"
"""Letters a green may change to without a yellow."""


class Key(NamedTuple):
    """Whom a rule is about: a link index, and for clearances the one that turns green (else -1)."""

    rule: Rule
    head: int
    other: int = -1


class Sum(NamedTuple):
    """The rows first, first + 1, …, first + length - 1 (around the cycle, where there is one) belong to a rule."""

    first: int
    length: int
    key: Key


@dataclass(frozen=True, eq=False)
class SequenceRules:
    """Least seconds of every rule for one controller.

    Attributes
    ----------
    matrix : ClearanceMatrix
        Clearances, yellows and least greens. [s]
    foes : mapping
        Link index → link indices it conflicts with.
    walk_s : mapping
        Crossing's link index → least time from its green to the next start of a conflicting green. [s]
    shown_s : mapping
        What the controller's own programs show where that is less than the above: it stays allowed. [s]
    """

    controller_id: str
    matrix: ClearanceMatrix
    foes: Mapping[int, tuple[int, ...]]
    walk_s: Mapping[int, float]
    without_yellow: frozenset[int]
    shown_s: Mapping[Key, float]

    def least_s(self, key: Key) -> float:
        """Seconds that the rule asks for. [s]"""
        if key.rule in ("green", "protected"):
            asked = float(self.matrix.min_green_s[key.head])
        elif key.rule == "yellow":
            asked = float(self.matrix.yellow_s[key.head])
        elif key.rule == "clearance":
            asked = self.matrix[key.head, key.other]
        else:
            asked = self.walk_s[key.head]
        return min(asked, self.shown_s.get(key, asked))

    def sums(self, states: Sequence[str], *, around: bool) -> Iterator[Sum]:
        """Every sum that a rule binds; with `around` the first row follows the last, else nothing beyond is known."""
        n = len(states)
        columns = ["".join(letters) for letters in zip(*states, strict=True)]
        reach = n if around else 0
        for k, column in enumerate(columns):
            for first, length in _runs(column, GREEN, around=around):
                yield Sum(first, length, Key("green", k))
                if k in self.walk_s:
                    more = _until_start(columns, self.foes.get(k, ()), first, length, reach)
                    if more is not None:
                        yield Sum(first, more, Key("walk", k))
            for first, length in _runs(column, "G", around=around):
                yield Sum(first, length, Key("protected", k))
            for end in _ends(column, around=around):
                if k not in self.without_yellow and column[end] not in NO_YELLOW:
                    yield Sum(end, 0, Key("yellow", k))
                yield from self._changes(columns, k, end, reach)
            for first, length in _runs(column, YELLOW, around=around):
                if column[first - 1] in GREEN:
                    yield Sum(first, length, Key("yellow", k))

    def _changes(self, columns: list[str], i: int, end: int, reach: int) -> Iterator[Sum]:
        """From one end of green to the next green of each foe, unless the first turns green before."""
        n = len(columns[i])
        for j in self.foes.get(i, ()):
            if columns[j][end - 1] in GREEN and columns[j][end] in GREEN:
                continue  # they ran side by side: no change from one to the other
            for length in range(n if reach else n - end):
                row = (end + length) % n
                if columns[i][row] in GREEN:
                    break
                if columns[j][row] in GREEN:
                    yield Sum(end, length, Key("clearance", i, j))
                    break

    def broken(self, rows: Sequence[Interval]) -> list[str]:
        """The rules that a sequence breaks, in words; what began before it or ends after it is not judged."""
        out = []
        starts = [0.0]
        for row in rows:
            starts.append(starts[-1] + row.duration_s)
        for first, length, key in self.sums([row.state for row in rows], around=False):
            seconds, least = starts[first + length] - starts[first], self.least_s(key)
            if seconds < least - EPSILON_S:
                whom = f"{key.head} → {key.other}" if key.other >= 0 else f"{key.head}"
                out.append(f"{key.rule} of {whom}: {seconds:g} s from second {starts[first]:g} on, needs {least:g} s")
        return out


def sequence_rules(
    network: RoadNetwork,
    controller: Controller,
    programs: Sequence[ControllerPlan],
    *,
    field: ControllerPlan | None = None,
    min_green_s: float = MIN_GREEN_S,
) -> SequenceRules:
    """The rules for sequences put together from some programs of a controller.

    Parameters
    ----------
    network : RoadNetwork
        Lengths of crossings.
    controller : Controller
        Heads and conflicts.
    programs : sequence of ControllerPlan
        The programs; where one of them shows less than the clearance matrix asks for, that stays allowed.
    field : ControllerPlan, optional
        The program whose clearances are the yardstick; the first of `programs` by default.
    min_green_s : float
        Floor of greens. [s]
    """
    yardstick = field or programs[0]
    n = len(yardstick.intervals[0].state)
    matrix = clearance_matrix(controller, yardstick, network=network, min_green_s=min_green_s)
    walk_s = {head.index: crossing_need_s(network, head) for head in controller.heads[:n] if head.kind == "crossing"}
    bare = SequenceRules(
        controller_id=controller.id,
        matrix=matrix,
        foes=foes_of(conflict_pairs(controller, yardstick)),
        walk_s=walk_s,
        without_yellow=frozenset(walk_s),
        shown_s={},
    )
    shown_s: dict[Key, float] = {}
    for program in programs:
        durations = [interval.duration_s for interval in program.intervals]
        for first, length, key in bare.sums([interval.state for interval in program.intervals], around=True):
            seconds = sum(durations[(first + x) % len(durations)] for x in range(length))
            shown_s[key] = min(seconds, shown_s.get(key, seconds))
    return SequenceRules(
        controller_id=controller.id,
        matrix=matrix,
        foes=bare.foes,
        walk_s=walk_s,
        without_yellow=bare.without_yellow,
        shown_s=shown_s,
    )


def _ends(column: str, *, around: bool) -> list[int]:
    """Rows before which a green ends."""
    first = 0 if around else 1
    return [n for n in range(first, len(column)) if column[n - 1] in GREEN and column[n] not in GREEN]


def _runs(column: str, letters: str, *, around: bool) -> list[tuple[int, int]]:
    """Maximal runs (first, length) within the letters; without `around` only those that begin and end inside."""
    n, out = len(column), []
    for first in range(0 if around else 1, n):
        if column[first] in letters and column[first - 1] not in letters:
            length = 1
            while length < n and column[(first + length) % n] in letters and (around or first + length < n):
                length += 1
            if around or first + length < n:
                out.append((first, length))
    return out


def _until_start(columns: list[str], foes: Sequence[int], first: int, length: int, reach: int) -> int | None:
    """Rows from `first` until a foe turns green anew, at least `length`; None where a sequence ends before."""
    n = len(columns[0])
    for more in range(length, n if reach else n - first):
        row = (first + more) % n
        if any(columns[j][row] in GREEN and columns[j][row - 1] not in GREEN for j in foes):
            return more
    return n if reach else None
