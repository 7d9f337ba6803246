"""Units and coordinates of a GMNS package: what config.csv says, and what stands in where it is silent."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from network_data.assembly import Point, local_plane
from network_data.assembly.plane import length_m
from network_data.errors import NetworkError
from network_data.formats.gmns.check import Package
from network_data.limits import number

LENGTHS_M = {
    "foot": 0.3048, "feet": 0.3048, "ft": 0.3048, "meter": 1.0, "metre": 1.0, "meters": 1.0, "metres": 1.0, "m": 1.0,
    "mile": 1609.344, "miles": 1609.344, "mi": 1609.344, "kilometer": 1000.0, "kilometre": 1000.0, "km": 1000.0,
    "kilometers": 1000.0, "kilometres": 1000.0,
}  # fmt: skip
SPEEDS_MPS = {
    "mph": 0.44704, "miles per hour": 0.44704, "kph": 1 / 3.6, "km/h": 1 / 3.6, "kmh": 1 / 3.6,
    "kilometers per hour": 1 / 3.6, "m/s": 1.0, "mps": 1.0, "meters per second": 1.0,
}  # fmt: skip
GUESSES = (("m", 1.0), ("km", 1000.0), ("mile", 1609.344), ("foot", 0.3048))
FAR = 1e8
FITS = 0.2
"""Link lengths and their geometry may differ by this share before a unit counts as wrong. [-]"""


@dataclass(frozen=True, kw_only=True)
class Units:
    """Factors to metres and metres per second, and the plane of the coordinates."""

    short_m: float
    long_m: float
    speed_mps: float
    project: Callable[[float, float], Point]
    notes: tuple[str, ...]


def units_of(package: Package) -> Units:
    """The units of a package.

    Raises
    ------
    NetworkError
        Units in config.csv that are not known.
    """
    config = next((values for _, values in package.rows("config")), {})
    notes: list[str] = []
    faults: list[str] = []
    project = _plane(package, notes)

    def factor(name: str, known: dict[str, float], default: float) -> float:
        text = config.get(name, "").strip().lower()
        if text and text not in known:
            faults.append(f"config.csv: {name} is {text[:40]!r}; known are {', '.join(known)}")
        return known.get(text, default)

    short_m = factor("short_length", LENGTHS_M, 1.0)
    long_m = factor("long_length", LENGTHS_M, 0.0)
    speed_mps = factor("speed", SPEEDS_MPS, 0.0)
    if faults:
        raise NetworkError(str(package.folder), faults)
    ratio = _median_ratio(package, project)
    fit, fit_m = min(GUESSES, key=lambda guess: abs(math.log(guess[1] / (ratio or 1.0))))
    if not long_m:
        long_m = fit_m
        notes.append(f"config.csv does not state the unit of link lengths; {fit} fits their geometry best")
    elif ratio and abs(ratio / long_m - 1) > FITS:
        notes.append(
            f"link lengths fit their geometry in {fit}, not in the unit of config.csv: read so; mend config.csv"
        )
        long_m = fit_m
    if not speed_mps:
        speed_mps = SPEEDS_MPS["mph"]
        notes.append("config.csv does not state the unit of free_speed; read in mph, add config.csv to say otherwise")
    return Units(short_m=short_m, long_m=long_m, speed_mps=speed_mps, project=project, notes=tuple(notes))


def _plane(package: Package, notes: list[str]) -> Callable[[float, float], Point]:
    points = [(number(v["x_coord"]), number(v["y_coord"])) for _, v in package.rows("node")]
    if all(abs(x) <= 180 and abs(y) <= 90 for x, y in points):
        lon0, lat0 = (sum(axis) / len(points) for axis in zip(*points, strict=True))
        notes.append(f"coordinates are metres east and north of longitude {lon0:.6f}, latitude {lat0:.6f}")
        return local_plane(lon0, lat0)
    return lambda x, y: (x, y)


def wkt_line(text: str) -> list[Point]:
    """Points of a WKT LINESTRING, empty where it is none."""
    head, _, body = text.partition("(")
    if head.strip().upper() != "LINESTRING":
        return []
    out = []
    for pair in body.strip().rstrip(")").split(","):
        parts = pair.split()
        if len(parts) < 2:
            return []
        try:
            out.append((number(parts[0], low=-FAR, high=FAR), number(parts[1], low=-FAR, high=FAR)))
        except ValueError:
            return []
    return out


def _median_ratio(package: Package, project: Callable[[float, float], Point]) -> float:
    """Metres of geometry per unit of link length, the median over the links; 0 where nothing tells. [m]"""
    ratios = []
    for _, values in package.rows("link"):
        shape = [project(x, y) for x, y in wkt_line(values.get("geometry", ""))]
        try:
            stated = number(values.get("length", ""))
        except ValueError:
            continue
        if len(shape) > 1 and stated > 0:
            ratios.append(length_m(shape) / stated)
    return statistics.median(ratios) if ratios else 0.0
