"""Saturation flow of whole lanes for the queue simulation: a manual's factors, mixed by how the demand turns.

The queue simulation takes one saturation flow per lane (`Simulator(saturation_vph=…)`). Through vehicles of a lane have
the flow of `sim.saturation`; turns take longer by their equivalents and by the people on the crossings that they meet
(while both are green, nobody opposing). What else holds turns up, gaps above all, is simulated and not a factor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from network_data.network import RoadNetwork
from network_data.plans import GREEN, OPEN, ControllerPlan, TimingPlan
from network_data.trips import Trips
from sim.lane_groups import lane_groups
from sim.saturation import LaneSaturation, SaturationSettings, lane_saturations, walk_factor

Pair = tuple[str, str]
Lane = tuple[str, int]


def measured_saturations(settings: SaturationSettings, network: RoadNetwork) -> dict[Lane, float]:
    """Only what was counted in the field, by (link, lane); a link's figure holds for each of its lanes. [veh/h]

    Raises
    ------
    NetworkError
        As `lane_saturations`.
    """
    lane_saturations(network, {}, settings)
    return {
        (link.id, lane.index): measured
        for link in network.links.values()
        for lane in link.lanes
        if (measured := settings.of(link.id, lane.index).measured_vph) is not None
    }


def simulated_saturations(
    network: RoadNetwork, settings: SaturationSettings, trips: Sequence[Trips], plan: TimingPlan
) -> dict[Lane, float]:
    """Saturation flow of every lane before a signal, and of those counted in the field, by (link, lane). [veh/h]

    Parameters
    ----------
    settings : SaturationSettings
        Manual and conditions.
    trips : sequence of Trips
        The demand: how it turns gives the mix in shared lanes.
    plan : TimingPlan
        Tells how long people walk while a turn is green.

    Raises
    ------
    NetworkError
        As `lane_saturations`.
    """
    groups = {g.id: g for g in lane_groups(network).values() if g.controller_id is not None}
    turning = _turning(trips)
    lanes_of = Counter((c.from_link, c.to_link) for c in network.connections)
    out = measured_saturations(settings, network)
    for key, lane in lane_saturations(network, groups, settings).items():
        if key not in out:
            veh = {i: _way_veh(network, i, turning, lanes_of) for i in lane.equivalents}
            out[key] = _mixed_vph(network, lane, veh, settings, plan)
    return out


def _turning(trips: Sequence[Trips]) -> Counter[Pair]:
    """Vehicles per link and link after it, over all realizations."""
    out: Counter[Pair] = Counter()
    for one in trips:
        last = np.zeros(len(one.route_link), np.bool_)
        last[one.route_start[1:] - 1] = True
        rows = np.flatnonzero(~last)
        keys, counts = np.unique(
            np.stack([one.route_link[rows], one.route_link[rows + 1]]) if len(rows) else np.empty((2, 0), np.int32),
            axis=1, return_counts=True,
        )  # fmt: skip
        for (a, b), n in zip(keys.T.tolist(), counts.tolist(), strict=True):
            out[one.links[a], one.links[b]] += n
    return out


def _way_veh(network: RoadNetwork, way: int, turning: Counter[Pair], lanes_of: Counter[Pair]) -> float:
    pair = network.connections[way].from_link, network.connections[way].to_link
    return turning[pair] / lanes_of[pair]


def _mixed_vph(
    network: RoadNetwork, lane: LaneSaturation, veh: Mapping[int, float], settings: SaturationSettings, plan: TimingPlan
) -> float:
    total = sum(veh.values())
    shares = {i: n / total if total > 0 else 1 / len(veh) for i, n in veh.items()}
    times = {i: lane.equivalents[i] / _walk_factor(network, lane, i, settings, plan) for i in shares}
    return lane.through_vph / sum(share * times[i] for i, share in shares.items())


def _walk_factor(
    network: RoadNetwork, lane: LaneSaturation, way: int, settings: SaturationSettings, plan: TimingPlan
) -> float:
    c, conditions = network.connections[way], settings.of(lane.link, lane.lane)
    program = plan.controllers.get(c.controller_id or "")
    if program is None or c.link_index is None:
        return 1.0
    heads = [k for x in c.yields_to_crossings for k in network.crossings[x].link_indices]
    return walk_factor(
        c, conditions, settings.standard,
        exit_lanes=sum(x.kind == "general" for x in network.links[c.to_link].lanes),
        cycle_s=program.cycle_s,
        green_s=program.green_s(c.link_index),
        walk_s=_together_s(program, c.link_index, heads),
    )  # fmt: skip


def _together_s(program: ControllerPlan, turn: int, walks: Sequence[int]) -> float:
    """Seconds of a cycle in which the turn is open and somebody may walk. [s]"""
    return sum(
        interval.duration_s
        for interval in program.intervals
        if interval.state[turn] in OPEN and any(interval.state[k] in GREEN for k in walks if k < len(interval.state))
    )
