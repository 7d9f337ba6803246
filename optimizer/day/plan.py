"""The plans of a day: made for hours that stand for all, put together by dynamic programming, judged on whole days."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DayPlan
from network_data.settings import Settings
from network_data.trips import Trips
from optimizer.day.library import FIELD, LibraryPlan, Maker, Period, representative_periods
from optimizer.day.prices import Choice, SwitchPrices, priced_days
from optimizer.day.traffic import HISTORY_S, DayTraffic, Horizon
from optimizer.day.variants import Judge, Judged, Rows, Week, day_plan, neighbours, per_interval, uniform_week, week_of
from optimizer.objectives import weighing_of
from sim.parameters import STREET
from sim.trips import draw_trips

Floats = NDArray[np.float64]
Saturation = Callable[[Sequence[Trips]], Mapping[tuple[str, int], float]]
UNIFORM = 3
"""Equal parts of the day that the result is held against."""
LIBRARY_UNTIL, COSTS_UNTIL, SECOND_UNTIL, JUDGED_UNTIL = 0.40, 0.55, 0.72, 0.85
"""Shares of the time after which a stage breaks off for the next: plans, what they cost, further plans, what these cost
and their switches; the rest is for switching times. [-]"""
LONGEST_PERIOD_S = 3 * 3600.0
"""Plans are made for no longer part of the day than this; of a longer one for its busiest hours. [s]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class DayResult:
    """What was found; `weeks` are the variants side by side, judged on draws of the traffic that chose nothing.

    Attributes
    ----------
    library : tuple of LibraryPlan
        All plans by number; those of `best.week.used` run.
    weeks : tuple of Judged
        Field plan (where it could be simulated), then one, two, … plans, uniform parts, and the last one: what was
        chosen.
    shares : mapping
        How often each type of day occurs.
    veh : mapping
        Vehicles of a mean day of each type.
    course : mapping
        Per type and name of a week, seconds of delay in each interval of the day that stands for most.
    switches : tuple of dict
        What the switches of the best week cost.
    """

    horizon: Horizon
    library: tuple[LibraryPlan, ...]
    weeks: tuple[Judged, ...]
    best: Judged
    shares: Mapping[str, float]
    veh: Mapping[str, float]
    veh_per_interval: Mapping[str, Floats]
    course: Mapping[str, Mapping[str, Floats]]
    switches: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    n_runs: int

    def days(self, week: Week | None = None) -> dict[str, DayPlan]:
        """The day plan of each type of day, of the best week by default; programs carry the names of their plans."""
        plans = {n: named(one) for n, one in enumerate(self.library)}
        return {kind: day_plan(rows, plans) for kind, rows in (week or self.best.week).rows.items()}


def named(one: LibraryPlan) -> TimingPlan:
    """The plan with its name as the name of every program; the field's programs keep theirs."""
    if one.name == FIELD:
        return one.plan
    return TimingPlan(controllers={c: replace(p, program_id=one.name) for c, p in one.plan.controllers.items()})


@dataclass(eq=False)
class _Time:
    """Shares of the time limit, and whether to end."""

    began_s: float
    deadline: float | None
    stop: Callable[[], bool]

    def until(self, share: float) -> float | None:
        """The second at which a share of the time is used up, on the monotonic clock."""
        return None if self.deadline is None else self.began_s + share * (self.deadline - self.began_s)

    def over(self, share: float = 1.0) -> bool:
        """Whether that is past, or somebody asked to end."""
        limit = self.until(share)
        return self.stop() or (limit is not None and time.monotonic() >= limit)


@dataclass(eq=False)
class DayPlanner:
    """The state of planning a week; `plan_day` runs it."""

    maker: Maker
    horizon: Horizon
    shares: Mapping[str, float]
    traffic: dict[str, DayTraffic]
    fresh: dict[str, DayTraffic]
    time: _Time
    iterations: int | None
    progress: Callable[[str, float], None]
    library: list[LibraryPlan] = field(default_factory=list)
    prices: dict[str, SwitchPrices] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """The settings of the job."""
        return self.maker.settings

    @property
    def least(self) -> int:
        """Intervals that a plan runs at least."""
        return max(1, min(self.horizon.n, round(self.settings.day.min_plan_s / self.horizon.interval_s)))

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.plans, self.fresh)

    @property
    def plans(self) -> dict[int, TimingPlan]:
        """All plans by number."""
        return {n: one.plan for n, one in enumerate(self.library)}

    def effort(self, left: int, until: float) -> dict[str, Any]:
        """Iterations, or an equal part of the time that is left for so many plans."""
        limit = self.time.until(until)
        now = time.monotonic()
        return {
            "iterations": self.iterations,
            "deadline": None if limit is None else now + max(0.5, (limit - now) / max(1, left)),
            "stop": self.time.stop,
        }

    def make_library(self) -> None:
        """The field's plan, one for all hours, and one for each representative hour."""
        self.library.append(LibraryPlan(name=FIELD, made_for="the field", plan=self.maker.field))
        self.periods = representative_periods(
            self.maker.days, self.shares, self.settings.day.library, seed=self.maker.seed
        )
        # all hours are simulated for each of its candidates, and all other plans begin with it
        self.library.append(self.maker.for_all(self.periods, **self.effort(2, LIBRARY_UNTIL)))
        for n, period in enumerate(self.periods):
            if self.time.over(LIBRARY_UNTIL):
                if self.time.deadline is not None:
                    self.notes.append(f"for lack of time {n} of {len(self.periods)} hours got a plan")
                return
            self.progress("plans", n / len(self.periods))
            effort = self.effort(len(self.periods) - n, LIBRARY_UNTIL)
            name = f"P{len(self.library) - 1}"
            self.library.append(self.maker.for_period(period, name, known=self.library[1].plan, **effort))

    def price(self, numbers: Sequence[int], until: float) -> bool:
        """Add the interval costs of some plans; whether there was time for it.

        The first time on as many days of each type as there is time for, at least on the heaviest: those are then the
        days that plan.
        """
        began_s = time.monotonic()
        found = self._costs(numbers, [0], until=1.0)
        if found is None:
            return False
        most = max(len(one.trips) for one in self.traffic.values())
        limit = self.time.until(until)
        if limit is not None and not self.prices:
            pass_s = max(1e-3, time.monotonic() - began_s)
            fitting = max(1, 1 + int((limit - time.monotonic()) / pass_s))
            if fitting < most:
                self.notes.append(f"for lack of time planned on {fitting} day{'s' * (fitting > 1)} of each type")
                self.traffic = {kind: one.first_days(fitting) for kind, one in self.traffic.items()}
                most = fitting
        more = self._costs(numbers, list(range(1, most)), until=1.0) if most > 1 else None
        for kind, one in self.traffic.items():
            days = [*found[kind], *(more[kind] if more is not None else ())]
            weights = np.array(one.weights[: len(days)])
            costs = np.tensordot(weights / weights.sum(), np.array(days), axes=1)
            old = self.prices.get(kind)
            known = old.known if old is not None else {}
            table = costs if old is None else np.column_stack([old.costs, costs])
            self.prices[kind] = SwitchPrices(one, self.plans, table, known)
        return True

    def _costs(self, numbers: Sequence[int], days: Sequence[int], *, until: float) -> dict[str, Floats] | None:
        """Interval costs of some plans on some days of each type, as far as it has them; None where time is over."""
        plans = [self.library[n].plan for n in numbers]
        out = {}
        for kind, one in self.traffic.items():
            own = [r for r in days if r < len(one.trips)]
            costs = one.interval_costs(
                plans, own, stop=lambda: self.time.over(until), progress=lambda x: self.progress("intervals", x)
            )
            if costs is None:
                return None
            out[kind] = costs
        return out

    @property
    def one_plan_s(self) -> float:
        """Cost of the mean day under the best single plan, by intervals. [s]"""
        alone = sum(self.shares[kind] * one.costs.sum(axis=0) for kind, one in self.prices.items())
        return float(np.min(alone))

    def days(self, until: float) -> list[Choice]:
        """The best days with 1, 2, … plans."""
        kinds = list(self.prices)
        return priced_days(
            [self.prices[kind] for kind in kinds],
            [self.shares[kind] for kind in kinds],
            self.settings.day.most_plans,
            least=self.least,
            worth_s=self.settings.day.switch_gain * self.one_plan_s,
            stop=lambda: self.time.over(until),
        )

    def cheapest(self, totals: Sequence[float]) -> int:
        """The same by the costs of intervals: which of 1, 2, … plans costs least."""
        worth = self.settings.day.plan_gain * totals[0]
        return int(np.argmin([total + worth * k for k, total in enumerate(totals)]))

    def with_worth(self, one: Judged, single: Judged) -> float:
        """Cost of a week when every further plan has to gain its share of what one plan costs. [s]"""
        worth = self.settings.day.plan_gain * single.total_s(self.shares)
        return one.total_s(self.shares) + worth * len(one.week.used)

    def second_round(self, found: Sequence[Choice]) -> None:
        """Plans for the parts of the day that were found."""
        totals = [
            sum(self.shares[kind] * one.cost for kind, one in zip(self.prices, switchings, strict=True))
            for _, switchings in found
        ]
        switchings = dict(zip(self.prices, found[self.cheapest(totals)][1], strict=True))
        periods = parts_of_days(week_of("", switchings, self.horizon), self.traffic, self.horizon)
        first = len(self.library)
        for n, (number, period) in enumerate(periods):
            if self.time.over(SECOND_UNTIL):
                break
            self.progress("plans for the parts found", n / len(periods))
            effort = self.effort(len(periods) - n, SECOND_UNTIL)
            name = f"P{len(self.library) - 1}"
            self.library.append(self.maker.for_period(period, name, known=self.library[number].plan, **effort))
        numbers = range(first, len(self.library))
        if numbers and not self.price(numbers, JUDGED_UNTIL):
            del self.library[first:]
            self.notes.append("no time was left to price plans for the parts of the day that were found")

    def judged(self, week: Week) -> Judged | None:
        """A week on fresh draws; None where a switch has no legal way."""
        try:
            return self._judge(week)
        except PlanError as error:
            self.notes.append(f"{week.name}: {error}")
            return None

    def refined(self, start: Week) -> Week:
        """Move and drop switches as long as whole days get cheaper on the draws that planned."""
        rows = dict(start.rows)
        worth_s = self.settings.day.switch_gain * self.one_plan_s

        def value(kind: str, one: Rows) -> float:
            try:
                costs = self.traffic[kind].day_costs(day_plan(one, self.plans))
            except PlanError:
                return float("inf")
            return float(np.dot(self.traffic[kind].weights, costs)) + worth_s * (len(one) if len(one) > 1 else 0)

        for kind in sorted(rows, key=lambda kind: -self.shares[kind]):
            best = value(kind, rows[kind])
            tried: set[Rows] = {rows[kind]}
            better = True
            while better:
                better = False
                for other in neighbours(rows[kind], self.horizon, self.least):
                    if self.time.over():
                        return Week(name=start.name, rows=rows)
                    if other in tried:
                        continue
                    tried.add(other)
                    found = value(kind, other)
                    if found < best - 1e-6:
                        best, rows[kind], better = found, other, True
                        self.progress("switching times", min(1.0, len(tried) / 100))
                        break
        return Week(name=start.name, rows=rows)


def parts_of_days(week: Week, traffic: Mapping[str, DayTraffic], horizon: Horizon) -> list[tuple[int, Period]]:
    """Each plan of a week with the part of a day in which most vehicles meet it, the busiest first."""
    best: dict[int, tuple[float, Period]] = {}
    for kind, rows in week.rows.items():
        plans, veh = per_interval(rows, horizon), traffic[kind].veh
        starts = [t for t in range(horizon.n) if t == 0 or plans[t] != plans[t - 1]]
        for a, b in zip(starts, [*starts[1:], horizon.n], strict=True):
            longest = max(1, round(LONGEST_PERIOD_S / horizon.interval_s))
            if b - a > longest:
                sums = np.convolve(veh[a:b], np.ones(longest), "valid")
                a += int(np.argmax(sums))
                b = a + longest
            period = Period(type=kind, begin_s=horizon.at_s(a), end_s=horizon.at_s(b))
            load = float(veh[a:b].sum())
            if plans[a] not in best or load > best[plans[a]][0]:
                best[plans[a]] = (load, period)
    order = sorted(best, key=lambda number: -best[number][0])
    return [(number, best[number][1]) for number in order]


def plan_day(
    network: RoadNetwork,
    days: Mapping[str, DemandScenarios],
    field_plan: TimingPlan,
    settings: Settings,
    *,
    horizon: Horizon,
    shares: Mapping[str, float],
    seed: int = 0,
    iterations: int | None = None,
    deadline: float | None = None,
    measured_links: frozenset[str] | None = None,
    saturation: Saturation | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[str, float], None] | None = None,
) -> DayResult:
    """Plan the days of a week.

    Parameters
    ----------
    days : mapping
        Demand of each type of day, over the whole horizon; its scenarios are days.
    field_plan : TimingPlan
        The plan in the field: start and yardstick of every plan.
    horizon : Horizon
        The part of the day, and its intervals.
    shares : mapping
        How often each type occurs, adding up to 1.
    iterations : int, optional
        Of the search for each plan; such runs are reproducible.
    deadline : float, optional
        On the clock of time.monotonic(). [s]
    saturation : callable, optional
        From the drawn vehicles to saturation flows, as `optimize` takes it.
    stop : callable, optional
        Asked now and then; where it says so, the best so far is the result.
    progress : callable, optional
        Called with (stage, share of it).

    Raises
    ------
    InfeasibleError
        No plan keeps the rules.
    """
    traffic, fresh = (
        {
            kind: day_traffic(network, demand, settings, horizon, seed=seed + 17 * n, saturation=saturation)
            for kind, demand in days.items()
        }
        for n in (1, 2)
    )
    maker = Maker(
        network=network,
        days=days,
        field=field_plan,
        settings=settings,
        seed=seed,
        measured_links=measured_links,
        saturation=saturation,
    )
    planner = DayPlanner(
        maker,
        horizon,
        shares,
        traffic,
        fresh,
        _Time(time.monotonic(), deadline, stop),
        iterations,
        progress or (lambda *_: None),
    )
    planner.make_library()
    return _result(planner, *_weeks(planner))


def day_traffic(
    network: RoadNetwork,
    demand: DemandScenarios,
    settings: Settings,
    horizon: Horizon,
    *,
    seed: int,
    saturation: Saturation | None = None,
) -> DayTraffic:
    """Vehicles of the days of one type, drawn from their demand."""
    order = sorted(range(len(demand.weights)), key=lambda n: -demand.weights[n])  # the heaviest days come first
    trips = [
        draw_trips(network, demand.scenarios[n], seed=1000 * seed + n, warmup_s=HISTORY_S, spacing_m=STREET.spacing_m)
        for n in order
    ]
    weighing = weighing_of(
        network, settings.objective, settings.people, trips, begin_s=horizon.begin_s, end_s=horizon.end_s
    )
    return DayTraffic(
        network=network,
        trips=trips,
        weights=tuple(demand.weights[n] for n in order),
        horizon=horizon,
        weighing=weighing,
        method=settings.day.transition,
        seed=seed,
        workers=settings.search.workers,
        saturation_vph=saturation(trips) if saturation is not None else {},
        start_up_s=settings.saturation.start_ups_s(network),
    )


def _weeks(planner: DayPlanner) -> tuple[list[Judged], Judged]:
    """The variants, judged, and the one that is chosen."""
    made = len(planner.library) - 1
    if planner.time.stop() or not planner.price(range(len(planner.library)), COSTS_UNTIL):
        planner.notes.append("there was no time to cut the day: one plan runs all day")
        rows: Rows = ((0.0, min(1, made)),)
        only = Judge(planner.plans, planner.fresh)(Week(name="1 plan", rows=dict.fromkeys(planner.shares, rows)))
        return [only], only
    found = planner.days(SECOND_UNTIL)
    if not planner.time.over(SECOND_UNTIL - 0.1):
        planner.second_round(found)
        found = planner.days(JUDGED_UNTIL)
    return _choose(planner, found)


def _choose(planner: DayPlanner, found: Sequence[Choice]) -> tuple[list[Judged], Judged]:
    """Judge the variants, the chosen one is the cheapest; its switching times are searched with what time is left."""
    kinds = list(planner.prices)
    weeks: list[Week] = []
    for k, (_, switchings) in enumerate(found, start=1):
        name = f"{k} plan{'s' if k > 1 else ''}"
        week = week_of(name, dict(zip(kinds, switchings, strict=True)), planner.horizon)
        if all(week.rows != other.rows for other in weeks):  # one more plan that nobody runs is none
            weeks.append(week)
    field_week = Week(name="field plan", rows=dict.fromkeys(kinds, ((0.0, 0),)))
    parts = uniform_week(
        f"{UNIFORM} equal parts", UNIFORM, {kind: one.costs for kind, one in planner.prices.items()}, planner.horizon
    )
    counted: list[Judged] = []
    for n, week in enumerate(weeks):
        if n > 1 and planner.time.over(JUDGED_UNTIL):
            planner.notes.append(f"no time was left to judge {week.name}")
            continue
        planner.progress("days", n / len(weeks))
        one = planner.judged(week)
        counted += [one] if one is not None else []
    best = min(counted, key=lambda one: planner.with_worth(one, counted[0]))
    others = [one for week in (field_week, parts) if (one := planner.judged(week)) is not None]
    if best.week.n_switch and not planner.time.over():
        again = planner.judged(planner.refined(best.week))
        if again is not None and again.total_s(planner.shares) < best.total_s(planner.shares):
            counted = [again if one is best else one for one in counted]
            best = again
    return [*others[:1], *counted, *others[1:]], best


def _result(planner: DayPlanner, weeks: list[Judged], best: Judged) -> DayResult:
    plans = planner.plans
    switches = [
        {
            "type": kind,
            "at_s": at_s,
            "from": planner.library[rows[n - 1][1]].name,
            "to": planner.library[number].name,
            "cost_veh_s": _price(planner, kind, at_s, rows[n - 1][1], number),
        }
        for kind, rows in best.week.rows.items()
        if len(rows) > 1
        for n, (at_s, number) in enumerate(rows)
    ]
    shown = dict.fromkeys(one.week for one in (weeks[0], *weeks[1:2], best))
    course = {
        kind: {week.name: one.first_days(1).course(day_plan(week.rows[kind], plans)) for week in shown}
        for kind, one in planner.fresh.items()
    }
    return DayResult(
        horizon=planner.horizon,
        library=tuple(planner.library),
        weeks=tuple(weeks),
        best=best,
        shares=planner.shares,
        veh={kind: float(one.veh.sum()) for kind, one in planner.fresh.items()},
        veh_per_interval={kind: one.veh for kind, one in planner.fresh.items()},
        course=course,
        switches=tuple(switches),
        notes=tuple(planner.notes),
        n_runs=sum(one.n_runs for one in (*planner.traffic.values(), *planner.fresh.values())),
    )


def _price(planner: DayPlanner, kind: str, at_s: float, old: int, new: int) -> float | None:
    """What a switch costs, simulated now where the search for switching times moved it."""
    prices = planner.prices[kind]
    t = round((at_s - planner.horizon.begin_s) / planner.horizon.interval_s)
    if (t, old, new) not in prices.known and not planner.time.stop():
        prices.simulate(t, old, new)
    return prices.known.get((t, old, new))
