"""Green bands along a course: who drives at link speed and meets green."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.arterials import Course, Stop
from network_data.plans import GREEN, ControllerPlan, TimingPlan

BOOL = NDArray[np.bool_]
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Bands:
    """Greens and bands of one direction under one plan: (first second, second after the last), counted from `begin_s`.

    `through` are departures from the first stop line that meet green at all others; `between` those of each stop line
    that meet green at the next one. Both begin early enough for bands that are on the way at `begin_s`.
    """

    greens: tuple[Spans, ...]
    through: Spans
    between: tuple[Spans, ...]
    through_share: float
    between_share: float
    cycle_s: float | None


def bands_of(course: Course, plan: TimingPlan, begin_s: float, length_s: float = 3600.0) -> Bands | None:
    """Bands of a course at link speed, on a 1 s grid; None where the plan lacks one of its signals."""
    programs = [plan.controllers.get(stop.controller_id) for stop in course.stops]
    known = [p for p in programs if p is not None]
    if len(known) < len(programs):
        return None
    clocks_s = course.clocks_s()
    lead = round(clocks_s[-1]) + 1
    starts = lead + round(length_s)
    n = starts + lead + len(known)
    greens = [_greens(p, stop, begin_s - lead, n) for p, stop in zip(known, course.stops, strict=True)]
    all_green = np.ones(starts, dtype=bool)
    for green, clock_s in zip(greens, clocks_s, strict=True):
        all_green &= green[round(clock_s) : round(clock_s) + starts]
    between, met = [], []
    for here, there, leg in zip(greens[:-1], greens[1:], course.legs, strict=True):
        shift = round(leg.travel_s)
        arrive = here[: n - shift] & there[shift:]
        between.append(runs(arrive, lead))
        met.append(arrive[:starts].sum() / max(1, here[:starts].sum()))
    cycles = {round(p.cycle_s, 3) for p in known}
    return Bands(
        greens=tuple(runs(green, lead) for green in greens),
        through=runs(all_green, lead),
        between=tuple(between),
        through_share=float(all_green.mean()),
        between_share=float(np.mean(met)),
        cycle_s=cycles.pop() if len(cycles) == 1 else None,
    )


def _greens(program: ControllerPlan, stop: Stop, begin_s: float, n_s: int) -> BOOL:
    """Whether the straight movement has green in each second: that of its link index with the longest green."""
    width = len(program.intervals[0].state)
    indices = [i for i in stop.link_indices if i < width]
    if not indices:
        return np.zeros(n_s, dtype=bool)
    index = max(indices, key=program.green_s)
    ends = np.cumsum([interval.duration_s for interval in program.intervals])
    shown = np.array([interval.state[index] in GREEN for interval in program.intervals])
    time_s = (begin_s + 0.5 + np.arange(n_s) - program.offset_s) % program.cycle_s
    return shown[np.minimum(np.searchsorted(ends, time_s, side="right"), len(shown) - 1)]


def runs(flags: BOOL, zero: int = 0) -> Spans:
    """(first, after the last) of each run of true, counted from index `zero`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))) - zero
    return tuple((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))
