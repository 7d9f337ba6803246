"""Local clock times of counts: ISO 8601 text to day and second after midnight, with the two odd days of the year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from network_data.tables import name_rows

DAY_S = 86_400
HOUR_S = 3_600


@dataclass(frozen=True, eq=False)
class LocalTimes:
    """Times per row; `keep` is False in the repeated hour of a clock change."""

    day: NDArray[np.datetime64]
    begin_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    keep: NDArray[np.bool_]
    faults: list[str]
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Parsed:
    """Distinct times of a column: seconds of the wall clock since 1970, offset from UTC (NaN if none)."""

    wall_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    faults: list[str]


def _parse(column: pd.Categorical, row: NDArray[np.int64], name: str) -> _Parsed:
    texts = column.categories
    wall_s, offset_s = np.full(len(texts), np.nan), np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        try:
            # the length asks for a time of day: a bare date would silently be midnight
            time = datetime.fromisoformat(text) if text.isascii() and len(text) > 10 else None
        except ValueError:
            time = None
        if time is not None:
            wall_s[i] = (time.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
            offset = time.utcoffset()
            offset_s[i] = offset.total_seconds() if offset is not None else np.nan
    codes = np.asarray(column.codes)
    bad = np.flatnonzero(np.isnan(wall_s)[codes])
    faults = [
        f"row {row[i]}: {name} is {texts[codes[i]][:40]!r}; needs ISO 8601 such as 2024-05-14T07:05:00" for i in bad
    ]
    return _Parsed(wall_s[codes], offset_s[codes], faults)


def local_times(begin: pd.Categorical, end: pd.Categorical, row: NDArray[np.int64]) -> LocalTimes:
    """Times on the local clock as written; offsets from UTC tell the true length of intervals across a clock change.

    The hour that comes twice in autumn is dropped, the one missing in spring noted: neither can be compared with
    another day.
    """
    first, last = _parse(begin, row, "begin"), _parse(end, row, "end")
    length_s = last.wall_s - first.wall_s
    both = ~np.isnan(first.offset_s) & ~np.isnan(last.offset_s)
    length_s = np.where(both, length_s - (last.offset_s - first.offset_s), length_s)
    usual_s = _usual(length_s)
    across = ~both & np.isin(length_s - usual_s, (HOUR_S, -HOUR_S))
    length_s = np.where(across, usual_s, length_s)
    faults = [*first.faults, *last.faults]
    for bad, what in ((length_s <= 0, "ends at or before it begins"), (length_s > DAY_S, "lasts longer than a day")):
        faults += [f"row {row[i]}: {what}; correct begin and end" for i in np.flatnonzero(bad)]
    day_s = np.floor(first.wall_s / DAY_S) * DAY_S
    begin_s = first.wall_s - day_s
    whole = np.where(np.isnan(day_s), 0, day_s).astype(np.int64)
    keep, notes = _changes(whole, begin_s, first.offset_s, row)
    if len(row) and (first.offset_s == 0).all():
        notes.append(
            "all times are UTC: taken as the local clock; write them with the local offset where that is wrong"
        )
    return LocalTimes(whole.astype("datetime64[s]"), begin_s, begin_s + length_s, keep, faults, notes)


def _usual(length_s: NDArray[np.float64]) -> float:
    values, n = np.unique(length_s[np.isfinite(length_s) & (length_s > 0)], return_counts=True)
    return float(values[np.argmax(n)]) if len(n) else 0.0


def _changes(
    day_s: NDArray[np.int64], begin_s: NDArray[np.float64], offset_s: NDArray[np.float64], row: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Find days on which the offset from UTC changes; drop the hour that came twice."""
    keep = np.ones(len(day_s), dtype=bool)
    notes: list[str] = []
    known = ~np.isnan(offset_s)
    for one in np.unique(day_s[known]):
        today = known & (day_s == one)
        offsets = np.unique(offset_s[today])
        if len(offsets) < 2:
            continue
        label = np.datetime64(int(one), "s").astype("datetime64[D]")
        summer, winter = today & (offset_s == offsets[-1]), today & (offset_s == offsets[0])
        if begin_s[summer].min() < begin_s[winter].min():  # autumn: summer time first, its last hour comes again
            again = today & (begin_s >= begin_s[winter].min()) & (begin_s <= begin_s[summer].max())
            keep &= ~again
            if again.any():
                notes.append(
                    f"{label}: clocks go back; the hour that comes twice is dropped, rows {name_rows(row[again])}"
                )
        else:
            hole_s = begin_s[winter].max()
            notes.append(f"{label}: clocks go forward; there is an hour missing after {_clock(hole_s)}")
    return keep, notes


def repeated_hours(frame: pd.DataFrame) -> tuple[NDArray[np.bool_], list[str]]:
    """Rows of an hour that comes twice although no offset from UTC says so.

    A clock change shows as one clock hour of a day in which at least half of that day's detectors have every interval
    twice while no other hour of the day has any.
    """
    rows = np.zeros(len(frame), dtype=bool)
    double = frame.duplicated(["detector", "day", "begin_s"], keep=False).to_numpy()
    notes: list[str] = []
    day, hour = frame["day"].to_numpy(), (frame["begin_s"] // HOUR_S).to_numpy()
    for one in np.unique(day[double & ~np.isnat(day)]):
        today = day == one
        hours = np.unique(hour[today & double])
        detectors = frame["detector"].cat.codes.to_numpy()
        share = len(np.unique(detectors[today & double])) / max(len(np.unique(detectors[today])), 1)
        if len(hours) == 1 and share >= 0.5 and double[today & (hour == hours[0])].mean() >= 0.5:
            rows |= today & (hour == hours[0])
            label = np.datetime64(one, "D")
            notes.append(
                f"{label}: the hour from {_clock(hours[0] * HOUR_S)} comes twice (clocks go back); it is dropped"
            )
    return rows, notes


def _clock(second: float) -> str:
    return f"{int(second) // HOUR_S:02d}:{int(second) % HOUR_S // 60:02d}"
