"""Quality rules for a detector's clock: another time zone, and days on which the clocks change."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from network_data.counting.clock import HOUR_S, change_at_s, change_days, clock
from network_data.counting.work import CODES, FLOAT, FLOAT32, INT, Usual, Work, find_usual, kinds_of, median

BIN_S = 1800.0
MAX_SHIFT_H = 13
CERTAIN = 4.0
"""How far, in standard deviations of its sum of squares, a day must be from its own hours. [-]"""
QUIET_FROM_S, QUIET_TO_S = 0.5 * 3600, 6.0 * 3600
"""The middle of a place's four quietest hours lies between these seconds of the day."""
QUIET_S = 4 * 3600.0
CLEARLY_QUIET = 0.5
"""They carry less than this share of mean traffic, else the place has no night to tell the clock by. [-]"""
COVERED = 0.9
PLAUSIBLE = 3.0
"""At its true hour a day differs from history by no more than so many variances. [-]"""
MEDIAN_GAIN = 0.5
"""Medians of many days fit at their true hour with less than this share of the misfit as read. [-]"""
MOVED = 7
ODD_DAY_SHARE, SAME_CLOCK_SHARE = 0.05, 0.5
"""A day is odd where more than the one share of loops look moved, and fewer than the other by the same time. [-]"""
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
        if zone is not None and _check_not_followed(work, _change_dates(work, zone)):
            find_usual(work)
        _check_shifts(work, work.usual)
    return _quiet_hours(work)


def _whole_days(work: Work) -> bool:
    """Whether the intervals cover the day without holes."""
    n_time = work.veh.shape[2]
    return bool(abs(n_time * work.block.interval_s - 24 * HOUR_S) < 1 and n_time >= 24)


def _check_shifts(work: Work, usual: Usual) -> None:
    """Days whose counts lie at another hour: moved back by whole half hours they fit far better.

    Where many loops look moved on the same day, but not by the same time, it is a day of its own kind and no clock.
    """
    n_day = work.veh.shape[1]
    found: list[tuple[int, int, float]] = []
    n_judged = np.zeros(n_day, dtype=np.int64)
    for part in work.chunks():
        for n in range(n_day):
            rows, hours, judged = _shifted(work, usual, part, n)
            n_judged[n] += judged
            found += [(part.start + i, n, h) for i, h in zip(rows.tolist(), hours.tolist(), strict=True)]
    for n in {n for _, n, _ in found}:
        here = [(i, h) for i, day, h in found if day == n]
        _, counts = np.unique([h for _, h in here], return_counts=True)
        odd_day = len(here) > max(ODD_DAY_SHARE * n_judged[n], 3) and counts.max() < SAME_CLOCK_SHARE * n_judged[n]
        if not odd_day:
            for i, shift_h in here:
                _say_shift(work, i, n, shift_h)


def _shifted(work: Work, usual: Usual, part: slice, n: int) -> tuple[INT, FLOAT, int]:
    """Detectors of a piece whose day n lies at another hour, by how many hours, and how many could be judged."""
    limits = work.limits
    width = max(1, round(BIN_S / work.block.interval_s))
    bin_h = width * work.block.interval_s / HOUR_S
    today = binned(work.veh[part, n], width)
    kind = usual.kinds[n]
    base, variance = binned(usual.veh[part, kind], width), binned(usual.sd_veh[part, kind] ** 2, width)
    both = np.isfinite(today) & np.isfinite(base)
    expected_veh = np.where(both, base, 0.0).sum(axis=1)
    level = np.where(both, today, 0.0).sum(axis=1) / np.maximum(expected_veh, 1.0)
    usual_veh = base
    base, spread = base * level[:, None], variance * np.maximum(level, level**2)[:, None]
    judged = (expected_veh >= limits.shift_least_veh) & (both.sum(axis=1) >= COVERED * today.shape[1])
    as_read = _misfit(today, base, spread)
    # a loop that was silent for a while fits its history in all other hours
    counting = np.where(today > 0, today, np.nan)
    awake = np.nansum(counting, axis=1) / np.maximum(np.where(today > 0, usual_veh, 0.0).sum(axis=1), 1.0)
    then = usual_veh * awake[:, None], variance * np.maximum(awake, awake**2)[:, None]
    judged &= _misfit(counting, *then) > PLAUSIBLE / 2
    rows = np.flatnonzero(judged & (as_read > 1 + CERTAIN * np.sqrt(2 / today.shape[1])))
    if not len(rows):
        return rows, np.zeros(0), int(judged.sum())
    shifts = np.array([s for s in range(-int(MAX_SHIFT_H / bin_h), int(MAX_SHIFT_H / bin_h) + 1) if s])
    fits = np.stack([_misfit(today[rows], *_usual_at(usual, part, rows, n, s, width, level)) for s in shifts.tolist()])
    best = np.argmin(fits, axis=0)
    good = fits[best, np.arange(len(rows))]
    moved = (good < limits.shift_gain * as_read[rows]) & (good < PLAUSIBLE)
    return rows[moved], shifts[best[moved]] * bin_h, int(judged.sum())


def _usual_at(
    usual: Usual, part: slice, rows: INT, n: int, shift: int, width: int, level: FLOAT
) -> tuple[FLOAT32, FLOAT32]:
    """What is usual, and its variance, when the day is read `shift` bins late, with hours of the days beside it."""
    kinds = usual.beside(n)
    means = [binned(usual.veh[part, kind][rows], width) for kind in kinds]
    spreads = [binned(usual.sd_veh[part, kind][rows] ** 2, width) for kind in kinds]
    n_bin = means[1].shape[1]
    window = slice(n_bin - shift, 2 * n_bin - shift)
    mean, spread = np.concatenate(means, axis=1)[:, window], np.concatenate(spreads, axis=1)[:, window]
    own = level[rows, None]
    return np.asarray(mean * own), np.asarray(spread * np.maximum(own, own**2))


def _say_shift(work: Work, i: int, n: int, hours: float) -> None:
    side = "later" if hours > 0 else "earlier"
    work.said["time_zone", i, n] = f"the day lies {abs(hours):g} h {side} on the clock than the loop's history"
    bad = np.zeros((1, *work.veh.shape[1:]), dtype=bool)
    bad[0, n] = True
    work.mark(bad, "time_zone", slice(i, i + 1))


def _check_not_followed(work: Work, changes: dict[date, float]) -> bool:
    """Loops whose days lie at another hour from a clock change on: their clock was not changed. Moved back."""
    any_found = False
    days = work.block.days
    kinds = kinds_of(days)
    for day, by_s in changes.items():
        sides = [
            [n for n, d in enumerate(days) if d and kinds[n] == 0 and (d > day) == later] for later in (False, True)
        ]
        if min(len(side) for side in sides) < work.limits.history_days:
            continue
        width = max(1, round(BIN_S / work.block.interval_s))
        step = round(by_s / (width * work.block.interval_s))
        least = min(len(side) for side in sides)
        after = np.array([n for n, d in enumerate(days) if d and d > day])
        for part in work.chunks():
            old, new = (binned(median(work.veh[part][:, side], axis=1), width) for side in sides)
            level = np.nansum(new, axis=1, keepdims=True) / np.maximum(np.nansum(old, axis=1, keepdims=True), 1.0)
            # medians of days of which each has twice the chance of Poisson, and a tenth of its own
            spread = ((2 * old + (0.1 * old) ** 2) * np.maximum(level, level**2)) / least + 1.0
            old = old * level
            as_read = _misfit(new, old, spread)
            moved = _misfit(new, np.roll(old, -step, axis=1), np.roll(spread, -step, axis=1))
            found = (moved < MEDIAN_GAIN * as_read) & (as_read > 1 + CERTAIN * np.sqrt(2 / new.shape[1]))
            found &= np.nansum(old, axis=1) >= work.limits.shift_least_veh
            for i in (np.flatnonzero(found) + part.start).tolist():
                _move_back(work, i, after, round(by_s / work.block.interval_s), day)
                any_found = True
    return any_found


def _move_back(work: Work, i: int, after: INT, step: int, day: date) -> None:
    """Counts of the days after a change at the hour they belong to; what would come from outside is missing."""
    moved = np.roll(work.veh[i, after].ravel(), step)
    if step > 0:
        moved[:step] = np.nan
    else:
        moved[step:] = np.nan
    work.veh[i, after] = moved.reshape(len(after), -1)
    free = work.code[i, after] == 0
    work.code[i, after] = np.where(free, CODES.index("clock_change") + 1, work.code[i, after])
    work.source[i, after] = np.where(np.isfinite(work.veh[i, after]), MOVED, 0)
    for n in after.tolist():
        work.said["clock_change", i, n] = (
            f"since {day} the counts lie an hour off: the clock change was not followed; moved back"
        )


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
    """Clock changes within the days of the block."""
    dated = [day for day in work.block.days if day is not None]
    return change_days(zone, min(dated), max(dated)) if zone is not None and dated else {}


def hours_left_out(work: Work, zone: str | None) -> NDArray[np.bool_]:
    """Intervals that a forward change of the clocks leaves out, shape (N, K)."""
    out = np.zeros(work.veh.shape[1:], dtype=bool)
    begin_s = work.block.begin_s
    for day, by_s in _change_dates(work, zone).items():
        if by_s > 0 and day in work.block.days:
            at_s = change_at_s(str(zone), day)
            out[work.block.days.index(day)] = (begin_s >= at_s) & (begin_s < at_s + by_s)
    return out


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
