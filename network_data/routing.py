"""Shortest routes in free flow over what vehicles may really drive: from link to link by permitted connections."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

from network_data.network import RoadNetwork
from network_data.trips import BUS, CAR

MINOR_S = 1.5
"""Cost of yielding: at a turn without signal, and at a waiting place inside a junction; as SUMO's router counts. [s]"""


class Router:
    """Free-flow shortest routes of a network, remembered by origin; link indices count in the order of `network.links`.

    A vehicle that may use bus lanes (kind 1) uses every connection, others the general ones only.
    """

    def __init__(self, network: RoadNetwork) -> None:
        self.names = tuple(network.links)
        self.index = {link_id: i for i, link_id in enumerate(self.names)}
        self._length_s = [link.length_m / link.speed_mps for link in network.links.values()]
        cost_s: dict[int, dict[tuple[int, int], float]] = {CAR: {}, BUS: {}}
        for c in network.connections:
            pair = self.index[c.from_link], self.index[c.to_link]
            turn_s = c.length_m / c.speed_mps
            if c.controller_id is None and c.right_of_way.islower():
                turn_s += MINOR_S
            if c.wait_m > 0:
                turn_s += MINOR_S
            for kind in (CAR, BUS) if c.kind == "general" else (BUS,):
                cost_s[kind][pair] = min(turn_s, cost_s[kind].get(pair, turn_s))
        self.turns = {kind: frozenset(table) for kind, table in cost_s.items()}
        self._next: dict[int, dict[int, list[tuple[int, float]]]] = {}
        for kind, table in cost_s.items():
            successors: dict[int, list[tuple[int, float]]] = defaultdict(list)
            for (i, j), turn_s in table.items():
                successors[i].append((j, turn_s + self._length_s[j]))
            self._next[kind] = dict(successors)
        self._trees: dict[tuple[int, int], dict[int, int]] = {}

    def gap(self, route: Sequence[int], kind: int = CAR) -> int | None:
        """Position of the first link from which the route cannot go on as it says; None where all of it connects."""
        turns = self.turns[kind]
        for n in range(len(route) - 1):
            if (route[n], route[n + 1]) not in turns:
                return n
        return None

    def route(self, origin: int, target: int, kind: int = CAR) -> tuple[int, ...] | None:
        """Links from origin to target, both included; None where no way leads there."""
        if origin == target:
            return (origin,)
        tree = self._trees.get((origin, kind))
        if tree is None:
            tree = self._trees[origin, kind] = self._tree(origin, self._next[kind])
        if target not in tree:
            return None
        back = [target]
        while back[-1] != origin:
            back.append(tree[back[-1]])
        return tuple(reversed(back))

    @staticmethod
    def _tree(origin: int, successors: dict[int, list[tuple[int, float]]]) -> dict[int, int]:
        """Predecessor of every link that can be reached (Dijkstra's algorithm)."""
        best_s, before, done = {origin: 0.0}, {}, set()
        heap = [(0.0, origin)]
        while heap:
            time_s, link = heapq.heappop(heap)
            if link in done:
                continue
            done.add(link)
            for onward, cost_s in successors.get(link, ()):
                if time_s + cost_s < best_s.get(onward, float("inf")):
                    best_s[onward] = time_s + cost_s
                    before[onward] = link
                    heapq.heappush(heap, (time_s + cost_s, onward))
        return before
