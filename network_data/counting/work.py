"""What the quality rules work on: a block of counts, what was found wrong in it, and what is usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from network_data.counting.block import CountBlock
from network_data.counting.options import QualityLimits

FLOAT = NDArray[np.float64]
FLOAT32 = NDArray[np.float32]
BOOL = NDArray[np.bool_]
INT = NDArray[np.int64]
Code = Literal[
    "missing", "negative", "pulse", "impossible", "stuck", "dead", "level", "drift", "swapped", "time_zone",
    "clock_change", "duplicate", "late", "balance",
]  # fmt: skip
CODES: tuple[Code, ...] = get_args(Code)
CHUNK_CELLS = 4_000_000
"""Cells worked on at once where a rule needs arrays of its own."""
HOLIDAY_GAIN = 0.7
"""A working day whose counts differ from those of Sundays by less than this share of what they differ from working days
is a holiday. [-]"""
MAD_TO_SD = 1.4826
LEAST_SPREAD = 0.1
"""Day-to-day spread of a count that is allowed for beside chance, whatever the few days known say. [-]"""


@dataclass(eq=False)
class Usual:
    """What each detector counts on a usual day of each kind: median and robust standard deviation, NaN where unknown.

    `level` is how busy each day was in the whole network. [-]
    """

    kinds: INT  # (N,) kind of each day
    days: tuple[date | None, ...]
    veh: FLOAT32  # (D, kinds, K)
    sd_veh: FLOAT32  # (D, kinds, K)
    level: FLOAT  # (N,)

    def beside(self, n: int) -> tuple[int, int, int]:
        """Kinds of the calendar days before, on and after day n."""
        day, kind = self.days[n], int(self.kinds[n])
        if day is None:
            return kind, kind, kind
        most = int(self.kinds.max())
        before, after = (min(int(kinds_of((day + timedelta(days=d),))[0]), most) for d in (-1, 1))
        return before, kind, after

    def on(self, n: int) -> FLOAT32:
        """Usual counts of the kind of day n, at that day's level, shape (D, K)."""
        return np.asarray(self.veh[:, self.kinds[n]] * np.float32(self.level[n]))


@dataclass(eq=False)
class Work:
    """A block under examination.

    `veh` are the counts so far: NaN where a rule refused one, changed where a rule could undo a fault. `code` numbers
    the first rule that each count broke (0 none; `CODES` from 1), `source` what stands in (0: as read) and `sd_veh`
    the standard error of that. `said` are verdicts on whole days, by code, detector and day.
    """

    block: CountBlock
    limits: QualityLimits
    veh: FLOAT32
    code: NDArray[np.int8]
    source: NDArray[np.int8]
    said: dict[tuple[Code, int, int], str] = field(default_factory=dict)
    usual: Usual | None = None
    sd_veh: FLOAT32 | None = None

    def mark(self, bad: BOOL, code: Code, detectors: slice = slice(None)) -> None:
        """Note the rule where no earlier one was broken; the count is missing from here on."""
        own = self.code[detectors]
        new = bad & (own == 0)
        own[new] = CODES.index(code) + 1
        self.veh[detectors][new] = np.nan

    def refuse_days(self, bad: BOOL, code: Code) -> None:
        """Refuse whole days of detectors, (D, N)."""
        for i in np.flatnonzero(bad.any(axis=1)).tolist():
            self.mark(np.broadcast_to(bad[i][None, :, None], (1, *self.veh.shape[1:])), code, slice(i, i + 1))

    def chunks(self) -> list[slice]:
        """Detectors in pieces small enough for arrays beside the block."""
        n, rest = self.veh.shape[0], max(int(np.prod(self.veh.shape[1:])), 1)
        step = max(1, CHUNK_CELLS // rest)
        return [slice(a, min(a + step, n)) for a in range(0, n, step)]


def work_on(block: CountBlock, limits: QualityLimits) -> Work:
    """A block with nothing found yet."""
    empty = np.zeros(block.veh.shape, dtype=np.int8)
    return Work(block, limits, block.veh.copy(), empty, empty.copy())


def kinds_of(days: tuple[date | None, ...]) -> INT:
    """Kind of each day by the calendar: 0 Monday to Friday (and days without a date), 1 Saturday, 2 Sunday."""
    return np.array([min(max(day.weekday() - 4, 0), 2) if day is not None else 0 for day in days], dtype=np.int64)


def find_usual(work: Work) -> None:
    """Learn what is usual; holidays count as Sundays where their counts look so."""
    kinds = kinds_of(work.block.days)
    counts = np.bincount(kinds, minlength=3)
    least = work.limits.history_days
    if min(counts[1:]) < least <= counts[1] + counts[2]:  # a short history knows weekends only
        kinds = np.minimum(kinds, 1)
    work.usual = _usual(work, kinds)
    if work.usual is not None and (kinds == 0).any() and (kinds == 2).any():
        holidays = _holidays(work, kinds, work.usual)
        if holidays.any():
            work.usual = _usual(work, np.where(holidays, 2, kinds))


def _usual(work: Work, kinds: INT) -> Usual | None:
    n_detector, n_day, n_time = work.veh.shape
    least = work.limits.history_days
    if n_day < least:
        return None
    veh = np.full((n_detector, 3, n_time), np.nan, dtype=np.float32)
    sd_veh = veh.copy()
    for kind in range(3):
        same = np.flatnonzero(kinds == kind)
        if len(same) < least:
            continue
        for part in work.chunks():
            values = work.veh[part][:, same]
            middle = median(values, axis=1, least=least)
            veh[part, kind] = middle
            spread = median(np.abs(values - middle[:, None]), axis=1, least=least)
            chance = (LEAST_SPREAD * middle) ** 2 + np.maximum(middle, 0.0) + 1.0
            sd_veh[part, kind] = np.sqrt((MAD_TO_SD * spread) ** 2 + chance)
    level = np.array([_level(work.veh[:, n], veh[:, kinds[n]]) for n in range(n_day)])
    return Usual(kinds, work.block.days, veh, sd_veh, level)


def _level(veh: FLOAT32, usual: FLOAT32) -> float:
    """How busy a day was: the median over the detectors of counted over usual. [-]"""
    ratio = day_ratio(veh[:, None], usual[:, None])[0][:, 0]
    ratio = ratio[np.isfinite(ratio)]
    value = float(np.median(ratio)) if len(ratio) >= 3 else 1.0
    return value if value > 0 else 1.0


def day_ratio(veh: FLOAT32, usual: FLOAT32) -> tuple[FLOAT, FLOAT]:
    """Counted over usual vehicles of whole days, over the intervals that have both, and the usual ones. (…, K) → (…)

    NaN where fewer than four intervals, or none of the usual vehicles, can be compared.
    """
    both = np.isfinite(veh) & np.isfinite(usual)
    seen = np.where(both, veh, 0.0).sum(axis=-1, dtype=float)
    expected = np.where(both, usual, 0.0).sum(axis=-1, dtype=float)
    enough = (both.sum(axis=-1) >= min(4, veh.shape[-1])) & (expected > 0)
    return np.where(enough, seen / np.maximum(expected, 1e-9), np.nan), expected


def _holidays(work: Work, kinds: INT, usual: Usual) -> BOOL:
    """Working days on which the whole network counts as on Sundays."""
    out = np.zeros(len(kinds), dtype=bool)
    for n in np.flatnonzero(kinds == 0):
        both = np.isfinite(work.veh[:, n]) & np.isfinite(usual.veh[:, 0]) & np.isfinite(usual.veh[:, 2])
        today, working, sunday = (
            np.where(both, x, 0.0).sum(axis=0) for x in (work.veh[:, n], *usual.veh[:, [0, 2]].swapaxes(0, 1))
        )
        out[n] = np.abs(today - sunday).sum() < HOLIDAY_GAIN * np.abs(today - working).sum()
    return out


def median(value: NDArray[np.floating], axis: int, least: int = 1) -> NDArray[np.floating]:
    """Median of the finite values, NaN where there are fewer than `least`."""
    ordered = np.sort(value, axis=axis)
    n = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0) // 2, axis=axis)
    high = np.take_along_axis(ordered, np.minimum(n // 2, ordered.shape[axis] - 1), axis=axis)
    return np.asarray(np.where(n >= least, (low + high) / 2, np.nan).squeeze(axis=axis))


def run_length(flag: BOOL) -> NDArray[np.int16]:
    """Length of the run of set flags along the last axis that each entry, or its successor, belongs to; else 0.

    The entry before a run counts with it: a value that is repeated is as stuck as its repetitions.
    """
    length = np.zeros(flag.shape, dtype=np.int16)
    count = np.zeros(flag.shape[:-1], dtype=np.int16)
    for k in range(flag.shape[-1]):
        count = (count + 1) * flag[..., k]
        length[..., k] = count
    for k in range(flag.shape[-1] - 2, -1, -1):
        goes_on = flag[..., k + 1]
        length[..., k] = np.where(goes_on, np.maximum(length[..., k + 1], length[..., k]), length[..., k])
    return length


def run_sum(flag: BOOL, value: FLOAT32) -> FLOAT32:
    """Sum of the values over the run of set flags along the last axis that each entry belongs to; else 0."""
    total = np.zeros(flag.shape, dtype=np.float32)
    running = np.zeros(flag.shape[:-1], dtype=np.float32)
    for k in range(flag.shape[-1]):
        running = (running + value[..., k]) * flag[..., k]
        total[..., k] = running
    for k in range(flag.shape[-1] - 2, -1, -1):
        total[..., k] = np.where(flag[..., k] & flag[..., k + 1], total[..., k + 1], total[..., k])
    return total
