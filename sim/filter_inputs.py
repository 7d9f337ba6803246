"""What both fast filters read: movements with their lanes, shares and saturation flows, from a network and its demand.

A *movement* is all ways from one link to the next; its lanes are shared with other movements or its own. Flows are
spread over lanes so that lanes fill evenly; what a lane can serve second by second is `sim.filter_levels`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Pair
from network_data.network import Connection, RoadNetwork
from sim.compile import MIN_STORAGE_VEH, VEHICLE_SHARE
from sim.parameters import SimParameters

RIGHT_PACE = 0.86
"""Right turns discharge as if their speed were this share of the junction's, as in the queue simulation. [-]"""
LEAST_VPH = 0.5
"""A movement that nobody makes still holds this little of its lanes, so that it has some capacity. [veh/h]"""
SPLIT_SWEEPS = 40
FLOAT = NDArray[np.float64]


class LaneTurn(NamedTuple):
    """One movement on one of its lanes."""

    movement: int
    lane: int  # row of `FilterNetwork.lanes`
    headway_s: float
    controller: int  # row of `FilterNetwork.controllers`, -1 without signal
    head: int
    yields: bool
    places: int  # vehicles that leave after the green, having waited inside the junction or at its edge [veh]
    aside: int  # of them, those that wait inside and let the lane's others pass [veh]
    yellow_use_s: float


@dataclass(frozen=True, eq=False)
class FilterNetwork:
    """K links and M movements laid out for the filters; movements stand together by the link they come from.

    Nodes are numbered; a link's `from_node` and `to_node` point to them. `lanes` are (link, lane index) of lanes with
    turns, and `turns` stand together by lane.
    """

    network: RoadNetwork
    parameters: SimParameters
    spacing_m: float
    links: tuple[str, ...]
    from_node: NDArray[np.int64]  # (K,)
    to_node: NDArray[np.int64]  # (K,)
    n_node: int
    free_s: FLOAT  # (K,) from its start to its stop line
    length_m: FLOAT  # (K,)
    n_lane: NDArray[np.int64]  # (K,)
    storage_veh: FLOAT  # (K,)
    movements: tuple[Pair, ...]
    mv_link: NDArray[np.int64]  # (M,) where it comes from
    mv_target: NDArray[np.int64]  # (M,) where it goes
    mv_cross_s: FLOAT  # (M,) across the junction, with what turning costs
    mv_foes: tuple[tuple[int, ...], ...]  # (M,) movements it gives way to
    mv_clock: NDArray[np.int64]  # (M,) its controller, -1 without
    controllers: tuple[str, ...]
    lanes: tuple[tuple[str, int], ...]
    turns: tuple[LaneTurn, ...]

    @property
    def link_of(self) -> dict[str, int]:
        """Link id → row."""
        return {link: i for i, link in enumerate(self.links)}


def filter_network(network: RoadNetwork, parameters: SimParameters, *, spacing_m: float | None = None) -> FilterNetwork:
    """Lay a network out for the filters.

    Parameters
    ----------
    spacing_m : float, optional
        Vehicle length and gap. [m] Default: the parameters' own.
    """
    spacing = parameters.spacing_m if spacing_m is None else spacing_m
    used = [link for link in network.links.values() if link.drivable]
    links = tuple(link.id for link in sorted(used, key=lambda link: link.to_node))
    node_of = {name: n for n, name in enumerate(dict.fromkeys(network.nodes))}
    controllers = tuple(network.controllers)
    groups = _turns_by_pair(network)
    row = {link: i for i, link in enumerate(links)}
    movements = tuple(sorted(groups, key=lambda pair: row[pair[0]]))
    number = {pair: m for m, pair in enumerate(movements)}
    members = [[network.connections[i] for i in groups[pair]] for pair in movements]
    lanes, turns = _lane_turns(network, parameters, spacing, groups, number, controllers)
    clocks = [next((controllers.index(c.controller_id) for c in own if c.controller_id), -1) for own in members]
    records = [network.links[link] for link in links]
    general = [[lane for lane in record.lanes if lane.kind != "other"] for record in records]
    return FilterNetwork(
        network=network,
        parameters=parameters,
        spacing_m=spacing,
        links=links,
        from_node=np.array([node_of[record.from_node] for record in records], np.int64),
        to_node=np.array([node_of[record.to_node] for record in records], np.int64),
        n_node=len(node_of),
        free_s=np.array([_drive_s(lanes_of[0].length_m, lanes_of[0].speed_mps, parameters) for lanes_of in general]),
        length_m=np.array([float(np.mean([lane.length_m for lane in lanes_of])) for lanes_of in general]),
        n_lane=np.array([len(lanes_of) for lanes_of in general], np.int64),
        storage_veh=np.array([sum(_storage_veh(lane.length_m, spacing) for lane in lanes_of) for lanes_of in general]),
        movements=movements,
        mv_link=np.array([row[origin] for origin, _ in movements], np.int64),
        mv_target=np.array([row[target] for _, target in movements], np.int64),
        mv_cross_s=np.array([_cross_s(network, own[0], parameters) for own in members]),
        mv_foes=tuple(_foes(network, own, number) for own in members),
        mv_clock=np.array(clocks, np.int64),
        controllers=controllers,
        lanes=lanes,
        turns=turns,
    )


def _turns_by_pair(network: RoadNetwork) -> dict[Pair, list[int]]:
    """Connections of each pair of links that cars may use, one per lane; bus lanes where there is nothing else."""
    every: dict[Pair, list[int]] = defaultdict(list)
    for i, c in enumerate(network.connections):
        if c.kind != "other" and network.links[c.from_link].lanes[c.from_lane].kind != "other":
            every[c.from_link, c.to_link].append(i)
    out = {}
    for pair, members in every.items():
        cars = [i for i in members if not _for_buses(network, network.connections[i])]
        first: dict[int, int] = {}
        for i in cars or members:
            first.setdefault(network.connections[i].from_lane, i)
        out[pair] = list(first.values())
    return out


def _for_buses(network: RoadNetwork, c: Connection) -> bool:
    return c.kind == "bus" or network.links[c.from_link].lanes[c.from_lane].kind == "bus"


def _drive_s(length_m: float, speed_mps: float, parameters: SimParameters) -> float:
    return length_m / speed_mps + parameters.dawdle * length_m / speed_mps**2


def _storage_veh(length_m: float, spacing_m: float) -> int:
    """Vehicles that a lane holds, as in the queue simulation."""
    return max(MIN_STORAGE_VEH, math.ceil(length_m / spacing_m - 1e-9))


def _cross_s(network: RoadNetwork, c: Connection, parameters: SimParameters) -> float:
    """Across the junction, with the time lost by slowing down for the turn. [s]"""
    limit = network.links[c.from_link].lanes[c.from_lane].speed_mps
    slower = max(0.0, limit - c.speed_mps)
    return c.length_m / c.speed_mps + slower**2 / (2 * limit) * parameters.turn_loss


def _foes(network: RoadNetwork, own: Sequence[Connection], number: Mapping[Pair, int]) -> tuple[int, ...]:
    """Movements that any of these connections gives way to, but for those from the same link."""
    others = (network.connections[j] for c in own for j in c.yields_to)
    pairs = dict.fromkeys((c.from_link, c.to_link) for c in others if c.from_link != own[0].from_link)
    return tuple(number[pair] for pair in pairs if pair in number)


def headway_s(c: Connection, limit_mps: float, spacing_m: float, parameters: SimParameters) -> float:
    """Saturation headway of a lane's turn, as the queue simulation has it. [s]"""
    speed = min(c.speed_mps, limit_mps) * (RIGHT_PACE if c.direction in "rR" else 1.0)
    return parameters.reaction_headway_s + spacing_m / speed


def start_loss_s(parameters: SimParameters, pace_s: float) -> float:
    """What a queue loses at the start of green against saturation from the first second on. [s]

    The queue's vehicle number `n_early` passes at the sum of the first headways; at saturation number n passes in the
    middle of its headway, at (n − 1/2) headways.
    """
    n = max(1, parameters.n_early)
    passes = parameters.start_up_s
    if n > 1:
        passes += parameters.second_headway_s + (n - 2) * parameters.early_headway_s
    return max(0.0, passes - (n - 0.5) * pace_s)


def _lane_turns(
    network: RoadNetwork,
    parameters: SimParameters,
    spacing_m: float,
    groups: Mapping[Pair, Sequence[int]],
    number: Mapping[Pair, int],
    controllers: Sequence[str],
) -> tuple[tuple[tuple[str, int], ...], tuple[LaneTurn, ...]]:
    by_lane: dict[tuple[str, int], list[tuple[int, Connection]]] = defaultdict(list)
    for pair in number:
        for i in groups[pair]:
            c = network.connections[i]
            by_lane[c.from_link, c.from_lane].append((number[pair], c))
    turns = []
    for lane, (key, members) in enumerate(by_lane.items()):
        limit = network.links[key[0]].lanes[key[1]].speed_mps
        for m, c in members:
            foes = any(network.connections[j].from_link != c.from_link for j in c.yields_to)
            waits = c.wait_m > 0 and foes
            inside = max(1, int(c.wait_m / spacing_m)) if waits else 0
            in_the_way = c.wait_m - VEHICLE_SHARE * spacing_m < c.detach_m
            signal = c.controller_id is not None and c.link_index is not None
            turns.append(
                LaneTurn(
                    movement=m,
                    lane=lane,
                    headway_s=headway_s(c, limit, spacing_m, parameters),
                    controller=controllers.index(c.controller_id) if signal and c.controller_id else -1,
                    head=c.link_index if signal and c.link_index is not None else -1,
                    yields=foes,
                    places=1 + inside if waits else 0,
                    aside=0 if in_the_way else inside,
                    yellow_use_s=min(limit, c.speed_mps) * parameters.yellow_use_per_mps,
                )
            )
    return tuple(by_lane), tuple(turns)


def lane_use(net: FilterNetwork, flow_vps: FLOAT) -> FLOAT:
    """Flow of each turn of each lane, movements spread so that lanes of a link fill evenly; shape (turns,). [veh/s]

    Seconds of saturated flow are levelled: each movement in turn fills its least loaded lanes, until nothing moves.
    """
    turns = net.turns
    movement = np.array([turn.movement for turn in turns], np.int64)
    lane = np.array([turn.lane for turn in turns], np.int64)
    headway = np.array([turn.headway_s for turn in turns])
    need = np.maximum(flow_vps, LEAST_VPH / 3600)
    order = np.argsort(movement, kind="stable")
    members = np.split(order, np.searchsorted(movement[order], np.arange(1, len(net.movements))))
    use = np.zeros(len(turns))
    for m, own in enumerate(members):
        use[own] = need[m] / len(own)
    load = np.bincount(lane, weights=use * headway, minlength=len(net.lanes))
    several = [(m, own) for m, own in enumerate(members) if len(own) > 1]
    for _ in range(SPLIT_SWEEPS):
        moved = 0.0
        for m, own in several:
            others = load[lane[own]] - use[own] * headway[own]
            fresh = _filled(others, need[m], headway[own])
            moved = max(moved, float(np.abs(fresh - use[own]).max()))
            load[lane[own]] += (fresh - use[own]) * headway[own]
            use[own] = fresh
        if moved < 1e-7:
            break
    return use


def _filled(level: FLOAT, flow_vps: float, headway: FLOAT) -> FLOAT:
    """Spread a flow so that the lanes it uses end at one level and those it does not use lie above."""
    order = np.argsort(level)
    for n in range(len(level), 0, -1):
        used = order[:n]
        top = (flow_vps + float((level[used] / headway[used]).sum())) / float((1 / headway[used]).sum())
        if top >= level[used[-1]]:
            break
    out = np.zeros(len(level))
    out[used] = (top - level[used]) / headway[used]
    return out
