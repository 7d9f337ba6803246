"""The network as arrays of links, choices at their ends, detectors and signals: all that a step looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand, DemandScenarios
from network_data.detectors import Detector
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from sim import _tables as k
from sim.compile import TICKS, CompiledNetwork, compile_network
from sim.parameters import STREET, SimParameters

FLOAT = NDArray[np.float64]
INTS = NDArray[np.int64]
LEAST_VPH = 1.0
"""Flow of links that the prior says nobody uses: what a detector there counts still tells something. [veh/h]"""


def sums(index: NDArray[np.integer[Any]], weights: NDArray[Any], n: int) -> FLOAT:
    """Sums of weights by index; shape (n,)."""
    return np.asarray(np.bincount(index, weights=weights, minlength=n), np.float64)


@dataclass(frozen=True, eq=False)
class StreetLayout:
    """K links, C choices at their ends (turns, and ending there: the last of each link), S signals.

    `region` of a signal are itself and the signals that it sends vehicles to or gets them from.
    """

    compiled: CompiledNetwork
    links: tuple[str, ...]
    link_of_lane: INTS  # (kernel lanes,)
    time_s: FLOAT  # (K,) free driving
    room_veh: FLOAT  # (K,)
    n_lane: INTS  # (K,)
    first: INTS  # (K + 1,) of its choices
    choice_link: INTS  # (C,)
    target: INTS  # (C,) link, -1 ends the trip
    pair: INTS  # (C,) first row of the kernel's pairs
    signal_head: INTS  # (C,) kernel signal, -1 without
    room_vps: FLOAT  # (C,) what its lanes can let go under green [veh/s]
    lane_share: tuple[INTS, INTS, FLOAT]  # choice, kernel lane, share of the choice on it
    signals: tuple[str, ...]
    signal_of_link: INTS  # (K,) the signal at its end, S where there is none
    region: tuple[INTS, ...]

    @property
    def n_signal(self) -> int:
        """Number of signals."""
        return len(self.signals)

    @cached_property
    def index(self) -> dict[str, int]:
        """Link → its number."""
        return {link: n for n, link in enumerate(self.links)}

    @cached_property
    def owner_of_lane(self) -> INTS:
        """Kernel lane → the signal that its delay belongs to."""
        return self.signal_of_link[self.link_of_lane]

    def onto(self, flow: FLOAT) -> FLOAT:
        """What choices send into each link; shape (K,)."""
        goes = self.target >= 0
        return sums(self.target[goes], flow[goes], len(self.links))


def street_layout(
    network: RoadNetwork, parameters: SimParameters = STREET, compiled: CompiledNetwork | None = None
) -> StreetLayout:
    """Lay a network out; where a simulator has compiled it already, as it is there."""
    compiled = compiled or compile_network(network, parameters, spacing_m=parameters.spacing_m)
    links = tuple(dict.fromkeys(compiled.lane_link[: compiled.n_real_lane]))
    index = {link: n for n, link in enumerate(links)}
    of_link: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (origin, following), row in compiled.pair_of.items():
        of_link[index[origin]].append((index[following] if following else -1, row))
    rows = [
        (link, there, first)
        for link in range(len(links))
        for there, first in sorted(of_link[link], key=lambda r: (r[0] < 0, r[1]))
    ]
    choice_link, target, pair = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    lanes = compiled.arrays.lane[: compiled.n_real_lane]
    link_of_lane = np.array([index[name] for name in compiled.lane_link], np.int64)
    own = link_of_lane[: compiled.n_real_lane]
    n_lane = np.bincount(own, minlength=len(links))
    of_choice, of_lane = _lanes_of_choices(compiled, pair)
    per = np.bincount(of_choice, minlength=len(pair))
    conn = compiled.arrays.pair[pair, k.PAIR_CONN]
    head = np.where(conn >= 0, compiled.arrays.conn[conn, k.SIGNAL], -1)
    signals = tuple(compiled.heads_of)
    signal_of_link = _signals_of_links(network, links, signals)
    return StreetLayout(
        compiled=compiled,
        links=links,
        link_of_lane=link_of_lane,
        time_s=sums(own, lanes[:, k.DRIVE], len(links)) / TICKS / n_lane,
        room_veh=sums(own, lanes[:, k.STORAGE], len(links)),
        n_lane=n_lane,
        first=np.searchsorted(choice_link, np.arange(len(links) + 1)),
        choice_link=choice_link,
        target=target,
        pair=pair,
        signal_head=head.astype(np.int64),
        room_vps=_saturation_vps(compiled, conn, parameters) * per,
        lane_share=(of_choice, of_lane, 1.0 / per[of_choice]),
        signals=signals,
        signal_of_link=signal_of_link,
        region=_regions(choice_link, target, signal_of_link, len(signals)),
    )


def _lanes_of_choices(compiled: CompiledNetwork, pair: INTS) -> tuple[INTS, INTS]:
    table = compiled.arrays.pair
    count = table[pair, k.PAIR_N].astype(np.int64)
    choice = np.repeat(np.arange(len(pair)), count)
    row = np.arange(len(choice)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(pair, count)
    return choice, table[row, k.PAIR_LANE].astype(np.int64)


def _saturation_vps(compiled: CompiledNetwork, conn: INTS, parameters: SimParameters) -> FLOAT:
    """What one lane lets go to a choice under green. [veh/s]"""
    pace = compiled.arrays.conn[np.maximum(conn, 0), k.PACE]  # 1000 × ticks per dm
    headway_s = parameters.reaction_headway_s + compiled.spacing_m * pace * 10 / 1000 / TICKS
    return np.where(conn >= 0, 1.0 / headway_s, np.inf)


def _signals_of_links(network: RoadNetwork, links: Sequence[str], signals: Sequence[str]) -> INTS:
    number = {name: n for n, name in enumerate(signals)}
    of = {link: number[c] for c, own in network.approaches.items() if c in number for link in own}
    return np.array([of.get(link, len(signals)) for link in links], np.int64)


def _regions(choice_link: INTS, target: INTS, signal_of_link: INTS, n_signal: int) -> tuple[INTS, ...]:
    goes = target >= 0
    here, there = signal_of_link[choice_link[goes]], signal_of_link[target[goes]]
    both = (here < n_signal) & (there < n_signal)
    around: list[set[int]] = [{s} for s in range(n_signal)]
    for a, b in zip(here[both].tolist(), there[both].tolist(), strict=True):
        around[a].add(b)
        around[b].add(a)
    return tuple(np.array(sorted(near), np.int64) for near in around)


@dataclass(frozen=True, eq=False)
class Prior:
    """The day's history: what enters on each link and makes each choice, by interval. [veh/s]"""

    begin_s: FLOAT  # (T,)
    end_s: FLOAT  # (T,)
    entry_vps: FLOAT  # (T, K)
    choice_vps: FLOAT  # (T, C)

    def at(self, time_s: float) -> tuple[FLOAT, FLOAT]:
        """Entries (K,) and choices (C,) at a time; before the first and after the last interval those stand in."""
        n = int(np.searchsorted(self.end_s, time_s, side="right"))
        n = min(n, len(self.end_s) - 1)
        return self.entry_vps[n], self.choice_vps[n]


def prior_of(layout: StreetLayout, demand: Demand | DemandScenarios) -> Prior:
    """The history that counts are compared with; of several days their weighted mean.

    Raises
    ------
    DemandError
        Turns that the network does not have, scenarios with different intervals.
    """
    scenarios = demand.scenarios if isinstance(demand, DemandScenarios) else (demand,)
    weights = demand.weights if isinstance(demand, DemandScenarios) else (1.0,)
    first = scenarios[0]
    if any(one.begin_s.shape != first.begin_s.shape or (one.begin_s != first.begin_s).any() for one in scenarios):
        raise DemandError("prior demand", "its scenarios have different intervals; give one day, or cut them alike")
    n = len(first.begin_s)
    entry, choice = np.zeros((n, len(layout.links))), np.zeros((n, len(layout.target)))
    number = {(int(a), int(b)): c for c, (a, b) in enumerate(zip(layout.choice_link, layout.target, strict=True))}
    unknown: dict[str, None] = {}
    for one, weight in zip(scenarios, weights, strict=True):
        vps = weight * one.veh / (one.end_s - one.begin_s)
        for (origin, target), row in zip(one.pairs, vps, strict=True):
            key = layout.index.get(origin, -2) if origin else -1, layout.index.get(target, -2) if target else -1
            if -2 in key or (origin and key not in number):
                if row.any():
                    unknown[f"{origin or 'outside'} to {target or 'its end'}"] = None
            elif not origin:
                entry[:, key[1]] += row
            else:
                choice[:, number[key]] += row
    if unknown:
        named = ", ".join(list(unknown)[:8])
        raise DemandError("prior demand", f"the network has no way {named}; use the demand of this network")
    return Prior(first.begin_s.astype(float), first.end_s.astype(float), entry, choice)


@dataclass(frozen=True, eq=False)
class DetectorLayout:
    """D detectors on links and lanes; `share` is what of its link's flow each is expected to see. [-]"""

    ids: tuple[str, ...]
    link: INTS  # (D,)
    lane: INTS  # (D,) kernel lane
    stopbar: NDArray[np.bool_]  # (D,)
    before_m: FLOAT  # (D,) from the loop to the stop line


def detector_layout(layout: StreetLayout, detectors: Sequence[Detector]) -> DetectorLayout:
    """Place detectors; those on links or lanes that no vehicle uses are left out."""
    known = [d for d in detectors if (d.link_id, d.lane) in layout.compiled.lane_of]
    network = layout.compiled.network
    return DetectorLayout(
        ids=tuple(d.id for d in known),
        link=np.array([layout.index[d.link_id] for d in known], np.int64),
        lane=np.array([layout.compiled.lane_of[d.link_id, d.lane] for d in known], np.int64),
        stopbar=np.array([d.kind == "stopbar" for d in known], np.bool_),
        before_m=np.array([network.links[d.link_id].lanes[d.lane].length_m - d.pos_m for d in known], np.float64),
    )
