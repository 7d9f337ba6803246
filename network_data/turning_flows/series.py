"""A day's counts as a table of loops by intervals, and what they come to in other intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.counting.counts import CountTable
from network_data.detectors import Detector

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
SAME_SECTION_M = 12.0
"""Loops of one link that lie this close together count one cross-section."""
MIN_COVERED = 0.5
"""Least share of an interval that counts must cover to stand for it. [-]"""


@dataclass(frozen=True, eq=False)
class DaySeries:
    """Counts of one day as a table, detectors by intervals of the counts."""

    begin_s: FLOAT  # (K,)
    end_s: FLOAT
    row: dict[str, int]
    veh: FLOAT  # (D, K)
    occupancy_pct: FLOAT  # (D, K)
    repaired: NDArray[np.bool_]  # (D, K)


def day_series(counts: CountTable) -> DaySeries:
    """Lay a day's counts out as detectors by intervals; negative numbers and gaps become NaN."""
    frame = counts.frame
    codes, detectors = frame["detector"].cat.codes.to_numpy(), frame["detector"].cat.categories
    interval_s = counts.interval_s
    begin_s = np.unique(np.round(frame["begin_s"].to_numpy(), 3))
    # rows of another length stand for themselves only if they fit the grid
    usual = np.isclose((frame["end_s"] - frame["begin_s"]).to_numpy(), interval_s, atol=0.5)
    k = np.searchsorted(begin_s, np.round(frame["begin_s"].to_numpy(), 3))
    veh = np.full((len(detectors), len(begin_s)), np.nan)
    occupancy_pct = veh.copy()
    value = frame["veh"].to_numpy()
    good = usual & (value >= 0) & (value <= np.maximum(interval_s, 1.0))
    veh[codes[good], k[good]] = value[good]
    occupancy_pct[codes[good], k[good]] = frame["occupancy_pct"].to_numpy()[good]
    repaired = np.zeros(veh.shape, dtype=bool)
    if "repaired" in frame.columns:
        repaired[codes[good], k[good]] = frame["repaired"].to_numpy(dtype=bool)[good]
    row = {name: i for i, name in enumerate(detectors.to_numpy(dtype=object).tolist())}
    return DaySeries(begin_s, begin_s + interval_s, row, veh, occupancy_pct, repaired)


def booked(series: DaySeries, rows: INT, shift_s: FLOAT, begin_s: FLOAT, end_s: FLOAT) -> FLOAT:
    """Counts of loops in the intervals [begin_s, end_s) once every vehicle is booked `shift_s` later (or earlier).

    Missing intervals at most half as long as an interval of the grid are filled at the rate of the rest.
    Where the shift reaches beyond the counts, what is left of the interval stands for it.

    Parameters
    ----------
    rows : ndarray, shape (R,)
        Rows of `series`.
    shift_s : ndarray, shape (R,)
        [s]

    Returns
    -------
    ndarray, shape (R, T)
        Vehicles; NaN where too little was counted.
    """
    edges_s = np.unique(np.concatenate([series.begin_s, series.end_s]))
    slot = np.searchsorted(edges_s, series.begin_s)
    veh = series.veh[rows]
    have = np.isfinite(veh)
    n_row, n_slot = len(rows), len(edges_s) - 1
    counted, covered_s = np.zeros((n_row, n_slot)), np.zeros((n_row, n_slot))
    counted[:, slot] = np.where(have, veh, 0.0)
    covered_s[:, slot] = np.where(have, series.end_s - series.begin_s, 0.0)
    first_s = np.clip(begin_s[None, :] - shift_s[:, None], edges_s[0], edges_s[-1])
    last_s = np.clip(end_s[None, :] - shift_s[:, None], edges_s[0], edges_s[-1])
    total = _at(edges_s, counted, last_s) - _at(edges_s, counted, first_s)
    seen_s = _at(edges_s, covered_s, last_s) - _at(edges_s, covered_s, first_s)
    share = seen_s / np.maximum(end_s - begin_s, 1e-9)
    return np.where(share >= MIN_COVERED, total / np.maximum(share, MIN_COVERED), np.nan)


def _at(edges_s: FLOAT, amount: FLOAT, time_s: FLOAT) -> FLOAT:
    """Sum of piecewise even amounts, shape (R, slots), up to each time, shape (R, T)."""
    total = np.concatenate([np.zeros((len(amount), 1)), np.cumsum(amount, axis=1)], axis=1)
    slot = np.clip(np.searchsorted(edges_s, time_s, side="right") - 1, 0, amount.shape[1] - 1)
    part = (time_s - edges_s[slot]) / (edges_s[slot + 1] - edges_s[slot])
    before = np.take_along_axis(total, slot, axis=1)
    return np.asarray(before + part * np.take_along_axis(amount, slot, axis=1))


def cross_sections(loops: list[Detector]) -> list[list[Detector]]:
    """Loops of one link, grouped where they lie side by side; a second loop on a lane starts a section of its own."""
    out: list[list[Detector]] = []
    for loop in sorted(loops, key=lambda d: (d.pos_m, d.lane)):
        for section in out:
            near = abs(section[0].pos_m - loop.pos_m) <= SAME_SECTION_M and section[0].kind == loop.kind
            if near and loop.lane not in {d.lane for d in section}:
                section.append(loop)
                break
        else:
            out.append([loop])
    return out
