"""What a controller shows when it does not run one program all day: segments of constant cycle, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from network_data.plans import ControllerPlan, Interval

LONGEST_S = 86_000.0
"""Equal states that follow each other become one interval no longer than this: intervals are shorter than a day. [s]"""
DIGITS = 6
"""Times are compared to the microsecond."""


class Segment(NamedTuple):
    """In [from_s, until_s) the controller runs `program`; its offset makes it go on where the last one ended."""

    from_s: float
    until_s: float
    program: ControllerPlan


def clipped(segments: Sequence[Segment], begin_s: float, end_s: float) -> list[Segment]:
    """The segments within [begin_s, end_s)."""
    return [
        Segment(max(begin_s, s.from_s), min(end_s, s.until_s), s.program)
        for s in segments
        if s.from_s < end_s and s.until_s > begin_s
    ]


def rows_of(segments: Sequence[Segment]) -> Iterator[Interval]:
    """The states shown one after the other; equal neighbours are not joined. The last segment must end."""
    for from_s, until_s, program in segments:
        now_s = from_s
        into_s = modulo(from_s - program.offset_s, program.cycle_s)
        for duration_s, state in _forever(program, into_s):
            if now_s >= until_s:
                break
            length_s = rounded(min(duration_s, until_s - now_s))
            if length_s > 0:
                yield Interval(length_s, state)
            now_s = rounded(now_s + length_s)


def _forever(program: ControllerPlan, into_s: float) -> Iterator[Interval]:
    """The intervals of a program from `into_s` of its cycle on, again and again."""
    skip_s = into_s
    while True:
        for duration_s, state in program.intervals:
            if skip_s >= duration_s:
                skip_s = rounded(skip_s - duration_s)
                continue
            yield Interval(duration_s - skip_s, state)
            skip_s = 0.0


def unrolled(segments: Sequence[Segment]) -> ControllerPlan:
    """Segments as one long program whose cycle is the whole period; the last segment must end."""
    rows: list[Interval] = []
    for row in rows_of(segments):
        if rows and rows[-1].state == row.state and rows[-1].duration_s + row.duration_s < LONGEST_S:
            rows[-1] = Interval(rounded(rows[-1].duration_s + row.duration_s), row.state)
        else:
            rows.append(row)
    last = segments[-1].program
    return program_from(last, rows, last.program_id, segments[0].from_s)


def program_from(new: ControllerPlan, rows: Sequence[Interval], program_id: str, from_s: float) -> ControllerPlan:
    """A program of `new`'s controller that begins with its first row at from_s."""
    cycle_s = sum(row.duration_s for row in rows)
    return ControllerPlan(
        controller_id=new.controller_id,
        program_id=program_id,
        offset_s=modulo(from_s, cycle_s),
        intervals=tuple(rows),
    )


def rounded(time_s: float) -> float:
    """A time to the microsecond. [s]"""
    return round(time_s, DIGITS)


def modulo(time_s: float, cycle_s: float) -> float:
    """Time modulo the cycle, 0 where it is a rounding away from a full cycle. [s]"""
    rest = rounded(time_s % cycle_s)
    return 0.0 if rest >= rounded(cycle_s) else rest
