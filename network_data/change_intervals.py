"""Yellow and red clearance by formula: the ITE kinematic rule and the Korean rule.

References
----------
.. [1] Institute of Transportation Engineers, kinematic rule as tabulated in the PASSER V-09 guide.
.. [2] NCHRP Report 731, "Guidelines for Timing Yellow and All-Red Intervals at Signalized Intersections", 2012.
.. [3] National Police Agency of Korea, manual for installing and managing traffic signals, 2008.
"""

from __future__ import annotations

import math

FOOT_M = 0.3048
MPH_MPS = 0.44704
ITE_REACTION_S = 1.0
ITE_DECELERATION_MPS2 = 10 * FOOT_M
ITE_CAR_M = 20 * FOOT_M
ITE_THROUGH_OVER_LIMIT_MPS = 7 * MPH_MPS
"""85th-percentile speed of through traffic above the posted speed [2]_."""
ITE_TURN_UNDER_LIMIT_MPS = 5 * MPH_MPS
"""85th-percentile speed of left turns below the posted speed [2]_."""
KOREA_REACTION_S = 1.0
KOREA_DECELERATION_MPS2 = 5.0
KOREA_START_S = 1.5
KOREA_CAR_M = 5.0
KOREA_YELLOW_S = (3.0, 5.0)
"""Shortest and longest yellow; what the formula gives beyond becomes all-red [3]_."""


def ite_yellow_s(speed_mps: float, grade: float = 0.0) -> float:
    """Yellow after the kinematic rule: t + v / (2a + 2Gg), in its customary US constants. [s]

    Parameters
    ----------
    speed_mps : float
        Approach speed. [m/s]
    grade : float
        Uphill positive. [-]
    """
    speed_mph = speed_mps / MPH_MPS
    return ITE_REACTION_S + 1.47 * speed_mph / (2 * ITE_DECELERATION_MPS2 / FOOT_M + 64.4 * grade)


def ite_red_s(speed_mps: float, width_m: float, car_m: float = ITE_CAR_M) -> float:
    """Red clearance after the kinematic rule: the time to clear the crossing and the own length. [s]"""
    return (width_m + car_m) / FOOT_M / (1.47 * speed_mps / MPH_MPS)


def korea_raw_s(
    speed_mps: float, width_m: float, car_m: float = KOREA_CAR_M, deceleration_mps2: float = KOREA_DECELERATION_MPS2
) -> float:
    """Change interval of the Korean manual before its bounds: T + V / 2d + (W + L) / V - T_start. [s]"""
    clearing_s = (width_m + car_m) / speed_mps
    return KOREA_REACTION_S + speed_mps / (2 * deceleration_mps2) + clearing_s - KOREA_START_S


def korea_yellow_s(
    speed_mps: float, width_m: float, car_m: float = KOREA_CAR_M, deceleration_mps2: float = KOREA_DECELERATION_MPS2
) -> float:
    """Yellow of the Korean manual, within 3 to 5 s. [s]"""
    low, high = KOREA_YELLOW_S
    return min(high, max(low, korea_raw_s(speed_mps, width_m, car_m, deceleration_mps2)))


def korea_red_s(
    speed_mps: float, width_m: float, car_m: float = KOREA_CAR_M, deceleration_mps2: float = KOREA_DECELERATION_MPS2
) -> float:
    """All-red of the Korean manual: what goes beyond 5 s of yellow, as whole seconds. [s]"""
    raw = korea_raw_s(speed_mps, width_m, car_m, deceleration_mps2)
    return float(max(0, math.ceil(raw - KOREA_YELLOW_S[1] - 1e-9)))
