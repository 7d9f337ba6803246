"""The elements of SALT's files as they stand there, with every fault of them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from network_data.errors import InputError, NetworkError
from network_data.formats.files import iter_xml, root_tag
from network_data.limits import name_fault, number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ROOTS = {"nodes": "node", "edges": "edge", "connections": "connection", "trafficSignalSystem": "tss"}
"""Root element → which of the four files it is."""
MAX_LANES = 20
MAX_POCKETS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltFiles:
    """The four files of a SALT network."""

    node: Path
    edge: Path
    connection: Path
    tss: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltNode:
    """A node in degrees."""

    id: str
    lon: float
    lat: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltEdge:
    """A directed edge; `left_pocket` and `right_pocket` are turn lanes beside the `n_lane` ones, 0 where none."""

    id: str
    from_node: str
    to_node: str
    n_lane: int
    speed_kph: float
    length_m: float
    left_pocket: int
    right_pocket: int
    shape: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltConnection:
    """From lane to lane, lanes counted from the right without the pockets."""

    from_edge: str
    from_lane: int
    to_edge: str
    to_lane: int
    signal: str | None
    link_index: int | None


@dataclass
class SaltElements:
    """All of a network but its signals."""

    nodes: dict[str, SaltNode] = field(default_factory=dict)
    edges: dict[str, SaltEdge] = field(default_factory=dict)
    connections: list[SaltConnection] = field(default_factory=list)


def find_files(folder: Path | str) -> SaltFiles | None:
    """The four files in a folder, recognized by their root elements; None where it is no SALT network.

    Raises
    ------
    NetworkError
        Two files of one kind, or some of the four missing beside a trafficSignalSystem.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.is_file() and path.name.endswith((".xml", ".xml.gz")):
            try:
                kind = ROOTS.get(root_tag(path))
            except InputError:
                continue  # some other file that lies beside
            if kind is not None:
                found.setdefault(kind, []).append(path)
    if "tss" not in found:
        return None
    faults = [f"has no file with root <{root}>; add it" for root, kind in ROOTS.items() if kind not in found]
    faults += [
        f"has {len(paths)} files of one kind: {', '.join(p.name for p in paths)}; keep one"
        for paths in found.values()
        if len(paths) > 1
    ]
    if faults:
        raise NetworkError(str(folder), faults)
    return SaltFiles(**{kind: paths[0] for kind, paths in found.items()})


def read_elements(files: SaltFiles) -> SaltElements:
    """Nodes, edges and connections.

    Raises
    ------
    NetworkError
        Every unusable element of the three files, and every reference that leads nowhere.
    """
    out = SaltElements()
    faults: list[str] = []
    _each(files.node, "node", lambda e: _node(out, e), faults)
    _each(files.edge, "edge", lambda e: _edge(out, e), faults)
    _each(files.connection, "connection", lambda e: _connection(out, e), faults)
    if not out.edges and not faults:
        faults.append(f"{files.edge.name}: holds no <edge>; give a network")
    if faults:
        raise NetworkError(str(files.edge.parent), faults)
    return out


def _each(path: Path, tag: str, take: Callable[[Element], None], faults: list[str]) -> None:
    n = 0
    for event, depth, element in iter_xml(path):
        if event == "end" and depth == 1 and element.tag == tag:
            n += 1
            try:
                take(element)
            except ValueError as error:
                name = element.get("id") or f"{element.get('from')} to {element.get('to')}"
                faults.append(f"{path.name}: <{tag}> {n} ({name[:60]}): {error}")
        if event == "end" and depth == 1:
            element.clear()


def _text(element: Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise ValueError(f"has no {name}; add it")
    fault = name_fault(value)
    if fault is not None:
        raise ValueError(f"{name} {fault}")
    return value


def _value(element: Element, name: str, low: float, high: float, default: str | None = None) -> float:
    text = element.get(name, default)
    if text is None:
        raise ValueError(f"has no {name}; add it")
    try:
        return number(text, low=low, high=high)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _whole(element: Element, name: str, low: int, high: int, default: str | None = None) -> int:
    value = _value(element, name, low, high, default)
    if value != int(value):
        raise ValueError(f"{name} {value:g} is no whole number; correct it")
    return int(value)


def _node(out: SaltElements, element: Element) -> None:
    node = SaltNode(
        id=_text(element, "id"),
        lon=_value(element, "x", -180, 180),
        lat=_value(element, "y", -89, 89),
        kind=element.get("type", "priority"),
    )
    if node.id in out.nodes:
        raise ValueError("is there twice; keep one")
    out.nodes[node.id] = node


def _edge(out: SaltElements, element: Element) -> None:
    ends = _text(element, "from"), _text(element, "to")
    missing = [end for end in ends if end not in out.nodes]
    if missing:
        raise ValueError(f"there is no node {missing[0]!r}; correct it or add the node")
    here, there = (out.nodes[end] for end in ends)
    edge = SaltEdge(
        id=_text(element, "id"),
        from_node=ends[0],
        to_node=ends[1],
        n_lane=_whole(element, "numLanes", 1, MAX_LANES),
        speed_kph=_value(element, "speed", 1, 200),
        length_m=_value(element, "edge_len", 0, 100_000),
        left_pocket=max(0, _whole(element, "left_pocket", -1, MAX_POCKETS, "-1")),
        right_pocket=max(0, _whole(element, "right_pocket", -1, MAX_POCKETS, "-1")),
        shape=_shape(element) or ((here.lon, here.lat), (there.lon, there.lat)),
    )
    if edge.id in out.edges:
        raise ValueError("is there twice; keep one")
    out.edges[edge.id] = edge


def _shape(element: Element) -> tuple[tuple[float, float], ...]:
    points = []
    for text in element.get("shape", "").split():
        parts = text.split(",")
        if len(parts) < 2:
            raise ValueError(f"shape has the point {text[:40]!r}; needs lon,lat")
        try:
            points.append((number(parts[0], low=-180, high=180), number(parts[1], low=-89, high=89)))
        except ValueError as error:
            raise ValueError(f"shape: {error}") from None
    return tuple(points)


def _connection(out: SaltElements, element: Element) -> None:
    ends = _text(element, "from"), _text(element, "to")
    missing = [end for end in ends if end not in out.edges]
    if missing:
        raise ValueError(f"there is no edge {missing[0]!r}; correct it or add the edge")
    here, there = (out.edges[end] for end in ends)
    if here.to_node != there.from_node:
        raise ValueError(
            f"{here.id!r} ends at {here.to_node!r}, {there.id!r} begins at {there.from_node!r}; correct one"
        )
    signal = element.get("tl")
    out.connections.append(
        SaltConnection(
            from_edge=here.id,
            from_lane=_whole(element, "fromLane", 0, here.n_lane - 1),
            to_edge=there.id,
            to_lane=_whole(element, "toLane", 0, there.n_lane - 1),
            signal=signal,
            link_index=_whole(element, "linkIndex", 0, 999) if signal is not None else None,
        )
    )
