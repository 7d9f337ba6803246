"""Approaches, lanes and loops of a network as arrays for what decides within a cycle.

An *approach* is a link that ends at a signal. Every loop either counts at the stop line of one of its lanes, or tells
approaches further on that somebody is coming: how far away in seconds, and with which probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from network_data.detectors import Detector
from network_data.network import Connection, RoadNetwork
from sim.parameters import STREET, SimParameters

FAR_S = 90.0
"""Nobody is announced further ahead than this. [s]"""
LEAST_SHARE = 0.04
TURN_WEIGHT = {"s": 1.0, "l": 0.35, "r": 0.35, "L": 0.35, "R": 0.35, "t": 0.01}
"""What is believed of lanes and junctions with several ways on, before anything is known. [-]"""


class Feed(NamedTuple):
    """Who passes a point comes to an approach with a probability, so many seconds later when nothing holds it up."""

    approach: int
    probability: float
    travel_s: float


class LaneWay(NamedTuple):
    """One way on from an approach lane: the link index it obeys, its share of the lane, and where it leads."""

    connection: int
    link_index: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproachLane:
    """A lane before a stop line. `headway_s` is between vehicles of a queue; `stopbar` is a detector, -1 for none."""

    approach: int
    lane: int
    headway_s: float
    stopbar: int
    ways: tuple[LaneWay, ...]
    feeds: tuple[Feed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """A loop that sees vehicles before they reach their stop lines."""

    detector: int
    link_id: str
    lane: int
    feeds: tuple[Feed, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """All of it; `lanes` are in the order of approaches, lane 0 (the rightmost) first."""

    network: RoadNetwork
    approaches: tuple[str, ...]
    lanes: tuple[ApproachLane, ...]
    announcers: tuple[Announcer, ...]

    @cached_property
    def lanes_of(self) -> tuple[tuple[int, ...], ...]:
        """Approach → its lanes, as indices into `lanes`."""
        out: list[list[int]] = [[] for _ in self.approaches]
        for g, lane in enumerate(self.lanes):
            out[lane.approach].append(g)
        return tuple(map(tuple, out))

    @cached_property
    def lanes_at(self) -> dict[str, tuple[int, ...]]:
        """Controller id → lanes that its heads control."""
        out: dict[str, list[int]] = {x: [] for x in self.network.controllers}
        for g, lane in enumerate(self.lanes):
            controller_id = self.network.connections[lane.ways[0].connection].controller_id
            out[str(controller_id)].append(g)
        return {x: tuple(lanes) for x, lanes in out.items()}


def layout_of(
    network: RoadNetwork, detectors: Sequence[Detector], parameters: SimParameters = STREET, spacing_m: float = 0.0
) -> Layout:
    """Lay out a network with its detectors.

    Parameters
    ----------
    network : RoadNetwork
        The network.
    detectors : sequence of Detector
        Loops, in the order of the observations to come.
    parameters : SimParameters
        Headways and speeds of the queue simulation.
    spacing_m : float
        Length and gap of vehicles, 0 for that of `parameters`. [m]
    """
    walker = _Walker(network, parameters)
    ways = _ways(network)
    approaches = tuple(dict.fromkeys(link for link, _ in ways))
    walker.index = {link: a for a, link in enumerate(approaches)}
    stopbars = {(d.link_id, d.lane): n for n, d in enumerate(detectors) if d.kind == "stopbar"}
    spacing_m = spacing_m or parameters.spacing_m
    lanes = []
    for a, link in enumerate(approaches):
        for lane in sorted(lane for x, lane in ways if x == link):
            own = [network.connections[i] for i in ways[link, lane]]
            shares = _shares(own)
            speed_mps = sum(
                s * min(c.speed_mps, network.links[link].lanes[lane].speed_mps)
                for c, s in zip(own, shares, strict=True)
            )
            lanes.append(
                ApproachLane(
                    approach=a,
                    lane=lane,
                    headway_s=parameters.reaction_headway_s + spacing_m / speed_mps,
                    stopbar=stopbars.get((link, lane), -1),
                    ways=tuple(
                        LaneWay(i, int(c.link_index or 0), s)
                        for i, c, s in zip(ways[link, lane], own, shares, strict=True)
                    ),
                    feeds=tuple(_merged(walker.beyond(own, shares))),
                )
            )
    announcers = tuple(
        Announcer(detector=n, link_id=d.link_id, lane=d.lane, feeds=feeds)
        for n, d in enumerate(detectors)
        if not (d.kind == "stopbar" and d.link_id in walker.index)
        and (feeds := tuple(_merged(walker.walk(d.link_id, d.pos_m, 1.0, 0.0))))
    )
    return Layout(network=network, approaches=approaches, lanes=tuple(lanes), announcers=announcers)


def _ways(network: RoadNetwork) -> dict[tuple[str, int], list[int]]:
    """(link, lane) → its signalled connections."""
    out: dict[tuple[str, int], list[int]] = {}
    for i, c in enumerate(network.connections):
        if c.controller_id is not None and c.link_index is not None and c.kind != "other":
            out.setdefault((c.from_link, c.from_lane), []).append(i)
    return dict(sorted(out.items(), key=lambda item: item[0]))


def _shares(ways: Sequence[Connection]) -> list[float]:
    weights = [TURN_WEIGHT.get(way.direction, 0.35) for way in ways]
    return [weight / sum(weights) for weight in weights]


class _Walker:
    """Walks downstream from a point until the next stop lines."""

    def __init__(self, network: RoadNetwork, parameters: SimParameters) -> None:
        self.network, self.parameters = network, parameters
        self.index: dict[str, int] = {}
        self.from_link: dict[str, list[Connection]] = {}
        for c in network.connections:
            if c.kind != "other":
                self.from_link.setdefault(c.from_link, []).append(c)

    def travel_s(self, length_m: float, speed_mps: float) -> float:
        """Seconds for a stretch when nothing holds a vehicle up, imperfect driving included."""
        return length_m / speed_mps + self.parameters.dawdle * length_m / speed_mps**2

    def walk(self, link_id: str, from_m: float, probability: float, at_s: float) -> Iterator[Feed]:
        """Approaches that somebody on a link comes to."""
        link = self.network.links[link_id]
        there_s = at_s + self.travel_s(max(0.0, link.length_m - from_m), link.speed_mps)
        if link_id in self.index:
            yield Feed(self.index[link_id], probability, there_s)
            return
        by_link: dict[str, Connection] = {}
        for c in self.from_link.get(link_id, []):
            if c.direction != "t":  # where the only way on leads back, traffic leaves the network
                by_link.setdefault(c.to_link, c)
        ways = list(by_link.values())
        if ways and there_s < FAR_S:
            for way, share in zip(ways, _shares(ways), strict=True):
                if probability * share >= LEAST_SHARE:
                    yield from self.walk(
                        way.to_link, 0.0, probability * share, there_s + way.length_m / max(3.0, way.speed_mps)
                    )

    def beyond(self, ways: Sequence[Connection], shares: Sequence[float]) -> Iterator[Feed]:
        """Approaches that somebody who passes a stop line comes to."""
        for way, share in zip(ways, shares, strict=True):
            if way.direction != "t":
                yield from self.walk(way.to_link, 0.0, share, way.length_m / max(3.0, way.speed_mps))


def _merged(feeds: Iterator[Feed]) -> Iterator[Feed]:
    """One feed per approach: probabilities added, the mean time."""
    by: dict[int, list[Feed]] = {}
    for feed in feeds:
        if feed.travel_s < FAR_S:
            by.setdefault(feed.approach, []).append(feed)
    for a, parts in sorted(by.items()):
        total = sum(part.probability for part in parts)
        yield Feed(a, total, sum(part.probability * part.travel_s for part in parts) / total)
