"""Quality rules that look at one detector's day: missing, negative, a pulse a second, impossible, stuck, dead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from network_data.counting.work import FLOAT, FLOAT32, INT, Work, kinds_of, median, run_length, run_sum

PULSE_RUN = 3
SHAPE_DETECTORS = 2_000
"""Detectors that tell the day's course where there are very many."""
WHOLE_DAY_S = 20 * 3600.0
"""A loop that counts nothing for so long on a day, and never anything, is dead. [s]"""
SLACK_VEH = 1.0
"""How far a pulse count may be off by rounding."""


def check_values(work: Work, no_hour: NDArray[np.bool_]) -> None:
    """Refuse what cannot be a count of vehicles.

    `no_hour` (N, K) are the intervals that a clock change leaves out: nothing is missing there.
    """
    block, limits = work.block, work.limits
    pulse_veh = limits.pulse_hz * block.interval_s
    run = max(PULSE_RUN, int(np.ceil(limits.pulse_s / block.interval_s)))
    most_veh = block.lanes * (limits.most_vph_per_lane * block.interval_s / 3600 + limits.clump_veh)
    for part in work.chunks():
        veh = work.veh[part]
        work.mark(np.isnan(veh) & ~no_hour, "missing", part)
        work.mark(veh < 0, "negative", part)
        close = np.abs(veh - pulse_veh) <= limits.pulse_tolerance * pulse_veh + SLACK_VEH
        if close.any():
            work.mark(close & (run_length(close & _before(close)) + 1 >= run), "pulse", part)
        work.mark(veh > most_veh[part, None, None], "impossible", part)


def check_stuck(work: Work) -> None:
    """Refuse counts that stay the same for longer than chance would have it.

    Poisson counts of mean v repeat a value near v with a chance of about 1 / sqrt(4 pi v).
    """
    limits = work.limits
    for part in work.chunks():
        veh = work.veh[part]
        same = np.diff(veh, axis=2, prepend=np.nan) == 0
        value = np.maximum(np.nan_to_num(veh), limits.stuck_from_veh)
        least = np.ceil(-np.log(limits.stuck_chance) / np.log(np.sqrt(4 * np.pi * value)))
        long = run_length(same) + 1 >= np.maximum(least, limits.stuck_run)
        work.mark(long & (veh >= limits.stuck_from_veh), "stuck", part)


def check_dead(work: Work) -> bool:
    """Refuse silence where traffic usually is, and loops that never counted a vehicle; whether there are any."""
    found = False
    shape = _shape(work.veh)
    whole_days = work.veh.shape[2] * work.block.interval_s >= WHOLE_DAY_S
    for part in work.chunks():
        veh = work.veh[part]
        silent = veh == 0
        expected = _expected(veh, shape, kinds_of(work.block.days), work.limits.usual_share)
        expected *= _level_awake(veh, expected)
        dead = silent & (run_sum(silent, expected) >= work.limits.dead_expected_veh)
        counted = np.nansum(veh, axis=(1, 2)) > 0
        never = ~counted & ((silent.sum(axis=2) * work.block.interval_s).max(axis=1) >= WHOLE_DAY_S)
        dead |= silent & never[:, None, None] & whole_days
        work.mark(dead, "dead", part)
        found |= bool(dead.any())
    return found


def _level_awake(veh: FLOAT32, expected: FLOAT32) -> FLOAT32:
    """How a loop counts while it counts, as a share of what is expected, at most 1; 1 for days of silence. (D, N, 1)

    A loop that misses nine of ten vehicles is not dead for the minutes in which it misses all.
    """
    awake = veh > 0
    seen = np.where(awake, veh, 0.0).sum(axis=2, keepdims=True)
    usual = np.where(awake, expected, 0.0).sum(axis=2, keepdims=True)
    return np.asarray(np.where(seen > 0, np.minimum(seen / np.maximum(usual, 1e-6), 1.0), 1.0), dtype=np.float32)


def _before(flag: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the entry before was set too."""
    out = np.zeros_like(flag)
    out[..., 1:] = flag[..., :-1]
    return out


def _shape(veh: FLOAT32) -> FLOAT:
    """The day's course of a middling detector, mean 1, shape (K,); a few wild ones do not bend it."""
    some = veh[:: max(1, len(veh) // SHAPE_DETECTORS)]
    seen = np.isfinite(some)
    by_time = np.where(seen, some, 0.0).sum(axis=1, dtype=float) / np.maximum(seen.sum(axis=1), 1)
    mean = by_time.mean(axis=1, keepdims=True)
    by_time = by_time[mean[:, 0] > 0] / mean[mean[:, 0] > 0]
    if not len(by_time):
        return np.ones(veh.shape[2])
    shape = np.median(by_time, axis=0)
    return np.asarray(shape / max(float(shape.mean()), 1e-9))


def _expected(veh: FLOAT32, shape: FLOAT, kinds: INT, usual_share: float) -> FLOAT32:
    """What a working loop would count: what is usual at that time, or its best day's level. Shape of `veh`."""
    seen = np.isfinite(veh)
    by_day = np.where(seen, veh, 0.0).sum(axis=2, dtype=float) / np.maximum(seen.sum(axis=2), 1)
    out = np.empty(veh.shape, dtype=np.float32)
    for kind in np.unique(kinds):
        same = np.flatnonzero(kinds == kind)
        best = by_day[:, same].max(axis=1)[:, None] * shape[None, :]
        usual = np.nan_to_num(median(veh[:, same], axis=1))
        alive = usual.sum(axis=1) >= usual_share * best.sum(axis=1)
        out[:, same] = np.where(alive[:, None], np.minimum(usual, best), best)[:, None, :]
    return out
