"""SUMO's detectors: loops (E1), lane areas (E2) and entry-exit detectors (E3), read and written.

The engine counts at points of single lanes (`Detector`). `as_loops` says which points the other two stand for: the
downstream end of a lane area, the exit of an entry-exit detector with one exit. What has more exits is listed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from network_data.detectors import AREA_TAGS, GATE_TAGS, LOOP_TAGS, Detector, derive_kind
from network_data.errors import DemandError
from network_data.formats.files import iter_xml
from network_data.formats.sumo_tls import number_text
from network_data.network import RoadNetwork

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

OUTSIDE_M = 0.5
"""How far outside its lane a position may be and still be read as the lane's end (rounded lengths)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanePoint:
    """A point of a lane, counted from the lane's start."""

    link_id: str
    lane: int
    pos_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneArea:
    """A lane area detector (E2): from `start_m` on the first of its lanes to `end_m` on the last, in driving order."""

    id: str
    lanes: tuple[tuple[str, int], ...]
    start_m: float
    end_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryExit:
    """An entry-exit detector (E3): vehicles count from any entry to any exit."""

    id: str
    entries: tuple[LanePoint, ...]
    exits: tuple[LanePoint, ...]


@dataclass(frozen=True, kw_only=True)
class SumoDetectors:
    """All detectors of a file."""

    loops: tuple[Detector, ...] = ()
    areas: tuple[LaneArea, ...] = ()
    gates: tuple[EntryExit, ...] = ()


def read_sumo_detectors(path: Path | str, network: RoadNetwork) -> SumoDetectors:
    """Detectors of an additional file, placed on the network.

    Raises
    ------
    DemandError
        Every detector on an unknown link or lane, outside its lane, named twice or unreadable; a file without any.
    """
    faults: list[str] = []
    found: dict[str, Detector | LaneArea | EntryExit] = {}
    for event, _, element in iter_xml(path):
        if event != "end" or element.tag not in {*LOOP_TAGS, *AREA_TAGS, *GATE_TAGS}:
            continue
        where = f"<{element.tag} id={element.get('id')!r}>"
        try:
            detector = _maker(element.tag)(element, network)
            if detector.id in found:
                faults.append(f"{where}: is there twice; give each a name of its own")
            found[detector.id] = detector
        except ValueError as error:
            faults.append(f"{where}: {error}")
        element.clear()
    if not found and not faults:
        faults.append("holds no detectors; give <inductionLoop>, <laneAreaDetector> or <entryExitDetector> elements")
    if faults:
        raise DemandError(str(path), faults)
    return SumoDetectors(
        loops=tuple(x for x in found.values() if isinstance(x, Detector)),
        areas=tuple(x for x in found.values() if isinstance(x, LaneArea)),
        gates=tuple(x for x in found.values() if isinstance(x, EntryExit)),
    )


def _maker(tag: str) -> Callable[[Element, RoadNetwork], Detector | LaneArea | EntryExit]:
    if tag in LOOP_TAGS:
        return _loop
    return _area if tag in AREA_TAGS else _gate


def _named(element: Element) -> str:
    name = element.get("id", "")
    if not name or not name.isprintable():
        raise ValueError("its id is empty or has control characters; name the detector")
    return name


def _loop(element: Element, network: RoadNetwork) -> Detector:
    point = _point(element, network)
    length_m = network.links[point.link_id].lanes[point.lane].length_m
    return Detector(
        id=_named(element),
        link_id=point.link_id,
        lane=point.lane,
        pos_m=point.pos_m,
        kind=derive_kind(point.pos_m, length_m),
    )


def _point(element: Element, network: RoadNetwork) -> LanePoint:
    link_id, lane = _lane(element.get("lane", ""), network)
    pos_m = _within(element, "pos", network.links[link_id].lanes[lane].length_m)
    return LanePoint(link_id=link_id, lane=lane, pos_m=pos_m)


def _lane(text: str, network: RoadNetwork) -> tuple[str, int]:
    link_id, _, number = text.rpartition("_")
    if link_id not in network.links:
        raise ValueError(f"no link {link_id!r} in the network (lane {text!r}); correct the lane or remove the detector")
    n_lane = len(network.links[link_id].lanes)
    if not (number.isascii() and number.isdigit()) or int(number) >= n_lane:
        raise ValueError(f"link {link_id!r} has no lane {number!r}; its lanes are 0 (rightmost) to {n_lane - 1}")
    return link_id, int(number)


def _within(element: Element, name: str, length_m: float, default: float | None = None) -> float:
    """A position on a lane; SUMO counts negative ones from its end, and moves `friendly` ones to it."""
    text = element.get(name)
    if text is None and default is not None:
        return default
    try:
        pos_m = float(text or "")
    except ValueError:
        pos_m = math.nan
    if not math.isfinite(pos_m):
        raise ValueError(f"{name} is {text!r}; needs metres from the lane's start")
    if pos_m < 0:
        pos_m += length_m
    friendly = element.get("friendlyPos", "false").lower() in {"true", "1", "t"}
    if not friendly and not -OUTSIDE_M <= pos_m <= length_m + OUTSIDE_M:
        raise ValueError(f"{name} {text} m lies outside its lane of {length_m:.2f} m; correct the position or the lane")
    return min(max(pos_m, 0.0), length_m)


def _area(element: Element, network: RoadNetwork) -> LaneArea:
    names = (element.get("lanes") or element.get("lane") or "").split()
    if not names:
        raise ValueError("names no lane; give lane= or lanes=")
    lanes = tuple(_lane(name, network) for name in names)
    first_m, last_m = (network.links[link].lanes[lane].length_m for link, lane in (lanes[0], lanes[-1]))
    if element.get("length") is None:
        start_m = _within(element, "pos", first_m, 0.0)
        end_m = _within(element, "endPos", last_m, last_m)
    elif element.get("endPos") is not None and element.get("pos") is None:
        end_m = _within(element, "endPos", last_m)
        start_m = end_m - _within(element, "length", math.inf)
    else:
        start_m = _within(element, "pos", first_m, 0.0)
        end_m = start_m + _within(element, "length", math.inf)
        end_m = min(end_m, last_m + OUTSIDE_M)
    if len(lanes) == 1 and not 0 <= start_m < end_m:
        raise ValueError(f"runs from {start_m:g} to {end_m:g} m; needs a start before its end, on the lane")
    return LaneArea(id=_named(element), lanes=lanes, start_m=max(start_m, 0.0), end_m=min(end_m, last_m))


def _gate(element: Element, network: RoadNetwork) -> EntryExit:
    entries = tuple(_point(x, network) for x in element.findall("detEntry"))
    exits = tuple(_point(x, network) for x in element.findall("detExit"))
    if not entries or not exits:
        raise ValueError("needs at least one <detEntry> and one <detExit>; add them")
    return EntryExit(id=_named(element), entries=entries, exits=exits)


def as_loops(detectors: SumoDetectors, network: RoadNetwork) -> tuple[tuple[Detector, ...], tuple[str, ...]]:
    """The points at which the engine may take counts, and notes on the detectors that stand for none."""
    loops, notes = list(detectors.loops), []
    for area in detectors.areas:
        link_id, lane = area.lanes[-1]
        loops.append(_at(area.id, LanePoint(link_id=link_id, lane=lane, pos_m=area.end_m), network))
    for gate in detectors.gates:
        if len(gate.exits) == 1:
            loops.append(_at(gate.id, gate.exits[0], network))
        else:
            notes.append(
                f"entry-exit detector {gate.id!r} has {len(gate.exits)} exits: its count belongs to no single lane"
            )
    return tuple(loops), tuple(notes)


def _at(name: str, point: LanePoint, network: RoadNetwork) -> Detector:
    length_m = network.links[point.link_id].lanes[point.lane].length_m
    kind = derive_kind(point.pos_m, length_m)
    return Detector(id=name, link_id=point.link_id, lane=point.lane, pos_m=point.pos_m, kind=kind)


def write_sumo_detectors(detectors: SumoDetectors, *, period_s: float = 300.0, file: str = "detectors.xml") -> str:
    """An additional file with all detectors, as text.

    Parameters
    ----------
    detectors : SumoDetectors
        What to write.
    period_s : float
        Interval of SUMO's output. [s]
    file : str
        SUMO's output file; E3 write into `e3_` before its name, as their output differs.
    """
    out = f'period="{number_text(period_s)}" file={quoteattr(file)}'
    lines = [
        f"    <inductionLoop id={quoteattr(x.id)} lane={quoteattr(f'{x.link_id}_{x.lane}')} "
        f'pos="{number_text(x.pos_m)}" {out}/>'
        for x in detectors.loops
    ]
    for area in detectors.areas:
        names = " ".join(f"{link}_{lane}" for link, lane in area.lanes)
        key = "lanes" if len(area.lanes) > 1 else "lane"
        lines.append(
            f"    <laneAreaDetector id={quoteattr(area.id)} {key}={quoteattr(names)} "
            f'pos="{number_text(area.start_m)}" endPos="{number_text(area.end_m)}" {out}/>'
        )
    gates_out = f'period="{number_text(period_s)}" file={quoteattr("e3_" + file)}'
    for gate in detectors.gates:
        lines.append(f"    <entryExitDetector id={quoteattr(gate.id)} {gates_out}>")
        for tag, points in (("detEntry", gate.entries), ("detExit", gate.exits)):
            lines += [
                f'        <{tag} lane={quoteattr(f"{p.link_id}_{p.lane}")} pos="{number_text(p.pos_m)}"/>'
                for p in points
            ]
        lines.append("    </entryExitDetector>")
    return "\n".join(["<additional>", *lines, "</additional>", ""])
