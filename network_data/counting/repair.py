"""Stand-ins for counts that are missing or refused: from other days, from the next lane, from the intervals around."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from network_data.counting.count_days import DayBlock, kinds_of, median, run_length

FLOAT = NDArray[np.float64]
GAP_INTERVALS = 3
"""Longest gap filled from the intervals around it where there is no other day."""


def repair(days: DayBlock, sections: list[list[int]]) -> None:
    """Fill what is missing: from other days, from the other loops of the link, from the intervals around it."""
    if len(days.days) > 1:
        _fill(days, _from_days(days), 1)
    _fill(days, _from_neighbours(days, sections), 2)
    _fill(days, _from_around(days), 3)


def _fill(days: DayBlock, value: FLOAT, source: int) -> None:
    new = np.isnan(days.veh) & np.isfinite(value)
    days.veh[new] = value[new]
    days.source[new] = source


def _from_days(days: DayBlock) -> FLOAT:
    """The usual count at that time of the same kind of day, scaled by how busy the day is."""
    kinds = kinds_of(days)
    out = np.full(days.veh.shape, np.nan)
    for kind in np.unique(kinds):
        same = np.flatnonzero(kinds == kind)
        usual = median(days.veh[:, same], axis=1)
        for n in same:
            both = np.isfinite(days.veh[:, n]) & np.isfinite(usual)
            expected = float(usual[both].sum())
            busy = float(days.veh[:, n][both].sum()) / expected if expected > 0 else 1.0
            out[:, n] = usual * busy
    return out


def _from_neighbours(days: DayBlock, sections: list[list[int]]) -> FLOAT:
    """The other loops of the cross-section, at their usual ratio on the same day."""
    out = np.full(days.veh.shape, np.nan)
    for section in sections:
        for i in section:
            others = [j for j in section if j != i]
            if not others:
                continue
            beside = days.veh[others].sum(axis=0)
            both = np.isfinite(beside) & np.isfinite(days.veh[i])
            whole = np.where(both, beside, 0.0).sum(axis=1)
            own = np.where(both, days.veh[i], 0.0).sum(axis=1)
            ratio = np.where((whole > 0) & (both.sum(axis=1) >= 4), own / np.maximum(whole, 1e-9), np.nan)
            out[i] = ratio[:, None] * beside
    return out


def _from_around(days: DayBlock) -> FLOAT:
    """A straight line over short gaps."""
    frame = pd.DataFrame(days.veh.reshape(-1, days.veh.shape[2]).T)
    line = frame.interpolate(limit_area="inside").to_numpy().T.reshape(days.veh.shape)
    gap = np.isnan(days.veh)
    return np.where(gap & (run_length(gap) <= GAP_INTERVALS), line, np.nan)
