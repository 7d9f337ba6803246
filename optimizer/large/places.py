"""Where in a large network a change is felt: the links of every signal, its neighbours, and who may change together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.graph import Flows, signal_links
from network_data.groups import coordination_groups
from network_data.network import RoadNetwork
from optimizer.moves import Neighbourhood

INT = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Places:
    """S signals; signal S stands for links from which no signal is reached, or that lead away from the last one."""

    signals: tuple[str, ...]
    link_signal: dict[str, int]
    near: tuple[INT, ...]  # (S,) a signal and its neighbours in both directions, sorted

    @property
    def n_signal(self) -> int:
        """Number of signals."""
        return len(self.signals)

    def around(self, members: Sequence[int]) -> INT:
        """Some signals and all their neighbours."""
        return np.unique(np.concatenate([self.near[i] for i in members]))

    @cached_property
    def _within_two(self) -> tuple[INT, ...]:
        return tuple(np.unique(np.concatenate([self.near[j] for j in near])) for near in self.near)

    def apart(self, rng: np.random.Generator, among: Iterable[int]) -> list[int]:
        """Signals of which no two have a neighbour in common, as many as fit; others with other draws.

        Signals that take least from those still open go first: the set gets some 10 % larger than in random order.
        """
        open_to = np.zeros(self.n_signal, bool)
        order = rng.permutation(np.fromiter(among, np.int64))
        open_to[order] = True
        out: list[int] = []
        for i in order:
            if not open_to[i]:
                continue
            tied = [j for j in self._within_two[i] if open_to[j]]
            least = min(tied, key=lambda j: int(open_to[self._within_two[j]].sum()))
            open_to[self._within_two[least]] = False
            out.append(int(least))
            if open_to[i]:
                open_to[self._within_two[i]] = False
                out.append(int(i))
        return out

    def units_apart(self, rng: np.random.Generator, units: Sequence[Sequence[int]]) -> list[int]:
        """As `apart` for sets of signals: indices of units of which no two have a neighbour in common."""
        taken, out = np.zeros(self.n_signal, bool), []
        for n in rng.permutation(len(units)):
            reach = self.around(units[n])
            if not taken[reach].any():
                taken[reach] = True
                out.append(int(n))
        return out


def places_of(network: RoadNetwork, flows_vph: Flows | None = None) -> Places:
    """Lay out who is felt where.

    Parameters
    ----------
    flows_vph : mapping, optional
        (from link, to link) → mean flow: signals between which nobody drives are no neighbours.
    """
    signals = tuple(network.controllers)
    index = {name: i for i, name in enumerate(signals)}
    near: list[set[int]] = [{i} for i in range(len(signals))]
    for one in signal_links(network, flows_vph):
        a, b = index[one.upstream], index[one.downstream]
        near[a].add(b)
        near[b].add(a)
    return Places(signals, _links_to_signals(network, index), tuple(np.array(sorted(s), np.int64) for s in near))


def _links_to_signals(network: RoadNetwork, index: dict[str, int]) -> dict[str, int]:
    """Each link belongs to the next signal that its traffic reaches; behind the last one to where it came from."""
    out = {link: index[c] for c, links in network.approaches.items() for link in links}
    for step in (network.incoming, network.outgoing):
        front = list(out)
        while front:
            onward = []
            for link in front:
                for other in step[link]:
                    if other not in out:
                        out[other] = out[link]
                        onward.append(other)
            front = onward
    return {link: out.get(link, len(index)) for link in network.links}


def groups_of(
    network: RoadNetwork, own_cycles_s: Mapping[str, float], flows_vph: Flows | None, hood: Neighbourhood
) -> list[list[int]]:
    """Coordination groups as indices of signals that may change; groups whose signals the settings tie are one."""
    index = {name: i for i, name in enumerate(network.controllers)}
    open_to = set(hood.open_controllers())
    found = coordination_groups(network, own_cycles_s, flows_vph).groups
    of = {index[signal]: n for n, group in enumerate(found) for signal in group.signals}
    for named in hood.groups():
        tied = {of[at] for at in named}
        of = {at: min(tied) if n in tied else n for at, n in of.items()}
    members: dict[int, list[int]] = {}
    for at in sorted(open_to):
        members.setdefault(of[at], []).append(at)
    return list(members.values())
