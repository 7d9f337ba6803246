"""Saturation headway and start-up loss from single departures: where in each green did the queue end?

A queue departs in even headways; behind it vehicles come as they arrive. Which vehicle was the last of the queue is not
seen at the stop bar, so it is a hidden number of each green. Headways of the queue (one log-normal law per place up to
the fourth, one for all later places) and of arrivals (a minimum and an exponential rest) give the likelihood of every
such number; both laws and the numbers are found together by expectation and maximization. No threshold cuts headways
off, so long ones of trucks count where the queue goes on behind them. What the loop shows in the red (somebody stands
there, or nobody) tells the saturated cycles outright.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from network_data.discharge.greens import FLOAT, Greens

BOOL = NDArray[np.bool_]
START_PLACES = 4
"""Vehicles of a queue whose headways hold start-up losses (HCM). [veh]"""
YELLOW_USE_S = 4.0
"""Departures so long after the end of green still belong to it. [s]"""
STANDS_S = 5.0
"""A loop that is never occupied for so long does not show who stands on it. [s]"""
LEAST_ARRIVAL_S = 1.0
"""Vehicles that arrive one behind the other in one lane are at least so far apart. [s]"""
SPREAD = (0.08, 0.6)
"""Bounds on the spread of the logarithm of a queue's headways, so that no law closes around a single one. [-]"""
ROUNDS = 200
STARTS_S, AS_LIKELY = (1.7, 2.0, 2.4), 2.0
"""First guesses of the saturation headway [s]; laws whose log-likelihood is so near to the best explain as well (the
95 % point of a likelihood ratio with one degree of freedom is 1.92)."""
HINDERED_S = 5.0
"""Longer headways in a queue come from outside: no room behind the junction, somebody who crosses. [s]"""
CLOSE_TIMES = 2.0
"""Who follows within so many saturation headways had to slow down for the queue, or might have. [-]"""
SMALL = 1e-300


@dataclass(frozen=True, eq=False)
class Departures:
    """Vehicles of a lane by green, in order: K greens, up to N vehicles.

    `headway_s` is that behind the vehicle before, of the first that behind the begin of green; NaN beyond the last one
    that departed on green. `rest_s` is what is left of the green behind it. `standing` tells whether somebody stood at
    the stop line in the red that followed: +1 yes, −1 no, 0 not known.
    """

    headway_s: FLOAT  # (K, N)
    rest_s: FLOAT  # (K,)
    standing: NDArray[np.int8]  # (K,)
    last_s: FLOAT  # (K,) last departure behind the end of green, NaN without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDischarge:
    """What the departures say. Headways behind the fourth vehicle count: `n_headway` of them, in `n_green` greens."""

    headway_s: Range
    startup_loss_s: Range | None
    end_use_s: Range | None
    n_green: int
    n_saturated: int
    n_headway: float


def departures(greens: Greens, off_s: FLOAT, on_s: FLOAT | None = None) -> Departures:
    """Sort departures into greens.

    Parameters
    ----------
    off_s : ndarray, shape (V,)
        When each vehicle left the loop at the stop bar, in order. [s]
    on_s : ndarray, shape (V,), optional
        When it came onto it; needed to know who stands there in the red. [s]
    """
    n_green = len(greens)
    until = greens.end_s + YELLOW_USE_S
    until[:-1] = np.minimum(until[:-1], greens.start_s[1:])
    first, last = np.searchsorted(off_s, greens.start_s), np.searchsorted(off_s, greens.end_s, side="right")
    beyond = np.searchsorted(off_s, until)
    counts = last - first
    most = int(counts.max(initial=0))
    headway = np.full((n_green, most), np.nan)
    rest, behind = greens.end_s - greens.start_s, np.full(n_green, np.nan)
    for k in range(n_green):
        times = off_s[first[k] : last[k]]
        headway[k, : len(times)] = np.diff(times, prepend=greens.start_s[k])
        if len(times):
            rest[k] = greens.end_s[k] - times[-1]
            behind[k] = off_s[beyond[k] - 1] - greens.end_s[k]
    standing = np.zeros(n_green, np.int8) if on_s is None else _standing(greens, on_s, off_s)
    return Departures(headway, np.maximum(0.0, rest), standing, behind)


def _standing(greens: Greens, on_s: FLOAT, off_s: FLOAT) -> NDArray[np.int8]:
    """Whether the loop is occupied from early in each red on; not known of loops that only pulse."""
    if not (off_s - on_s > STANDS_S).any():
        return np.zeros(len(greens), np.int8)
    look_s = greens.end_s + YELLOW_USE_S
    n = np.searchsorted(on_s, look_s, side="right") - 1  # the last that came before
    here = (n >= 0) & (off_s[np.maximum(n, 0)] > look_s + 1.0)
    soon = np.zeros(len(greens), np.bool_)
    after = np.minimum(n + 1, max(0, len(on_s) - 1))
    if len(on_s):
        soon = (n + 1 < len(on_s)) & (on_s[after] < look_s + 1.0)
    return np.where(here, 1, np.where(soon, 0, -1)).astype(np.int8)


@dataclass
class _Laws:
    """Log-normal laws of the places in a queue (the last one for all places behind), exponential law of arrivals.

    `ending` is the chance that a queue ends behind a vehicle of it.
    """

    mean: FLOAT  # (START_PLACES + 1,) of the logarithm
    spread: FLOAT
    rate: float
    ending: float

    def of_queue(self, h: FLOAT) -> FLOAT:
        place = np.minimum(np.arange(h.shape[1]), START_PLACES)
        mean, spread = self.mean[place], self.spread[place]
        with np.errstate(invalid="ignore", divide="ignore"):
            log = np.log(np.maximum(h, 0.05))
            return np.asarray(-((log - mean) ** 2) / (2 * spread**2) - np.log(spread * np.maximum(h, 0.05) * 2.5066283))

    def of_arrivals(self, h: FLOAT) -> FLOAT:
        # below the minimum the law falls off steeply instead of being nothing: clocks are rounded
        short = np.maximum(0.0, LEAST_ARRIVAL_S - h)
        return np.asarray(np.log(self.rate) - self.rate * np.maximum(0.0, h - LEAST_ARRIVAL_S) - 4 * short)

    def queue_lasts(self, rest_s: FLOAT, n: NDArray[np.int64]) -> FLOAT:
        """Chance that the next of the queue has not left yet."""
        place = np.minimum(n, START_PLACES)
        z = (np.log(np.maximum(rest_s, 0.05)) - self.mean[place]) / self.spread[place]
        return np.log(np.maximum(SMALL, 0.5 * _erfc(z / 2**0.5)))


def _erfc(x: FLOAT) -> FLOAT:
    """Complementary error function to 1.2e-7 (Numerical Recipes' rational Chebyshev fit in t = 1 / (1 + x / 2))."""
    t = 1 / (1 + 0.5 * np.abs(x))
    series = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
              -0.82215223, 0.17087277)  # fmt: skip
    power = np.zeros_like(t)
    for c in reversed(series):
        power = power * t + c
    y = t * np.exp(-(x**2) + power)
    return np.asarray(np.where(x >= 0, y, 2 - y))


def queue_discharge(found: Departures, *, least_headways: float = 30.0, least_greens: int = 5) -> QueueDischarge | None:
    """Saturation headway, start-up loss and use of yellow; None where too few vehicles ever queued to tell.

    Parameters
    ----------
    least_headways : float
        Expected number of headways behind the fourth vehicle of a queue.
    least_greens : int
        Greens that these must come from.
    """
    h = found.headway_s
    if h.shape[0] == 0 or h.shape[1] <= START_PLACES:
        return None
    fits = sorted((_fit(found, start_s) for start_s in STARTS_S), key=lambda fit: -fit.likelihood)
    near = [fit for fit in fits if fit.likelihood > fits[0].likelihood - AS_LIKELY]
    told = [_told(found, fit, least_headways, least_greens) for fit in near]
    best = told[0]
    if best is None:
        return None
    # laws that explain the departures as well widen the range to what they say
    ranges = [one.headway_s for one in told if one is not None]
    wide = Range(value=best.headway_s.value, low=min(r.low for r in ranges), high=max(r.high for r in ranges))
    return replace(best, headway_s=wide)


def _told(found: Departures, fit: _Fit, least_headways: float, least_greens: int) -> QueueDischarge | None:
    """What one pair of laws makes of the departures."""
    h, queued, goes_on = found.headway_s, fit.queued, fit.goes_on
    late = queued[:, START_PLACES:] * np.isfinite(h[:, START_PLACES:])
    values = np.where(np.isfinite(h[:, START_PLACES:]), h[:, START_PLACES:], 0.0)
    weight, total = late.sum(axis=1), (late * values).sum(axis=1)
    if weight.sum() < least_headways or (weight > 0.5).sum() < least_greens:
        return None
    # a green cuts long headways off more often than short ones: count its whole rest, and what renewal theory says
    # of the vehicle that was on its way: E[N(T)] = T/h + (c² − 1)/2 with the coefficient of variation c
    cut = goes_on * (weight > 0)
    unsure = late * (1 - late)
    rough_s = total.sum() / weight.sum()
    doubt = (unsure * (values - rough_s) ** 2).sum()
    headway = _ratio(total + cut * found.rest_s, weight + cut * (1 - fit.spread**2) / 2, float(doubt))
    startup = _startup(h, queued, headway)
    others = _other_readings(h, late, headway.value)
    half_s = headway.high - headway.value  # chance is the same to all observers
    low_s, high_s = (pick(headway.value, *others) for pick in (min, max))
    headway = replace(headway, low=low_s - half_s, high=high_s + half_s)
    return QueueDischarge(
        headway_s=headway,
        startup_loss_s=startup,
        end_use_s=_end_use(found, goes_on),
        n_green=int((weight > 0.5).sum()),
        n_saturated=int((goes_on > 0.5).sum()),
        n_headway=float(weight.sum()),
    )


def _other_readings(h: FLOAT, late: FLOAT, headway_s: float) -> tuple[float, float]:
    """The mean headway as two other observers would have it, who see no queue either. [s]

    One takes long headways in the queue for hindrances from outside and leaves them out. The other counts everybody to
    the queue who follows closely behind it, as those do who had to slow down for it.
    """
    behind = np.where(np.isfinite(h[:, START_PLACES:]), h[:, START_PLACES:], np.inf)
    free = late * (behind <= HINDERED_S)
    close = np.cumprod(behind <= CLOSE_TIMES * headway_s, axis=1) * (late[:, :1] > 0.5)
    return _mean(behind, free, headway_s), _mean(behind, np.maximum(close, late), headway_s)


def _mean(values: FLOAT, weight: FLOAT, otherwise: float) -> float:
    total = weight.sum()
    return float((np.where(weight > 0, values, 0.0) * weight).sum() / total) if total > 1.0 else otherwise


@dataclass(frozen=True, eq=False)
class _Fit:
    """What a pair of laws makes of each vehicle: the chance to have queued, and of the queue to outlast the green.

    `spread` is that of the queue's headways, `likelihood` the logarithm of that of all departures.
    """

    spread: float
    queued: FLOAT  # (K, N)
    goes_on: FLOAT  # (K,)
    likelihood: float


def _fit(found: Departures, start_s: float) -> _Fit:
    """The laws nearest to a first guess of the saturation headway. [s]"""
    h = found.headway_s
    there = np.isfinite(h)
    n = there.sum(axis=1)
    laws = _Laws(np.log(np.array([1.3, 1.3, 1.15, 1.1, 1.0]) * start_s), np.full(START_PLACES + 1, 0.3), 0.1, 0.1)
    log = np.log(np.maximum(np.where(there, h, 1.0), 0.05))
    place = np.minimum(np.arange(h.shape[1]), START_PLACES)
    queued, goes_on = np.zeros(h.shape), np.zeros(len(h))
    before, likelihood = np.inf, -np.inf
    for _ in range(ROUNDS):
        queued, goes_on, likelihood = _ends(found, laws, there, n)
        for p in range(START_PLACES + 1):
            w = queued[:, place == p] * there[:, place == p]
            if w.sum() > 1e-9:
                x = log[:, place == p]
                mean = (w * x).sum() / w.sum()
                laws.mean[p] = mean
                laws.spread[p] = np.clip(((w * (x - mean) ** 2).sum() / w.sum()) ** 0.5, *SPREAD)
        arrived = (1 - queued) * there
        waited = (arrived * np.maximum(0.0, np.where(there, h, 0.0) - LEAST_ARRIVAL_S)).sum()
        waited += ((1 - goes_on) * found.rest_s).sum()
        laws.rate = float(np.clip((arrived.sum() + 0.5) / (waited + 5.0), 1e-3, 0.5))
        laws.ending = float(np.clip((1 - goes_on).sum() / max(1.0, len(h) + queued.sum()), 1e-3, 0.9))
        if abs(laws.mean[-1] - before) < 1e-7:
            break
        before = laws.mean[-1]
    return _Fit(float(laws.spread[-1]), queued, goes_on, likelihood)


def _ends(found: Departures, laws: _Laws, there: BOOL, n: NDArray[np.int64]) -> tuple[FLOAT, FLOAT, float]:
    """Chances and likelihood as in `_Fit`, given the laws: over all numbers of vehicles the queue may have had."""
    h = np.where(there, found.headway_s, 1.0)
    queue, arrival = np.where(there, laws.of_queue(h), 0.0), np.where(there, laws.of_arrivals(h), 0.0)
    zero = np.zeros((len(h), 1))
    first = np.concatenate([zero, np.cumsum(queue, axis=1)], axis=1)  # q vehicles queued
    rest = np.cumsum(arrival[:, ::-1], axis=1)[:, ::-1]
    rest = np.concatenate([rest, zero], axis=1)
    none_came = -laws.rate * np.maximum(0.0, found.rest_s - LEAST_ARRIVAL_S)
    stay, end = np.log1p(-laws.ending), np.log(laws.ending)
    likely = first + rest + none_came[:, None] + np.arange(h.shape[1] + 1) * stay + end
    possible = np.arange(h.shape[1] + 1)[None, :] <= n[:, None]
    likely = np.where(possible, likely, -np.inf)
    on = first[np.arange(len(h)), n] + laws.queue_lasts(found.rest_s, n) + (n + 1) * stay
    on = np.where(found.standing < 0, -np.inf, on)
    # who stands there in the red was in the queue: all before were too, unless the last came long before the end
    sure = (found.standing > 0) & (found.rest_s < 2 * np.exp(laws.mean[-1]))
    likely = np.where(sure[:, None], likely - 4.0, likely)
    top = np.maximum(likely.max(axis=1), on)
    chance, lasting = np.exp(likely - top[:, None]), np.exp(on - top)
    whole = chance.sum(axis=1) + lasting
    chance, lasting = chance / whole[:, None], lasting / whole
    at_least = np.cumsum(chance[:, ::-1], axis=1)[:, ::-1][:, 1:] + lasting[:, None]
    return np.where(there, np.minimum(1.0, at_least), 0.0), lasting, float((np.log(whole) + top).sum())


def _ratio(total: FLOAT, weight: FLOAT, doubt: float = 0.0) -> Range:
    """Sum over sum of clusters, with the interval that their spread gives (linearized, Student's t by its series).

    `doubt` is what unsure members add to the variance of the sum.
    """
    use = weight > 1e-6
    total, weight = total[use], weight[use]
    value = float(total.sum() / weight.sum())
    k = len(weight)
    error = float((((total - value * weight) ** 2).sum() * k / max(1, k - 1) + doubt) ** 0.5 / weight.sum())
    half = t95(k - 1) * error
    return Range(value=value, low=value - half, high=value + half)


def t95(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t, by its series in 1/freedom (0.5 % off at 4, 2 % at 3). [-]"""
    z = 1.959964
    f = max(1, freedom)
    g1, g2 = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / f + g2 / f**2 + g3 / f**3


def _startup(h: FLOAT, queued: FLOAT, headway: Range) -> Range | None:
    """What the first four vehicles take beyond four saturation headways, over greens in which they queued."""
    w = queued[:, START_PLACES - 1]
    loss = h[:, :START_PLACES].sum(axis=1) - START_PLACES * headway.value
    use = np.isfinite(loss) & (w > 0.5)
    if use.sum() < START_PLACES + 1:
        return None
    found = _ratio(loss[use] * w[use], w[use])
    # the headway's own error counts four times, and not by chance alike
    half = ((found.high - found.value) ** 2 + (START_PLACES * (headway.high - headway.value)) ** 2) ** 0.5
    return Range(value=found.value, low=found.value - half, high=found.value + half)


def _end_use(found: Departures, goes_on: FLOAT) -> Range | None:
    """How long into yellow the queue still departed, over greens that it outlasted: mean of the last one, and half a
    headway is not counted. [s]"""
    use = (goes_on > 0.5) & np.isfinite(found.last_s)
    if use.sum() < START_PLACES + 1:
        return None
    return _ratio(found.last_s[use], np.ones(int(use.sum())))
