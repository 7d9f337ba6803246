"""Index arrays that a network's equations share: which turns stand beside which, laid out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.turning_flows.unknowns import Unknowns, prior_shares

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
BOOL = NDArray[np.bool_]
LANE_POWER, SPEED_POWER = 1.7, 2.0


@dataclass(frozen=True, eq=False)
class Layout:
    """Arrays over the unknowns of a network; J lane turns, P pairs of links, L links."""

    unknowns: Unknowns

    @cached_property
    def local_shares(self) -> FLOAT:
        """Share of its link's traffic that each lane turn usually takes, (J,). [-]"""
        return prior_shares(self.unknowns)

    @cached_property
    def n_pair(self) -> int:
        """Number of pairs of links."""
        return len(self.unknowns.turns_of_pair)

    @cached_property
    def pair_tail(self) -> INT:
        """Number of the link that each pair leaves, (P,)."""
        out = np.zeros(self.n_pair, dtype=np.int64)
        out[self.unknowns.pair] = self.unknowns.tail
        return out

    @cached_property
    def split_pairs(self) -> INT:
        """Pairs of links that offer more than one way, (S,): those whose share is unknown."""
        n_way = np.bincount(self.pair_tail, minlength=len(self.unknowns.links))
        return np.flatnonzero(n_way[self.pair_tail] > 1)

    @cached_property
    def _beside(self) -> tuple[INT, INT, BOOL]:
        """Rows of shares: their number, the lane turns of the same link, and whether these are of the pair."""
        order = np.argsort(self.unknowns.tail, kind="stable")
        first = np.searchsorted(self.unknowns.tail[order], np.arange(len(self.unknowns.links) + 1))
        link = self.pair_tail[self.split_pairs]
        length = first[link + 1] - first[link]
        row = np.repeat(np.arange(len(link)), length)
        within = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        turn = order[np.repeat(first[link], length) + within]
        return row, turn, self.unknowns.pair[turn] == self.split_pairs[row]

    def share_matrix(self, share: FLOAT) -> sparse.csr_matrix:
        """Flow of each pair of `split_pairs` less its share of the link's, (S, N); `share` is (P,)."""
        row, turn, own = self._beside
        value = own - share[self.split_pairs][row]
        return sparse.csr_matrix((value, (row, turn)), shape=(len(self.split_pairs), self.unknowns.n))

    @cached_property
    def _lane_mates(self) -> tuple[INT, INT, INT]:
        """Lane turns whose pair leaves from several lanes: turn of the row, its number, the turns of the pair."""
        order = np.argsort(self.unknowns.pair, kind="stable")
        first = np.searchsorted(self.unknowns.pair[order], np.arange(self.n_pair + 1))
        n_lane = np.bincount(self.unknowns.pair, minlength=self.n_pair)
        rows = np.flatnonzero(n_lane[self.unknowns.pair] > 1)
        length = n_lane[self.unknowns.pair[rows]]
        row = np.repeat(np.arange(len(rows)), length)
        within = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        return rows, row, order[np.repeat(first[self.unknowns.pair[rows]], length) + within]

    def lane_matrix(self, share: FLOAT) -> tuple[sparse.csr_matrix, INT]:
        """Flow of each lane turn less its part of the pair's, (R, N), and the lane turns; `share` is (J,)."""
        rows, row, mate = self._lane_mates
        total = np.maximum(np.bincount(self.unknowns.pair, share, minlength=self.n_pair)[self.unknowns.pair], 1e-12)
        part = (share / total)[rows][row]
        value = (mate == rows[row]) - part
        return sparse.csr_matrix((value, (row, mate)), shape=(len(rows), self.unknowns.n)), rows

    @cached_property
    def conservation(self) -> sparse.csr_matrix:
        """What comes onto each link less what leaves it, (L, N)."""
        return (self.unknowns.comes - self.unknowns.goes).tocsr()

    @cached_property
    def gates_in(self) -> INT:
        """Numbers of the links where traffic comes into the network."""
        return np.array([self.unknowns.index[x] for x in self.unknowns.links if x in self.unknowns.gates_in], np.int64)

    @cached_property
    def gates_out(self) -> INT:
        """Numbers of the links where traffic leaves the network."""
        return np.array([self.unknowns.index[x] for x in self.unknowns.links if x in self.unknowns.gates_out], np.int64)

    @cached_property
    def gate_weight(self) -> FLOAT:
        """How much traffic a link at the edge usually brings or takes, in units of a common one-lane street, (L,)."""
        links = self.unknowns.network.links
        speed_mps = np.array([links[x].speed_mps for x in self.unknowns.links])
        return np.asarray(self.n_lane**LANE_POWER * (speed_mps / 13.9) ** SPEED_POWER)

    @cached_property
    def n_lane(self) -> FLOAT:
        """Lanes for all traffic, a fifth of one where there are none, (L,)."""
        links = [self.unknowns.network.links[x] for x in self.unknowns.links]
        return np.array([sum(lane.kind == "general" for lane in link.lanes) or 0.2 for link in links], dtype=float)

    @cached_property
    def length_m(self) -> FLOAT:
        """Length of each link, (L,). [m]"""
        return np.array([self.unknowns.network.links[x].length_m for x in self.unknowns.links])

    @cached_property
    def travel_s(self) -> FLOAT:
        """Free-flow time over each link, (L,). [s]"""
        return np.array([self.unknowns.travel_s[x] for x in self.unknowns.links])

    @cached_property
    def storage_veh(self) -> FLOAT:
        """Vehicles that find room on each link, (L,)."""
        links = [self.unknowns.network.links[x] for x in self.unknowns.links]
        return np.array([max(sum(lane.length_m for lane in x.lanes if lane.kind != "other") / 7.0, 2.0) for x in links])

    @cached_property
    def entry(self) -> slice:
        """Where the entries stand among the unknowns."""
        return slice(len(self.unknowns.turns), len(self.unknowns.turns) + len(self.unknowns.links))

    @cached_property
    def exit(self) -> slice:
        """Where the exits stand among the unknowns."""
        return slice(len(self.unknowns.turns) + len(self.unknowns.links), self.unknowns.n)
