"""Demand as the fast filters read it: shares of movements and entries, from turning flows or from given vehicles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from network_data.demand import Demand, Pair
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.trips import Trips
from sim.compile import mean_spacing_m
from sim.filter_inputs import FLOAT, FilterNetwork, filter_network
from sim.parameters import SimParameters

COUNT_S, MIN_COUNTS = 300.0, 4
"""How clumped vehicles come is measured on counts of so many seconds, if there are so many."""


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
    net = filter_network(network, parameters, spacing_m=mean_spacing_m(demand) if len(demand) else None)
    return net, flows_of_trips(net, demand, begin_s=begin_s, end_s=end_s)
