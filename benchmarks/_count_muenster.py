"""The faults that the README of Münster's counts publishes, found again; every difference has its reason."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict

import numpy as np

from benchmarks._count_stretches import data_pack, muenster
from benchmarks.tables import Cell
from network_data.counting.block import CountBlock
from network_data.counting.quality import Checked, check_block

PUBLISHED = {"negative": 86, "blank": 7064, "stuck": 142, "stuck detectors": 66, "pulse": 1, "level": 143}
STUCK_ABOVE_VEH, STUCK_RUN = 20, 4
LEVEL_SHARE = 0.2
HALF_YEAR = 180
MEAN_BINS_VEH = (20, 25, 30, 40, 60, 80, 120, 200, 400)


def totals_rows() -> list[dict[str, Cell]]:
    """One row per published total by its definition, and one per rule of the engine beside it."""
    block = muenster()
    found = check_block(block, zone="Europe/Berlin")
    named = _named()
    signals = np.array([name in named for name in block.detectors])
    rows = []
    blank = np.asarray(np.isnan(block.veh).all(axis=2) & (block.row > 0).any(axis=2))
    stuck = _stuck(block) & signals[:, None]
    low = _low_months(block) & signals
    pulse = block.detectors.index("MQ_01230_FV1_G")
    said = _said(found)
    negative = sum(v.n_interval for v in found.verdicts if v.code == "negative")
    rows.append(_row("negative", negative, "values below 0, all 664 detectors: the engine's verdicts as they are"))
    n_blank = int(blank[signals].sum())
    others = int(blank[~signals].sum())
    rows.append(
        _row("blank", n_blank, f"days without a value at the 649 signal loops; {others} more at sums and tests")
    )
    whole = sum(1 for i, n in np.argwhere(blank).tolist() if (i, n) in said["missing"])
    rows.append(_engine("missing", whole, f"whole days blank, all detectors: {n_blank} + {others}, as counted above"))
    rows.append(_row("stuck", int(stuck.sum()), "same value above 20 in 4 or more hours from 7 to 19, signal loops"))
    rows.append(_row("stuck detectors", int(stuck.any(axis=1).sum()), "of them"))
    rows += _stuck_rows(block, stuck, said)
    whole_year = [i for i, days in Counter(i for i, _ in said["pulse"]).items() if days > HALF_YEAR]
    there = int((block.row[pulse] > 0).any(axis=1).sum())
    gone = int((np.isnan(block.veh[pulse]).all(axis=1) & (block.row[pulse] > 0).any(axis=1)).sum())
    days = sum(1 for i, _ in said["pulse"] if i == pulse)
    why = f"MQ_01230_FV1_G, on {days} of its {there} days; {gone} day is blank"
    rows.append(_row("pulse", len(whole_year) if whole_year == [pulse] else 0, why))
    more = sorted({block.detectors[i] for i, _ in said["pulse"] if i != pulse})
    text = f"other detectors with a pulse a second on some day: {', '.join(more) or 'none'}"
    rows.append(_engine("pulse", len(more), text))
    rows.append(
        _row("level", int(low.sum()), "loops below 20 % of the median of their months' median weekdays, blank as 0")
    )
    rows += _level_rows(block, low, said)
    return rows


def _row(kind: str, found: int, why: str) -> dict[str, Cell]:
    published = PUBLISHED[kind]
    return {"part": "muenster", "case": "as published", "kind": kind, "put_in": published, "found": found, "why": why}


def _engine(kind: str, found: int, why: str) -> dict[str, Cell]:
    return {"part": "muenster", "case": "default rules", "kind": kind, "found": found, "why": why}


def _named() -> set[str]:
    """Detectors whose name tells signal and group."""
    with (data_pack() / "muenster_loops" / "detectors.csv").open(encoding="utf-8", newline="") as stream:
        return {row["detector"] for row in csv.DictReader(stream) if row["node_id"]}


def _said(found: Checked) -> dict[str, set[tuple[int, int]]]:
    """Detector days by rule."""
    row = {name: i for i, name in enumerate(found.block.detectors)}
    at = {day: n for n, day in enumerate(found.block.days)}
    out: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for verdict in found.verdicts:
        if verdict.detector:
            out[verdict.code].add((row[verdict.detector], at[verdict.day]))
    return out


def _stuck(block: CountBlock) -> np.ndarray:
    """Detector days with the same value above 20 in four or more hours in a row by day."""
    day = block.veh[:, :, 7:19]
    same = (np.diff(day, axis=2) == 0) & (day[:, :, 1:] > STUCK_ABOVE_VEH)
    run, longest = np.zeros(day.shape[:2], dtype=int), np.zeros(day.shape[:2], dtype=int)
    for k in range(same.shape[2]):
        run = (run + 1) * same[:, :, k]
        longest = np.maximum(longest, run)
    return np.asarray(longest + 1 >= STUCK_RUN)


def _stuck_rows(block: CountBlock, stuck: np.ndarray, said: dict[str, set[tuple[int, int]]]) -> list[dict[str, Cell]]:
    """What the default rules make of the published stuck days."""
    days = {(int(i), int(n)) for i, n in np.argwhere(stuck)}
    by_rule = Counter(
        next((code for code in ("pulse", "stuck", "impossible") if key in said[code]), "") for key in days
    )
    single = sum(1 for i in np.flatnonzero(stuck.any(axis=1)) if stuck[i].sum() <= 2)
    kept = by_rule[""]
    more = len(said["stuck"] - days)
    by_chance = _by_chance(block, stuck)
    return [
        _engine("stuck", by_rule["stuck"], "of the published days; the count stands longer than chance allows"),
        _engine("pulse", by_rule["pulse"], "of the published days are the loop with a pulse a second"),
        _engine(
            "none",
            kept,
            f"of the published days: four or five equal hours; by chance alone {by_chance:.0f} such days were to be "
            f"expected; {single} of the {int(stuck.any(axis=1).sum())} loops have one or two in the year",
        ),
        _engine("stuck", more, "days beyond the published: values up to 20, or at night, that stand for long"),
    ]


def _by_chance(block: CountBlock, stuck: np.ndarray) -> float:
    """How many days would show four equal hours in a row if equal hours came independently of each other.

    How often two hours in a row are equal is taken from all other days of about the same traffic.
    """
    day = block.veh[:, :, 7:19]
    high = np.where(day > STUCK_ABOVE_VEH, day, 0.0)
    mean = high.sum(axis=2) / np.maximum((high > 0).sum(axis=2), 1)
    tested = (day[:, :, 1:] > STUCK_ABOVE_VEH) & np.isfinite(day[:, :, :-1])
    equal = tested & (np.diff(day, axis=2) == 0)
    of_bin = np.digitize(mean, MEAN_BINS_VEH)
    total = 0.0
    for k in range(1, len(MEAN_BINS_VEH) + 1):
        here = of_bin == k
        often = equal[here & ~stuck].sum() / max(int(tested[here & ~stuck].sum()), 1)
        runs = tested[here][:, 2:] & tested[here][:, 1:-1] & tested[here][:, :-2]
        total += float(runs.sum() * often**3)
    return total


def _low_months(block: CountBlock) -> np.ndarray:
    """Detectors with a month whose median weekday lies below a fifth of the median month; blank hours count 0."""
    working = [(n, day.month) for n, day in enumerate(block.days) if day is not None and day.weekday() < 5]
    days, months = np.array(working).T
    here = (block.row[:, days] > 0).any(axis=2)
    total = np.where(here, np.nansum(block.veh[:, days], axis=2), np.nan)
    by_month = np.full((len(block.detectors), 12), np.nan)
    for month in range(1, 13):
        part = total[:, months == month]
        some = np.isfinite(part).any(axis=1)
        by_month[some, month - 1] = np.nanmedian(part[some], axis=1)
    usual = np.nanmedian(by_month, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        lowest = np.nan_to_num(by_month).min(axis=1) / usual
    return np.asarray(np.nan_to_num(lowest, nan=1.0) < LEVEL_SHARE)


def _level_rows(block: CountBlock, low: np.ndarray, said: dict[str, set[tuple[int, int]]]) -> list[dict[str, Cell]]:
    """Which rules speak about the loops with a low month."""
    loops = set(np.flatnonzero(low).tolist())
    by_rule = {code: {i for i, _ in said[code]} & loops for code in ("missing", "dead", "level")}
    days = Counter(i for i, _ in said["missing"])
    blank = {i for i in by_rule["missing"] if days[i] >= 10}
    silent = by_rule["dead"] | by_rule["level"]
    rest = loops - blank - silent
    return [
        _engine("missing", len(blank), "of these loops: ten days or more with gaps, the low month is (partly) blank"),
        _engine("dead, level", len(silent), "of these loops: silent, or far from their level, on some day"),
        _engine("none", len(rest), f"of these loops: {', '.join(block.detectors[i] for i in sorted(rest)) or 'none'}"),
    ]
