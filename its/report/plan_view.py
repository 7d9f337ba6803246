"""A map of the network: where the signals stand, and where delay falls and rises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup

from its.report.names import short
from its.report.svg import Point, Svg, element, points
from network_data.network import RoadNetwork
from sim.measures import Measures

WIDTH = 980.0
MOST_HEIGHT = 500.0
EDGE = 34.0
DOT = 6.0
MAX_NAME = 14
LABEL_ROOM = 60.0
MOST_POINTS = 20_000
EVEN_SHARE = 0.02
"""Changes below this share of the delay before are drawn as none. [-]"""


def network_map(network: RoadNetwork, before: Measures, after: Measures, anchors: Mapping[str, str]) -> Markup | None:
    """Links as lines, signals as dots coloured by the change of their delay; `anchors` are their places on the page."""
    places = {c: _place(network, c) for c in network.controllers}
    shapes = [link.shape for link in network.links.values() if link.drivable and len(link.shape) > 1]
    if not shapes or not places or sum(len(s) for s in shapes) > MOST_POINTS:
        return None
    xs, ys = ([p[k] for s in shapes for p in s] for k in range(2))
    extent = max(max(xs) - min(xs), 1.0), max(max(ys) - min(ys), 1.0)
    west_m, north_m = min(xs), max(ys)
    px = min((WIDTH - 2 * EDGE - LABEL_ROOM) / extent[0], (MOST_HEIGHT - 2 * EDGE) / extent[1])

    def at(point: Point) -> Point:
        return EDGE + (point[0] - west_m) * px, EDGE + (north_m - point[1]) * px

    size = extent[0] * px + 2 * EDGE + LABEL_ROOM, extent[1] * px + 2 * EDGE
    svg = Svg(*size, "Map of the network and its signals", "map")
    for link in network.links.values():
        if link.drivable and len(link.shape) > 1:
            wide = min(1.2 + 0.9 * (len(link.lanes) - 1), 4.0)
            svg.add("polyline", points=points(at(p) for p in link.shape), css="map-road", stroke_width=wide)
    shown = [c for c in places if c in before.signals and c in after.signals]
    dots = {c: at(places[c]) for c in shown}
    delays = {c: (before.signals[c].delay_s_per_veh, after.signals[c].delay_s_per_veh) for c in shown}
    for c in shown:
        svg.raw(_dot(c, dots[c], delays[c], anchors.get(c)))
    for c, label in _placed(dots, size).items():
        before_s, after_s = delays[c]
        svg.text(label.x, label.y + 9, short(c, MAX_NAME), f"map-name {label.anchor}")
        svg.text(label.x, label.y + 20, f"{before_s:.1f} → {after_s:.1f} s", f"map-delay {label.anchor}")
    _scale(svg, px, size[1])
    return svg.render()


def _place(network: RoadNetwork, controller_id: str) -> Point:
    """Middle of a controller's nodes."""
    nodes = [network.nodes[n] for n in network.controllers[controller_id].node_ids if n in network.nodes]
    if not nodes:
        ends = [network.nodes[network.links[x].to_node] for x in network.approaches[controller_id]]
        nodes = ends or list(network.nodes.values())[:1]
    return sum(n.x_m for n in nodes) / len(nodes), sum(n.y_m for n in nodes) / len(nodes)


def _dot(controller_id: str, at: Point, delays_s: tuple[float, float], anchor: str | None) -> Markup:
    before_s, after_s = delays_s
    change = after_s - before_s
    css = "map-even" if abs(change) <= EVEN_SHARE * max(before_s, 1.0) else "map-better" if change < 0 else "map-worse"
    title = element("title", f"{controller_id}: {before_s:.1f} → {after_s:.1f} s/veh")
    dot = f"<g>{title}{element('circle', cx=at[0], cy=at[1], r=DOT, css=css)}</g>"
    return Markup(f'<a href="#{anchor}">{dot}</a>' if anchor else dot)


class _Label(NamedTuple):
    """Where a signal's two lines of text stand: their edge at x, their top at y."""

    x: float
    y: float
    anchor: str
    box: tuple[float, float, float, float]


def _placed(dots: Mapping[str, Point], size: Point) -> dict[str, _Label]:
    """A label beside each dot where it covers no other label or dot; those without room get none."""
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in dots.values()]
    out = {}
    for controller_id, (x, y) in dots.items():
        width = max(6.0 * len(short(controller_id, MAX_NAME)), 62.0)
        tries = (
            _Label(x + DOT + 3, y - 11, "start", (x + DOT + 2, y - 11, x + DOT + 3 + width, y + 12)),
            _Label(x - DOT - 3, y - 11, "end", (x - DOT - 3 - width, y - 11, x - DOT - 2, y + 12)),
            _Label(x, y - DOT - 25, "middle", (x - width / 2, y - DOT - 25, x + width / 2, y - DOT - 1)),
            _Label(x, y + DOT, "middle", (x - width / 2, y + DOT + 1, x + width / 2, y + DOT + 23)),
        )
        for label in tries:
            inside = label.box[0] >= 0 and label.box[1] >= 0 and label.box[2] <= size[0] and label.box[3] <= size[1]
            if inside and not any(_overlap(label.box, other) for other in taken):
                taken.append(label.box)
                out[controller_id] = label
                break
    return out


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _scale(svg: Svg, px: float, height: float) -> None:
    """A bar of a round length."""
    metres = 10.0 ** math.floor(math.log10(max(160 / px, 1.0)))
    metres *= max(m for m in (1, 2, 5) if metres * m * px <= 160 or m == 1)
    svg.line((EDGE, height - 12), (EDGE + metres * px, height - 12), "map-scale")
    svg.text(EDGE + metres * px + 6, height - 9, f"{metres:,.0f} m", "map-delay start")
