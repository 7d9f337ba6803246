"""Signals of GMNS packages without signal tables: which nodes make one junction, and the programs assumed for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from network_data.assembly import Way
from network_data.assembly.default_programs import default_program
from network_data.formats.gmns.check import MISSING, Package
from network_data.network import Link, Node
from network_data.plans import ControllerPlan

JUNCTION_M = 30.0
"""Links no longer than this between signal nodes belong to one junction, where no main node says so. [m]"""


def signalled(values: Mapping[str, str]) -> bool:
    """Whether a row of the node table is a signal: by GMNS, by osm2gmns, by OpenStreetMap."""
    return values.get("ctrl_type", "") in ("signal", "1") or values.get("osm_highway", "") == "traffic_signals"


def assumed_programs(
    package: Package,
    nodes: Mapping[str, Node],
    whole: Mapping[str, Link],
    links: Mapping[str, Link],
    ways: list[Way],
    notes: list[str],
) -> dict[str, list[ControllerPlan]]:
    """Give the ways at signal nodes a link index, in place, and their controllers an assumed program.

    Parameters
    ----------
    package : Package
        Its node table says where signals are.
    nodes, whole, links : mapping
        Nodes; links as in the file, and with their bays.
    ways : list of Way
        All ways; those that a signal controls are replaced.
    notes : list of str
        Gets a line on what was assumed.
    """
    owner = _owners(package, nodes, whole)
    passages = _passages(whole)
    count: dict[str, int] = defaultdict(int)
    members: dict[str, list[Way]] = defaultdict(list)
    for n, way in enumerate(ways):
        node = links[way.from_link].to_node
        name = owner.get(node)
        if name is None or (node in passages and _leaves(way, whole)):
            continue
        ways[n] = replace(way, controller_id=name, link_index=count[name])
        count[name] += 1
        members[name].append(ways[n])
    if members:
        notes.append(
            f"{len(members)} signals without any timing: a program with two stages is assumed, not the field's"
        )
    return {name: [default_program(name, rows, links)] for name, rows in members.items()}


def _owners(package: Package, nodes: Mapping[str, Node], whole: Mapping[str, Link]) -> dict[str, str]:
    """Signal node → controller: nodes with one main node share theirs, and so do those that short links join."""
    out: dict[str, str] = {}
    group = _joined(package, nodes, whole)
    for _, values in package.rows("node"):
        if signalled(values):
            name, main = values["node_id"], values.get("main_node_id", "")
            out[name] = f"main{main}" if main not in MISSING else group[name]
    return out


def _joined(package: Package, nodes: Mapping[str, Node], whole: Mapping[str, Link]) -> dict[str, str]:
    """Node → the first signal node that it is joined to by links of one junction."""
    parent = {name: name for name in nodes}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for link in whole.values():
        if link.length_m <= JUNCTION_M:
            parent[root(link.to_node)] = root(link.from_node)
    first: dict[str, str] = {}
    for _, values in package.rows("node"):
        if signalled(values):
            first.setdefault(root(values["node_id"]), values["node_id"])
    return {name: first.get(root(name), name) for name in nodes}


def _passages(whole: Mapping[str, Link]) -> set[str]:
    """Nodes with two neighbours only."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for link in whole.values():
        neighbours[link.from_node].add(link.to_node)
        neighbours[link.to_node].add(link.from_node)
    return {node for node, others in neighbours.items() if len(others) <= 2}


def _leaves(way: Way, whole: Mapping[str, Link]) -> bool:
    """Whether a way goes out of a junction over a signal node at a stop line, which is for those who come in."""
    here, there = whole[way.from_link], whole[way.to_link]
    return here.length_m < there.length_m and here.length_m <= JUNCTION_M
