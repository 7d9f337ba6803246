"""Which way links lead, and what movements and crossings are called in the street: northbound left, the east side."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from network_data.controllers import Controller
from network_data.network import Link, Movement, RoadNetwork

LOOK_BACK_M = 25.0
"""The bearing of an approach is that of its last metres. [m]"""
COMPASS = ("E", "NE", "N", "NW", "W", "SW", "S", "SE")
SIDES = ("east", "northeast", "north", "northwest", "west", "southwest", "south", "southeast")
TURNS = {"s": "through", "l": "left", "L": "left", "r": "right", "R": "right", "t": "U-turn"}


def outward_rad(link: Link, *, inbound: bool) -> float:
    """Angle under which a link is seen from its junction: counter-clockwise from east. [rad]"""
    shape = link.shape if inbound else link.shape[::-1]  # ends at the junction
    if len(shape) < 2:
        return 0.0
    x, y = shape[-1]
    far, seen = shape[-2], 0.0
    for point, previous in zip(shape[-2::-1], shape[::-1], strict=False):
        far, seen = point, seen + math.dist(point, previous)
        if seen >= LOOK_BACK_M:
            over = (seen - LOOK_BACK_M) / max(math.dist(point, previous), 1e-9)
            far = (point[0] + over * (previous[0] - point[0]), point[1] + over * (previous[1] - point[1]))
            break
    return math.atan2(far[1] - y, far[0] - x)


def eighth(angle_rad: float) -> int:
    """Which of eight directions, counted from east against the clock."""
    return round(angle_rad / (math.pi / 4)) % 8


def compass(angle_rad: float) -> str:
    """One of eight directions."""
    return COMPASS[eighth(angle_rad)]


class Places:
    """Movements, crossings and signal heads of a network in the field's words; made once."""

    def __init__(self, network: RoadNetwork) -> None:
        self._network = network

    @cached_property
    def _movements(self) -> dict[str, str]:
        plain = {m.id: self._plain(m) for m in self._network.movements.values()}
        count = Counter((m.controller_id, plain[m.id]) for m in self._network.movements.values())
        return {
            m.id: plain[m.id] + (f" ({m.id})" if count[m.controller_id, plain[m.id]] > 1 else "")
            for m in self._network.movements.values()
        }

    def _plain(self, movement: Movement) -> str:
        link = self._network.links[movement.from_link]
        turn = TURNS.get(self._network.connections[movement.connections[0]].direction, "through")
        if len(link.shape) < 2:
            return f"{movement.from_link} {turn}"
        heading = SIDES[(eighth(outward_rad(link, inbound=True)) + 4) % 8]
        return f"{heading}bound {turn}"

    def movement(self, movement_id: str) -> str:
        """E.g. `northbound left`; the id behind it where a signal has two of that name."""
        return self._movements.get(movement_id, movement_id)

    def approach(self, link_id: str) -> str:
        """E.g. `northbound`."""
        link = self._network.links[link_id]
        if len(link.shape) < 2:
            return link_id
        return f"{SIDES[(eighth(outward_rad(link, inbound=True)) + 4) % 8]}bound"

    @cached_property
    def _crossings(self) -> dict[str, str]:
        sides = {}
        for x in self._network.crossings:
            links = [self._network.links[name] for name in x.crossed_links if name in self._network.links]
            known = [link for link in links if len(link.shape) > 1]
            side = SIDES[eighth(outward_rad(known[0], inbound=known[0].to_node == x.node_id))] if known else ""
            sides[x.id] = (x.controller_id or x.node_id, side)
        count = Counter(sides.values())
        return {
            name: f"crossing on the {side} side" if side and count[where, side] == 1 else f"crossing {name}"
            for name, (where, side) in sides.items()
        }

    def crossing(self, crossing_id: str) -> str:
        """E.g. `crossing on the east side`."""
        return self._crossings.get(crossing_id, f"crossing {crossing_id}")

    def head(self, controller: Controller, index: int) -> str:
        """What a link index serves."""
        head = controller.heads[index]
        if head.crossing_ids:
            return joined([self.crossing(x) for x in head.crossing_ids])
        if head.movement_ids:
            return joined([self.movement(m) for m in head.movement_ids])
        return f"link index {index}"

    def heads(self, controller: Controller, indices: Iterable[int]) -> str:
        """What several link indices serve, each thing once."""
        return joined(list(dict.fromkeys(self.head(controller, k) for k in indices)))


def joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
