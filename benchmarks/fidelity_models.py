"""The models that the fidelity benchmark compares with SUMO: each gives every plan of a case a delay."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks.fidelity_cases import FidelityCase
from benchmarks.fidelity_flows import turning_flows
from benchmarks.fidelity_formulas import Formulas
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim.measures import measure
from sim.parameters import SUMO
from sim.simulate import Simulator
from sim.trips import draw_trips

REALIZATIONS = 5
"""How often turning flows are drawn as vehicles."""
WORKERS = 2
EXACT, FLOWS = "exact vehicles", "5-min turning flows"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says of P plans: delays [s/veh], delays on approach links [s/veh], and its CPU time per plan. [s]"""

    delays_s: list[float]
    cpu_s: float
    approaches: list[dict[str, float]] = field(default_factory=list)


Model = Callable[[FidelityCase, Sequence[TimingPlan]], Prediction]


def exact_vehicles(case: FidelityCase, plans: Sequence[TimingPlan]) -> Prediction:
    """The queue simulation with SUMO's very vehicles and its constants."""
    simulator = _simulator(case, [case.trips])
    out = _simulated(simulator, plans)
    return Prediction(
        delays_s=out.delays_s, cpu_s=out.cpu_s, approaches=[approach_delays(simulator, plan) for plan in plans]
    )


def five_minute_flows(case: FidelityCase, plans: Sequence[TimingPlan]) -> Prediction:
    """The queue simulation with vehicles drawn from true turning flows per 5 minutes, mean over realizations."""
    demand = turning_flows(case.network, case.trips, case.base.begin_s, case.base.end_s)
    spacing_m = float(np.mean(case.trips.length_m))
    trips = [draw_trips(case.network, demand, seed=seed, spacing_m=spacing_m) for seed in range(REALIZATIONS)]
    return _simulated(_simulator(case, trips), plans)


def _simulator(case: FidelityCase, trips: Sequence[Trips]) -> Simulator:
    base = case.base
    return Simulator(case.network, trips, begin_s=base.begin_s, end_s=base.end_s, parameters=SUMO, workers=WORKERS)


def _simulated(simulator: Simulator, plans: Sequence[TimingPlan]) -> Prediction:
    """Delays by the queue simulation; compiling a plan counts, compiling the network and its first call do not."""
    simulator.run(plans[:1])
    began_s = time.process_time()
    totals = simulator.run(plans)
    cpu_s = (time.process_time() - began_s) / max(1, len(plans))
    return Prediction(delays_s=[float(np.mean([t.delay_s_per_veh for t in row])) for row in totals], cpu_s=cpu_s)


def approach_delays(simulator: Simulator, plan: TimingPlan) -> dict[str, float]:
    """Delay on every link that ends at a signal. [s/veh]"""
    delay: dict[str, float] = defaultdict(float)
    flow: dict[str, float] = defaultdict(float)
    for movement in measure(simulator, plan).movements.values():
        delay[movement.from_link] += movement.delay_s_per_veh * movement.flow_vph
        flow[movement.from_link] += movement.flow_vph
    return {link: total / flow[link] for link, total in delay.items() if flow[link] > 0}


def formula(name: Literal["webster", "hcm"]) -> Model:
    """A closed form for every lane at every signal, summed over vehicles."""

    def model(case: FidelityCase, plans: Sequence[TimingPlan]) -> Prediction:
        demand = turning_flows(case.network, case.trips, case.base.begin_s, case.base.end_s)
        formulas = Formulas(case.network, demand, spacing_m=float(np.mean(case.trips.length_m)))
        began_s = time.process_time()
        delays = [formulas.delay_s_per_veh(plan, name) for plan in plans]
        cpu_s = (time.process_time() - began_s) / max(1, len(plans))
        return Prediction(delays_s=delays, cpu_s=cpu_s)

    return model


def models() -> dict[str, Model]:
    """All models by name."""
    return {EXACT: exact_vehicles, FLOWS: five_minute_flows, "Webster": formula("webster"), "HCM 7": formula("hcm")}
