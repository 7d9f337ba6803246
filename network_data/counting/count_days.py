"""Several days of counts as one block of numbers, for rules and repairs that look across days."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from network_data.counting.counts import CountTable
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.turning_flows.measures import cross_sections

FLOAT = NDArray[np.float64]
BOOL = NDArray[np.bool_]


@dataclass
class DayBlock:
    """All days as one block, detectors by days by intervals.

    `code` holds the rule each bad value broke (0: none), `source` what stands in for it (0: as read), both numbered
    as in `quality`.
    """

    detectors: tuple[str, ...]
    begin_s: FLOAT  # (K,)
    interval_s: float
    veh: FLOAT  # (D, N, K)
    raw: FLOAT
    code: NDArray[np.int8]  # (D, N, K), 0 good
    source: NDArray[np.int8]  # (D, N, K), 0 as read
    days: list[date | None]


def day_block(day_tables: list[tuple[str, CountTable]]) -> DayBlock:
    """Lay days out as one block; days share the union of their intervals."""
    names = tuple(dict.fromkeys(name for _, table in day_tables for name in table.frame["detector"].cat.categories))
    begin_s = np.unique(np.concatenate([np.round(table.frame["begin_s"].to_numpy(), 3) for _, table in day_tables]))
    interval_s = day_tables[0][1].interval_s
    row = {name: i for i, name in enumerate(names)}
    veh = np.full((len(names), len(day_tables), len(begin_s)), np.nan)
    for n, (_, table) in enumerate(day_tables):
        frame = table.frame
        i = np.array([row[name] for name in frame["detector"].cat.categories], dtype=np.int64)
        at = np.searchsorted(begin_s, np.round(frame["begin_s"].to_numpy(), 3))
        usual = np.isclose((frame["end_s"] - frame["begin_s"]).to_numpy(), interval_s, atol=0.5)
        veh[i[frame["detector"].cat.codes.to_numpy()[usual]], n, at[usual]] = frame["veh"].to_numpy()[usual]
    days = [table.days[0] if table.days else None for _, table in day_tables]
    empty = np.zeros(veh.shape, dtype=np.int8)
    return DayBlock(names, begin_s, interval_s, veh, veh.copy(), empty, empty.copy(), days)


def sections_of(detectors: tuple[Detector, ...], network: RoadNetwork, days: DayBlock) -> list[list[int]]:
    """Cross-sections of counted loops, as rows of the block."""
    row = {name: i for i, name in enumerate(days.detectors)}
    by_link: dict[str, list[Detector]] = defaultdict(list)
    for detector in detectors:
        if detector.id in row and detector.link_id in network.links:
            by_link[detector.link_id].append(detector)
    return [[row[d.id] for d in section] for loops in by_link.values() for section in cross_sections(loops)]


def median(value: FLOAT, axis: int) -> FLOAT:
    """Median of the finite values, NaN where there are none."""
    ordered = np.sort(value, axis=axis)
    n = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0) // 2, axis=axis)
    high = np.take_along_axis(ordered, np.minimum(n // 2, ordered.shape[axis] - 1), axis=axis)
    return np.asarray(np.where(n > 0, (low + high) / 2, np.nan).squeeze(axis=axis))


def kinds_of(days: DayBlock) -> NDArray[np.int64]:
    """Kind of each day: 0 Monday to Friday, 1 Saturday, 2 Sunday."""
    return np.array([min(max(day.weekday() - 4, 0), 2) if day is not None else 0 for day in days.days])


def run_length(flag: BOOL) -> NDArray[np.int64]:
    """Length of the run of set flags along the last axis that each entry, or its successor, belongs to; else 0.

    The entry before a run counts with it: a value that is repeated is as stuck as its repetitions.
    """
    length = np.zeros(flag.shape, dtype=np.int64)
    count = np.zeros(flag.shape[:-1], dtype=np.int64)
    for k in range(flag.shape[-1]):
        count = (count + 1) * flag[..., k]
        length[..., k] = count
    for k in range(flag.shape[-1] - 2, -1, -1):
        goes_on = flag[..., k + 1]
        length[..., k] = np.where(goes_on, np.maximum(length[..., k + 1], length[..., k]), length[..., k])
    return length
