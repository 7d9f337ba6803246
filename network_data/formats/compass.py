"""Turning counts as engineers type them: a row per intersection and interval, a column per movement (NBL, NBT, …)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from network_data.errors import DemandError
from network_data.formats.korea.tables import count, read_rows
from network_data.formats.korea.turns import COLUMNS, TurnCounts
from network_data.tables import capped

APPROACHES = ("NB", "SB", "EB", "WB")
TURNS = {"L": "left", "T": "through", "R": "right", "U": "uturn"}
MOVEMENTS = {
    f"{approach.lower()}{letter.lower()}": (approach, turn) for approach in APPROACHES for letter, turn in TURNS.items()
}
"""Column in small letters → approach and turn."""
NAMES = ("intersection", "intersection_name", "location", "node", "intid")
BEGINS = ("from_time", "start_time", "begin", "time")
ENDS = ("to_time", "end_time", "end")
DATES = ("date", "day")
FEWEST = 3
"""So many movement columns make a table one of these counts."""
LAYOUT = "compass"
NO_DATE = pd.Timestamp("1970-01-05")
"""Stands for the day where the table states none: a Monday long ago."""


def is_compass(names: Sequence[str]) -> bool:
    """Whether columns (in any case) are those of such a table: movements, a place, a time."""
    low = {name.lower() for name in names}
    return len(low & set(MOVEMENTS)) >= FEWEST and bool(low & set(NAMES)) and bool(low & set(BEGINS))


def read_compass(path: Path | str) -> TurnCounts:
    """Read such a table; `approach` is NB, SB, EB or WB (northbound: coming from the south).

    Figures are vehicles per interval; where an interval is not an hour, a note says that they were read so. A blank or
    star is not measured.

    Raises
    ------
    DemandError
        No such table, or rows without usable place, times or counts; all together.
    """
    names, rows = read_rows(path)
    if not is_compass(names):
        raise DemandError(
            str(path),
            f"row 1: needs a column of places ({', '.join(NAMES[:3])}), of times ({', '.join(BEGINS[:2])}) and at "
            f"least {FEWEST} of NBL, NBT, NBR, …; found {', '.join(names[:12])}",
        )
    faults: list[str] = []
    notes: list[str] = []
    out: list[tuple[object, ...]] = []
    low = [(n, {name.lower(): text for name, text in values.items()}) for n, values in rows]
    for n, values in low:
        out += _row(n, values, faults, notes)
    if not rows:
        faults.append("holds no rows of counts")
    if faults:
        raise DemandError(str(path), capped(faults))
    frame = pd.DataFrame(out, columns=COLUMNS)
    dated = any(name.lower() in DATES for name in names)
    return TurnCounts(layout=LAYOUT, frame=frame, notes=(*notes, *_notes(frame, dated=dated)), dated=dated)


def _first(values: Mapping[str, str], names: Sequence[str]) -> str:
    return next((values[name] for name in names if values.get(name)), "")


def _row(n: int, values: Mapping[str, str], faults: list[str], notes: list[str]) -> list[tuple[object, ...]]:
    place = _first(values, NAMES)
    if not place:
        faults.append(f"row {n}: the intersection is empty; name it")
    begin_s, end_s = (_clock_s(_first(values, names)) for names in (BEGINS, ENDS))
    if begin_s is None or end_s is None or not end_s > begin_s:
        told = f"{_first(values, BEGINS)[:20]!r} to {_first(values, ENDS)[:20]!r}"
        faults.append(f"row {n}: the interval is {told}; give two clock times HH:MM, the later one last")
        begin_s, end_s = 0.0, 3600.0
    date = NO_DATE
    if text := _first(values, DATES):
        told_date = pd.to_datetime(text, errors="coerce", format="mixed")
        if isinstance(told_date, pd.Timestamp):
            date = told_date
        else:
            faults.append(f"row {n}: date is {text[:20]!r}; give ISO 8601")
    out: list[tuple[object, ...]] = []
    total = 0.0
    for name, (approach, turn) in MOVEMENTS.items():
        if name in values:
            veh = count(values[name].strip("* "), name.upper(), n, faults, high=20_000)
            total += veh or 0.0
            begin = date.normalize() + pd.Timedelta(seconds=begin_s)
            out.append((begin, end_s - begin_s, place, approach, turn, "all", veh, None))
    if values.get("total"):
        stated = count(values["total"], "total", n, faults, high=1e6)
        if stated is not None and abs(stated - total) > 0.5:
            notes.append(f"row {n}: {place}: the movements add up to {total:g}, the total says {stated:g}")
    return out


def _clock_s(text: str) -> float | None:
    """Seconds after midnight of HH:MM[:SS] or HHMM; None where it is no time."""
    parts = text.split(":") if ":" in text else [text[:-2], text[-2:]] if len(text) in (3, 4) else []
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts):
        return None
    hours, minutes, *rest = (int(part) for part in parts)
    if hours > 24 or minutes > 59 or any(x > 59 for x in rest) or (hours == 24 and minutes):
        return None
    return 3600.0 * hours + 60 * minutes + (rest[0] if rest else 0)


def _notes(frame: pd.DataFrame, *, dated: bool) -> list[str]:
    out = [] if dated else ["the table states no date: times of day only"]
    lengths = sorted({float(x) for x in frame["interval_s"]})
    if lengths != [3600.0]:
        told = ", ".join(f"{x / 60:g}" for x in lengths)
        out.append(f"intervals of {told} minutes: figures are read as vehicles per interval, not per hour")
    for place, rows in frame.groupby("intersection", sort=False):
        times = [tuple(own["veh"].fillna(-1)) for _, own in rows.groupby("begin")]
        if len(times) > 1 and len(set(times)) == 1:
            out.append(f"{place}: the same figures in all {len(times)} intervals: one count, repeated")
    return out


def read_nodes(path: Path | str) -> dict[str, str] | None:
    """Which node of the network each intersection is: CSV intersection,node; None where it has other columns.

    Raises
    ------
    DemandError
        Blank names, an intersection that is there twice.
    """
    names, rows = read_rows(path)
    if not {"intersection", "node"} <= set(names):
        return None
    faults: list[str] = []
    out: dict[str, str] = {}
    for n, values in rows:
        place, node = values.get("intersection", ""), values.get("node", "")
        if not (place and node):
            faults.append(f"row {n}: intersection and node have to be there; fill them in")
        if place in out:
            faults.append(f"row {n}: {place} is there twice; keep one")
        out[place] = node
    if faults:
        raise DemandError(str(path), capped(faults))
    return out


def places_at(
    nodes: Mapping[str, str], columns: Mapping[tuple[str, str], tuple[str, str]]
) -> dict[tuple[str, str, str], tuple[str, str]]:
    """(intersection, approach, turn) → links, by what the approaches of a node are called on the compass.

    Parameters
    ----------
    nodes : mapping
        Intersection → node.
    columns : mapping
        (node, column such as NBL) → links, as `columns_of` gives them.
    """
    return {
        (place, approach, turn): columns[node, name.upper()]
        for place, node in nodes.items()
        for name, (approach, turn) in MOVEMENTS.items()
        if (node, name.upper()) in columns
    }
