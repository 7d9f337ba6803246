"""Levels of service at signals by control delay: A to F of the HCM, A to FFF of the Korean manual.

References
----------
.. [1] Transportation Research Board, "Highway Capacity Manual", 7th edition, exhibit 19-8 (the same since 2010).
.. [2] Korea Highway Capacity Manual 2013, table 8-2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from network_data.errors import DemandError
from sim.checks import NOT_NEGATIVE, check

HCM_BOUNDS_S = {"A": 10.0, "B": 20.0, "C": 35.0, "D": 55.0, "E": 80.0, "F": math.inf}
"""Longest control delay of each level [1]_. [s/veh]"""
KHCM_BOUNDS_S = {
    "A": 15.0, "B": 30.0, "C": 50.0, "D": 70.0, "E": 100.0, "F": 220.0, "FF": 340.0, "FFF": math.inf,
}  # fmt: skip
"""Longest control delay of each level [2]_. [s/veh]"""


def hcm_level(delay_s: float, x: float | None = None) -> str:
    """Level A to F; F wherever volume over capacity `x` is above 1 (lane groups; leave it out for whole signals)."""
    return str(hcm_levels(delay_s, 0.0 if x is None else x))


def khcm_level(delay_s: float) -> str:
    """Level A to FFF."""
    return str(khcm_levels(delay_s))


def hcm_levels(delay_s: ArrayLike, x: ArrayLike = 0.0) -> NDArray[np.str_]:
    """Levels A to F of many lane groups.

    Parameters
    ----------
    delay_s : array_like
        Control delay. [s/veh]
    x : array_like
        Volume over capacity; above 1 the level is F whatever the delay. [-]

    Raises
    ------
    DemandError
        A negative or missing delay or volume over capacity.
    """
    check(DemandError, "level of service", ("x", x, NOT_NEGATIVE))
    return np.where(np.asarray(x, np.float64) > 1, "F", _levels(delay_s, HCM_BOUNDS_S))


def khcm_levels(delay_s: ArrayLike) -> NDArray[np.str_]:
    """Levels A to FFF of many lane groups, by control delay alone. [s/veh]"""
    return _levels(delay_s, KHCM_BOUNDS_S)


def _levels(delay_s: ArrayLike, bounds_s: dict[str, float]) -> NDArray[np.str_]:
    check(DemandError, "level of service", ("delay_s", delay_s, NOT_NEGATIVE))
    names, limits = list(bounds_s), list(bounds_s.values())
    return np.asarray(np.array(names)[np.searchsorted(limits, np.asarray(delay_s, np.float64), side="left")])
