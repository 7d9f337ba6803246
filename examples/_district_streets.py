"""The streets of the example district: nodes, streets, approaches with turn bays, crossings. All of it is invented.

Main Street runs west-east over six signals; West Street, Station Street (one way, northbound) and East Avenue cross it
and two parallel streets. Market Street and Linden Lane are unsignalled side streets with a car park and a shop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One block of a street from node `a` to node `b` (and back, unless `lanes_back` is 0)."""

    name: str
    a: str
    b: str
    lanes: int
    lanes_back: int
    speed_kph: float
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """Lanes at a stop line from right to left, each a set of the turns r, s, l; bays are lanes added near the line."""

    node: str
    leg: str  # the compass side it comes from: W, E, N, S
    lanes: tuple[str, ...]
    left_bay: str = ""
    right_bay: str = ""
    bay_m: float = 0.0

    @property
    def all_lanes(self) -> tuple[str, ...]:
        """Lanes at the stop line, bays included, from right to left."""
        return tuple(x for x in (self.right_bay, *self.lanes, self.left_bay) if x)


SIGNALS = ("M1", "M2", "M3", "M4", "M5", "M6", "N2", "N4", "N5", "S2", "S4", "S5")

POSITIONS: dict[str, tuple[float, float]] = {
    "M1": (0, 0), "M2": (390, 10), "M3": (660, 15), "M4": (930, 0), "M5": (1290, -10), "M6": (1650, 5),
    "N2": (385, 290), "N4": (925, 275), "N5": (1300, 300), "S2": (400, -270), "S4": (935, -300), "S5": (1280, -290),
    "NM": (665, 285), "MK": (662, 140), "LM": (1105, -5), "LS": (1110, -295), "LP": (1107, -140),
    "W": (-560, -15), "E": (2200, 10), "MillS": (10, -420), "WestN": (380, 650), "WestS": (405, -640),
    "StatN": (920, 640), "StatS": (940, -680), "EastN": (1305, 720), "EastS": (1270, -740), "NorthW": (20, 300),
    "NorthE": (1720, 310), "SouthW": (80, -285), "SouthE": (1700, -280), "ParkN": (1660, 250), "ParkS": (1640, -420),
    "CarPark": (760, 150), "Shop": (1190, -135),
}  # fmt: skip


def _main(a: str, b: str, speed_kph: float = 50) -> Street:
    return Street(name="Main Street", a=a, b=b, lanes=2, lanes_back=2, speed_kph=speed_kph, priority=10)


def _side(
    name: str, a: str, b: str, *, lanes: int = 1, back: int = 1, speed_kph: float = 40, priority: int = 5
) -> Street:
    return Street(name=name, a=a, b=b, lanes=lanes, lanes_back=back, speed_kph=speed_kph, priority=priority)


STREETS = (
    _main("W", "M1", 60), _main("M1", "M2"), _main("M2", "M3"), _main("M3", "M4"), _main("M4", "LM"), _main("LM", "M5"),
    _main("M5", "M6"), _main("M6", "E", 60),
    _side("Mill Road", "MillS", "M1"),
    _side("West Street", "WestS", "S2"), _side("West Street", "S2", "M2"), _side("West Street", "M2", "N2"),
    _side("West Street", "N2", "WestN"),
    _side("Station Street", "StatS", "S4", lanes=2, back=0), _side("Station Street", "S4", "M4", lanes=2, back=0),
    _side("Station Street", "M4", "N4", lanes=2, back=0), _side("Station Street", "N4", "StatN", lanes=2, back=0),
    _side("East Avenue", "EastS", "S5", lanes=2, back=2, speed_kph=50, priority=7),
    _side("East Avenue", "S5", "M5", lanes=2, back=2, speed_kph=50, priority=7),
    _side("East Avenue", "M5", "N5", lanes=2, back=2, speed_kph=50, priority=7),
    _side("East Avenue", "N5", "EastN", lanes=2, back=2, speed_kph=50, priority=7),
    _side("North Street", "NorthW", "N2"), _side("North Street", "N2", "NM"), _side("North Street", "NM", "N4"),
    _side("North Street", "N4", "N5"), _side("North Street", "N5", "NorthE"),
    _side("South Street", "SouthW", "S2"), _side("South Street", "S2", "S4"), _side("South Street", "S4", "LS"),
    _side("South Street", "LS", "S5"), _side("South Street", "S5", "SouthE"),
    _side("Park Road", "M6", "ParkN", speed_kph=30, priority=3), _side("Park Road", "ParkS", "M6"),
    _side("Market Street", "M3", "MK", speed_kph=30, priority=3),
    _side("Market Street", "MK", "NM", speed_kph=30, priority=3),
    _side("Car park", "CarPark", "MK", speed_kph=20, priority=1),
    _side("Linden Lane", "LM", "LP", speed_kph=30, priority=3),
    _side("Linden Lane", "LP", "LS", speed_kph=30, priority=3),
    _side("Shop", "Shop", "LP", speed_kph=20, priority=1),
)  # fmt: skip


def _at(node: str, leg: str, *lanes: str, left: str = "", right: str = "", bay_m: float = 0.0) -> Approach:
    return Approach(node=node, leg=leg, lanes=lanes, left_bay=left, right_bay=right, bay_m=bay_m)


APPROACHES = (
    _at("M1", "W", "sr", "s"), _at("M1", "E", "s", "s", left="l", bay_m=60), _at("M1", "S", "r", left="l", bay_m=45),
    _at("M2", "W", "sr", "s", left="l", bay_m=70), _at("M2", "E", "sr", "s", left="l", bay_m=60),
    _at("M2", "N", "sr", left="l", bay_m=45), _at("M2", "S", "sr", left="l", bay_m=50),
    _at("M3", "W", "s", "s", left="l", bay_m=55), _at("M3", "E", "sr", "s"), _at("M3", "N", "r", left="l", bay_m=30),
    _at("M4", "W", "s", "s", left="l", bay_m=50), _at("M4", "E", "sr", "s"), _at("M4", "S", "sr", "sl"),
    _at("M5", "W", "s", "s", left="l", right="r", bay_m=75), _at("M5", "E", "sr", "s", left="l", bay_m=80),
    _at("M5", "N", "sr", "s", left="l", bay_m=60), _at("M5", "S", "sr", "s", left="l", bay_m=65),
    _at("M6", "W", "sr", "s", left="l", bay_m=60), _at("M6", "E", "sr", "s", left="l", bay_m=60),
    _at("M6", "N", "srl"), _at("M6", "S", "sr", left="l", bay_m=40),
    _at("N2", "W", "srl"), _at("N2", "E", "sr", left="l", bay_m=40), _at("N2", "S", "sr", left="l", bay_m=40),
    _at("N2", "N", "srl"),
    _at("N4", "W", "sl"), _at("N4", "E", "sr"), _at("N4", "S", "sr", "sl"),
    _at("N5", "W", "sr", left="l", bay_m=50), _at("N5", "E", "srl"), _at("N5", "S", "sr", "s", left="l", bay_m=55),
    _at("N5", "N", "sr", "s", left="l", bay_m=55),
    _at("S2", "W", "srl"), _at("S2", "E", "sr", left="l", bay_m=40), _at("S2", "S", "srl"),
    _at("S2", "N", "sr", left="l", bay_m=40),
    _at("S4", "W", "sl"), _at("S4", "E", "sr"), _at("S4", "S", "sr", "sl"),
    _at("S5", "W", "sr", left="l", bay_m=50), _at("S5", "E", "srl"), _at("S5", "S", "sr", "s", left="l", bay_m=55),
    _at("S5", "N", "sr", "s", left="l", bay_m=55),
    _at("NM", "W", "sr"), _at("NM", "E", "sl"), _at("NM", "S", "rl"),
    _at("MK", "N", "sl"), _at("MK", "S", "sr"), _at("MK", "E", "rl"),
    _at("LM", "W", "sr", "s"), _at("LM", "E", "s", "s"), _at("LM", "S", "r"),
    _at("LP", "N", "sl"), _at("LP", "S", "sr"), _at("LP", "E", "rl"),
    _at("LS", "W", "sl"), _at("LS", "E", "sr"), _at("LS", "N", "rl"),
)  # fmt: skip

CROSSINGS: dict[str, str] = {
    "M1": "WS", "M2": "WENS", "M3": "EN", "M4": "WENS", "M5": "WENS", "M6": "WNS",
    "N2": "WENS", "N4": "WENS", "N5": "WES", "S2": "WENS", "S4": "ENS", "S5": "WENS",
}  # fmt: skip
"""Legs with a signalled pedestrian crossing."""


def positions(seed: int) -> dict[str, tuple[float, float]]:
    """Node positions [m]: the drawn ones, each moved by a few metres so that no two blocks are alike."""
    rng = np.random.default_rng([seed, 1])
    return {
        node: (round(x + float(rng.uniform(-12, 12)), 1), round(y + float(rng.uniform(-6, 6)), 1))
        for node, (x, y) in POSITIONS.items()
    }
