"""The national standard node-link network (표준노드링크): shapefiles with CP949 tables, in a folder or a zip.

Every link is one direction. Turn pockets, stop lines and signals are not in it; a divided junction may have one node
per approach. Turns are allowed wherever links meet, unless TURNINFO forbids them; turning back only if it says so.
"""

from __future__ import annotations

import importlib.util
import io
import struct
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from network_data.assembly import Point, Way, assemble, local_plane, shape_of, turns_by_lane
from network_data.errors import NetworkError
from network_data.formats.files import read_bytes
from network_data.limits import MAX_MEMBERS, number, read_zip_member
from network_data.network import Lane, Link, Node, RoadNetwork
from network_data.tables import capped

INSTALL = "shapefiles need pyshp; pip install 'its-signals[gis]'"
MAX_PART_BYTES = 2 << 30
ENCODING = "cp949"
LANE_M = 3.2
CONTINUES = {"102", "103", "104", "105", "107"}
"""Node types that are no intersection: ends, changes of attributes, structures, borders, spacing."""
BANNED = {"003": "no turn", "101": "no left", "102": "no straight", "103": "no right", "002": "bus only"}
U_TURN, P_TURN = "011", "012"
NO_CARS = "1"
"""REST_VEH of links that are closed to cars."""
DAMAGED = (
    ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError, AssertionError, OSError,
    struct.error,
)  # fmt: skip
"""What reading a damaged shapefile may raise inside pyshp."""
TABLES = {
    "node": {"NODE_ID", "NODE_TYPE"},
    "link": {"LINK_ID", "F_NODE", "T_NODE"},
    "turn": {"TURN_ID", "ST_LINK", "ED_LINK"},
    "multilink": {"LINK_ID", "MULTI_ID"},
}


@dataclass
class _Layer:
    """A shapefile's parts in memory."""

    shp: bytes = b""
    dbf: bytes = b""
    prj: str = ""


@dataclass
class _Rows:
    """Records of a table, with their shapes where it has any."""

    records: list[dict[str, str]] = field(default_factory=list)
    shapes: list[list[Point]] = field(default_factory=list)
    prj: str = ""


def read_nodelink(path: Path | str, *, region: str = "") -> RoadNetwork:
    """Read a standard node-link network.

    Parameters
    ----------
    path : path
        Folder or zip with the shapefiles, whatever their names: tables are known by their columns.
    region : str
        Only links whose id begins so: the first three digits are a region code (413 is Sejong). The whole country has
        1.5 million.

    Raises
    ------
    NetworkError
        Missing tables and columns, and every record that cannot be used.
    """
    if importlib.util.find_spec("shapefile") is None:
        raise NetworkError(str(path), INSTALL)
    tables = _tables(Path(path))
    missing = [name for name in ("node", "link") if name not in tables]
    if missing:
        columns = "; ".join(", ".join(sorted(TABLES[name])) for name in missing)
        raise NetworkError(str(path), f"has no table of {' and '.join(missing)}s (columns {columns}); add it")
    faults: list[str] = []
    notes: list[str] = []
    project = _projection(tables["link"], notes)
    nodes = _nodes(tables["node"], project, faults)
    links = _links(tables["link"], nodes, project, region, faults, notes)
    if not links and not faults:
        faults.append(f"holds no links that cars may use{f' in region {region}' if region else ''}")
    if faults:
        raise NetworkError(str(path), capped(faults))
    ways = _ways(links, tables.get("turn", _Rows()), notes)
    used = {end for link in links.values() for end in (link.from_node, link.to_node)}
    notes.append("signals, turn pockets and stop lines are not in the format")
    return assemble(
        nodes={name: node for name, node in nodes.items() if name in used},
        links=links,
        ways=ways,
        programs={},
        source=str(path),
        notes=notes,
    )


def _parts(path: Path) -> dict[str, _Layer]:
    """Layers by stem, out of a folder or a zip."""
    out: dict[str, _Layer] = defaultdict(_Layer)

    def take(name: str, content: Callable[[], bytes]) -> None:
        stem, _, suffix = name.rpartition(".")
        suffix = suffix.lower()
        if suffix in ("shp", "dbf"):
            setattr(out[stem.lower()], suffix, content())
        elif suffix == "prj":
            out[stem.lower()].prj = content().decode("utf-8", "replace")

    if path.is_dir():
        for file in sorted(path.iterdir())[:MAX_MEMBERS]:
            if file.is_file():
                take(file.name, lambda file=file: read_bytes(file, MAX_PART_BYTES))  # type: ignore[misc]
        return out
    if path.suffix.lower() in (".shp", ".dbf"):
        return _parts(path.parent)
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist()[:MAX_MEMBERS]:
                take(name, lambda name=name: read_zip_member(archive, name, str(path), MAX_PART_BYTES))  # type: ignore[misc]
    except (zipfile.BadZipFile, OSError) as error:
        raise NetworkError(str(path), f"is no folder and no zip of shapefiles: {error}") from None
    return out


def _tables(path: Path) -> dict[str, _Rows]:
    """The tables by what they are, from their columns."""
    import shapefile

    # newer versions warn of headers that do not fit their file
    corrupt = getattr(shapefile, "PossiblyCorruptFileHeader", UserWarning)
    damaged = (shapefile.ShapefileException, corrupt, *DAMAGED)
    out: dict[str, _Rows] = {}
    for stem, layer in _parts(path).items():
        if not layer.dbf:
            continue
        parts: dict[str, Any] = {"dbf": io.BytesIO(layer.dbf)}
        if layer.shp:
            parts["shp"] = io.BytesIO(layer.shp)
        try:
            with (
                warnings.catch_warnings(action="error", category=corrupt),
                shapefile.Reader(**parts, encoding=ENCODING, encodingErrors="replace") as reader,
            ):
                names = [str(f[0]).upper() for f in reader.fields if f[0] != "DeletionFlag"]
                kind = next((k for k, wanted in reversed(TABLES.items()) if wanted <= set(names)), None)
                if kind is None:
                    continue
                rows = _Rows(prj=layer.prj)
                rows.records = [dict(zip(names, map(_text, record), strict=False)) for record in reader.iterRecords()]
                if layer.shp:
                    rows.shapes = [[(float(x), float(y)) for x, y, *_ in shape.points] for shape in reader.iterShapes()]
                out[kind] = rows
        # pyshp raises what its parts raise: a damaged file shows itself in many ways
        except damaged as error:
            raise NetworkError(str(path), f"{stem}: is damaged: {str(error)[:200]}; fetch it again") from None
    return out


def _text(value: object) -> str:
    """A field as text; whole floats without their point."""
    if value is None:
        return ""
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value).strip()


def _projection(links: _Rows, notes: list[str]) -> Callable[[float, float], Point]:
    """Metres as they are; degrees onto a plane. The .prj decides."""
    points = [p for shape in links.shapes[:1000] for p in shape[:1]]
    if links.prj.lstrip().upper().startswith("GEOGCS"):
        n = max(1, len(points))
        lon0, lat0 = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
        notes.append(f"coordinates are metres east and north of longitude {lon0:.6f}, latitude {lat0:.6f}")
        return local_plane(lon0, lat0)
    name = links.prj.split('"')[1] if links.prj.count('"') > 1 else ""
    notes.append(
        f"coordinates are metres of {name}" if name else "no .prj: coordinates are taken as metres (EPSG:5186)"
    )
    return lambda x, y: (x, y)


def _nodes(rows: _Rows, project: Callable[[float, float], Point], faults: list[str]) -> dict[str, Node]:
    out: dict[str, Node] = {}
    for n, record in enumerate(rows.records, start=1):
        name = record["NODE_ID"]
        shape = rows.shapes[n - 1] if n <= len(rows.shapes) else []
        if not name or not shape:
            faults.append(f"node record {n}: has no NODE_ID or no point; mend it")
            continue
        if name in out:
            faults.append(f"node record {n}: {name} is there twice; keep one")
        x_m, y_m = project(*shape[0])
        kind = "priority" if record["NODE_TYPE"].zfill(3) not in CONTINUES else "continues"
        out[name] = Node(id=name, kind=kind, x_m=x_m, y_m=y_m)
    return out


def _links(
    rows: _Rows,
    nodes: Mapping[str, Node],
    project: Callable[[float, float], Point],
    region: str,
    faults: list[str],
    notes: list[str],
) -> dict[str, Link]:
    out: dict[str, Link] = {}
    unused = closed = 0
    for n, record in enumerate(rows.records, start=1):
        name = record["LINK_ID"]
        if not name.startswith(region):
            continue
        if record.get("ROAD_USE", "0") == "1":
            unused += 1
            continue
        if record.get("REST_VEH", "0") == NO_CARS:
            closed += 1
            continue
        if name in out:
            faults.append(f"link record {n}: {name} is there twice; keep one")
        try:
            out[name] = _link(record, rows.shapes[n - 1] if n <= len(rows.shapes) else [], nodes, project)
        except ValueError as error:
            faults.append(f"link record {n} ({name}): {error}")
    if unused:
        notes.append(f"{unused} links are not in use (ROAD_USE 1) and left out")
    if closed:
        notes.append(f"{closed} links are closed to cars (REST_VEH 1) and left out")
    return out


def _link(
    record: Mapping[str, str],
    points: list[Point],
    nodes: Mapping[str, Node],
    project: Callable[[float, float], Point],
) -> Link:
    ends = record["F_NODE"], record["T_NODE"]
    for end in ends:
        if end not in nodes:
            raise ValueError(f"there is no node {end!r}; add it or correct the link")
    values = {}
    for name, low, high in (("LANES", 1, 20), ("MAX_SPD", 1, 200), ("LENGTH", 0, 1e6)):
        try:
            values[name] = number(record.get(name, ""), low=low, high=high)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
    here, there = (nodes[end] for end in ends)
    shape = [project(x, y) for x, y in points]
    if len(shape) < 2:
        shape = [(here.x_m, here.y_m), (there.x_m, there.y_m)]
    rank = record.get("ROAD_RANK", "108")
    lanes = int(values["LANES"])
    return Link(
        id=record["LINK_ID"],
        from_node=ends[0],
        to_node=ends[1],
        lanes=tuple(
            Lane(
                index=i,
                length_m=max(1.0, values["LENGTH"]),
                speed_mps=values["MAX_SPD"] / 3.6,
                width_m=LANE_M,
                kind="general",
            )
            for i in range(lanes)
        ),
        name=record.get("ROAD_NAME", ""),
        # 101 is an expressway, 108 other roads and ramps
        priority=1000 * (109 - int(rank) if rank.isdigit() else 1) + lanes,
        shape=shape_of(shape),
    )


def _ways(links: Mapping[str, Link], turns: _Rows, notes: list[str]) -> list[Way]:
    banned: set[tuple[str, str]] = set()
    back: set[tuple[str, str]] = set()
    part_time = 0
    for record in turns.records:
        pair, kind = (record["ST_LINK"], record["ED_LINK"]), record.get("TURN_TYPE", "").zfill(3)
        if record.get("TURN_OPER", "0") == "1":
            part_time += 1
        elif kind in BANNED:
            banned.add(pair)
        elif kind in (U_TURN, P_TURN):
            back.add(pair)
    starting: dict[str, list[Link]] = defaultdict(list)
    for link in links.values():
        starting[link.from_node].append(link)
    ways: list[Way] = []
    for link in links.values():
        onward = [
            t
            for t in starting[link.to_node]
            if (link.id, t.id) not in banned and (t.to_node != link.from_node or (link.id, t.id) in back)
        ]
        ways += turns_by_lane(link, onward, directions={t.id: "t" for t in onward if t.to_node == link.from_node})
    if banned:
        notes.append(f"{len(banned)} turns are forbidden by TURNINFO")
    if part_time:
        notes.append(f"{part_time} rows of TURNINFO hold for a part of the day only and are not applied")
    return ways
