"""`its simulate`: measure a plan in the queue simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from its.actuation import load_actuated
from its.console import Console
from its.inputs import load_demand, load_field_plan, load_network
from its.measures_json import measures_json
from its.measures_text import measures_text
from its.people import people_of
from its.requests import SimulateRequest
from its.saturation import saturation_of
from its.schedule import load_schedule, transitions_json, transitions_text
from network_data.actuation import ActuatedController, readings
from network_data.formats.sumo_routes import read_routes
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.queues import read_queues
from network_data.schedule import DayPlan
from network_data.settings import Settings, load_settings
from network_data.trips import Trips
from sim.measures import measure
from sim.parameters import STREET, SUMO
from sim.simulate import Simulator
from sim.transition_cycles import Method
from sim.transitions import Transition, compile_schedule
from sim.trips import draw_trips, with_queues

EXACT, DRAWN = "exact vehicles", "drawn from turning flows"
SETS = {"street": STREET, "sumo": SUMO}
SUMO_NOTE = "parameters: sumo, to be held against SUMO only; --parameters street for the street"


def simulate_job(request: SimulateRequest) -> int:
    """Run the job; returns the exit code."""
    console = Console(quiet=request.as_json)
    with console.stage("read"):
        network = load_network(request.network)
        settings = load_settings(request.settings) if request.settings is not None else Settings()
        people = people_of(settings, network)
        control = _control(request, network, settings)
    with console.stage("demand"):
        traffic = _traffic(request, network, control.plan, settings)
    with console.stage("simulate"):
        shown, transitions = control.over(network, traffic.begin_s - request.warmup_s, traffic.end_s)
        simulator = Simulator(
            network,
            traffic.trips,
            begin_s=traffic.begin_s,
            end_s=traffic.end_s,
            warmup_s=request.warmup_s,
            seed=request.seed,
            parameters=SETS[_parameters(request)],
            saturation_vph=saturation_of(settings.saturation, network, traffic.trips, control.plan_at(traffic.begin_s)),
            start_up_s=settings.saturation.start_ups_s(network),
        )
        measures = measure(simulator, shown, people=people, actuated=control.actuated, weights=traffic.weights)
    switched = {t.controller_id for t in transitions}  # what they show over the period has no cycle
    measures = replace(measures, cycle_s={c: s for c, s in measures.cycle_s.items() if c not in switched})
    said = _simulated(request, settings, control, traffic, transitions)
    if request.as_json:
        print(json.dumps({**measures_json(measures), "simulated": said}, indent=1))
    else:
        print("\n\n".join([measures_text(measures), *_text(said, transitions)]))
    return 0


@dataclass(frozen=True, kw_only=True)
class _Control:
    """What the controllers do: a plan, or the plans of a day; and those that decide themselves."""

    plan: TimingPlan
    day: DayPlan | None = None
    method: Method = "shortway"
    actuated: dict[str, ActuatedController] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def plan_at(self, time_s: float) -> TimingPlan:
        """The plan due at a second after midnight."""
        return self.plan if self.day is None else self.day.plan_at(time_s)

    def over(self, network: RoadNetwork, begin_s: float, end_s: float) -> tuple[TimingPlan, tuple[Transition, ...]]:
        """The plan shown over a period, and the switches in it."""
        if self.day is None:
            return self.plan, ()
        laid = compile_schedule(network, self.day, begin_s=begin_s, end_s=end_s, method=self.method)
        program_at = self.day.plan_at(begin_s).controllers
        switched = {t.controller_id for t in laid.transitions}
        shown = {c: p if c in switched else program_at[c] for c, p in laid.unrolled().controllers.items()}
        return TimingPlan(controllers=shown), laid.transitions


@dataclass(frozen=True, kw_only=True)
class _Traffic:
    trips: Sequence[Trips]
    begin_s: float
    end_s: float
    kind: str
    queued_veh: int = 0
    weights: tuple[float, ...] | None = None
    counts: dict[str, Any] | None = None


def _control(request: SimulateRequest, network: RoadNetwork, settings: Settings) -> _Control:
    if request.schedule is not None:
        schedule, day = load_schedule(request.schedule, network)
        return _Control(plan=day.plan_at(request.source.begin_s or 0.0), day=day, method=schedule.method)
    plan = load_field_plan(request.plans, network, at_s=request.source.begin_s or 0.0)
    if request.controllers == "fixed":
        return _Control(plan=plan)
    made = load_actuated(request.network, request.plans, network, plan, settings, str(request.settings))
    return _Control(plan=plan, actuated=made.controllers, notes=made.notes)


def _parameters(request: SimulateRequest) -> str:
    return request.parameters or ("sumo" if request.source.routes else "street")


def _traffic(request: SimulateRequest, network: RoadNetwork, plan: TimingPlan, settings: Settings) -> _Traffic:
    """The realizations and their period."""
    source, seed = request.source, request.seed
    if source.routes:
        begin_s = source.begin_s or 0.0
        first_s = begin_s - request.warmup_s
        end_s = source.end_s if source.end_s is not None else float("inf")
        trips = read_routes(source.routes, network, begin_s=first_s, end_s=end_s, seed=seed)
        if source.end_s is None:
            end_s = float(trips.depart_s.max()) + 1.0 if len(trips) else begin_s + 1.0
        return _Traffic(trips=[trips] * request.realizations, begin_s=begin_s, end_s=end_s, kind=EXACT)
    queues = read_queues(request.queues, network) if request.queues is not None else {}
    loaded = load_demand(source, network, plan, settings)
    scenarios = loaded.scenarios.scenarios
    drawn = []
    for n in range(max(request.realizations, len(scenarios))):
        demand, one = scenarios[n % len(scenarios)], seed * 1000 + n
        trips = draw_trips(network, demand, seed=one, warmup_s=request.warmup_s)
        if queues:
            at_s = loaded.begin_s - request.warmup_s
            trips = with_queues(network, demand, trips, queues, at_s=at_s, seed=one)
        drawn.append(trips)
    return _Traffic(
        trips=drawn,
        begin_s=loaded.begin_s,
        end_s=loaded.end_s,
        kind=DRAWN,
        queued_veh=sum(queues.values()),
        weights=_weights(loaded.scenarios.weights, len(drawn)),
        counts=loaded.count_record,
    )


def _weights(of_day: Sequence[float], n: int) -> tuple[float, ...] | None:
    """Weights of n realizations that take the days in turn; None where all days count alike and as often."""
    times = [len(range(k, n, len(of_day))) for k in range(len(of_day))]
    weights = tuple(of_day[k % len(of_day)] / times[k % len(of_day)] for k in range(n))
    return None if len(set(of_day)) == 1 and len(set(times)) == 1 else weights


def _simulated(
    request: SimulateRequest,
    settings: Settings,
    control: _Control,
    traffic: _Traffic,
    transitions: Sequence[Transition],
) -> dict[str, Any]:
    """What was simulated, for people who read the figures."""
    said = readings(control.actuated, {c: program.actuated for c, program in control.plan.controllers.items()})
    return {
        "controllers": "; ".join(dict.fromkeys(said.values())) or "none",
        "realizations": len(traffic.trips),
        "begin_s": traffic.begin_s,
        "end_s": traffic.end_s,
        "readings": said,
        "demand": traffic.kind,
        "parameters": _parameters(request),
        "saturation": settings.saturation.standard,
        "queued_veh": traffic.queued_veh,
        "counts": traffic.counts,
        "schedule": control.method if control.day is not None else None,
        "transitions": transitions_json(transitions),
        "notes": list(control.notes),
    }


def _text(said: Mapping[str, Any], transitions: Sequence[Transition]) -> list[str]:
    """What was simulated, and the switches of a schedule."""
    lines = [f"simulated: {said['realizations']} realizations, {said['demand']}"]
    if said["queued_veh"]:
        lines[0] += f", {said['queued_veh']} of them in queues at the begin"
    by_reading: dict[str, list[str]] = {}
    for controller, reading in said["readings"].items():
        by_reading.setdefault(reading, []).append(controller)
    lines += [f"{reading}: {', '.join(names)}" for reading, names in by_reading.items()]
    if said["counts"] is not None:
        rows = "counts: {rows_read} rows read, {rows_used} used; {counts_repaired} repaired, {counts_missing} missing"
        lines.append(rows.format(**said["counts"]))
    if said["saturation"] != "network":
        lines.append(f"saturation flows by {said['saturation'].upper()}")
    if said["parameters"] == "sumo":
        lines.append(SUMO_NOTE)
    out = ["\n".join([*lines, *said["notes"]])]
    if transitions:
        out.append(transitions_text(transitions))
    elif said["schedule"] is not None:
        out.append("no controller switches programs in the period")
    return out
