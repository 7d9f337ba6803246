"""Quality rules that hold a detector against its own history: days and lasting changes of level, drift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from network_data.counting.work import CODES, FLOAT, Usual, Work, day_ratio

PASSES = 4
"""Most lasting changes told apart in one detector's history."""
EXTRA_SPREAD = 0.02
"""Day-to-day spread of a detector's level that is always allowed for. [-]"""
INT = NDArray[np.int64]


def check_levels(work: Work) -> None:
    """Days far from a loop's usual level, lasting changes of level, and drift; needs what is usual.

    The level of a day is counted over usual vehicles, relative to all other loops that day. Days beyond `level_low` and
    `level_high` are refused; smaller changes that last are said and kept, since a road may change too; a drift is taken
    back to the level of its first days.
    """
    if work.usual is None:
        return
    level, expected = levels_of(work, work.usual)
    judged = expected * 3600 / (work.block.interval_s * work.veh.shape[2]) >= work.limits.least_vph
    level[~judged | (expected < work.limits.dead_expected_veh)] = np.nan
    _far_days(work, level)
    with np.errstate(divide="ignore"):
        log_level = np.where(level > 0, np.log(np.maximum(level, 1e-6)), np.nan)
    far = np.abs(log_level) > np.log(min(work.limits.level_high, 1 / work.limits.level_low))
    noise = np.sqrt(EXTRA_SPREAD**2 + 2 / np.maximum(expected, 1.0))
    _lasting(work, log_level, far, noise)


def levels_of(work: Work, usual: Usual) -> tuple[FLOAT, FLOAT]:
    """Each detector's day as a multiple of its usual one at that day's traffic, and the usual vehicles, (D, N)."""
    pairs = [day_ratio(work.veh[:, n], usual.on(n)) for n in range(work.veh.shape[1])]
    return np.stack([ratio for ratio, _ in pairs], axis=1), np.stack([expected for _, expected in pairs], axis=1)


def _far_days(work: Work, level: FLOAT) -> None:
    odd = (level < work.limits.level_low) | (level > work.limits.level_high)
    for i, n in np.argwhere(odd):
        work.said["level", int(i), int(n)] = (
            f"the day's level is {level[i, n]:.2g} times the loop's usual one while other loops are as usual"
        )
    for i in np.flatnonzero(odd.any(axis=1)).tolist():
        bad = np.zeros((1, *work.veh.shape[1:]), dtype=bool)
        bad[0, odd[i]] = True
        work.mark(bad, "level", slice(i, i + 1))


def _lasting(work: Work, x: FLOAT, far: NDArray[np.bool_], noise: FLOAT) -> None:
    """Changes that last and drifts, several in one history."""
    limits = work.limits
    open_days = np.isfinite(x) & ~far
    for step in range(PASSES):
        rows = np.flatnonzero(open_days.sum(axis=1) >= max(2 * limits.step_days, 5))
        if not len(rows):
            return
        days, own, use = x[rows], noise[rows], open_days[rows]
        segment = best_segment(np.where(use, days, 0.0), use, limits.step_days)
        line = fitted_line(days, use)
        n = use.sum(axis=1)
        floor = np.where(use, own**2, 0.0).sum(axis=1)
        straight = _bic(line.left + floor, n, 2) < _bic(segment.left + floor, n, 4)
        steps = np.abs(segment.change) > np.log1p(limits.step)
        steps &= segment.certainty(n, floor) > limits.step_certainty
        drifts = (np.abs(line.change) > limits.drift) & (line.certainty(floor) > limits.drift_certainty)
        drifts &= (n >= limits.drift_days) & (step == 0) & (straight | ~steps)
        steps &= ~drifts
        for r in np.flatnonzero(drifts).tolist():
            _undo_drift(work, int(rows[r]), use[r], line.slope[r], line.change[r])
            open_days[rows[r]] = False
        for r in np.flatnonzero(steps).tolist():
            i, first, last = int(rows[r]), int(segment.first[r]), int(segment.last[r])
            changed = np.zeros(x.shape[1], dtype=bool)
            changed[first:last] = True
            if first <= int(np.argmax(use[r])):  # a change is told by what comes later
                changed = ~changed
            _say_step(work, i, changed & use[r], segment.change[r] if changed[first] else -segment.change[r])
            open_days[i] &= ~changed
        open_days[rows[~steps & ~drifts]] = False


def _say_step(work: Work, i: int, days: NDArray[np.bool_], change: float) -> None:
    for n in np.flatnonzero(days).tolist():
        work.said["level", i, n] = (
            f"the level changed to {np.exp(change):.2g} times what it was on other days, and stayed so; "
            "kept, since the road may have changed"
        )


def _undo_drift(work: Work, i: int, use: NDArray[np.bool_], slope: float, change: float) -> None:
    """Bring a drifting loop back to the level of its first days."""
    first = int(np.argmax(use))
    for n in np.flatnonzero(use).tolist():
        good = np.isfinite(work.veh[i, n])
        work.veh[i, n, good] *= np.float32(np.exp(-slope * (n - first)))
        work.code[i, n, good] = CODES.index("drift") + 1
        work.source[i, n, good] = 4
        work.said["drift", i, n] = (
            f"the level drifts by {np.expm1(change):+.0%} over all days against all other loops; "
            "set back to that of the first days"
        )


class Segment:
    """The stretch of days that differs most from the others: [first, last), by how much, and the squares left over."""

    def __init__(self, first: INT, last: INT, n_in: INT, change: FLOAT, left: FLOAT) -> None:
        self.first, self.last, self.n_in, self.change, self.left = first, last, n_in, change, left

    def certainty(self, n: INT, floor: FLOAT) -> FLOAT:
        """Change in standard errors. [-]"""
        variance = np.maximum(self.left / np.maximum(n - 3, 1), floor / np.maximum(n, 1))
        n_out = np.maximum(n - self.n_in, 1)
        return np.asarray(np.abs(self.change) / np.sqrt(variance * (1 / np.maximum(self.n_in, 1) + 1 / n_out)))


def best_segment(x: FLOAT, use: NDArray[np.bool_], least: int) -> Segment:
    """For each row of `x` (D, N), the stretch whose mean differs most from the rest; `x` is 0 where not `use`."""
    n_row, n_day = x.shape
    total, count = x.sum(axis=1), use.sum(axis=1)
    sums = np.concatenate([np.zeros((n_row, 1)), np.cumsum(x, axis=1)], axis=1)
    counts = np.concatenate([np.zeros((n_row, 1), dtype=np.int64), np.cumsum(use, axis=1)], axis=1)
    best, first, last = np.zeros(n_row), np.zeros(n_row, dtype=np.int64), np.zeros(n_row, dtype=np.int64)
    everyone = np.arange(n_row)
    for a in range(n_day):
        n_in = counts[:, a + 1 :] - counts[:, [a]]
        n_out = count[:, None] - n_in
        inside = sums[:, a + 1 :] - sums[:, [a]]
        enough = (n_in >= least) & (n_out >= least)
        gap = inside / np.maximum(n_in, 1) - (total[:, None] - inside) / np.maximum(n_out, 1)
        gain = np.where(enough, gap**2 * n_in * n_out / np.maximum(count, 1)[:, None], 0.0)
        at = np.argmax(gain, axis=1)
        better = gain[everyone, at] > best
        best = np.where(better, gain[everyone, at], best)
        first, last = np.where(better, a, first), np.where(better, a + 1 + at, last)
    n_in = counts[everyone, last] - counts[everyone, first]
    inside = sums[everyone, last] - sums[everyone, first]
    change = inside / np.maximum(n_in, 1) - (total - inside) / np.maximum(count - n_in, 1)
    squares = (x**2).sum(axis=1) - total**2 / np.maximum(count, 1)
    return Segment(first, last, n_in, np.where(best > 0, change, 0.0), np.maximum(squares - best, 0.0))


class Line:
    """A straight line through each row: slope per day, change over all days, the squares left over."""

    def __init__(self, slope: FLOAT, change: FLOAT, left: FLOAT, spread: FLOAT, n: INT) -> None:
        self.slope, self.change, self.left, self.spread, self.n = slope, change, left, spread, n

    def certainty(self, floor: FLOAT) -> FLOAT:
        """Slope in standard errors. [-]"""
        variance = np.maximum(self.left / np.maximum(self.n - 2, 1), floor / np.maximum(self.n, 1))
        return np.asarray(np.abs(self.slope) * np.sqrt(self.spread / variance))


def fitted_line(x: FLOAT, use: NDArray[np.bool_]) -> Line:
    """Least squares over the used days of each row."""
    n = use.sum(axis=1)
    day = np.where(use, np.arange(x.shape[1])[None, :], 0.0)
    value = np.where(use, x, 0.0)
    mean_day, mean = (v.sum(axis=1) / np.maximum(n, 1) for v in (day, value))
    off = np.where(use, day - mean_day[:, None], 0.0)
    spread = np.maximum((off**2).sum(axis=1), 1e-9)
    slope = (off * value).sum(axis=1) / spread
    fit = mean[:, None] + slope[:, None] * off
    left = np.where(use, (value - fit) ** 2, 0.0).sum(axis=1)
    first = np.argmax(use, axis=1)
    last = x.shape[1] - 1 - np.argmax(use[:, ::-1], axis=1)
    return Line(slope, slope * (last - first), left, spread, n)


def _bic(left: FLOAT, n: INT, parameters: int) -> FLOAT:
    """Bayes' information criterion: smaller explains better for its number of parameters."""
    count = np.maximum(n, 1)
    return np.asarray(count * np.log(np.maximum(left, 1e-12) / count) + parameters * np.log(count))
