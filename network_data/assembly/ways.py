"""Ways across junctions: where stop lines lie, how ways curve, how long they are and how fast one can drive there."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from network_data.assembly.plane import Point, Shape, beside, curve, heading_in, heading_out, length_m, turned
from network_data.network import LaneKind, Link, Node

STRAIGHT_RAD = math.radians(35)
"""Turns of less count as straight on."""
BACK_RAD = math.radians(155)
"""Turns of more are U-turns."""
CROSSING_RAD = math.radians(25)
"""Legs at a smaller angle (or its opposite) belong to one street, so that neither sets the other's stop line back."""
BAY_NODE = "bay"
"""Kind of a node where a link widens, a part of one street."""
KERB_M = 3.0
"""From the edge of the crossing street to the stop line. [m]"""
MOST_SHARE = 0.35
"""Most of a link that one junction takes. [-]"""
LATERAL_MPS2 = 5.5
"""Sideways acceleration drivers take in turns, SUMO's `--junctions.limit-turn-speed`. [m/s²]"""
LEAST_MPS = 2.0
LEAST_M = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From a lane to a lane across a node, and what signals it there (if anything does)."""

    from_link: str
    from_lane: int
    to_link: str
    to_lane: int
    controller_id: str | None = None
    link_index: int | None = None
    kind: LaneKind = "general"
    direction: str = ""
    """`s`, `l`, `r`, `t` where the file says it; else it comes from the angle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The geometry of a way."""

    shape: Shape
    length_m: float
    speed_mps: float
    direction: str
    heading_rad: float
    """In which one arrives at the stop line."""


def direction_of(angle_rad: float) -> str:
    """`s`, `l`, `r` or `t` (back) from the angle by which one turns left."""
    if abs(angle_rad) < STRAIGHT_RAD:
        return "s"
    if abs(angle_rad) > BACK_RAD:
        return "t"
    return "l" if angle_rad > 0 else "r"


def _width_m(link: Link) -> float:
    return sum(lane.width_m for lane in link.lanes)


def _whole_ends(links: Mapping[str, Link], bays: Collection[str]) -> dict[str, tuple[str, str]]:
    """Both ends of each link, the two parts of a link with a bay as one."""
    before = {link.to_node: link.from_node for link in links.values() if link.to_node in bays}
    behind = {link.from_node: link.to_node for link in links.values() if link.from_node in bays}
    return {
        name: (before.get(link.from_node, link.from_node), behind.get(link.to_node, link.to_node))
        for name, link in links.items()
    }


class Layout:
    """Where the lanes of all links begin and end.

    Lanes lie right of a link's line where another link comes back between the same nodes, else on both sides of it.
    """

    def __init__(self, links: Mapping[str, Link], nodes: Mapping[str, Node]) -> None:
        self.links = links
        ends = _whole_ends(links, {node.id for node in nodes.values() if node.kind == BAY_NODE})
        pairs = set(ends.values())
        self.two_way = {name for name, (a, b) in ends.items() if (b, a) in pairs}
        self.arrives = {name: heading_in(link.shape) for name, link in links.items()}
        self.leaves = {name: heading_out(link.shape) for name, link in links.items()}
        self.set_back_m = self._set_backs()

    def _set_backs(self) -> dict[tuple[str, str], float]:
        """(link, node) → how far from the node its stop line (or begin) lies. [m]"""
        legs: dict[str, list[tuple[str, float, float]]] = defaultdict(list)  # node → link, heading outwards, extent
        for name, link in self.links.items():
            extent = _width_m(link) * (1.0 if name in self.two_way else 0.5)
            legs[link.to_node].append((name, self.arrives[name] + math.pi, extent))
            legs[link.from_node].append((name, self.leaves[name], extent))
        out = {}
        for node, members in legs.items():
            for name, heading, _ in members:
                sines = [(abs(math.sin(heading - other)), extent) for _, other, extent in members]
                across = [extent for sine, extent in sines if sine > math.sin(CROSSING_RAD)]
                most = MOST_SHARE * self.links[name].length_m
                out[name, node] = min(most, max(across) + KERB_M) if across else 0.0
        return out

    def _right_m(self, link: Link, lane: int) -> float:
        """How far right of the link's line the middle of a lane lies. [m]"""
        left = sum(x.width_m for x in link.lanes if x.index > lane) + link.lanes[lane].width_m / 2
        return left if link.id in self.two_way else left - _width_m(link) / 2

    def stop(self, link_id: str, lane: int) -> Point:
        """Where a lane meets its stop line."""
        link = self.links[link_id]
        back = self.set_back_m[link_id, link.to_node]
        return beside(link.shape[-1], self.arrives[link_id], right_m=self._right_m(link, lane), ahead_m=-back)

    def start(self, link_id: str, lane: int) -> Point:
        """Where a lane begins behind a junction."""
        link = self.links[link_id]
        on = self.set_back_m[link_id, link.from_node]
        return beside(link.shape[0], self.leaves[link_id], right_m=self._right_m(link, lane), ahead_m=on)

    def lane_length_m(self, link_id: str, length: float) -> float:
        """A lane's length without what the junctions at both ends take of it. [m]"""
        link = self.links[link_id]
        taken = self.set_back_m[link_id, link.from_node] + self.set_back_m[link_id, link.to_node]
        return max(LEAST_M, length - taken)

    def curve(self, way: Way) -> Curve:
        """The geometry of a way."""
        here, there = self.links[way.from_link], self.links[way.to_link]
        arrives, leaves = self.arrives[way.from_link], self.leaves[way.to_link]
        shape = curve(self.stop(way.from_link, way.from_lane), arrives, self.start(way.to_link, way.to_lane), leaves)
        angle = turned(arrives, leaves)
        back = here.from_node == there.to_node and abs(angle) > math.pi / 2
        length = max(LEAST_M, length_m(shape))
        speed = min(here.lanes[way.from_lane].speed_mps, there.lanes[way.to_lane].speed_mps)
        if abs(angle) > 0.1:
            speed = min(speed, max(LEAST_MPS, math.sqrt(LATERAL_MPS2 * length / abs(angle))))
        return Curve(
            shape=shape,
            length_m=length,
            speed_mps=speed,
            direction=way.direction or ("t" if back else direction_of(angle)),
            heading_rad=arrives,
        )


def curves_of(layout: Layout, ways: Sequence[Way]) -> list[Curve]:
    """The geometry of all ways."""
    return [layout.curve(way) for way in ways]
