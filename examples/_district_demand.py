"""Who drives through the example district: origins and destinations, the day's shape, routes, single vehicles."""

from __future__ import annotations

import datetime as dt
import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.network import RoadNetwork

ENDS: dict[str, tuple[float, float]] = {
    # where one enters and leaves: weight as a home side, weight as a work side
    "W": (42, 18), "E": (22, 32), "MillS": (7, 5), "WestN": (5.5, 3.5), "WestS": (6.5, 3.5), "StatN": (0, 9.5),
    "StatS": (9, 0), "EastN": (9, 8), "EastS": (10, 8), "NorthW": (4.5, 3.5), "NorthE": (4, 5), "SouthW": (5, 3.5),
    "SouthE": (5.5, 4.5), "ParkN": (2, 0.8), "ParkS": (3.5, 2.5), "CarPark": (0.8, 5), "Shop": (0.8, 3),
}  # fmt: skip
NEAR = {frozenset(p) for p in (("WestN", "NorthW"), ("WestS", "SouthW"), ("ParkN", "ParkS"), ("ParkN", "E"))}
"""Ends so close to each other that few drive from one to the other through the district."""
THROUGH = {frozenset(("W", "E")): 2.5, frozenset(("W", "StatN")): 1.3}
"""Ends between which Main Street is the long-distance road: so many times the traffic."""
DAY_VEH = 58_000.0
"""Vehicles on an average weekday. [veh]"""
HOURS_WEEKDAY = (
    0.45, 0.25, 0.2, 0.2, 0.45, 1.3, 3.8, 7.7, 7.4, 5.5, 5.0, 5.1, 5.4,
    5.5, 5.7, 6.2, 6.7, 6.8, 6.0, 5.0, 3.7, 2.9, 2.1, 1.15,
)  # fmt: skip
HOURS_SATURDAY = (
    0.9, 0.6, 0.45, 0.35, 0.4, 0.6, 1.2, 2.1, 3.4, 4.9, 6.1, 6.7,
    6.8, 6.4, 6.0, 5.7, 5.4, 5.0, 4.4, 3.6, 2.9, 2.5, 2.1, 1.6,
)  # fmt: skip
HOURS_SUNDAY = (
    1.2, 0.9, 0.6, 0.45, 0.4, 0.45, 0.7, 1.1, 1.9, 3.1, 4.4, 5.2,
    5.5, 5.5, 5.6, 5.6, 5.5, 5.2, 4.6, 3.8, 3.0, 2.3, 1.6, 1.0,
)  # fmt: skip
"""Traffic by hour of day, in per cent of an average weekday."""
SIGNAL_S, LEFT_S, TURN_S = 12.0, 8.0, 3.0
"""What drivers count for a signal, a left and a right turn when they choose their way. [s]"""
TRUCK_SHARE = 0.04
DISTANCE_DECAY = 0.8
"""Exponent by which the weight of a pair falls with the length of the way. [-]"""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle: when it enters, its edges, whether it is a truck."""

    depart_s: float
    route: tuple[str, ...]
    truck: bool


def _step_s(network: RoadNetwork, i: int) -> float:
    """Time that connection `i` and the link behind it cost a driver."""
    connection = network.connections[i]
    link = network.links[connection.to_link]
    turn_s = {"l": LEFT_S, "r": TURN_S}.get(connection.direction.lower(), 0.0)
    return link.length_m / link.speed_mps + turn_s + (SIGNAL_S if connection.controller_id else 0.0)


def shortest_routes(network: RoadNetwork) -> dict[tuple[str, str], tuple[str, ...]]:
    """The quickest way between every two ends, turns and signals counted."""
    entry = {link.from_node: link.id for link in network.links.values() if link.from_node in ENDS}
    onward: dict[str, dict[str, float]] = {link: {} for link in network.links}
    for i, connection in enumerate(network.connections):
        onward[connection.from_link][connection.to_link] = _step_s(network, i)
    out = {}
    for start, first in sorted(entry.items()):
        back: dict[str, str] = {}
        best = {first: 0.0}
        queue = [(0.0, first)]
        while queue:
            cost, link = heapq.heappop(queue)
            if cost > best[link]:
                continue
            for following, step in sorted(onward[link].items()):
                if cost + step < best.get(following, np.inf):
                    best[following], back[following] = cost + step, link
                    heapq.heappush(queue, (cost + step, following))
        for link in sorted(best):
            end = network.links[link].to_node
            if end in ENDS and end != start:
                route = [link]
                while route[-1] != first:
                    route.append(back[route[-1]])
                out[start, end] = tuple(reversed(route))
    return out


def day_shape(day: dt.date) -> NDArray[np.float64]:
    """Share of an average weekday's traffic in each 5 minutes of a day (288 values). [-]"""
    hours = {5: HOURS_SATURDAY, 6: HOURS_SUNDAY}.get(day.weekday(), HOURS_WEEKDAY)
    centres = np.arange(-0.5, 25)
    padded = np.array([hours[-1], *hours, hours[0]])
    shape = np.interp((np.arange(288) + 0.5) / 12, centres, padded)
    return np.asarray(shape / shape.sum() * sum(hours) / 100)


def tide(day: dt.date) -> NDArray[np.float64]:
    """How far traffic runs from home to work: 1 in the morning, 0 at night's return, per 5 minutes. [-]"""
    if day.weekday() >= 5:
        return np.full(288, 0.5)
    points_h = [0, 5, 7, 8.5, 10, 14, 15.5, 17, 18.5, 21, 24]
    shares = [0.4, 0.75, 0.85, 0.8, 0.6, 0.5, 0.35, 0.2, 0.25, 0.35, 0.4]
    return np.interp((np.arange(288) + 0.5) / 12, points_h, shares)


def _pair_weights(
    network: RoadNetwork, routes: dict[tuple[str, str], tuple[str, ...]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of every pair of ends in the direction to work and in that back home, each adding up to 1."""
    length_m = np.array([sum(network.links[x].length_m for x in route) for route in routes.values()])
    special = np.array([THROUGH.get(frozenset(pair), 0.1 if frozenset(pair) in NEAR else 1.0) for pair in routes])
    special = special * length_m**-DISTANCE_DECAY
    out = np.array([ENDS[a][0] * ENDS[b][1] for a, b in routes]) * special
    # StatS and StatN are the two ends of a one-way street: traffic comes in at one, leaves at the other, all day
    home = np.array(
        [max(ENDS[a][1], ENDS[a][0] * (a == "StatS")) * max(ENDS[b][0], ENDS[b][1] * (b == "StatN")) for a, b in routes]
    )
    home = home * special
    return out / out.sum(), home / home.sum()


def vehicles_of_day(network: RoadNetwork, day: dt.date, seed: int) -> list[Vehicle]:
    """Draw one day's vehicles. The same seed, day and network give the same vehicles.

    A day is busier or quieter as a whole (4 %), each end has its own good and bad days (7 %), and each 5-minute
    number is Poisson.
    """
    rng = np.random.default_rng([seed, 2, day.toordinal()])
    routes = shortest_routes(network)
    to_work, back_home = _pair_weights(network, routes)
    days_own = float(np.exp(rng.normal(0, 0.04)))
    ends_own = {end: float(np.exp(rng.normal(0, 0.07))) for end in sorted(ENDS)}
    own = np.array([ends_own[a] * ends_own[b] for a, b in routes])
    shape, share = day_shape(day) * DAY_VEH * days_own, tide(day)
    mean = shape[:, None] * (share[:, None] * to_work + (1 - share)[:, None] * back_home) * own
    out = []
    ways = list(routes.values())
    for i_step, numbers in enumerate(rng.poisson(mean)):
        for i_pair in np.flatnonzero(numbers):
            departs = rng.uniform(300 * i_step, 300 * (i_step + 1), numbers[i_pair])
            trucks = rng.random(numbers[i_pair]) < TRUCK_SHARE
            out += [Vehicle(round(float(t), 1), ways[i_pair], bool(b)) for t, b in zip(departs, trucks, strict=True)]
    return sorted(out, key=lambda v: (v.depart_s, v.route, v.truck))


def routes_xml(vehicles: list[Vehicle]) -> str:
    """Vehicles as a SUMO route file."""
    lines = [
        "<routes>",
        '    <vType id="car" length="4.6" minGap="2.5" sigma="0.5" speedFactor="normc(1,0.1,0.7,1.3)"/>',
        '    <vType id="truck" vClass="truck" length="9.0" minGap="2.5" accel="1.3" sigma="0.5" '
        'speedFactor="normc(0.95,0.08,0.7,1.2)"/>',
    ]
    for n, v in enumerate(vehicles):
        kind = "truck" if v.truck else "car"
        lines.append(
            f'    <vehicle id="{n}" type="{kind}" depart="{v.depart_s:.1f}" departLane="best" departSpeed="max">'
            f'<route edges="{" ".join(v.route)}"/></vehicle>'
        )
    return "\n".join([*lines, "</routes>", ""])
