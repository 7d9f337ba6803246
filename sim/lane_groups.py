"""Lane groups of the HCM: the lanes of an approach that serve the same movements, the unit of report."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from network_data.network import LaneKind, RoadNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneGroup:
    """Lanes of a link that serve the same movements. `id` is `link:lanes`, lanes joined by `+`, rightmost first.

    `lanes` are lane indices (0 is the rightmost), `connections` indices of the network's connections, `movements` ids.
    `controller_id` is None where no signal controls any of the lanes. An exclusive turn lane, the lanes of a through
    movement and every kind of shared lane are groups of their own; so are bus lanes.
    """

    id: str
    link: str
    lanes: tuple[int, ...]
    connections: tuple[int, ...]
    movements: tuple[str, ...]
    controller_id: str | None
    kind: LaneKind = "general"


def lane_groups(network: RoadNetwork) -> dict[str, LaneGroup]:
    """Lane groups by id, links in the network's order, then by lowest lane; lanes that lead nowhere are in none."""
    of_lane: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, connection in enumerate(network.connections):
        of_lane[connection.from_link, connection.from_lane].append(i)
    out: dict[str, LaneGroup] = {}
    for link in network.links.values():
        alike: dict[tuple[LaneKind, frozenset[str]], list[int]] = defaultdict(list)
        for lane in sorted(link.lanes, key=lambda x: x.index):
            served = frozenset(network.connections[i].movement_id for i in of_lane.get((link.id, lane.index), ()))
            if served:
                alike[lane.kind, served].append(lane.index)
        for (kind, _), lanes in alike.items():
            group = _group(network, link.id, kind, lanes, of_lane)
            out[group.id] = group
    return out


def _group(
    network: RoadNetwork, link_id: str, kind: LaneKind, lanes: list[int], of_lane: dict[tuple[str, int], list[int]]
) -> LaneGroup:
    members = sorted(i for lane in lanes for i in of_lane[link_id, lane])
    connections = [network.connections[i] for i in members]
    return LaneGroup(
        id=f"{link_id}:{'+'.join(map(str, lanes))}",
        link=link_id,
        lanes=tuple(lanes),
        connections=tuple(members),
        movements=tuple(dict.fromkeys(c.movement_id for c in connections)),
        controller_id=next((c.controller_id for c in connections if c.controller_id is not None), None),
        kind=kind,
    )
