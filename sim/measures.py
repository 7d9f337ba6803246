"""Measure a plan: per movement, lane group, signal and network, over realizations, each with its standard error."""

from __future__ import annotations

from collections.abc import Sequence

from network_data.errors import DemandError
from network_data.plans import TimingPlan
from sim._summary import Summary
from sim._tallies import Scene, tally
from sim.measured import AreaMeasures, ClassMeasures, LaneGroupMeasures, Measures, MovementMeasures
from sim.pedestrians import CrossingMeasures, crossing_measures
from sim.persons import People
from sim.simulate import Actuated, Simulator

__all__ = [
    "AreaMeasures",
    "ClassMeasures",
    "CrossingMeasures",
    "LaneGroupMeasures",
    "Measures",
    "MovementMeasures",
    "People",
    "measure",
]


def measure(
    simulator: Simulator,
    plan: TimingPlan,
    *,
    people: People | None = None,
    actuated: Actuated | None = None,
    weights: Sequence[float] | None = None,
) -> Measures:
    """Run a plan on all realizations and measure it.

    Parameters
    ----------
    actuated : mapping, optional
        Controllers that decide themselves; figures rest on what they showed. Their crossings are left out: when people
        could walk is not recorded.
    people : People, optional
        Persons per vehicle and pedestrians per crossing, for the delay of persons. Default: `People()`.
    weights : sequence of float, optional
        Of the realizations, adding up to 1: days that stand for more days count more. Percentiles and maxima of queues
        take every realization alike. Default: all alike.

    Raises
    ------
    DemandError
        Weights that are no such.
    NetworkError
        Pedestrians at a crossing that the network does not have.
    """
    who = (people or People()).checked(simulator.compiled.network)
    n = simulator.n_realizations
    if weights is not None and not (len(weights) == n and min(weights) > 0 and abs(sum(weights) - 1) < 1e-6):
        raise DemandError("measure", f"{len(weights)} weights for {n} realizations; give one each, adding up to 1")
    live = actuated or {}
    scene = Scene(simulator, plan, live)
    tallies = [tally(scene, r) for r in range(simulator.n_realizations)]
    fixed = {c: program for c, program in plan.controllers.items() if c not in live}
    crossings = crossing_measures(simulator.compiled.network, TimingPlan(controllers=fixed), who.pedestrians_ph)
    cycle_s = {c: p.cycle_s for c, p in fixed.items()}
    cycle_s |= {c: one.cycle_s for c, one in live.items() if one.cycle_s is not None}
    summary = Summary(scene, tallies, who, crossings, weights)
    return Measures(
        network=summary.network(),
        signals=summary.signals(),
        cycle_s=cycle_s,
        movements=summary.movements(),
        entered_veh=summary.by_lane([t.entered_veh for t in tallies]),
        left_veh=summary.by_lane([t.left_veh for t in tallies]),
        lane_groups=summary.lane_groups,
        crossings=crossings,
        classes=summary.classes(),
    )
