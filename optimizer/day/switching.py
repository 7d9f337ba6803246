"""Which plan in which interval of the day: dynamic programming over plans and how long they have been running.

The day goes round: what runs at midnight is what ran before it, or a switch there has its price. A state is the plan,
the intervals it has run (up to the least number) and, because the day goes round, the same of the first interval.
All choices of k plans are computed side by side, which gives the best day with at most k plans for every k.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.errors import PlanError

Floats = NDArray[np.float64]
MOST_SUBSETS = 4_000
"""More choices of k plans than these are not tried: the plans that are worst alone are left out. [-]"""


@dataclass(frozen=True, slots=True)
class Switching:
    """A plan (its number) for each interval, and what the day costs, switches included."""

    plans: tuple[int, ...]
    cost: float

    def switches(self, *, around: bool = True) -> list[tuple[int, int, int]]:
        """(interval, plan before, plan from there on) of every switch; one at the first interval counts if around."""
        before = self.plans[-1] if around else self.plans[0]
        out = []
        for t, now in enumerate(self.plans):
            if now != before:
                out.append((t, before, now))
            before = now
        return out


def best_switching(cost: Floats, switch: Floats, *, least: int = 1, around: bool = True) -> Switching:
    """The cheapest sequence of plans over a day.

    Parameters
    ----------
    cost : ndarray, shape (T, P)
        Cost of each interval under each plan.
    switch : ndarray, shape (T, P, P)
        Cost of switching from plan q to plan p at the begin of interval t: `switch[t, q, p]`; infinite where it is not
        possible.
    least : int
        Intervals that a plan runs at least.
    around : bool
        The day goes round: the last interval comes before the first one. Else the day has a begin and an end.

    Raises
    ------
    PlanError
        Shapes that do not fit, or no sequence with a finite cost.
    """
    _check(cost, switch, least)
    tables = _tables(cost[None], switch[None], least, around)
    closed = _closed(tables[-1], switch[None], least, around)[0]
    if not np.isfinite(closed).any():
        raise PlanError("day plan", "no sequence of plans keeps the shortest time of a plan; shorten [day] min_plan_s")
    at = np.unravel_index(int(np.argmin(closed)), closed.shape)
    return Switching(_traced([table[0] for table in tables], cost, switch, at), float(closed[at]))


def best_of_each_size(
    costs: Sequence[Floats],
    switches: Sequence[Floats],
    shares: Sequence[float],
    most: int,
    *,
    least: int = 1,
    around: bool = True,
) -> list[tuple[tuple[int, ...], list[Switching]]]:
    """For k = 1 … `most` the k plans with which all types of days together cost least, and the switches of each type.

    Parameters
    ----------
    costs, switches : sequence of ndarray
        Per type of day, as `best_switching` takes them; all types choose from the same plans.
    shares : sequence of float
        How often each type occurs; what is minimized is the sum by these.

    Returns
    -------
    list of (plans, switchings)
        In order of k; fewer than `most` where there are fewer plans. A choice of k plans may leave some unused.
    """
    n_plan = costs[0].shape[1]
    alone = sum(share * cost.sum(axis=0) for share, cost in zip(shares, costs, strict=True))
    out = []
    for k in range(1, min(most, n_plan) + 1):
        subsets = _subsets(np.asarray(alone), k)
        total = np.zeros(len(subsets))
        for share, cost, switch in zip(shares, costs, switches, strict=True):
            total += share * _values(cost, switch, subsets, least, around)
        chosen = subsets[int(np.argmin(total))]
        best = [
            best_switching(cost[:, chosen], switch[:, chosen][:, :, chosen], least=least, around=around)
            for cost, switch in zip(costs, switches, strict=True)
        ]
        out.append((tuple(chosen.tolist()), [_renamed(one, chosen) for one in best]))
    return out


def _check(cost: Floats, switch: Floats, least: int) -> None:
    n, n_plan = cost.shape
    if switch.shape != (n, n_plan, n_plan) or not 1 <= least <= n:
        raise PlanError(
            "day plan",
            f"costs of {n} intervals and {n_plan} plans, switches of {switch.shape} and at least {least} intervals; "
            "give one table of switches per interval and a least number within the day",
        )


def _subsets(alone: Floats, k: int) -> NDArray[np.int64]:
    """Choices of k plans, (B, k); of too many those of the plans that are best alone."""
    order = np.argsort(alone, kind="stable")
    n = len(order)
    while n > k and _binomial(n, k) > MOST_SUBSETS:
        n -= 1
    kept = np.sort(order[:n])
    return np.array(list(itertools.combinations(kept.tolist(), k)), np.int64)


def _binomial(n: int, k: int) -> int:
    out = 1
    for i in range(k):
        out = out * (n - i) // (i + 1)
    return out


def _values(cost: Floats, switch: Floats, subsets: NDArray[np.int64], least: int, around: bool) -> Floats:
    """Cheapest day with each choice of plans, (B,)."""
    out = np.empty(len(subsets))
    k = subsets.shape[1]
    chunk = max(1, 400_000 // (k * k * least * max(k, least)))
    for first in range(0, len(subsets), chunk):
        some = subsets[first : first + chunk]
        costs = cost[:, some].transpose(1, 0, 2)
        switches = switch[:, some[:, :, None], some[:, None, :]].transpose(1, 0, 2, 3)
        last = _tables(costs, switches, least, around, keep=False)[-1]
        closed = _closed(last, switches, least, around)
        out[first : first + len(some)] = closed.reshape(len(some), -1).min(axis=1)
    return out


def _tables(cost: Floats, switch: Floats, least: int, around: bool, *, keep: bool = True) -> list[Floats]:
    """Cheapest ways to each state of each interval, (B, first plan, first age, plan, age) each."""
    n_batch, n, k = cost.shape
    state = np.full((n_batch, k, least, k, least), np.inf)
    for p in range(k):
        for age in range(least if around else 1):
            state[:, p, age, p, age] = cost[:, 0, p]
    barred = switch.copy()
    barred[:, :, range(k), range(k)] = np.inf
    out = [state]
    for t in range(1, n):
        following = np.full_like(state, np.inf)
        following[..., 1:] = state[..., :-1]
        following[..., -1] = np.minimum(following[..., -1], state[..., -1])
        entered = (state[..., :, -1][..., :, None] + barred[:, t][:, None, None]).min(axis=-2)
        following[..., 0] = np.minimum(following[..., 0], entered)
        state = following + cost[:, t][:, None, None, :, None]
        out = [*out, state] if keep else [state]
    return out


def _closed(last: Floats, switch: Floats, least: int, around: bool) -> Floats:
    """Cost of the whole day by its first and last state, the step from the end to the begin included."""
    k = last.shape[1]
    out = np.full_like(last, np.inf)
    if not around:
        out[..., -1] = last[..., -1]
        return out
    for p in range(k):
        for age in range(1, least):
            out[:, p, age, p, age - 1] = last[:, p, age, p, age - 1]
        out[:, p, least - 1, p, least - 1] = last[:, p, least - 1, p, least - 1]
        for q in range(k):
            if q != p:
                out[:, p, 0, q, -1] = np.minimum(out[:, p, 0, q, -1], last[:, p, 0, q, -1] + switch[:, 0, q, p])
    return out


def _traced(tables: Sequence[Floats], cost: Floats, switch: Floats, at: tuple[np.intp, ...]) -> tuple[int, ...]:
    """The plans of the cheapest way to a final state, found again from the end."""
    first, first_age, plan, age = (int(x) for x in at)
    least = tables[0].shape[-1]
    out = [plan]
    for t in range(len(tables) - 1, 0, -1):
        before = tables[t - 1][first, first_age]
        value = tables[t][first, first_age, plan, age] - cost[t, plan]
        ways = [(before[plan, a], plan, a) for a in {max(0, age - 1), age} if min(a + 1, least - 1) == age]
        if age == 0:
            ways += [(before[q, -1] + switch[t, q, plan], q, least - 1) for q in range(len(before)) if q != plan]
        _, plan, age = min(ways, key=lambda way: abs(way[0] - value) if np.isfinite(way[0]) else np.inf)
        out.append(plan)
    return tuple(reversed(out))


def _renamed(switching: Switching, chosen: NDArray[np.int64]) -> Switching:
    return Switching(tuple(int(chosen[p]) for p in switching.plans), switching.cost)
