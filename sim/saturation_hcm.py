"""Saturation flow by the factors of the Highway Capacity Manual: s = s₀ · product of factors.

References
----------
.. [1] Transportation Research Board, "Highway Capacity Manual", 7th edition, equations 19-7 to 19-14, 31-74 to 31-91,
   31-100, exhibits 19-11, 19-15, 19-20; read in the equation catalogue of the open-source library
   crosstraffic/transportations-library, which checks itself against the manual's example problem 1.
.. [2] N. Rouphail et al., "Capacity Analysis of Pedestrian and Bicycle Facilities", FHWA-RD-98-106, 1998, section 4.2:
   the origin of the pedestrian and bicycle factors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from network_data.change_intervals import FOOT_M
from network_data.errors import NetworkError
from sim.checks import FLOAT, NOT_NEGATIVE, POSITIVE, SHARE, Rule, check

BASE_VPH = 1900.0
"""Base saturation flow of a lane where 250,000 people or more live around. [pc/h]"""
SMALL_TOWN_VPH = 1750.0
"""Elsewhere. [pc/h]"""
LEFT_EQUIVALENT = 1.05
RIGHT_EQUIVALENT = 1.18
"""Through cars that a protected turning vehicle counts for."""
CENTRE_FACTOR = 0.90
LEAST = 0.05
MOST_PARKING_PER_H = 180.0
MOST_BUSES_PER_H = 250.0
CRITICAL_HEADWAY_S = 4.5
FOLLOW_UP_HEADWAY_S = 2.5
SNEAKERS = 2.0
"""Permitted lefts that leave in a cycle's yellow. [veh]"""
LANE_USE = {"through": (1.0, 0.952, 0.908), "left": (1.0, 0.971), "right": (1.0, 0.885)}
"""Lane utilization of groups of 1, 2, 3 and more lanes (exhibit 19-15)."""
HEAVY = Rule(lambda x: (x >= 0) & (x <= 0.5), "between 0 and 0.5")
GRADE = Rule(lambda x: (x >= -0.04) & (x <= 0.10), "between -0.04 and 0.10 (uphill positive)")


def width_factor(width_m: ArrayLike) -> FLOAT:
    """Lane width: 0.96 below 10 ft, 1.04 above 12.9 ft, 1 between (exhibit 19-20). [-]"""
    check(NetworkError, "lane width", ("width_m", width_m, POSITIVE))
    feet = np.round(np.asarray(width_m, np.float64) / FOOT_M, 6)
    return np.select([feet < 10.0, feet > 12.9], [0.96, 1.04], 1.0)


def heavy_grade_factor(heavy_share: ArrayLike, grade: ArrayLike = 0.0) -> FLOAT:
    """Heavy vehicles and grade together (equations 19-9, 19-10).

    Parameters
    ----------
    heavy_share : array_like
        Heavy vehicles among all, up to 0.5. [-]
    grade : array_like
        Grade from -0.04 to 0.10, uphill positive. [-]
    """
    check(NetworkError, "saturation flow", ("heavy_share", heavy_share, HEAVY), ("grade", grade, GRADE))
    heavy, slope = 100 * np.asarray(heavy_share, np.float64), 100 * np.asarray(grade, np.float64)
    return np.where(slope < 0, 100 - 0.79 * heavy - 2.07 * slope, 100 - 0.78 * heavy - 0.31 * slope**2) / 100


def parking_factor(lanes: ArrayLike, manoeuvres_per_h: ArrayLike | None) -> FLOAT:
    """Parking beside the group, by manoeuvres an hour within 250 ft; None: no parking (equation 19-11). [-]"""
    n = np.asarray(lanes, np.float64)
    if manoeuvres_per_h is None:
        return np.ones_like(n)
    check(NetworkError, "parking", ("lanes", n, POSITIVE), ("manoeuvres_per_h", manoeuvres_per_h, NOT_NEGATIVE))
    moves = np.minimum(MOST_PARKING_PER_H, np.asarray(manoeuvres_per_h, np.float64))
    return np.asarray(np.maximum(LEAST, (n - 0.1 - 18 * moves / 3600) / n))


def bus_factor(lanes: ArrayLike, buses_per_h: ArrayLike) -> FLOAT:
    """Buses that stop within 250 ft of the stop line (equation 19-12). [-]"""
    n = np.asarray(lanes, np.float64)
    check(NetworkError, "bus stops", ("lanes", n, POSITIVE), ("buses_per_h", buses_per_h, NOT_NEGATIVE))
    buses = np.minimum(MOST_BUSES_PER_H, np.asarray(buses_per_h, np.float64))
    return np.asarray(np.maximum(LEAST, (n - 14.4 * buses / 3600) / n))


def lane_use_factor(movement: str, lanes: int) -> float:
    """Uneven use of the lanes of a `through`, `left` or `right` group, where no counts tell (exhibit 19-15). [-]"""
    if movement not in LANE_USE or lanes < 1:
        raise NetworkError("lane use", f"movement is {movement!r} of {lanes} lanes; known are {', '.join(LANE_USE)}")
    row = LANE_USE[movement]
    return row[min(lanes, len(row)) - 1]


def lane_use_from_counts(flow_vph: ArrayLike) -> float:
    """Lane utilization from the counted flows of the group's lanes (equation 19-7). [-]"""
    flow = np.atleast_1d(np.asarray(flow_vph, np.float64))
    check(NetworkError, "lane use", ("flow_vph", flow, NOT_NEGATIVE), ("their sum", flow.sum(), POSITIVE))
    return float(flow.sum() / (len(flow) * flow.max()))


def turn_factor(equivalent: ArrayLike, share: ArrayLike = 1.0) -> FLOAT:
    """Factor of a lane in which a share of the vehicles turns, 1 / (1 + P (E − 1)); 1 / E where all do. [-]"""
    check(NetworkError, "turns", ("equivalent", equivalent, POSITIVE), ("share", share, SHARE))
    return np.asarray(1 / (1 + np.asarray(share, np.float64) * (np.asarray(equivalent, np.float64) - 1)))


def permitted_vph(
    opposing_vph: ArrayLike, critical_s: float = CRITICAL_HEADWAY_S, follow_up_s: float = FOLLOW_UP_HEADWAY_S
) -> FLOAT:
    """Saturation flow of a permitted turn through gaps in opposing traffic (equation 31-100). [veh/h]

    Parameters
    ----------
    opposing_vph : array_like
        Opposing flow. [veh/h]
    critical_s, follow_up_s : float
        Critical and follow-up headway. [s]
    """
    check(
        NetworkError,
        "permitted turn",
        ("opposing_vph", opposing_vph, NOT_NEGATIVE),
        ("critical_s", critical_s, POSITIVE),
        ("follow_up_s", follow_up_s, POSITIVE),
    )
    v = np.maximum(0.1, np.asarray(opposing_vph, np.float64))  # the manual's stand-in for no opposing flow
    return np.asarray(v * np.exp(-v * critical_s / 3600) / -np.expm1(-v * follow_up_s / 3600))


def occupancy(walkers_per_h: ArrayLike, cycle_s: ArrayLike, walk_s: ArrayLike) -> FLOAT:
    """Share of the walk time in which somebody is in the conflict zone (equations 31-74 to 31-76). [-]"""
    check(
        NetworkError,
        "crossing",
        ("walkers_per_h", walkers_per_h, NOT_NEGATIVE),
        ("cycle_s", cycle_s, POSITIVE),
        ("walk_s", walk_s, POSITIVE),
    )
    per_green = np.asarray(walkers_per_h, np.float64) * np.asarray(cycle_s, np.float64) / np.asarray(walk_s, np.float64)
    v = np.minimum(5000.0, per_green)
    return np.where(v <= 1000, v / 2000, np.minimum(0.9, 0.4 + v / 10_000))


def right_walk_factor(
    *,
    walkers_per_h: ArrayLike,
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    walk_s: ArrayLike,
    cyclists_per_h: ArrayLike = 0.0,
    free_exit: bool = False,
) -> FLOAT:
    """Right turns across a crossing that walks with them, f_Rpb (equations 31-77 to 31-83). [-]

    Parameters
    ----------
    walkers_per_h, cyclists_per_h : array_like
        People on the crossing, both directions, and cyclists who go straight on beside the turn. [1/h]
    cycle_s, green_s, walk_s : array_like
        Cycle, effective green of the turn, walk and its clearance within it. [s]
    free_exit : bool
        Whether the turn leads to more lanes than it comes from, so that drivers can swerve.
    """
    green = np.asarray(green_s, np.float64)
    check(NetworkError, "crossing", ("green_s", green, POSITIVE), ("cyclists_per_h", cyclists_per_h, NOT_NEGATIVE))
    walk = np.minimum(np.asarray(walk_s, np.float64), green)
    on_foot = walk / green * occupancy(walkers_per_h, cycle_s, walk)
    per_green = np.minimum(1900.0, np.asarray(cyclists_per_h, np.float64) * np.asarray(cycle_s, np.float64) / green)
    by_bike = np.where(per_green > 0, 0.02 + per_green / 2700, 0.0)
    return _walk_factor(on_foot + by_bike - on_foot * by_bike, free_exit)


def left_walk_factor(
    *,
    walkers_per_h: ArrayLike,
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    walk_s: ArrayLike,
    opposing_queue_s: ArrayLike,
    opposing_vph: ArrayLike,
    free_exit: bool = False,
) -> FLOAT:
    """Permitted lefts across a crossing that walks with them, f_Lpb on two-way streets (equations 31-85 to 31-88). [-]

    Parameters
    ----------
    opposing_queue_s : array_like
        Time of the green until the opposing queue is gone, which also holds the turns back. [s]
    opposing_vph : array_like
        Opposing flow. [veh/h]
    walkers_per_h, cycle_s, green_s, walk_s, free_exit
        As `right_walk_factor`, `green_s` being that of the permitted turn.
    """
    green = np.asarray(green_s, np.float64)
    blocked, v = np.asarray(opposing_queue_s, np.float64), np.asarray(opposing_vph, np.float64)
    check(
        NetworkError,
        "crossing",
        ("green_s", green, POSITIVE),
        ("opposing_queue_s", blocked, NOT_NEGATIVE),
        ("opposing_vph", v, NOT_NEGATIVE),
    )
    walk = np.minimum(np.asarray(walk_s, np.float64), green)
    after = np.where(blocked < walk, occupancy(walkers_per_h, cycle_s, walk) * (1 - 0.5 * blocked / walk), 0.0)
    rest = np.where(blocked < walk, (walk - blocked) / np.maximum(green - blocked, 1e-9), 0.0)
    return _walk_factor(rest * after * np.exp(-5.0 * v / 3600), free_exit)


def _walk_factor(occupied: FLOAT, free_exit: bool) -> FLOAT:
    return np.asarray(1 - (0.6 if free_exit else 1.0) * occupied)
