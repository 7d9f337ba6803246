"""Local clock times of counts: text to day and second after midnight, with the two odd days of the year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from network_data.counting.options import CountLayout

DAY_S = 86_400
HOUR_S = 3_600
EPOCH = datetime(1970, 1, 1)
NO_DAY = np.iinfo(np.int64).min
"""Stands for the day of counts without a date."""
ISO = "ISO 8601 such as 2024-05-14T07:05:00"


@dataclass(frozen=True, eq=False)
class LocalTimes:
    """Distinct intervals of a file on the local clock.

    `day_s` counts from 1970 (`NO_DAY` without a date); `keep` is False in the hour that a clock change repeats.
    `faults` name the interval by its number.
    """

    day_s: NDArray[np.int64]
    begin_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    keep: NDArray[np.bool_]
    faults: list[tuple[int, str]]
    notes: list[str]


class TimeTexts:
    """Reads times as a layout says: their format, and the clock they are on."""

    def __init__(self, layout: CountLayout) -> None:
        self.format = layout.time_format
        self.zone = ZoneInfo(layout.time_zone) if layout.time_zone else None
        self.utc = layout.times_in == "utc"

    def time(self, text: str) -> tuple[float, float]:
        """Second of the wall clock since 1970, and the offset from UTC in seconds (NaN where unknown).

        Raises
        ------
        ValueError
            The text is no date and time of the format; a bare date would silently be midnight.
        """
        if not text.isascii() or (self.format is None and len(text) <= 10):
            raise ValueError(text)
        time = self._read(text)
        if self.utc and time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        if self.zone is not None and time.tzinfo is not None:
            time = time.astimezone(self.zone)
        offset = time.utcoffset()
        wall_s = (time.replace(tzinfo=None) - EPOCH).total_seconds()
        return wall_s, offset.total_seconds() if offset is not None else np.nan

    def day_s(self, text: str) -> float:
        """Midnight of a date (a time after it does no harm), in seconds since 1970.

        Raises
        ------
        ValueError
            The text is no date of the format.
        """
        if not text.isascii():
            raise ValueError(text)
        time = self._read(text)
        return (datetime(time.year, time.month, time.day) - EPOCH).total_seconds()

    def _read(self, text: str) -> datetime:
        """By the format; times that the file holds as times come as ISO 8601 whatever the format."""
        if self.format is not None:
            try:
                return datetime.strptime(text, self.format)
            except ValueError:
                pass
        return datetime.fromisoformat(text)

    @property
    def example(self) -> str:
        """What a time should look like, for errors."""
        return f"the format {self.format}" if self.format else ISO


def local_times(begin: Sequence[str], end: Sequence[str] | None, layout: CountLayout) -> LocalTimes:
    """Intervals from their begins and ends (or their length) as texts.

    Times with an offset go on the clock of the layout's zone, or stay as written without one; offsets tell the true
    length of intervals across a clock change. The hour that comes twice in autumn is dropped, the one missing in spring
    noted: neither can be compared with another day.
    """
    reader = TimeTexts(layout)
    faults: list[tuple[int, str]] = []
    first_s, offset_s = _parsed(begin, "begin", reader, faults)
    if end is None:
        length_s = np.full(len(first_s), layout.interval_s or np.nan)
        if layout.interval_s is None:
            length_s[:] = spacing_s(first_s)
    else:
        last_s, last_offset_s = _parsed(end, "end", reader, faults)
        length_s = _lengths(first_s, offset_s, last_s, last_offset_s)
    for bad, what in ((length_s <= 0, "ends at or before it begins"), (length_s > DAY_S, "lasts longer than a day")):
        faults += [(int(i), f"{what}; correct begin and end") for i in np.flatnonzero(bad)]
    day_s = np.floor(first_s / DAY_S) * DAY_S
    begin_s = first_s - day_s
    whole = np.where(np.isnan(day_s), 0, day_s).astype(np.int64)
    keep, notes = _changes(whole, begin_s, offset_s)
    if len(offset_s) and (offset_s == 0).all() and layout.time_zone is None:
        notes.append(
            "all times are UTC: taken as the local clock; set [counts] time_zone, or write them with the local offset"
        )
    return LocalTimes(whole, begin_s, begin_s + length_s, keep, faults, notes)


def clock_times(
    begin_s: NDArray[np.float64], end_s: NDArray[np.float64] | None, dates: Sequence[str] | None, layout: CountLayout
) -> LocalTimes:
    """Intervals from seconds after midnight, of one day without a date or of the days of `dates`."""
    faults: list[tuple[int, str]] = []
    if end_s is None:
        end_s = begin_s + (layout.interval_s or spacing_s(begin_s))
    bad = ~((begin_s >= 0) & (begin_s < DAY_S) & (begin_s < end_s) & (end_s <= 2 * DAY_S))
    faults += [
        (
            int(i),
            f"the interval is {begin_s[i]:g} to {end_s[i]:g} s; needs 0 <= begin_s < end_s, begin_s within the day",
        )
        for i in np.flatnonzero(bad)
    ]
    day_s = np.full(len(begin_s), NO_DAY)
    if dates is not None:
        reader, known = TimeTexts(layout), dict[str, int]()
        for i, text in enumerate(dates):
            if text not in known:
                try:
                    known[text] = int(reader.day_s(text))
                except ValueError:
                    known[text] = NO_DAY
            if known[text] == NO_DAY:
                faults.append((i, f"date is {text[:40]!r}; needs {reader.example}"))
            day_s[i] = known[text]
    return LocalTimes(day_s, begin_s, end_s, np.ones(len(begin_s), dtype=bool), faults, [])


def spacing_s(begin_s: NDArray[np.float64]) -> float:
    """Most frequent distance between different begins, the length of intervals without an end. [s]"""
    steps = np.diff(np.unique(begin_s[np.isfinite(begin_s)]))
    values, n = np.unique(steps[steps > 0], return_counts=True)
    return float(values[np.argmax(n)]) if len(n) else float(HOUR_S)


def change_days(zone: str, first: date, last: date) -> dict[date, float]:
    """Days between two dates on which the clocks of a zone change, and by how much. [s, > 0: forward]"""
    info, out, day = ZoneInfo(zone), {}, first
    while day <= last:
        here = datetime(day.year, day.month, day.day, tzinfo=info).utcoffset() or timedelta()
        day += timedelta(days=1)
        then = datetime(day.year, day.month, day.day, tzinfo=info).utcoffset() or timedelta()
        if here != then:
            out[day - timedelta(days=1)] = (then - here).total_seconds()
    return out


def change_at_s(zone: str, day: date) -> float:
    """Second after midnight, on the clock before it, at which the clocks change that day."""
    info = ZoneInfo(zone)
    before = datetime(day.year, day.month, day.day, tzinfo=info).utcoffset()
    for quarter in range(97):
        now = datetime(day.year, day.month, day.day, tzinfo=info).astimezone(UTC) + timedelta(minutes=15 * quarter)
        if now.astimezone(info).utcoffset() != before:
            return quarter * 900.0
    return float(DAY_S)


def clock(second: float) -> str:
    """`07:05` from seconds after midnight."""
    return f"{int(second) // HOUR_S:02d}:{int(second) % HOUR_S // 60:02d}"


def _parsed(
    texts: Sequence[str], name: str, reader: TimeTexts, faults: list[tuple[int, str]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wall clock and offset of each text; the same text is read once."""
    known: dict[str, tuple[float, float]] = {}
    wall_s, offset_s = np.full(len(texts), np.nan), np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if text not in known:
            try:
                known[text] = reader.time(text)
            except (ValueError, OverflowError):
                known[text] = (np.nan, np.nan)
        wall_s[i], offset_s[i] = known[text]
        if np.isnan(wall_s[i]):
            faults.append((i, f"{name} is {text[:40]!r}; needs {reader.example}"))
    return wall_s, offset_s


def _lengths(
    first_s: NDArray[np.float64],
    first_offset_s: NDArray[np.float64],
    last_s: NDArray[np.float64],
    last_offset_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """True lengths: by the offsets where there are some, else an hour too much or too little is a clock change."""
    length_s = last_s - first_s
    both = ~np.isnan(first_offset_s) & ~np.isnan(last_offset_s)
    length_s = np.where(both, length_s - (last_offset_s - first_offset_s), length_s)
    usual_s = _usual(length_s)
    across = ~both & np.isin(length_s - usual_s, (HOUR_S, -HOUR_S))
    return np.where(across, usual_s, length_s)


def _usual(length_s: NDArray[np.float64]) -> float:
    values, n = np.unique(length_s[np.isfinite(length_s) & (length_s > 0)], return_counts=True)
    return float(values[np.argmax(n)]) if len(n) else 0.0


def _changes(
    day_s: NDArray[np.int64], begin_s: NDArray[np.float64], offset_s: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Find days on which the offset from UTC changes; drop the hour that came twice."""
    keep = np.ones(len(day_s), dtype=bool)
    notes: list[str] = []
    known = ~np.isnan(offset_s)
    if len(np.unique(offset_s[known])) < 2:
        return keep, notes
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
                    f"{label}: clocks go back; the hour from {clock(begin_s[again].min())} comes twice and is dropped"
                )
        else:
            notes.append(f"{label}: clocks go forward; there is an hour missing after {clock(begin_s[winter].max())}")
    return keep, notes
