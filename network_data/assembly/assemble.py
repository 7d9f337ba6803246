"""A `RoadNetwork` from nodes, links, ways, crossings and programs: geometry, rights of way, controllers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from network_data.assembly.plane import Shape
from network_data.assembly.rights import Rights, rights_of
from network_data.assembly.ways import Curve, Layout, Way, curves_of
from network_data.controllers import Controller, HeadKind, SignalHead
from network_data.formats._paths import detach_m
from network_data.network import Connection, Crossing, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingPlan:
    """A pedestrian crossing as a file names it: the links it crosses, and what signals it."""

    node_id: str
    crossed_links: tuple[str, ...]
    length_m: float
    width_m: float = 3.0
    controller_id: str | None = None
    link_indices: tuple[int, ...] = ()


def assemble(
    *,
    nodes: Mapping[str, Node],
    links: Mapping[str, Link],
    ways: Sequence[Way],
    programs: Mapping[str, Sequence[ControllerPlan]],
    crossings: Sequence[CrossingPlan] = (),
    shorten: bool = True,
    source: str = "",
    notes: Sequence[str] = (),
) -> RoadNetwork:
    """Put a network together.

    Parameters
    ----------
    nodes, links : mapping
        By id; every link needs a shape of at least two points, in metres. `Link.priority` says how important its street
        is (higher goes first where no signal says otherwise).
    ways : sequence of Way
        Lane-to-lane connections; their lanes exist.
    programs : mapping
        Programs of each controller; the last one is in force. A state may have more letters than there are ways.
    crossings : sequence of CrossingPlan
        Pedestrian crossings.
    shorten : bool
        Whether link lengths reach from node to node, so that the junctions at both ends have to be taken off.
    source, notes
        As in `RoadNetwork`.

    Notes
    -----
    Stop lines, ways, conflicts, rights of way and waiting places are derived, not measured: `notes` says so.
    """
    layout = Layout(links, nodes)
    curves = curves_of(layout, ways)
    node_of = [links[way.from_link].to_node for way in ways]
    kinds = {node.id: node.kind for node in nodes.values()}
    importance = {link.id: float(link.priority) for link in links.values()}
    rights = rights_of(ways, curves, node_of, importance, kinds, programs)
    connections = _connections(ways, curves, node_of, rights)
    walks = _crossings(crossings, connections)
    connections = _yielding_to(connections, walks)
    return RoadNetwork(
        nodes=dict(nodes),
        links={k: _shortened(link, layout) for k, link in links.items()} if shorten else dict(links),
        connections=tuple(connections),
        crossings=tuple(walks),
        controllers=_controllers(connections, walks, programs),
        source=source,
        notes=(*notes, *_said(rights)),
    )


def _said(rights: Rights) -> list[str]:
    out = [
        "stop lines, ways across junctions, conflicts and rights of way are derived from geometry: the file has none"
    ]
    if rights.set_aside:
        pairs, where = sum(rights.set_aside.values()), len(rights.set_aside)
        out.append(
            f"{pairs} pairs of ways at {where} signals cross on paper and are green together in the field: no conflict"
        )
    return out


def _shortened(link: Link, layout: Layout) -> Link:
    lanes = tuple(replace(lane, length_m=layout.lane_length_m(link.id, lane.length_m)) for lane in link.lanes)
    return replace(link, lanes=lanes)


def _connections(
    ways: Sequence[Way], curves: Sequence[Curve], node_of: Sequence[str], rights: Rights
) -> list[Connection]:
    siblings: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, way in enumerate(ways):
        siblings[way.from_link, way.from_lane].append(i)
    out = []
    for i, (way, curve) in enumerate(zip(ways, curves, strict=True)):
        others = [curves[j].shape for j in siblings[way.from_link, way.from_lane] if ways[j].to_link != way.to_link]
        wait_m = rights.wait_m[i]
        minor = bool(rights.yields[i])
        out.append(
            Connection(
                movement_id=f"{way.from_link}>{way.to_link}",
                node_id=node_of[i],
                from_link=way.from_link,
                from_lane=way.from_lane,
                to_link=way.to_link,
                to_lane=way.to_lane,
                direction=curve.direction,
                length_m=curve.length_m,
                speed_mps=curve.speed_mps,
                wait_m=wait_m,
                kind=way.kind,
                right_of_way=("o" if minor else "O") if way.controller_id is not None else ("m" if minor else "M"),
                controller_id=way.controller_id,
                link_index=way.link_index,
                yields_to=tuple(sorted(rights.yields[i])),
                conflicts=tuple(sorted(rights.conflicts[i])),
                yields_to_crossings=(),
                detach_m=detach_m(list(curve.shape), [list(o) for o in others]) if wait_m > 0 else 0.0,
            )
        )
    return out


def _crossings(plans: Sequence[CrossingPlan], connections: Sequence[Connection]) -> list[Crossing]:
    count: dict[str, int] = defaultdict(int)
    out = []
    for plan in plans:
        crossed = set(plan.crossed_links)
        met = [
            i
            for i, c in enumerate(connections)
            if c.node_id == plan.node_id and (c.from_link in crossed or c.to_link in crossed)
        ]
        out.append(
            Crossing(
                id=f"x:{plan.node_id}:{count[plan.node_id]}",
                node_id=plan.node_id,
                crossed_links=plan.crossed_links,
                length_m=plan.length_m,
                width_m=plan.width_m,
                controller_id=plan.controller_id,
                link_indices=plan.link_indices,
                conflicts=tuple(met),
            )
        )
        count[plan.node_id] += 1
    return out


def _yielding_to(connections: Sequence[Connection], crossings: Sequence[Crossing]) -> list[Connection]:
    """Turning vehicles yield to people on the crossing they drive out over."""
    over: dict[int, list[int]] = defaultdict(list)
    for x, crossing in enumerate(crossings):
        for i in crossing.conflicts:
            c = connections[i]
            if c.to_link in crossing.crossed_links and c.direction != "s":
                over[i].append(x)
    return [replace(c, yields_to_crossings=tuple(over[i])) if i in over else c for i, c in enumerate(connections)]


def _controllers(
    connections: Sequence[Connection], crossings: Sequence[Crossing], programs: Mapping[str, Sequence[ControllerPlan]]
) -> dict[str, Controller]:
    """Controllers that signal anything; programs of others are left to the caller to name."""
    ways: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    walks: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, c in enumerate(connections):
        if c.controller_id is not None and c.link_index is not None:
            ways[c.controller_id][c.link_index].append(i)
    for x, crossing in enumerate(crossings):
        for k in crossing.link_indices if crossing.controller_id is not None else ():
            walks[str(crossing.controller_id)][k].append(x)
    return {
        controller_id: _controller(
            controller_id, ways[controller_id], walks[controller_id], connections, crossings, own
        )
        for controller_id, own in programs.items()
        if ways[controller_id] or walks[controller_id]
    }


def _controller(
    controller_id: str,
    ways: Mapping[int, Sequence[int]],
    walks: Mapping[int, Sequence[int]],
    connections: Sequence[Connection],
    crossings: Sequence[Crossing],
    programs: Sequence[ControllerPlan],
) -> Controller:
    n_heads = max(len(program.intervals[0].state) for program in programs)
    index_of = {i: k for k, members in ways.items() for i in members}
    conflicts: set[tuple[int, int]] = set()
    yields: set[tuple[int, int]] = set()
    for i, k in index_of.items():
        c = connections[i]
        conflicts |= {_pair(k, index_of[j]) for j in c.conflicts if index_of.get(j, k) != k}
        yields |= {(k, index_of[j]) for j in c.yields_to if index_of.get(j, k) != k}
    for k, members in walks.items():
        for x in members:
            met = [i for i in crossings[x].conflicts if index_of.get(i, k) != k]
            conflicts |= {_pair(k, index_of[i]) for i in met}
            yields |= {(index_of[i], k) for i in met if x in connections[i].yields_to_crossings}
    nodes = [connections[i].node_id for i in index_of] + [crossings[x].node_id for m in walks.values() for x in m]
    return Controller(
        id=controller_id,
        node_ids=tuple(dict.fromkeys(nodes)),
        heads=tuple(_head(k, ways.get(k, ()), walks.get(k, ()), connections, crossings) for k in range(n_heads)),
        conflicts=frozenset(conflicts),
        yields=frozenset(yields),
        programs=tuple(programs),
    )


def _pair(a: int, b: int) -> tuple[int, int]:
    return min(a, b), max(a, b)


def _head(
    k: int,
    ways: Sequence[int],
    walks: Sequence[int],
    connections: Sequence[Connection],
    crossings: Sequence[Crossing],
) -> SignalHead:
    kind: HeadKind = "dead"
    if any(connections[i].kind == "general" for i in ways):
        kind = "vehicle"
    elif ways:
        kind = "bus"
    elif walks:
        kind = "crossing"
    members = [connections[i] for i in ways]
    texts = [f"{c.from_link}_{c.from_lane}->{c.to_link}_{c.to_lane}" for c in members]
    return SignalHead(
        index=k,
        kind=kind,
        connections=tuple(ways),
        movement_ids=tuple(dict.fromkeys(c.movement_id for c in members)),
        crossing_ids=tuple(crossings[x].id for x in walks),
        text=", ".join([*texts, *(crossings[x].id for x in walks)]),
    )


def shape_of(points: Sequence[tuple[float, float]]) -> Shape:
    """Points without repeats; a line of one point gets a second one, a step aside."""
    out: list[tuple[float, float]] = []
    for point in points:
        if not out or point != out[-1]:
            out.append(point)
    if len(out) == 1:
        out.append((out[0][0] + 0.1, out[0][1]))
    return tuple(out)
