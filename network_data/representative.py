"""Representative days: a few real days with weights that stand for many, type of day by type of day.

Days are compared interval by interval and detector by detector; the square root makes the chance spread of counts the
same everywhere (1/4 in variance), so that a day's distance to another can be held against chance alone. The days that
stand for others are medoids: real days, whose detectors and hours belong together, not means that no day ever was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from network_data.errors import DemandError

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
MOST_COLUMNS = 50_000
"""Detectors times intervals compared at most; of more a seeded choice is. [-]"""
CHANCE = 0.5**0.5
"""Distance of two days that differ by the chance of counting alone. [√veh]"""
LEAST_SHARED = 0.3
"""Days that share less of their counts are compared by what they share all the same, but never chosen. [-]"""
INTERVALS_VARY = (0.25, 4.0)
"""Bounds on how much more or less days vary in one interval than over the period, in variance. [-]"""
ALIKE = 1.15
"""Days are alike where they lie no farther apart, on the mean, than so many times what chance alone would do. [-]"""
KINDS = ("weekday", "sat", "sun")


@dataclass(frozen=True, eq=False)
class DayChoice:
    """Days that stand for all, by index.

    `weights` add up to 1: the share of days that each stands for. `stands_for` has the chosen day of every day (an
    index into `days`). `within` is the spread of the days behind each chosen one around it beyond chance, per detector
    and interval, as a share of its count there (0 where nothing is known). `beyond_chance` says how far, on the mean,
    days lie from the one that stands for them, over what chance alone would do.
    """

    days: tuple[int, ...]
    weights: tuple[float, ...]
    stands_for: INT  # (N,)
    within: FLOAT  # (S, D, K) [-]
    beyond_chance: float


def kind_of(day: date | None) -> str:
    """`weekday` (Monday to Friday, and days without a date), `sat` or `sun`."""
    return "weekday" if day is None else KINDS[max(0, day.weekday() - 4)]


def representative_days(veh: NDArray[np.floating], kinds: Sequence[str], most: int, *, seed: int = 0) -> DayChoice:
    """Choose the days that stand for all.

    Parameters
    ----------
    veh : ndarray, shape (N, D, K)
        Counts of N days at D detectors in K intervals; NaN where there is none.
    kinds : sequence of str
        Type of each day; each type that occurs gets at least one day of its own, the commonest first where `most` is
        smaller than their number.
    most : int
        Days to choose at most.
    seed : int
        Of the choice of columns where there are more than `MOST_COLUMNS`.

    Returns
    -------
    DayChoice
        In order of the days. With no more days than `most` each stands for itself.

    Raises
    ------
    DemandError
        No days, no counts on any, or `most` below 1.

    Notes
    -----
    k-medoids: medoids are added one by one where they shorten the sum of distances most, then swapped as long as that
    shortens it (Kaufman and Rousseeuw's PAM). A day stands for the nearest days of its own type; where these all differ
    by chance alone, the chosen ones share them evenly.
    """
    n_day = len(veh)
    if n_day == 0 or len(kinds) != n_day or most < 1:
        raise DemandError("days", f"{n_day} days, {len(kinds)} types and {most} to choose; give one type per day")
    if not np.isfinite(veh).any():
        raise DemandError("days", "no day has a count; give counts of the period")
    far, shared = _distances(veh.reshape(n_day, -1), seed)
    able = shared >= LEAST_SHARED * shared.max()
    medoids = list(range(n_day)) if n_day <= most else _medoids(far, kinds, able, most)
    stands = _dealt_out(far, kinds, medoids, _assigned(far, kinds, medoids))
    counts = np.bincount(stands, minlength=len(medoids))
    spread = np.stack([_spread(veh, medoid, np.flatnonzero(stands == s)) for s, medoid in enumerate(medoids)])
    others = [i for i in range(n_day) if medoids[stands[i]] != i]
    mean_far = float(np.mean([far[i, medoids[stands[i]]] for i in others])) if others else CHANCE
    return DayChoice(
        days=tuple(medoids),
        weights=tuple(float(c) / n_day for c in counts),
        stands_for=stands,
        within=spread,
        beyond_chance=mean_far / CHANCE,
    )


def _distances(veh: NDArray[np.floating], seed: int) -> tuple[FLOAT, FLOAT]:
    """Root mean square difference of square roots over what two days share; and each day's share of counts."""
    if veh.shape[1] > MOST_COLUMNS:
        chosen = np.sort(np.random.default_rng(seed).choice(veh.shape[1], MOST_COLUMNS, replace=False))
        veh = veh[:, chosen]
    known = np.isfinite(veh)
    root = np.sqrt(np.maximum(0.0, np.where(known, veh, 0.0))).astype(np.float64)
    mask = known.astype(np.float64)
    both = mask @ mask.T
    square = (root**2 * mask) @ mask.T
    total = np.maximum(0.0, square + square.T - 2 * (root * mask) @ (root * mask).T)
    far = np.sqrt(total / np.maximum(both, 1.0))
    far[both == 0] = far.max(initial=0.0) + 1.0
    np.fill_diagonal(far, 0.0)
    return np.asarray(far), np.asarray(mask.mean(axis=1))


def _medoids(far: FLOAT, kinds: Sequence[str], able: NDArray[np.bool_], most: int) -> list[int]:
    listed = list(kinds)
    order = sorted(set(listed), key=lambda kind: (-listed.count(kind), listed.index(kind)))
    label = np.array(listed)
    chosen: list[int] = []
    for kind in order[:most]:
        mine = np.flatnonzero(label == kind)
        open_to = mine[able[mine]] if able[mine].any() else mine
        chosen.append(int(open_to[np.argmin(far[np.ix_(open_to, mine)].sum(axis=1))]))
    while len(chosen) < min(most, len(far)):
        near = _nearest(far, label, chosen)
        gain = np.array([_gain(far, label, near, i) if able[i] and i not in chosen else -1.0 for i in range(len(far))])
        if gain.max() <= 1e-12:
            break
        chosen.append(int(np.argmax(gain)))
    return sorted(_swapped(far, label, able, chosen))


def _nearest(far: FLOAT, label: NDArray[np.str_], chosen: Sequence[int]) -> FLOAT:
    """Distance of every day to the chosen day that would stand for it."""
    if not chosen:
        return np.full(len(far), np.inf)
    columns = far[:, list(chosen)].copy()
    same = label[:, None] == label[list(chosen)][None, :]
    columns[~same & same.any(axis=1, keepdims=True)] = np.inf
    return np.asarray(columns.min(axis=1))


def _gain(far: FLOAT, label: NDArray[np.str_], near: FLOAT, i: int) -> float:
    mine = label == label[i]
    return float(np.maximum(0.0, near[mine] - far[mine, i]).sum())


def _swapped(far: FLOAT, label: NDArray[np.str_], able: NDArray[np.bool_], chosen: list[int]) -> list[int]:
    """Swap a chosen day with another of its type as long as the sum of distances shrinks; best swap first."""
    best = float(_nearest(far, label, chosen).sum())
    while True:
        found = None
        for n, old in enumerate(chosen):
            for i in np.flatnonzero((label == label[old]) & able).tolist():
                if i in chosen:
                    continue
                trial = [*chosen[:n], i, *chosen[n + 1 :]]
                total = float(_nearest(far, label, trial).sum())
                if total < best - 1e-9:
                    best, found = total, trial
        if found is None:
            return chosen
        chosen = found


def _assigned(far: FLOAT, kinds: Sequence[str], medoids: Sequence[int]) -> INT:
    label = np.array(list(kinds))
    columns = far[:, list(medoids)].copy()
    same = label[:, None] == label[list(medoids)][None, :]
    columns[~same & same.any(axis=1, keepdims=True)] = np.inf
    out = columns.argmin(axis=1)
    out[list(medoids)] = np.arange(len(medoids))
    return np.asarray(out, np.int64)


def _dealt_out(far: FLOAT, kinds: Sequence[str], medoids: Sequence[int], stands: INT) -> INT:
    """Where days of a type differ by chance alone the nearest means nothing: the chosen ones share them evenly."""
    label, out = np.array(list(kinds)), stands.copy()
    for kind in set(label[list(medoids)].tolist()):
        mine = np.flatnonzero(label == kind)
        apart = far[np.ix_(mine, mine)]
        n = len(mine)
        if n > 1 and float(apart.sum()) / (n * (n - 1)) < ALIKE * CHANCE:
            chosen = [s for s, medoid in enumerate(medoids) if label[medoid] == kind]
            others = [i for i in mine.tolist() if i not in medoids]
            out[others] = [chosen[at % len(chosen)] for at in range(len(others))]
    return out


def _spread(veh: NDArray[np.floating], medoid: int, members: INT) -> FLOAT:
    """Spread of the members' counts around the medoid's beyond chance, as a share of its count; (D, K).

    Single cells would be noise: the variance is that of the detector over all intervals, times how much more or less
    all detectors together vary in the interval.
    """
    centre = np.asarray(veh[medoid], np.float64)
    others = np.asarray(veh[members[members != medoid]], np.float64)
    known = np.isfinite(others) & np.isfinite(centre)
    n = known.sum(axis=0)
    if not n.any():
        return np.zeros_like(centre)
    middle = np.where(np.isfinite(centre), centre, 0.0)
    square = np.where(known, (others - middle) ** 2, 0.0).sum(axis=0) / np.maximum(n, 1)
    chance = np.where(known, others, 0.0).sum(axis=0) / np.maximum(n, 1) + middle  # of the difference of two counts
    excess, size = np.where(n > 0, square - chance, 0.0), np.where(n > 0, middle**2, 0.0)
    whole = excess.sum() / max(size.sum(), 1e-9)
    if whole <= 0:
        return np.zeros_like(centre)
    of_detector = np.maximum(0.0, _over(excess.sum(axis=1), size.sum(axis=1)))
    of_interval = np.clip(_over(excess.sum(axis=0), size.sum(axis=0)) / whole, *INTERVALS_VARY)
    return np.asarray(np.sqrt(of_detector[:, None] * of_interval[None, :]))


def _over(total: FLOAT, size: FLOAT) -> FLOAT:
    return np.asarray(np.divide(total, size, out=np.zeros_like(total), where=size > 0))
