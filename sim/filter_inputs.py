"""What both fast filters read: movements with their lanes, shares and saturation flows, from a network and its demand.

A *movement* is all ways from one link to the next; its lanes are shared with other movements or its own. Flows are
spread over lanes so that lanes fill evenly; what a lane can serve second by second is `sim.filter_levels`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand, Pair
from network_data.errors import DemandError
from network_data.network import Connection, RoadNetwork
from network_data.trips import Trips
from sim.compile import MIN_STORAGE_VEH, VEHICLE_SHARE
from sim.parameters import SimParameters

RIGHT_PACE = 0.86
"""Right turns discharge as if their speed were this share of the junction's, as in the queue simulation. [-]"""
LEAST_VPH = 0.5
"""A movement that nobody makes still holds this little of its lanes, so that it has some capacity. [veh/h]"""
SPLIT_SWEEPS = 40
COUNT_S, MIN_COUNTS = 300.0, 4
"""How clumped vehicles come is measured on counts of so many seconds, if there are so many."""
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


@dataclass(frozen=True, eq=False)
class FilterFlows:
    """Demand as the filters read it; I intervals of shares, J steps of entries. Shares of a link add up to 1."""

    begin_s: float
    end_s: float
    share_end_s: FLOAT  # (I,) end of each interval of shares
    share: FLOAT  # (I, M) of the vehicles at the end of a link, those that make the movement [-]
    end_share: FLOAT  # (I, K) those whose trip ends there [-]
    entry_step_s: float
    entry_vps: FLOAT  # (J, K) vehicles that want to enter the network on a link
    veh: float
    dispersion: float  # variance over mean of 5-minute entry counts [-]

    def mean_share(self) -> tuple[FLOAT, FLOAT]:
        """Shares over the whole period: of movements (M,) and of ends (K,), intervals weighted by their length. [-]"""
        seconds = np.diff(self.share_end_s, prepend=self.begin_s)
        weight = seconds / seconds.sum()
        return weight @ self.share, weight @ self.end_share

    def mean_entry_vps(self) -> FLOAT:
        """Mean entry flow per link; shape (K,). [veh/s]"""
        return np.asarray(self.entry_vps.mean(axis=0))

    def periods(self, period_s: float) -> list[FilterFlows]:
        """The same flows as mean flows of periods at least so long, each of one interval of shares."""
        ends = [0]
        for i, end_s in enumerate(self.share_end_s):
            since_s = self.begin_s if ends[-1] == 0 else self.share_end_s[ends[-1] - 1]
            if end_s - since_s >= period_s - 1e-6:
                ends.append(i + 1)
        ends[-1 if len(ends) > 1 else len(ends) :] = [len(self.share_end_s)]
        return [self._part(a, b) for a, b in pairwise(ends)]

    def _part(self, first: int, last: int) -> FilterFlows:
        """Mean flows of some intervals of shares."""
        begin_s = float(self.share_end_s[first - 1]) if first else self.begin_s
        end_s = float(self.share_end_s[last - 1])
        steps = slice(*(round((t - self.begin_s) / self.entry_step_s) for t in (begin_s, end_s)))
        seconds = np.diff(self.share_end_s[first:last], prepend=begin_s)
        weight = seconds / seconds.sum()
        entry = self.entry_vps[steps].mean(axis=0, keepdims=True)
        return replace(
            self,
            begin_s=begin_s,
            end_s=end_s,
            share_end_s=np.array([end_s]),
            share=(weight @ self.share[first:last])[None],
            end_share=(weight @ self.end_share[first:last])[None],
            entry_step_s=end_s - begin_s,
            entry_vps=entry,
            veh=float(entry.sum() * (end_s - begin_s)),
        )


def flows_of_demand(net: FilterNetwork, demand: Demand) -> FilterFlows:
    """Shares and entries of turning flows.

    Raises
    ------
    DemandError
        Intervals that do not follow each other, or flows on links the network does not have.
    """
    faults = []
    if len(demand.begin_s) == 0:
        raise DemandError("demand", "has no interval; give at least one")
    if not np.allclose(demand.begin_s[1:], demand.end_s[:-1]):
        faults.append("intervals do not follow each other without gaps; fill the gaps or cut the period")
    lengths = demand.end_s - demand.begin_s
    link_of = net.link_of
    known = {*link_of, ""}
    odd = sorted({link for pair in demand.pairs for link in pair if link not in known})
    faults += [f"link {link!r} is not in the network, or not for vehicles; correct the name" for link in odd[:20]]
    if faults:
        raise DemandError("demand", faults)
    step_s = float(np.gcd.reduce(np.round(lengths).astype(np.int64)))
    entry = np.zeros((len(lengths), len(net.links)))
    for (origin, target), veh in zip(demand.pairs, demand.veh, strict=True):
        if not origin and target:
            entry[:, link_of[target]] += veh / lengths
    share, end_share = _shares(net, dict(zip(demand.pairs, demand.veh, strict=True)), len(lengths))
    return FilterFlows(
        begin_s=float(demand.begin_s[0]),
        end_s=float(demand.end_s[-1]),
        share_end_s=demand.end_s.astype(float),
        share=share,
        end_share=end_share,
        entry_step_s=step_s,
        entry_vps=np.repeat(entry, np.round(lengths / step_s).astype(np.int64), axis=0),
        veh=float((entry * lengths[:, None]).sum()),
        dispersion=demand.dispersion,
    )


def flows_of_trips(
    net: FilterNetwork,
    trips: Trips,
    *,
    begin_s: float,
    end_s: float,
    interval_s: float = 300.0,
    entry_step_s: float = 5.0,
) -> FilterFlows:
    """Shares and entries of given vehicles: true turns per interval, entries as they come.

    A vehicle counts for a movement at the second at which it would reach it in free flow; what comes later than the
    period counts in the last interval.

    Raises
    ------
    DemandError
        Routes over links the network does not have.
    """
    link_of = net.link_of
    absent = sorted({trips.links[i] for i in np.unique(trips.route_link) if trips.links[i] not in link_of})
    if absent:
        raise DemandError("trips", [f"link {name!r} is not in the network; mend the routes" for name in absent[:20]])
    n_interval = max(1, round((end_s - begin_s) / interval_s))
    edges_s = np.linspace(begin_s, end_s, n_interval + 1)
    links = np.array([link_of.get(name, 0) for name in trips.links], np.int64)[trips.route_link]
    vehicle = np.repeat(np.arange(len(trips)), np.diff(trips.route_start))
    travel_s = np.cumsum(net.free_s[links])
    first = trips.route_start[:-1]
    before_s = np.concatenate(([0.0], travel_s))[first] if len(trips) else np.empty(0)
    at_s = trips.depart_s[vehicle] + travel_s - before_s[vehicle]
    slot = np.clip(np.searchsorted(edges_s, at_s, side="right") - 1, 0, n_interval - 1)
    following = np.append(links[1:], -1)
    following[trips.route_start[1:] - 1] = -1
    counts: dict[Pair, FLOAT] = {}
    key = links * (len(net.links) + 1) + following + 1
    for value in np.unique(key):
        here, there = divmod(int(value), len(net.links) + 1)
        pair = (net.links[here], net.links[there - 1] if there else "")
        counts[pair] = np.bincount(slot[key == value], minlength=n_interval).astype(float)
    share, end_share = _shares(net, counts, n_interval)
    due = (trips.depart_s >= begin_s) & (trips.depart_s < end_s)
    n_step = max(1, int(np.ceil((end_s - begin_s) / entry_step_s - 1e-9)))
    entry = np.zeros((n_step, len(net.links)))
    step = ((trips.depart_s[due] - begin_s) // entry_step_s).astype(np.int64)
    np.add.at(entry, (step, links[first[due]]), 1 / entry_step_s)
    return FilterFlows(
        begin_s=begin_s,
        end_s=end_s,
        share_end_s=edges_s[1:],
        share=share,
        end_share=end_share,
        entry_step_s=entry_step_s,
        entry_vps=entry,
        veh=float(due.sum()),
        dispersion=_dispersion(entry, entry_step_s),
    )


def _dispersion(entry_vps: FLOAT, step_s: float) -> float:
    """Variance over mean of 5-minute entry counts around a straight line, all entries pooled; at least 1. [-]"""
    per = max(1, round(COUNT_S / step_s))
    n = len(entry_vps) // per
    if n < MIN_COUNTS or not entry_vps.any():
        return 1.0
    counts = entry_vps[: n * per].reshape(n, per, -1).sum(axis=1) * step_s
    line = np.stack([np.ones(n), np.arange(n)], axis=1)
    rest = counts - line @ np.linalg.lstsq(line, counts, rcond=None)[0]
    return max(1.0, float((rest**2).sum() / (n - 2) / counts.mean(axis=0).sum()))


def _shares(net: FilterNetwork, veh: Mapping[Pair, FLOAT], n_interval: int) -> tuple[FLOAT, FLOAT]:
    """Shares of movements (I, M) and of ends (I, K) per link; where an interval has no flow, the period's."""
    move, end = np.zeros((n_interval, len(net.movements))), np.zeros((n_interval, len(net.links)))
    for m, pair in enumerate(net.movements):
        move[:, m] = veh.get(pair, 0.0)
    for i, link in enumerate(net.links):
        end[:, i] = veh.get((link, ""), 0.0)

    total = _over_links(net, move, end)
    whole = _over_links(net, move.sum(axis=0, keepdims=True), end.sum(axis=0, keepdims=True))
    silent = total < 1e-9
    end = np.where(silent, np.broadcast_to(end.sum(axis=0), end.shape), end)
    move = np.where(silent[:, net.mv_link], np.broadcast_to(move.sum(axis=0), move.shape), move)
    total = np.where(silent, np.broadcast_to(whole, total.shape), total)
    end = np.where(total < 1e-9, 1.0, end)  # nobody is known to go on from here
    total = np.where(total < 1e-9, 1.0, total)
    return move / total[:, net.mv_link], end / total


def _over_links(net: FilterNetwork, move: FLOAT, end: FLOAT) -> FLOAT:
    """What leaves each link at its end, in any direction; shape (I, K)."""
    total = end.T.copy()
    np.add.at(total, net.mv_link, move.T)
    return np.asarray(total.T)


def movement_flows_vps(net: FilterNetwork, flows: FilterFlows) -> FLOAT:
    """Mean flow of each movement when entries spread by the period's shares; shape (M,). [veh/s]"""
    share, _ = flows.mean_share()
    link_vps = flows.mean_entry_vps()
    entry_vps = link_vps.copy()
    for _ in range(500):
        following = entry_vps + np.bincount(
            net.mv_target, weights=share * link_vps[net.mv_link], minlength=len(net.links)
        )
        change = float(np.abs(following - link_vps).max(initial=0.0))
        link_vps = following
        if change < 1e-9:
            break
    return np.asarray(share * link_vps[net.mv_link])


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


def inputs_of(
    network: RoadNetwork,
    demand: Demand | Trips,
    *,
    begin_s: float | None,
    end_s: float | None,
    parameters: SimParameters,
) -> tuple[FilterNetwork, FilterFlows]:
    """Network and flows of either kind of demand.

    Raises
    ------
    DemandError
        Trips without a period, or what the demand does not fit.
    """
    if isinstance(demand, Demand):
        net = filter_network(network, parameters)
        return net, flows_of_demand(net, demand)
    if begin_s is None or end_s is None:
        raise DemandError("trips", "need begin_s and end_s: which period of them is meant")
    cars = demand.length_m[demand.length_m < 10]
    net = filter_network(network, parameters, spacing_m=float(cars.mean()) if len(cars) else None)
    return net, flows_of_trips(net, demand, begin_s=begin_s, end_s=end_s)
