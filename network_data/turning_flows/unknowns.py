"""What the estimate has to find: flows from lane to link, entries and exits; and how flow is conserved among them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.demand import Pair
from network_data.network import Connection, RoadNetwork
from network_data.plans import OPEN, TimingPlan

INT = NDArray[np.int64]
DIRECTION_WEIGHT = {"s": 1.0, "r": 0.35, "R": 0.35, "l": 0.4, "L": 0.4, "t": 0.03}
"""How much a turn draws, all else equal (straight: 1). With the powers below fitted to the flows of nine networks (four
of Cologne and Bologna, three of Ingolstadt, two grids); green times of the field plans told nothing beyond them."""
LANES_POWER, TARGET_LANES_POWER = 0.3, 0.8
BUS_LANE_ROOM = 0.1


@dataclass(frozen=True, eq=False)
class Unknowns:
    """The unknowns in one row: lane turns first, then one entry and one exit per link.

    A lane turn is what leaves one lane of a link towards one other link. Vehicles enter at the start of a link and end
    at its end: every loop on the link sees them.
    """

    network: RoadNetwork
    links: tuple[str, ...]
    turns: tuple[tuple[str, int, str], ...]
    turns_out: dict[str, tuple[int, ...]]
    turns_in: dict[str, tuple[int, ...]]
    turns_of_pair: dict[Pair, tuple[int, ...]]
    turns_of_lane: dict[tuple[str, int], tuple[int, ...]]

    @property
    def n(self) -> int:
        """Number of unknowns."""
        return len(self.turns) + 2 * len(self.links)

    @cached_property
    def entry(self) -> dict[str, int]:
        """Link → unknown of what enters there."""
        return {link: len(self.turns) + i for i, link in enumerate(self.links)}

    @cached_property
    def exit(self) -> dict[str, int]:
        """Link → unknown of what ends there."""
        return {link: len(self.turns) + len(self.links) + i for i, link in enumerate(self.links)}

    @cached_property
    def gates_in(self) -> frozenset[str]:
        """Links on which traffic comes into the network: nothing but turnarounds leads there."""
        return frozenset(link for link in self.links if not self._onward(link, self.network.incoming[link], back=True))

    @cached_property
    def gates_out(self) -> frozenset[str]:
        """Links on which traffic leaves the network."""
        return frozenset(link for link in self.links if not self._onward(link, self.network.outgoing[link], back=False))

    def _onward(self, link: str, others: tuple[str, ...], *, back: bool) -> list[str]:
        links = self.network.links
        here = links[link].to_node if back else links[link].from_node
        return [x for x in others if (links[x].from_node if back else links[x].to_node) != here]

    @cached_property
    def travel_s(self) -> dict[str, float]:
        """Free-flow time over each link. [s]"""
        return {link: self.network.links[link].length_m / self.network.links[link].speed_mps for link in self.links}

    @cached_property
    def index(self) -> dict[str, int]:
        """Link → its number."""
        return {link: i for i, link in enumerate(self.links)}

    @cached_property
    def tail(self) -> INT:
        """Number of the link that each lane turn leaves, shape (J,)."""
        return np.array([self.index[start] for start, _, _ in self.turns], dtype=np.int64)

    @cached_property
    def head(self) -> INT:
        """Number of the link that each lane turn leads to, shape (J,)."""
        return np.array([self.index[goal] for _, _, goal in self.turns], dtype=np.int64)

    @cached_property
    def pair(self) -> INT:
        """Number of each lane turn's pair of links, in the order of `turns_of_pair`, shape (J,)."""
        out = np.zeros(len(self.turns), dtype=np.int64)
        for n, own in enumerate(self.turns_of_pair.values()):
            out[list(own)] = n
        return out

    @cached_property
    def comes(self) -> sparse.csr_matrix:
        """What comes onto each link, links by unknowns: turns that lead there, and the entry."""
        return self._links_by_unknowns(self.head, len(self.turns))

    @cached_property
    def goes(self) -> sparse.csr_matrix:
        """What leaves each link, links by unknowns: turns from there, and the exit."""
        return self._links_by_unknowns(self.tail, len(self.turns) + len(self.links))

    def _links_by_unknowns(self, link: INT, first_own: int) -> sparse.csr_matrix:
        n_link = len(self.links)
        i = np.concatenate([link, np.arange(n_link)])
        j = np.concatenate([np.arange(len(self.turns)), first_own + np.arange(n_link)])
        return sparse.csr_matrix((np.ones(len(i)), (i, j)), shape=(n_link, self.n))

    def through(self, link: str) -> dict[int, float]:
        """Terms that add up to all that leaves the link."""
        return {**dict.fromkeys(self.turns_out[link], 1.0), self.exit[link]: 1.0}

    def balance(self, link: str) -> dict[int, float]:
        """Terms that add up to 0: what comes onto the link less what leaves it."""
        terms: dict[int, float] = defaultdict(float)
        for j, value in self.onto(link).items():
            terms[j] += value
        for j, value in self.through(link).items():
            terms[j] -= value
        return terms

    def onto(self, link: str) -> dict[int, float]:
        """Terms that add up to all that comes onto the link."""
        return {**dict.fromkeys(self.turns_in[link], 1.0), self.entry[link]: 1.0}


def unknowns_of(network: RoadNetwork) -> Unknowns:
    """Lay out the unknowns of a network."""
    links = tuple(link.id for link in network.links.values() if link.drivable)
    turns = tuple(dict.fromkeys((c.from_link, c.from_lane, c.to_link) for c in network.connections))
    out: dict[str, list[int]] = {link: [] for link in links}
    into: dict[str, list[int]] = {link: [] for link in links}
    of_pair: dict[Pair, list[int]] = defaultdict(list)
    of_lane: dict[tuple[str, int], list[int]] = defaultdict(list)
    for j, (from_link, lane, to_link) in enumerate(turns):
        out[from_link].append(j)
        into[to_link].append(j)
        of_pair[from_link, to_link].append(j)
        of_lane[from_link, lane].append(j)
    return Unknowns(
        network,
        links,
        turns,
        {k: tuple(v) for k, v in out.items()},
        {k: tuple(v) for k, v in into.items()},
        {k: tuple(v) for k, v in of_pair.items()},
        {k: tuple(v) for k, v in of_lane.items()},
    )


def prior_shares(unknowns: Unknowns) -> NDArray[np.float64]:
    """Share of its link's traffic that each lane turn is expected to take, before any count. [-]

    Straight on draws more than turning, a wide and fast street more than a narrow one, a turn with more lanes of its
    own a little more than one with fewer.
    """
    network = unknowns.network
    direction = {(c.from_link, c.to_link): c.direction for c in network.connections}
    room = np.zeros(len(unknowns.turns))  # lanes, shared ones split among their turns
    for (link, lane), members in unknowns.turns_of_lane.items():
        is_bus = network.links[link].lanes[lane].kind == "bus"
        room[list(members)] = (BUS_LANE_ROOM if is_bus else 1.0) / len(members)
    share = np.zeros(len(unknowns.turns))
    for pair, members in unknowns.turns_of_pair.items():
        own = room[list(members)]
        weight = DIRECTION_WEIGHT.get(direction[pair], 0.4) * own.sum() ** LANES_POWER * _draw(network, pair[1])
        share[list(members)] = weight * own / own.sum()
    for members in unknowns.turns_out.values():
        share[list(members)] /= max(share[list(members)].sum(), 1e-12)
    return share


def _draw(network: RoadNetwork, link_id: str) -> float:
    """Attraction of a street: its lanes times its speed."""
    link = network.links[link_id]
    n_lane = sum(lane.kind == "general" for lane in link.lanes) or BUS_LANE_ROOM
    return float(n_lane**TARGET_LANES_POWER * link.speed_mps)


def green_share(connection: Connection, plan: TimingPlan | None) -> float:
    """Share of the cycle in which the connection may be driven; a half where no signal stands. [-]"""
    if connection.controller_id is None or connection.link_index is None:
        return 0.5
    program = plan.controllers.get(connection.controller_id) if plan else None
    if program is None or connection.link_index >= len(program.intervals[0].state):
        return 0.5
    return max(program.green_s(connection.link_index, OPEN) / program.cycle_s, 0.02)
