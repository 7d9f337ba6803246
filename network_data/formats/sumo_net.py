"""Read a SUMO network (`.net.xml`, plain or gzipped) into a `RoadNetwork`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from network_data.controllers import Controller, HeadKind, SignalHead
from network_data.errors import NetworkError, PlanError
from network_data.formats._paths import Point, detach_m
from network_data.formats._silent import Request, SilentWay, silent_rights
from network_data.formats.files import iter_xml
from network_data.formats.sumo_tls import program_of
from network_data.network import Connection, Crossing, Lane, LaneKind, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

BUS_CLASSES = {"bus", "taxi", "coach"}
_Fields = dict[str, Any]
"""Keyword arguments of a record that is still being put together."""


@dataclass
class _Raw:
    """The elements of the file that we use, before they are tied together."""

    nodes: dict[str, Node] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    # internal lane → length, speed, kind
    inside: dict[str, tuple[float, float, LaneKind]] = field(default_factory=dict)
    inside_shape: dict[str, list[Point]] = field(default_factory=dict)
    crossings: dict[str, tuple[tuple[str, ...], float, float]] = field(default_factory=dict)
    connections: list[dict[str, str]] = field(default_factory=list)
    internal: dict[str, dict[str, str]] = field(default_factory=dict)  # internal lane → its connection onwards
    request_of_lane: dict[str, tuple[str, int]] = field(default_factory=dict)  # internal lane → junction, request index
    requests: dict[str, dict[int, tuple[str, str]]] = field(default_factory=dict)  # junction → index → response, foes
    programs: dict[str, list[ControllerPlan]] = field(default_factory=lambda: defaultdict(list))
    silent: list[SilentWay] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def lane_kind(allow: str | None, disallow: str | None) -> LaneKind:
    """Who may use a lane, from SUMO's permission lists."""
    if allow is not None and allow != "all":
        allowed = set(allow.split())
        if "passenger" in allowed:
            return "general"
        return "bus" if allowed & BUS_CLASSES else "other"
    if disallow is not None:
        banned = set(disallow.split())
        if "all" in banned or {"passenger", "bus"} <= banned:
            return "other"
        return "bus" if "passenger" in banned else "general"
    return "general"


def read_sumo_net(path: Path | str) -> RoadNetwork:
    """Read a SUMO network file.

    Raises
    ------
    NetworkError
        With every fault found in the file.
    """
    raw = _read(path)
    if not raw.links and not raw.faults:
        raw.faults.append("holds no links; is it a SUMO network (.net.xml)?")
    if raw.faults:
        raise NetworkError(str(path), raw.faults)
    crossings, crossing_of_request = _crossings(raw)
    connections, request_of = _connections(raw)
    indices_of = _indices_of(connections, request_of, crossings, crossing_of_request)
    _rights(raw, connections, request_of, crossings, crossing_of_request)
    connections = _name_classes(connections)
    controllers = _controllers(raw, connections, crossings, indices_of)
    if raw.faults:
        raise NetworkError(str(path), raw.faults)
    return RoadNetwork(
        nodes=raw.nodes,
        links=raw.links,
        connections=tuple(Connection(**c) for c in connections),
        crossings=tuple(Crossing(**c) for c in crossings),
        controllers=controllers,
        source=str(path),
    )


def _read(path: Path | str) -> _Raw:
    raw = _Raw()
    handlers = {"edge": _edge, "junction": _junction, "connection": _connection, "tlLogic": _tl_logic}
    for event, depth, element in iter_xml(path):
        if event == "start" and depth == 0 and element.tag != "net":
            fault = f"the root is <{element.tag}>, a SUMO network has <net>; give the .net.xml file"
            raise NetworkError(str(path), fault)
        if event == "end" and depth == 1:
            handler = handlers.get(element.tag)
            if handler is not None:
                try:
                    handler(raw, element)
                except (KeyError, ValueError) as error:
                    what = f"attribute {error} is missing" if isinstance(error, KeyError) else str(error)
                    name = f"<{element.tag} id={element.get('id', element.get('from'))!r}>"
                    raw.faults.append(f"{name}: {what}; export the network again")
                except (NetworkError, PlanError) as error:
                    raw.faults.append(str(error))
            element.clear()
    return raw


def _points(text: str) -> tuple[tuple[float, float], ...]:
    out = []
    for point in text.split():
        numbers = [float(number) for number in point.split(",")]
        if len(numbers) < 2 or not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"shape has the point {point!r}, needs x,y")
        out.append((numbers[0], numbers[1]))
    return tuple(out)


def _number(element: Element, name: str, default: str | None = None) -> float:
    text = element.attrib[name] if default is None else element.get(name, default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text!r}, needs a number")
    return value


def _edge(raw: _Raw, element: Element) -> None:
    function, edge_id = element.get("function", "normal"), element.attrib["id"]
    if function == "crossing":
        lane = element.find("lane")
        if lane is None:
            raise ValueError("a crossing without a lane")
        raw.crossings[edge_id] = (
            tuple(element.get("crossingEdges", "").split()),
            _number(lane, "length"),
            _number(lane, "width", "4"),
        )
    elif function == "internal":
        for lane in element.findall("lane"):
            kind = lane_kind(lane.get("allow"), lane.get("disallow"))
            raw.inside[lane.attrib["id"]] = (_number(lane, "length"), _number(lane, "speed"), kind)
            raw.inside_shape[lane.attrib["id"]] = list(_points(lane.get("shape", "")))
    elif function == "normal":
        lanes = tuple(
            Lane(
                index=int(lane.attrib["index"]),
                length_m=max(0.1, _number(lane, "length")),
                speed_mps=_number(lane, "speed"),
                width_m=_number(lane, "width", "3.2"),
                kind=lane_kind(lane.get("allow"), lane.get("disallow")),
            )
            for lane in element.findall("lane")
        )
        if edge_id in raw.links:
            raise ValueError("is there twice")
        first = element.find("lane")
        shape = element.get("shape") or (first.get("shape") if first is not None else None) or ""
        raw.links[edge_id] = Link(
            id=edge_id,
            from_node=element.attrib["from"],
            to_node=element.attrib["to"],
            lanes=lanes,
            name=element.get("name", ""),
            priority=int(element.get("priority", "-1")),
            shape=_points(shape),
        )


def _junction(raw: _Raw, element: Element) -> None:
    kind, node_id = element.get("type", "unknown"), element.attrib["id"]
    if kind == "internal":
        return
    raw.nodes[node_id] = Node(id=node_id, kind=kind, x_m=_number(element, "x"), y_m=_number(element, "y"))
    for i, lane in enumerate(element.get("intLanes", "").split()):
        raw.request_of_lane[lane] = (node_id, i)
    raw.requests[node_id] = {
        int(r.attrib["index"]): (r.attrib["response"][::-1], r.attrib["foes"][::-1]) for r in element.findall("request")
    }


def _connection(raw: _Raw, element: Element) -> None:
    c = dict(element.attrib)
    for end in ("from", "to"):
        c[end]  # a connection without ends is a fault (KeyError) here and now
    for name in ("linkIndex", "linkIndex2"):
        if int(c.get(name, "-1")) < 0:
            c.pop(name, None)
    if "linkIndex" not in c:
        c.pop("tl", None)  # -1: at a signal, yet not controlled by it
    if c["from"].startswith(":"):
        if "_w" not in c["from"] or "tl" not in c:
            raw.internal[f"{c['from']}_{c['fromLane']}"] = c
        if c["to"].startswith(":") and "tl" in c:
            raw.connections.append(c)  # into a signalled crossing
        return
    raw.connections.append(c)


def _tl_logic(raw: _Raw, element: Element) -> None:
    program = program_of(element)
    raw.programs[program.controller_id].append(program)


def _crossings(raw: _Raw) -> tuple[list[_Fields], dict[tuple[str, int], int]]:
    signals: dict[str, tuple[str, list[int]]] = {}
    for c in raw.connections:
        if c["to"] in raw.crossings and c.get("tl"):
            indices = signals.setdefault(c["to"], (c["tl"], []))[1]
            indices += [int(c[k]) for k in ("linkIndex", "linkIndex2") if k in c and int(c[k]) not in indices]
    out: list[_Fields] = []
    by_request: dict[tuple[str, int], int] = {}
    for edge_id, (crossed, length_m, width_m) in raw.crossings.items():
        node_id, _, number = edge_id[1:].rpartition("_c")
        at_rail = node_id in raw.nodes and raw.nodes[node_id].kind.startswith("rail")
        controller_id, indices = (None, []) if at_rail else signals.get(edge_id, (None, []))
        request = raw.request_of_lane.get(f"{edge_id}_0")
        if request is not None:
            by_request[request] = len(out)
        out.append(
            {
                "id": f"x:{node_id}:{number}",
                "node_id": node_id,
                "crossed_links": crossed,
                "length_m": length_m,
                "width_m": width_m,
                "controller_id": controller_id,
                "link_indices": tuple(indices),
                "conflicts": (),
                "edge_id": edge_id,
            }
        )
    return out, by_request


def _way(raw: _Raw, via: str | None) -> list[str]:
    """The internal lanes a connection leads over, in order."""
    way: list[str] = []
    while via and via in raw.inside and via not in way:
        way.append(via)
        via = raw.internal.get(via, {}).get("via")
    return way


def _connection_fault(raw: _Raw, c: dict[str, str]) -> str:
    """What keeps a connection from being used; empty where nothing does."""
    for end in ("from", "to"):
        if c[end] not in raw.links:
            return f"no link {c[end]!r} in the network; remove the connection or add the link"
    if raw.links[c["from"]].to_node not in raw.nodes:
        return f"its link ends at node {raw.links[c['from']].to_node!r}, which is missing; add the junction"
    for end in ("from", "to"):
        lane, n_lane = c.get(f"{end}Lane", ""), len(raw.links[c[end]].lanes)
        if not lane.isdecimal() or int(lane) >= n_lane:
            return f"{end}Lane is {lane!r}, link {c[end]!r} has lanes 0 to {n_lane - 1}; mend the number"
    return ""


def _connections(raw: _Raw) -> tuple[list[_Fields], dict[tuple[str, int], list[int]]]:
    """Connections as keyword arguments of `Connection`, and which of them stand behind a request index."""
    out: list[_Fields] = []
    by_request: dict[tuple[str, int], list[int]] = defaultdict(list)
    for c in raw.connections:
        if c["from"].startswith(":") or c["to"].startswith(":"):
            continue  # footways
        fault = _connection_fault(raw, c)
        if fault:
            raw.faults.append(f"<connection from={c['from']!r} to={c['to']!r}>: {fault}")
            continue
        from_link, to_link = raw.links[c["from"]], raw.links[c["to"]]
        from_lane, to_lane = int(c["fromLane"]), int(c["toLane"])
        way = _way(raw, c.get("via"))
        kinds = {from_link.lanes[from_lane].kind, to_link.lanes[to_lane].kind, *(raw.inside[x][2] for x in way)}
        tl = c.get("tl")
        if tl is not None and raw.nodes[from_link.to_node].kind.startswith("rail"):
            tl = None  # level crossings are switched by trains, not by a timing plan
        request = next((raw.request_of_lane[lane] for lane in reversed(way) if lane in raw.request_of_lane), None)
        if "other" in kinds:
            if tl is not None:
                text = f"{c['from']}_{from_lane}->{c['to']}_{to_lane}"
                raw.silent.append(SilentWay(tl, int(c["linkIndex"]), request, text))
            continue
        if request is not None:
            by_request[request].append(len(out))
        out.append(
            {
                "movement_id": f"{c['from']}>{c['to']}",
                "node_id": from_link.to_node,
                "from_link": c["from"],
                "from_lane": from_lane,
                "to_link": c["to"],
                "to_lane": to_lane,
                "direction": c.get("dir", "s"),
                "length_m": float(sum(raw.inside[x][0] for x in way)),
                "speed_mps": min((raw.inside[x][1] for x in way), default=from_link.lanes[from_lane].speed_mps),
                "wait_m": float(sum(raw.inside[x][0] for x in way[:-1])),
                "kind": "bus" if "bus" in kinds else "general",
                "right_of_way": c.get("state", "M"),
                "controller_id": tl,
                "link_index": int(c["linkIndex"]) if tl else None,
                "yields_to": (),
                "conflicts": (),
                "yields_to_crossings": (),
                "way": way,
            }
        )
    _detach(raw, out)
    return out, by_request


def _detach(raw: _Raw, connections: list[_Fields]) -> None:
    """Fill how far a connection with a waiting place runs together with the others from its lane."""
    siblings: dict[tuple[object, object], list[_Fields]] = defaultdict(list)
    for c in connections:
        siblings[c["from_link"], c["from_lane"]].append(c)
    for c in connections:
        if c["wait_m"] > 0:
            others = [o for o in siblings[c["from_link"], c["from_lane"]] if o["to_link"] != c["to_link"]]
            c["detach_m"] = detach_m(_shape(raw, c["way"]), [_shape(raw, o["way"]) for o in others])
    for c in connections:
        del c["way"]


def _shape(raw: _Raw, way: list[str]) -> list[Point]:
    return [point for lane in way for point in raw.inside_shape[lane]]


def _set_bits(bits: str, node_id: str, table: dict[tuple[str, int], list[int]]) -> list[int]:
    return [x for k, bit in enumerate(bits) if bit == "1" for x in table.get((node_id, k), ())]


def _rights(
    raw: _Raw,
    connections: list[_Fields],
    request_of: dict[tuple[str, int], list[int]],
    crossings: list[_Fields],
    crossing_of_request: dict[tuple[str, int], int],
) -> None:
    """Fill who conflicts with and yields to whom, from the junctions' request matrices."""
    crossing_table = {key: [i] for key, i in crossing_of_request.items()}
    for (node_id, k), members in request_of.items():
        response, foes = raw.requests.get(node_id, {}).get(k, ("", ""))
        for i in members:
            connections[i]["yields_to"] = tuple(_set_bits(response, node_id, request_of))
            connections[i]["conflicts"] = tuple(_set_bits(foes, node_id, request_of))
            connections[i]["yields_to_crossings"] = tuple(_set_bits(response, node_id, crossing_table))
    # a foe bit may be set on one side only; a conflict is always mutual
    mutual: list[set[int]] = [set(c["conflicts"]) for c in connections]
    for i, foes_of_i in enumerate(mutual):
        for j in list(foes_of_i):
            mutual[j].add(i)
    for i, c in enumerate(connections):
        c["conflicts"] = tuple(sorted(mutual[i]))
    for (node_id, k), n in crossing_of_request.items():
        _, foes = raw.requests.get(node_id, {}).get(k, ("", ""))
        met = set(_set_bits(foes, node_id, request_of))
        for key, members in request_of.items():
            bits = raw.requests.get(node_id, {}).get(key[1], ("", ""))[1] if key[0] == node_id else ""
            if k < len(bits) and bits[k] == "1":
                met.update(members)
        crossings[n]["conflicts"] = tuple(sorted(met))
    for crossing in crossings:
        del crossing["edge_id"]


def _name_classes(connections: list[_Fields]) -> list[_Fields]:
    """Give bus-only connections a movement of their own where the same turn has a general one with another signal."""
    general: dict[object, set[object]] = defaultdict(set)
    for c in connections:
        if c["kind"] == "general":
            general[c["movement_id"]].add(c["link_index"])
    for c in connections:
        apart = c["controller_id"] is not None and c["link_index"] not in general[c["movement_id"]]
        if c["kind"] == "bus" and general[c["movement_id"]] and apart:
            c["movement_id"] = f"{c['movement_id']}#bus"
    return connections


def _indices_of(
    connections: list[_Fields],
    request_of: dict[Request, list[int]],
    crossings: list[_Fields],
    crossing_of_request: dict[Request, int],
) -> dict[str, dict[Request, set[int]]]:
    """Controller → request → its link indices there."""
    out: dict[str, dict[Request, set[int]]] = defaultdict(lambda: defaultdict(set))
    for request, members in request_of.items():
        for c in (connections[i] for i in members):
            if c["controller_id"] is not None:
                out[c["controller_id"]][request].add(c["link_index"])
    for request, x in crossing_of_request.items():
        if crossings[x]["controller_id"] is not None:
            out[crossings[x]["controller_id"]][request].update(crossings[x]["link_indices"])
    return out


def _with_silent_ways(raw: _Raw, controller: Controller, indices_of: dict[Request, set[int]]) -> Controller:
    """The controller with the conflicts of signalled ways that are no part of the road network."""
    ways = [way for way in raw.silent if way.controller_id == controller.id and way.link_index < controller.n_heads]
    if not ways:
        return controller
    conflicts, yields = silent_rights(ways, indices_of, raw.requests)
    heads = list(controller.heads)
    for way in ways:
        head = heads[way.link_index]
        kind: HeadKind = "other" if head.kind == "dead" else head.kind
        heads[way.link_index] = replace(head, kind=kind, text=", ".join(filter(None, (head.text, way.text))))
    return replace(
        controller,
        heads=tuple(heads),
        conflicts=controller.conflicts | conflicts,
        yields=controller.yields | yields,
    )


def _controllers(
    raw: _Raw,
    connections: list[_Fields],
    crossings: list[_Fields],
    indices_of: dict[str, dict[Request, set[int]]],
) -> dict[str, Controller]:
    members: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    walkers: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, c in enumerate(connections):
        if c["controller_id"] is not None and c["link_index"] is not None:
            members[str(c["controller_id"])][int(str(c["link_index"]))].append(i)
    for i, x in enumerate(crossings):
        for index in x["link_indices"]:
            walkers[str(x["controller_id"])][index].append(i)
    out = {}
    for controller_id in raw.programs:
        by_index, walk = members[controller_id], walkers[controller_id]
        if by_index or walk:
            controller = _controller(raw, controller_id, by_index, walk, connections, crossings)
            out[controller_id] = _with_silent_ways(raw, controller, indices_of.get(controller_id, {}))
    for controller_id in sorted((set(members) | set(walkers)) - set(raw.programs)):
        raw.faults.append(f"controller {controller_id!r} is named by connections but has no <tlLogic>; add its program")
    return out


def _controller(
    raw: _Raw,
    controller_id: str,
    by_index: dict[int, list[int]],
    walk: dict[int, list[int]],
    connections: list[_Fields],
    crossings: list[_Fields],
) -> Controller:
    programs = raw.programs[controller_id]
    need = max([*by_index, *walk]) + 1
    for program in programs:
        if len(program.intervals[0].state) < need:
            raw.faults.append(
                f"controller {controller_id!r} program {program.program_id!r}: states have "
                f"{len(program.intervals[0].state)} letters, its link indices need {need}; lengthen the states"
            )
    n_heads = max(len(p.intervals[0].state) for p in programs)  # not `need`, which a broken file may put anywhere
    heads = tuple(_head(k, by_index.get(k, []), walk.get(k, []), connections, crossings) for k in range(n_heads))
    conflicts, yields = set(), set()
    index_of = {i: k for k, members in by_index.items() for i in members}
    for i, k in index_of.items():
        for j in connections[i]["conflicts"]:
            if j in index_of and index_of[j] != k:
                conflicts.add((min(k, index_of[j]), max(k, index_of[j])))
        yields |= {(k, index_of[j]) for j in connections[i]["yields_to"] if j in index_of and index_of[j] != k}
    for k, members in walk.items():
        for x in members:
            met = [i for i in crossings[x]["conflicts"] if i in index_of]
            conflicts |= {(min(k, index_of[i]), max(k, index_of[i])) for i in met if index_of[i] != k}
            yields |= {(index_of[i], k) for i in met if x in connections[i]["yields_to_crossings"]}
    node_ids = dict.fromkeys(str(connections[i]["node_id"]) for i in index_of)
    return Controller(
        id=controller_id,
        node_ids=tuple(node_ids),
        heads=heads,
        conflicts=frozenset(conflicts),
        yields=frozenset(yields),
        programs=tuple(programs),
    )


def _head(
    k: int,
    members: Iterable[int],
    walk: Iterable[int],
    connections: list[_Fields],
    crossings: list[_Fields],
) -> SignalHead:
    members, walk = list(members), list(walk)
    kind: HeadKind = "dead"
    if any(connections[i]["kind"] == "general" for i in members):
        kind = "vehicle"
    elif members:
        kind = "bus"
    elif walk:
        kind = "crossing"
    texts = [
        f"{c['from_link']}_{c['from_lane']}->{c['to_link']}_{c['to_lane']}" for c in (connections[i] for i in members)
    ] + [str(crossings[x]["id"]) for x in walk]
    return SignalHead(
        index=k,
        kind=kind,
        connections=tuple(members),
        movement_ids=tuple(dict.fromkeys(str(connections[i]["movement_id"]) for i in members)),
        crossing_ids=tuple(str(crossings[x]["id"]) for x in walk),
        text=", ".join(texts),
    )
