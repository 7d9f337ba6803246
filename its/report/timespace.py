"""Time-space diagrams: greens of an arterial's signals over time and place, with the bands of both directions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from its.report.charts import nice_step
from its.report.names import short
from its.report.svg import Point, Svg, points
from network_data.arterials import Arterial, Course
from network_data.bands import Bands, bands_of
from network_data.plans import TimingPlan

LEFT = 118.0
WIDTH = 420.0
TOP = 12.0
BOTTOM = 32.0
STRIP = 4.0
LEAST_GAP = 26.0
"""Signals stand at least so far apart in the drawing. [px]"""
MOST_HEIGHT = 420.0
N_CYCLES = 2.5


@dataclass(frozen=True, slots=True)
class BandRow:
    """Bands of one direction, field plan and new plan."""

    direction: str
    through_before: str
    through_after: str
    between_before: float
    between_after: float


@dataclass(frozen=True, slots=True)
class TimeSpace:
    """An arterial as the page shows it."""

    title: str
    detail: str
    before: Markup
    after: Markup
    rows: tuple[BandRow, ...]


@dataclass(frozen=True, eq=False)
class _Frame:
    """Where seconds and metres lie in the drawing."""

    window_s: float
    y_of_forth: list[float]
    y_of_back: list[float]
    height: float

    def at(self, time_s: float, y: float) -> Point:
        return LEFT + time_s / self.window_s * WIDTH, y


def time_space(
    arterial: Arterial, before: TimingPlan, after: TimingPlan, begin_s: float, clip_id: str
) -> TimeSpace | None:
    """Draw an arterial under two plans; None where a plan lacks one of its signals."""
    courses = [arterial.forth] + ([arterial.back] if arterial.back else [])
    stops = [stop for course in courses for stop in course.stops]
    programs = [plan.controllers.get(stop.controller_id) for plan in (before, after) for stop in stops]
    cycles_s = [p.cycle_s for p in programs if p is not None]
    if len(cycles_s) < len(programs):
        return None
    window_s = N_CYCLES * max(cycles_s)
    frame = _frame(arterial, window_s)
    drawn, bands = [], []
    for n, plan in enumerate((before, after)):
        found = [bands_of(course, plan, begin_s) for course in courses]
        drawn.append(_drawing(arterial, frame, found, f"{clip_id}-{n}"))
        bands.append(found)
    rows = [
        _band_row(name, course, *pair)
        for name, course, *pair in zip(("upwards", "downwards"), courses, bands[0], bands[1], strict=False)
    ]
    first, last = arterial.forth.controllers[0], arterial.forth.controllers[-1]
    ends = f"{short(first)} – {short(last)}"
    return TimeSpace(
        title=f"{arterial.name}: {ends}" if arterial.name else ends,
        detail=f"{len(set(arterial.forth.controllers))} signals over {arterial.forth.length_m:,.0f} m",
        before=drawn[0],
        after=drawn[1],
        rows=tuple(row for row in rows if row is not None),
    )


def _band_row(name: str, course: Course, before: Bands | None, after: Bands | None) -> BandRow | None:
    if before is None or after is None:
        return None
    ends = f"{short(course.stops[0].controller_id)} → {short(course.stops[-1].controller_id)} ({name})"
    return BandRow(ends, _through(before), _through(after), before.between_share, after.between_share)


def _through(bands: Bands) -> str:
    """Widest band through all signals per cycle; where cycles differ, the share of time."""
    if bands.cycle_s is None:
        return f"{bands.through_share:.0%} of the time (cycles differ)" if bands.through else "none (cycles differ)"
    width_s = min(max((b - a for a, b in bands.through), default=0), bands.cycle_s)
    return f"{width_s:.0f} s ({width_s / bands.cycle_s:.0%} of the cycle)" if width_s else "none"


def _frame(arterial: Arterial, window_s: float) -> _Frame:
    """Heights to scale where there is room; close signals are set apart."""
    forth_m = arterial.forth.positions_m()
    px = min(MOST_HEIGHT / max(forth_m[-1], 1.0), 0.45)
    ups = [0.0]
    for a, b in pairwise(forth_m):
        ups.append(ups[-1] + max((b - a) * px, LEAST_GAP))
    bottom = TOP + ups[-1] + 14
    y_forth = [bottom - up for up in ups]
    y_back = _back_heights(arterial.forth, arterial.back, y_forth) if arterial.back is not None else []
    return _Frame(window_s, y_forth, y_back, bottom + BOTTOM)


def _back_heights(forth: Course, back: Course, y_forth: list[float]) -> list[float]:
    """Stop lines of the way back stand at their node, else at their signal, else between their neighbours."""
    by_node = {stop.node_id: y for stop, y in zip(forth.stops, y_forth, strict=True)}
    by_signal: dict[str, list[float]] = {}
    for stop, y in zip(forth.stops, y_forth, strict=True):
        by_signal.setdefault(stop.controller_id, []).append(y)
    known: list[float | None] = []
    for stop in back.stops:
        mine = by_signal.get(stop.controller_id)
        known.append(by_node.get(stop.node_id, sum(mine) / len(mine) if mine else None))
    positions = back.positions_m()
    anchors = [(p, y) for p, y in zip(positions, known, strict=True) if y is not None]
    return [_between(anchors, p) if y is None else y for p, y in zip(positions, known, strict=True)]


def _between(anchors: list[tuple[float, float]], position_m: float) -> float:
    """Height of a place between the nearest known ones."""
    before = max((a for a in anchors if a[0] <= position_m), default=anchors[0])
    behind = min((a for a in anchors if a[0] >= position_m), default=anchors[-1])
    share = (position_m - before[0]) / (behind[0] - before[0]) if behind[0] > before[0] else 0.0
    return before[1] + share * (behind[1] - before[1])


def _drawing(arterial: Arterial, frame: _Frame, bands: list[Bands | None], clip_id: str) -> Markup:
    svg = Svg(LEFT + WIDTH + 12, frame.height, "Time-space diagram", "time-space")
    svg.raw(
        Markup('<clipPath id="{}"><rect x="{}" y="0" width="{}" height="{}"/></clipPath>').format(
            clip_id, LEFT, WIDTH, frame.height
        )
    )
    step = nice_step(frame.window_s, 8)
    for n in range(int(frame.window_s / step) + 1):
        x = frame.at(n * step, 0)[0]
        svg.line((x, TOP - 6), (x, frame.height - BOTTOM + 4), "grid")
        svg.text(x, frame.height - BOTTOM + 15, f"{n * step:g}", "tick")
    svg.text(LEFT + WIDTH / 2, frame.height - 4, "seconds from the begin of the period", "axis")
    svg.raw(Markup('<g clip-path="url(#{})">').format(clip_id))
    directions = [(arterial.forth, frame.y_of_forth, "forth")]
    if arterial.back is not None:
        directions.append((arterial.back, frame.y_of_back, "back"))
    for (course, heights, css), found in zip(directions, bands, strict=True):
        if found is not None:
            _draw_bands(svg, frame, course, heights, found, css)
    for (_, heights, css), found in zip(directions, bands, strict=True):
        if found is not None:
            shift = (STRIP / 2 if len(directions) > 1 else 0.0) * (1 if css == "forth" else -1)
            _draw_greens(svg, frame, heights, found, shift)
    svg.raw(Markup("</g>"))
    _draw_names(svg, arterial, frame)
    return svg.render()


def _draw_names(svg: Svg, arterial: Arterial, frame: _Frame) -> None:
    previous = ""
    for stop, y, metres in zip(arterial.forth.stops, frame.y_of_forth, arterial.forth.positions_m(), strict=True):
        if stop.controller_id != previous:
            svg.text(LEFT - 8, y + 1, short(stop.controller_id, 16), "row-label")
        svg.text(LEFT - 8, y + 11, f"{metres:,.0f} m", "metres")
        previous = stop.controller_id


def _draw_greens(svg: Svg, frame: _Frame, heights: list[float], bands: Bands, shift: float) -> None:
    for green, y in zip(bands.greens, heights, strict=True):
        svg.rect(LEFT, y + shift - STRIP / 2, WIDTH, STRIP, "ts-red")
        for a, b in green:
            if b > 0 and a < frame.window_s:
                left, right = frame.at(max(a, 0), y)[0], frame.at(min(b, frame.window_s), y)[0]
                svg.rect(left, y + shift - STRIP / 2, right - left, STRIP, "ts-green")


def _draw_bands(svg: Svg, frame: _Frame, course: Course, heights: list[float], bands: Bands, css: str) -> None:
    clocks_s = course.clocks_s()
    for n, found in enumerate(bands.between):
        travel_s = course.legs[n].travel_s
        for a, b in found:
            if b + travel_s > 0 and a < frame.window_s:
                low, high = heights[n], heights[n + 1]
                corners = [(a, low), (b, low), (b + travel_s, high), (a + travel_s, high)]
                svg.add("polygon", points=points(frame.at(t, y) for t, y in corners), css=f"link-band {css}")
    if len(course.legs) > 1:
        for a, b in bands.through:
            if b + clocks_s[-1] < 0 or a > frame.window_s:
                continue
            there = [(a + c, y) for c, y in zip(clocks_s, heights, strict=True)]
            home = [(b + c, y) for c, y in zip(clocks_s, heights, strict=True)][::-1]
            svg.add("polygon", points=points(frame.at(t, y) for t, y in [*there, *home]), css=f"band {css}")
