"""Plans for days that differ: counts drawn within their ranges, and plans judged on days that no plan was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from network_data.day_scenarios import weighted_tail
from network_data.demand import Z90, Demand, DemandScenarios
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from optimizer.objectives import Weighing
from sim.simulate import Simulator

Floats = NDArray[np.float64]
MOST_FACTOR = 3.0
"""No flow is drawn above so many times its estimate. [-]"""


def drawn_demand(demand: Demand, rng: np.random.Generator, within_veh: Floats | None = None) -> Demand:
    """A day as it may have been: every flow drawn within its range, and the day busier or quieter as such days are.

    Parameters
    ----------
    within_veh : ndarray, shape (M, T), optional
        Spread (standard deviation) of the days that this one stands for around it. [veh]

    Notes
    -----
    An estimate's error leans the same way in all intervals: each pair's flows are multiplied by one gamma factor of
    mean 1 whose standard deviation is that of the period's total (its 90 % range over 2 · 1.645). From day to day all
    flows go up and down together: one standard normal number for the whole network times each flow's own spread.
    Pairs are drawn apart; entries and turning shares make vehicles of them, so nothing is made or lost at junctions.
    """
    total = demand.veh.sum(axis=1)
    sd = (demand.total_high_veh - demand.total_low_veh) / (2 * Z90)
    relative = np.divide(sd, total, out=np.zeros_like(total), where=total > 0)
    factor = np.ones(len(total))
    drawn = relative > 1e-6
    shape = 1 / relative[drawn] ** 2
    factor[drawn] = np.minimum(rng.gamma(shape) / shape, MOST_FACTOR)
    day = float(rng.standard_normal())
    veh = demand.veh * factor[:, None]
    if within_veh is not None:
        veh = np.clip(veh + day * within_veh, 0.0, MOST_FACTOR * demand.veh)
    return replace(demand, veh=veh)


def with_drawn_counts(demand: DemandScenarios, n: int, *, seed: int) -> DemandScenarios:
    """Every day, and beside it n draws of it within the ranges of its counts, all with equal parts of its weight."""
    if n < 0:
        raise DemandError("drawn_counts", f"is {n}; needs to be 0 or more")
    if n == 0:
        return demand
    scenarios: list[Demand] = []
    weights: list[float] = []
    for i, (one, weight) in enumerate(zip(demand.scenarios, demand.weights, strict=True)):
        rng = np.random.default_rng([seed, i, 7])
        within = demand.within_veh[i] if demand.within_veh else None
        scenarios += [one, *(drawn_demand(one, rng, within) for _ in range(n))]
        weights += [weight / (n + 1)] * (n + 1)
    return DemandScenarios(scenarios=tuple(scenarios), weights=tuple(weights))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a plan does on days it was not made for; `values` are its costs on each of them. [s/veh]

    `mean_less_first` and `tail_less_first` are the differences to the first plan, with the standard error of the
    mean's over days (None for the first, and of a single day).
    """

    name: str
    values: tuple[float, ...]
    mean: float
    tail: float
    worst: float
    mean_less_first: float | None = None
    se: float | None = None
    tail_less_first: float | None = None


def judged_on(
    network: RoadNetwork,
    plans: Mapping[str, TimingPlan],
    days: Sequence[Sequence[Trips]],
    weighing: Weighing,
    *,
    begin_s: float,
    end_s: float,
    warmup_s: float = 0.0,
    seed: int = 0,
    workers: int = 1,
    saturation_vph: Mapping[tuple[str, int], float] | None = None,
    start_up_s: Mapping[tuple[str, int], float] | None = None,
) -> list[Outcome]:
    """Simulate plans on days that they were not made for.

    Parameters
    ----------
    plans : mapping
        By name; differences are to the first.
    days : sequence of sequence of Trips
        Of each day one or more draws of its vehicles; a day's cost is their mean.
    """
    flat = [trips for day in days for trips in day]
    simulator = Simulator(
        network, flat, begin_s=begin_s, end_s=end_s, warmup_s=warmup_s, seed=seed, workers=workers,
        saturation_vph=saturation_vph, start_up_s=start_up_s,
    )  # fmt: skip
    edges = np.cumsum([0, *map(len, days)])
    rows = []
    for plan, totals in zip(plans.values(), simulator.run(list(plans.values())), strict=True):
        costs = np.array([weighing.per_veh_s(one) for one in totals]) + weighing.beside_plan_s(network, plan)
        rows.append(np.array([costs[a:b].mean() for a, b in pairwise(edges.tolist())]))
    return outcomes(dict(zip(plans, rows, strict=True)), weighing.objective.tail_share)


def outcomes(values: Mapping[str, Floats], tail_share: float) -> list[Outcome]:
    """Means, tails and paired differences out of each plan's costs on the same days, shape (N,) each."""
    out: list[Outcome] = []
    first: Floats | None = None
    for name, row in values.items():
        equal = np.full(len(row), 1 / len(row))
        tail = weighted_tail(row, equal, tail_share)
        one = Outcome(name=name, values=tuple(row.tolist()), mean=float(row.mean()), tail=tail, worst=float(row.max()))
        if first is None:
            first = row
        else:
            gap = row - first
            one = replace(
                one,
                mean_less_first=float(gap.mean()),
                se=float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else None,
                tail_less_first=tail - out[0].tail,
            )
        out.append(one)
    return out
