"""Saturation flow from counts of short intervals: the highest sustained discharge over what was green.

Where occupancy is known, intervals count in which the lane was saturated: somebody stood at the stop bar through the
red. Without it only a plateau tells: the busiest intervals all pass the same per second of green.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from network_data.discharge.greens import FLOAT, Greens
from network_data.discharge.headways import Range, t95

HOUR_S = 3600.0
RED_SHARE, GREEN_SHARE = 0.95, 0.3
"""A lane was saturated where its loop was occupied for so much of the red and of the green at least: who stands, stands
until the green; of a queue 5 m per vehicle pass at 9 m/s or less, one in 1.9 s. [-]"""
LEAST_INTERVALS = 4
SUSTAINED = 0.9
"""Of the saturated intervals those count that discharged so much of the busiest: in others the way was blocked, or
the queue ran out for a while. [-]"""
LEAST_VARIETY = 0.08
"""Greens must differ by so much for the start-up loss to show in counts (coefficient of variation). [-]"""
LOSS_GUESS_S = (-1.0, 2.0)
"""Start-up loss less the use of yellow where greens are all alike; the HCM's default is 0. [s]"""
PLATEAU, CROWDED = 0.08, 2.0
"""Without occupancy: so near to the highest rate lie the intervals of a plateau, so many times as many as in the next
band of that width below. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDischarge:
    """What counts say; `net_loss_s` is start-up loss less the use of yellow, None where greens are all alike."""

    saturation_vph: Range
    net_loss_s: Range | None
    n_saturated: int


def count_discharge(
    greens: Greens, begin_s: FLOAT, end_s: FLOAT, veh: FLOAT, occupancy: FLOAT | None = None
) -> CountDischarge | None:
    """Saturation flow of a lane from its counts; None where they cannot tell.

    Parameters
    ----------
    begin_s, end_s : ndarray, shape (B,)
        Intervals, any lengths; those shorter than a cycle are summed up from green to green. [s]
    veh : ndarray, shape (B,)
        Vehicles that left the lane in each; NaN where nothing is known.
    occupancy : ndarray, shape (B,), optional
        Share of the interval for which the loop was occupied. [-]
    """
    seen = np.isfinite(veh) & (occupancy is None or np.isfinite(occupancy))
    if len(greens) < 2 or not seen.any():
        return None
    begin_s, end_s, veh = begin_s[seen], end_s[seen], veh[seen]
    share = occupancy[seen] if occupancy is not None else None
    cycle_s = float(np.median(np.diff(greens.start_s)))
    if float(np.median(end_s - begin_s)) < cycle_s:
        begin_s, end_s, veh, share = _per_cycle(greens, begin_s, end_s, veh, share)
    within = (begin_s >= greens.start_s[0]) & (end_s <= greens.end_s[-1] + cycle_s)
    begin_s, end_s, veh = begin_s[within], end_s[within], veh[within]
    green_s, starts = greens.within(begin_s, end_s), _starts(greens, begin_s, end_s)
    if share is not None:
        red = 1 - green_s / np.maximum(end_s - begin_s, 1e-9)
        full = (share[within] >= RED_SHARE * red + GREEN_SHARE * (1 - red)) & (green_s > 0)
        return _sustained(veh[full], green_s[full], starts[full]) if full.sum() >= LEAST_INTERVALS else None
    return _plateau(veh, green_s, starts)


def _per_cycle(
    greens: Greens, begin_s: FLOAT, end_s: FLOAT, veh: FLOAT, share: FLOAT | None
) -> tuple[FLOAT, FLOAT, FLOAT, FLOAT | None]:
    """Intervals summed from one green to the next; those that lie across a border are divided."""
    first, last = greens.start_s[:-1], greens.start_s[1:]
    edges = greens.start_s
    known = _until(begin_s, end_s, end_s - begin_s, edges)
    whole = np.diff(known) > 0.999 * (last - first)
    counted = np.diff(_until(begin_s, end_s, veh, edges))
    held = None
    if share is not None:
        held = (np.diff(_until(begin_s, end_s, share * (end_s - begin_s), edges)) / (last - first))[whole]
    return first[whole], last[whole], counted[whole], held


def _until(begin_s: FLOAT, end_s: FLOAT, amount: FLOAT, at_s: FLOAT) -> FLOAT:
    """How much had come by some times, when it comes evenly within intervals (in order, without overlap)."""
    total = np.concatenate([[0.0], np.cumsum(amount)])
    n = np.searchsorted(end_s, at_s, side="right")
    k = np.minimum(n, len(begin_s) - 1)
    part = np.clip((at_s - begin_s[k]) / (end_s[k] - begin_s[k]), 0.0, 1.0)
    return np.asarray(total[n] + np.where(n < len(begin_s), part * amount[k], 0.0))


def _starts(greens: Greens, begin_s: FLOAT, end_s: FLOAT) -> FLOAT:
    """Greens that begin in each interval; one that an interval cuts at its begin or end counts in proportion."""
    length = greens.end_s - greens.start_s
    out = np.zeros(len(begin_s))
    for i, (a, b) in enumerate(zip(begin_s, end_s, strict=True)):
        near = slice(np.searchsorted(greens.end_s, a), np.searchsorted(greens.start_s, b))
        cut = np.minimum(greens.end_s[near], b) - np.maximum(greens.start_s[near], a)
        out[i] = float((np.maximum(0.0, cut) / length[near]).sum())
    return out


def _sustained(veh: FLOAT, green_s: FLOAT, starts: FLOAT) -> CountDischarge | None:
    """The intervals of highest sustained discharge among the saturated ones: near the mean of the busiest few."""
    rate = veh / green_s
    busiest = np.sort(rate)[-LEAST_INTERVALS:].mean()
    use = rate >= SUSTAINED * busiest
    return _fit(veh[use], green_s[use], starts[use]) if use.sum() >= LEAST_INTERVALS else None


def _fit(veh: FLOAT, green_s: FLOAT, starts: FLOAT) -> CountDischarge | None:
    """veh = s (green − starts · loss): least squares where greens differ, the mean rate where they do not."""
    n = len(veh)
    each = green_s / np.maximum(starts, 1e-9)
    if n >= 3 * LEAST_INTERVALS and float(each.std() / each.mean()) > LEAST_VARIETY:
        x = np.stack([green_s, -starts], axis=1)
        (s, sl), residual = _least_squares(x, veh)
        if s > 0:
            spread = np.linalg.inv(x.T @ x) * (residual @ residual) / (n - 2)
            half = t95(n - 2) * float(spread[0, 0]) ** 0.5
            loss = sl / s
            gradient = np.array([-loss / s, 1 / s])
            loss_half = t95(n - 2) * float(gradient @ spread @ gradient) ** 0.5
            return CountDischarge(
                saturation_vph=Range(value=HOUR_S * s, low=HOUR_S * (s - half), high=HOUR_S * (s + half)),
                net_loss_s=Range(value=loss, low=loss - loss_half, high=loss + loss_half),
                n_saturated=n,
            )
    return CountDischarge(saturation_vph=_rate(veh, green_s, starts), net_loss_s=None, n_saturated=n)


def _least_squares(x: FLOAT, y: FLOAT) -> tuple[FLOAT, FLOAT]:
    found = np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64)
    return found, y - x @ found


def _rate(veh: FLOAT, green_s: FLOAT, starts: FLOAT) -> Range:
    """Vehicles per second of green, taken at no net loss; the range also holds what losses usual on streets would."""
    n = len(veh)
    s = veh.sum() / green_s.sum()
    error = float((((veh - s * green_s) ** 2).sum() * n / max(1, n - 1)) ** 0.5 / green_s.sum())
    low, high = (veh.sum() / (green_s - starts * loss).sum() for loss in LOSS_GUESS_S)
    half = t95(n - 1) * error
    return Range(value=HOUR_S * s, low=HOUR_S * (low - half), high=HOUR_S * (high + half))


def _plateau(veh: FLOAT, green_s: FLOAT, starts: FLOAT) -> CountDischarge | None:
    """Rates crowd at capacity, where demand goes beyond it; without that they thin out towards the highest one."""
    use = green_s > 0
    rate = veh[use] / green_s[use]
    if len(rate) < 3 * LEAST_INTERVALS:
        return None
    most = np.sort(rate)[-LEAST_INTERVALS:].mean()
    top = rate >= (1 - PLATEAU) * most
    below = (rate >= (1 - 2 * PLATEAU) * most) & ~top
    if top.sum() < 2 * LEAST_INTERVALS or top.sum() < CROWDED * below.sum():
        return None
    return CountDischarge(
        saturation_vph=_rate(veh[use][top], green_s[use][top], starts[use][top]),
        net_loss_s=None,
        n_saturated=int(top.sum()),
    )
