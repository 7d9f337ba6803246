"""UTDF volume tables: turning counts by intersection, date and time. A star or blank is not measured, 0 is nobody."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from network_data.errors import DemandError
from network_data.formats.files import read_bytes
from network_data.limits import number
from network_data.tables import capped

TITLE = "Turning Movement Count"
MINUTES = re.compile(r"\s*(\d+)\s+minute", re.IGNORECASE)
MOVEMENTS = ("NBL", "NBT", "NBR", "SBL", "SBT", "SBR", "EBL", "EBT", "EBR", "WBL", "WBT", "WBR")
MAX_VEH = 20_000
DAY_S = 86_400.0


@dataclass(frozen=True, eq=False, kw_only=True)
class VolumeTable:
    """Rows of a volume table: date, begin_s (after midnight), intid, and a column per movement; NaN: not measured."""

    frame: pd.DataFrame
    interval_s: float


def read_volumes(path: Path | str) -> VolumeTable:
    """Read a volume table: title, `15 Minute Counts`, header `DATE,TIME,INTID,NBL,…`, rows.

    Raises
    ------
    DemandError
        Every row without a usable date, time, intersection or count.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DemandError(str(path), f"is no text at byte {error.start}; export it as UTF-8 CSV") from None
    lines = list(csv.reader(io.StringIO(text, newline="")))
    minutes = next((int(found[1]) for row in lines[:4] for cell in row if (found := MINUTES.match(cell))), 0)
    at = next((n for n, row in enumerate(lines[:10]) if "INTID" in (cell.strip() for cell in row)), -1)
    if at < 0 or not 1 <= minutes <= 1440:
        raise DemandError(
            str(path), f"needs a line like '15 Minute Counts' and a header DATE,TIME,INTID,{MOVEMENTS[0]},…"
        )
    header = [cell.strip() for cell in lines[at]]
    missing = [name for name in ("DATE", "TIME", "INTID") if name not in header]
    if missing:
        raise DemandError(str(path), f"row {at + 1}: lacks the columns {', '.join(missing)}")
    faults: list[str] = []
    rows = [
        _row(dict(zip(header, (cell.strip() for cell in cells), strict=False)), n + 1, faults)
        for n, cells in enumerate(lines)
        if n > at and any(cell.strip() for cell in cells)
    ]
    if not rows and not faults:
        faults.append("holds no rows of counts")
    if faults:
        raise DemandError(str(path), capped(faults))
    return VolumeTable(frame=pd.DataFrame(rows), interval_s=60.0 * minutes)


@lru_cache(maxsize=4096)
def _date(text: str) -> datetime.date | None:
    """A date as written; a table has few of them and thousands of rows."""
    day = pd.to_datetime(text, errors="coerce", format="mixed") if text else pd.NaT
    return None if pd.isna(day) else day.date()


def _row(values: Mapping[str, str], line: int, faults: list[str]) -> dict[str, object]:
    date = _date(values.get("DATE", ""))
    clock = values.get("TIME", "").replace(":", "").zfill(4)
    if date is None:
        faults.append(f"row {line}: DATE is {values.get('DATE', '')!r}; give month/day/year or ISO 8601")
    good = len(clock) == 4 and clock.isascii() and clock.isdigit() and clock < "2400" and clock[2:] < "60"
    if not good:
        faults.append(f"row {line}: TIME is {values.get('TIME', '')!r}; give HHMM")
    if not values.get("INTID"):
        faults.append(f"row {line}: INTID is empty; name the intersection")
    out: dict[str, object] = {
        "date": date,
        "begin_s": 3600.0 * int(clock[:2]) + 60 * int(clock[2:]) if good else 0.0,
        "intid": values.get("INTID", ""),
    }
    for name, text in values.items():
        if name in ("DATE", "TIME", "INTID") or not name:
            continue
        out[name] = np.nan
        if text.strip("* "):
            try:
                out[name] = number(text, low=0, high=MAX_VEH)
            except ValueError as error:
                faults.append(f"row {line}: {name}: {error}")
    return out


def write_volumes(table: VolumeTable) -> str:
    """A volume table as text; what is not measured is a star."""
    movements = [c for c in table.frame.columns if c not in ("date", "begin_s", "intid")]
    lines = [TITLE, f"{table.interval_s / 60:g} Minute Counts", ",".join(["DATE", "TIME", "INTID", *movements])]
    for values in table.frame.to_dict("records"):
        begin = int(values["begin_s"])
        cells = ["*" if pd.isna(values[name]) else f"{values[name]:g}" for name in movements]
        date = values["date"].strftime("%m/%d/%Y")
        lines.append(",".join([date, f"{begin // 3600:02d}{begin % 3600 // 60:02d}", str(values["intid"]), *cells]))
    return "\n".join([*lines, ""])


def placed_turns(
    table: VolumeTable, columns: Mapping[tuple[str, str], tuple[str, str]]
) -> tuple[pd.DataFrame, list[str]]:
    """Counts of a volume table as turns of a network, and what finds no place there.

    Parameters
    ----------
    table : VolumeTable
        Its intersections are the network's nodes.
    columns : mapping
        (node, column such as NBL) → links, as `columns_of` gives them.

    Returns
    -------
    tuple of DataFrame, list of str
        from_link, to_link, begin_s, end_s, veh (the mean of the days where there are several); and notes.
    """
    movements = [c for c in table.frame.columns if c not in ("date", "begin_s", "intid")]
    rows = []
    lost: dict[str, float] = {}
    for values in table.frame.to_dict("records"):
        for name in movements:
            veh = values[name]
            pair = columns.get((str(values["intid"]), str(name)))
            if pd.isna(veh):
                continue
            if pair is None:
                key = f"{values['intid']} {name}"
                lost[key] = lost.get(key, 0.0) + float(veh)
                continue
            rows.append((*pair, values["begin_s"], values["begin_s"] + table.interval_s, float(veh)))
    keys = ["from_link", "to_link", "begin_s", "end_s"]
    frame = pd.DataFrame(rows, columns=[*keys, "veh"]).groupby(keys, sort=False).mean().reset_index()
    notes = [f"{name}: {veh:g} vehicles find no movement in the network" for name, veh in lost.items()]
    return frame, notes


def volumes_of(
    turns: pd.DataFrame, columns: Mapping[tuple[str, str], tuple[str, str]], date: datetime.date
) -> tuple[VolumeTable, list[str]]:
    """Turns of a network as a volume table: the way back of `placed_turns`.

    Parameters
    ----------
    turns : DataFrame
        from_link, to_link, begin_s, end_s, veh; all intervals of one length.
    columns : mapping
        (node, column such as NBL) → links, as `columns_of` gives them.
    date : date
        The day to write; turns have none.

    Raises
    ------
    DemandError
        Intervals of several lengths, of no whole minutes, or no turn that has a column.
    """
    lengths = sorted({float(x) for x in (turns["end_s"] - turns["begin_s"]).round(6)})
    if len(lengths) != 1 or lengths[0] % 60 or not 60 <= lengths[0] <= DAY_S:
        told = ", ".join(f"{x:g}" for x in lengths[:5])
        raise DemandError(
            "volume table", f"intervals of {told} s; the format knows one length for all, in whole minutes"
        )
    names = {pair: key for key, pair in columns.items()}
    cells: dict[tuple[float, str], dict[str, float]] = {}
    lost: dict[tuple[str, str], float] = {}
    for a, b, begin_s, veh in turns[["from_link", "to_link", "begin_s", "veh"]].itertuples(index=False):
        if (a, b) not in names:
            lost[a, b] = lost.get((a, b), 0.0) + float(veh)
            continue
        node, column = names[a, b]
        row = cells.setdefault((float(begin_s), node), {})
        row[column] = row.get(column, 0.0) + float(veh)
    if not cells:
        raise DemandError("volume table", "none of the turns is a left, through or right at an intersection")
    rows = [
        {"date": date, "begin_s": begin_s, "intid": node, **{name: row.get(name, np.nan) for name in MOVEMENTS}}
        for (begin_s, node), row in sorted(cells.items())
    ]
    left = [f"{a or 'in'} -> {b or 'out'}: {veh:g} vehicles, no movement of its own" for (a, b), veh in lost.items()]
    return VolumeTable(frame=pd.DataFrame(rows), interval_s=lengths[0]), left


def turns_of(
    volumes_vph: Mapping[tuple[str, str], float | None], *, begin_s: float = 0.0, end_s: float = 3600.0
) -> pd.DataFrame:
    """Hourly volumes as turns: from_link, to_link, begin_s, end_s, veh; what is not measured is left out."""
    share = (end_s - begin_s) / 3600.0
    rows = [(a, b, begin_s, end_s, veh * share) for (a, b), veh in volumes_vph.items() if veh is not None]
    return pd.DataFrame(rows, columns=["from_link", "to_link", "begin_s", "end_s", "veh"])
