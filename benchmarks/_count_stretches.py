"""Clean stretches of counts to put faults into: real loops of Münster and Oregon, and synthetic roads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from network_data.counting.block import CountBlock
from network_data.counting.groups import Groups
from network_data.counting.options import CountLayout
from network_data.counting.reader import read_block
from network_data.errors import InputError

FLOAT = NDArray[np.float64]
MUENSTER_LAYOUT = CountLayout(date="date", wide="h{HH}", time_zone="Europe/Berlin", lanes_of_others=3)
ODOT_LAYOUT = CountLayout(detector=("signal", "detector"), begin="time", interval_s=900, veh="actuations")
DAY = timedelta(days=1)
ODOT_COVERAGE = 0.96


@dataclass(frozen=True, eq=False)
class Stretch:
    """Days of counts without known faults, and which of its loops belong together."""

    name: str
    block: CountBlock
    groups: Groups
    zone: str | None = None


def data_pack() -> Path:
    """Folder of the data pack; see SIGNAL_DATA in the README of the tests."""
    path = Path(os.environ.get("SIGNAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not path.is_dir():
        raise InputError("data", f"the data pack is not at {path}; set SIGNAL_DATA")
    return path


def muenster() -> CountBlock:
    """The whole year of Münster, as the settings alone read it."""
    return read_block([data_pack() / "muenster_loops" / "loop_counts_hourly_2015.csv.gz"], MUENSTER_LAYOUT)


def odot() -> CountBlock:
    """Three weeks of six signals in Oregon."""
    return read_block([data_pack() / "odot_detectors_15min" / "detector_actuations_15min.parquet"], ODOT_LAYOUT)


def muenster_stretch(year: CountBlock, first: date, n_day: int, on: date) -> Stretch:
    """Clean loops of some weeks, moved by whole weeks so that they lie around another date.

    The hour that a forward change leaves out is taken from all loops, so that the days are right by the new calendar.
    """
    have = {day: n for n, day in enumerate(year.days) if day is not None}
    days = [first + k * DAY for k in range(n_day) if first + k * DAY in have]
    block = year.on([have[day] for day in days])
    signals = np.array([name.startswith("MQ_") for name in block.detectors])  # the others are sums and tests
    clean = _clean(block, least_day_veh=300.0, repeats=4)
    block = _only(block, clean[signals[clean]])
    shift = timedelta(days=round((on - first).days / 7) * 7)
    moved = replace(block, days=tuple(day + shift for day in days))
    pairs = _pairs_of([name.split("_")[1] if name.count("_") > 1 else name for name in moved.detectors], moved)
    return Stretch(f"muenster {first}", moved, Groups(sections=pairs), "Europe/Berlin")


def odot_stretch(block: CountBlock) -> Stretch:
    """Clean channels of the three weeks over Christmas and New Year; slots that a signal did not send are bridged.

    Bridged means the median of that slot on the other days; channels that lack more than 4 % of the slots are left out.
    Which channels lie side by side is not known, so none do.
    """
    enough = np.flatnonzero(np.isfinite(block.veh).mean(axis=(1, 2)) >= ODOT_COVERAGE)
    block = _only(block, enough)
    middle = np.round(np.nanmedian(block.veh, axis=1, keepdims=True))
    block = replace(block, veh=np.where(np.isnan(block.veh), middle, block.veh))
    clean = _clean(block, least_day_veh=300.0, repeats=12, weeks=False, factor=3.0, share=0.25)
    block = _only(block, clean)
    return Stretch("odot", block, Groups())


def _only(block: CountBlock, rows: NDArray[np.int64]) -> CountBlock:
    return replace(
        block,
        detectors=tuple(block.detectors[i] for i in rows),
        veh=block.veh[rows],
        row=block.row[rows],
        lanes=block.lanes[rows],
        found=(),
    )


def _clean(
    block: CountBlock,
    *,
    least_day_veh: float,
    repeats: int,
    weeks: bool = True,
    factor: float = 1.5,
    share: float = 0.1,
) -> NDArray[np.int64]:
    """Loops without a visible fault, by rules that are not the engine's.

    Every count is there and at least 0; a day's total stays within `factor` of the median of its kind of day, and what
    passes before 13:00 within `share` of the day of its median share; with `weeks` a week's working days stay within a
    fifth of their median; no working day has a silent hour between 7 and 19, no count is 0 where its median is 30 or
    more; no count above 20 stands `repeats` times in a row.
    """
    veh = block.veh.astype(float)
    kinds = np.array([min(max(day.weekday() - 4, 0), 2) if day else 0 for day in block.days])
    totals = veh.sum(axis=2)
    good = np.isfinite(totals).all(axis=1) & (veh >= 0).all(axis=(1, 2))
    good &= np.median(totals, axis=1) >= least_day_veh
    before_13 = veh[:, :, block.begin_s < 13 * 3600].sum(axis=2) / np.maximum(totals, 1)
    for kind in np.unique(kinds):
        part, early = totals[:, kinds == kind], before_13[:, kinds == kind]
        middle = np.median(part, axis=1, keepdims=True)
        good &= (np.abs(early - np.median(early, axis=1, keepdims=True)) < share).all(axis=1)
        good &= ((part > middle / factor) & (part < factor * middle)).all(axis=1)
    working = kinds == 0
    week = np.array([(day - block.days[0]).days // 7 if day and block.days[0] else 0 for day in block.days])
    middle = np.median(totals[:, working], axis=1)
    for w in np.unique(week) if weeks else ():
        here = totals[:, working & (week == w)]
        if here.shape[1] >= 3:
            good &= np.abs(np.median(here, axis=1) / np.maximum(middle, 1) - 1) < 0.2
    hour = (block.begin_s // 3600).astype(int)
    daytime = np.stack([veh[:, :, hour == h].sum(axis=2) for h in range(7, 19)], axis=2)
    good &= (daytime[:, working] > 0).all(axis=(1, 2))
    good &= ~((veh == 0) & (np.median(veh, axis=1, keepdims=True) >= 30)).any(axis=(1, 2))
    same = (np.diff(veh, axis=2) == 0) & (veh[:, :, 1:] > 20)
    run = np.zeros(veh.shape[:2], dtype=int)
    for k in range(same.shape[2]):
        run = (run + 1) * same[:, :, k]
        good &= (run + 1 < repeats).all(axis=1)
    return np.flatnonzero(good)


def _pairs_of(places: list[str], block: CountBlock) -> tuple[tuple[int, ...], ...]:
    """Two by two the loops of one signal whose days differ by a quarter: they stand for neighbouring lanes."""
    by_place: Mapping[str, list[int]] = {}
    for i, place in enumerate(places):
        by_place = {**by_place, place: [*by_place.get(place, []), i]}
    total = block.veh.sum(axis=(1, 2))
    out = []
    for members in by_place.values():
        ordered = sorted(members, key=lambda i: float(total[i]))
        for a, b in zip(ordered[::2], ordered[1::2], strict=False):
            if total[b] > 1.25 * total[a]:
                out.append((a, b))
    return tuple(out)


def synthetic_stretch(
    seed: int, n_road: int = 20, n_day: int = 28, interval_s: float = 300.0, first: date = date(2026, 3, 16)
) -> Stretch:
    """Roads with three cross-sections of two lanes, which the same vehicles pass one after the other.

    Working days, Saturdays and Sundays each have a course of their own per road; days differ by the town's and by the
    road's own chance; vehicles come in clumps (twice the variance of Poisson).
    """
    rng = np.random.default_rng([seed, 77])
    n_time = round(86400 / interval_s)
    hour = (np.arange(n_time) + 0.5) * interval_s / 3600
    days = tuple(first + k * DAY for k in range(n_day))
    town = rng.normal(1, 0.06, n_day)
    veh = np.zeros((n_road * 6, n_day, n_time))
    for r in range(n_road):
        level_vph = rng.uniform(250, 900)
        morning, evening = rng.uniform(0.3, 1.0, 2)
        shapes = [
            0.05 + morning * _bump(hour, 7.8, 1.2) + evening * _bump(hour, 17.0, 1.8) + 0.45 * _bump(hour, 13, 4.5),
            0.08 + 0.75 * _bump(hour, 14, 4.0),
            0.07 + 0.55 * _bump(hour, 15, 4.0),
        ]
        share = np.array([rng.uniform(0.56, 0.72), 0.0])
        share[1] = 1 - share[0]
        for n, day in enumerate(days):
            course = shapes[min(max(day.weekday() - 4, 0), 2)] * level_vph * interval_s / 3600
            mean = course * town[n] * rng.normal(1, 0.04)
            passing = rng.negative_binomial(np.maximum(mean, 0.01), 0.5)
            for s in range(3):
                late = rng.binomial(passing, 0.15)  # pass the next section in the next interval
                here = passing - late + np.concatenate([[0], late[:-1]])
                right = rng.binomial(here, share[0])
                veh[6 * r + 2 * s, n], veh[6 * r + 2 * s + 1, n] = right, here - right
                passing = here
    names = tuple(f"R{r}.{'abc'[s]}.{lane}" for r in range(n_road) for s in range(3) for lane in range(2))
    lanes = [tuple(6 * r + 2 * s + lane for lane in range(2)) for r in range(n_road) for s in range(3)]
    block = CountBlock(
        detectors=names,
        days=days,
        begin_s=np.arange(n_time, dtype=np.float64) * interval_s,
        interval_s=interval_s,
        veh=veh.astype(np.float32),
        occupancy_pct=None,
        speed_mps=None,
        row=np.ones(veh.shape, dtype=np.int32),
        lanes=np.ones(len(names), dtype=np.int64),
    )
    balances = tuple((lanes[3 * r + s], lanes[3 * r + s + 1]) for r in range(n_road) for s in range(2))
    return Stretch(f"synthetic {interval_s / 60:g} min", block, Groups(tuple(lanes), balances), "Europe/Berlin")


def _bump(hour: FLOAT, at: float, width: float) -> FLOAT:
    return np.asarray(np.exp(-(((hour - at) / width) ** 2)))
