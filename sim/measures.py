"""Measure a plan: per movement, lane group, signal and network, over realizations, each with its standard error."""

from __future__ import annotations

from network_data.plans import TimingPlan
from sim._summary import Summary
from sim._tallies import Scene, tally
from sim.measured import AreaMeasures, ClassMeasures, LaneGroupMeasures, Measures, MovementMeasures
from sim.pedestrians import CrossingMeasures, crossing_measures
from sim.persons import People
from sim.simulate import Simulator

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


def measure(simulator: Simulator, plan: TimingPlan, *, people: People | None = None) -> Measures:
    """Run a plan on all realizations and measure it.

    Parameters
    ----------
    people : People, optional
        Persons per vehicle and pedestrians per crossing, for the delay of persons. Default: `People()`.

    Raises
    ------
    NetworkError
        Pedestrians at a crossing that the network does not have.
    """
    who = (people or People()).checked(simulator.compiled.network)
    scene = Scene(simulator, plan)
    tallies = [tally(scene, r) for r in range(simulator.n_realizations)]
    crossings = crossing_measures(simulator.compiled.network, plan, who.pedestrians_ph)
    summary = Summary(scene, tallies, who, crossings)
    return Measures(
        network=summary.network(),
        signals=summary.signals(),
        cycle_s={c: p.cycle_s for c, p in plan.controllers.items()},
        movements=summary.movements(),
        entered_veh=summary.by_lane([t.entered_veh for t in tallies]),
        left_veh=summary.by_lane([t.left_veh for t in tallies]),
        lane_groups=summary.lane_groups,
        crossings=crossings,
        classes=summary.classes(),
    )
