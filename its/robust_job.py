"""What robustness costs and buys: the plan for the mean and the one for the tail, on days neither was made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from its.console import format_table
from network_data.demand import Demand
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Objective, Settings
from network_data.trips import Trips
from optimizer.objectives import weighing_of
from optimizer.robust import Outcome, judged_on
from sim.parameters import STREET
from sim.trips import draw_trips

DRAWS = 3
"""Draws of the vehicles of each held-out day; a day's cost is their mean."""
MEAN, ROBUST, FIELD = "for the mean", "robust", "field plan"


def for_the_mean(settings: Settings) -> Settings:
    """The settings with nothing but the mean over the days as they were counted."""
    plain = settings.objective.model_copy(update={"tail_weight": 0.0, "drawn_counts": 0})
    return settings.model_copy(update={"objective": plain})


def robust_json(
    network: RoadNetwork,
    field: TimingPlan,
    mean: TimingPlan,
    robust: TimingPlan,
    held_out: Sequence[Demand],
    settings: Settings,
    *,
    begin_s: float,
    end_s: float,
    seed: int,
    saturation: Callable[[Sequence[Trips]], Mapping[tuple[str, int], float]] | None = None,
) -> dict[str, Any]:
    """The part `robust` of run.json; without held-out days it says only what was asked for."""
    out: dict[str, Any] = {"asked": asked(settings.objective), "held_out": [one.label for one in held_out], "plans": []}
    if not held_out:
        return out
    days = [
        [
            draw_trips(network, one, seed=seed * 1000 + 500 + 10 * i + n, spacing_m=STREET.spacing_m)
            for n in range(DRAWS)
        ]
        for i, one in enumerate(held_out)
    ]
    flat = [trips for day in days for trips in day]
    judged = judged_on(
        network,
        {MEAN: mean, ROBUST: robust, FIELD: field},
        days,
        weighing_of(network, settings.objective, settings.people, flat, begin_s=begin_s, end_s=end_s),
        begin_s=begin_s,
        end_s=end_s,
        seed=seed,
        workers=settings.search.workers,
        saturation_vph=saturation(flat) if saturation is not None else None,
        start_up_s=settings.saturation.start_ups_s(network),
    )
    out["plans"] = [outcome_json(one) for one in judged]
    out["said"] = said(judged, settings.objective)
    return out


def asked(objective: Objective) -> dict[str, float]:
    """What makes the search robust."""
    return objective.model_dump(include={"tail_weight", "tail_share", "drawn_counts", "held_out"})


def outcome_json(one: Outcome) -> dict[str, Any]:
    """Seconds per vehicle as the objective counts them, on the held-out days."""
    return {
        "plan": one.name,
        "mean_s_per_veh": one.mean,
        "tail_s_per_veh": one.tail,
        "worst_s_per_veh": one.worst,
        "days_s_per_veh": list(one.values),
        "mean_less_first": one.mean_less_first,
        "se": one.se,
        "tail_less_first": one.tail_less_first,
    }


def said(judged: Sequence[Outcome], objective: Objective) -> str:
    """In a sentence what robustness costs on the mean day and buys on the worst ones."""
    mean, robust = judged[0], judged[1]
    gap, tail = robust.mean - mean.mean, robust.tail - mean.tail
    spread = f" (standard error {robust.se:.2f})" if robust.se is not None else ""
    return (
        f"on {len(mean.values)} days held out the robust plan {'costs' if gap > 0 else 'saves'} {abs(gap):.2f} s/veh "
        f"on the mean{spread} and {'costs' if tail > 0 else 'buys'} {abs(tail):.2f} s/veh on the worst "
        f"{objective.tail_share:.0%} of them, against the plan for the mean alone"
    )


def robust_text(told: Mapping[str, Any]) -> str:
    """The table that `its optimize` prints; empty where no day was held out."""
    if not told["plans"]:
        return ""
    rows = [
        (
            row["plan"],
            f"{row['mean_s_per_veh']:.2f}",
            f"{row['tail_s_per_veh']:.2f}",
            f"{row['worst_s_per_veh']:.2f}",
        )
        for row in told["plans"]
    ]
    header = (f"{len(told['held_out'])} days held out", "mean s/veh", "tail s/veh", "worst s/veh")
    return format_table(header, rows)
