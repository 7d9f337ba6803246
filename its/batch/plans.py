"""Plans for the parts of a day that the project asks for, each made from the days that are not held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from its.batch.days import TypedDays
from its.batch.field import Running
from its.batch.task import Task
from its.inputs import MAX_SCENARIOS, estimated
from its.saturation import saturation_of
from network_data.demand import Demand, DemandScenarios
from network_data.detectors import Detector
from network_data.errors import InputError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from network_data.turns import TurnTable
from optimizer.optimize import optimize


@dataclass(frozen=True, eq=False, kw_only=True)
class Place:
    """A district as it was read."""

    task: Task
    network: RoadNetwork
    field: TimingPlan
    settings: Settings
    detectors: tuple[Detector, ...]
    turns: TurnTable | None

    @property
    def measured_links(self) -> frozenset[str]:
        """Links with a loop or a counted turn."""
        pairs = self.turns.pairs if self.turns is not None else ()
        return frozenset(d.link_id for d in self.detectors) | {pair[0] for pair in pairs if pair[0]}

    def saturation(self, trips: Any) -> Mapping[tuple[str, int], float]:
        """Saturation flows as the settings say."""
        return saturation_of(self.settings.saturation, self.network, trips, self.field)


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """A part of one type of day, its demand, and the plan that was made for it.

    `made_s` are the search's own objectives before and after; `bounds` those of its plan.
    """

    days: str
    begin_s: float
    end_s: float
    plan: TimingPlan
    demand: DemandScenarios
    made_s: tuple[float, float]
    iterations: int
    bounds: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`weekday 07:00-09:00`."""
        return f"{self.days} {clock(self.begin_s)}-{clock(self.end_s)}"


def clock(time_s: float) -> str:
    """`07:05` of a second after midnight."""
    minutes = round(time_s / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def make_plans(place: Place, days: Mapping[str, TypedDays], running: Mapping[str, Running]) -> dict[str, list[Part]]:
    """Plans for every type of day, part by part; the schedule says how the day is parted."""
    schedule = place.task.content.schedule
    if schedule.type == "day":
        from its.batch.day import day_parts  # the planner of days is heavy

        return day_parts(place, days, running)
    return {
        kind: [_one(place, kind, own, running[kind], begin_s, end_s) for begin_s, end_s in schedule.periods_s]
        for kind, own in days.items()
    }


def demand_of(
    place: Place, own: TypedDays, running: Running, begin_s: float, end_s: float, most: int = MAX_SCENARIOS
) -> DemandScenarios:
    """Demand of a part of the day from the days that are not held out."""
    plan = running.plan_at(begin_s)
    return estimated(
        own.training, place.detectors, place.turns, place.network, plan, begin_s, end_s, most=most
    ).scenarios


def part_of(demand: Demand, begin_s: float, end_s: float) -> Demand:
    """The intervals of a demand that begin in [begin_s, end_s)."""
    inside = np.flatnonzero((demand.begin_s >= begin_s - 1e-6) & (demand.begin_s < end_s - 1e-6))
    return Demand(
        begin_s=demand.begin_s[inside],
        end_s=demand.end_s[inside],
        pairs=demand.pairs,
        veh=demand.veh[:, inside],
        sd_veh=demand.sd_veh[:, inside],
        support=demand.support,
        dispersion=demand.dispersion,
        label=demand.label,
    )


def _one(place: Place, kind: str, own: TypedDays, running: Running, begin_s: float, end_s: float) -> Part:
    demand = demand_of(place, own, running, begin_s, end_s)
    search = place.task.content.search
    result = optimize(
        place.network,
        demand,
        place.field,
        place.settings,
        begin_s=begin_s,
        end_s=end_s,
        seed=search.seed,
        iterations=search.iterations,
        measured_links=place.measured_links,
        saturation=place.saturation,
    )
    return Part(
        days=kind,
        begin_s=begin_s,
        end_s=end_s,
        plan=result.plan,
        demand=demand,
        made_s=(result.objective_before, result.objective_after),
        iterations=result.iterations,
        bounds=result.bounds,
        notes=result.notes,
    )


def refuse_unready(place: Place) -> None:
    """Refuse what no plan can be made of.

    Raises
    ------
    InputError
        A network without signals.
    """
    if not place.network.controllers:
        raise InputError(str(place.task.network), "has no signals; there is nothing to time")
