"""Geometry of the ways across a junction: how far they run together before they part."""

from __future__ import annotations

import math
from itertools import pairwise

Point = tuple[float, float]

APART_M = 2.5
"""Two ways are apart where their centre lines are this far from each other: about a vehicle and its margins. [m]"""
STEP_M = 0.5
NEVER_M = 999.0


def _to_segment_m(p: Point, a: Point, b: Point) -> float:
    ax, ay = b[0] - a[0], b[1] - a[1]
    length2 = ax * ax + ay * ay
    s = 0.0 if length2 == 0 else max(0.0, min(1.0, ((p[0] - a[0]) * ax + (p[1] - a[1]) * ay) / length2))
    return math.hypot(p[0] - a[0] - s * ax, p[1] - a[1] - s * ay)


def _to_way_m(p: Point, way: list[Point]) -> float:
    return min((_to_segment_m(p, a, b) for a, b in pairwise(way)), default=math.inf)


def detach_m(way: list[Point], others: list[list[Point]]) -> float:
    """Distance along a way from which on it is `APART_M` away from all others. [m]"""
    if not others:
        return 0.0
    walked = 0.0
    for a, b in pairwise(way):
        length = math.dist(a, b)
        for n in range(int(length / STEP_M) + 1):
            s = n * STEP_M / length if length else 0.0
            p = (a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1]))
            if all(_to_way_m(p, other) >= APART_M for other in others):
                return walked + n * STEP_M
        walked += length
    return NEVER_M
