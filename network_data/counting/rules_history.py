"""Quality rules that hold a detector against its own history: days and lasting changes of level, drift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from network_data.counting.work import CODES, FLOAT, Usual, Work, day_ratio, median, run_length

PASSES = 4
"""Most lasting changes told apart in one detector's history."""
CLEARLY = 6.0
"""A break explains better than a drift where Bayes' criterion says so by this much. [-]"""
LEAST_LEVEL = 1e-3
TINY = 1e-12
HALF = 0.5
HISTORY_DAYS = 5
"""So many first days are a history that later ones are held against; fewer are the exception themselves."""
DRIFT_OVER_DAYS = 14
EXTRA_SPREAD = 0.02
"""Day-to-day spread of a detector's level that is always allowed for. [-]"""
INT = NDArray[np.int64]


def check_levels(work: Work) -> bool:
    """Days far from a loop's usual level, lasting changes of level, and drift; needs what is usual.

    The level of a day is counted over usual vehicles, relative to all other loops that day. Days beyond `level_low` and
    `level_high` are refused; smaller changes that last are said and kept, since a road may change too; a drift is taken
    back to the level of its first days. Returns whether days were refused or said to differ.
    """
    if work.usual is None:
        return False
    level, expected = levels_of(work, work.usual)
    judged = expected * 3600 / (work.block.interval_s * work.veh.shape[2]) >= work.limits.least_vph
    level[~judged | (expected < work.limits.dead_expected_veh)] = np.nan
    noise = np.sqrt(EXTRA_SPREAD**2 + 2 / np.maximum(expected, 1.0))
    log_level = _logs(level)
    drifting = _drifts(work, log_level, noise)
    level[drifting] = np.nan
    log_level[drifting] = np.nan
    lasting = _lasting(work, log_level, _lone_far_days(work, log_level), noise)
    work.refuse_days(np.abs(lasting) > _far(work), "level")
    log_level[lasting != 0] = np.nan
    return _far_days(work, log_level) or bool((lasting != 0).any())


def _far(work: Work) -> float:
    """Log of a level beyond which a day is refused."""
    return float(np.log(min(work.limits.level_high, 1 / work.limits.level_low)))


def _logs(level: FLOAT) -> FLOAT:
    return np.asarray(np.log(np.maximum(level, LEAST_LEVEL)))


def levels_of(work: Work, usual: Usual) -> tuple[FLOAT, FLOAT]:
    """Each detector's day as a multiple of its usual one at that day's traffic, and the usual vehicles, (D, N)."""
    pairs = [day_ratio(work.veh[:, n], usual.on(n)) for n in range(work.veh.shape[1])]
    return np.stack([ratio for ratio, _ in pairs], axis=1), np.stack([expected for _, expected in pairs], axis=1)


def _lone_far_days(work: Work, x: FLOAT) -> NDArray[np.bool_]:
    """Days far from the usual level that do not last: with those half as far, fewer in a row than `step_days`."""
    off = np.abs(x) > HALF * _far(work)
    again = np.zeros_like(off)
    again[:, 1:] = off[:, :-1]
    return (np.abs(x) > _far(work)) & (run_length(off & again) + 1 < work.limits.step_days)


def _far_days(work: Work, x: FLOAT) -> bool:
    """Refuse days far from the level of the days that no other rule has spoken about."""
    level = np.exp(x - median(x, axis=1)[:, None])
    odd = (level < work.limits.level_low) | (level > work.limits.level_high)
    for i, n in np.argwhere(odd).tolist():
        work.said["level", i, n] = (
            f"the day's level is {level[i, n]:.2g} times the loop's usual one while other loops are as usual"
        )
    work.refuse_days(odd, "level")
    return bool(odd.any())


def _drifts(work: Work, x: FLOAT, noise: FLOAT) -> NDArray[np.bool_]:
    """Find loops whose level moves steadily, and undo it; (D,)."""
    limits, n_day = work.limits, x.shape[1]
    use = np.isfinite(x)
    n = use.sum(axis=1)
    floor = np.where(use, noise**2, 0.0).sum(axis=1)
    line = fitted_line(x, use)
    # over longer histories traffic itself develops, as the root of time
    longer = np.sqrt(max(1.0, n_day / DRIFT_OVER_DAYS))
    found = (np.abs(line.change) > longer * limits.drift) & (line.certainty(floor) > limits.drift_certainty)
    found = np.asarray(found & (n >= limits.drift_days))
    rows = np.flatnonzero(found)
    if len(rows):
        segment = best_segment(np.where(use[rows], x[rows], 0.0), use[rows], limits.step_days)
        steps = segment.certainty(n[rows], floor[rows]) > limits.step_certainty
        steps &= np.abs(segment.change) > np.log1p(limits.step)
        broken = _bic(segment.left + floor[rows], n[rows], 4) + CLEARLY < _bic(
            line.left[rows] + floor[rows], n[rows], 2
        )
        found[rows[steps & broken]] = False
    for i in np.flatnonzero(found).tolist():
        _undo_drift(work, i, use[i], line.slope[i], line.change[i])
    return found


def _lasting(work: Work, x: FLOAT, far: NDArray[np.bool_], noise: FLOAT) -> FLOAT:
    """Find changes that last, several in one history; the log of the change on the days concerned, 0 elsewhere."""
    limits, out = work.limits, np.zeros(x.shape)
    open_days = np.isfinite(x) & ~far
    for _ in range(PASSES):
        rows = np.flatnonzero(open_days.sum(axis=1) >= max(2 * limits.step_days, 5))
        if not len(rows):
            break
        use = open_days[rows]
        segment = best_segment(np.where(use, x[rows], 0.0), use, limits.step_days)
        floor = np.where(use, noise[rows] ** 2, 0.0).sum(axis=1)
        steps = np.abs(segment.change) > np.log1p(limits.step)
        steps &= segment.certainty(use.sum(axis=1), floor) > limits.step_certainty
        for r in np.flatnonzero(steps).tolist():
            i, first, last = int(rows[r]), int(segment.first[r]), int(segment.last[r])
            changed = np.zeros(x.shape[1], dtype=bool)
            changed[first:last] = True
            if (
                not use[r, :first].any() or not use[r, last:].any()
            ):  # two blocks: the later one is held against the first
                cut = last if not use[r, :first].any() else first
                changed = np.arange(x.shape[1]) >= cut
                if use[r, :cut].sum() < HISTORY_DAYS:
                    changed = ~changed  # too few days to be a history
            elif segment.n_in[r] > HALF * use[r].sum():  # the odd days are those at both ends, each too few to tell
                open_days[i] = False
                continue
            change = float(segment.change[r] if changed[first] else -segment.change[r])
            changed = _trimmed(changed & use[r], x[i], float(np.mean(x[i, use[r] & ~changed])), change)
            if changed.sum() < limits.step_days:
                open_days[i] = False
                continue
            out[i, changed] = change
            _say_step(work, i, changed, change)
            open_days[i] &= ~changed
        open_days[rows[~steps]] = False
    return out


def _trimmed(days: NDArray[np.bool_], x: FLOAT, other: float, change: float) -> NDArray[np.bool_]:
    """The days of a change without those at its ends that lie nearer to the other days."""
    at = np.flatnonzero(days)
    moved = (x[at] - other) / change > HALF
    if not moved.any():
        return np.zeros_like(days)
    out = np.zeros_like(days)
    out[at[np.argmax(moved) : len(at) - int(np.argmax(moved[::-1]))]] = True
    return out


def _say_step(work: Work, i: int, days: NDArray[np.bool_], change: float) -> None:
    text = f"the level changed to {np.exp(change):.2g} times what it was on other days, and stayed so"
    if abs(change) <= _far(work):
        text += "; kept, since the road may have changed"
    for n in np.flatnonzero(days).tolist():
        work.said["level", i, n] = text


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
        return np.asarray(
            np.abs(self.change) / np.sqrt(np.maximum(variance, TINY) * (1 / np.maximum(self.n_in, 1) + 1 / n_out))
        )


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
        return np.asarray(np.abs(self.slope) * np.sqrt(self.spread / np.maximum(variance, TINY)))


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
