"""Counts of many days as one block of numbers: detectors by days by intervals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FLOAT = NDArray[np.float64]
FLOAT32 = NDArray[np.float32]
BOOL = NDArray[np.bool_]
INT = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTally:
    """What became of the rows of the files: `read` are `used` plus the refused ones, by reason."""

    read: int = 0
    used: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """In one line, for people."""
        n = self.read - self.used
        why = ", ".join(f"{count} {reason}" for reason, count in self.refused.items() if count)
        return f"{self.read} rows read, {self.used} used, {n} not used" + (f" ({why})" if why else "")


@dataclass(frozen=True, eq=False)
class RowFinding:
    """Rows of one detector and day that are there twice, came late, or lie in an hour that comes twice."""

    code: str
    detector: int
    day: int
    begin_s: float
    end_s: float
    rows: tuple[int, ...]
    n_row: int
    text: str


@dataclass(frozen=True, eq=False)
class CountBlock:
    """Counts of D detectors on N days in K intervals of equal length.

    `veh` counts per interval, NaN where there is none; `occupancy_pct` and `speed_mps` are None where the file has no
    such column. `row` is the row of the file (0 where there is no row); several files are numbered on, see `files`.
    `days` are None for counts without a date. `lanes` are the lanes under each detector.
    """

    detectors: tuple[str, ...]
    days: tuple[date | None, ...]
    begin_s: FLOAT  # (K,)
    interval_s: float
    veh: FLOAT32  # (D, N, K)
    occupancy_pct: FLOAT32 | None
    speed_mps: FLOAT32 | None
    row: NDArray[np.int32]  # (D, N, K)
    lanes: INT  # (D,)
    tally: RowTally = field(default_factory=RowTally)
    found: tuple[RowFinding, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    """Name of each file and how many rows come before its own."""

    @property
    def end_s(self) -> FLOAT:
        """Ends of the intervals, second after midnight, shape (K,)."""
        return self.begin_s + self.interval_s

    def on(self, days: list[int]) -> CountBlock:
        """The block of some of its days, in the given order."""
        at = {n: k for k, n in enumerate(days)}
        found = tuple(replace(one, day=at[one.day]) for one in self.found if one.day in at)
        pick = np.asarray(days, dtype=np.int64)
        return replace(
            self,
            days=tuple(self.days[n] for n in days),
            veh=self.veh[:, pick],
            occupancy_pct=None if self.occupancy_pct is None else self.occupancy_pct[:, pick],
            speed_mps=None if self.speed_mps is None else self.speed_mps[:, pick],
            row=self.row[:, pick],
            found=found,
        )

    def between(self, begin_s: float, end_s: float) -> slice:
        """The intervals that touch a period."""
        inside = np.flatnonzero((self.begin_s < end_s) & (self.end_s > begin_s))
        return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)

    def during(self, intervals: slice) -> CountBlock:
        """The block of some of its intervals."""
        cut = (slice(None), slice(None), intervals)
        return replace(
            self,
            begin_s=self.begin_s[intervals],
            veh=self.veh[cut],
            occupancy_pct=None if self.occupancy_pct is None else self.occupancy_pct[cut],
            speed_mps=None if self.speed_mps is None else self.speed_mps[cut],
            row=self.row[cut],
        )

    def frame(self, n: int | None = None, repaired: BOOL | None = None) -> pd.DataFrame:
        """One day (or all) as a tidy table: detector, day, begin_s, end_s, veh, occupancy_pct, speed_mps[, repaired].

        Without `repaired` only what was read has a row; with it (D, N, K) every detector and interval has one.
        """
        days = range(len(self.days)) if n is None else [n]
        parts = [self._frame(k, repaired) for k in days]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _frame(self, n: int, repaired: BOOL | None) -> pd.DataFrame:
        keep = np.ones(self.row[:, n].shape, dtype=bool) if repaired is not None else self.row[:, n] > 0
        i, k = np.nonzero(keep)
        day = self.days[n]
        columns: dict[str, object] = {
            "detector": pd.Categorical.from_codes(
                i.astype(np.int32), categories=pd.Index(self.detectors, dtype=object)
            ),
            "day": np.full(len(i), np.datetime64("NaT" if day is None else day, "s")),
            "begin_s": self.begin_s[k],
            "end_s": self.begin_s[k] + self.interval_s,
            "veh": self.veh[i, n, k].astype(float),
        }
        for name, value in (("occupancy_pct", self.occupancy_pct), ("speed_mps", self.speed_mps)):
            columns[name] = np.full(len(i), np.nan) if value is None else value[i, n, k].astype(float)
        if repaired is not None:
            columns["repaired"] = repaired[i, n, k]
        return pd.DataFrame(columns)

    def place(self, row: int) -> str:
        """`row 17`, or `file.csv row 17` where there are several files."""
        name, before = self.files[0] if self.files else ("", 0)
        for later, rows_before in self.files:
            if row > rows_before + 1:
                name, before = later, rows_before
        return f"row {row}" if len(self.files) < 2 else f"{name} row {row - before}"
