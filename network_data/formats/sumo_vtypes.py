"""SUMO vehicle types and distributions: the room a vehicle takes in a queue, and whether it may use bus lanes."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from network_data.trips import BUS, CAR

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

T = TypeVar("T")

LENGTH_M = {
    "bus": 12.0, "coach": 14.0, "truck": 7.1, "trailer": 16.5, "delivery": 6.5, "emergency": 6.5, "moped": 2.1,
    "motorcycle": 2.2, "authority": 5.0, "army": 5.0,
}  # fmt: skip
"""Length of a vehicle whose type states none, by class, as SUMO assumes; all others: 5 m. [m]"""
MIN_GAP_M = 2.5
"""Standing gap where the type states none, as SUMO assumes. [m]"""
BUS_LANE_CLASSES = {"bus", "taxi", "coach", "ignoring", "emergency", "authority", "army", "vip", "public_emergency"}
LEFT_OUT_CLASSES = {
    "pedestrian", "bicycle", "scooter", "wheelchair", "tram", "rail", "rail_urban", "rail_electric", "rail_fast",
    "subway", "cable_car", "ship", "aircraft", "container", "drone",
}  # fmt: skip
"""Classes that do not queue in the lanes we simulate; their vehicles are left out."""


@dataclass(frozen=True, slots=True)
class VehicleType:
    """What the simulation needs to know of a vehicle type; `length_m` includes the standing gap."""

    kind: int
    length_m: float
    vclass: str = "passenger"

    @property
    def simulated(self) -> bool:
        """Whether vehicles of this class drive in the lanes we simulate."""
        return self.vclass not in LEFT_OUT_CLASSES


class Choice(Generic[T]):
    """One of several things, drawn with weights; a single one is returned without a draw."""

    def __init__(self, things: Sequence[T], weights: Sequence[float]) -> None:
        self.things = tuple(things)
        self._edges = [edge / sum(weights) for edge in accumulate(weights)]

    def draw(self, rng: np.random.Generator) -> T:
        """Draw one."""
        if len(self.things) == 1:
            return self.things[0]
        return self.things[min(bisect(self._edges, rng.random()), len(self.things) - 1)]


DEFAULT_TYPES = {
    "DEFAULT_VEHTYPE": VehicleType(CAR, 5.0 + MIN_GAP_M),
    "DEFAULT_TAXITYPE": VehicleType(BUS, 5.0 + MIN_GAP_M, "taxi"),
    "DEFAULT_BIKETYPE": VehicleType(CAR, 1.6 + 0.5, "bicycle"),
    "DEFAULT_PEDTYPE": VehicleType(CAR, 0.5, "pedestrian"),
    "DEFAULT_RAILTYPE": VehicleType(CAR, 67.5 + MIN_GAP_M, "rail"),
}


def number(element: Element, name: str, default: float) -> float:
    """An attribute that has to be a number; NaN is none."""
    text = element.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"{name} is {text!r}; give a number")
    return value


def vehicle_type(element: Element) -> VehicleType:
    """One `<vType>`.

    Raises
    ------
    ValueError
        Length or gap is no number above 0.
    """
    vclass = element.get("vClass", "passenger")
    length_m = number(element, "length", LENGTH_M.get(vclass, 5.0))
    gap_m = number(element, "minGap", MIN_GAP_M)
    if not (0 < length_m < 200 and 0 <= gap_m < 100):
        raise ValueError(f"length {length_m} m and minGap {gap_m} m; give metres above 0 that a vehicle can have")
    return VehicleType(BUS if vclass in BUS_LANE_CLASSES else CAR, length_m + gap_m, vclass)


def weight_of(element: Element) -> float:
    """The probability of a member of a distribution; 1 where none is stated."""
    weight = number(element, "probability", 1.0)
    if not 0 <= weight < float("inf"):
        raise ValueError(f"probability is {weight}; needs a number of at least 0")
    return weight


def listed_weights(element: Element, n: int) -> list[float]:
    """The attribute `probabilities` of a distribution that lists its `n` members by id."""
    texts = element.get("probabilities", "").split()
    try:
        weights = [float(x) for x in texts] or [1.0] * n
    except ValueError:
        weights = []
    if len(weights) != n or not all(0 <= weight < math.inf for weight in weights):
        raise ValueError(f"{n} members but the probabilities {texts}; give one number of at least 0 for each")
    return weights
