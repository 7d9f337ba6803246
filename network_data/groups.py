"""Coordination groups: which signals belong together, by distance, platoon share and cycle compatibility.

Traffic that leaves a signal reaches the next one in platoons. How much an offset between the two can do depends on how
many of the arrivals come that way (platoon share), how much of the platoon's shape is left after the drive
(persistence), and whether both can run in step (cycle compatibility). Their product is the coupling of a pair; groups
are cut where little coupled traffic crosses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from network_data.errors import NetworkError
from network_data.graph import Flows, SignalLink, signal_links
from network_data.network import RoadNetwork
from network_data.partition import partition

TRANSYT_ALPHA, TRANSYT_BETA = 0.35, 0.8
"""Robertson's platoon dispersion in streets with parking and moderate friction (TRRL Report LR 253, 1969). [-]"""
BAND = 2.0
"""Longest over shortest cycle within which Webster's delay stays near its least: 0.75 to 1.5 of the best. [-]"""
HALF_CYCLE_SHARE = 0.5
"""Platoons of a signal that runs twice per cycle which meet the one green of the next. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRules:
    """What makes a group.

    Parameters
    ----------
    most_signals, least_signals : int
        Bounds on a group. Smaller ones join the neighbour they are coupled to most, where there is room; signals that
        are coupled to nobody stay alone all the same.
    least_coupling : float
        A pair below it (in both directions) does not belong together. [-]
    """

    most_signals: int = 25
    least_signals: int = 1
    least_coupling: float = 0.15

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= self.most_signals <= 10_000:
            faults.append(f"most_signals is {self.most_signals}; needs to be from 1 to 10,000")
        if not 1 <= self.least_signals <= self.most_signals:
            faults.append(f"least_signals is {self.least_signals}; needs to be from 1 to most_signals")
        if not 0 <= self.least_coupling <= 1:
            faults.append(f"least_coupling is {self.least_coupling}; needs to be from 0 to 1")
        if faults:
            raise NetworkError("coordination groups", faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """How much two signals have to do with each other in one direction; all but the link between 0 and 1. [-]"""

    link: SignalLink
    persistence: float
    cycles: float

    @property
    def strength(self) -> float:
        """Share of the arrivals downstream that come in a platoon in step."""
        return self.link.platoon_share * self.persistence * self.cycles

    @property
    def coupled(self) -> float:
        """Traffic that comes so; [veh/h], without known flows in weighted lanes."""
        return self.link.flow_vph * self.persistence * self.cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinationGroup:
    """Signals that belong together.

    `cycle_s` is the longest own cycle among them, as the busiest signal needs it; those in `half_cycle` suit half of it
    better. `inside` and `across` are the coupled traffic between its signals, and between them and others.
    """

    id: str
    signals: tuple[str, ...]
    cycle_s: float
    half_cycle: tuple[str, ...]
    inside: float
    across: float


@dataclass(frozen=True, eq=False, kw_only=True)
class CoordinationGroups:
    """All signals of a network in groups, largest first, and what couples them; `measured` where flows were known."""

    groups: tuple[CoordinationGroup, ...]
    couplings: tuple[Coupling, ...]
    measured: bool

    @cached_property
    def of(self) -> dict[str, CoordinationGroup]:
        """Group of each signal."""
        return {signal: group for group in self.groups for signal in group.signals}

    @property
    def inside_share(self) -> float:
        """Share of all coupled traffic that stays within groups; 1 where nothing is coupled. [-]"""
        total = sum(c.coupled for c in self.couplings)
        return sum(group.inside for group in self.groups) / total if total > 0 else 1.0


def persistence(travel_s: float, cycle_s: float) -> float:
    """How much of a platoon's shape is left after a drive: the first harmonic of the flow around the cycle. [-]

    Parameters
    ----------
    travel_s : float
        Mean travel time. [s]
    cycle_s : float
        Cycle in which the platoons come. [s]

    Notes
    -----
    Robertson's recursion q(t) = F q₀(t − βT) + (1 − F) q(t − 1), F = 1 / (1 + αβT), passes a wave of that period with
    the amplitude F / |1 − (1 − F) e^(−iω)|, ω = 2π / cycle.
    """
    factor = 1 / (1 + TRANSYT_ALPHA * TRANSYT_BETA * travel_s)
    omega = 2 * math.pi / cycle_s
    real, imaginary = 1 - (1 - factor) * math.cos(omega), (1 - factor) * math.sin(omega)
    return factor / math.hypot(real, imaginary)


def cycle_compatibility(upstream_s: float, downstream_s: float) -> float:
    """Whether two signals can run in step, from the cycles that suit each of them. [-]

    1 where these are equal, falling to 0 where one is `BAND` times the other: then no common cycle lies within both
    signals' bands of little extra delay. Where it serves better, one of them runs twice per cycle of the other; then
    half of the platoons from it come to a red.
    """
    ratio = math.log(downstream_s / upstream_s) / math.log(BAND)
    return max(
        0.0,
        1 - abs(ratio),
        1 - abs(ratio + 1),  # the one downstream runs twice: every platoon finds a green
        HALF_CYCLE_SHARE * (1 - abs(ratio - 1)),
    )


def couplings_of(links: Sequence[SignalLink], own_cycles_s: Mapping[str, float]) -> tuple[Coupling, ...]:
    """Coupling of every pair of neighbours in each direction; platoons come in the cycle of the signal upstream."""
    return tuple(
        Coupling(
            link=link,
            persistence=persistence(link.travel_s, own_cycles_s[link.upstream]),
            cycles=cycle_compatibility(own_cycles_s[link.upstream], own_cycles_s[link.downstream]),
        )
        for link in links
    )


def coordination_groups(
    network: RoadNetwork,
    own_cycles_s: Mapping[str, float],
    flows_vph: Flows | None = None,
    rules: GroupRules | None = None,
) -> CoordinationGroups:
    """Which signals belong together.

    Parameters
    ----------
    own_cycles_s : mapping
        Controller id → the cycle that suits it alone: `optimizer.own_cycles` by Webster, or the field's. [s]
    flows_vph : mapping, optional
        (from link, to link) → mean flow; without it lanes stand in, see `network_data.graph.signal_graph`.
    rules : GroupRules, optional
        Bounds on the groups.

    Returns
    -------
    CoordinationGroups
        The same for the same input: ties go by the order of the network's signals.

    Raises
    ------
    NetworkError
        Signals without an own cycle, or one that is not above 0.
    """
    rules = rules or GroupRules()
    bad = [c for c in network.controllers if not 0 < own_cycles_s.get(c, 0.0) < math.inf]
    if bad:
        raise NetworkError("coordination groups", [f"signal {c!r} has no own cycle; give one above 0 s" for c in bad])
    couplings = couplings_of(signal_links(network, flows_vph), own_cycles_s)
    names = list(network.controllers)
    index = {name: i for i, name in enumerate(names)}
    weight: dict[tuple[int, int], float] = {}
    strength: dict[tuple[int, int], float] = {}
    for c in couplings:
        i, j = sorted((index[c.link.upstream], index[c.link.downstream]))
        weight[i, j] = weight.get((i, j), 0.0) + c.coupled
        strength[i, j] = max(strength.get((i, j), 0.0), c.strength)
    bound = {pair: w for pair, w in weight.items() if strength[pair] >= rules.least_coupling and w > 0}
    parts = partition(len(names), bound, most=rules.most_signals, least=rules.least_signals)
    parts.sort(key=lambda part: (-len(part), part[0]))
    part_of = {i: n for n, part in enumerate(parts) for i in part}
    inside, across = [0.0] * len(parts), [0.0] * len(parts)
    for (i, j), w in weight.items():
        if part_of[i] == part_of[j]:
            inside[part_of[i]] += w
        else:
            across[part_of[i]] += w
            across[part_of[j]] += w
    groups = tuple(
        _group(f"g{n + 1}", [names[i] for i in part], own_cycles_s, inside[n], across[n])
        for n, part in enumerate(parts)
    )
    return CoordinationGroups(groups=groups, couplings=couplings, measured=flows_vph is not None)


def _group(
    group_id: str, signals: Sequence[str], own_cycles_s: Mapping[str, float], inside: float, across: float
) -> CoordinationGroup:
    cycle_s = max(own_cycles_s[s] for s in signals)
    half = tuple(s for s in signals if own_cycles_s[s] * math.sqrt(BAND) < cycle_s)
    return CoordinationGroup(
        id=group_id, signals=tuple(signals), cycle_s=cycle_s, half_cycle=half, inside=inside, across=across
    )
