"""Detector counts of one or many days, as a tidy table that says what was read, used and refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from network_data.counting.block import CountBlock, RowTally
from network_data.counting.options import CountLayout
from network_data.counting.reader import read_block
from network_data.detectors import Detector
from network_data.errors import DemandError

WORDS = {"weekday": {0, 1, 2, 3, 4}, "sat": {5}, "sun": {6}, "all": set(range(7))}


@dataclass(frozen=True, eq=False)
class CountTable:
    """Counts per detector and interval.

    `frame` has the columns detector (category), day (datetime64, NaT for a day without date), begin_s and end_s (local
    clock, seconds after midnight), veh (vehicles in the interval, NaN where missing), occupancy_pct and speed_mps (NaN
    where unknown). `notes` and `tally` say what was read, used and refused, and why.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    tally: RowTally = field(default_factory=RowTally)

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


def read_counts(path: Path | str, detectors: tuple[Detector, ...], layout: CountLayout | None = None) -> CountTable:
    """Read counts of known detectors: CSV, CSV.gz or parquet, of one undated day or of many dated ones.

    See `read_block` for layouts and errors; this is its block as a table.
    """
    block = read_block([path], layout, frozenset(d.id for d in detectors))
    return CountTable(block.frame(), block.notes, block.tally)


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
    have = counts.days
    day = counts.frame["day"].to_numpy().astype("datetime64[D]")
    out = []
    for n in chosen_days(have, days):
        one = have[n]
        part = np.isnat(day) if one is None else day == np.datetime64(one)
        frame = counts.frame if part.all() else counts.frame[part].reset_index(drop=True)
        out.append((label_of(one), replace(counts, frame=frame)))
    return out


def select_block(block: CountBlock, days: str | None) -> CountBlock:
    """The block of the days that `days` asks for, in order of date; see `select_days`."""
    return block.on(chosen_days(block.days, days))


def label_of(day: date | None) -> str:
    """The ISO date, or empty for a day without date."""
    return day.isoformat() if day is not None else ""


def chosen_days(have: Sequence[date | None], days: str | None) -> list[int]:
    """Which of the days a word or dates ask for, in order of date; see `select_days`."""
    dated = [(day, n) for n, day in enumerate(have) if day is not None]
    if not dated:
        if days not in (None, *WORDS):
            raise DemandError(
                "--days", f"is {days!r}, but the counts carry no date; leave it out, or give counts with ISO 8601 times"
            )
        return list(range(len(have)))
    dated.sort()
    days = days or "weekday"
    if days in WORDS:
        fitting = [n for day, n in dated if day.weekday() in WORDS[days]]
    else:
        first, _, last = days.partition("..")
        try:
            begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
        except ValueError:
            raise DemandError(
                "--days", f"is {days!r}; use weekday, sat, sun, all, a date 2024-05-14 or 2024-05-13..2024-05-17"
            ) from None
        fitting = [n for day, n in dated if begin <= day <= end]
    if not fitting:
        raise DemandError(
            "--days",
            f"{days!r} fits none of the {len(dated)} counted days, {dated[0][0]} to {dated[-1][0]}; choose others",
        )
    return fitting
