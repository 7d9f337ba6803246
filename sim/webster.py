"""Webster's cycle, greens and delay at a fixed-time signal.

References
----------
.. [1] F. V. Webster, "Traffic signal settings", Road Research Technical Paper 39, HMSO, London, 1958.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from network_data.errors import PlanError
from sim.checks import FLOAT, GREEN_SHARE, NOT_NEGATIVE, POSITIVE, check, faults_of, share_of

BAND = (0.75, 1.5)
"""Cycles within these shares of the optimum cost little more delay [1]_."""
HOUR_S = 3600.0


def optimal_cycle_s(lost_s: float, flow_ratios: ArrayLike, names: Sequence[str] = ()) -> float:
    """Webster's cycle of least delay, (1.5 L + 5) / (1 − Y). [s]

    Parameters
    ----------
    lost_s : float
        Lost time per cycle, L. [s]
    flow_ratios : array_like, shape (P,)
        Flow over saturation flow of the critical movement of each phase; they add up to Y. [-]
    names : sequence of str
        Names of these movements, for errors.

    Raises
    ------
    PlanError
        A value out of its range; Y of 1 or more, with the movements that make it up: no cycle serves them.
    """
    return (1.5 * lost_s + 5) / _spare(lost_s, flow_ratios, names)


def minimum_cycle_s(lost_s: float, flow_ratios: ArrayLike, names: Sequence[str] = ()) -> float:
    """Shortest cycle that serves the flows if they came evenly, L / (1 − Y); arguments as `optimal_cycle_s`. [s]"""
    return lost_s / _spare(lost_s, flow_ratios, names)


def greens_s(cycle_s: float, lost_s: float, flow_ratios: ArrayLike, names: Sequence[str] = ()) -> FLOAT:
    """Effective greens in proportion to the critical flow ratios, shape (P,): y_i / Y (C − L). [s]

    Raises
    ------
    PlanError
        A value out of its range; no flow at all; a cycle no longer than the lost time.
    """
    y = np.atleast_1d(np.asarray(flow_ratios, np.float64))
    faults = _faults(lost_s, y, names)
    if not cycle_s > lost_s:
        faults.append(f"the cycle is {cycle_s:g} s with {lost_s:g} s lost; make it longer")
    if not faults and not y.sum() > 0:
        faults.append("there is no flow to share the green by; give the phases greens of their own")
    if faults:
        raise PlanError("Webster's greens", faults)
    return np.asarray(y / y.sum() * (cycle_s - lost_s), np.float64)


def _faults(lost_s: float, flow_ratios: FLOAT, names: Sequence[str]) -> list[str]:
    return faults_of("lost_s", lost_s, NOT_NEGATIVE) + faults_of("flow ratio", flow_ratios, NOT_NEGATIVE, names)


def _spare(lost_s: float, flow_ratios: ArrayLike, names: Sequence[str]) -> float:
    """1 − Y, checked."""
    y = np.atleast_1d(np.asarray(flow_ratios, np.float64))
    faults = _faults(lost_s, y, names)
    total = float(y.sum())
    if not faults and total >= 1:
        labels = list(names) if len(names) == len(y) else [f"phase {i + 1}" for i in range(len(y))]
        parts = ", ".join(f"{labels[i]} {y[i]:.3f}" for i in np.argsort(-y, kind="stable") if y[i] > 0)
        faults.append(
            f"critical flow ratios add up to {total:.3f}, needs below 1 ({parts}); "
            "no cycle serves this: add lanes, join phases or lower the demand"
        )
    if faults:
        raise PlanError("Webster's cycle", faults)
    return 1.0 - total


def webster_delay_s(
    cycle_s: ArrayLike,
    green_s: ArrayLike,
    flow_vph: ArrayLike,
    saturation_flow_vph: ArrayLike,
    names: Sequence[str] = (),
) -> FLOAT:
    """Mean delay per vehicle at a fixed-time signal, all three terms of [1]_; arrays broadcast.

    Parameters
    ----------
    cycle_s, green_s : array_like
        Cycle and effective green. [s]
    flow_vph, saturation_flow_vph : array_like
        Arriving and saturation flow. [veh/h]
    names : sequence of str
        Names of the movements, for errors.

    Returns
    -------
    ndarray
        Delay; the uniform part alone where there is no flow. [s/veh]

    Raises
    ------
    PlanError
        A value out of its range; movements with v/c of 1 or more, for which the formula has no value.
    """
    cycle, green, flow, saturation = (
        np.asarray(x, np.float64) for x in (cycle_s, green_s, flow_vph, saturation_flow_vph)
    )
    where, share = "Webster's delay", share_of(green, cycle)
    check(
        PlanError,
        where,
        ("cycle_s", cycle, POSITIVE),
        ("saturation_flow_vph", saturation, POSITIVE),
        ("flow_vph", flow, NOT_NEGATIVE),
        ("green share", share, GREEN_SHARE),
        names=names,
    )
    x = flow / (saturation * share)
    flat = np.atleast_1d(x).ravel()
    labels = list(names) if len(names) == flat.size else [f"number {i}" for i in range(flat.size)]
    full = [f"v/c of {labels[i]} is {flat[i]:.3f}, needs below 1; use the HCM delay" for i in np.flatnonzero(flat >= 1)]
    if full:
        raise PlanError(where, full)
    return np.asarray(webster_terms_s(cycle, share, flow / HOUR_S, x).sum(axis=0))


def webster_terms_s(cycle_s: FLOAT, share: FLOAT, flow_vps: FLOAT, x: FLOAT) -> FLOAT:
    """The uniform, the random and the (negative) correction term, stacked in front; checks nothing. [s/veh]"""
    q = np.maximum(flow_vps, 1e-12)  # no flow: x is 0 and so are both other terms
    uniform = cycle_s * (1 - share) ** 2 / (2 * (1 - share * x))
    random = x**2 / (2 * q * (1 - x))
    correction = -0.65 * np.cbrt(cycle_s / q**2) * x ** (2 + 5 * share)
    return np.stack(np.broadcast_arrays(uniform, random, correction))
