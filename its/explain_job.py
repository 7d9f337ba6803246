"""`its explain`: why a plan is as it is, signal by signal; both plans simulated on the same traffic."""

from __future__ import annotations

import json
from collections.abc import Sequence

from its.check import read_plan
from its.console import DONE, Console
from its.inputs import load_demand, load_field_plan, load_network
from its.people import people_of
from its.requests import ExplainRequest
from its.saturation import saturation_of
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings, load_settings
from network_data.settings_names import check_names
from optimizer.explain import Reason, explain
from optimizer.flows import highest_flows_vph, mean_flows_vph, queued_links
from sim.measures import measure
from sim.parameters import STREET
from sim.simulate import Simulator
from sim.trips import draw_trips


def explain_job(request: ExplainRequest) -> int:
    """Run the job; returns the exit code."""
    console = Console(quiet=request.as_json)
    with console.stage("read"):
        network = load_network(request.network)
        field = load_field_plan(request.against, network, at_s=request.source.begin_s or 0.0)
        settings = load_settings(request.settings) if request.settings is not None else Settings()
        check_names(settings, network, field, str(request.settings))
        given = read_plan(request.plan, network)
        plan = TimingPlan(controllers={**field.controllers, **given.controllers})
        people = people_of(settings, network)
    with console.stage("demand"):
        loaded = load_demand(request.source, network, field)
        scenarios = loaded.scenarios.scenarios
        trips = [
            draw_trips(network, scenarios[k % len(scenarios)], seed=1000 * request.seed + k, spacing_m=STREET.spacing_m)
            for k in range(max(request.realizations, len(scenarios)))
        ]
    with console.stage("simulate"):
        simulator = Simulator(
            network,
            trips,
            begin_s=loaded.begin_s,
            end_s=loaded.end_s,
            seed=request.seed,
            saturation_vph=saturation_of(settings.saturation, network, trips, field),
            start_up_s=settings.saturation.start_ups_s(network),
        )
        before, after = (measure(simulator, one, people=people) for one in (field, plan))
    reasons = explain(
        network,
        field,
        plan,
        before,
        after,
        settings,
        flows_vph=mean_flows_vph(loaded.scenarios),
        highest_vph=highest_flows_vph(loaded.scenarios),
        measured_links=loaded.measured_links,
        queued=queued_links(loaded.scenarios),
    )
    if request.as_json:
        print(json.dumps({"explanations": [one.as_json() for one in reasons]}, indent=1, ensure_ascii=False))
    else:
        print(explain_text(network, reasons))
    return DONE


def explain_text(network: RoadNetwork, reasons: Sequence[Reason]) -> str:
    """The reasons by signal."""
    blocks = []
    for c in network.controllers:
        mine = [one for one in reasons if one.controller == c]
        if mine:
            lines = [f"  {one.subject}: {one.text}" if one.what == "green" else f"  {one.text}" for one in mine]
            blocks.append("\n".join([c, *lines]))
    return "\n\n".join(blocks) if blocks else "the plan changes no number of the field's"
