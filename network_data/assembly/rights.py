"""Which ways of a junction meet, and who yields to whom.

Geometry says which ways cross or merge. Who yields follows the rules of the road: on the more important street nobody
yields to others; who turns left yields to those who come towards him; else whoever comes from the right goes first.
What signal programs show stands above that: two ways that a program of the field gives a protected green at once are
taken as compatible unless they merge, and of a permitted and a protected green the permitted one yields.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.assembly.plane import turned
from network_data.assembly.ways import Curve, Way
from network_data.plans import ControllerPlan

RANK = {"s": 0, "r": 1, "l": 2, "t": 3}
TOWARDS_RAD = math.radians(50)
"""Approaches that differ from opposite headings by less come towards each other."""
VEHICLE_M = 2.0
"""Between the waiting vehicle and the way it yields to. [m]"""
LEAST_WAIT_M = 4.0
"""Less room than that before the first foe is no place to wait inside the junction. [m]"""
FLOAT = NDArray[np.float64]


@dataclass
class Rights:
    """Per way: the ways it conflicts with, those it yields to, and the room inside the junction before the first."""

    conflicts: list[set[int]]
    yields: list[set[int]]
    wait_m: list[float]
    set_aside: dict[str, int] = field(default_factory=dict)
    """Controller → pairs of link indices that cross on paper and are green together in the field."""


def rights_of(
    ways: Sequence[Way],
    curves: Sequence[Curve],
    node_of: Sequence[str],
    importance: Mapping[str, float],
    kinds: Mapping[str, str],
    programs: Mapping[str, Sequence[ControllerPlan]],
) -> Rights:
    """Conflicts and rights of way of all ways.

    Parameters
    ----------
    ways, curves, node_of : sequences of equal length
        The ways, their geometry, and the node each lies at.
    importance : mapping
        Link → how important its street is; equal ones yield by the right-hand rule.
    kinds : mapping
        Node → kind; at `right_before_left` importance does not count.
    programs : mapping
        Controller → programs of the field.
    """
    rights = Rights([set() for _ in ways], [set() for _ in ways], [0.0] * len(ways))
    members: dict[str, list[int]] = defaultdict(list)
    for i, node in enumerate(node_of):
        members[node].append(i)
    together = {c: _together(p) for c, p in programs.items()}
    for node, at_node in members.items():
        first = _first_crossing_m([curves[i] for i in at_node])
        by_right = kinds.get(node) == "right_before_left"
        for a, i in enumerate(at_node):
            for b, j in enumerate(at_node[:a]):
                crossing = math.isfinite(first[a, b]) and ways[i].from_link != ways[j].from_link
                if crossing or _merge(ways[i], ways[j]):
                    _settle(rights, (i, j), ways, curves, {} if by_right else importance, together)
        for a, i in enumerate(at_node):
            towards = [b for b, j in enumerate(at_node) if j in rights.yields[i] and _towards(curves[i], curves[j])]
            rights.wait_m[i] = _room_m(i, towards, first[a], ways, curves)
    return rights


def _towards(one: Curve, two: Curve) -> bool:
    """Whether two approaches come towards each other."""
    return abs(abs(turned(one.heading_rad, two.heading_rad)) - math.pi) < TOWARDS_RAD


def _merge(one: Way, two: Way) -> bool:
    same_target = (one.to_link, one.to_lane) == (two.to_link, two.to_lane)
    return same_target and (one.from_link, one.from_lane) != (two.from_link, two.from_lane)


def _settle(
    rights: Rights,
    pair: tuple[int, int],
    ways: Sequence[Way],
    curves: Sequence[Curve],
    importance: Mapping[str, float],
    together: Mapping[str, tuple[set[tuple[int, int]], set[tuple[int, int]]]],
) -> None:
    i, j = pair
    one, two = ways[i], ways[j]
    loser = _loser(i, j, ways, curves, importance)
    same = one.controller_id is not None and one.controller_id == two.controller_id
    if same and one.link_index is not None and two.link_index is not None and one.link_index != two.link_index:
        protected, permitted = together.get(str(one.controller_id), (set(), set()))
        heads = one.link_index, two.link_index
        if heads in protected and not _merge(one, two):
            rights.set_aside[str(one.controller_id)] = rights.set_aside.get(str(one.controller_id), 0) + 1
            return
        if heads in permitted and heads[::-1] not in permitted:
            loser = i
        elif heads[::-1] in permitted and heads not in permitted:
            loser = j
    winner = j if loser == i else i
    rights.conflicts[i].add(j)
    rights.conflicts[j].add(i)
    rights.yields[loser].add(winner)


def _loser(i: int, j: int, ways: Sequence[Way], curves: Sequence[Curve], importance: Mapping[str, float]) -> int:
    """Who of two yields, by the rules of the road."""
    one, two = ways[i], ways[j]
    signals = (one.controller_id is not None) + (two.controller_id is not None)
    if signals == 1:
        return i if one.controller_id is None else j
    if signals == 0:
        weights = importance.get(one.from_link, 0.0), importance.get(two.from_link, 0.0)
        if weights[0] != weights[1]:
            return i if weights[0] < weights[1] else j
    ranks = RANK[curves[i].direction], RANK[curves[j].direction]
    angle = turned(curves[i].heading_rad, curves[j].heading_rad)
    towards = _towards(curves[i], curves[j])
    if ranks[0] != ranks[1] and (towards or signals or one.from_link == two.from_link):
        return i if ranks[0] > ranks[1] else j
    if abs(angle) < 1e-9 or towards:
        return max(i, j)
    # j comes from the right of i where its heading is turned left from i's
    return i if angle > 0 else j


def _together(programs: Sequence[ControllerPlan]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Pairs of link indices with protected green at once; and (permitted, protected) ones."""
    protected: set[tuple[int, int]] = set()
    permitted: set[tuple[int, int]] = set()
    for state in {interval.state for program in programs for interval in program.intervals}:
        full = [k for k, letter in enumerate(state) if letter == "G"]
        weak = [k for k, letter in enumerate(state) if letter == "g"]
        protected |= {(a, b) for a in full for b in full if a != b}
        permitted |= {(a, b) for a in weak for b in full}
    return protected, permitted


def _first_crossing_m(curves: Sequence[Curve]) -> FLOAT:
    """How far along each curve it first meets each other one; inf where it does not; shape (n, n). [m]"""
    n, steps = len(curves), len(curves[0].shape) - 1
    points = np.array([curve.shape for curve in curves])  # (n, steps + 1, 2)
    starts, spans = points[:, :-1].reshape(-1, 2), np.diff(points, axis=1).reshape(-1, 2)
    apart = starts[None] - starts[:, None]  # (n * steps, n * steps, 2)
    denominator = spans[:, None, 0] * spans[None, :, 1] - spans[:, None, 1] * spans[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (apart[..., 0] * spans[None, :, 1] - apart[..., 1] * spans[None, :, 0]) / denominator
        t = (apart[..., 0] * spans[:, None, 1] - apart[..., 1] * spans[:, None, 0]) / denominator
    hit = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    lengths = np.hypot(spans[:, 0], spans[:, 1]).reshape(n, steps)
    before = (np.cumsum(lengths, axis=1) - lengths).reshape(-1)
    where = np.where(hit, before[:, None] + np.where(hit, s, 0.0) * lengths.reshape(-1)[:, None], np.inf)
    first: FLOAT = where.reshape(n, steps, n, steps).min(axis=(1, 3))
    np.fill_diagonal(first, np.inf)
    return first


def _room_m(i: int, foes: Sequence[int], first_m: FLOAT, ways: Sequence[Way], curves: Sequence[Curve]) -> float:
    """Room to wait inside before the way of those who come towards one: for signalled turns across them. [m]"""
    if ways[i].controller_id is None or curves[i].direction not in "lt" or not foes:
        return 0.0
    room = float(min(first_m[b] for b in foes)) - VEHICLE_M
    if not math.isfinite(room):  # it merges only
        room = curves[i].length_m - 2 * VEHICLE_M
    return room if room >= LEAST_WAIT_M else 0.0
