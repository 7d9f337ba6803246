"""Control delay of the Korea Highway Capacity Manual 2013, with its three cases of initial queues.

Two formulas differ from the R package they were read in, which has them wrong: the uniform delay has (1 − g/C)² (the
package squares g/C alone), and volume over capacity above 1 counts as 1.

References
----------
.. [1] Korea Highway Capacity Manual 2013, formulas 8-43 to 8-55, pp. 251-258, as cited in the R package KHCMinR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RegularGridInterpolator

from network_data.errors import PlanError
from sim import khcm_tables as tables
from sim.checks import FLOAT, GREEN_SHARE, NOT_NEGATIVE, POSITIVE, Rule, check, share_of
from sim.hcm import incremental_delay_s, queue_after_veh, uniform_delay_s
from sim.sources import KHCM_TVO_ENDS

_PROGRESSION = RegularGridInterpolator((tables.TVO, tables.GREEN_SHARES), tables.PROGRESSION)


@dataclass(frozen=True, eq=False, kw_only=True)
class KhcmDelay:
    """Control delay and its parts. [s/veh] `case`: 0 without initial queue, else 1, 2, 3 of the manual."""

    x: FLOAT
    case: NDArray[np.int64]
    uniform_s: FLOAT
    progression: FLOAT
    incremental_s: FLOAT
    initial_queue_s: FLOAT
    queue_after_veh: FLOAT
    unverified: tuple[str, ...] = ()

    @property
    def total_s(self) -> FLOAT:
        """d1·PF + d2 + d3 (formula 8-43). [s/veh]"""
        return np.asarray(self.uniform_s * self.progression + self.incremental_s + self.initial_queue_s)


def offset_quality(travel_s: ArrayLike, offset_s: ArrayLike, cycle_s: ArrayLike) -> FLOAT:
    """TVO, the fractional part of (travel time − offset between the two greens' begins) / cycle (formula 8-54). [-]"""
    check(PlanError, "offset quality", ("cycle_s", cycle_s, POSITIVE), ("travel_s", travel_s, NOT_NEGATIVE))
    late = np.asarray(travel_s, np.float64) - np.asarray(offset_s, np.float64)
    return np.asarray(late / np.asarray(cycle_s, np.float64) % 1.0)


def khcm_progression_factor(tvo: ArrayLike, green_share: ArrayLike) -> tuple[FLOAT, tuple[str, ...]]:
    """Progression factor PF of table 8-17, linear in between, constant beyond green shares of 0.1 and 0.9.

    Parameters
    ----------
    tvo : array_like
        Offset quality of `offset_quality`, 0 to 1. [-]
    green_share : array_like
        Effective green over cycle. [-]

    Returns
    -------
    ndarray, tuple of str
        PF, and what it rests on without proof: between the first or last two rows, which contradict each other.
    """
    quality, share = np.broadcast_arrays(np.asarray(tvo, np.float64), np.asarray(green_share, np.float64))
    unit = Rule(lambda v: (v >= 0) & (v <= 1), "between 0 and 1; take the fractional part")
    check(PlanError, "progression factor", ("tvo", quality, unit), ("green_share", share, GREEN_SHARE))
    inside = np.clip(share, tables.GREEN_SHARES[0], tables.GREEN_SHARES[-1])
    factor = _PROGRESSION(np.stack([quality, inside], axis=-1)).reshape(quality.shape)
    doubtful = ((quality < tables.TVO[1]) | (quality > tables.TVO[-2])).any()
    return factor, (KHCM_TVO_ENDS,) if doubtful else ()


def initial_queue_case(
    queue_veh: ArrayLike, flow_vph: ArrayLike, capacity_vph: ArrayLike, period_h: ArrayLike
) -> NDArray[np.int64]:
    """Case of the initial queue: 0 none, 1 gone within the period, 2 shorter at its end, 3 not shorter.

    The manual leaves equality open: a queue gone exactly at the end is case 1 (both formulas agree there), a flow equal
    to the capacity case 3.
    """
    b, v, c, t = (np.asarray(x, np.float64) for x in (queue_veh, flow_vph, capacity_vph, period_h))
    spare_veh = (c - v) * t
    return np.asarray(np.where(b <= 0, 0, np.where(spare_veh <= 0, 3, np.where(b <= spare_veh, 1, 2))), np.int64)


def khcm_delay(
    *,
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    flow_vph: ArrayLike,
    saturation_flow_vph: ArrayLike,
    period_h: ArrayLike = 0.25,
    queue_veh: ArrayLike = 0.0,
    tvo: ArrayLike | None = None,
) -> KhcmDelay:
    """Control delay of lane groups with one green per cycle.

    Parameters
    ----------
    cycle_s, green_s : array_like
        Cycle and effective green. [s]
    flow_vph, saturation_flow_vph : array_like
        Of the whole lane group. [veh/h]
    period_h : array_like
        Length of the period. [h]
    queue_veh : array_like
        Queue at the begin of the period. [veh]
    tvo : array_like, optional
        Offset quality; without it (left turns, no coordination) PF is 1. [-]

    Raises
    ------
    PlanError
        A value out of its range, all of them together.
    """
    values = (cycle_s, green_s, flow_vph, saturation_flow_vph, period_h, queue_veh)
    cycle, green, v, s, t, b = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in values))
    share = share_of(green, cycle)
    check(
        PlanError,
        "KHCM delay",
        ("cycle_s", cycle, POSITIVE),
        ("green share", share, GREEN_SHARE),
        ("flow_vph", v, NOT_NEGATIVE),
        ("saturation_flow_vph", s, POSITIVE),
        ("period_h", t, POSITIVE),
        ("queue_veh", b, NOT_NEGATIVE),
    )
    c = s * share
    case = initial_queue_case(b, v, c, t)
    pf, unverified = (np.ones(()), ()) if tvo is None else khcm_progression_factor(tvo, share)
    return KhcmDelay(
        x=v / c,
        case=case,
        uniform_s=_uniform_s(case, cycle, green, v, s, t, b),
        progression=np.broadcast_to(pf, c.shape),
        incremental_s=incremental_delay_s(v / c, c, t),
        initial_queue_s=_initial_queue_s(case, v, c, t, b),
        queue_after_veh=queue_after_veh(b, v, c, t),
        unverified=unverified,
    )


def _uniform_s(case: NDArray[np.int64], cycle: FLOAT, green: FLOAT, v: FLOAT, s: FLOAT, t: FLOAT, b: FLOAT) -> FLOAT:
    """Formulas 8-47 to 8-49; beyond case 1 all vehicles queue and wait for half the red."""
    red = cycle - green
    y = np.where(v < s, v / s, 0.0)
    gone = red**2 / (2 * cycle * (1 - y)) + b * red / (2 * t * s * (1 - y))
    even = uniform_delay_s(cycle, green, v / (s * green / cycle))
    return np.select([case == 0, case == 1], [even, gone], red / 2)


def _initial_queue_s(case: NDArray[np.int64], v: FLOAT, c: FLOAT, t: FLOAT, b: FLOAT) -> FLOAT:
    """Formulas 8-51 to 8-53."""
    spare = np.where(v < c, c - v, 1.0)
    gone = 1800 * b**2 / (c * t * spare)
    shorter = 3600 * b / c - 1800 * t * (1 - v / c)
    return np.select([case == 0, case == 1, case == 2], [np.zeros_like(c), gone, shorter], 3600 * b / c)


def critical_x(cycle_s: float, lost_s: float, flow_ratios: ArrayLike) -> float:
    """Volume over capacity of a whole signal, C Σy / (C − L) (formula 8-42; equation 19-30 of the HCM). [-]

    Raises
    ------
    PlanError
        A cycle no longer than the lost time; a negative flow ratio.
    """
    check(PlanError, "critical v/c", ("time to share", cycle_s - lost_s, POSITIVE), ("y", flow_ratios, NOT_NEGATIVE))
    return cycle_s * float(np.sum(flow_ratios)) / (cycle_s - lost_s)
