"""The example district as a street of agents: its field programs in force, a slightly changed plan to push."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import _push_wire as wire
from benchmarks._push_agents import N_PATTERNS, Agent
from its.push import objects as o
from its.push.targets import Profile, Target
from its.push.timing import Timing, plan_of_timing, timing_of
from its.recognize import load_field_plan, load_network
from its.referee_runs import SumoRun, run_plan
from its.sumo import Scenario
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.rings import phases_of, starting_at_stage

DISTRICT = Path(__file__).resolve().parent.parent / "examples" / "district"
NETWORK, ROUTES = DISTRICT / "network.net.xml.gz", DISTRICT / "routes_peak.rou.xml.gz"
MOVED_S, LATER_S = 3, 9
"""What the plan to push moves from the longest green to the next one, and by how much it starts later. [s]"""
PROGRAM = "pushed"


def district() -> tuple[RoadNetwork, TimingPlan]:
    """The network and its field programs, begun at a stage and with their phases."""
    network = load_network(NETWORK)
    field = load_field_plan(None, network)
    out = {}
    for name, program in field.controllers.items():
        controller = network.controllers[name]
        begun = starting_at_stage(program, controller)
        groups = phases_of(controller, network, begun)
        if groups:
            out[name] = replace(begun, barrier_groups=groups, program_id=PROGRAM, min_durations_s=())
    return network, TimingPlan(controllers=out)


def changed(plan: ControllerPlan) -> ControllerPlan:
    """The plan to push: another offset, and seconds moved between the two longest greens."""
    target, profile = target_of(plan.controller_id, "127.0.0.1:1"), Profile()
    timing = timing_of(plan, target, profile)
    phases = [phase for group in plan.barrier_groups for ring in group.rings for phase in ring]
    longest = sorted(range(len(phases)), key=lambda n: -phases[n].green_s)[:2]
    splits = dict(timing.splits_s)
    if len(longest) == 2 and phases[longest[0]].green_s >= phases[longest[0]].min_green_s + MOVED_S:
        splits[longest[0] + 1] -= MOVED_S
        splits[longest[1] + 1] += MOVED_S
    other = replace(timing, splits_s=splits, offset_s=(timing.offset_s + LATER_S) % timing.cycle_s)
    return plan_of_timing(other, plan, target, profile)


def target_of(name: str, address: str) -> Target:
    """The target of a controller of the district: first phase coordinated."""
    return Target.model_validate({"id": name, "address": address, "coordinated": (1,)})


def read_back(agents: Sequence[Agent], templates: Mapping[str, ControllerPlan]) -> TimingPlan:
    """The plans that agents run, by the witness: values off the wire, signals as in the templates."""
    out = {}
    for agent in agents:
        template = templates[agent.name]
        n = len([p for g in template.barrier_groups for ring in g.rings for p in ring])
        pattern = int(wire.read(agent.port, [o.SYSTEM_PATTERN])[o.SYSTEM_PATTERN]) or 1
        if pattern > N_PATTERNS:
            raise ValueError(f"{agent.name} runs pattern {pattern}")
        split = int(wire.read(agent.port, [f"{o.PATTERN}.4.{pattern}"])[f"{o.PATTERN}.4.{pattern}"])
        names = [f"{o.PATTERN}.2.{pattern}", f"{o.PATTERN}.3.{pattern}"]
        names += [f"{o.SPLIT}.3.{split}.{p}" for p in range(1, n + 1)]
        names += [f"{o.PHASE}.{column}.{p}" for column in (o.YELLOW, o.RED_CLEAR) for p in range(1, n + 1)]
        found = {name: int(value) for name, value in wire.read(agent.port, names).items()}
        timing = Timing(
            cycle_s=found[names[0]],
            offset_s=found[names[1]],
            splits_s={p: found[f"{o.SPLIT}.3.{split}.{p}"] for p in range(1, n + 1)},
            clearance_ds={
                p: (found[f"{o.PHASE}.{o.YELLOW}.{p}"], found[f"{o.PHASE}.{o.RED_CLEAR}.{p}"]) for p in range(1, n + 1)
            },
            walking=frozenset(),
            coordinated=frozenset({1}),
        )
        out[agent.name] = plan_of_timing(timing, template, target_of(agent.name, agent.address), Profile())
    return TimingPlan(controllers=out)


def in_sumo(plan: TimingPlan, *, begin_s: float, end_s: float, seed: int) -> SumoRun:
    """The district's traffic under a plan."""
    scenario = Scenario(network=NETWORK, routes=(ROUTES,), begin_s=begin_s, end_s=end_s)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.add.xml")
        path.write_text(write_sumo_programs(plan), encoding="utf-8")
        return run_plan(scenario, [path], seed, {})
