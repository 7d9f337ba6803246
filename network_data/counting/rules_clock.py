"""Quality rules for a detector's clock: another time zone, and days on which the clocks change."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from network_data.counting.clock import HOUR_S, change_at_s, change_days, clock
from network_data.counting.work import FLOAT32, Usual, Work

BIN_S = 1800.0
MAX_SHIFT_H = 13
CERTAIN = 8.0
"""How far, in standard deviations of its sum of squares, a day must be from its own hours. [-]"""
QUIET_FROM_S, QUIET_TO_S = 0.5 * 3600, 6.0 * 3600
"""The middle of a place's four quietest hours lies between these seconds of the day."""
QUIET_S = 4 * 3600.0
CLEARLY_QUIET = 0.5
"""They carry less than this share of mean traffic, else the place has no night to tell the clock by. [-]"""
WEAK_HOUR_VEH = 20.0
"""Least usual vehicles in the hour that comes twice for a loop to show it."""


def check_clocks(work: Work, zone: str | None) -> str | None:
    """Days that fit the history only at another hour, and counts that a clock change garbled.

    Returns
    -------
    str or None
        What is wrong with the clock of all loops together.
    """
    if zone is not None:
        _check_changes(work, zone)
    if not _whole_days(work):
        return None
    if work.usual is not None:
        _check_shifts(work, work.usual, _change_dates(work, zone))
    return _quiet_hours(work)


def _whole_days(work: Work) -> bool:
    """Whether the intervals cover the day without holes."""
    n_time = work.veh.shape[2]
    return bool(abs(n_time * work.block.interval_s - 24 * HOUR_S) < 1 and n_time >= 24)


def _check_shifts(work: Work, usual: Usual, changes: dict[date, float]) -> None:
    """Days whose counts lie at another hour: moved back by whole half hours they fit far better."""
    limits, n_day = work.limits, work.veh.shape[1]
    width = max(1, round(BIN_S / work.block.interval_s))
    bin_s = width * work.block.interval_s
    most = int(MAX_SHIFT_H * HOUR_S // bin_s)
    for part in work.chunks():
        kinds = {
            kind: (binned(usual.veh[part, kind], width), binned(usual.sd_veh[part, kind] ** 2, width))
            for kind in range(3)
        }
        for n in range(n_day):
            today = binned(work.veh[part, n], width)
            base, variance = kinds[int(usual.kinds[n])]
            both = np.isfinite(today) & np.isfinite(base)
            level = np.nansum(np.where(both, today, 0), axis=1) / np.maximum(np.where(both, base, 0).sum(axis=1), 1.0)
            expected = base * level[:, None]
            spread = variance * np.maximum(level, level**2)[:, None]
            as_read = _misfit(today, expected, spread)
            judged = (np.nansum(base, axis=1) >= limits.shift_least_veh) & (both.sum(axis=1) >= 0.9 * today.shape[1])
            judged &= as_read > 1 + CERTAIN * np.sqrt(2 / today.shape[1])
            rows = np.flatnonzero(judged)
            if not len(rows):
                continue
            shifts = [s for s in range(-most, most + 1) if s]
            fits = np.stack(
                [
                    _misfit(today[rows], np.roll(expected[rows], s, axis=1), np.roll(spread[rows], s, axis=1))
                    for s in shifts
                ]
            )
            best = np.argmin(fits, axis=0)
            found = fits[best, np.arange(len(rows))] < limits.shift_gain * as_read[rows]
            for r in np.flatnonzero(found).tolist():
                hours = shifts[int(best[r])] * bin_s / HOUR_S
                _say_shift(work, part.start + int(rows[r]), n, hours, changes)


def _say_shift(work: Work, i: int, n: int, hours: float, changes: dict[date, float]) -> None:
    day = work.block.days[n]
    text = f"the day fits the loop's history {abs(hours):g} h {'later' if hours > 0 else 'earlier'} on the clock"
    changed = [d for d, by_s in changes.items() if day is not None and d <= day and by_s == -hours * HOUR_S]
    if changed:
        text += f", as if the clock change of {max(changed)} had not been followed"
    work.said["clock_change" if changed else "time_zone", i, n] = text
    bad = np.zeros((1, *work.veh.shape[1:]), dtype=bool)
    bad[0, n] = True
    work.mark(bad, "clock_change" if changed else "time_zone", slice(i, i + 1))


def _misfit(today: FLOAT32, expected: FLOAT32, variance: FLOAT32) -> NDArray[np.float64]:
    """Mean square of the differences in standard deviations; 1 is as usual."""
    square = (today - expected) ** 2 / np.maximum(variance, 1.0)
    seen = np.isfinite(square)
    return np.asarray(np.where(seen, square, 0.0).sum(axis=1, dtype=float) / np.maximum(seen.sum(axis=1), 1))


def binned(value: FLOAT32, width: int) -> FLOAT32:
    """Sums of `width` neighbouring intervals."""
    n = value.shape[-1] // width * width
    return np.asarray(value[..., :n].reshape(*value.shape[:-1], -1, width).sum(axis=-1))


def _change_dates(work: Work, zone: str | None) -> dict[date, float]:
    """Clock changes up to the last day, from half a year before the first one."""
    dated = [day for day in work.block.days if day is not None]
    if zone is None or not dated:
        return {}
    return change_days(zone, date.fromordinal(min(dated).toordinal() - 200), max(dated))


def _check_changes(work: Work, zone: str) -> None:
    """On the days of change: counts in the hour that does not exist, and two hours in one."""
    changes = _change_dates(work, zone)
    begin_s = work.block.begin_s
    for n, day in enumerate(work.block.days):
        if day is None or day not in changes:
            continue
        at_s, by_s = change_at_s(zone, day), changes[day]
        first_s, last_s = (at_s, at_s + by_s) if by_s > 0 else (at_s + by_s, at_s)
        within = (begin_s >= first_s) & (begin_s + work.block.interval_s <= last_s)
        if not within.any():
            continue
        veh = work.veh[:, n][:, within]
        if by_s > 0:
            wrong = np.nansum(veh, axis=1) > 0
            text = f"counts from {clock(first_s)} to {clock(last_s)}, an hour that the clocks leave out"
        else:
            wrong = _twice(work, n, within, veh)
            text = f"the hour from {clock(first_s)} comes twice and holds the vehicles of both"
        bad = np.zeros(work.veh.shape, dtype=bool)
        bad[np.ix_(np.flatnonzero(wrong), np.array([n]), np.flatnonzero(within))] = True
        work.mark(bad, "clock_change")
        work.said |= {("clock_change", int(i), n): text for i in np.flatnonzero(wrong)}


def _twice(work: Work, n: int, within: NDArray[np.bool_], veh: FLOAT32) -> NDArray[np.bool_]:
    """Loops whose repeated hour holds clearly more than the usual one."""
    if work.usual is None:
        return np.zeros(len(veh), dtype=bool)
    usual = work.usual.on(n)[:, within].sum(axis=1)
    seen = veh.sum(axis=1)
    spread = np.sqrt((work.usual.sd_veh[:, work.usual.kinds[n]][:, within] ** 2).sum(axis=1))
    clear = (usual >= WEAK_HOUR_VEH) & (seen > usual + 3 * spread)
    return np.asarray(clear & (seen > work.limits.clock_hour * usual))


def _quiet_hours(work: Work) -> str | None:
    """Whether all loops together are quiet at night, as places are."""
    total = np.zeros(work.veh.shape[2])
    for part in work.chunks():
        veh = work.veh[part]
        seen = np.isfinite(veh)
        total += np.where(seen, veh, 0.0).sum(axis=(0, 1), dtype=float)
    width = max(1, round(QUIET_S / work.block.interval_s))
    ring = np.concatenate([total, total[: width - 1]])
    sums = np.convolve(ring, np.ones(width), mode="valid")
    at = int(np.argmin(sums))
    if not total.sum() > 0 or sums[at] / width > CLEARLY_QUIET * total.mean():
        return None
    middle_s = (work.block.begin_s[at] + QUIET_S / 2) % (24 * HOUR_S)
    if QUIET_FROM_S <= middle_s <= QUIET_TO_S:
        return None
    return (
        f"all loops together are quietest around {clock(middle_s)}, not at night; check the clock of the counts "
        "([counts] time_zone and times_in)"
    )
