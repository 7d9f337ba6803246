"""Turn bays: a link that widens before the stop line becomes two, the second with all its lanes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from network_data.assembly.plane import Point, Shape, length_m
from network_data.assembly.ways import BAY_NODE, Way
from network_data.network import Lane, Link, Node

LEAST_UPSTREAM_M = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bay:
    """Lanes added on the left and on the right over the last metres of a link."""

    left: int
    right: int
    length_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Widened:
    """A link with its bay: both links, the node between them, and the ways from one to the other."""

    upstream: Link
    bay: Link
    node: Node
    ways: tuple[Way, ...]


def widened(link: Link, bay: Bay) -> Widened:
    """Split a link where its bay begins; `<id>` is the upstream part, `<id>.bay` the part with all lanes."""
    whole_m = link.lanes[0].length_m
    bay_m = min(bay.length_m, max(whole_m / 2, whole_m - LEAST_UPSTREAM_M))
    first, last = _cut(link.shape, 1 - bay_m / whole_m)
    name = f"{link.id}.{BAY_NODE}"
    node = Node(id=name, kind=BAY_NODE, x_m=last[0][0], y_m=last[0][1])
    base = [replace(lane, length_m=bay_m) for lane in link.lanes]
    added = Lane(index=0, length_m=bay_m, speed_mps=link.speed_mps, width_m=link.lanes[0].width_m, kind="general")
    row = [added] * bay.right + base + [added] * bay.left
    up = replace(
        link,
        to_node=name,
        lanes=tuple(replace(lane, length_m=whole_m - bay_m) for lane in link.lanes),
        shape=first,
    )
    down = replace(
        link, id=name, from_node=name, lanes=tuple(replace(lane, index=i) for i, lane in enumerate(row)), shape=last
    )
    pairs = [(0, i) for i in range(bay.right)]
    pairs += [(i, bay.right + i) for i in range(len(base))]
    pairs += [(len(base) - 1, bay.right + len(base) + i) for i in range(bay.left)]
    ways = tuple(
        Way(from_link=link.id, from_lane=a, to_link=name, to_lane=b, kind=up.lanes[a].kind, direction="s")
        for a, b in pairs
        if up.lanes[a].kind != "other"
    )
    return Widened(upstream=up, bay=down, node=node, ways=ways)


def _cut(shape: Shape, share: float) -> tuple[Shape, Shape]:
    """The two parts of a polyline, cut at a share of its length."""
    left = share * length_m(shape)
    for n, (a, b) in enumerate(pairwise(shape)):
        step = math.dist(a, b)
        if step >= left and step > 0:
            middle: Point = (a[0] + (b[0] - a[0]) * left / step, a[1] + (b[1] - a[1]) * left / step)
            return (*shape[: n + 1], middle), (middle, *shape[n + 1 :])
        left -= step
    return shape, shape[-2:]


def into_bay(ways: Sequence[Way], bay: Bay, n_lane: int, directions: Sequence[str]) -> tuple[list[Way], list[str]]:
    """The ways that leave a link, from the lanes of its bay instead of from its own.

    Turns move into the added lanes of their side, if there are any; a lane that no turn would be left on keeps its own.

    Parameters
    ----------
    ways : sequence of Way
        All ways from the link, by its own lanes.
    bay : Bay
        The added lanes.
    n_lane : int
        The link's own lanes.
    directions : sequence of str
        `s`, `l`, `r`, `t` of each way.

    Returns
    -------
    tuple of list of Way, list of str
        The ways, and which sides have added lanes that nothing uses (`left`, `right`).
    """
    name = f"{ways[0].from_link}.{BAY_NODE}" if ways else ""
    sides = {"left": (bay.left, "lt"), "right": (bay.right, "r")}
    on_lane: dict[int, set[str]] = defaultdict(set)
    for way, direction in zip(ways, directions, strict=True):
        on_lane[way.from_lane].add(direction)
    out: list[Way] = []
    used: set[str] = set()
    for way, direction in zip(ways, directions, strict=True):
        side = next((s for s, (n, turns) in sides.items() if n and direction in turns), None)
        stays = side is None or on_lane[way.from_lane] <= set(sides[side][1])
        if stays:
            out.append(replace(way, from_link=name, from_lane=bay.right + way.from_lane, direction=direction))
        if side is not None:
            used.add(side)
            for k in range(sides[side][0]):
                lane = bay.right + n_lane + k if side == "left" else k
                behind = sides[side][0] - 1 - k  # the innermost lane keeps the target, others go outside of it
                to_lane = max(0, way.to_lane - behind) if side == "left" else way.to_lane
                out.append(replace(way, from_link=name, from_lane=lane, to_lane=to_lane, direction=direction))
    unused = [side for side, (n, _) in sides.items() if n and side not in used]
    return list(dict.fromkeys(out)), unused
