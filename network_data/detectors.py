"""Where each detector sits: read from a CSV table or from a SUMO additional file with induction loops."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from network_data.errors import DemandError
from network_data.formats.files import iter_xml, read_bytes
from network_data.limits import from_cell, name_fault
from network_data.network import RoadNetwork

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DetectorKind = Literal["stopbar", "advance", "mid"]
KINDS: tuple[DetectorKind, ...] = ("stopbar", "advance", "mid")
STOPBAR_WITHIN_M = 15.0
"""A loop this close to the stop line counts what leaves the lane; lanes are sorted by turn there."""
ADVANCE_SHARE = 1 / 3
"""A loop in the first third of its lane counts what enters the link."""
LOOP_TAGS = {"inductionLoop", "e1Detector", "detectorDefinition"}
AREA_TAGS = {"e2Detector", "laneAreaDetector"}
GATE_TAGS = {"e3Detector", "entryExitDetector"}
CLEARANCE_M = 0.5
"""How far outside its lane a position may be and still be read as the lane's end (rounded lengths)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A loop on one lane; `pos_m` counts from the lane's start, lane 0 is the rightmost."""

    id: str
    link_id: str
    lane: int
    pos_m: float
    kind: DetectorKind


def derive_kind(pos_m: float, lane_length_m: float) -> DetectorKind:
    """What a loop counts, by its place on the lane: at the stop line, at the upstream end, or between."""
    if lane_length_m - pos_m <= STOPBAR_WITHIN_M:
        return "stopbar"
    return "advance" if pos_m <= lane_length_m * ADVANCE_SHARE else "mid"


def read_detectors(path: Path | str, network: RoadNetwork) -> tuple[Detector, ...]:
    """Read detectors and place them on the network.

    Parameters
    ----------
    path : path
        CSV `detector,link,lane,pos_m[,kind]`, or a SUMO additional file; plain or gzipped. Of SUMO's detectors a lane
        area (E2) counts at its downstream end, an entry-exit detector (E3) at its only exit.
    network : RoadNetwork
        The network they sit in.

    Raises
    ------
    DemandError
        Every detector on an unknown link or lane, outside its lane, named twice or unreadable.
    """
    content = read_bytes(path)
    is_xml = content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    faults: list[str] = []
    out: dict[str, Detector] = {}
    for where, fields in _xml_rows(path) if is_xml else _csv_rows(path, content):
        try:
            detector = _place(fields, network)
        except ValueError as error:
            faults.append(f"{where}: {error}")
            continue
        if detector.id in out:
            faults.append(f"{where}: detector {detector.id!r} is there twice; give each a name of its own")
        out[detector.id] = detector
    if not out and not faults:
        faults.append("holds no detectors; give a CSV detector,link,lane,pos_m[,kind] or SUMO <inductionLoop> elements")
    if faults:
        raise DemandError(str(path), faults)
    return tuple(out.values())


def _csv_rows(path: Path | str, content: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DemandError(
            str(path), f"is not UTF-8 text: {error.reason} at byte {error.start}; export it as UTF-8"
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
        missing = [name for name in ("detector", "link", "lane", "pos_m") if name not in names]
        if missing:
            found = ", ".join(repr(name[:40]) for name in names[:12]) or "nothing"
            raise DemandError(
                str(path),
                f"row 1: lacks the columns {', '.join(missing)} (found {found}); "
                "needed: detector,link,lane,pos_m[,kind]",
            )
        reader.fieldnames = names
        for fields in reader:
            yield (
                f"row {reader.line_num}",
                {k: from_cell(v.strip()) for k, v in fields.items() if k and isinstance(v, str)},
            )
    except csv.Error as error:
        raise DemandError(str(path), f"row {reader.line_num}: {error}; export it as plain CSV") from None


def _xml_rows(path: Path | str) -> Iterator[tuple[str, dict[str, str]]]:
    for event, depth, element in iter_xml(path):
        if event == "end" and element.tag in LOOP_TAGS | AREA_TAGS | GATE_TAGS:
            lane_id, pos = _counting_point(element)
            link, _, lane = lane_id.rpartition("_")
            fields = {"detector": element.get("id", ""), "link": link, "lane": lane, "pos_m": pos}
            friendly = element.get("friendlyPos", "false").lower() in {"true", "1", "t"} or pos == LANE_END
            yield f"<{element.tag} id={element.get('id')!r}>", {**fields, "friendly": "yes" if friendly else ""}
        if event == "end" and depth <= 1:  # parts of a detector are read with it
            element.clear()


LANE_END = "1e9"
"""A position that is moved to the lane's end."""


def _counting_point(element: Element) -> tuple[str, str]:
    """Lane and position at which one of SUMO's detectors counts, as text."""
    if element.tag in LOOP_TAGS:
        return element.get("lane", ""), element.get("pos", "")
    if element.tag in GATE_TAGS:
        exits = element.findall("detExit")
        return (exits[0].get("lane", ""), exits[0].get("pos", "")) if len(exits) == 1 else ("several exits_?", "")
    lane = ((element.get("lanes") or element.get("lane") or "").split() or [""])[-1]
    if element.get("endPos") is not None:
        return lane, element.get("endPos", "")
    if element.get("length") is None or element.get("lanes"):
        return lane, LANE_END
    try:
        return lane, repr(float(element.get("pos", "0")) + float(element.get("length", "")))
    except ValueError:
        return lane, "pos + length"


def _place(fields: dict[str, str], network: RoadNetwork) -> Detector:
    """One detector on its lane.

    Raises
    ------
    ValueError
        What is wrong with it, and how to mend it.
    """
    name, link_id = fields.get("detector", ""), fields.get("link", "")
    if wrong := name_fault(name):
        raise ValueError(f"the detector's name {wrong}")
    if link_id not in network.links:
        raise ValueError(
            f"detector {name!r}: no link {link_id!r} in the network; correct the link or remove the detector"
        )
    lanes, lane_text = network.links[link_id].lanes, fields.get("lane", "")
    lane = int(lane_text) if lane_text.isascii() and lane_text.isdigit() else -1
    if not 0 <= lane < len(lanes):
        raise ValueError(
            f"detector {name!r}: link {link_id!r} has no lane {lane_text!r}; "
            f"its lanes are 0 (rightmost) to {len(lanes) - 1}"
        )
    length_m = lanes[lane].length_m
    pos_m = _position(name, fields, length_m)
    kind = fields.get("kind", "")
    if kind and kind not in KINDS:
        raise ValueError(
            f"detector {name!r}: kind {kind!r} is unknown; use one of {', '.join(KINDS)}, or leave it empty"
        )
    known = next((k for k in KINDS if k == kind), None)
    return Detector(id=name, link_id=link_id, lane=lane, pos_m=pos_m, kind=known or derive_kind(pos_m, length_m))


def _position(name: str, fields: dict[str, str], length_m: float) -> float:
    """Position from the lane's start. [m] SUMO counts negative ones from the lane's end."""
    text = fields.get("pos_m", "")
    try:
        pos_m = float(text) if text.isascii() else math.nan
    except ValueError:
        pos_m = math.nan
    if not math.isfinite(pos_m):
        raise ValueError(f"detector {name!r}: position {text!r} is not a number; give metres from the lane's start")
    if "friendly" in fields and pos_m < 0:
        pos_m += length_m
    inside = -CLEARANCE_M <= pos_m <= length_m + CLEARANCE_M
    if not inside and not fields.get("friendly"):
        raise ValueError(
            f"detector {name!r}: position {text} m lies outside lane {fields['link']}_{fields['lane']}, "
            f"which is {length_m:.2f} m long; correct the position or the lane"
        )
    return min(max(pos_m, 0.0), length_m)
