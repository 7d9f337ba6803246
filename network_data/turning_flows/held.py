"""Saturated streets: where counts are served traffic, and how much of the demand they show only later, or never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.plans import GREEN, TimingPlan
from network_data.turning_flows.series import DaySeries

FLOAT = NDArray[np.float64]
STANDING_PCT = 40.0
"""A loop away from the stop line that is occupied so long has a queue standing on it. [%]"""
HELD_SHARE = 0.5
"""A loop counts served traffic if a queue stands on it in so large a share of the intervals. [-]"""
LATE_S = 1800.0
"""How long after the period a queue is followed. [s]"""
HEADWAY_S = 2.0
FULL_USE = 0.9
"""A green is used up if so large a share of what it can serve is counted. [-]"""
RED_MARGIN_PCT = 15.0


def held_loops(
    network: RoadNetwork,
    detectors: tuple[Detector, ...],
    series: DaySeries,
    begin_s: float,
    end_s: float,
    plan: TimingPlan | None,
) -> frozenset[str]:
    """Loops whose counts in the period are served traffic, so that demand may be more.

    Away from the stop line a standing queue shows as occupancy. At the stop line a queue stands in every red; there the
    count must use up the green as well.
    """
    within = (series.begin_s >= begin_s - 1e-6) & (series.end_s <= end_s + 1e-6)
    if not within.any() or not np.isfinite(series.occupancy_pct[:, within]).any():
        return frozenset()
    greens = _green_shares(network, plan)
    known = [d for d in detectors if d.id in series.row]
    rows = np.array([series.row[d.id] for d in known], dtype=np.int64)
    at_line = np.array([d.kind == "stopbar" for d in known], dtype=bool)
    green = np.array([greens.get((d.link_id, d.lane), np.nan) for d in known])
    occupancy_pct = series.occupancy_pct[rows][:, within]
    can_serve = green[:, None] * (series.end_s - series.begin_s)[within][None, :] / HEADWAY_S
    with np.errstate(invalid="ignore"):  # a loop without a green, or without occupancy, stands for nothing
        full = series.veh[rows][:, within] >= FULL_USE * can_serve
        waits = occupancy_pct > 100 * (1 - green[:, None]) + RED_MARGIN_PCT
        standing = np.where(at_line[:, None], full & waits, occupancy_pct > STANDING_PCT)
    held = standing.mean(axis=1) >= HELD_SHARE
    return frozenset(d.id for d, is_held in zip(known, held.tolist(), strict=True) if is_held)


def _green_shares(network: RoadNetwork, plan: TimingPlan | None) -> dict[tuple[str, int], float]:
    out: dict[tuple[str, int], float] = {}
    for c in network.connections if plan else ():
        program = plan.controllers.get(c.controller_id or "") if plan else None
        if program is not None and c.link_index is not None and c.link_index < len(program.intervals[0].state):
            share = program.green_s(c.link_index, GREEN) / program.cycle_s
            out[c.from_link, c.from_lane] = max(share, out.get((c.from_link, c.from_lane), 0.0))
    return out


def bring_forward(series: DaySeries, held: frozenset[str], begin_s: float, end_s: float) -> tuple[DaySeries, float]:
    """Book traffic that the period's queues let pass only after its end within the period.

    Where queues still stand when the period ends and counts go on, what each loop counts above its later level until it
    has come down to it was demand of the period. It is spread over the intervals since queues first stood.

    Returns
    -------
    series : DaySeries
    late_share : float
        Vehicles brought forward, as a share of all counted in the period. [-]
    """
    within = np.flatnonzero((series.begin_s >= begin_s - 1e-6) & (series.end_s <= end_s + 1e-6))
    after = np.flatnonzero((series.begin_s >= end_s - 1e-6) & (series.end_s <= end_s + LATE_S + 1e-6))
    rows = [series.row[name] for name in held]
    if not rows or len(after) < 2 or len(within) < 2:
        return series, 0.0
    standing = np.flatnonzero((series.occupancy_pct[rows][:, within] > STANDING_PCT).any(axis=0))
    if len(standing) == 0 or standing[-1] < len(within) - 2:
        return series, 0.0
    since = int(standing[0])
    veh = series.veh.copy()
    later = np.where(np.isnan(veh[:, after]), np.inf, veh[:, after])
    level = later.min(axis=1)
    lowest = np.where(np.isfinite(level), level, 0.0)  # of a loop that counts nothing later there is no surplus
    surplus = np.where(np.isfinite(later), later - lowest[:, None], 0.0)
    high = np.cumprod(later > level[:, None] + np.sqrt(np.maximum(level, 1.0))[:, None], axis=1)
    late = np.where(np.isfinite(level), (surplus * high).sum(axis=1), 0.0)
    since_then = within[since:]
    before = float(np.nansum(veh[:, within]))
    veh[:, since_then] += late[:, None] / len(since_then)
    return replace(series, veh=veh), float(late.sum()) / max(before, 1.0)
