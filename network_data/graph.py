"""The network as networkx graphs: streets, turns, and signals with what lies between them.

Nodes and edges carry the typed records in the attribute `record`, and the numbers that graph algorithms ask for beside
them. The graphs are frozen, because a network keeps one of each: work on `graph.copy()` to change one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

from network_data.errors import DemandError

if TYPE_CHECKING:  # the network offers these graphs as its own
    from network_data.network import Movement, RoadNetwork

Flows = Mapping[tuple[str, str], float]
"""Vehicles per hour of link pairs; an empty to-link ends on the from-link."""
FARTHEST_M = 2000.0
"""Signals farther apart than this are no neighbours: platoons have dispersed. [m]"""
LEAST_SHARE = 0.01
"""A way that so little of what left a signal takes is not followed. [-]"""
STRAIGHT_WEIGHT = 3.0
"""Vehicles that go straight on for each that turns, per lane, where no flows are known. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLink:
    """The way of the traffic from one signal to the next without another between them.

    `flow_vph` left signal `upstream` and reaches the stop lines of `downstream`; `arrivals_vph` is all that reaches the
    approaches on which it comes: from other signals, from side streets and from within. Distance and travel time (free
    flow, the approach included) are means over the flow. Without known flows both are in lanes, not vehicles.
    """

    upstream: str
    downstream: str
    distance_m: float
    travel_s: float
    flow_vph: float
    arrivals_vph: float
    approaches: tuple[str, ...]

    @property
    def platoon_share(self) -> float:
        """Share of the arrivals that come in the platoons of the signal upstream. [-]"""
        return min(1.0, self.flow_vph / self.arrivals_vph) if self.arrivals_vph > 0 else 0.0


def street_graph(network: RoadNetwork) -> nx.MultiDiGraph:
    """Junctions and links: what `RoadNetwork.graph` holds.

    Nodes have `record` (`Node`), `x_m`, `y_m` and `controller_id` (None without a signal); edges, keyed by link id,
    `record` (`Link`), `length_m`, `travel_time_s` (free flow), `lanes` (drivable ones) and `drivable`. Shortest paths
    in it turn wherever streets meet: `turn_graph` knows the turns that are there.
    """
    graph = nx.MultiDiGraph()
    owner = {c.node_id: c.controller_id for c in network.connections if c.controller_id is not None}
    for node in network.nodes.values():
        graph.add_node(node.id, record=node, x_m=node.x_m, y_m=node.y_m, controller_id=owner.get(node.id))
    for link in network.links.values():
        graph.add_edge(
            link.from_node,
            link.to_node,
            key=link.id,
            record=link,
            length_m=link.length_m,
            travel_time_s=link.length_m / link.speed_mps,
            lanes=sum(lane.kind != "other" for lane in link.lanes),
            drivable=link.drivable,
        )
    return nx.freeze(graph)


def turn_graph(network: RoadNetwork) -> nx.MultiDiGraph:
    """Links as nodes and movements as edges: paths in it can be driven.

    Nodes have `record` (`Link`), `length_m` and `travel_time_s`; edges, keyed by movement id, `record` (`Movement`),
    `controller_id`, and `length_m` and `travel_time_s` of the link they leave and the way over the junction: the weight
    of a path is all of it but its last link.
    """
    graph = nx.MultiDiGraph()
    for link in network.links.values():
        graph.add_node(link.id, record=link, length_m=link.length_m, travel_time_s=link.length_m / link.speed_mps)
    for movement in network.movements.values():
        link, ways = network.links[movement.from_link], [network.connections[i] for i in movement.connections]
        graph.add_edge(
            movement.from_link,
            movement.to_link,
            key=movement.id,
            record=movement,
            controller_id=movement.controller_id,
            length_m=link.length_m + min(c.length_m for c in ways),
            travel_time_s=link.length_m / link.speed_mps + min(c.length_m / c.speed_mps for c in ways),
        )
    return nx.freeze(graph)


def signal_graph(network: RoadNetwork, flows_vph: Flows | None = None) -> nx.DiGraph:
    """Signals as nodes, and an edge from each to every next one that its traffic reaches.

    Parameters
    ----------
    flows_vph : mapping, optional
        (from link, to link) → mean flow, for all signals and what lies between them. Without it lanes stand in for
        flows: those that go straight on count `STRAIGHT_WEIGHT` times.

    Returns
    -------
    nx.DiGraph
        Nodes have `record` (`Controller`), `x_m` and `y_m` (mean of its junctions); edges `record` (`SignalLink`),
        `distance_m`, `travel_time_s`, `flow_vph` and `platoon_share`.

    Raises
    ------
    DemandError
        A flow that is no finite number from 0 on.
    """
    graph = nx.DiGraph()
    for controller in network.controllers.values():
        nodes = [network.nodes[n] for n in controller.node_ids if n in network.nodes]
        n = max(1, len(nodes))
        graph.add_node(
            controller.id,
            record=controller,
            x_m=sum(node.x_m for node in nodes) / n,
            y_m=sum(node.y_m for node in nodes) / n,
        )
    for link in signal_links(network, flows_vph):
        graph.add_edge(
            link.upstream,
            link.downstream,
            record=link,
            distance_m=link.distance_m,
            travel_time_s=link.travel_s,
            flow_vph=link.flow_vph,
            platoon_share=link.platoon_share,
        )
    return nx.freeze(graph)


@dataclass(frozen=True, slots=True)
class _Way:
    """Traffic that left a signal, where it enters a link."""

    link: str
    flow_vph: float
    distance_m: float
    travel_s: float


@dataclass
class _Turning:
    """Movements of each link with their flows, and who controls where a link ends."""

    onward: dict[str, list[tuple[Movement, float]]]
    leaving_vph: dict[str, float]
    approach_of: dict[str, str]


def signal_links(network: RoadNetwork, flows_vph: Flows | None = None) -> list[SignalLink]:
    """The ways between neighbouring signals, as `signal_graph` has them, in the order of the network's signals."""
    turning = _turning(network, flows_vph)
    order = {c: n for n, c in enumerate(network.controllers)}
    arrived: dict[tuple[str, str], list[_Way]] = defaultdict(list)
    starts: dict[str, dict[str, float]] = {c: defaultdict(float) for c in network.controllers}
    for turns in turning.onward.values():
        for movement, flow in turns:
            if movement.controller_id is not None and flow > 0:
                starts[movement.controller_id][movement.to_link] += flow
    for controller, exits in starts.items():
        for way in _followed(network, turning, exits):
            arrived[controller, turning.approach_of[way.link]].append(way)
    pairs = sorted((pair for pair in arrived if pair[0] != pair[1]), key=lambda pair: (order[pair[0]], order[pair[1]]))
    return [_joined(pair, arrived[pair], turning) for pair in pairs]


def _turning(network: RoadNetwork, flows_vph: Flows | None) -> _Turning:
    if flows_vph is not None:
        bad = [f"{pair}: {flow}" for pair, flow in flows_vph.items() if not 0 <= flow < float("inf")]
        if bad:
            raise DemandError("flows", [f"{text} veh/h; needs to be a finite number from 0 on" for text in bad])
    onward: dict[str, list[tuple[Movement, float]]] = defaultdict(list)
    leaving: dict[str, float] = defaultdict(float)
    approach_of: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    movements = [(m, [network.connections[i] for i in m.connections]) for m in network.movements.values()]
    movements.sort(key=lambda item: all(c.kind != "general" for c in item[1]))
    for movement, ways in movements:
        if movement.controller_id is not None:
            approach_of[movement.from_link] = movement.controller_id
        if all(c.kind == "other" for c in ways) or movement.pair in seen:
            continue  # bus lanes signalled apart belong to the same pair of links
        seen.add(movement.pair)
        straight = any(c.direction == "s" for c in ways)
        flow = len(ways) * (STRAIGHT_WEIGHT if straight else 1.0)
        if flows_vph is not None:
            flow = flows_vph.get(movement.pair, 0.0)
        onward[movement.from_link].append((movement, flow))
        leaving[movement.from_link] += flow
    for pair, flow in (flows_vph or {}).items():
        if pair[0] and not pair[1]:
            leaving[pair[0]] += flow
    return _Turning(onward, leaving, approach_of)


def _followed(network: RoadNetwork, turning: _Turning, exits: Mapping[str, float]) -> list[_Way]:
    """Where the traffic that left a signal reaches the next ones; what ends, disperses or gets too far is left out."""
    least = {link: LEAST_SHARE * flow for link, flow in exits.items()}
    open_ways = [(_Way(link, flow, 0.0, 0.0), least[link], frozenset[str]()) for link, flow in exits.items()]
    out = []
    while open_ways:
        way, floor, before = open_ways.pop()
        link = network.links[way.link]
        distance_m, travel_s = way.distance_m + link.length_m, way.travel_s + link.length_m / link.speed_mps
        if distance_m > FARTHEST_M or way.link in before:
            continue
        if way.link in turning.approach_of:
            out.append(_Way(way.link, way.flow_vph, distance_m, travel_s))
            continue
        total = turning.leaving_vph.get(way.link, 0.0)
        for movement, flow in turning.onward.get(way.link, ()):
            part = way.flow_vph * flow / total if total > 0 else 0.0
            if part > floor:
                open_ways.append((_Way(movement.to_link, part, distance_m, travel_s), floor, before | {way.link}))
    return out


def _joined(pair: tuple[str, str], ways: list[_Way], turning: _Turning) -> SignalLink:
    flow = sum(way.flow_vph for way in ways)
    approaches = tuple(sorted({way.link for way in ways}))
    return SignalLink(
        upstream=pair[0],
        downstream=pair[1],
        distance_m=sum(way.distance_m * way.flow_vph for way in ways) / flow,
        travel_s=sum(way.travel_s * way.flow_vph for way in ways) / flow,
        flow_vph=flow,
        arrivals_vph=max(flow, sum(turning.leaving_vph.get(link, 0.0) for link in approaches)),
        approaches=approaches,
    )
