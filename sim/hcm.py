"""Control delay of the Highway Capacity Manual, d = d1·PF + d2 + d3, as of 2000 and as of the 6th and 7th edition.

The polygon form of d1 (incremental queue accumulation), for any sequence of arrival and service rates, is in
`sim.queue_polygon`. All functions take arrays and broadcast them.

References
----------
.. [1] Transportation Research Board, "Highway Capacity Manual 2000", chapter 16.
.. [2] Transportation Research Board, "Highway Capacity Manual", 7th edition, chapters 19 and 31 (equation numbers below
   are those; the 6th edition has the same formulas). Read in the equation catalogue of the open-source library
   crosstraffic/transportations-library, which checks itself against the manual's example problems.
.. [3] Al Farabi and Chakraborty, "A Study on the Default Supplemental Adjustment Factors of Progression Adjustment
   Factor Formula under Non-Lane Based Traffic Condition", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from network_data.errors import PlanError
from sim.checks import FLOAT, GREEN_SHARE, NOT_NEGATIVE, POSITIVE, SHARE, Rule, check, share_of

K_PRETIMED = 0.5
K_LEAST = 0.04
I_LEAST = 0.09
PLATOON_RATIO = {1: 0.33, 2: 0.67, 3: 1.0, 4: 1.33, 5: 1.67, 6: 2.0}
"""Platoon ratio R_p by arrival type (1 very poor … 3 random … 6 exceptional progression), exhibit 19-13."""
F_PA = {1: 1.0, 2: 0.93, 3: 1.0, 4: 1.15, 5: 1.0, 6: 1.0}
"""Supplemental factor for platoons that arrive during green, by arrival type [1]_; 0.93 and 1.15 as quoted in [3]_."""
ARRIVAL_TYPE = Rule(lambda x: np.isin(x, list(PLATOON_RATIO)), "a whole number from 1 to 6")


def arrivals_on_green(arrival_type: ArrayLike, green_share: ArrayLike) -> FLOAT:
    """Share P of vehicles that arrive on green, R_p λ, at most 1 (equation 19-15). [-]"""
    kind = np.asarray(arrival_type, np.float64)
    check(PlanError, "arrival type", ("arrival_type", kind, ARRIVAL_TYPE), ("green_share", green_share, GREEN_SHARE))
    ratio = np.vectorize(PLATOON_RATIO.__getitem__, otypes=[np.float64])(kind.astype(int))
    return np.asarray(np.minimum(1.0, ratio * np.asarray(green_share, np.float64)))


def progression_factor_2000(on_green: ArrayLike, green_share: ArrayLike, f_pa: ArrayLike = 1.0) -> FLOAT:
    """Progression factor PF = (1 − P) f_PA / (1 − λ) of the HCM 2000; 1 where there is no red. [-]"""
    p, share = np.asarray(on_green, np.float64), np.asarray(green_share, np.float64)
    check(PlanError, "progression factor", ("on_green", p, SHARE), ("green_share", share, GREEN_SHARE))
    red = np.where(share < 1, 1 - share, 1.0)
    return np.where(share < 1, (1 - p) * np.asarray(f_pa, np.float64) / red, 1.0)


def progression_factor(on_green: ArrayLike, green_share: ArrayLike, x: ArrayLike) -> FLOAT:
    """Progression factor of the 6th and 7th edition (equations 19-20, 19-21); 1 where P = λ or there is no red. [-]

    Multiplied with the uniform delay it is the area of the queue polygon, as long as all is served within the green.
    """
    p, share = np.asarray(on_green, np.float64), np.asarray(green_share, np.float64)
    check(
        PlanError,
        "progression factor",
        ("on_green", p, SHARE),
        ("green_share", share, GREEN_SHARE),
        ("x", x, NOT_NEGATIVE),
    )
    p, share, full = np.broadcast_arrays(p, share, np.minimum(1.0, np.asarray(x, np.float64)))
    open_always = (share >= 1) | (full * p >= 1)
    red, left = np.where(open_always, 1.0, 1 - share), np.where(open_always, 1.0, 1 - full * p)
    y = full * share
    factor = (1 - p) / red * (1 - y) / left * (1 + y * (1 - p / share) / red)
    return np.where(open_always, np.where(share >= 1, 1.0, 0.0), factor)


def uniform_delay_s(cycle_s: ArrayLike, green_s: ArrayLike, x: ArrayLike) -> FLOAT:
    """Uniform delay d1 of arrivals that come evenly (equation 19-19 without PF); 0 where there is no red. [s/veh]

    Parameters
    ----------
    cycle_s, green_s : array_like
        Cycle and effective green. [s]
    x : array_like
        Volume over capacity; above 1 it counts as 1. [-]

    Raises
    ------
    PlanError
        A value out of its range, all of them together.
    """
    cycle, green = np.asarray(cycle_s, np.float64), np.asarray(green_s, np.float64)
    share = share_of(green, cycle)
    check(
        PlanError,
        "uniform delay",
        ("cycle_s", cycle, POSITIVE),
        ("x", x, NOT_NEGATIVE),
        ("green share", share, GREEN_SHARE),
    )
    share, full = np.broadcast_arrays(share, np.minimum(1.0, np.asarray(x, np.float64)))
    return np.where(share < 1, 0.5 * cycle * (1 - share) ** 2 / np.where(share < 1, 1 - full * share, 1.0), 0.0)


def incremental_delay_s(
    x: ArrayLike, capacity_vph: ArrayLike, period_h: ArrayLike, *, k: ArrayLike = K_PRETIMED, i: ArrayLike = 1.0
) -> FLOAT:
    """Incremental delay d2 of random arrivals and of overload within the period (equation 19-26). [s/veh]

    Parameters
    ----------
    x : array_like
        Volume over capacity. [-]
    capacity_vph : array_like
        Capacity of the lane group. [veh/h]
    period_h : array_like
        Length of the period. [h]
    k : array_like
        Factor of the controller: 0.5 for fixed times, see `controller_factor` for actuated ones. [-]
    i : array_like
        Filtering by the signal upstream, see `upstream_filtering`; 1 where it is far. [-]
    """
    over, c, t = np.asarray(x, np.float64) - 1, np.asarray(capacity_vph, np.float64), np.asarray(period_h, np.float64)
    check(
        PlanError,
        "incremental delay",
        ("x", over + 1, NOT_NEGATIVE),
        ("capacity_vph", c, POSITIVE),
        ("period_h", t, POSITIVE),
        ("k", k, Rule(lambda v: (v > 0) & (v <= K_PRETIMED), "above 0 and at most 0.5")),
        ("i", i, SHARE),
    )
    chance = 8 * np.asarray(k, np.float64) * np.asarray(i, np.float64) * (over + 1) / (c * t)
    return np.asarray(900 * t * (over + np.sqrt(over**2 + chance)))


def upstream_filtering(x_upstream: ArrayLike) -> FLOAT:
    """Factor I for arrivals evened out by the signal upstream, from its volume over capacity (equation 19-6). [-]"""
    check(PlanError, "upstream filtering", ("x_upstream", x_upstream, NOT_NEGATIVE))
    return np.asarray(np.maximum(I_LEAST, 1 - 0.91 * np.minimum(1.0, np.asarray(x_upstream, np.float64)) ** 2.68))


def controller_factor(x_available: ArrayLike, passage_s: ArrayLike) -> FLOAT:
    """Factor k of an actuated phase (equations 19-22, 19-23). [-]

    Parameters
    ----------
    x_available : array_like
        Volume over the capacity at the phase's maximum green. [-]
    passage_s : array_like
        Passage time (gap) of the detector. [s]
    """
    x, gap = np.asarray(x_available, np.float64), np.asarray(passage_s, np.float64)
    check(PlanError, "controller factor", ("x_available", x, NOT_NEGATIVE), ("passage_s", gap, NOT_NEGATIVE))
    least = np.clip(-0.375 + 0.354 * gap - 0.0910 * gap**2 + 0.00889 * gap**3, K_LEAST, K_PRETIMED)
    return np.asarray(np.clip((1 - 2 * least) * (x - 0.5) + least, least, K_PRETIMED))


def unmet_hours(queue_veh: FLOAT, flow_vph: FLOAT, capacity_vph: FLOAT, period_h: FLOAT) -> FLOAT:
    """How long of the period the queue from before is felt, t_A (equations 19-47, 19-49); checks nothing. [h]"""
    spare = np.where(flow_vph < capacity_vph, capacity_vph - flow_vph, 1.0)
    return np.where(flow_vph < capacity_vph, np.minimum(period_h, queue_veh / spare), period_h)


def initial_queue_delay_s(
    queue_veh: ArrayLike, flow_vph: ArrayLike, capacity_vph: ArrayLike, period_h: ArrayLike
) -> FLOAT:
    """Delay d3 by vehicles that wait when the period begins (equations 19-44 to 19-49); 0 without such. [s/veh]

    Parameters
    ----------
    queue_veh : array_like
        Queue at the begin of the period. [veh]
    flow_vph, capacity_vph : array_like
        Arriving flow and capacity of the period. [veh/h]
    period_h : array_like
        Length of the period. [h]

    Raises
    ------
    PlanError
        A value out of its range, all of them together; a flow of 0 with a queue (nobody to share its delay).
    """
    b, v, c, t = _queue_arguments(queue_veh, flow_vph, capacity_vph, period_h)
    if ((b > 0) & (v <= 0)).any():
        raise PlanError("initial queue", "a queue waits but the flow is 0; delay per arriving vehicle has no value")
    unmet = unmet_hours(b, v, c, t)
    end = b + unmet * (v - c)
    alone = np.maximum(0.0, t * (v - c))
    area = unmet * (b + end - alone) / 2 + (end**2 - alone**2) / (2 * c) - b**2 / (2 * c)
    return np.where(b > 0, 3600 / (np.where(b > 0, v, 1.0) * t) * area, 0.0)


def queue_after_veh(queue_veh: ArrayLike, flow_vph: ArrayLike, capacity_vph: ArrayLike, period_h: ArrayLike) -> FLOAT:
    """Queue at the end of the period, the initial queue of the next (equation 19-45). [veh]"""
    b, v, c, t = _queue_arguments(queue_veh, flow_vph, capacity_vph, period_h)
    return np.asarray(np.maximum(0.0, b + t * (v - c)))


def _queue_arguments(*values: ArrayLike) -> tuple[FLOAT, FLOAT, FLOAT, FLOAT]:
    queue, flow, capacity, period = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in values))
    check(
        PlanError,
        "initial queue",
        ("queue_veh", queue, NOT_NEGATIVE),
        ("flow_vph", flow, NOT_NEGATIVE),
        ("capacity_vph", capacity, POSITIVE),
        ("period_h", period, POSITIVE),
    )
    return queue, flow, capacity, period


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlDelay:
    """Control delay and its parts. [s/veh] `queue_after_veh` waits when the period ends."""

    x: FLOAT
    uniform_s: FLOAT
    progression: FLOAT
    incremental_s: FLOAT
    initial_queue_s: FLOAT
    queue_after_veh: FLOAT

    @property
    def total_s(self) -> FLOAT:
        """d1·PF + d2 + d3. [s/veh]"""
        return np.asarray(self.uniform_s * self.progression + self.incremental_s + self.initial_queue_s)


def control_delay(
    *,
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    flow_vph: ArrayLike,
    capacity_vph: ArrayLike,
    period_h: ArrayLike = 0.25,
    on_green: ArrayLike | None = None,
    arrival_type: int | None = None,
    queue_veh: ArrayLike = 0.0,
    k: ArrayLike = K_PRETIMED,
    i: ArrayLike = 1.0,
    edition: int = 7,
) -> ControlDelay:
    """Control delay of lane groups with one green per cycle, after the HCM.

    Parameters
    ----------
    cycle_s, green_s : array_like
        Cycle and effective green. [s]
    flow_vph, capacity_vph : array_like
        Flow and capacity. [veh/h]
    period_h : array_like
        Length of the period. [h]
    on_green : array_like, optional
        Share of the vehicles that arrive on green; default: the green share, or what `arrival_type` implies. [-]
    arrival_type : int, optional
        1 to 6 instead of `on_green`.
    queue_veh : array_like
        Queue at the begin of the period. [veh]
    k, i : array_like
        Factors of `incremental_delay_s`. [-]
    edition : int
        2000, 6 or 7: which progression factor.

    Raises
    ------
    PlanError
        A value out of its range; both `on_green` and `arrival_type`; another edition.
    """
    if edition not in (2000, 6, 7) or (on_green is not None and arrival_type is not None):
        raise PlanError("control delay", f"edition is {edition}, known are 2000, 6, 7; give on_green or arrival_type")
    cycle, green, flow, capacity = (np.asarray(v, np.float64) for v in (cycle_s, green_s, flow_vph, capacity_vph))
    share = share_of(green, cycle)
    check(
        PlanError,
        "control delay",
        ("cycle_s", cycle, POSITIVE),
        ("green share", share, GREEN_SHARE),
        ("flow_vph", flow, NOT_NEGATIVE),
        ("capacity_vph", capacity, POSITIVE),
        ("period_h", period_h, POSITIVE),
        ("queue_veh", queue_veh, NOT_NEGATIVE),
    )
    x = flow / capacity
    uniform = uniform_delay_s(cycle, green, x)
    p = share if on_green is None else np.asarray(on_green, np.float64)
    if arrival_type is not None:
        p = arrivals_on_green(arrival_type, share)
    if edition == 2000:
        pf = progression_factor_2000(p, share, F_PA[arrival_type or 3])
    else:
        pf = progression_factor(p, share, x)
    return ControlDelay(
        x=x,
        uniform_s=uniform,
        progression=pf,
        incremental_s=incremental_delay_s(x, capacity, period_h, k=k, i=i),
        initial_queue_s=initial_queue_delay_s(queue_veh, flow, capacity, period_h),
        queue_after_veh=queue_after_veh(queue_veh, flow, capacity, period_h),
    )


def delay_over_periods(
    *,
    cycle_s: float,
    green_s: float,
    flows_vph: ArrayLike,
    capacity_vph: ArrayLike,
    period_h: float,
    queue_veh: float = 0.0,
    k: float = K_PRETIMED,
    i: float = 1.0,
) -> list[ControlDelay]:
    """Control delay of periods in a row, each begun with the queue the one before left.

    Parameters
    ----------
    flows_vph, capacity_vph : array_like, shape (T,)
        Flow and capacity of each period (one capacity serves all). [veh/h]
    """
    flows, capacities = np.broadcast_arrays(np.asarray(flows_vph, np.float64), np.asarray(capacity_vph, np.float64))
    out: list[ControlDelay] = []
    for flow, capacity in zip(np.atleast_1d(flows), np.atleast_1d(capacities), strict=True):
        delay = control_delay(
            cycle_s=cycle_s, green_s=green_s, flow_vph=flow, capacity_vph=capacity,
            period_h=period_h, queue_veh=queue_veh, k=k, i=i,
        )  # fmt: skip
        out.append(delay)
        queue_veh = float(delay.queue_after_veh)
    return out
