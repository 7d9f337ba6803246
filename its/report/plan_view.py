"""A map of the network: where the signals stand, and where delay falls and rises."""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup

from its.report.names import short
from its.report.svg import Point, Svg, element, points
from network_data.network import RoadNetwork
from sim.measures import Measures

WIDTH = 980.0
MOST_HEIGHT = 430.0
EDGE = 34.0
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
    px = min((WIDTH - 2 * EDGE - LABEL_ROOM) / extent[0], (MOST_HEIGHT - 2 * EDGE) / extent[1])

    def at(point: Point) -> Point:
        return EDGE + (point[0] - min(xs)) * px, EDGE + (max(ys) - point[1]) * px

    size = extent[0] * px + 2 * EDGE + LABEL_ROOM, extent[1] * px + 2 * EDGE
    svg = Svg(*size, "Map of the network and its signals", "map")
    for link in network.links.values():
        if link.drivable and len(link.shape) > 1:
            wide = min(1.2 + 0.9 * (len(link.lanes) - 1), 4.0)
            svg.add("polyline", points=points(at(p) for p in link.shape), css="map-road", stroke_width=wide)
    for controller_id, place in places.items():
        if controller_id in before.signals and controller_id in after.signals:
            delays = before.signals[controller_id].delay_s_per_veh, after.signals[controller_id].delay_s_per_veh
            svg.raw(_dot(controller_id, at(place), delays, anchors.get(controller_id)))
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
    shown = element("circle", cx=at[0], cy=at[1], r=6, css=css)
    shown += element("text", short(controller_id, 14), x=at[0] + 9, y=at[1] - 1, css="map-name")
    shown += element("text", f"{before_s:.1f} → {after_s:.1f} s", x=at[0] + 9, y=at[1] + 10, css="map-delay")
    return Markup(f'<a href="#{anchor}">{shown}</a>' if anchor else shown)


def _scale(svg: Svg, px: float, height: float) -> None:
    """A bar of a round length."""
    metres = 10.0 ** math.floor(math.log10(max(160 / px, 1.0)))
    metres *= max(m for m in (1, 2, 5) if metres * m * px <= 160 or m == 1)
    svg.line((EDGE, height - 12), (EDGE + metres * px, height - 12), "map-scale")
    svg.text(EDGE + metres * px + 6, height - 9, f"{metres:,.0f} m", "map-delay")
