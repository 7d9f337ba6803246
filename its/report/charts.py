"""Charts of numbers: counted against simulated, the ladder, and who gains and who pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from its.report.svg import Point, Svg, points

SCATTER = 380.0
EDGE = 46.0
LADDER_LABEL = 96.0
LADDER_WIDTH = 470.0
CHANGE_LABEL = 250.0
CHANGE_WIDTH = 420.0
CHANGE_ROW = 15.0


@dataclass(frozen=True, slots=True)
class Dot:
    """One detector in the scatter. [veh/h]"""

    name: str
    counted_vph: float
    simulated_vph: float
    ok: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Change of one movement's (or step's) total delay. [veh·s/h]"""

    label: str
    full: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """Above 0: pays. [veh·s/h]"""
        return self.after - self.before


def nice_step(most: float, wanted: int = 5) -> float:
    """A round step that divides the range into about the wanted number of parts."""
    if not most > 0:
        return 1.0
    raw = most / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw - 1e-12)


def scatter(dots: Sequence[Dot], geh_limit: float) -> Markup:
    """Counted against simulated flow, with the band in which the GEH statistic is within its limit."""
    svg = Svg(SCATTER + EDGE + 16, SCATTER + EDGE + 12, "Counted against simulated flow at every detector", "scatter")
    step = nice_step(max((max(d.counted_vph, d.simulated_vph) for d in dots), default=1.0))
    most = step * max(1, math.ceil(max((max(d.counted_vph, d.simulated_vph) for d in dots), default=1.0) / step))

    def at(x_vph: float, y_vph: float) -> Point:
        return EDGE + x_vph / most * SCATTER, 8 + SCATTER - min(y_vph, most) / most * SCATTER

    xs = [most * n / 60 for n in range(61)]
    upper, lower = [at(x, _geh_edge(x, geh_limit)) for x in xs], [at(x, _geh_edge(x, -geh_limit)) for x in xs]
    svg.add("polygon", points=points([*upper, *reversed(lower)]), css="geh-band")
    for n in range(round(most / step) + 1):
        value = n * step
        svg.line(at(value, 0), at(value, most), "grid")
        svg.line(at(0, value), at(most, value), "grid")
        svg.text(at(value, 0)[0], SCATTER + 22, f"{value:g}", "tick")
        svg.text(EDGE - 5, at(0, value)[1] + 3, f"{value:g}", "tick-left")
    svg.line(at(0, 0), at(most, most), "diagonal")
    for dot in sorted(dots, key=lambda d: not d.ok, reverse=False):
        x, y = at(dot.counted_vph, dot.simulated_vph)
        svg.add("circle", cx=x, cy=y, r=3.2, css="dot" if dot.ok else "dot miss")
    for dot in _worst(dots):
        x, y = at(dot.counted_vph, dot.simulated_vph)
        css = "dot-name left" if x > EDGE + SCATTER * 0.72 else "dot-name"
        svg.text(x - 5 if "left" in css else x + 5, y + 3, dot.name, css)
    svg.text(EDGE + SCATTER / 2, SCATTER + EDGE - 2, "counted (veh/h)", "axis")
    svg.add("text", "simulated (veh/h)", transform=f"translate(11 {8 + SCATTER / 2:.0f}) rotate(-90)", css="axis")
    return svg.render()


def _worst(dots: Sequence[Dot], most: int = 8) -> list[Dot]:
    missed = [d for d in dots if not d.ok]
    return sorted(missed, key=lambda d: -abs(d.simulated_vph - d.counted_vph))[:most]


def _geh_edge(counted_vph: float, geh: float) -> float:
    """The simulated flow at which GEH is just that; negative: on the lower side."""
    g2 = geh * geh
    root = math.sqrt(g2 * g2 + 16 * g2 * counted_vph)
    return max(0.0, counted_vph + (g2 + math.copysign(root, geh)) / 4)


def ladder_chart(steps: Sequence[tuple[str, float]]) -> Markup:
    """Delay of each step as bars, the gain against the first beside them."""
    row = 24.0
    svg = Svg(LADDER_LABEL + LADDER_WIDTH + 150, row * len(steps) + 4, "Delay after each step", "ladder")
    most = max((value for _, value in steps), default=1.0) or 1.0
    first = steps[0][1] if steps else 0.0
    for n, (name, value) in enumerate(steps):
        y = row * n
        width = value / most * LADDER_WIDTH
        svg.text(LADDER_LABEL - 8, y + 16, name, "row-label")
        svg.rect(LADDER_LABEL, y + 4, width, row - 8, "field-bar" if n == 0 else "new-bar")
        change = f"  ({(value - first) / first:+.0%})".replace("-", "−") if n and first > 0 else ""
        svg.text(LADDER_LABEL + width + 6, y + 16, f"{value:.1f} s/veh{change}", "value")
    return svg.render()


def mini_bars(values: Sequence[float | None], most: float) -> Markup:
    """Delay of one signal over the steps, small enough for a table cell."""
    svg = Svg(14.0 * len(values) + 2, 22, "Delay over the steps", "mini")
    for n, value in enumerate(values):
        if value is not None:
            height = min(1.0, value / most) * 20 if most > 0 else 0.0
            svg.rect(1 + 14 * n, 21 - height, 11, height, "field-bar" if n == 0 else "new-bar")
    return svg.render()


def change_chart(changes: Sequence[Change], title: str) -> Markup:
    """Sorted bars to both sides: who gains (left, green) and who pays (right, red)."""
    reach = max((abs(c.change) for c in changes), default=1.0) or 1.0
    half = CHANGE_WIDTH / 2
    middle = CHANGE_LABEL + half + 30
    svg = Svg(CHANGE_LABEL + CHANGE_WIDTH + 60, CHANGE_ROW * len(changes) + 4, title, "change")
    svg.line((middle, 0), (middle, CHANGE_ROW * len(changes) + 4), "zero")
    for n, one in enumerate(changes):
        y, width = CHANGE_ROW * n + 2, abs(one.change) / reach * half * 0.86
        gains = one.change < 0
        svg.text(CHANGE_LABEL - 6, y + 10, one.label, "row-label")
        svg.rect(middle - width if gains else middle, y + 1, width, CHANGE_ROW - 4, "gain" if gains else "pay")
        shown = f"{one.change:+,.0f}".replace(",", "\u202f").replace("-", "−")
        svg.text(middle - width - 4 if gains else middle + width + 4, y + 10, shown, "value-left" if gains else "value")
    return svg.render()
