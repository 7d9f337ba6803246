"""Plane geometry: degrees to metres, polylines, lanes beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

Point = tuple[float, float]
Shape = tuple[Point, ...]

SEMI_MAJOR_M, ECCENTRICITY_SQ = 6_378_137.0, 6.694379990141e-3
"""WGS 84."""
HEADING_OVER_M = 12.0
"""A link's heading at its end is taken over so many metres: last segments are often stubs. [m]"""


def local_plane(lon0: float, lat0: float) -> Callable[[float, float], Point]:
    """Degrees to metres east and north of a point, on the plane that touches the WGS 84 ellipsoid there.

    Within 20 km distances are right to better than 0.5 %, ever better towards the point.
    """
    phi = math.radians(lat0)
    w = 1 - ECCENTRICITY_SQ * math.sin(phi) ** 2
    north_m = SEMI_MAJOR_M * (1 - ECCENTRICITY_SQ) / w**1.5
    east_m = SEMI_MAJOR_M / math.sqrt(w) * math.cos(phi)

    def project(lon: float, lat: float) -> Point:
        return math.radians(lon - lon0) * east_m, math.radians(lat - lat0) * north_m

    return project


def length_m(shape: Sequence[Point]) -> float:
    """Length of a polyline. [m]"""
    return sum(math.dist(a, b) for a, b in pairwise(shape))


def heading_out(shape: Sequence[Point]) -> float:
    """Direction in which a polyline sets out, counter-clockwise from east. [rad]"""
    return _towards(shape[0], _along(shape, HEADING_OVER_M))


def heading_in(shape: Sequence[Point]) -> float:
    """Direction in which a polyline arrives. [rad]"""
    back = tuple(reversed(shape))
    return _towards(_along(back, HEADING_OVER_M), back[0])


def _along(shape: Sequence[Point], distance_m: float) -> Point:
    left = distance_m
    for a, b in pairwise(shape):
        step = math.dist(a, b)
        if step >= left > 0:
            return a[0] + (b[0] - a[0]) * left / step, a[1] + (b[1] - a[1]) * left / step
        left -= step
    return shape[-1]


def _towards(a: Point, b: Point) -> float:
    return math.atan2(b[1] - a[1], b[0] - a[0])


def turned(from_rad: float, to_rad: float) -> float:
    """By how much one turns left (positive) or right from one heading to another, within ±pi. [rad]"""
    return math.remainder(to_rad - from_rad, 2 * math.pi)


def beside(point: Point, heading_rad: float, *, right_m: float = 0.0, ahead_m: float = 0.0) -> Point:
    """A point moved along and to the right of a heading."""
    east, north = math.cos(heading_rad), math.sin(heading_rad)
    return point[0] + ahead_m * east + right_m * north, point[1] + ahead_m * north - right_m * east


def curve(a: Point, a_rad: float, b: Point, b_rad: float, n: int = 8) -> Shape:
    """A smooth way between two points with their headings: a cubic, close to a circular arc where one fits."""
    angle = abs(turned(a_rad, b_rad))
    chord = math.dist(a, b)
    # control points of a circular arc over that angle; a third of the chord where there is none
    reach = chord / 3 if angle < 0.02 else chord * (4 / 3) * math.tan(angle / 4) / (2 * math.sin(angle / 2))
    c, d = beside(a, a_rad, ahead_m=reach), beside(b, b_rad, ahead_m=-reach)
    out = []
    for k in range(n + 1):
        t = k / n
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        points = (a, c, d, b)
        out.append(
            (
                sum(w * p[0] for w, p in zip(weights, points, strict=True)),
                sum(w * p[1] for w, p in zip(weights, points, strict=True)),
            )
        )
    return tuple(out)
