"""Numbers of the Korea Highway Capacity Manual 2013, chapter 8 (signalized intersections).

Read in the open-source R package KHCM_R / KHCMinR by regenesis90, which cites table and page of the manual; the manual
itself was not at hand. Where the package contradicts itself, `sim.sources` has a sentence and results carry it.
"""

from __future__ import annotations

import numpy as np

BASE_VPH = 2200.0
"""Saturation flow of a lane under base conditions, p. 427. [pc/h]"""
RIGHT_BASE_VPH = 1900.0
"""Of a lane from which all turn right freely, p. 232. [pc/h]"""
RIGHT_EQUIVALENT = 1.16
"""Through cars a right turn counts for where nothing hinders it: 2200 / 1900, formula 8-11."""
HEADWAY_S = 1.63
"""Saturation headway that the formulas of lane use and roadside friction count with: 3600 / 2200. [s]"""

WIDTH_FACTORS = ((2.6, 0.88), (2.9, 0.94), (np.inf, 1.0))
"""Table 8-15: lanes up to so wide [m], factor [-]. Between 2.9 and 3.0 m the table has no value; we read 1.0 there."""
GRADE_FACTORS = ((0.0, 0.03, 0.06), (1.0, 0.96, 0.93))
"""Table 8-16: uphill grade [-], factor [-]; linear between, constant beyond, 1 downhill."""
HEAVY_EXTRA = 0.8
"""Formula 8-39: a heavy vehicle takes as much as 1.8 cars."""
RADIUS_EQUIVALENTS = ((9.0, 1.14), (12.0, 1.11), (15.0, 1.09), (18.0, 1.06), (20.0, 1.05), (np.inf, 1.0))
"""Table 8-9: left turns of a radius up to [m] count as so many through cars [-]."""
U_TURN_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
U_TURN_EQUIVALENTS = {
    1: (1.0, 1.21, 1.39, 1.64, 1.97, 2.55, 3.25),
    2: (1.0, 1.17, 1.30, 1.48, 1.66, 1.84, 2.02),
}
"""Tables 8-10 and 8-11: factor by the share of U-turns, one and two left lanes; two lanes beyond 0.3: last slope."""
TWO_LEFT_LANES = 1.05
"""Table 8-7: two exclusive left lanes, protected."""
SHARED_AND_LEFT = 1.02
"""Table 8-7: a left lane beside a lane shared with through traffic, simultaneous signal."""
GAP_TURNS = (
    (100, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800),
    (14.1, 6.35, 2.57, 1.39, 0.84, 0.54, 0.37, 0.25, 0.18, 0.13),
)
"""Table 8-8: unprotected lefts per gap by opposing through flow [veh/h]."""
LANE_USE = {False: (1.0, 1.02, 1.10, 1.15), True: (1.0, 1.0, 1.05, 1.08)}
"""Table 8-5: factor on the flow of 1, 2, 3, 4 and more through lanes; True: above 800 veh/h and lane."""
LANE_USE_DENSE_VPH = 800.0
WALK_BLOCK = ((500.0, 0.3), (1000.0, 0.6), (2000.0, 0.8), (3000.0, 0.9), (np.inf, 1.0))
"""Table 8-13: up to so many people an hour on the crossing, share of its green in which nobody can turn right [-]."""
BUS_STOP_S = {
    "lane": {"small": 10.8, "middle": 15.3, "large": 22.8},
    "bay": {"small": 1.4, "middle": 1.4, "large": 1.4},
}
"""Table 8-12: time a bus that stops takes, in the lane by the number of passengers, or in a bay. [s]"""
BUS_STOP_REACH_M = 75.0
BUS_STOPS_FELT = 10.0
"""Bus stops at this distance from the stop line or beyond, and fewer buses an hour than this, do not count (p. 231)."""
RIGHT_FLOW_FACTOR = {"channelized": 0.4, "other": 0.5}
"""Table 8-6: share of right turns that need the green; `other` also where three arms meet."""

TVO = np.arange(11) / 10
GREEN_SHARES = np.arange(1, 10) / 10
PROGRESSION = np.array(
    [
        [1.04, 0.86, 0.76, 0.71, 0.71, 0.73, 0.78, 0.86, 1.06],
        [0.62, 0.56, 0.54, 0.55, 0.58, 0.64, 0.72, 0.81, 0.92],
        [1.04, 0.81, 0.59, 0.55, 0.58, 0.64, 0.72, 0.81, 0.92],
        [1.04, 1.11, 0.98, 0.77, 0.58, 0.64, 0.72, 0.81, 0.92],
        [1.04, 1.11, 1.20, 1.14, 0.94, 0.73, 0.72, 0.81, 0.92],
        [1.04, 1.11, 1.20, 1.31, 1.30, 1.09, 0.83, 0.81, 0.92],
        [1.04, 1.11, 1.20, 1.31, 1.43, 1.47, 1.22, 0.81, 0.92],
        [1.04, 1.11, 1.20, 1.31, 1.43, 1.56, 1.63, 1.27, 0.92],
        [1.04, 1.11, 1.20, 1.31, 1.43, 1.47, 1.58, 1.76, 1.00],
        [1.04, 1.11, 1.15, 1.08, 1.06, 1.09, 1.17, 1.32, 1.59],
        [1.03, 1.01, 0.89, 0.80, 0.74, 0.71, 0.71, 0.81, 1.08],
    ]
)
"""Table 8-17: progression factor PF; rows by TVO, columns by green share. Rows 0 and 1 contradict each other."""
