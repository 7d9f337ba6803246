"""Turning shares where nothing measures: trips between entries and exits over the fastest ways.

Loops rarely cover every turn. Which turns people make between them follows from where they come from and go to: trips
from every entry to every exit, as many as enter and leave there, over the fastest ways. That keeps traffic from
circling a roundabout or going round a block, which turning shares taken junction by junction cannot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from network_data.network import Connection
from network_data.plans import TimingPlan
from network_data.turning_flows.unknowns import Unknowns, green_share

FLOAT = NDArray[np.float64]
TURN_S = {"s": 0.0, "r": 2.0, "R": 2.0, "l": 4.0, "L": 4.0, "t": 60.0}
"""Time a turn costs beyond the links' own. [s]"""
GIVE_WAY_S = 5.0
CYCLE_S = 90.0
"""Cycle assumed where no plan is given. [s]"""
VIEWS = 5
"""Drivers see travel times differently: so many draws of them."""
VIEW_SPREAD = 0.2
DETOUR_DISLIKE = 3.0
"""How fast trips become rare with the detour they take through the network: exponent per unit of detour. [-]"""
BALANCING_ROUNDS = 15
NEARLY_ALL = 0.995
MOST_ENDS = 500
MOST_LABELS = 2_000_000
"""Origins times links that one assignment may label; large networks get fewer views."""


class RouteShares:
    """Fastest ways over a network, for repeated assignment of changing entries and exits."""

    def __init__(self, unknowns: Unknowns, plan: TimingPlan | None, seed: int = 0) -> None:
        self.unknowns = unknowns
        self.index = {link: i for i, link in enumerate(unknowns.links)}
        self.pairs = list(unknowns.turns_of_pair)
        self.tail = np.array([self.index[a] for a, _ in self.pairs], dtype=np.int64)
        self.head = np.array([self.index[b] for _, b in self.pairs], dtype=np.int64)
        links = unknowns.network.links
        travel_s = np.array([unknowns.travel_s[link] for link in unknowns.links])
        self.time_s = travel_s[self.head] + _turn_times_s(unknowns, plan)
        draws = np.random.default_rng(seed).normal(0.0, VIEW_SPREAD, (VIEWS, len(self.pairs)))
        self.views_s = self.time_s * np.exp(draws)
        nodes = unknowns.network.nodes
        self.start = np.array([(n.x_m, n.y_m) for n in (nodes[links[x].from_node] for x in unknowns.links)])
        self.end = np.array([(n.x_m, n.y_m) for n in (nodes[links[x].to_node] for x in unknowns.links)])
        self.speed_mps = float(np.median([links[x].speed_mps for x in unknowns.links]))

    def assign(self, entry_veh: FLOAT, exit_veh: FLOAT) -> FLOAT:
        """Vehicles per pair of links, for given entries and exits per link (in the order of `unknowns.links`)."""
        origins, goals = _largest(entry_veh), _largest(exit_veh)
        n = len(self.index)
        flow = np.zeros(len(self.pairs))
        if not len(origins) or not len(goals):
            return flow
        key = self.tail * n + self.head
        order = np.argsort(key)
        n_view = int(np.clip(MOST_LABELS // (len(origins) * n), 1, len(self.views_s)))
        for view_s in self.views_s[:n_view]:
            graph = sparse.csr_matrix((view_s, (self.tail, self.head)), shape=(n, n))
            time_s, before = dijkstra(graph, indices=origins, return_predecessors=True)
            trips = self._trips(entry_veh[origins], exit_veh[goals], time_s[:, goals], origins, goals)
            load = _load(trips, goals, time_s, before)
            used = before >= 0
            edge = before.astype(np.int64) * n + np.arange(n)
            at = order[np.searchsorted(key, edge[used], sorter=order)]
            flow += np.bincount(at, load[used], minlength=len(flow)) / n_view
        return flow

    def _trips(
        self, leave: FLOAT, arrive: FLOAT, time_s: FLOAT, origins: NDArray[np.int64], goals: NDArray[np.int64]
    ) -> FLOAT:
        """Trips from each origin to each goal, balanced to both totals; few where the way is a long detour."""
        direct_m = np.linalg.norm(self.end[goals][None, :, :] - self.start[origins][:, None, :], axis=2)
        direct_s = direct_m / self.speed_mps + 15.0
        detour = np.maximum(time_s / direct_s - 1.0, 0.0)
        like = np.where(np.isfinite(time_s), np.exp(-DETOUR_DISLIKE * np.minimum(detour, 20.0)), 0.0)
        like[direct_m < 1.0] *= 1e-3  # back to where it came from
        like[origins[:, None] == goals[None, :]] = 0.0
        arrive = arrive * leave.sum() / arrive.sum()
        trips = like + 1e-12
        for _ in range(BALANCING_ROUNDS):
            trips *= (arrive / np.maximum(trips.sum(axis=0), 1e-12))[None, :]
            trips *= (leave / np.maximum(trips.sum(axis=1), 1e-12))[:, None]
        return np.where(like > 0, trips, 0.0)


def _largest(veh: FLOAT) -> NDArray[np.int64]:
    """Links on which nearly all the traffic begins (or ends), at most MOST_ENDS of them, in order."""
    order = np.argsort(-veh, kind="stable")
    enough = int(np.searchsorted(np.cumsum(veh[order]), NEARLY_ALL * veh.sum())) + 1
    order = order[: min(enough, MOST_ENDS)]
    return np.sort(order[veh[order] > 0])


def _load(trips: FLOAT, goals: NDArray[np.int64], time_s: FLOAT, before: NDArray[np.int32]) -> FLOAT:
    """Vehicles that pass each link, by origin: trips are handed back from the goals along the ways they came."""
    n_origin, n = time_s.shape
    load = np.zeros((n_origin, n))
    load[:, goals] = trips
    rows = np.arange(n_origin)
    for node in np.argsort(-np.where(np.isfinite(time_s), time_s, -1.0), axis=1, kind="stable").T:
        previous = before[rows, node]
        on = previous >= 0
        load[rows[on], previous[on]] += load[rows[on], node[on]]
    return load


def _turn_times_s(unknowns: Unknowns, plan: TimingPlan | None) -> FLOAT:
    """Time beyond free flow that each pair of links costs: turning, giving way, waiting at red. [s]"""
    best: dict[tuple[str, str], float] = {}
    for c in unknowns.network.connections:
        pair = (c.from_link, c.to_link)
        best[pair] = min(best.get(pair, np.inf), _turn_time_s(c, plan))
    return np.array([best[pair] for pair in unknowns.turns_of_pair])


def _turn_time_s(c: Connection, plan: TimingPlan | None) -> float:
    time_s = TURN_S.get(c.direction, 2.0) + c.length_m / max(c.speed_mps, 1.0)
    if c.controller_id is not None:
        program = plan.controllers.get(c.controller_id) if plan else None
        cycle_s = program.cycle_s if program else CYCLE_S
        return time_s + (1.0 - green_share(c, plan)) ** 2 * cycle_s / 2
    return time_s + (GIVE_WAY_S if c.yields_to else 0.0)
