"""The page of a day plan: what runs when, what it gains, and what other numbers of plans would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from its.report.build import environment
from its.report.charts import nice_step
from its.report.svg import Svg, points
from network_data.formats.dayplan_json import clock_hhmm

LEFT, TOP, WIDTH, HEIGHT, FOOT = 52.0, 10.0, 860.0, 150.0, 34.0
STYLES = ("course-field", "course-single", "course-new")


@dataclass(frozen=True, eq=False, kw_only=True)
class DayView:
    """One type of day as the page shows it."""

    title: str
    dates: str
    chart: Markup
    rows: Sequence[tuple[str, str, str]]
    delays: Sequence[tuple[str, float, float | None]]


def course_chart(
    title: str,
    begin_s: float,
    interval_s: float,
    courses: Mapping[str, Sequence[float]],
    switches: Sequence[tuple[float, str]],
) -> Markup:
    """Delay that arises in each interval, in vehicle hours per hour, one line per way through the day."""
    svg = Svg(LEFT + WIDTH + 8, TOP + HEIGHT + FOOT, title, "course")
    scaled = {name: [x / interval_s for x in values] for name, values in courses.items()}
    n = max((len(values) for values in scaled.values()), default=1)
    high = max((max(values, default=0.0) for values in scaled.values()), default=1.0) or 1.0
    step = nice_step(high, 4)
    top = step * max(1, -(-high // step))

    def at(t: float, value: float) -> tuple[float, float]:
        return LEFT + t / n * WIDTH, TOP + HEIGHT - value / top * HEIGHT

    for k in range(round(top / step) + 1):
        svg.line(at(0, k * step), at(n, k * step), "grid")
        svg.text(LEFT - 5, at(0, k * step)[1] + 3, f"{k * step:g}", "tick-left")
    hours = 2 if n * interval_s > 43_200 else 1
    for k in range(int(n * interval_s // (3600 * hours)) + 1):
        x, y = at(k * 3600 * hours / interval_s, 0)
        svg.text(x, y + 14, clock_hhmm((begin_s + k * 3600 * hours) % 86_400 if k else begin_s), "tick")
    for at_s, plan in switches:
        t = (at_s - begin_s) / interval_s
        if 0 <= t <= n and len(switches) > 1:
            svg.line(at(t, 0), at(t, top), "switch")
            svg.text(at(t, top)[0] + 3, TOP + 9, plan, "switch-name")
    for (_, values), css in zip(scaled.items(), STYLES, strict=False):
        path = [at(t + 0.5, value) for t, value in enumerate(values)]
        svg.add("polyline", points=points(path), css=css)
    svg.text(LEFT, TOP + HEIGHT + 30, "vehicles standing or slowed down (vehicle hours of delay per hour)", "note-left")
    return svg.render()


def render_day_page(run: Mapping[str, Any]) -> str:
    """The page out of the run record of `its day`: one document, no scripts, nothing fetched."""
    views = []
    for kind, one in run["types"].items():
        rows = [(row["at"], row["plan"], run["plans"][row["plan"]]["made_for"]) for row in one["switches"]]
        switches = [(row["at_s"], row["plan"]) for row in one["switches"]]
        field = one["delay_s_per_veh"].get("field plan")
        delays = [
            (name, value, None if field is None else value / field - 1)
            for name, value in one["delay_s_per_veh"].items()
        ]
        chart = course_chart(
            f"Delay over the day, {kind}", run["begin_s"], run["interval_s"], one["delay_veh_s_per_interval"], switches
        )
        views.append(DayView(title=kind, dates=", ".join(one["stands_for"]), chart=chart, rows=rows, delays=delays))
    return environment().get_template("day.html.j2").render(run=run, views=views, styles=STYLES)
