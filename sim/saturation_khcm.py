"""Saturation flow by the factors of the Korea Highway Capacity Manual 2013: S = 2200·N·f_LT·f_RT·f_w·f_g·f_hv.

Numbers are in `sim.khcm_tables`; results that rest on doubtful ones name them.

References
----------
.. [1] Korea Highway Capacity Manual 2013, chapter 8, formulas 8-6 to 8-39, as cited in the R package KHCMinR. Two of
   its faults are not repeated: f_LT and f_RT belong into the product, and the equivalents of lefts in a lane of its own
   beside a shared one and of unprotected lefts in a shared lane are exchanged there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from network_data.errors import NetworkError
from sim import khcm_tables as tables
from sim.checks import FLOAT, NOT_NEGATIVE, POSITIVE, SHARE, Rule, check
from sim.sources import KHCM_PERMITTED_LEFT, KHCM_SHARED_RIGHT, KHCM_U_TURN_END

SLOPE = Rule(lambda x: (x > -1) & (x < 1), "a share such as 0.03, uphill positive")


def _step(value: ArrayLike, rows: tuple[tuple[float, float], ...]) -> FLOAT:
    """The row whose upper bound the value does not exceed."""
    bounds, factors = zip(*rows, strict=True)
    return np.asarray(np.array(factors)[np.searchsorted(bounds, np.asarray(value, np.float64) - 1e-9, side="left")])


def khcm_saturation_vph(
    lanes: ArrayLike,
    *,
    width_m: ArrayLike = 3.0,
    grade: ArrayLike = 0.0,
    heavy_share: ArrayLike = 0.0,
    left_factor: ArrayLike = 1.0,
    right_factor: ArrayLike = 1.0,
) -> FLOAT:
    """Saturation flow of a lane group (formula 8-38). [veh/h]

    Parameters
    ----------
    lanes : array_like
        Number of lanes.
    width_m : array_like
        Mean lane width. [m]
    grade, heavy_share : array_like
        Uphill grade and share of heavy vehicles. [-]
    left_factor, right_factor : array_like
        f_LT and f_RT. [-]

    Raises
    ------
    NetworkError
        A value out of its range, all of them together.
    """
    check(
        NetworkError,
        "saturation flow",
        ("lanes", lanes, POSITIVE),
        ("width_m", width_m, POSITIVE),
        ("grade", grade, SLOPE),
        ("heavy_share", heavy_share, SHARE),
        ("left_factor", left_factor, POSITIVE),
        ("right_factor", right_factor, POSITIVE),
    )
    turns = np.asarray(left_factor, np.float64) * np.asarray(right_factor, np.float64)
    road = khcm_width_factor(width_m) * khcm_grade_factor(grade) * khcm_heavy_factor(heavy_share)
    return np.asarray(tables.BASE_VPH * np.asarray(lanes, np.float64) * turns * road)


def khcm_width_factor(width_m: ArrayLike) -> FLOAT:
    """f_w of table 8-15. [-]"""
    return _step(width_m, tables.WIDTH_FACTORS)


def khcm_grade_factor(grade: ArrayLike) -> FLOAT:
    """f_g of table 8-16, linear in between; 1 downhill. [-]"""
    return np.asarray(np.interp(np.asarray(grade, np.float64), *tables.GRADE_FACTORS))


def khcm_heavy_factor(heavy_share: ArrayLike) -> FLOAT:
    """f_hv = 1 / (1 + 0.8 p), formula 8-39. [-]"""
    return np.asarray(1 / (1 + tables.HEAVY_EXTRA * np.asarray(heavy_share, np.float64)))


def lane_use(flow_per_lane_vph: float, lanes: int) -> float:
    """F_U, the factor on the flow for uneven use of the lanes (table 8-5). [-]"""
    check(NetworkError, "lane use", ("flow_per_lane_vph", flow_per_lane_vph, NOT_NEGATIVE), ("lanes", lanes, POSITIVE))
    row = tables.LANE_USE[flow_per_lane_vph > tables.LANE_USE_DENSE_VPH]
    return row[min(lanes, len(row)) - 1]


def radius_equivalent(radius_m: ArrayLike) -> FLOAT:
    """E_p of a left turn of this radius (table 8-9). [-]"""
    check(NetworkError, "turning radius", ("radius_m", radius_m, POSITIVE))
    return _step(radius_m, tables.RADIUS_EQUIVALENTS)


def u_turn_equivalent(u_turn_share: float, left_lanes: int) -> tuple[float, tuple[str, ...]]:
    """E_u by the share of U-turns among lefts and U-turns (tables 8-10, 8-11), and what is unproven. [-]

    Beyond the last row the last slope goes on, as in the source.
    """
    check(NetworkError, "U-turns", ("u_turn_share", u_turn_share, SHARE), ("left_lanes", left_lanes, POSITIVE))
    shares, row = tables.U_TURN_SHARES, tables.U_TURN_EQUIVALENTS[min(left_lanes, 2)]
    slope = (row[-1] - row[-2]) / (shares[-1] - shares[-2])
    value = float(np.interp(u_turn_share, shares, row)) + slope * max(0.0, u_turn_share - shares[-1])
    doubtful = left_lanes >= 2 and u_turn_share > 0.3
    return value, (KHCM_U_TURN_END,) if doubtful else ()


def left_equivalent(
    *, radius_m: float, left_lanes: int = 1, beside_shared: bool = False, u_turn_share: float = 0.0
) -> tuple[float, tuple[str, ...]]:
    """E_L = E_1 · E_p · E_u of protected lefts (formula 8-6, tables 8-7 and 8-9 to 8-11), and what is unproven. [-]"""
    own = tables.SHARED_AND_LEFT if beside_shared else tables.TWO_LEFT_LANES if left_lanes >= 2 else 1.0
    u_turns, unverified = u_turn_equivalent(u_turn_share, left_lanes)
    if beside_shared:
        unverified = (*unverified, KHCM_PERMITTED_LEFT)
    return own * float(radius_equivalent(radius_m)) * u_turns, unverified


def unprotected_equivalent(
    *,
    opposing_vph: float,
    left_vph: float,
    green_share: float,
    opposing_lanes: int,
    through_per_lane_cycle: float = 0.0,
) -> tuple[float, tuple[str, ...]]:
    """E_1 of unprotected lefts (table 8-7 with table 8-8), at least 1, and that it is unproven. [-]

    Parameters
    ----------
    opposing_vph, left_vph : float
        Opposing through flow (counted as at least 100, where the table begins, and at most 1800) and the lefts. [veh/h]
    green_share : float
        Effective green over cycle. [-]
    opposing_lanes : int
        Lanes of the opposing through traffic.
    through_per_lane_cycle : float
        In a lane shared with through traffic, 3600 V_TH / (C N V_L): what passes before the first left. [veh]

    Raises
    ------
    NetworkError
        Opposing traffic at or above the saturation flow of its lanes; a value out of its range.
    """
    check(
        NetworkError,
        "unprotected left",
        ("opposing_vph", opposing_vph, NOT_NEGATIVE),
        ("left_vph", left_vph, POSITIVE),
        ("green_share", green_share, SHARE),
        ("opposing_lanes", opposing_lanes, POSITIVE),
        ("through_per_lane_cycle", through_per_lane_cycle, NOT_NEGATIVE),
    )
    full_vph = tables.BASE_VPH * opposing_lanes
    if opposing_vph >= full_vph:
        text = f"opposing_vph is {opposing_vph:g}, needs below {full_vph:g}; protect the turn or add lanes"
        raise NetworkError("unprotected left", text)
    per_gap = float(np.interp(opposing_vph, *tables.GAP_TURNS))
    inside = float(np.clip(opposing_vph, tables.GAP_TURNS[0][0], tables.GAP_TURNS[0][-1]))
    waiting = tables.BASE_VPH * (1 - green_share) * opposing_vph / (full_vph - opposing_vph)
    value = tables.BASE_VPH / (inside * per_gap) + (waiting - through_per_lane_cycle) / left_vph
    return max(1.0, value), (KHCM_PERMITTED_LEFT,)


def roadside_loss_s(
    *,
    entering_vph: float = 0.0,
    leaving_vph: float = 0.0,
    buses_per_h: float = 0.0,
    bus_size: str = "middle",
    bus_bay: bool = False,
    bus_stop_m: float = 0.0,
    parking_per_h: float | None = None,
) -> float:
    """L_H = 0.3 (L_dw + L_bb + L_p): what side streets, buses and parking cost per hour (formulas 8-7 to 8-10). [s]

    Parameters
    ----------
    entering_vph, leaving_vph : float
        Vehicles that come from and go to side streets within 60 m. [veh/h]
    buses_per_h, bus_size, bus_bay, bus_stop_m
        Buses that stop, `small`, `middle` or `large` by their passengers, in a bay or in the lane, this far from the
        stop line [m]; fewer than 10 an hour do not count.
    parking_per_h : float, optional
        Parking manoeuvres within 75 m; None: nobody may park.
    """
    check(
        NetworkError,
        "roadside friction",
        ("entering_vph", entering_vph, NOT_NEGATIVE),
        ("leaving_vph", leaving_vph, NOT_NEGATIVE),
        ("buses_per_h", buses_per_h, NOT_NEGATIVE),
        ("bus_stop_m", bus_stop_m, NOT_NEGATIVE),
        ("parking_per_h", parking_per_h or 0.0, NOT_NEGATIVE),
    )
    times_s = tables.BUS_STOP_S["bay" if bus_bay else "lane"]
    if bus_size not in times_s:
        raise NetworkError("roadside friction", f"bus_size is {bus_size!r}; known are {', '.join(times_s)}")
    near = max(0.0, tables.BUS_STOP_REACH_M - bus_stop_m) / tables.BUS_STOP_REACH_M
    buses_s = times_s[bus_size] * near * buses_per_h if buses_per_h >= tables.BUS_STOPS_FELT else 0.0
    parking_s = 0.0 if parking_per_h is None else 360 + 18 * parking_per_h
    return 0.3 * (0.9 * entering_vph + 1.4 * leaving_vph + buses_s + parking_s)


def right_equivalent(
    *,
    right_vph: float,
    roadside_s: float = 0.0,
    channelized: bool = True,
    walkers_per_h: float = 0.0,
    walk_s: float = 0.0,
    cycle_s: float = 0.0,
    through_vph: float = 0.0,
    lanes: int = 1,
) -> tuple[float, tuple[str, ...]]:
    """E_R of right turns in a lane shared with through traffic (formulas 8-11, 8-12), and what is unproven. [-]

    Parameters
    ----------
    right_vph : float
        Right turns that need the green. [veh/h]
    roadside_s : float
        L_H of `roadside_loss_s`. [s]
    channelized : bool
        Whether the turn leaves by an island, free of the crossing.
    walkers_per_h, walk_s, cycle_s
        People on the crossing, its green and the cycle, where not channelized.
    through_vph, lanes
        Through traffic and the lanes it may use, where not channelized.
    """
    check(
        NetworkError,
        "shared right turn",
        ("right_vph", right_vph, POSITIVE),
        ("roadside_s", roadside_s, NOT_NEGATIVE),
        ("cycle_s", cycle_s, NOT_NEGATIVE if channelized else POSITIVE),
        ("walkers_per_h", walkers_per_h, NOT_NEGATIVE),
        ("walk_s", walk_s, NOT_NEGATIVE),
        ("through_vph", through_vph, NOT_NEGATIVE),
        ("lanes", lanes, POSITIVE),
    )
    if channelized:
        return tables.RIGHT_EQUIVALENT + roadside_s / (tables.HEADWAY_S * right_vph), ()
    blocked = float(_step(walkers_per_h, tables.WALK_BLOCK)) * walk_s / cycle_s
    first = tables.HEADWAY_S * through_vph / (cycle_s * lanes * right_vph)
    value = tables.RIGHT_EQUIVALENT + tables.BASE_VPH / right_vph * (blocked + roadside_s / 3600 - first)
    return max(1.0, value), (KHCM_SHARED_RIGHT,)
