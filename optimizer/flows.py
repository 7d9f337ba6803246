"""What each signal head has to serve: flows and saturation flows for the closed-form start of the search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.controllers import Controller
from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import GREEN
from sim.parameters import STREET, SimParameters

PERMITTED_FLOOR = 0.15
"""Least share of its saturation flow that a permitted turn is credited with (sneakers). [-]"""


@dataclass(frozen=True, eq=False)
class HeadFlows:
    """Per link index of one controller: flow and saturation flow of its busiest lane. [veh/h], shape (H,)"""

    flow_vph: NDArray[np.float64]
    saturation_vph: NDArray[np.float64]
    approach_vph: NDArray[np.float64]  # all lanes of the head together
    turn_share: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))  # of the busiest lane's flow [-]
    """How much of its busiest lane's flow makes the head's own turn: the rest shares the lane and need not yield."""
    most_share: NDArray[np.float64] | None = None
    """Green share that is needed where every flow is at the top of its range. [-]"""

    def needed_share(self) -> NDArray[np.float64]:
        """Least share of the time that must be green: flow over saturation flow. [-]"""
        return np.divide(
            self.flow_vph, self.saturation_vph, out=np.zeros_like(self.flow_vph), where=self.saturation_vph > 0
        )


def mean_flows_vph(demand: DemandScenarios) -> dict[tuple[str, str], float]:
    """Mean flow of every link pair over the period and the scenarios. [veh/h]"""
    out: dict[tuple[str, str], float] = defaultdict(float)
    for scenario, weight in zip(demand.scenarios, demand.weights, strict=True):
        hours = float((scenario.end_s - scenario.begin_s).sum()) / 3600
        for pair, veh in zip(scenario.pairs, scenario.veh.sum(axis=1), strict=True):
            out[pair] += weight * float(veh) / hours
    return dict(out)


def highest_flows_vph(demand: DemandScenarios) -> dict[tuple[str, str], float]:
    """Flow of every link pair at the top of its range, the largest of all scenarios. [veh/h]"""
    out: dict[tuple[str, str], float] = defaultdict(float)
    for scenario in demand.scenarios:
        hours = float((scenario.end_s - scenario.begin_s).sum()) / 3600
        for pair, veh in zip(scenario.pairs, scenario.total_high_veh, strict=True):
            out[pair] = max(out[pair], float(veh) / hours)
    return dict(out)


def queued_links(demand: DemandScenarios) -> frozenset[str]:
    """Links on which loops saw a queue stand most of the time, on any of the days."""
    return frozenset().union(*(scenario.queued_links for scenario in demand.scenarios))


def head_flows(
    network: RoadNetwork,
    controller: Controller,
    flows_vph: dict[tuple[str, str], float],
    parameters: SimParameters = STREET,
    saturation_vph: Mapping[tuple[str, int], float] | None = None,
    highest_vph: dict[tuple[str, str], float] | None = None,
) -> HeadFlows:
    """Spread turning flows over lanes (evenly per turn) and add up what each head's busiest lane carries.

    `saturation_vph` by (link, lane), from the field or a manual, stands in for what speeds and vehicles give;
    `highest_vph` are the flows at the tops of their ranges.
    """
    most_share = None
    if highest_vph is not None:
        most_share = head_flows(network, controller, highest_vph, parameters, saturation_vph).needed_share()
    known = saturation_vph or {}
    lanes_of_pair: dict[tuple[str, str], set[int]] = defaultdict(set)
    for c in (network.connections[i] for head in controller.heads for i in head.connections):
        if c.kind == "general":
            lanes_of_pair[c.from_link, c.to_link].add(c.from_lane)
    lane_vph: dict[tuple[str, int], float] = defaultdict(float)
    for pair, lanes in lanes_of_pair.items():
        for lane in lanes:
            lane_vph[pair[0], lane] += flows_vph.get(pair, 0.0) / len(lanes)
    n = controller.n_heads
    flow, saturation, approach, share = np.zeros(n), np.full(n, 1800.0), np.zeros(n), np.ones(n)
    for head in controller.heads:
        for i in head.connections:
            c = network.connections[i]
            pair = (c.from_link, c.to_link)
            if pair not in lanes_of_pair:
                continue
            own = flows_vph.get(pair, 0.0) / len(lanes_of_pair[pair])
            speed = min(c.speed_mps, network.links[c.from_link].lanes[c.from_lane].speed_mps)
            pace = parameters.reaction_headway_s + parameters.spacing_m / (
                speed * (0.86 if c.direction in "rR" else 1.0)
            )
            busiest = (
                lane_vph[c.from_link, c.from_lane]
                if _all_together(controller, network, c.from_link, c.from_lane)
                else own
            )
            approach[head.index] += own
            if busiest >= flow[head.index]:
                flow[head.index] = busiest
                share[head.index] = own / busiest if busiest > 0 else 1.0
                saturation[head.index] = known.get((c.from_link, c.from_lane), 3600 / pace)
    return HeadFlows(
        flow_vph=flow, saturation_vph=saturation, approach_vph=approach, turn_share=share, most_share=most_share
    )


def _all_together(controller: Controller, network: RoadNetwork, link: str, lane: int) -> bool:
    """Whether all turns of a lane show green at the same times in the field: then the lane's whole flow counts."""
    indices = {
        head.index
        for head in controller.heads
        for i in head.connections
        if network.connections[i].from_link == link and network.connections[i].from_lane == lane
    }
    program = controller.programs[-1]
    patterns = {tuple(interval.state[k] in GREEN for interval in program.intervals) for k in indices}
    return len(patterns) == 1


def permitted_share(
    controller: Controller, flows: HeadFlows, state: str, index: int, parameters: SimParameters = STREET
) -> float:
    """Share of its saturation flow that the lane of a permitted turn reaches against those it yields to (Harders). [-]

    Where others share the lane, only the turn's own vehicles need the longer gaps: headways of both kinds are added up.
    """
    against = {j for i, j in controller.yields if i == index and j < len(state) and state[j] in GREEN}
    opposing_vps = 2 * sum(flows.approach_vph[j] for j in against) / 3600  # arrivals bunch in half the time
    if opposing_vps <= 0:
        return 1.0
    gap, follow = parameters.critical_gap_s, parameters.follow_up_s
    capacity_vph = 3600 * opposing_vps * np.exp(-opposing_vps * gap) / -np.expm1(-opposing_vps * follow)
    alone = float(np.clip(capacity_vph / max(1.0, flows.saturation_vph[index]), PERMITTED_FLOOR, 1.0))
    turning = float(np.broadcast_to(flows.turn_share, flows.flow_vph.shape)[index])
    return 1.0 / (turning / alone + (1.0 - turning))
