"""Bar timing diagrams: what every signal shows over a cycle, field plan and new plan on the same scale."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from its.report.names import Names
from its.report.svg import Svg
from network_data.controllers import Controller, SignalHead
from network_data.formats.plan_json import green_windows
from network_data.network import RoadNetwork
from network_data.plans import BarrierGroup, ControllerPlan

LABEL_WIDTH = 165.0
BAR_WIDTH = 815.0
ROW = 15.0
TOP = 26.0
BOTTOM = 18.0
MAX_LABEL = 30
CSS = {"G": "green", "g": "yields", "y": "yellow", "Y": "yellow", "u": "red-yellow", "s": "stop-go"}
CSS |= {"o": "off", "O": "off"}
MIN_TEXT_PX = 17.0


@dataclass(frozen=True, slots=True)
class BarRow:
    """A row: link indices of an approach that show the same at all times, in the field plan and in the new one."""

    label: str
    full: str
    indices: tuple[int, ...]
    crossing_id: str


def bar_rows(
    network: RoadNetwork, controller: Controller, names: Names, field: ControllerPlan, plan: ControllerPlan
) -> list[BarRow]:
    """The rows of a signal's diagrams, in the order in which they turn green in the new plan."""
    n_heads = min(len(field.intervals[0].state), len(plan.intervals[0].state))
    heads = [h for h in controller.heads if h.index < n_heads and h.kind != "dead"]
    alike: dict[tuple[object, ...], list[SignalHead]] = defaultdict(list)
    for head in heads:
        approach = network.connections[head.connections[0]].from_link if head.connections else ""
        name = head.crossing_ids[0] if head.kind == "crossing" and head.crossing_ids else approach
        key = (head.kind == "crossing", name, tuple(field.windows(head.index)), tuple(plan.windows(head.index)))
        alike[key].append(head)
    rows = [_bar_row(network, names, members) for members in alike.values()]
    return sorted(rows, key=lambda row: (bool(row.crossing_id), _first_green_s(plan, row.indices[0]), row.label))


def _bar_row(network: RoadNetwork, names: Names, heads: list[SignalHead]) -> BarRow:
    full = "; ".join(dict.fromkeys(names.head(h) for h in heads)) + f" (links {', '.join(str(h.index) for h in heads)})"
    indices = tuple(h.index for h in heads)
    if heads[0].kind == "crossing":
        return BarRow(names.head(heads[0]), full, indices, heads[0].crossing_ids[0] if heads[0].crossing_ids else "-")
    movements = [network.movements[m] for head in heads for m in head.movement_ids]
    turns = dict.fromkeys(names.turn(m) for m in sorted(movements, key=names.order))
    approach = names.approach.get(movements[0].from_link, "") if movements else ""
    label = f"{approach} {', '.join(turns)}" if turns else names.head(heads[0])
    return BarRow(label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…", full, indices, "")


def _first_green_s(plan: ControllerPlan, index: int) -> float:
    """Begin of the green that runs through, or comes first after, the start of the cycle."""
    starts = [w.start_s for w in plan.windows(index) if w.letter in "Gg"]
    wraps = any(w.end_s > plan.cycle_s for w in plan.windows(index) if w.letter in "Gg")
    return -1.0 if wraps else min(starts, default=plan.cycle_s)


def bar_diagram(
    network: RoadNetwork,
    controller: Controller,
    plan: ControllerPlan,
    rows: list[BarRow],
    groups: tuple[BarrierGroup, ...],
    scale_s: float,
) -> Markup:
    """One program as bars; `scale_s` is the longest cycle of the programs to be compared. [s]"""
    px = BAR_WIDTH / max(scale_s, 1.0)
    height = TOP + ROW * len(rows) + BOTTOM
    svg = Svg(LABEL_WIDTH + BAR_WIDTH + 14, height, f"Bar timing diagram, cycle {plan.cycle_s:g} s", "bars")
    _grid(svg, plan.cycle_s, px, height)
    _stage_marks(svg, groups, px, height)
    clearances = _clearances(network, controller, plan)
    for n, row in enumerate(rows):
        y = TOP + ROW * n
        svg.text(LABEL_WIDTH - 6, y + 11, row.label, "row-label")
        _bars(svg, plan, row, y, px)
        for start_s, end_s in clearances.get(row.crossing_id, []) if row.crossing_id else []:
            for a, b in _wrapped(start_s, end_s, plan.cycle_s):
                svg.rect(LABEL_WIDTH + a * px, y + 3, (b - a) * px, ROW - 6, "walk-clearance")
    return svg.render()


def _clearances(
    network: RoadNetwork, controller: Controller, plan: ControllerPlan
) -> dict[str, list[tuple[float, float]]]:
    out: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for window in green_windows(network, controller, plan):
        if window["kind"] == "clearance":
            out[window["movement"]].append((window["start_s"], window["end_s"]))
    return out


def _grid(svg: Svg, cycle_s: float, px: float, height: float) -> None:
    step = 10 if cycle_s <= 140 else 20
    for tick in range(0, int(cycle_s) + 1, step):
        x = LABEL_WIDTH + tick * px
        svg.line((x, TOP), (x, height - BOTTOM + 3), "grid")
        if cycle_s - tick > step / 2 or tick == cycle_s:
            svg.text(x, height - 5, str(tick), "tick")
    end = LABEL_WIDTH + cycle_s * px
    svg.line((end, TOP - 6), (end, height - BOTTOM + 3), "cycle-end")
    if cycle_s % step:
        svg.text(end, height - 5, f"{cycle_s:g} s", "tick")


def _stage_marks(svg: Svg, groups: tuple[BarrierGroup, ...], px: float, height: float) -> None:
    """Number and begin of each stage, above the bars; of two rings one above the other."""
    start_s = 0.0
    for group in groups:
        length_s = 0.0
        for r, ring in enumerate(group.rings):
            now_s = start_s
            for phase in ring:
                x = LABEL_WIDTH + now_s * px
                svg.line((x, TOP - 12), (x, height - BOTTOM), "stage-mark")
                if phase.green_s * px > 6:
                    svg.text(x + 3, TOP - 4 - 10 * r, phase.name, "stage-number")
                now_s += phase.split_s
            length_s = max(length_s, now_s - start_s)
        start_s += length_s


def _bars(svg: Svg, plan: ControllerPlan, row: BarRow, y: float, px: float) -> None:
    svg.line((LABEL_WIDTH, y + ROW / 2), (LABEL_WIDTH + plan.cycle_s * px, y + ROW / 2), "red-line")
    for window in plan.windows(row.indices[0]):
        if window.letter == "r":
            continue
        css = "walk" if row.crossing_id and window.letter in "Gg" else CSS[window.letter]
        parts = _wrapped(window.start_s, window.end_s, plan.cycle_s)
        for a, b in parts:
            svg.rect(LABEL_WIDTH + a * px, y + 2, (b - a) * px, ROW - 4, f"bar {css}")
        a, b = max(parts, key=lambda part: part[1] - part[0])
        if window.letter in "Gg" and (b - a) * px >= MIN_TEXT_PX:
            seconds = f"{window.end_s - window.start_s:.4g}"
            svg.text(LABEL_WIDTH + (a + b) / 2 * px, y + 11, seconds, "in-yields" if css == "yields" else "in-bar")


def _wrapped(start_s: float, end_s: float, cycle_s: float) -> list[tuple[float, float]]:
    """A span of cycle time as parts within [0, cycle]."""
    start_s, end_s = start_s % cycle_s, start_s % cycle_s + min(end_s - start_s, cycle_s)
    return [(start_s, end_s)] if end_s <= cycle_s else [(start_s, cycle_s), (0.0, end_s - cycle_s)]
