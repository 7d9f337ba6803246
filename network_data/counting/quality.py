"""What is wrong with counts, detector by detector and day by day, and what stands in for what is wrong.

Nothing is dropped silently: every verdict names its rule, the intervals and what was put in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from network_data.counting.count_days import DayBlock, day_block, kinds_of, median, run_length, sections_of
from network_data.counting.counts import CountTable
from network_data.counting.repair import repair
from network_data.detectors import Detector
from network_data.network import RoadNetwork

FLOAT = NDArray[np.float64]
BOOL = NDArray[np.bool_]
Code = Literal["missing", "negative", "impossible", "stuck", "dead", "level", "drift", "swapped"]

LEAST_HEADWAY_S = 1.5
"""No lane passes more than a vehicle in so many seconds for long. [s]"""
CLUMP_VEH = 3.0
STUCK_FROM_VEH = 2.0
STUCK_CHANCE = 1e-9
"""A count is stuck if traffic would repeat it so often with no more than this chance; at least STUCK_RUN times. [-]"""
STUCK_RUN = 4
DEAD_EXPECTED_VEH = 60.0
"""No vehicle while so many were to be expected: dead. Traffic comes in clumps, so 60 weigh like some ten independent
ones. [veh]"""
USUAL_SHARE = 0.3
"""A loop whose usual day is below this share of its best day may be dead on most days. [-]"""
LEAST_VPH = 10.0
"""Levels of loops with less traffic say nothing. [veh/h]"""
LEVEL_LOW, LEVEL_HIGH = 0.4, 2.5
"""A day's total beyond these multiples of the loop's usual day is a level break. [-]"""
DRIFT = 0.15
"""Change over all days beyond which a steady trend against all other loops is drift. [-]"""
DRIFT_CERTAINTY = 4.2
"""How many standard errors the trend must be from none. [-]"""
DRIFT_DAYS = 6
SWAP_FROM = 1.3
"""Neighbouring lanes must usually differ by such a factor for a swap to show. [-]"""
SWAP_LEAST_VEH = 100.0
SWAP_MOST_DAYS = 0.6
"""So many of the days must agree which lane carries more. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule that one detector broke on one day.

    `n_interval` intervals from `begin_s` to `end_s` are concerned, of which `n_repaired` got a stand-in (`repair` says
    from where); the rest counts as missing.
    """

    detector: str
    day: date | None
    code: Code
    n_interval: int
    begin_s: float
    end_s: float
    n_repaired: int
    repair: str
    text: str


CODES: tuple[Code, ...] = ("missing", "negative", "impossible", "stuck", "dead", "level", "drift", "swapped")
SOURCES = (
    "",
    "other days",
    "loops of the same link",
    "the intervals around it",
    "its own earlier level",
    "its neighbour",
)


def check_counts(counts: CountTable, detectors: tuple[Detector, ...], network: RoadNetwork) -> tuple[Verdict, ...]:
    """Verdicts on one day's counts; rules that need other days keep silent."""
    return prepare_days([("", counts)], detectors, network)[1]


def prepare_days(
    day_tables: list[tuple[str, CountTable]], detectors: tuple[Detector, ...], network: RoadNetwork
) -> tuple[list[tuple[str, CountTable]], tuple[Verdict, ...]]:
    """Check days against the rules and against each other, and repair them.

    Parameters
    ----------
    day_tables : list of (label, CountTable)
        As `select_days` gives them.

    Returns
    -------
    day_tables : list of (label, CountTable)
        The same days; `frame` has a further column `repaired`, and a row for every detector and interval. What could
        not be repaired is NaN.
    verdicts : tuple of Verdict
    """
    days = day_block(day_tables)
    sections = sections_of(detectors, network, days)
    _check_values(days)
    _check_runs(days)
    if len(days.days) > 1:
        _check_swapped(days, sections)
        _check_days(days)
    repair(days, sections)
    tables = [(label, _table(days, n, table)) for n, (label, table) in enumerate(day_tables)]
    return tables, tuple(_verdicts(days))


def _mark(days: DayBlock, bad: BOOL, code: Code) -> None:
    """Note the rule where no earlier one was broken; the value counts as missing from here on."""
    new = bad & (days.code == 0)
    days.code[new] = CODES.index(code) + 1
    days.veh[new] = np.nan


def _check_values(days: DayBlock) -> None:
    most = days.interval_s / LEAST_HEADWAY_S + CLUMP_VEH
    _mark(days, np.isnan(days.veh), "missing")
    _mark(days, days.veh < 0, "negative")
    _mark(days, days.veh > most, "impossible")


def _check_runs(days: DayBlock) -> None:
    """Counts that stay the same, and silence where traffic usually is."""
    same = np.diff(days.veh, axis=2, prepend=np.nan) == 0
    # Poisson counts of mean v repeat a value near v with a chance of about 1 / sqrt(4 pi v)
    veh = np.maximum(np.nan_to_num(days.veh), STUCK_FROM_VEH)
    least = np.maximum(np.ceil(-np.log(STUCK_CHANCE) / np.log(np.sqrt(4 * np.pi * veh))), STUCK_RUN)
    _mark(days, (run_length(same) + 1 >= least) & (days.veh >= STUCK_FROM_VEH), "stuck")
    expected = _expected(days)
    silent = days.veh == 0
    _mark(days, silent & (_run_sum(silent, expected) >= DEAD_EXPECTED_VEH), "dead")


def _expected(days: DayBlock) -> FLOAT:
    """What a working loop would count: what is usual at that time, or its best day's level. Shape (D, 1, K)."""
    seen = np.isfinite(days.veh)
    by_day = np.where(seen, days.veh, 0.0).sum(axis=2) / np.maximum(seen.sum(axis=2), 1)
    by_time = np.where(seen, days.veh, 0.0).sum(axis=(0, 1)) / np.maximum(seen.sum(axis=(0, 1)), 1)
    shape = by_time / max(float(by_time.mean()), 1e-9)
    best = by_day.max(axis=1)[:, None] * shape[None, :]
    usual = np.nan_to_num(median(days.veh, axis=1))
    alive = usual.sum(axis=1) >= USUAL_SHARE * best.sum(axis=1)
    return np.asarray(np.where(alive[:, None], np.minimum(usual, best), best)[:, None, :])


def _run_sum(flag: BOOL, value: FLOAT) -> FLOAT:
    """Sum of the values over the run of set flags along the last axis that each entry belongs to; else 0."""
    total = np.zeros(flag.shape)
    running = np.zeros(flag.shape[:-1])
    for k in range(flag.shape[-1]):
        running = (running + value[..., k]) * flag[..., k]
        total[..., k] = running
    for k in range(flag.shape[-1] - 2, -1, -1):
        total[..., k] = np.where(flag[..., k] & flag[..., k + 1], total[..., k + 1], total[..., k])
    return total


def _day_levels(days: DayBlock) -> FLOAT:
    """Each detector's day as a multiple of its usual day, relative to all others' that day, shape (D, N). [-]"""
    kinds = kinds_of(days)
    usual = np.full(days.veh.shape, np.nan)
    for kind in np.unique(kinds):
        same = np.flatnonzero(kinds == kind)
        usual[:, same] = median(days.veh[:, same], axis=1)[:, None, :]
    both = np.isfinite(days.veh) & np.isfinite(usual)
    seen = np.where(both, days.veh, 0.0).sum(axis=2)
    expected = np.where(both, usual, 0.0).sum(axis=2)
    level = np.where((expected > 0) & (both.sum(axis=2) >= 4), seen / np.maximum(expected, 1e-9), np.nan)
    network_level = median(level, axis=0)
    return level / np.where(network_level > 0, network_level, 1.0)[None, :]


def _check_days(days: DayBlock) -> None:
    """Days on which a loop's level breaks, and loops that drift away from all others."""
    level = _day_levels(days)
    usual_vph = median(days.veh.reshape(len(days.detectors), -1), axis=1) * 3600 / days.interval_s
    odd = ((level < LEVEL_LOW) | (level > LEVEL_HIGH)) & (usual_vph >= LEAST_VPH)[:, None]
    _mark(days, np.broadcast_to(odd[:, :, None], days.veh.shape), "level")
    for i in np.flatnonzero(np.isfinite(level).sum(axis=1) >= DRIFT_DAYS).tolist():
        at = np.flatnonzero(np.isfinite(level[i]) & ~odd[i])
        if len(at) < DRIFT_DAYS:
            continue
        slope, start = np.polyfit(at, level[i, at], 1)
        trend = start + slope * np.arange(level.shape[1])
        left = float(((level[i, at] - trend[at]) ** 2).sum()) / (len(at) - 2)
        error = np.sqrt(left / float(((at - at.mean()) ** 2).sum()))
        change = abs(slope) * float(at[-1] - at[0])
        if change > DRIFT and abs(slope) > DRIFT_CERTAINTY * error and trend[at].min() > LEVEL_LOW / 2:
            _undo_drift(days, i, at, trend)


def _undo_drift(days: DayBlock, i: int, at: NDArray[np.int64], trend: FLOAT) -> None:
    """Bring a drifting loop back to the level of its first days."""
    for n in at:
        good = np.isfinite(days.veh[i, n])
        days.veh[i, n, good] *= trend[at[0]] / trend[n]
        days.code[i, n, good] = CODES.index("drift") + 1
        days.source[i, n, good] = 4


def _check_swapped(days: DayBlock, sections: list[list[int]]) -> None:
    """Days on which two loops of a cross-section trade places: their usual ratio is turned round."""
    for section in sections:
        for a, b in combinations(section, 2):
            both = np.isfinite(days.veh[a]) & np.isfinite(days.veh[b])
            total = np.where(both, days.veh[[a, b]], 0.0).sum(axis=2) + 1.0
            ratio = np.where(total.sum(axis=0) > SWAP_LEAST_VEH, np.log(total[0] / total[1]), np.nan)
            usual = float(median(ratio, axis=0))
            known = np.isfinite(ratio)
            if not abs(usual) > np.log(SWAP_FROM) or (np.sign(ratio[known]) == np.sign(usual)).mean() < SWAP_MOST_DAYS:
                continue
            for n in np.flatnonzero(np.abs(ratio + usual) < 0.4 * abs(usual)):
                days.veh[[a, b], n] = days.veh[[b, a], n]
                days.code[[a, b], n] = np.where(
                    days.code[[a, b], n] == 0, CODES.index("swapped") + 1, days.code[[a, b], n]
                )
                days.source[[a, b], n] = 5


def _table(days: DayBlock, n: int, table: CountTable) -> CountTable:
    """One repaired day as a count table: every detector and interval has a row."""
    shape = days.veh[:, n].shape
    codes = np.repeat(np.arange(shape[0]), shape[1])
    begin_s = np.tile(days.begin_s, shape[0])
    frame = pd.DataFrame(
        {
            "detector": pd.Categorical.from_codes(codes, categories=pd.Index(days.detectors, dtype=object)),
            "day": table.frame["day"].iloc[0],
            "begin_s": begin_s,
            "end_s": begin_s + days.interval_s,
            "veh": days.veh[:, n].ravel(),
            "repaired": (days.source[:, n] > 0).ravel(),
        }
    )
    rest = table.frame[["detector", "begin_s", "occupancy_pct", "speed_mps"]].astype({"detector": object})
    rest = rest.assign(begin_s=np.round(rest["begin_s"], 3))
    frame = frame.astype({"detector": object}).merge(rest, on=["detector", "begin_s"], how="left")
    frame["detector"] = pd.Categorical(frame["detector"], categories=pd.Index(days.detectors, dtype=object))
    return replace(table, frame=frame)


def _verdicts(days: DayBlock) -> list[Verdict]:
    out = []
    for number, code in enumerate(CODES, start=1):
        where = days.code == number
        for i, n in np.argwhere(where.any(axis=2)):
            at = np.flatnonzero(where[i, n])
            sources = days.source[i, n, at]
            used = sorted({SOURCES[s] for s in sources if s > 0})
            out.append(
                Verdict(
                    detector=days.detectors[i],
                    day=days.days[n],
                    code=code,
                    n_interval=len(at),
                    begin_s=float(days.begin_s[at[0]]),
                    end_s=float(days.begin_s[at[-1]] + days.interval_s),
                    n_repaired=int((sources > 0).sum()),
                    repair=", ".join(used),
                    text=REASONS[code](days.raw[i, n, at]),
                )
            )
    return out


def _range(value: FLOAT) -> str:
    return f"{value.min():g}" if value.min() == value.max() else f"{value.min():g} to {value.max():g}"


REASONS: dict[Code, Callable[[FLOAT], str]] = {
    "missing": lambda _: "no count",
    "negative": lambda value: f"counts below 0: {_range(value)}",
    "impossible": lambda value: f"{_range(value)} vehicles in one interval on one lane, more than can pass",
    "stuck": lambda value: f"the count stays the same, {_range(value)}",
    "dead": lambda _: "no vehicle where traffic usually is",
    "level": lambda _: "the day's level is far from the loop's usual one while other loops are as usual",
    "drift": lambda _: "the level drifts from day to day against all other loops",
    "swapped": lambda _: "counts look like those of the neighbouring lane, and the other way round",
}
