"""Back of queue of a lane: mean and percentiles, after the HCM 2000 (appendix G) and its 7th edition (chapter 31).

The form of 2000 rests on constants that were not confirmed, and its result says so.

References
----------
.. [1] Transportation Research Board, "Highway Capacity Manual 2000", chapter 16, appendix G.
.. [2] Transportation Research Board, "Highway Capacity Manual", 7th edition, equations 31-131 to 31-155, read in the
   equation catalogue of the open-source library crosstraffic/transportations-library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from network_data.change_intervals import FOOT_M, MPH_MPS
from network_data.errors import PlanError
from sim.checks import FLOAT, GREEN_SHARE, NOT_NEGATIVE, POSITIVE, SHARE, check, share_of
from sim.hcm import unmet_hours
from sim.sources import HCM2000_BACK_OF_QUEUE

Z = {85: 1.04, 90: 1.28, 95: 1.64}
"""Percentile parameter z [2]_."""
MOST = 1.8
CAR_SPACE_M = 25 * FOOT_M
HEAVY_SPACE_M = 45 * FOOT_M
"""Room a stored car and a stored heavy vehicle takes (equation 31-155)."""
STOPPED_MPS = 5 * MPH_MPS
ACCEL_MPS2 = 3.5 * FOOT_M
DECEL_MPS2 = 4.0 * FOOT_M


@dataclass(frozen=True, eq=False, kw_only=True)
class BackOfQueue:
    """Back of queue of a lane: `first` by red, `second` by chance and overload, `third` by the initial queue. [veh]"""

    first_veh: FLOAT
    second_veh: FLOAT
    third_veh: FLOAT
    green_share: FLOAT
    x: FLOAT
    i: FLOAT
    unverified: tuple[str, ...] = ()

    @property
    def mean_veh(self) -> FLOAT:
        """Mean back of queue. [veh]"""
        return np.asarray(self.first_veh + self.second_veh + self.third_veh)

    def percentile_veh(self, percent: int) -> FLOAT:
        """The 85th, 90th or 95th percentile back of queue (equation 31-150). [veh]"""
        random = np.asarray(self.first_veh + self.second_veh)
        return np.asarray(
            random * percentile_factor(random, percent, self.x, self.green_share, self.i) + self.third_veh
        )


def percentile_factor(
    queue_veh: ArrayLike, percent: int, x: ArrayLike, green_share: ArrayLike, i: ArrayLike = 1.0
) -> FLOAT:
    """Percentile over mean back of queue, at most 1.8 (equations 31-151 to 31-153). [-]

    Raises
    ------
    PlanError
        Another percentile than 85, 90 or 95; a value out of its range.
    """
    if percent not in Z:
        raise PlanError("back of queue", f"percentile is {percent}; known are {', '.join(map(str, Z))}")
    z, queue = Z[percent], np.asarray(queue_veh, np.float64)
    share, full = np.asarray(green_share, np.float64), np.asarray(x, np.float64)
    check(PlanError, "back of queue", ("queue_veh", queue, NOT_NEGATIVE), ("x", full, NOT_NEGATIVE), ("i", i, SHARE))
    spread = z * np.sqrt(np.asarray(i, np.float64) / np.maximum(queue, 1e-9))
    over = 0.60 * z**0.24 * share**0.33 * (1 - np.exp(2 - 2 * np.maximum(1.0, full)))
    return np.asarray(np.minimum(MOST, 1 + spread + over))


def stop_delay_s(limit_mps: ArrayLike) -> FLOAT:
    """Delay by braking to and accelerating from a stop, d_a (equations 31-131, 31-132). [s]"""
    check(PlanError, "back of queue", ("limit_mps", limit_mps, POSITIVE))
    speed = 0.90 * (25.6 * MPH_MPS + 0.47 * np.asarray(limit_mps, np.float64))
    return np.asarray((speed - STOPPED_MPS) ** 2 / (2 * speed) * (1 / ACCEL_MPS2 + 1 / DECEL_MPS2))


def back_of_queue(
    *,
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    flow_vph: ArrayLike,
    capacity_vph: ArrayLike,
    incremental_s: ArrayLike,
    on_green: ArrayLike | None = None,
    stop_s: ArrayLike = 0.0,
    queue_veh: ArrayLike = 0.0,
    period_h: ArrayLike = 0.25,
    i: ArrayLike = 1.0,
) -> BackOfQueue:
    """Back of queue of a lane after the 7th edition.

    Parameters
    ----------
    cycle_s, green_s : array_like
        Cycle and effective green. [s]
    flow_vph, capacity_vph : array_like
        Of one lane (of a group of alike lanes: over their number). [veh/h]
    incremental_s : array_like
        Incremental delay d2 of the group. [s/veh]
    on_green : array_like, optional
        Share of vehicles that arrive on green; default: the green share. [-]
    stop_s : array_like
        Delay by one full stop, see `stop_delay_s`; with 0 all who are slowed down count as queued. [s]
    queue_veh : array_like
        Queue of the lane at the begin of the period. [veh]
    period_h : array_like
        Length of the period. [h]
    i : array_like
        Upstream filtering. [-]

    Raises
    ------
    PlanError
        A value out of its range.
    """
    cycle, green, flow, capacity, t, b, filtering, d2, d_a = _arguments(
        cycle_s,
        green_s,
        flow_vph,
        capacity_vph,
        period_h,
        queue_veh,
        i,
        others={"incremental_s": incremental_s, "stop_s": stop_s},
    )
    share, x = green / cycle, flow / capacity
    p = np.broadcast_to(share if on_green is None else np.asarray(on_green, np.float64), x.shape)
    check(PlanError, "back of queue", ("on_green", p, SHARE))
    unmet = unmet_hours(b, flow, capacity, t)
    end, alone = b + unmet * (flow - capacity), np.maximum(0.0, t * (flow - capacity))
    return BackOfQueue(
        first_veh=_first_veh(cycle, green, flow / 3600, capacity / 3600 / share, p, d_a, np.minimum(1.0, x)),
        second_veh=np.asarray(capacity * d2 / 3600),
        third_veh=np.where(b > 0, unmet * (b + end - alone) / (2 * t), 0.0),
        green_share=share,
        x=x,
        i=filtering,
    )


def _arguments(*values: ArrayLike, others: dict[str, ArrayLike]) -> tuple[FLOAT, ...]:
    """Cycle, green, flow, capacity, period, queue and filtering, then `others` by name: broadcast and checked."""
    arrays = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (*values, *others.values())))
    cycle, green, flow, capacity, period, queue, filtering = arrays[:7]
    check(
        PlanError,
        "back of queue",
        ("cycle_s", cycle, POSITIVE),
        ("green share", share_of(green, cycle), GREEN_SHARE),
        ("flow_vph", flow, NOT_NEGATIVE),
        ("capacity_vph", capacity, POSITIVE),
        ("period_h", period, POSITIVE),
        ("queue_veh", queue, NOT_NEGATIVE),
        ("i", filtering, SHARE),
        *((name, value, NOT_NEGATIVE) for name, value in others.items()),
    )
    return arrays


def _first_veh(cycle: FLOAT, green: FLOAT, q: FLOAT, s: FLOAT, p: FLOAT, d_a: FLOAT, x: FLOAT) -> FLOAT:
    """Vehicles that stop fully in a cycle (equations 31-133 to 31-141)."""
    q = np.minimum(q, s * green / cycle)  # arrivals beyond capacity are the second term's
    red = cycle - green
    stops = red > 0
    r = np.where(stops, red, 1.0)
    on_red, on_green = (1 - p) * q * cycle / r, p * q * cycle / green
    late = d_a <= (1 - p) * green * x
    clear_late = q * cycle * (1 - p - p * d_a / green) / (s * np.maximum(1 - x * p, 1e-12))
    early = np.maximum(r - x * (1 - p) * green, 1e-12)
    clear_early = q * cycle * (1 - p) * (r - d_a) / (s * early)
    stopped = np.where(late, on_red * r + on_green * (clear_late - d_a), on_red * (r - d_a + clear_early))
    return np.where(stops, np.maximum(0.0, stopped), 0.0)


def back_of_queue_2000(
    *,
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    flow_vph: ArrayLike,
    capacity_vph: ArrayLike,
    period_h: ArrayLike = 0.25,
    queue_veh: ArrayLike = 0.0,
    platoon_ratio: ArrayLike = 1.0,
    i: ArrayLike = 1.0,
    actuated: bool = False,
) -> BackOfQueue:
    """Back of queue of a lane after appendix G of the HCM 2000; rests on unverified constants.

    Parameters as `back_of_queue`; `platoon_ratio` is R_p [-]. The initial queue is inside the second term.

    Raises
    ------
    PlanError
        A value out of its range.
    """
    cycle, green, flow, capacity, t, b, filtering, ratio = _arguments(
        cycle_s, green_s, flow_vph, capacity_vph, period_h, queue_veh, i, others={"platoon_ratio": platoon_ratio}
    )
    share, x = green / cycle, flow / capacity
    saturation = capacity / share
    y = flow / saturation
    free = np.maximum((1 - share) * (1 - ratio * y), 1e-12)
    factor = np.where((x >= 1) | (share >= 1), 1.0, np.maximum(0.0, (1 - ratio * share) * (1 - y) / free))
    first = factor * flow / 3600 * cycle * (1 - share) / np.maximum(1 - np.minimum(1.0, x) * share, 1e-12)
    per_cycle = saturation * green / 3600
    k_b = filtering * (0.10 * per_cycle**0.6 if actuated else 0.12 * per_cycle**0.7)
    ct = capacity * t
    root = (x - 1) ** 2 + 8 * k_b * x / ct + 16 * k_b * b / ct**2
    return BackOfQueue(
        first_veh=np.asarray(first),
        second_veh=np.asarray(0.25 * ct * (x - 1 + np.sqrt(root))),
        third_veh=np.zeros_like(x),
        green_share=share,
        x=x,
        i=filtering,
        unverified=(HCM2000_BACK_OF_QUEUE,),
    )


def storage_m(queue_veh: ArrayLike, heavy_share: ArrayLike = 0.0) -> FLOAT:
    """Length of a queue, with the room the manual gives cars and heavy vehicles (equation 31-155). [m]"""
    heavy = np.asarray(heavy_share, np.float64)
    check(PlanError, "queue length", ("queue_veh", queue_veh, NOT_NEGATIVE), ("heavy_share", heavy, SHARE))
    return np.asarray(np.asarray(queue_veh, np.float64) * (CAR_SPACE_M * (1 - heavy) + HEAVY_SPACE_M * heavy))
