"""The models that the fidelity benchmark compares with SUMO: each gives every plan of a case a delay."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.fidelity_cases import FidelityCase
from benchmarks.fidelity_flows import turning_flows
from benchmarks.fidelity_formulas import FORMULAS, closed_form_delays
from network_data.demand import Demand
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _tables as k
from sim.compile import TICKS
from sim.parameters import SUMO
from sim.profile import Profile
from sim.simulate import Simulator
from sim.trips import draw_trips
from sim.wave import Wave, WaveResult

DRIVERS = 12
"""How often drivers' speeds are drawn for SUMO's very vehicles: ranks by three draws differ by 0.05."""
REALIZATIONS = 12
"""How often turning flows are drawn as vehicles."""
APPROACH_DRAWS = 3
"""Delays on approaches are the means of the first so many: each takes several times as long as the delay itself."""
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
        WAVE: filtered(Wave(case.network, demand, parameters=SUMO), demand, plans),
        PROFILE: filtered(Profile(case.network, demand, parameters=SUMO), demand, plans),
        **closed_forms(case, demand, plans),
    }


def exact_vehicles(case: FidelityCase, plans: Sequence[TimingPlan]) -> Prediction:
    """The queue simulation with SUMO's very vehicles and its constants, mean over draws of drivers' speeds."""
    return _simulated(case, [case.trips] * DRIVERS, plans)


def five_minute_flows(case: FidelityCase, demand: Demand, plans: Sequence[TimingPlan]) -> Prediction:
    """The queue simulation with vehicles drawn from true turning flows per 5 minutes, mean over realizations."""
    spacing_m = float(np.mean(case.trips.length_m))
    trips = [draw_trips(case.network, demand, seed=seed, spacing_m=spacing_m) for seed in range(REALIZATIONS)]
    return _simulated(case, trips, plans)


def simulator_of(case: FidelityCase, trips: Sequence[Trips]) -> Simulator:
    """The queue simulation with SUMO's constants."""
    base = case.base
    return Simulator(case.network, trips, begin_s=base.begin_s, end_s=base.end_s, parameters=SUMO, workers=WORKERS)


def _simulated(case: FidelityCase, trips: Sequence[Trips], plans: Sequence[TimingPlan]) -> Prediction:
    """Delays by the queue simulation; compiling a plan counts, compiling the network and its first call do not."""
    simulator = simulator_of(case, trips)
    simulator.run(plans[:1])
    began_s = time.process_time()
    totals = simulator.run(plans)
    return Prediction(
        delays_s=[float(np.mean([t.delay_s_per_veh for t in row])) for row in totals],
        cpu_s=(time.process_time() - began_s) / max(1, len(plans)),
        approaches=[approach_delays(simulator, trips[:APPROACH_DRAWS], plan) for plan in plans],
    )


def approach_delays(simulator: Simulator, trips: Sequence[Trips], plan: TimingPlan) -> dict[str, float]:
    """Delay on every link with a way on, waiting to enter there included. [s/veh]

    On the links as `measure` counts it for its movements, without the rest of what that measures.

    Parameters
    ----------
    trips : sequence of Trips
        The simulator's first realizations.
    """
    compiled = simulator.compiled
    links = tuple(compiled.network.links)
    row = {link: i for i, link in enumerate(links)}
    from_link = np.array([row[c.from_link] for c in compiled.network.connections])
    veh, delay_s = np.zeros(len(links)), np.zeros(len(links))
    end = round((simulator.end_s - simulator.begin_s) * TICKS)
    for r, vehicles in enumerate(trips):
        _, record = simulator.record(plan, r)
        conn, lane, enter = record.column(k.LOG_CONN), record.column(k.LOG_LANE), record.column(k.LOG_ENTER)
        due = (conn >= 0) & ((record.column(k.LOG_LEAVE) < end) | (record.column(k.LOG_ARRIVAL) < end))
        came = due & (lane < compiled.n_real_lane)
        veh += np.bincount(from_link[conn[came]], minlength=len(links))
        waited_s = record.column(k.LOG_DELAY)[due] / TICKS
        delay_s += np.bincount(from_link[conn[due]], weights=waited_s, minlength=len(links))
        # who has not entered by the end waits until then
        entered_s = np.full(len(vehicles), simulator.end_s)
        np.minimum.at(entered_s, record.column(k.LOG_VEH), enter / TICKS + simulator.begin_s)
        first = np.array([row[link] for link in vehicles.links])[vehicles.route_link[vehicles.route_start[:-1]]]
        delay_s += np.bincount(first, weights=entered_s - vehicles.depart_s, minlength=len(links))
        veh += np.bincount(first[entered_s >= simulator.end_s], minlength=len(links))
    return {link: float(delay_s[i] / veh[i]) for link, i in row.items() if veh[i] > 0}


def filtered(of: Wave | Profile, demand: Demand, plans: Sequence[TimingPlan]) -> Prediction:
    """Delays by a filter, many plans at once; its first call does not count."""
    of.run(plans[:1])
    began_s = time.process_time()
    found = of.run(plans)
    cpu_s = (time.process_time() - began_s) / max(1, len(plans))
    link_s = found.link_delay_s + found.gate_delay_s if isinstance(found, WaveResult) else found.link_delay_s
    veh: dict[str, float] = defaultdict(float)
    for (origin, _), row in zip(demand.pairs, demand.veh, strict=True):
        veh[origin] += float(row.sum())
    return Prediction(
        delays_s=found.delay_s_per_veh.tolist(),
        cpu_s=cpu_s,
        approaches=[
            {link: total / veh[link] for link, total in zip(found.links, row, strict=True) if veh[link] > 0}
            for row in link_s.tolist()
        ],
    )


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
