"""Turning counts of smart intersections (스마트교차로). There is no national format; these layouts are read:

| layout | columns |
|---|---|
| `ggits` | clctDt, crsrdId, acsRoadId, drctCd, laneNo, vhclDiv, vhclTrfvlm, avgVhclSpeed: 15 minutes by direction |
| `ggits-approach` | the same without drctCd, with pdstCnt, ctrlDelayTime: 5 minutes by approach |
| `daejeon` | REG_DT, CCTV_ID, then GO_, LEFT_, RIGHT_ and a vehicle class: 5 minutes, one camera is one approach |
| `daejeon-sum` | REG_DT, CRSRD_ID, DIR, TRF |
| `sejong` | 교차로명, 수집년월, 동, 서, 남, 북: vehicles a month by compass approach |

Times are local (UTC+9, no daylight saving) and stand for the begin of the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from network_data.errors import DemandError
from network_data.formats.korea.tables import count, read_rows
from network_data.tables import capped

COLUMNS = ["begin", "interval_s", "intersection", "approach", "turn", "vehicle_class", "veh", "speed_kph"]
COMPASS = {"동": "east", "서": "west", "남": "south", "북": "north"}
TURN_PREFIXES = {"GO_": "through", "LEFT_": "left", "RIGHT_": "right"}
DIRECTIONS = {
    "직진": "through", "좌회전": "left", "우회전": "right", "유턴": "uturn", "GO": "through", "LEFT": "left",
    "RIGHT": "right", "S": "through", "L": "left", "R": "right", "U": "uturn",
}  # fmt: skip
FEW = 0.1
"""A first month below this share of the next one was collected in part. [-]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class TurnCounts:
    """Counts in one shape whatever the layout; `notes` say what the figures may hide.

    Where the layout states no date, `dated` is False and the day of `begin` means nothing.
    """

    layout: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    dated: bool = True


def read_turn_counts(path: Path | str) -> TurnCounts:
    """Read turning counts of any of the layouts.

    Raises
    ------
    DemandError
        No known layout, or rows without usable time, place or count; all together.
    """
    names, rows = read_rows(path)
    have = {name.lower() for name in names}
    layout = next((name for name, wanted in LAYOUTS.items() if wanted <= have), None)
    if layout is None:
        known = "; ".join(", ".join(sorted(wanted)) for wanted in LAYOUTS.values())
        raise DemandError(
            str(path), f"row 1: has the columns of no known layout (found {', '.join(names[:12])}); known: {known}"
        )
    faults: list[str] = []
    low = [(n, {k.lower(): v for k, v in values.items()}) for n, values in rows]
    out: list[tuple[object, ...]] = []
    for n, values in low:
        out += MAKERS[layout](n, values, faults)
    if not rows:
        faults.append("holds no rows of counts")
    if faults:
        raise DemandError(str(path), capped(faults))
    frame = pd.DataFrame(out, columns=COLUMNS)
    return TurnCounts(layout=layout, frame=frame, notes=tuple(_notes(layout, frame)))


LAYOUTS: dict[str, set[str]] = {
    "ggits": {"clctdt", "crsrdid", "acsroadid", "drctcd", "vhcltrfvlm"},
    "ggits-approach": {"clctdt", "crsrdid", "acsroadid", "vhcltrfvlm"},
    "daejeon": {"reg_dt", "cctv_id"},
    "daejeon-sum": {"reg_dt", "crsrd_id", "dir", "trf"},
    "sejong": {"교차로명", "수집년월"},
}
Row = tuple[object, ...]


def _time(text: str, what: str, row: int, faults: list[str]) -> pd.Timestamp | None:
    """A local time: ISO 8601, or digits YYYYMMDDHHMM[SS]."""
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) in (12, 14) and len(text) <= 19:
        made = pd.to_datetime(digits.ljust(14, "0"), format="%Y%m%d%H%M%S", errors="coerce")
        if not pd.isna(made):
            return pd.Timestamp(made)
    faults.append(f"row {row}: {what} is {text[:30]!r}; needs YYYY-MM-DD HH:MM[:SS] or the digits of it")
    return None


def _place(values: Mapping[str, str], name: str, row: int, faults: list[str]) -> str:
    text = values.get(name, "")
    if not text:
        faults.append(f"row {row}: {name} is empty; name it")
    return text


def _ggits(row: int, values: Mapping[str, str], faults: list[str]) -> list[Row]:
    code = values.get("drctcd", "")
    turn = DIRECTIONS.get(code, f"code {code}") if code else "all"
    veh = count(values.get("vhcltrfvlm", ""), "vhclTrfvlm", row, faults)
    speed = count(values.get("avgvhclspeed", ""), "avgVhclSpeed", row, faults, high=300)
    begin = _time(values.get("clctdt", ""), "clctDt", row, faults)
    interval_s = 900.0 if code else 300.0
    places = [_place(values, name, row, faults) for name in ("crsrdid", "acsroadid")]
    return [(begin, interval_s, *places, turn, values.get("vhcldiv", "") or "all", veh, speed)]


def _daejeon(row: int, values: Mapping[str, str], faults: list[str]) -> list[Row]:
    begin = _time(values.get("reg_dt", ""), "REG_DT", row, faults)
    camera = _place(values, "cctv_id", row, faults)
    out: list[Row] = []
    for name, text in values.items():
        prefix = next((p for p in TURN_PREFIXES if name.upper().startswith(p)), None)
        if prefix is not None:
            veh = count(text, name.upper(), row, faults)
            vehicle = name[len(prefix) :].lower()
            out.append((begin, 300.0, camera, camera, TURN_PREFIXES[prefix], vehicle, veh, None))
    if not out:
        faults.append(f"row {row}: has no GO_, LEFT_ or RIGHT_ columns; give the counts")
    return out


def _daejeon_sum(row: int, values: Mapping[str, str], faults: list[str]) -> list[Row]:
    begin = _time(values.get("reg_dt", ""), "REG_DT", row, faults)
    place = _place(values, "crsrd_id", row, faults)
    veh = count(values.get("trf", ""), "TRF", row, faults)
    return [(begin, 300.0, place, _place(values, "dir", row, faults), "all", "all", veh, None)]


def _sejong(row: int, values: Mapping[str, str], faults: list[str]) -> list[Row]:
    digits = "".join(c for c in values.get("수집년월", "") if c.isascii() and c.isdigit())
    begin = pd.to_datetime(digits[:6], format="%Y%m", errors="coerce") if len(digits) >= 6 else pd.NaT
    if pd.isna(begin):
        faults.append(f"row {row}: 수집년월 is {values.get('수집년월', '')[:20]!r}; needs year and month")
        return []
    interval_s = pd.Timestamp(begin).days_in_month * 86_400.0
    place = _place(values, "교차로명", row, faults)
    return [
        (begin, interval_s, place, side, "all", "all", count(values.get(name, ""), name, row, faults, high=1e9), None)
        for name, side in COMPASS.items()
    ]


MAKERS: dict[str, Callable[[int, Mapping[str, str], list[str]], list[Row]]] = {
    "ggits": _ggits,
    "ggits-approach": _ggits,
    "daejeon": _daejeon,
    "daejeon-sum": _daejeon_sum,
    "sejong": _sejong,
}


def _notes(layout: str, frame: pd.DataFrame) -> list[str]:
    notes = []
    if layout.startswith("daejeon") or layout == "ggits":
        notes.append(
            "right turns are not signalled in Korea and may stand inside through or be missing; U-turns inside left"
        )
    codes = sorted({str(t) for t in frame["turn"] if str(t).startswith("code ")})
    if codes:
        notes.append(f"direction codes whose meaning the file does not say: {', '.join(codes)}")
    gaps = int(frame["veh"].isna().sum())
    if gaps:
        notes.append(f"{gaps} counts are blank: not measured")
    if layout != "sejong":
        return [*notes, "missing cameras are absent rows: no row means unknown, not nobody"]
    totals = frame.groupby(["intersection", "begin"], sort=True)["veh"].sum().reset_index()
    for name, own in totals.groupby("intersection"):
        veh = own["veh"].tolist()
        if len(veh) > 1 and veh[0] < FEW * veh[1]:
            notes.append(f"{name}: its first month has {veh[0]:g} vehicles, the next {veh[1]:g}: collected in part")
    return notes


PLACE_COLUMNS = ("intersection", "approach", "turn", "from_link", "to_link")


def read_places(path: Path | str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Which turn of which approach goes from which link to which: CSV intersection,approach,turn,from_link,to_link.

    Raises
    ------
    DemandError
        Missing columns, blank names, a place that is there twice.
    """
    names, rows = read_rows(path)
    missing = [name for name in PLACE_COLUMNS if name not in names]
    if missing:
        raise DemandError(
            str(path), f"row 1: lacks the columns {', '.join(missing)}; needed: {','.join(PLACE_COLUMNS)}"
        )
    faults: list[str] = []
    out: dict[tuple[str, str, str], tuple[str, str]] = {}
    for row, values in rows:
        key = (values["intersection"], values["approach"], values["turn"])
        if not all((*key, values["from_link"])):
            faults.append(f"row {row}: intersection, approach, turn and from_link have to be there; fill them in")
        if key in out:
            faults.append(f"row {row}: {' / '.join(key)} is there twice; keep one")
        out[key] = (values["from_link"], values.get("to_link", ""))
    if faults:
        raise DemandError(str(path), capped(faults))
    return out


def place_turns(
    counts: TurnCounts, places: Mapping[tuple[str, str, str], tuple[str, str]]
) -> tuple[pd.DataFrame, list[str]]:
    """Counts as turns of a network.

    Parameters
    ----------
    counts : TurnCounts
        Of any layout.
    places : mapping
        (intersection, approach, turn) → (from link, to link); an empty to link takes all turns of an approach.

    Returns
    -------
    tuple of DataFrame, list of str
        date, from_link, to_link, begin_s, end_s, veh; and what has no place.
    """
    rows = []
    lost: dict[tuple[str, str, str], float] = {}
    for begin, interval_s, *place, _, veh, _ in counts.frame.itertuples(index=False):
        key = (str(place[0]), str(place[1]), str(place[2]))
        if pd.isna(veh):
            continue
        if key not in places:
            lost[key] = lost.get(key, 0.0) + float(veh)
            continue
        midnight = begin.normalize()
        start_s = (begin - midnight).total_seconds()
        rows.append((midnight.date(), *places[key], start_s, start_s + float(interval_s), float(veh)))
    keys = ["date", "from_link", "to_link", "begin_s", "end_s"]
    frame = pd.DataFrame(rows, columns=[*keys, "veh"]).groupby(keys, sort=False).sum().reset_index()
    return frame, [f"{' / '.join(key)}: {veh:g} vehicles have no place" for key, veh in lost.items()]
