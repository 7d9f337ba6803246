"""Detector counts of one or many days, as a tidy table that says what was read, used and refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from network_data.counting import clock
from network_data.detectors import Detector
from network_data.errors import DemandError
from network_data.tables import Table, capped, name_rows, need_columns, numbers, read_table, texts

BOOL = NDArray[np.bool_]
DAY_S = 86_400.0
EXAMPLE = "detector,begin_s,end_s,veh[,occupancy_pct,speed_mps] or detector,begin,end,veh,… in ISO 8601"
COLUMNS = ("detector", "day", "begin_s", "end_s", "veh", "occupancy_pct", "speed_mps")
WORDS = {"weekday": {0, 1, 2, 3, 4}, "sat": {5}, "sun": {6}, "all": set(range(7))}


@dataclass(frozen=True, eq=False)
class CountTable:
    """Counts per detector and interval.

    `frame` has the columns detector (category), day (datetime64, NaT for a day without date), begin_s and end_s (local
    clock, seconds after midnight), veh (vehicles in the interval, NaN where missing), occupancy_pct and speed_mps (NaN
    where unknown). `notes` say what was read, used and refused, and why.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def days(self) -> list[date | None]:
        """The days it holds, in order; None for counts without a date."""
        days = [None if pd.isna(day) else pd.Timestamp(day).date() for day in self.frame["day"].unique()]
        return sorted(days, key=lambda day: day or date.min)

    @property
    def interval_s(self) -> float:
        """Length of the most frequent interval. [s]"""
        lengths, n = np.unique((self.frame["end_s"] - self.frame["begin_s"]).to_numpy(), return_counts=True)
        return float(lengths[np.argmax(n)]) if len(n) else 300.0


def read_counts(path: Path | str, detectors: tuple[Detector, ...]) -> CountTable:
    """Read counts: CSV, CSV.gz or parquet, of one undated day or of many dated ones.

    Numbers that are no possible count but can be read (nan, inf, negative, absurdly large) stay for the quality check,
    nan and inf as missing; the notes name their rows.

    Raises
    ------
    DemandError
        Every row that cannot be read: text where a number or time belongs, fields missing, ends before begins.
    """
    table = read_table(path)
    dated = "begin_s" not in table.columns and "begin" in table.columns
    need_columns(path, table, ("detector", *(("begin", "end") if dated else ("begin_s", "end_s")), "veh"), EXAMPLE)
    faults = list(table.faults)
    notes: list[str] = []
    frame = pd.DataFrame({"detector": texts(table.columns["detector"])})
    if dated:
        times = clock.local_times(texts(table.columns["begin"]), texts(table.columns["end"]), table.row)
        faults += times.faults
        notes += times.notes
        frame["day"], frame["begin_s"], frame["end_s"] = times.day, times.begin_s, times.end_s
    else:
        frame["day"] = np.full(len(table), np.datetime64("NaT", "s"))
        frame["begin_s"] = _column(table, "begin_s", faults, None)
        frame["end_s"] = _column(table, "end_s", faults, None)
        faults += _time_faults(frame, table.row)
    for name in ("veh", "occupancy_pct", "speed_mps"):
        present = name in table.columns
        frame[name] = _column(table, name, faults, notes) if present else np.full(len(table), np.nan)
    if faults:
        raise DemandError(str(path), capped(faults, "faults of this kind"))
    keep = times.keep if dated else np.ones(len(table), dtype=bool)
    return _known(path, frame[list(COLUMNS)], keep, detectors, table, notes)


def _column(table: Table, name: str, faults: list[str], notes: list[str] | None) -> NDArray[np.float64]:
    """A column of numbers; text is a fault, nan and inf are noted (or a fault where `notes` is None)."""
    value, not_number, not_finite = numbers(table.columns[name])
    column = table.columns[name]
    faults += [
        f"row {table.row[i]}: {name} is {str(column[i])[:40]!r}; needs a plain number"
        for i in np.flatnonzero(not_number)
    ]
    if notes is None:
        blank = np.isnan(value) & ~not_number
        faults += [
            f"row {table.row[i]}: {name} is {str(column[i])[:40]!r}; needs seconds" for i in np.flatnonzero(blank)
        ]
    elif not_finite.any():
        notes.append(f"{name} is nan or inf in rows {name_rows(table.row[not_finite])}: taken as missing")
    return value


def _time_faults(frame: pd.DataFrame, row: NDArray[np.int64]) -> list[str]:
    begin_s, end_s = frame["begin_s"].to_numpy(), frame["end_s"].to_numpy()
    bad = (end_s <= begin_s) | (begin_s < 0) | (begin_s >= DAY_S) | (end_s > 2 * DAY_S)
    return [
        f"row {row[i]}: the interval is {begin_s[i]:g} to {end_s[i]:g} s; "
        "needs 0 <= begin_s < end_s, begin_s within the day"
        for i in np.flatnonzero(bad)
    ]


def _known(
    path: Path | str, frame: pd.DataFrame, keep: BOOL, detectors: tuple[Detector, ...], table: Table, notes: list[str]
) -> CountTable:
    """Leave out unknown detectors, rows outside the clock and double rows; say all of it."""
    known = {d.id for d in detectors}
    names = frame["detector"].cat.categories
    unknown = [name for name in names if name not in known]
    of_known = ~frame["detector"].cat.codes.isin(np.flatnonzero(names.isin(unknown))).to_numpy()
    if unknown:
        listed = capped([repr(name) for name in unknown], "of them")
        notes.append(f"{int((~of_known).sum())} rows of {len(unknown)} unknown detectors not used: {', '.join(listed)}")
    if not (keep & of_known).any():
        raise DemandError(
            str(path),
            "holds no count of any known detector; give the counts that belong to the detectors (names must be equal)",
        )
    frame, row = frame[keep & of_known], table.row[keep & of_known]
    frame, row = _without_doubles(frame, row, notes)
    notes += _odd_values(frame, row)
    frame = frame.assign(detector=frame["detector"].cat.remove_unused_categories()).reset_index(drop=True)
    silent = sorted(known - set(frame["detector"].cat.categories))
    if silent:
        notes.append(
            f"{len(silent)} detectors have no counts: {', '.join(capped([repr(s) for s in silent], 'of them'))}"
        )
    notes.insert(0, f"{len(table)} rows read, {len(frame)} used, {len(table) - len(frame)} not used")
    return CountTable(frame, tuple(notes))


def _without_doubles(
    frame: pd.DataFrame, row: NDArray[np.int64], notes: list[str]
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    again, said = clock.repeated_hours(frame)
    notes += said
    frame, row = frame[~again], row[~again]
    double = frame.duplicated(["detector", "day", "begin_s"], keep="last").to_numpy()
    if double.any():
        notes.append(
            f"{int(double.sum())} rows come again for the same detector and time, the last one counts: "
            f"rows {name_rows(row[double])} not used"
        )
    return frame[~double], row[~double]


def _odd_values(frame: pd.DataFrame, row: NDArray[np.int64]) -> list[str]:
    veh = frame["veh"].to_numpy()
    length_s = (frame["end_s"] - frame["begin_s"]).to_numpy()
    out = []
    for what, bad in (("negative", veh < 0), ("more than one vehicle a second", veh > np.maximum(length_s, 1.0))):
        if bad.any():
            out.append(f"veh is {what} in rows {name_rows(row[bad])}: left to the quality check")
    lengths, n = np.unique(np.round(length_s, 1), return_counts=True)
    if len(lengths) > 1:
        usual_s = lengths[np.argmax(n)]
        odd = ~np.isclose(length_s, usual_s, atol=0.5)
        out.append(f"intervals are {usual_s:g} s long; rows of another length are not used: rows {name_rows(row[odd])}")
    if np.isnan(veh).any():
        out.append(f"veh is missing in {int(np.isnan(veh).sum())} rows")
    return out


def select_days(counts: CountTable, days: str | None) -> list[tuple[str, CountTable]]:
    """Split into single days: `weekday|sat|sun|all|DATE[..DATE]`, by default weekdays; an undated day stands alone.

    Returns
    -------
    list of (label, CountTable)
        In order of date; the label is the ISO date, or empty for a day without date.

    Raises
    ------
    DemandError
        The word is unknown, or no counted day fits it.
    """
    undated = bool(counts.frame["day"].isna().all())
    if undated and days in (None, *WORDS):
        return [("", counts)]
    if undated:
        raise DemandError(
            "--days", f"is {days!r}, but the counts carry no date; leave it out, or give counts with ISO 8601 times"
        )
    day = pd.DatetimeIndex(counts.frame["day"])
    wanted = _wanted(day.unique(), days or "weekday")
    out = []
    for one in wanted:
        part = counts.frame[day == one].reset_index(drop=True)
        out.append((one.date().isoformat(), replace(counts, frame=part)))
    return out


def _wanted(have: pd.DatetimeIndex, days: str) -> list[pd.Timestamp]:
    have = have.sort_values()
    if days in WORDS:
        fitting = [one for one in have if one.weekday() in WORDS[days]]
    else:
        first, _, last = days.partition("..")
        try:
            begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
        except ValueError:
            raise DemandError(
                "--days", f"is {days!r}; use weekday, sat, sun, all, a date 2024-05-14 or 2024-05-13..2024-05-17"
            ) from None
        fitting = [one for one in have if begin <= one.date() <= end]
    if not fitting:
        raise DemandError(
            "--days",
            f"{days!r} fits none of the {len(have)} counted days, {have[0].date()} to {have[-1].date()}; choose others",
        )
    return fitting
