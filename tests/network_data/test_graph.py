"""The network as networkx graphs: records on nodes and edges, turns as they are, and the ways between signals."""

from __future__ import annotations

import networkx as nx
import pytest

from network_data.controllers import Controller
from network_data.errors import DemandError
from network_data.graph import signal_graph, signal_links
from network_data.network import Link, Movement, Node
from tests.builders import NetworkBuilder, two_signals
from tests.network_data.signal_grids import even_flows, signal_grid

GRID = signal_grid(4, 3)


def test_the_street_graph_carries_the_records() -> None:
    """One node per junction, one edge per link, each with its record and its numbers."""
    graph = GRID.graph
    assert isinstance(graph, nx.MultiDiGraph)
    assert {n: data["record"] for n, data in graph.nodes(data=True)} == GRID.nodes
    assert {key: data["record"] for _, _, key, data in graph.edges(keys=True, data=True)} == GRID.links
    for a, b, key, data in graph.edges(keys=True, data=True):
        link = data["record"]
        assert isinstance(link, Link)
        assert (link.from_node, link.to_node, link.id) == (a, b, key)
        assert data["travel_time_s"] == pytest.approx(data["length_m"] / link.speed_mps)
        assert (data["lanes"], data["drivable"]) == (1, True)
    signals = {n for n, c in graph.nodes(data="controller_id") if c is not None}
    assert signals == set(GRID.controllers)
    assert all(isinstance(record, Node) for _, record in graph.nodes(data="record"))


def test_users_cannot_change_the_network_by_its_graph_but_can_copy_it() -> None:
    """The graph is kept once and frozen; a copy is the user's own."""
    with pytest.raises(nx.NetworkXError, match="[Ff]rozen"):
        GRID.graph.remove_node("1.1")
    own = GRID.graph.copy()
    own.remove_node("1.1")
    assert "1.1" in GRID.graph
    assert GRID.graph is GRID.graph


def test_users_algorithms_run_on_it() -> None:
    """Shortest paths, centrality and components of networkx work as they do on any graph."""
    graph = GRID.graph
    assert nx.shortest_path_length(graph, "1.1", "4.3", weight="length_m") == pytest.approx(5 * 200)
    assert nx.is_strongly_connected(graph)
    central = nx.betweenness_centrality(nx.DiGraph(graph), weight="travel_time_s")
    assert max(central, key=lambda n: central[n]) in {"2.2", "3.2"}


def test_paths_of_the_turn_graph_can_be_driven() -> None:
    """Where the left turn is missing the way leads around the block, in streets it would not."""
    b = NetworkBuilder()
    for name, ends in (("in", "a b"), ("on", "b c"), ("left", "b d"), ("up", "c d"), ("out", "d z")):
        b.link(name, ends, length_m=100.0)
    for ways in ("in on", "on up", "up out", "left out"):
        b.turn(ways)
    network = b.build()
    assert nx.shortest_path(network.graph, "a", "z") == ["a", "b", "d", "z"]
    path = nx.shortest_path(network.turn_graph, "in", "out", weight="travel_time_s")
    assert path == ["in", "on", "up", "out"]
    seconds = nx.shortest_path_length(network.turn_graph, "in", "out", weight="travel_time_s")
    assert seconds == pytest.approx(3 * (100 + 15) / (50 / 3.6))
    records = [data["record"] for _, _, data in network.turn_graph.edges(data=True)]
    assert all(isinstance(record, Movement) for record in records)
    assert {record.id for record in records} == set(network.movements)


def test_neighbouring_signals_and_nothing_else() -> None:
    """In a grid every signal's neighbours are those beside it, a block away."""
    graph = signal_graph(GRID, even_flows(GRID))
    assert all(isinstance(record, Controller) for _, record in graph.nodes(data="record"))
    assert set(graph["2.2"]) == {"1.2", "3.2", "2.1", "2.3"}
    for a, b, link in graph.edges(data="record"):
        assert (link.upstream, link.downstream) == (a, b)
        assert (link.distance_m, link.travel_s) == (200.0, 16.0)
        assert link.approaches == (f"{a}-{b}",)
        assert link.platoon_share == 1.0


def arterial(extra_vph: float) -> tuple[float, float]:
    """Platoon share and flow from "p" to "q" where side traffic joins between them without a signal."""
    b = NetworkBuilder()
    for name, ends in (("a", "w p"), ("m1", "p j"), ("side", "s j"), ("m2", "j q"), ("out", "q e"), ("away", "j x")):
        b.link(name, ends, length_m=250.0)
    b.turn("a m1", head=("p", 0))
    b.turn("m1 m2")
    b.turn("m1 away", direction="r")
    b.turn("side m2", direction="r")
    b.turn("m2 out", head=("q", 0))
    b.program("p", ((30, "G"), (30, "r")))
    b.program("q", ((30, "G"), (30, "r")))
    flows = {("a", "m1"): 800.0, ("m1", "m2"): 600.0, ("m1", "away"): 200.0, ("side", "m2"): extra_vph,
             ("m2", "out"): 600.0 + extra_vph}  # fmt: skip
    (link,) = signal_links(b.build(), flows)
    assert (link.distance_m, link.upstream, link.downstream) == (500.0, "p", "q")
    return link.platoon_share, link.flow_vph


def test_traffic_that_joins_between_signals_dilutes_the_platoon() -> None:
    """600 of the 800 go on; with 200 more from the side street three quarters of the arrivals come in the platoon."""
    assert arterial(0.0) == (1.0, 600.0)
    assert arterial(200.0) == (0.75, 600.0)


def test_without_flows_lanes_stand_in() -> None:
    """Straight on counts three times a turn per lane; the pairs found are the same."""
    with_flows = {(x.upstream, x.downstream) for x in signal_links(GRID, even_flows(GRID))}
    without = signal_links(GRID)
    assert {(x.upstream, x.downstream) for x in without} == with_flows
    assert {x.flow_vph for x in without} == {5.0}


def test_signals_too_far_apart_are_no_neighbours() -> None:
    """Two kilometres and more of street end it."""
    assert [x.downstream for x in signal_links(two_signals(between_m=1900))] == ["q"]
    assert signal_links(two_signals(between_m=2100)) == []


def test_flows_that_are_no_flows() -> None:
    """All of them are named."""
    with pytest.raises(DemandError, match="nan.*\n?.*-3|from 0 on") as caught:
        signal_links(GRID, {("a", "b"): float("nan"), ("c", "d"): -3.0, ("e", "f"): 1.0})
    assert len(caught.value.faults) == 2
