"""A signal's plan view as a scheme: real bearings, real order of nodes, but room enough for every arrow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from its.report.names import outward_rad
from its.report.svg import Point
from network_data.network import Movement, RoadNetwork

RADIUS = 30.0
"""Of the circle on which the stop lines of a node lie. [px]"""
STUB = 21.0
"""Length of the drawn part of each link. [px]"""
MARGIN = 9.0
SIDE_RAD = math.radians(17)
"""Entering and leaving traffic of the same arm stand so far apart."""
LEAST_GAP_RAD = math.radians(21)
SAME_ARM_RAD = math.radians(32)
MOST_EXTENT = 190.0
"""Largest distance between nodes of one signal in the drawing. [px]"""


@dataclass(frozen=True, slots=True)
class Port:
    """Where a link meets a node: `arm_rad` is its bearing, `at_rad` where on the circle it is drawn."""

    link_id: str
    node_id: str
    inbound: bool
    arm_rad: float
    at_rad: float
    lanes: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of one signal's nodes and ports. [px, y down]"""

    width: float
    height: float
    nodes: dict[str, Point]
    ports: dict[tuple[str, bool], Port]

    def stop(self, port: Port) -> Point:
        """Where a link's arrow begins or ends."""
        return self._at(port, RADIUS, 0.0)

    def far(self, port: Port) -> Point:
        """Outer end of the drawn part of a link."""
        return self._at(port, RADIUS, STUB)

    def label(self, port: Port) -> Point:
        """Where the arm's letter stands."""
        return self._at(port, RADIUS, STUB + 8)

    def beside(self, port: Port) -> Point:
        """Where the letter of an arm stands whose outer end is another node of the signal."""
        return self.around(port.node_id, RADIUS + 15, port.at_rad + (0.42 if port.inbound else -0.42))

    def inner(self, port: Port, share: float) -> Point:
        """A point before the stop line, towards the middle of the node: control point of a curve."""
        return self._at(port, RADIUS, -share * RADIUS)

    def around(self, node_id: str, radius: float, angle_rad: float) -> Point:
        """A point on a circle around a node."""
        x, y = self.nodes[node_id]
        return x + radius * math.cos(angle_rad), y - radius * math.sin(angle_rad)

    def _at(self, port: Port, radius: float, outward: float) -> Point:
        x, y = self.around(port.node_id, radius, port.at_rad)
        return x + outward * math.cos(port.arm_rad), y - outward * math.sin(port.arm_rad)


def movements_of(network: RoadNetwork, controller_id: str) -> list[Movement]:
    """Signalled movements of a controller."""
    return _by_controller(network).get(controller_id, [])


@lru_cache(maxsize=1)
def _by_controller(network: RoadNetwork) -> dict[str, list[Movement]]:
    out: dict[str, list[Movement]] = {}
    for movement in network.movements.values():
        if movement.controller_id is not None:
            out.setdefault(movement.controller_id, []).append(movement)
    return out


def layout_of(network: RoadNetwork, controller_id: str) -> Layout:
    """Arrange a signal."""
    ends: dict[tuple[str, bool], str] = {}
    for movement in movements_of(network, controller_id):
        node_id = network.connections[movement.connections[0]].node_id
        ends[movement.from_link, True] = node_id
        ends[movement.to_link, False] = node_id
    for crossing in network.crossings:
        if crossing.controller_id == controller_id:
            for link_id in crossing.crossed_links:
                if network.links[link_id].drivable:
                    ends[link_id, network.links[link_id].to_node == crossing.node_id] = crossing.node_id
    nodes = _node_positions(network, sorted(set(ends.values())))
    ports = [_port(network, link_id, inbound, node_id) for (link_id, inbound), node_id in ends.items()]
    placed = [p for node_id in nodes for p in _spread([p for p in ports if p.node_id == node_id])]
    return _cropped(nodes, {(p.link_id, p.inbound): p for p in placed})


def _cropped(nodes: dict[str, Point], ports: dict[tuple[str, bool], Port]) -> Layout:
    """Moved and cut to what is drawn, with room for the letters of the arms."""
    layout = Layout(0.0, 0.0, nodes, ports)
    corners = [layout.label(port) for port in ports.values()]
    corners += [(x + dx, y + dy) for x, y in nodes.values() for dx, dy in ((-RADIUS, -RADIUS), (RADIUS, RADIUS))]
    left, top = (min((c[k] for c in corners), default=0.0) - MARGIN for k in range(2))
    right, bottom = (max((c[k] for c in corners), default=0.0) + MARGIN for k in range(2))
    moved = {node_id: (x - left, y - top) for node_id, (x, y) in nodes.items()}
    return Layout(right - left, bottom - top, moved, ports)


def _port(network: RoadNetwork, link_id: str, inbound: bool, node_id: str) -> Port:
    link = network.links[link_id]
    angle = outward_rad(link, inbound=inbound)
    lanes = sum(lane.kind != "other" for lane in link.lanes)
    return Port(link_id, node_id, inbound, angle, angle, max(1, lanes))


def _node_positions(network: RoadNetwork, node_ids: Iterable[str]) -> dict[str, Point]:
    """Real positions, y down, scaled to fit; nodes that would overlap are pushed apart."""
    real = {node_id: (network.nodes[node_id].x_m, -network.nodes[node_id].y_m) for node_id in node_ids}
    extent_m = max((math.dist(a, b) for a in real.values() for b in real.values()), default=0.0)
    scale = MOST_EXTENT / extent_m if extent_m > 0 else 1.0
    least = 2 * RADIUS + 22
    gaps = [math.dist(a, b) * scale for i, a in enumerate(real.values()) for b in list(real.values())[i + 1 :]]
    if gaps and min(gaps) > least:
        scale *= least / min(gaps)
    at = {node_id: [x * scale, y * scale] for node_id, (x, y) in real.items()}
    for _ in range(60):
        for i, a in enumerate(at):
            for b in list(at)[i + 1 :]:
                gap = math.dist(at[a], at[b])
                if gap < least:
                    dx, dy = ((at[b][k] - at[a][k]) / gap if gap > 1e-9 else float(k == 0) for k in range(2))
                    push = (least - gap) / 2
                    at[a] = [at[a][0] - dx * push, at[a][1] - dy * push]
                    at[b] = [at[b][0] + dx * push, at[b][1] + dy * push]
    return {node_id: (x, y) for node_id, (x, y) in at.items()}


def _spread(ports: list[Port]) -> list[Port]:
    """Entering traffic on the right of its arm, leaving on the other side; then no two closer than the least gap."""
    placed = []
    for port in ports:
        both = any(p.inbound != port.inbound and _apart(p.arm_rad, port.arm_rad) < SAME_ARM_RAD for p in ports)
        side = (SIDE_RAD if port.inbound else -SIDE_RAD) if both else 0.0
        placed.append(replace(port, at_rad=port.arm_rad + side))
    placed.sort(key=lambda p: (p.at_rad % (2 * math.pi), p.inbound, p.link_id))
    angles = _pushed_apart([p.at_rad % (2 * math.pi) for p in placed])
    return [replace(port, at_rad=angle) for port, angle in zip(placed, angles, strict=True)]


def _pushed_apart(angles: list[float]) -> list[float]:
    """Sorted angles on a circle, moved until no two are closer than the least gap; their order stays."""
    n = len(angles)
    least = min(LEAST_GAP_RAD, 2 * math.pi / max(1, n))
    for _ in range(80):
        for i in range(n if n > 1 else 0):
            j, turn = ((i + 1) % n, 2 * math.pi if i + 1 == n else 0.0)
            push = (least - (angles[j] + turn - angles[i])) / 2
            if push > 0:
                angles[i] -= push
                angles[j] += push
    return angles


def _apart(a_rad: float, b_rad: float) -> float:
    return abs((a_rad - b_rad + math.pi) % (2 * math.pi) - math.pi)


def neighbours(layout: Layout) -> list[tuple[Port, Port]]:
    """Links between two nodes of the same signal: (leaving port, entering port)."""
    return [
        (port, other)
        for (link_id, inbound), port in layout.ports.items()
        if not inbound and (other := layout.ports.get((link_id, True))) is not None and other.node_id != port.node_id
    ]


def span_of(angles: list[float]) -> tuple[float, float]:
    """The shortest arc that covers all angles: (from, to), counter-clockwise, to ≥ from. [rad]"""
    ring = sorted(a % (2 * math.pi) for a in angles)
    if len(ring) == 1:
        return ring[0], ring[0]
    gaps = [(b - a, n) for n, (a, b) in enumerate(pairwise([*ring, ring[0] + 2 * math.pi]))]
    widest = max(gaps)[1]
    first = ring[(widest + 1) % len(ring)]
    last = ring[widest]
    return first, last if last >= first else last + 2 * math.pi
