"""Stand-ins for counts that are missing or refused, each with a standard error measured on counts that are known.

Three views of a missing count are weighed against each other: the loop's own history, moved to what the hours around
it, its neighbours and the network did that day; its neighbours alone, where there is no history; and what flow
conservation leaves for it. How far each view is off is learnt by hiding counts that are there: short holes and whole
days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.counting.groups import Groups
from network_data.counting.work import BOOL, FLOAT, FLOAT32, INT, Usual, Work, run_length

AROUND_S = 7200.0
"""How far the hours around a hole tell how busy the loop is. [s]"""
NEIGHBOUR_WEIGHT = 0.5
"""Weight of a neighbour's vehicle beside the loop's own around the hole. [-]"""
NETWORK_WEIGHT_VEH = 60.0
"""Weight of the network's level, in vehicles of the loop's own."""
GAP_INTERVALS = 3
"""Longest hole filled by a straight line where nothing else is known."""
SHORT_INTERVALS, SHORT_S = 4, 7200.0
"""Holes up to so many intervals, or so long, are short: the hours around them still tell."""
HIDE_EVERY = 11
PRIOR_CELLS = 20
"""Weight of all loops' error beside a loop's own, in hidden counts."""
FROM_DAYS, FROM_NEIGHBOURS, FROM_AROUND, FROM_CONSERVATION = 1, 2, 3, 6


@dataclass(frozen=True, eq=False)
class _View:
    """One way to estimate counts of some detectors: values (R, N, K), NaN where it says nothing."""

    source: int
    veh: FLOAT32


def repair(work: Work, groups: Groups, no_hour: BOOL) -> None:
    """Fill what is missing in `work.veh`; `source` says from where, `sd_veh` how sure it is.

    `no_hour` (N, K) are intervals that a clock change leaves out: there is nothing to fill.
    """
    work.sd_veh = np.full(work.veh.shape, np.nan, dtype=np.float32)
    rows = np.flatnonzero(np.isnan(work.veh).any(axis=(1, 2)) & np.isfinite(work.veh).any(axis=(1, 2)))
    side = _beside(groups, work.veh.shape[0])
    if not len(rows):
        return
    hole = np.isnan(work.veh[rows]) & ~no_hour
    short = _short(hole, work.block.interval_s)
    views = _views(work.veh, work, rows, side, groups)
    for which, errors in (
        (hole & short, _errors(work, rows, side, groups, whole_days=False)),
        (hole & ~short, _errors(work, rows, side, groups, whole_days=True)),
    ):
        _fill(work, rows, which, views, errors)


def _short(hole: BOOL, interval_s: float) -> BOOL:
    """Holes whose surroundings still tell something."""
    most = max(SHORT_INTERVALS, round(SHORT_S / interval_s))
    # run_length counts repetitions: a hole of one has none
    again = np.zeros_like(hole)
    again[..., 1:] = hole[..., :-1]
    return hole & (run_length(hole & again) + 1 <= most)


def _fill(work: Work, rows: INT, which: BOOL, views: list[_View], errors: dict[int, FLOAT]) -> None:
    """Weigh the views by their errors; where one is alone it stands as it is."""
    if not which.any() or work.sd_veh is None:
        return
    weights = np.zeros(which.shape, dtype=np.float32)
    total = np.zeros(which.shape, dtype=np.float32)
    heaviest = np.zeros(which.shape, dtype=np.float32)
    source = np.zeros(which.shape, dtype=np.int8)
    for view in views:
        weight = np.where(np.isfinite(view.veh), (1 / errors[view.source])[:, None, None], 0.0).astype(np.float32)
        total += weight * np.nan_to_num(view.veh)
        weights += weight
        source[weight > heaviest] = view.source
        heaviest = np.maximum(heaviest, weight)
    new = which & (weights > 0)
    value = total / np.maximum(weights, np.float32(1e-12))
    i, n, k = np.nonzero(new)
    work.veh[rows[i], n, k] = value[new]
    work.source[rows[i], n, k] = source[new]
    # errors of views that look at the same day lean the same way: the best one's error stands for all
    work.sd_veh[rows[i], n, k] = np.sqrt((value[new] + 1) / heaviest[new])


def _views(veh: FLOAT32, work: Work, rows: INT, side: sparse.csr_array, groups: Groups) -> list[_View]:
    """All views of some detectors, from the counts given."""
    out = []
    if work.usual is not None:
        out.append(_View(FROM_DAYS, _by_history(veh, work.usual, rows, side, work.block.interval_s)))
    known = np.isfinite(out[0].veh) if out else np.zeros((len(rows), *veh.shape[1:]), dtype=bool)
    beside = _by_neighbours(veh, rows, side)
    beside[known] = np.nan
    out.append(_View(FROM_NEIGHBOURS, beside))
    out.append(_View(FROM_CONSERVATION, _by_conservation(veh, rows, groups)))
    nothing = ~known & np.isnan(beside) & np.isnan(out[-1].veh)
    line = _by_line(veh[rows])
    line[~nothing] = np.nan
    out.append(_View(FROM_AROUND, line))
    return out


def _by_history(veh: FLOAT32, usual: Usual, rows: INT, side: sparse.csr_array, interval_s: float) -> FLOAT32:
    """Usual counts at that time, times what else is known of how busy the loop is just then."""
    out = np.full((len(rows), *veh.shape[1:]), np.nan, dtype=np.float32)
    reach = max(1, round(AROUND_S / interval_s))
    near = side[rows]
    for n in range(veh.shape[1]):
        base = usual.on(n)
        both = np.isfinite(veh[:, n]) & np.isfinite(base)
        seen, expected = np.where(both, veh[:, n], 0.0), np.where(both, base, 0.0)
        network = _smooth(seen.sum(axis=0), 1) / np.maximum(_smooth(expected.sum(axis=0), 1), 1e-9)
        network = np.where(expected.sum(axis=0) > 0, network, 1.0)
        own = [_smooth(x[rows], reach) for x in (seen, expected)]
        others = [near @ x for x in (seen, expected)]
        above = own[0] + NEIGHBOUR_WEIGHT * others[0] + NETWORK_WEIGHT_VEH * network
        below = own[1] + NEIGHBOUR_WEIGHT * others[1] + NETWORK_WEIGHT_VEH
        out[:, n] = base[rows] * (above / below)
    return out


def _by_neighbours(veh: FLOAT32, rows: INT, side: sparse.csr_array) -> FLOAT32:
    """The other loops of the cross-section, at their usual share on the same day."""
    out = np.full((len(rows), *veh.shape[1:]), np.nan, dtype=np.float32)
    near = side[rows]
    n_near = np.asarray(near.sum(axis=1)).ravel()
    some = np.flatnonzero(n_near > 0)
    if not len(some):
        return out
    near = near[some]
    for n in range(veh.shape[1]):
        known = np.isfinite(veh[:, n])
        beside = near @ np.where(known, veh[:, n], 0.0)
        beside[near @ known.astype(np.float32) < n_near[some, None]] = np.nan
        own = veh[rows[some], n]
        both = np.isfinite(own) & np.isfinite(beside)
        whole = np.where(both, beside, 0.0).sum(axis=1)
        share = np.where(both, own, 0.0).sum(axis=1) / np.maximum(whole, 1e-9)
        share[(whole <= 0) | (both.sum(axis=1) < 4)] = np.nan
        out[some, n] = share[:, None] * beside
    return out


def _by_conservation(veh: FLOAT32, rows: INT, groups: Groups) -> FLOAT32:
    """What a balance leaves for its one missing member, at the balance's usual ratio."""
    out = np.full((len(rows), *veh.shape[1:]), np.nan, dtype=np.float32)
    at = {int(row): i for i, row in enumerate(rows)}
    for up, down in groups.balances:
        if not any(i in at for i in (*up, *down)):
            continue
        sides = [veh[list(side)] for side in (up, down)]
        whole = [side.sum(axis=0) for side in sides]
        both = np.isfinite(whole[0]) & np.isfinite(whole[1])
        if both.sum() < 4:
            continue
        ratio = float(whole[0][both].sum()) / max(float(whole[1][both].sum()), 1.0)
        factors = (1.0, ratio)
        for s, members in enumerate((up, down)):
            target = whole[1 - s] * np.float32(factors[1 - s] / factors[s])
            for m, i in enumerate(members):
                if i in at:
                    rest = np.delete(sides[s], m, axis=0).sum(axis=0)
                    left = np.maximum(target - rest, 0.0)
                    out[at[i]] = np.where(np.isnan(out[at[i]]), left, out[at[i]])
    return out


def _by_line(veh: FLOAT32) -> FLOAT32:
    """A straight line over short holes."""
    out = np.full(veh.shape, np.nan, dtype=np.float32)
    n_time = veh.shape[2]
    k = np.arange(n_time, dtype=np.int32)
    known = np.isfinite(veh)
    before = np.maximum.accumulate(np.where(known, k, -1), axis=2)
    after = np.minimum.accumulate(np.where(known, k, n_time)[..., ::-1], axis=2)[..., ::-1]
    hole = ~known & (before >= 0) & (after < n_time) & (after - before - 1 <= GAP_INTERVALS)
    i, n, at = np.nonzero(hole)
    a, b = before[hole], after[hole]
    share = (at - a) / (b - a)
    out[hole] = veh[i, n, a] * (1 - share) + veh[i, n, b] * share
    # where a count is known, the line between its neighbours: what the line would have said
    inner = veh[..., 1:-1]
    out[..., 1:-1] = np.where(np.isfinite(inner), (veh[..., :-2] + veh[..., 2:]) / 2, out[..., 1:-1])
    return out


def _errors(work: Work, rows: INT, side: sparse.csr_array, groups: Groups, *, whole_days: bool) -> dict[int, FLOAT]:
    """Mean squared error of each view per expected vehicle, for each row: measured on counts hidden from it. [veh]"""
    hidden = _hidden(work.veh.shape, rows, whole_days=whole_days)
    truth = work.veh[rows]
    veh = work.veh.copy()
    veh[rows] = np.where(hidden, np.nan, truth)
    out = {}
    for view in _views(veh, work, rows, side, groups):
        tested = hidden & np.isfinite(truth) & np.isfinite(view.veh)
        square = np.where(tested, (view.veh - truth) ** 2 / (np.nan_to_num(view.veh) + 1), 0.0)
        n = tested.sum(axis=(1, 2))
        total = square.sum(axis=(1, 2), dtype=float)
        # the middle of all loops, robust against a few wild ones
        everyone = float(np.median(total[n > 0] / n[n > 0])) if (n > 0).any() else UNKNOWN_ERROR_VEH
        out[view.source] = np.maximum((total + PRIOR_CELLS * everyone) / (n + PRIOR_CELLS), LEAST_ERROR_VEH)
    return out


UNKNOWN_ERROR_VEH = 10.0
LEAST_ERROR_VEH = 0.5


def _hidden(shape: tuple[int, ...], rows: INT, *, whole_days: bool) -> BOOL:
    """Which counts to hide: every eleventh, or every eleventh day, in another place for each loop."""
    n, k = np.arange(shape[1])[None, :, None], np.arange(shape[2])[None, None, :]
    d = rows[:, None, None]
    if whole_days and shape[1] > 1:
        return np.broadcast_to((n + 5 * d) % HIDE_EVERY == 0, (len(rows), *shape[1:]))
    return np.asarray((k + 7 * n + 5 * d) % HIDE_EVERY == 0)


def _smooth(value: NDArray[np.floating], reach: int) -> NDArray[np.floating]:
    """Sums over `reach` intervals to either side, cut at the day's ends."""
    n = value.shape[-1]
    sums = np.concatenate([np.zeros((*value.shape[:-1], 1)), np.cumsum(value, axis=-1, dtype=float)], axis=-1)
    k = np.arange(n)
    return np.asarray(sums[..., np.minimum(k + reach + 1, n)] - sums[..., np.maximum(k - reach, 0)])


def _beside(groups: Groups, n: int) -> sparse.csr_array:
    """Which loops lie beside which, as a matrix of ones."""
    one = [i for section in groups.sections for i in section for j in section if i != j]
    other = [j for section in groups.sections for i in section for j in section if i != j]
    found = sparse.csr_array((np.ones(len(one), dtype=np.float32), (one, other)), shape=(n, n))
    found.data[:] = 1.0
    return found
