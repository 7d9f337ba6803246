"""Closed forms for all lane groups of a network under a plan: capacity, delay by three formulas, levels, back of queue.

Every signal is taken alone: vehicles come evenly (or with a given share on green), nothing spills back. The uniform
delay of all three formulas is the area of each lane's queue polygon, so that they hold for any interval table: several
greens, permitted and protected turns, shared lanes. With one green it is what the manuals' formulas give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from network_data.errors import DemandError, PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.checks import NOT_NEGATIVE, POSITIVE, SHARE, faults_of
from sim.lane_groups import LaneGroup, lane_groups
from sim.lane_service import LaneService, Pair, ServedLane, SignalService
from sim.saturation import LaneSaturation, lane_saturations, lane_use
from sim.signal_forms import NOBODY_VPH, ClosedFormGroup, ClosedFormSettings, Formula, SignalForms

__all__ = [
    "ClosedFormGroup",
    "ClosedFormSettings",
    "Formula",
    "closed_form",
    "closed_form_over_periods",
    "network_delay_s_per_veh",
]


def closed_form(
    network: RoadNetwork, plan: TimingPlan, flows_vph: Mapping[Pair, float], settings: ClosedFormSettings | None = None
) -> dict[str, ClosedFormGroup]:
    """Closed forms of every signalled lane group, by group id.

    Parameters
    ----------
    network : RoadNetwork
        The streets.
    plan : TimingPlan
        A program for each of its controllers.
    flows_vph : mapping of (from link, to link) to float
        Turning flows; pairs that are no movement at a signal are passed over, missing ones have no flow. [veh/h]
    settings : ClosedFormSettings, optional
        Manual, field data, period; default: the HCM over 15 minutes.

    Returns
    -------
    dict of str to ClosedFormGroup
        In the order of the links. Lanes for buses alone are left out, and groups without flow that are never green.

    Raises
    ------
    PlanError
        Controllers without a program; movements with flow but no green: all of them.
    DemandError
        Flows that are negative or no numbers.
    NetworkError
        Settings of the saturation flow that the network cannot take.
    """
    settings = settings or ClosedFormSettings()
    _check(network, plan, flows_vph, settings)
    groups = {g.id: g for g in lane_groups(network).values() if g.controller_id is not None and g.kind == "general"}
    saturations = lane_saturations(network, groups, settings.saturation)
    flows_vps = {pair: v / 3600 for pair, v in flows_vph.items()}
    out: dict[str, ClosedFormGroup] = {}
    faults: list[str] = []
    for controller in network.controllers.values():
        mine = [g for g in groups.values() if g.controller_id == controller.id]
        if not mine:
            continue
        program = plan.controllers[controller.id]
        lanes, of_group = _lanes(network, mine, saturations, flows_vph, settings)
        service = LaneService(
            network, controller, program, lanes, flows_vps, settings.saturation,
            start_up_s=settings.start_up_s, extension_s=settings.extension_s,
        ).solve()  # fmt: skip
        faults += _unserved(network, controller.id, service)
        if not faults:
            out |= SignalForms(network, program.cycle_s, lanes, service, settings).groups(mine, of_group)
    if faults:
        raise PlanError("plan", faults)
    return {g: out[g] for g in groups if g in out}


def closed_form_over_periods(
    network: RoadNetwork,
    plan: TimingPlan,
    flows_vph: Sequence[Mapping[Pair, float]],
    settings: ClosedFormSettings | None = None,
) -> list[dict[str, ClosedFormGroup]]:
    """Closed forms of periods in a row, each begun with the queues the one before left.

    Parameters and errors as `closed_form`, `flows_vph` having one mapping for each period of `settings.period_h`.
    """
    settings = settings or ClosedFormSettings()
    out: list[dict[str, ClosedFormGroup]] = []
    for flows in flows_vph:
        groups = closed_form(network, plan, flows, settings)
        out.append(groups)
        settings = replace(settings, queue_veh={g.id: g.queue_after_veh for g in groups.values()})
    return out


def network_delay_s_per_veh(
    groups: Mapping[str, ClosedFormGroup], formula: Formula, *, entering_vph: float | None = None
) -> float:
    """Flow-weighted delay per vehicle at a signal, or, given their flow, per vehicle that enters the network. [s/veh]

    Raises
    ------
    DemandError
        No flow at all.
    """
    flow = sum(g.flow_vph for g in groups.values()) if entering_vph is None else entering_vph
    if not flow > 0:
        raise DemandError("closed forms", "there is no flow at any signal; give turning flows")
    return sum(g.delay_s(formula) * g.flow_vph for g in groups.values()) / flow


def _check(
    network: RoadNetwork, plan: TimingPlan, flows_vph: Mapping[Pair, float], settings: ClosedFormSettings
) -> None:
    lacking = [
        f"has no program for controller {c!r}; add one" for c in network.controllers if c not in plan.controllers
    ]
    short = [
        f"the states of controller {c!r} have {len(p.intervals[0].state)} letters, its signal heads are {want}"
        for c, p in plan.controllers.items()
        if c in network.controllers and len(p.intervals[0].state) < (want := network.controllers[c].n_heads)
    ]
    if lacking or short:
        raise PlanError("plan", lacking + short)
    flows = [
        f for pair, v in flows_vph.items() for f in faults_of(f"flow from {pair[0]!r} to {pair[1]!r}", v, NOT_NEGATIVE)
    ]
    known = {g.id for g in lane_groups(network).values()}
    named = [
        f"{what} names lane group {name!r}, which the network does not have"
        for what, table in (("on_green", settings.on_green), ("queue_veh", settings.queue_veh))
        for name in table
        if name not in known
    ]
    numbers = [
        *faults_of("period_h", settings.period_h, POSITIVE),
        *faults_of("start_up_s", settings.start_up_s, NOT_NEGATIVE),
        *faults_of("extension_s", settings.extension_s, NOT_NEGATIVE),
        *(f for name, v in settings.on_green.items() for f in faults_of(f"on_green of {name!r}", v, SHARE)),
        *(f for name, v in settings.queue_veh.items() for f in faults_of(f"queue_veh of {name!r}", v, NOT_NEGATIVE)),
    ]
    if flows or named or numbers:
        raise DemandError("closed forms", flows + named + numbers)


def _lanes(
    network: RoadNetwork,
    groups: Sequence[LaneGroup],
    saturations: Mapping[tuple[str, int], LaneSaturation],
    flows_vph: Mapping[Pair, float],
    settings: ClosedFormSettings,
) -> tuple[list[ServedLane], list[list[int]]]:
    """The lanes of a signal, and their numbers by group."""
    lanes: list[ServedLane] = []
    of_group: list[list[int]] = []
    for group in groups:
        pairs = {(network.connections[i].from_link, network.connections[i].to_link) for i in group.connections}
        use = 1.0
        if settings.use_lanes_unevenly:
            use = lane_use(network, group, sum(flows_vph.get(p, 0.0) for p in pairs), settings.saturation.standard)
        of_group.append(list(range(len(lanes), len(lanes) + len(group.lanes))))
        for lane in group.lanes:
            ways: dict[str, int] = {}
            for i in group.connections:
                if network.connections[i].from_lane == lane:
                    ways.setdefault(network.connections[i].to_link, i)
            lanes.append(
                ServedLane(
                    link=group.link,
                    lane=lane,
                    ways=tuple(ways.values()),
                    saturation=saturations[group.link, lane],
                    use=use,
                )
            )
    return lanes, of_group


def _unserved(network: RoadNetwork, controller_id: str, service: SignalService) -> list[str]:
    dead: dict[str, float] = {}
    for i, rate in service.way_vps.items():
        if not (rate > 0).any() and service.flow_vps[i] * 3600 > NOBODY_VPH:
            name = network.connections[i].movement_id
            dead[name] = dead.get(name, 0.0) + service.flow_vps[i] * 3600
    return [
        f"controller {controller_id!r}: movement {m!r} has {v:.0f} veh/h but no green; give it some"
        for m, v in dead.items()
    ]
