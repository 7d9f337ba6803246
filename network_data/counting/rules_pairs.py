"""Quality rules that hold detectors against each other: swapped neighbours, sums up and down a road."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from network_data.counting.groups import Groups
from network_data.counting.rules_clock import binned
from network_data.counting.work import BOOL, CODES, FLOAT, FLOAT32, INT, Usual, Work, day_ratio, median

CLEAR_MISFIT = 1.5
"""Counts must be so far from usual, in variances, before a swap is looked for. [-]"""
CLUMPS = 2.0
"""Variance of counts over that of Poisson ones. [-]"""
SHARE_SPREAD = 0.05
"""Spread of a lane's share of an hour's traffic, beside chance. [-]"""
SAME_SUM = 0.15
"""Log of a day's total over another loop's usual one, below which it may be that loop's. [-]"""
CERTAIN = 4.0
"""Standard deviations beyond which a change of balance is no chance."""
USUAL_SPREAD = 0.03
"""Spread of the balance that is always allowed for. [-]"""
MAX_PAIRS_AT_ONCE = 20_000
BIN_S = 3600.0
Balance = tuple[tuple[int, ...], tuple[int, ...]]


def check_swapped(work: Work, groups: Groups) -> None:
    """Days on which two loops of a cross-section trade places: each looks like the other's history."""
    if work.usual is None:
        return
    pairs = np.array([pair for section in groups.sections for pair in combinations(section, 2)], dtype=np.int64)
    for a in range(0, len(pairs), MAX_PAIRS_AT_ONCE):
        _check_pairs(work, work.usual, pairs[a : a + MAX_PAIRS_AT_ONCE])


def _check_pairs(work: Work, usual: Usual, pairs: INT) -> None:
    """Hours are compared, since short counts differ too little to tell two loops apart."""
    limits = work.limits
    rows, at = np.unique(pairs, return_inverse=True)
    one, other = at.reshape(pairs.shape).T
    width = max(1, round(BIN_S / work.block.interval_s))
    for n in range(work.veh.shape[1]):
        today = binned(work.veh[rows, n], width)
        base = binned(usual.on(n)[rows], width)
        variance = binned(usual.sd_veh[rows, usual.kinds[n]] ** 2, width)
        differ = np.nansum(np.abs(base[one] - base[other]), axis=1) >= limits.swap_least_veh

        def fit(
            seen: INT, like: INT, today: FLOAT32 = today, base: FLOAT32 = base, spread: FLOAT32 = variance
        ) -> FLOAT:
            return _misfit(today[seen], base[like], spread[like])

        as_read, swapped = fit(one, one) + fit(other, other), fit(one, other) + fit(other, one)
        found = (as_read > 2 * CLEAR_MISFIT) & (swapped < limits.swap_gain * as_read)
        # neither may look like itself: one loop at fault is no swap
        found &= (fit(one, one) > fit(one, other)) & (fit(other, other) > fit(other, one))
        found |= _shares_swapped(today[one], today[other], base[one], base[other], limits.swap_gain)
        found &= differ
        for a, b in pairs[found].tolist():
            if ("swapped", a, n) not in work.said and ("swapped", b, n) not in work.said:
                _undo_swap(work, a, b, n)


def _shares_swapped(a: FLOAT32, b: FLOAT32, base_a: FLOAT32, base_b: FLOAT32, gain: float) -> BOOL:
    """Pairs of which each carries the other's usual total, and the other's share of their sum hour by hour."""
    total, usual = a + b, np.maximum(base_a + base_b, 1e-6)
    share = base_a / usual
    spread = np.maximum(CLUMPS * total * share * (1 - share) + (SHARE_SPREAD * total) ** 2, 1.0)
    as_read, swapped = (_misfit(a, total * part, spread) for part in (share, 1 - share))
    seen = np.isfinite(total) & np.isfinite(usual)
    as_other = np.ones(len(a), dtype=bool)
    for own, like in ((a, base_b), (b, base_a)):
        sums = [np.where(seen, x, 0.0).sum(axis=1, dtype=float) for x in (own, like)]
        as_other &= np.abs(np.log(np.maximum(sums[0], 1.0) / np.maximum(sums[1], 1.0))) < SAME_SUM
    return np.asarray(as_other & (as_read > CLEAR_MISFIT) & (swapped < gain * as_read))


def _undo_swap(work: Work, a: int, b: int, n: int) -> None:
    work.veh[[a, b], n] = work.veh[[b, a], n]
    for i, partner in ((a, b), (b, a)):
        good = np.isfinite(work.veh[i, n])
        work.code[i, n][good & (work.code[i, n] == 0)] = CODES.index("swapped") + 1
        work.source[i, n][good] = 5
        name = work.block.detectors[partner]
        work.said["swapped", i, n] = f"counts look like those of {name!r} beside it, and the other way round; put back"


def _misfit(veh: FLOAT32, base: FLOAT32, variance: FLOAT32) -> FLOAT:
    """Mean square of the differences in standard deviations; 1 is as usual, 0 where too little can be compared."""
    square = (veh - base) ** 2 / np.maximum(variance, 1.0)
    seen = np.isfinite(square)
    mean = np.where(seen, square, 0.0).sum(axis=1, dtype=float) / np.maximum(seen.sum(axis=1), 1)
    return np.asarray(np.where(seen.sum(axis=1) >= min(4, base.shape[1]), mean, 0.0))


def check_balances(work: Work, groups: Groups) -> None:
    """Days on which sums up and down a road disagree: beyond `balance`, or clearly more than on other days.

    The verdict names the detector that is furthest from its own history or, without one, the one that no other sum
    vouches for.
    """
    if not groups.balances:
        return
    log_ratio, least = _log_ratios(work, groups.balances)
    limits = work.limits
    noise = np.sqrt(USUAL_SPREAD**2 + 4 / np.maximum(least, 1.0))
    odd = np.abs(log_ratio) > np.maximum(np.log1p(limits.balance), CERTAIN * noise)
    if log_ratio.shape[1] >= limits.history_days:
        usual = median(log_ratio, axis=1, least=limits.history_days)[:, None]
        spread = 1.4826 * median(np.abs(log_ratio - usual), axis=1, least=limits.history_days)[:, None]
        certain = CERTAIN * np.sqrt(spread**2 + noise**2)
        odd |= np.abs(log_ratio - usual) > np.maximum(np.log1p(limits.balance_usual), certain)
    odd &= least >= limits.balance_least_veh
    tested = np.isfinite(log_ratio) & (least >= limits.balance_least_veh)
    vouched = _vouched(groups.balances, tested & ~odd, work.veh.shape[:2])
    for b, n in np.argwhere(odd).tolist():
        _say_balance(work, groups.balances[b], n, log_ratio[b, n], vouched)


def _log_ratios(work: Work, balances: tuple[Balance, ...]) -> tuple[FLOAT, FLOAT]:
    """Log of the sum before over the sum behind, and the smaller sum; shape (balances, N), NaN where not counted."""
    out, least = (np.full((len(balances), work.veh.shape[1]), np.nan) for _ in range(2))
    for b, (up, down) in enumerate(balances):
        before, behind = (work.veh[list(side)].sum(axis=0, dtype=float) for side in (up, down))
        both = np.isfinite(before) & np.isfinite(behind)
        sums = [np.where(both, side, 0.0).sum(axis=1) for side in (before, behind)]
        enough = both.sum(axis=1) >= min(4, work.veh.shape[2])
        least[b] = np.where(enough, np.minimum(*sums), 0.0)
        out[b] = np.where(enough & (np.maximum(*sums) > 0), np.log((sums[0] + 1) / (sums[1] + 1)), np.nan)
        least[b] = np.where(enough, np.maximum(*sums), 0.0)
    return out, least


def _vouched(balances: tuple[Balance, ...], intact: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Detectors and days with a balance that holds."""
    out = np.zeros(shape, dtype=bool)
    for (up, down), days in zip(balances, intact, strict=True):
        out[np.ix_(np.array([*up, *down]), np.flatnonzero(days))] = True
    return out


def _say_balance(work: Work, balance: Balance, n: int, log_ratio: float, vouched: NDArray[np.bool_]) -> None:
    """The verdict goes to the likeliest of all detectors involved; its text names the sums."""
    up, down = balance
    members = [*up, *down]
    suspects = [i for i in members if not vouched[i, n]] or members
    culprit = suspects[0]
    if work.usual is not None:
        ratio, _ = day_ratio(work.veh[members, n], work.usual.on(n)[members])
        off = np.abs(np.log(np.maximum(np.nan_to_num(ratio, nan=1.0), 1e-3)))
        culprit = members[int(np.argmax(off))]
    names = [" + ".join(repr(work.block.detectors[i]) for i in side[:4]) for side in (up, down)]
    text = f"{names[0]} count {np.exp(log_ratio):.2f} times what {names[1]} count"
    if len(suspects) > 1 and work.usual is None:
        text += f"; one of {len(suspects)} is wrong"
    work.said.setdefault(("balance", culprit, n), text)
