"""Plans of a whole day by the planner of days: how many, which, and when they switch."""

from __future__ import annotations

from collections.abc import Mapping

from its.batch.days import TypedDays
from its.batch.field import Running
from its.batch.plans import Part, Place, demand_of, part_of
from network_data.demand import DemandScenarios
from optimizer.day import plan_day
from optimizer.day.traffic import Horizon


def day_parts(place: Place, days: Mapping[str, TypedDays], running: Mapping[str, Running]) -> dict[str, list[Part]]:
    """The parts of each type of day; where the field's own plan is best, there is no part.

    Parameters
    ----------
    days : mapping
        Type of day → its days.
    running : mapping
        What runs on each type of day: the counts were taken under it.
    """
    task, settings = place.task, place.settings
    begin_s, end_s = task.content.schedule.periods_s[0]
    horizon = Horizon(begin_s=begin_s, end_s=end_s, interval_s=settings.day.interval_s)
    demand = {
        kind: demand_of(place, own, running[kind], begin_s, end_s, settings.day.scenarios) for kind, own in days.items()
    }
    found = plan_day(
        place.network,
        demand,
        place.field,
        settings,
        horizon=horizon,
        shares=_shares(place, days),
        seed=task.content.search.seed,
        iterations=task.content.search.iterations,
        measured_links=place.measured_links,
        saturation=place.saturation,
    )
    out: dict[str, list[Part]] = {}
    for kind, rows in found.best.week.rows.items():
        begins = [begin_s, *(at_s for at_s, _ in rows if begin_s < at_s < end_s)]
        out[kind] = []
        for at_s, until_s in zip(begins, [*begins[1:], end_s], strict=True):
            due = [number for when_s, number in rows if when_s <= at_s]
            one = found.library[due[-1] if due else rows[-1][1]]
            if one.result is None:
                continue
            out[kind].append(
                Part(
                    days=kind,
                    begin_s=at_s,
                    end_s=until_s,
                    plan=one.plan,
                    demand=_cut(demand[kind], at_s, until_s),
                    made_s=(one.result.objective_before, one.result.objective_after),
                    iterations=one.result.iterations,
                    bounds=one.result.bounds,
                    notes=(f"made for {one.made_for}", *one.result.notes),
                )
            )
    return out


def _shares(place: Place, days: Mapping[str, TypedDays]) -> dict[str, float]:
    """How often each type of day occurs."""
    if set(days) == {"all"}:
        return {"all": 1.0}
    return place.settings.day.types.shares(days)


def _cut(demand: DemandScenarios, begin_s: float, end_s: float) -> DemandScenarios:
    """The demand of a part of the day."""
    scenarios = tuple(part_of(one, begin_s, end_s) for one in demand.scenarios)
    return DemandScenarios(scenarios=scenarios, weights=demand.weights)
