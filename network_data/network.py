"""The road network as the engine sees it: links with lanes, lane-to-lane connections, crossings, controllers.

All records are frozen; indices (`i_connection`, `link_index`) point into the tuples of `RoadNetwork`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import networkx as nx

from network_data.controllers import Controller
from network_data.errors import NetworkError
from network_data.graph import street_graph, turn_graph

LaneKind = Literal["general", "bus", "other"]
"""Who may drive there: everybody; buses (and taxis) only; nobody we simulate (footways, rails, cycle tracks)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A junction, or an end of the network."""

    id: str
    kind: str
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane of a link; index 0 is the rightmost."""

    index: int
    length_m: float
    speed_mps: float
    width_m: float
    kind: LaneKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A directed road section between two nodes."""

    id: str
    from_node: str
    to_node: str
    lanes: tuple[Lane, ...]
    name: str
    priority: int
    shape: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.lanes:
            raise NetworkError(f"link {self.id!r}", "has no lanes; give it at least one or remove it")
        for lane in self.lanes:
            if not (lane.length_m > 0 and lane.speed_mps > 0):  # this way round so that NaN fails too
                raise NetworkError(
                    f"link {self.id!r}",
                    f"lane {lane.index}: length {lane.length_m} m and speed {lane.speed_mps} m/s must both be above 0",
                )

    @property
    def length_m(self) -> float:
        """Length of the longest lane. [m]"""
        return max(lane.length_m for lane in self.lanes)

    @property
    def speed_mps(self) -> float:
        """Highest speed limit of its lanes. [m/s]"""
        return max(lane.speed_mps for lane in self.lanes)

    @property
    def drivable(self) -> bool:
        """Whether cars or buses may use any lane."""
        return any(lane.kind != "other" for lane in self.lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One way from a lane of a link to a lane of the next, across a junction.

    `yields_to` and `conflicts` hold indices of connections of the same junction, `yields_to_crossings` indices of
    crossings. A connection that leads through a waiting place inside the junction has `wait_m` > 0: the room before it;
    `detach_m` is how far along its way it has left all other ways from its lane by 2.5 m: a vehicle whose rear has not
    come so far stands in the way of those behind it.
    """

    movement_id: str
    node_id: str
    from_link: str
    from_lane: int
    to_link: str
    to_lane: int
    direction: str
    length_m: float
    speed_mps: float
    wait_m: float
    kind: LaneKind
    right_of_way: str
    controller_id: str | None
    link_index: int | None
    yields_to: tuple[int, ...]
    conflicts: tuple[int, ...]
    yields_to_crossings: tuple[int, ...]
    detach_m: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A pedestrian crossing, id `x:<node>:<n>`."""

    id: str
    node_id: str
    crossed_links: tuple[str, ...]
    length_m: float
    width_m: float
    controller_id: str | None
    link_indices: tuple[int, ...]
    conflicts: tuple[int, ...]  # connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """All connections from one link to another: id `from_link>to_link` (`#class` where classes are signalled apart)."""

    id: str
    from_link: str
    to_link: str
    connections: tuple[int, ...]
    controller_id: str | None
    link_indices: tuple[int, ...]

    @property
    def pair(self) -> tuple[str, str]:
        """The two links, the key of turning flows."""
        return self.from_link, self.to_link


@dataclass(frozen=True, eq=False)
class RoadNetwork:
    """A network, complete and checked. `hash` identifies the content, `source` the file it came from."""

    nodes: dict[str, Node]
    links: dict[str, Link]
    connections: tuple[Connection, ...]
    crossings: tuple[Crossing, ...]
    controllers: dict[str, Controller]
    source: str = ""
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the content (not over the file's bytes). [hex]"""
        digest = hashlib.sha256()
        parts = (self.nodes.values(), self.links.values(), self.connections, self.crossings, self.controllers.values())
        for part in parts:
            for item in part:
                digest.update(repr(item).encode())
        return digest.hexdigest()

    @cached_property
    def movements(self) -> dict[str, Movement]:
        """Movements by id, in order of their first connection."""
        groups: dict[str, list[int]] = defaultdict(list)
        for i, connection in enumerate(self.connections):
            groups[connection.movement_id].append(i)
        out = {}
        for movement_id, members in groups.items():
            first = self.connections[members[0]]
            indices = sorted({x for i in members if (x := self.connections[i].link_index) is not None})
            out[movement_id] = Movement(
                id=movement_id,
                from_link=first.from_link,
                to_link=first.to_link,
                connections=tuple(members),
                controller_id=first.controller_id,
                link_indices=tuple(indices),
            )
        return out

    @cached_property
    def outgoing(self) -> dict[str, tuple[str, ...]]:
        """Link id → links that can be reached from it, in order of appearance."""
        out: dict[str, dict[str, None]] = {link_id: {} for link_id in self.links}
        for connection in self.connections:
            out[connection.from_link][connection.to_link] = None
        return {link_id: tuple(targets) for link_id, targets in out.items()}

    @cached_property
    def incoming(self) -> dict[str, tuple[str, ...]]:
        """Link id → links that lead into it."""
        back: dict[str, dict[str, None]] = {link_id: {} for link_id in self.links}
        for connection in self.connections:
            back[connection.to_link][connection.from_link] = None
        return {link_id: tuple(sources) for link_id, sources in back.items()}

    @cached_property
    def approaches(self) -> dict[str, tuple[str, ...]]:
        """Controller id → its approach links (links that end at one of its signals), in order of appearance."""
        out: dict[str, dict[str, None]] = {controller_id: {} for controller_id in self.controllers}
        for connection in self.connections:
            if connection.controller_id is not None:
                out[connection.controller_id][connection.from_link] = None
        return {controller_id: tuple(links) for controller_id, links in out.items()}

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """Junctions and links as a frozen networkx graph with our typed records; see `network_data.graph`."""
        return street_graph(self)

    @cached_property
    def turn_graph(self) -> nx.MultiDiGraph:
        """Links and movements as a frozen networkx graph with our typed records; see `network_data.graph`."""
        return turn_graph(self)
