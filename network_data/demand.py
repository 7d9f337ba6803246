"""Demand: how many vehicles want to make each movement in each interval, how sure that is, and what supports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from network_data.errors import DemandError

Pair = tuple[str, str]
"""(from link, to link); an empty from enters the network on the to link, an empty to ends on the from link."""
Support = Literal["measured", "implied", "prior"]


@dataclass(frozen=True, eq=False)
class Demand:
    """Turning flows of one day or scenario; M pairs, T intervals.

    Vehicles are booked at the second they would reach the movement in free flow. `dispersion` is the variance over the
    mean of 5-minute entry counts around their trend (Poisson: 1). [-]
    """

    begin_s: NDArray[np.float64]  # (T,)
    end_s: NDArray[np.float64]  # (T,)
    pairs: tuple[Pair, ...]
    veh: NDArray[np.float64]  # (M, T)
    sd_veh: NDArray[np.float64]  # (M, T), standard error of veh
    support: tuple[Support, ...]  # (M,)
    dispersion: float = 1.0
    label: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.pairs), len(self.begin_s))
        if self.veh.shape != shape or self.sd_veh.shape != shape or len(self.support) != shape[0]:
            raise DemandError("demand", f"veh is {self.veh.shape} and sd_veh {self.sd_veh.shape}; both need {shape}")
        if not (np.isfinite(self.veh).all() and (self.veh >= 0).all()):
            raise DemandError("demand", "vehicle numbers must be finite and not negative")


@dataclass(frozen=True, eq=False)
class DemandScenarios:
    """Several days as scenarios with weights that add up to 1."""

    scenarios: tuple[Demand, ...]
    weights: tuple[float, ...]
