"""The models that the fidelity benchmark compares with SUMO: each gives every plan of a case a delay."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.fidelity_cases import FidelityCase
from benchmarks.fidelity_flows import turning_flows
from benchmarks.fidelity_formulas import FORMULAS, closed_form_delays
from network_data.demand import Demand
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim.measures import measure
from sim.parameters import SUMO
from sim.profile import Profile
from sim.simulate import Simulator
from sim.trips import draw_trips
from sim.wave import Wave

REALIZATIONS = 5
"""How often turning flows are drawn as vehicles."""
WORKERS = 2
EXACT, FLOWS, WAVE, PROFILE = "exact vehicles", "5-min turning flows", "wave filter", "profile filter"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says of P plans: delays [s/veh], delays on approach links [s/veh], and its CPU time per plan. [s]"""

    delays_s: list[float]
    cpu_s: float
    approaches: list[dict[str, float]] = field(default_factory=list)


def predictions(case: FidelityCase, plans: Sequence[TimingPlan]) -> dict[str, Prediction]:
    """What every model says of the plans, by the model's name."""
    demand = turning_flows(case.network, case.trips, case.base.begin_s, case.base.end_s)
    return {
        EXACT: exact_vehicles(case, plans),
        FLOWS: five_minute_flows(case, demand, plans),
        WAVE: _filtered(Wave(case.network, demand, parameters=SUMO).delays, plans),
        PROFILE: _filtered(Profile(case.network, demand, parameters=SUMO).delays, plans),
        **closed_forms(case, demand, plans),
    }


def exact_vehicles(case: FidelityCase, plans: Sequence[TimingPlan]) -> Prediction:
    """The queue simulation with SUMO's very vehicles and its constants."""
    simulator = simulator_of(case, [case.trips])
    out = _simulated(simulator, plans)
    approaches = [approach_delays(simulator, plan) for plan in plans]
    return Prediction(delays_s=out.delays_s, cpu_s=out.cpu_s, approaches=approaches)


def five_minute_flows(case: FidelityCase, demand: Demand, plans: Sequence[TimingPlan]) -> Prediction:
    """The queue simulation with vehicles drawn from true turning flows per 5 minutes, mean over realizations."""
    spacing_m = float(np.mean(case.trips.length_m))
    trips = [draw_trips(case.network, demand, seed=seed, spacing_m=spacing_m) for seed in range(REALIZATIONS)]
    return _simulated(simulator_of(case, trips), plans)


def simulator_of(case: FidelityCase, trips: Sequence[Trips]) -> Simulator:
    """The queue simulation with SUMO's constants."""
    base = case.base
    return Simulator(case.network, trips, begin_s=base.begin_s, end_s=base.end_s, parameters=SUMO, workers=WORKERS)


def _simulated(simulator: Simulator, plans: Sequence[TimingPlan]) -> Prediction:
    """Delays by the queue simulation; compiling a plan counts, compiling the network and its first call do not."""
    simulator.run(plans[:1])
    began_s = time.process_time()
    totals = simulator.run(plans)
    cpu_s = (time.process_time() - began_s) / max(1, len(plans))
    return Prediction(delays_s=[float(np.mean([t.delay_s_per_veh for t in row])) for row in totals], cpu_s=cpu_s)


def _filtered(
    delays_of: Callable[[Sequence[TimingPlan]], NDArray[np.float64]], plans: Sequence[TimingPlan]
) -> Prediction:
    """Delays by a filter, many plans at once; its first call does not count."""
    delays_of(plans[:1])
    began_s = time.process_time()
    delays = delays_of(plans)
    return Prediction(delays_s=delays.tolist(), cpu_s=(time.process_time() - began_s) / max(1, len(plans)))


def approach_delays(simulator: Simulator, plan: TimingPlan) -> dict[str, float]:
    """Delay on every link that ends at a junction, waiting to enter there included. [s/veh]"""
    delay: dict[str, float] = defaultdict(float)
    flow: dict[str, float] = defaultdict(float)
    for movement in measure(simulator, plan).movements.values():
        delay[movement.from_link] += movement.delay_s_per_veh * movement.flow_vph
        flow[movement.from_link] += movement.flow_vph
    return {link: total / flow[link] for link, total in delay.items() if flow[link] > 0}


def closed_forms(case: FidelityCase, demand: Demand, plans: Sequence[TimingPlan]) -> dict[str, Prediction]:
    """Closed forms for every lane group at every signal, summed over vehicles; one calculation gives all three."""
    began_s = time.process_time()
    found = [closed_form_delays(case.network, plan, demand) for plan in plans]
    cpu_s = (time.process_time() - began_s) / max(1, len(plans))
    return {
        name: Prediction(
            delays_s=[row[name][0] for row in found], cpu_s=cpu_s, approaches=[row[name][1] for row in found]
        )
        for name in FORMULAS
    }
