"""Known counts hidden and repaired: how far the stand-ins are off, beside the median of the same weekday and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from benchmarks._count_stretches import Stretch, muenster, muenster_stretch, synthetic_stretch
from benchmarks.tables import Cell
from network_data.counting.options import QualityLimits
from network_data.counting.quality import check_block

SEEDS, QUICK_SEEDS = 4, 1
FIRST_SEED = 2000
SHARE = 0.03
LEAST_VEH = 1.0
ALL_RULES_OFF = QualityLimits(
    stuck_chance=1e-300, dead_expected_veh=1e9, level_low=1e-6, level_high=1e6, step=0.99, drift=0.99
)


def repair_rows(quick: bool) -> list[dict[str, Cell]]:
    """A row per stretch and kind of hole."""
    autumn = muenster_stretch(muenster(), date(2015, 9, 7), 42, date(2015, 6, 1))
    stretches: dict[str, Callable[[int], Stretch]] = {
        "muenster hourly, autumn": lambda _: autumn,
        "synthetic 15 min": lambda seed: synthetic_stretch(seed, interval_s=900.0),
        "synthetic 5 min": synthetic_stretch,
    }
    rows = []
    for name, stretch_of in stretches.items():
        for kind in ("single counts", "three hours", "whole days"):
            found = [
                _errors(stretch_of(seed), kind, np.random.default_rng([seed, 11]))
                for seed in range(FIRST_SEED, FIRST_SEED + (QUICK_SEEDS if quick else SEEDS))
            ]
            rows.append(_row(name, kind, *(np.concatenate(x) for x in zip(*found, strict=True))))
    return rows


def _row(
    name: str, kind: str, errors: NDArray[np.float64], baseline: NDArray[np.float64], inside: NDArray[np.float64]
) -> dict[str, Cell]:
    return {
        "part": "repair",
        "case": name,
        "kind": kind,
        "put_in": len(errors),
        "found": int(np.isfinite(errors).sum()),
        "error_veh": round(float(np.nanmedian(errors)), 3),
        "median_error_veh": round(float(np.nanmedian(baseline)), 3),
        "within_sd": round(float(np.nanmean(inside)), 3),
    }


def _errors(
    stretch: Stretch, kind: str, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Absolute errors of stand-ins and of weekday medians, and whether the first are within the error stated."""
    block = stretch.block
    hidden = _holes(block.veh.shape, kind, 3600 / block.interval_s, rng) & np.isfinite(block.veh)
    veh = np.where(hidden, np.nan, block.veh).astype(np.float32)
    found = check_block(replace(block, veh=veh), stretch.groups, ALL_RULES_OFF)
    truth = block.veh[hidden].astype(float)
    error = np.abs(found.block.veh[hidden] - truth)
    median = _weekday_medians(veh, stretch)[hidden]
    told = truth >= LEAST_VEH
    inside = (error <= found.sd_veh[hidden]).astype(float)
    return error[told], np.abs(median - truth)[told], inside[told]


def _holes(shape: tuple[int, ...], kind: str, per_hour: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What to hide: some three per cent of the counts between 5 and 22, in holes of one kind."""
    out = np.zeros(shape, dtype=bool)
    first, last = round(5 * per_hour), round(22 * per_hour)
    if kind == "single counts":
        out[:, :, first:last] = rng.random((*shape[:2], last - first)) < SHARE
        return out
    if kind == "whole days":
        out[rng.random(shape[:2]) < SHARE] = True
        return out
    n = round(3 * per_hour)
    for i, day in np.argwhere(rng.random(shape[:2]) < 4 * SHARE).tolist():
        begin = int(rng.integers(first, last - n + 1))
        out[i, day, begin : begin + n] = True
    return out


def _weekday_medians(veh: NDArray[np.float32], stretch: Stretch) -> NDArray[np.float32]:
    """The median of the same weekday and time, of the counts that are not hidden."""
    out = np.full(veh.shape, np.nan, dtype=np.float32)
    weekdays = np.array([day.weekday() if day else 0 for day in stretch.block.days])
    for weekday in range(7):
        same = np.flatnonzero(weekdays == weekday)
        if len(same):
            some = np.asarray(np.isfinite(veh[:, same]).any(axis=1))
            middle = np.full((veh.shape[0], veh.shape[2]), np.nan, dtype=np.float32)
            middle[some] = np.nanmedian(np.where(some[:, None], veh[:, same], 0.0), axis=1)[some]
            out[:, same] = middle[:, None]
    return out
