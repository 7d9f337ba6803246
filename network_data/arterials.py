"""Arterials of a network: chains of signalled nodes along the heaviest straight traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from network_data.network import Movement, RoadNetwork

LEAST_NODES = 3
LEAST_SIGNALS = 2
MOST_GAP_M = 1500.0
"""Signals farther apart are not drawn as one arterial. [m]"""
MOST_ARTERIALS = 8
STRAIGHT = {"s": 0, "L": 1, "R": 1}


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop line of an arterial: the approach and its straight movement."""

    node_id: str
    controller_id: str
    from_link: str
    movement_id: str
    link_indices: tuple[int, ...]
    flow_vph: float


@dataclass(frozen=True, slots=True)
class Leg:
    """From one stop line to the next: distance and travel time at link speed."""

    links: tuple[str, ...]
    distance_m: float
    travel_s: float


@dataclass(frozen=True, slots=True)
class Course:
    """One direction of an arterial."""

    stops: tuple[Stop, ...]
    legs: tuple[Leg, ...]

    @property
    def length_m(self) -> float:
        """From the first stop line to the last. [m]"""
        return sum(leg.distance_m for leg in self.legs)

    @property
    def controllers(self) -> tuple[str, ...]:
        """Controllers in order, each once per visit."""
        ids = [stop.controller_id for stop in self.stops]
        return tuple(c for n, c in enumerate(ids) if n == 0 or ids[n - 1] != c)

    def positions_m(self) -> list[float]:
        """Distance of each stop line from the first. [m]"""
        return [0.0, *np.cumsum([leg.distance_m for leg in self.legs]).tolist()]

    def clocks_s(self) -> list[float]:
        """Travel time of each stop line from the first. [s]"""
        return [0.0, *np.cumsum([leg.travel_s for leg in self.legs]).tolist()]


@dataclass(frozen=True, slots=True)
class Arterial:
    """A street with its two directions; `back` is None on one-way streets."""

    name: str
    forth: Course
    back: Course | None


def find_arterials(network: RoadNetwork, flows_vph: Mapping[str, float]) -> list[Arterial]:
    """Arterials of a network, the longest with the most traffic first.

    Parameters
    ----------
    network : RoadNetwork
    flows_vph : mapping
        Movement id → flow. [veh/h]
    """
    stops = _stops(network, flows_vph)
    follow = _followers(network, stops, flows_vph)
    courses = [c for c in _chains(stops, follow) if len({s.node_id for s in c.stops}) >= LEAST_NODES]
    courses = [c for c in courses if len(set(c.controllers)) >= LEAST_SIGNALS]
    courses.sort(key=lambda c: (-len(set(c.controllers)) * _mean_flow(c) ** 0.5, c.stops[0].from_link))
    out: list[Arterial] = []
    taken: set[int] = set()
    for n, course in enumerate(courses):
        if n in taken:
            continue
        back = max(
            (m for m in range(len(courses)) if m != n and m not in taken and _shared(course, courses[m]) >= 2),
            key=lambda m: (_shared(course, courses[m]), _mean_flow(courses[m])),
            default=None,
        )
        taken.add(n)
        trimmed = _trim(courses[back], course) if back is not None else None
        if back is not None and trimmed is not None and 2 * len(trimmed.stops) > len(courses[back].stops):
            taken.add(back)
        out.append(Arterial(_name(network, course), course, trimmed))
    return out[:MOST_ARTERIALS]


def _stops(network: RoadNetwork, flows_vph: Mapping[str, float]) -> dict[str, Stop]:
    """Signalled approach → its straight movement with the heaviest flow."""
    best: dict[str, tuple[tuple[int, float, str], Movement]] = {}
    for movement in network.movements.values():
        first = network.connections[movement.connections[0]]
        if movement.controller_id is None or first.direction not in STRAIGHT or not movement.link_indices:
            continue
        rank = (STRAIGHT[first.direction], -flows_vph.get(movement.id, 0.0), movement.id)
        if movement.from_link not in best or rank < best[movement.from_link][0]:
            best[movement.from_link] = (rank, movement)
    return {
        link: Stop(
            node_id=network.connections[m.connections[0]].node_id,
            controller_id=m.controller_id or "",
            from_link=link,
            movement_id=m.id,
            link_indices=m.link_indices,
            flow_vph=flows_vph.get(m.id, 0.0),
        )
        for link, (_, m) in best.items()
    }


def _followers(
    network: RoadNetwork, stops: Mapping[str, Stop], flows_vph: Mapping[str, float]
) -> dict[str, tuple[str, Leg]]:
    """Approach → the next signalled approach straight on; where two lead to the same, the heavier keeps it."""
    onward: dict[str, Movement] = {}
    for movement in network.movements.values():
        first = network.connections[movement.connections[0]]
        if first.controller_id is not None or first.direction not in STRAIGHT:
            continue
        old = onward.get(movement.from_link)
        if old is None or flows_vph.get(movement.id, 0.0) > flows_vph.get(old.id, 0.0):
            onward[movement.from_link] = movement
    signalled = {m.from_link for m in network.movements.values() if m.controller_id is not None}
    best: dict[str, tuple[float, str, Leg]] = {}
    for link, stop in stops.items():
        leg = _leg(network, stop, signalled, onward)
        if leg is not None and leg.links[-1] in stops and leg.links[-1] != link:
            target = leg.links[-1]
            if target not in best or stop.flow_vph > best[target][0]:
                best[target] = (stop.flow_vph, link, leg)
    return {link: (target, leg) for target, (_, link, leg) in best.items()}


def _leg(network: RoadNetwork, stop: Stop, signalled: set[str], onward: Mapping[str, Movement]) -> Leg | None:
    """The way from behind a stop line to the next one, straight on at junctions without signals."""
    movement = network.movements[stop.movement_id]
    links: list[str] = []
    distance_m = travel_s = 0.0
    while True:
        through, link = network.connections[movement.connections[0]], network.links[movement.to_link]
        distance_m += link.length_m + through.length_m
        travel_s += link.length_m / link.speed_mps + through.length_m / max(through.speed_mps, 1.0)
        links.append(link.id)
        if distance_m > MOST_GAP_M or len(links) > len(network.links):
            return None
        if link.id in signalled:
            return Leg(tuple(links), distance_m, travel_s)
        if link.id not in onward or link.id in links[:-1]:
            return None
        movement = onward[link.id]


def _chains(stops: Mapping[str, Stop], follow: Mapping[str, tuple[str, Leg]]) -> list[Course]:
    """Longest chains of stop lines; a ring is cut at its first link."""
    targets = {target for target, _ in follow.values()}
    seen: set[str] = set()
    out = []
    for start in [*(x for x in stops if x not in targets), *stops]:
        if start in seen:
            continue
        chain, legs = [start], []
        seen.add(start)
        while chain[-1] in follow and follow[chain[-1]][0] not in seen:
            target, leg = follow[chain[-1]]
            chain.append(target)
            legs.append(leg)
            seen.add(target)
        if legs:
            out.append(Course(tuple(stops[x] for x in chain), tuple(legs)))
    return out


def _mean_flow(course: Course) -> float:
    return sum(stop.flow_vph for stop in course.stops) / len(course.stops) + 1.0


def _steps(course: Course) -> list[tuple[str, str]]:
    return list(pairwise(course.controllers))


def _shared(course: Course, other: Course) -> int:
    """How many signals a course shares with another one in the opposite direction."""
    opposite = {(b, a) for a, b in _steps(other)}
    common = [step for step in _steps(course) if step in opposite]
    return len({c for step in common for c in step})


def _trim(course: Course, along: Course) -> Course | None:
    """The part of a course between its first and last signal of another one."""
    known = set(along.controllers)
    inside = [n for n, stop in enumerate(course.stops) if stop.controller_id in known]
    if len(inside) < 2:
        return None
    first, last = inside[0], inside[-1]
    return Course(course.stops[first : last + 1], course.legs[first:last])


def _name(network: RoadNetwork, course: Course) -> str:
    lengths: Counter[str] = Counter()
    for leg in course.legs:
        for link in leg.links:
            lengths[network.links[link].name] += round(network.links[link].length_m)
    lengths.pop("", None)
    return lengths.most_common(1)[0][0] if lengths else ""
