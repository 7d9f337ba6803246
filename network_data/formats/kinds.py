"""What a file or folder is, by its content: the name never decides."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from network_data.errors import InputError
from network_data.formats.compass import is_compass
from network_data.formats.files import open_bytes, root_tag
from network_data.formats.salt.elements import find_files

HEAD_BYTES = 65_536
SHP_MAGIC = b"\x00\x00\x27\x0a"
ZIP_MAGIC = b"PK\x03\x04"
PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class Kind:
    """A format: its name in commands, and what it is in words."""

    name: str
    title: str


UNKNOWN = Kind("unknown", "of no format known here")
SUMO_NET = Kind("sumo-net", "SUMO network (.net.xml)")
SUMO_ADDITIONAL = Kind("sumo", "SUMO additional file: signal programs, WAUT, detectors")
SUMO_ROUTES = Kind("sumo-routes", "SUMO routes")
SALT = Kind("salt", "SALT folder: node, edge, connection, trafficSignalSystem")
SALT_SIGNALS = Kind("salt-signals", "SALT trafficSignalSystem: schedules and time-of-day plans")
GMNS = Kind("gmns", "GMNS folder of csv tables")
UTDF = Kind("utdf", "Synchro UTDF, combined csv")
UTDF_VOLUMES = Kind("utdf-volumes", "Synchro UTDF volume table")
HIRES = Kind("hires", "high-resolution controller events (Indiana codes)")
KOREA_LINKS = Kind("korea-nodelink", "Korean standard node-link shapefiles (표준노드링크)")
KOREA_TURNS = Kind("korea-turns", "turning counts of Korean smart intersections")
COMPASS = Kind("compass-turns", "turning counts by compass movement (NBL, NBT, …)")
FLOW_TABLE = Kind("sumo-flows", "counts of SUMO's dfrouter (Detector;Time;qPKW;…)")
LINK_COUNTS = Kind("cadyts", "link counts of Cadyts (measurements)")
KOREA_SIGNALS = Kind("korea-signals", "Korean signal inventory (신호 표준데이터)")
OSM = Kind("osm", "OpenStreetMap (.osm or .pbf)")
PLAN_JSON = Kind("plan-json", "plan of this engine (plan.json)")
COUNTS = Kind("counts", "counts of detectors")
DETECTORS = Kind("detectors", "detectors and where they lie")
TURNS = Kind("turns", "turning counts or demand")
TABLE = Kind("table", "a table whose columns have no meaning yet")

KINDS = (
    SUMO_NET, SUMO_ADDITIONAL, SUMO_ROUTES, SALT, SALT_SIGNALS, GMNS, UTDF, UTDF_VOLUMES, HIRES, KOREA_LINKS,
    KOREA_TURNS, KOREA_SIGNALS, COMPASS, FLOW_TABLE, LINK_COUNTS, OSM, PLAN_JSON, COUNTS, DETECTORS, TURNS,
)  # fmt: skip

ROOT_KINDS = {
    "net": SUMO_NET,
    "additional": SUMO_ADDITIONAL,
    "add": SUMO_ADDITIONAL,
    "detectors": SUMO_ADDITIONAL,
    "tlLogics": SUMO_ADDITIONAL,
    "routes": SUMO_ROUTES,
    "trafficSignalSystem": SALT_SIGNALS,
    "osm": OSM,
    "measurements": LINK_COUNTS,
}


def kind_of(path: Path | str) -> Kind:
    """The kind of a file or folder, `UNKNOWN` where it is none that we know.

    Raises
    ------
    InputError
        It does not exist, cannot be read, or is a folder of a known format with parts missing.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    head = first_bytes(path, HEAD_BYTES)
    if head.startswith(b"<"):
        return ROOT_KINDS.get(root_tag(path), UNKNOWN)
    if head.startswith(b"{"):
        return PLAN_JSON
    if head.startswith(PARQUET_MAGIC):
        return _of_columns(_parquet_columns(path))
    if head.startswith(SHP_MAGIC):
        return KOREA_LINKS
    if head.startswith(ZIP_MAGIC):
        return KOREA_LINKS
    if b"OSMHeader" in head[:64]:
        return OSM
    return _text(head)


def column_names(path: Path | str) -> list[str]:
    """Names in the first row of a CSV or parquet table; of what is no table nothing, or its first line."""
    path = Path(path)
    if path.is_dir():
        return []
    head = first_bytes(path, HEAD_BYTES)
    if head.startswith(PARQUET_MAGIC):
        return _parquet_columns(path)
    return [] if head.startswith((b"<", b"{", SHP_MAGIC, ZIP_MAGIC)) or b"\x00" in head else _header(head)


def first_bytes(path: Path | str, n: int = 512) -> bytes:
    """The beginning of a file, unpacked, without byte order mark and white space."""
    with open_bytes(path) as stream:
        try:
            return stream.read(n).removeprefix(b"\xef\xbb\xbf").lstrip()
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(str(path), f"cannot be read: {error}; the file is damaged, fetch it again") from None


def _folder(path: Path) -> Kind:
    names = {p.name.lower() for p in path.iterdir() if p.is_file()}
    if any(name.endswith(".shp") for name in names) and any(name.endswith(".dbf") for name in names):
        return KOREA_LINKS
    if gmns_tables(path):
        return GMNS
    return SALT if find_files(path) is not None else UNKNOWN


def gmns_tables(folder: Path) -> dict[str, Path]:
    """GMNS tables of a folder by their name, where it holds at least nodes and links; else none.

    A file may be called `gmns_node.csv` as well as `node.csv`.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() == ".csv":
            found[path.stem.lower().removeprefix("gmns_")] = path
    if {"node", "link"} <= set(found):
        columns = {name: set(_header(first_bytes(found[name], HEAD_BYTES))) for name in ("node", "link")}
        if "node_id" in columns["node"] and {"from_node_id", "to_node_id"} <= columns["link"]:
            return found
    return {}


def _parquet_columns(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            return [str(name) for name in pa_parquet.read_schema(stream).names]
    except (pa.ArrowException, OSError) as error:
        raise InputError(str(path), f"is a damaged parquet file: {error}; write it again") from None


def decoded(head: bytes) -> str:
    """Text of a file's beginning: UTF-8, else the Korean code page; the last character may be cut."""
    for encoding in ("utf-8", "cp949"):
        for cut in range(4):
            try:
                return head[: len(head) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
    return head.decode("latin-1")


def _header(head: bytes) -> list[str]:
    line = decoded(head).split("\n", 1)[0].strip("\r")
    delimiter = max(",;\t", key=line.count)
    return [name.strip().strip('"') for name in line.split(delimiter)]


def _text(head: bytes) -> Kind:
    text = decoded(head)
    first = [line.strip().strip('"').rstrip(",") for line in text.split("\n", 4)[:3]]
    for probe, kind in TEXT_KINDS:
        if probe(first, text):
            return kind
    return _of_columns(_header(head))


UTDF_SECTIONS = ("[Network]", "[Nodes]", "[Links]", "[Lanes]", "[Timeplans]", "[Phases]")
VOLUME_TITLES = ("turning movement count", "lane group data", "volume")
TEXT_KINDS: tuple[tuple[Callable[[list[str], str], bool], Kind], ...] = (
    (lambda first, text: first[0] in UTDF_SECTIONS or "\n[Network]" in text, UTDF),
    (
        lambda first, text: first[0].lower() in VOLUME_TITLES or "INTID" in text.split("\n", 3)[0].split(","),
        UTDF_VOLUMES,
    ),
)


def _of_columns(names: list[str]) -> Kind:
    """By the names of a table's columns."""
    low = {name.lower() for name in names}
    if is_compass(names):
        return COMPASS
    for wanted, kind in COLUMN_KINDS:
        if any(option <= low for option in wanted):
            return kind
    return UNKNOWN


COLUMN_KINDS: tuple[tuple[tuple[set[str], ...], Kind], ...] = (
    (({"eventid", "parameter"}, {"event_id", "parameter"}, {"eventcode", "eventparam"}), HIRES),
    (({"detector", "time", "qpkw"},), FLOW_TABLE),
    (({"from_link", "to_link"},), TURNS),
    (({"detector", "link", "lane"},), DETECTORS),
    (({"detector", "veh"},), COUNTS),
    (({"crsrdid", "vhcltrfvlm"}, {"cctv_id", "reg_dt"}, {"crsrd_id", "trf"}, {"교차로명", "수집년월"}), KOREA_TURNS),
    (({"교차로명", "신호등화시간"},), KOREA_SIGNALS),
)
