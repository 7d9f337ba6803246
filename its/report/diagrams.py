"""Stage diagrams: one small plan view per stage with an arrow for every movement that is green."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from its.report.layout import LEAST_GAP_RAD, RADIUS, Layout, Port, layout_of, neighbours, span_of
from its.report.names import Names
from its.report.svg import Point, Svg, element, number, points
from network_data.controllers import Controller
from network_data.network import Movement, RoadNetwork
from network_data.plans import BarrierGroup, ControllerPlan, Phase
from network_data.rings import phases_of, starting_at_stage

TURN_BACK = 0.25
CURVE = 0.62
LANE_WIDTH = 3.4
"""Drawn width of a lane. [px]"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage as the page shows it."""

    name: str
    green_s: float
    yellow_s: float
    red_clearance_s: float
    drawing: Markup
    served: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """The stages of one ring between two barriers."""

    label: str
    stages: tuple[Stage, ...]


def shown_from_stage(plan: ControllerPlan, controller: Controller) -> ControllerPlan:
    """The program as it is drawn: begun at a stage, unless its rings say where it begins."""
    return plan if plan.barrier_groups else starting_at_stage(plan, controller)


def groups_of(network: RoadNetwork, controller: Controller, plan: ControllerPlan) -> tuple[BarrierGroup, ...]:
    """Rings and barriers of a program: its own, else the stages read out of its intervals, if there are any."""
    return plan.barrier_groups or phases_of(controller, network, plan)


class StageDrawer:
    """Draws the stages of one signal; what all of them share is drawn once, in `symbol`."""

    def __init__(self, network: RoadNetwork, controller: Controller, names: Names, symbol_id: str) -> None:
        self._network, self._controller, self._names = network, controller, names
        self._layout = layout_of(network, controller.id)
        self._symbol_id = symbol_id

    @property
    def width(self) -> float:
        """Width of a drawing. [px]"""
        return self._layout.width

    def symbol(self) -> Markup:
        """The streets, to be placed once on the page and used by every stage."""
        layout, parts = self._layout, []
        for leaving, entering in neighbours(layout):
            parts.append(_road([layout.stop(leaving), layout.stop(entering)], max(leaving.lanes, entering.lanes)))
        parts += [
            _road([layout.around(port.node_id, RADIUS * 0.7, port.at_rad), layout.far(port)], port.lanes)
            for port in layout.ports.values()
        ]
        for node_id in layout.nodes:
            rim = sorted(p.at_rad % (2 * math.pi) for p in layout.ports.values() if p.node_id == node_id)
            ring = [layout.around(node_id, RADIUS + 1, angle) for angle in rim]
            parts.append(element("polygon", points=points(ring), css="road-area"))
        parts += self._labels()
        size = f"0 0 {number(layout.width)} {number(layout.height)}"
        return Markup(f'<symbol id="{self._symbol_id}" viewBox="{size}">{"".join(parts)}</symbol>')

    def _labels(self) -> Iterable[str]:
        inner = {entering.link_id for _, entering in neighbours(self._layout)}
        for (link_id, inbound), port in self._layout.ports.items():
            if inbound and link_id in self._names.approach:
                x, y = self._layout.beside(port) if link_id in inner else self._layout.label(port)
                yield element("text", self._names.approach[link_id], x=x, y=y + 3, css="arm")

    def rows(self, groups: tuple[BarrierGroup, ...]) -> list[StageRow]:
        """One row per ring and barrier group."""
        plain = len(groups) == 1 and len(groups[0].rings) == 1
        rows = []
        for g, group in enumerate(groups, start=1):
            for r, ring in enumerate(group.rings, start=1):
                label = "" if plain else f"Barrier group {g}, ring {r}"
                rows.append(StageRow(label, tuple(self._stage(phase) for phase in ring)))
        return rows

    def _stage(self, phase: Phase) -> Stage:
        served = [self._names.movement(m) for m in phase.movements]
        served += [f"{self._names.movement(m)} (yields)" for m in phase.permitted]
        served += [f"crossing {self._names.crossing(x)}" for x in phase.crossings]
        return Stage(
            name=phase.name,
            green_s=phase.green_s,
            yellow_s=phase.yellow_s,
            red_clearance_s=phase.red_clearance_s,
            drawing=self._drawing(phase, ", ".join(served)),
            served=", ".join(served),
        )

    def _drawing(self, phase: Phase, title: str) -> Markup:
        layout = self._layout
        svg = Svg(layout.width, layout.height, f"Stage {phase.name}: {title}", "stage")
        svg.add("use", href=f"#{self._symbol_id}", width=layout.width, height=layout.height)
        movements = self._network.movements
        moving = {movements[m].from_link for m in (*phase.movements, *phase.permitted) if m in movements}
        for (link_id, inbound), port in layout.ports.items():
            if inbound and link_id not in moving and link_id in self._names.approach:
                svg.line(*_stop_bar(layout, port), css="stop-bar")
        for crossing_id in phase.crossings:
            self._zebra(svg, crossing_id)
        for group, css in ((phase.permitted, "arrow yields"), (phase.movements, "arrow")):
            for movement_id in group:
                if movement_id in movements:
                    self._arrow(svg, movements[movement_id], css)
        return svg.render()

    def _arrow(self, svg: Svg, movement: Movement, css: str) -> None:
        start = self._layout.ports.get((movement.from_link, True))
        end = self._layout.ports.get((movement.to_link, False))
        if start is not None and end is not None:
            a, b = self._layout.inner(start, CURVE), self._layout.inner(end, CURVE)
            if start.node_id == end.node_id and _gap_rad(start, end) < 2 * LEAST_GAP_RAD:
                a, b = self._layout.inner(start, TURN_BACK), self._layout.inner(end, TURN_BACK)
            path = f"M{_at(self._layout.stop(start))}C{_at(a)} {_at(b)} {_at(self._layout.stop(end))}"
            head = "url(#head-yields)" if "yields" in css else "url(#head)"
            svg.add("path", d=path, css=css, marker_end=head)

    def _zebra(self, svg: Svg, crossing_id: str) -> None:
        crossing = next((x for x in self._network.crossings if x.id == crossing_id), None)
        if crossing is None:
            return
        ports = [p for p in self._layout.ports.values() if p.link_id in crossing.crossed_links]
        ports = [p for p in ports if p.node_id == crossing.node_id]
        if ports:
            first, last = span_of([p.at_rad for p in ports])
            edge, radius = math.radians(11), RADIUS + 9
            steps = max(2, math.ceil((last - first + 2 * edge) / math.radians(12)))
            angles = [first - edge + (last - first + 2 * edge) * n / steps for n in range(steps + 1)]
            path = [self._layout.around(crossing.node_id, radius, angle) for angle in angles]
            svg.add("polyline", points=points(path), css="zebra")


def _gap_rad(a: Port, b: Port) -> float:
    return abs((a.at_rad - b.at_rad + math.pi) % (2 * math.pi) - math.pi)


def _at(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def _road(path: list[Point], lanes: int) -> str:
    return element(
        "polyline", points=points(path), css="road", stroke_width=min(5 + LANE_WIDTH * (lanes - 1), 4 * LANE_WIDTH)
    )


def _stop_bar(layout: Layout, port: Port) -> tuple[Point, Point]:
    half = math.radians(8)
    ends = (port.at_rad - half, port.at_rad + half)
    first, last = (layout.around(port.node_id, RADIUS + 2, angle) for angle in ends)
    return first, last
