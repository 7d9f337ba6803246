"""Ways through the week: which plans run when on each type of day; built from switchings, changed, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from network_data.schedule import DayPlan
from optimizer.day.switching import Switching
from optimizer.day.traffic import DayTraffic, Horizon

Floats = NDArray[np.float64]
Rows = tuple[tuple[float, int], ...]
"""(second after midnight, number of the plan from there on), in the order of the day."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Week:
    """Rows for every type of day; the same plans may run on several."""

    name: str
    rows: Mapping[str, Rows]

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the plans that run at any time."""
        return tuple(dict.fromkeys(number for rows in self.rows.values() for _, number in rows))

    @property
    def n_switch(self) -> int:
        """Switches over one day of each type."""
        return sum(len(rows) if len(rows) > 1 else 0 for rows in self.rows.values())


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """A week and what its days cost, mean over the days of each type. [s]"""

    week: Week
    cost_s: Mapping[str, float]
    delay_s_per_veh: Mapping[str, float]

    def total_s(self, shares: Mapping[str, float]) -> float:
        """Cost of the mean day of a week. [s]"""
        return sum(share * self.cost_s[name] for name, share in shares.items())

    def mean_delay_s(self, shares: Mapping[str, float], veh: Mapping[str, float]) -> float:
        """Delay per vehicle over the week. [s/veh]"""
        total = sum(share * veh[name] for name, share in shares.items())
        return sum(share * veh[name] * self.delay_s_per_veh[name] for name, share in shares.items()) / max(1.0, total)


def rows_of(plans: Sequence[int], horizon: Horizon) -> Rows:
    """The switches of a plan for each interval; the first row is at midnight, or at the first switch of the day."""
    before = plans[-1] if horizon.around else -1
    rows = [(horizon.at_s(t), now) for t, now in enumerate(plans) if now != (plans[t - 1] if t else before)]
    return tuple(rows) or ((0.0, plans[0]),)


def week_of(name: str, switchings: Mapping[str, Switching], horizon: Horizon) -> Week:
    """A week of what `priced_days` found."""
    return Week(name=name, rows={kind: rows_of(one.plans, horizon) for kind, one in switchings.items()})


def uniform_week(name: str, n: int, costs: Mapping[str, Floats], horizon: Horizon) -> Week:
    """The day in n equal parts, in each the plan that costs least there."""
    rows = {}
    for kind, cost in costs.items():
        edges = np.round(np.linspace(0, horizon.n, n + 1)).astype(int)
        parts = list(pairwise(edges.tolist()))
        plans = [int(np.argmin(cost[a:b].sum(axis=0))) for a, b in parts for _ in range(b - a)]
        rows[kind] = rows_of(plans, horizon)
    return Week(name=name, rows=rows)


def day_plan(rows: Rows, plans: Mapping[int, TimingPlan]) -> DayPlan:
    """The rows as every controller runs them."""
    return DayPlan.of_plans([(at_s, plans[number]) for at_s, number in rows])


@dataclass(eq=False)
class Judge:
    """Simulates whole days, transitions included; a day that was judged before is not simulated again."""

    plans: Mapping[int, TimingPlan]
    traffic: Mapping[str, DayTraffic]
    known: dict[tuple[str, Rows], tuple[float, float]] = field(default_factory=dict)

    def __call__(self, week: Week) -> Judged:
        """What the days of a week cost.

        Raises
        ------
        PlanError
            A switch for which there is no legal way.
        """
        found = {kind: self._day(kind, week.rows[kind]) for kind in self.traffic}
        return Judged(
            week=week,
            cost_s={kind: cost for kind, (cost, _) in found.items()},
            delay_s_per_veh={kind: delay for kind, (_, delay) in found.items()},
        )

    def _day(self, kind: str, rows: Rows) -> tuple[float, float]:
        if (kind, rows) not in self.known:
            one, day = self.traffic[kind], day_plan(rows, self.plans)
            weights = np.array(one.weights)
            totals = one.day_totals(day)
            veh = float(np.dot(weights, [t.veh for t in totals]))
            delay_s = float(np.dot(weights, [t.delay_s for t in totals])) / max(1.0, veh)
            self.known[kind, rows] = float(np.dot(weights, one.costs_of(day, totals))), delay_s
        return self.known[kind, rows]


def neighbours(rows: Rows, horizon: Horizon, least: int) -> list[Rows]:
    """Rows with one switch moved by one or two intervals, or one part of the day given to its neighbour."""
    if len(rows) < 2:
        return []
    plans = per_interval(rows, horizon)
    n, out = len(plans), []
    starts = [round((at_s - horizon.begin_s) / horizon.interval_s) % n for at_s, _ in rows]
    for i, start in enumerate(starts):
        following = starts[(i + 1) % len(starts)]
        before = plans[start - 1]
        for step in (-2, -1, 1, 2):
            moved = list(plans)
            span = range(start, start + step) if step > 0 else range(start + step, start)
            for t in span:
                moved[t % n] = before if step > 0 else plans[start]
            out.append(moved)
        given = list(plans)
        for t in range(start, following if following > start else following + n):
            given[t % n] = before
        out.append(given)
    kept = [one for one in out if shortest(one, around=horizon.around) >= least]
    return list(dict.fromkeys(rows_of(one, horizon) for one in kept))


def per_interval(rows: Rows, horizon: Horizon) -> list[int]:
    """The number of the plan in each interval."""
    out = []
    for t in range(horizon.n):
        due = [number for at_s, number in rows if at_s <= horizon.at_s(t) + 1e-6]
        out.append(due[-1] if due else rows[-1][1])
    return out


def shortest(plans: Sequence[int], *, around: bool) -> int:
    """Intervals of the shortest run of one plan."""
    n = len(plans)
    starts = [t for t in range(n) if plans[t] != plans[t - 1]] if around else [0] + [
        t for t in range(1, n) if plans[t] != plans[t - 1]
    ]  # fmt: skip
    if not starts:
        return n
    ends = [*starts[1:], starts[0] + n if around else n]
    return min(b - a for a, b in zip(starts, ends, strict=True))
