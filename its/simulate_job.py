"""`its simulate`: measure a plan in the queue simulation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from its.console import Console
from its.inputs import load_demand, load_field_plan, load_network
from its.measures_json import measures_json
from its.measures_text import measures_text
from its.people import people_of
from its.requests import SimulateRequest
from network_data.formats.sumo_routes import read_routes
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings, load_settings
from network_data.trips import Trips
from sim.measures import measure
from sim.parameters import STREET, SUMO
from sim.simulate import Simulator
from sim.trips import draw_trips


def simulate_job(request: SimulateRequest) -> int:
    """Run the job; returns the exit code."""
    console = Console(quiet=request.as_json)
    with console.stage("read"):
        network = load_network(request.network)
        plan = load_field_plan(request.plans, network)
        settings = load_settings(request.settings) if request.settings is not None else Settings()
        people = people_of(settings, network)
    with console.stage("demand"):
        trips, begin_s, end_s = _trips(request, network, plan)
    with console.stage("simulate"):
        parameters = SUMO if request.source.routes else STREET
        simulator = Simulator(
            network,
            trips,
            begin_s=begin_s,
            end_s=end_s,
            warmup_s=request.warmup_s,
            seed=request.seed,
            parameters=parameters,
        )
        measures = measure(simulator, plan, people=people)
    if request.as_json:
        reading = {"controllers": "fixed time", "realizations": len(trips), "begin_s": begin_s, "end_s": end_s}
        print(json.dumps({**measures_json(measures), "simulated": reading}, indent=1))
    else:
        print(measures_text(measures))
    return 0


def _trips(request: SimulateRequest, network: RoadNetwork, plan: TimingPlan) -> tuple[Sequence[Trips], float, float]:
    """The realizations and their period."""
    source, seed = request.source, request.seed
    if source.routes:
        begin_s = source.begin_s or 0.0
        first_s = begin_s - request.warmup_s
        end_s = source.end_s if source.end_s is not None else float("inf")
        trips = read_routes(source.routes, network, begin_s=first_s, end_s=end_s, seed=seed)
        if source.end_s is None:
            end_s = float(trips.depart_s.max()) + 1.0 if len(trips) else begin_s + 1.0
        return [trips] * request.realizations, begin_s, end_s
    loaded = load_demand(source, network, plan)
    scenarios = loaded.scenarios.scenarios
    drawn = [
        draw_trips(network, scenarios[n % len(scenarios)], seed=seed * 1000 + n, warmup_s=request.warmup_s)
        for n in range(max(request.realizations, len(scenarios)))
    ]
    return drawn, loaded.begin_s, loaded.end_s
