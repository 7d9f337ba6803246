"""Demand: how many vehicles want to make each movement in each interval, how sure that is, and what supports it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from network_data.errors import DemandError

FLOAT = NDArray[np.float64]

Z90 = 1.645
"""Standard errors on either side of the mean that hold 90 % of a normal distribution. [-]"""
Pair = tuple[str, str]
"""(from link, to link); an empty from enters the network on the to link, an empty to ends on the from link."""
Support = Literal["measured", "implied", "prior"]


def _unset() -> FLOAT:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Demand:
    """Turning flows of one day or scenario; M pairs, T intervals.

    Vehicles are booked at the second they would reach the movement in free flow. `dispersion` is the variance over the
    mean of 5-minute entry counts around their trend (Poisson: 1). [-] Ranges shall hold the truth in 9 of 10 cases:
    `low_veh` to `high_veh` of an interval, `total_low_veh` to `total_high_veh` of the whole period; where they are not
    given they follow from `sd_veh`, as if errors of all intervals went together. On `queued_links` loops saw a
    queue stand most of the time: there the counts are what was served, and more came.
    """

    begin_s: NDArray[np.float64]  # (T,)
    end_s: NDArray[np.float64]  # (T,)
    pairs: tuple[Pair, ...]
    veh: NDArray[np.float64]  # (M, T)
    sd_veh: NDArray[np.float64]  # (M, T), standard error of veh
    support: tuple[Support, ...]  # (M,)
    dispersion: float = 1.0
    label: str = ""
    low_veh: FLOAT = field(default_factory=_unset)  # (M, T)
    high_veh: FLOAT = field(default_factory=_unset)  # (M, T)
    total_low_veh: FLOAT = field(default_factory=_unset)  # (M,)
    total_high_veh: FLOAT = field(default_factory=_unset)  # (M,)
    queued_links: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        shape = (len(self.pairs), len(self.begin_s))
        if self.veh.shape != shape or self.sd_veh.shape != shape or len(self.support) != shape[0]:
            raise DemandError("demand", f"veh is {self.veh.shape} and sd_veh {self.sd_veh.shape}; both need {shape}")
        if not (np.isfinite(self.veh).all() and (self.veh >= 0).all()):
            raise DemandError("demand", "vehicle numbers must be finite and not negative")
        if self.low_veh.shape != shape or self.high_veh.shape != shape:
            object.__setattr__(self, "low_veh", np.maximum(self.veh - Z90 * self.sd_veh, 0.0))
            object.__setattr__(self, "high_veh", self.veh + Z90 * self.sd_veh)
        if self.total_low_veh.shape != shape[:1] or self.total_high_veh.shape != shape[:1]:
            object.__setattr__(self, "total_low_veh", self.low_veh.sum(axis=1))
            object.__setattr__(self, "total_high_veh", self.high_veh.sum(axis=1))


@dataclass(frozen=True, eq=False)
class DemandScenarios:
    """Several days as scenarios with weights that add up to 1.

    `within_veh` is, per scenario, the spread (standard deviation) of the days that it stands for around it, (M, T);
    empty where every day is a scenario. See `network_data.day_scenarios` for what follows from them.
    """

    scenarios: tuple[Demand, ...]
    weights: tuple[float, ...]
    within_veh: tuple[FLOAT, ...] = ()

    def __post_init__(self) -> None:
        faults = []
        if not self.scenarios or len(self.weights) != len(self.scenarios):
            faults.append(f"{len(self.scenarios)} scenarios have {len(self.weights)} weights; give one each")
        if not (all(w > 0 for w in self.weights) and abs(sum(self.weights) - 1) < 1e-6):
            faults.append(f"weights {self.weights} must be above 0 and add up to 1")
        if self.within_veh and [w.shape for w in self.within_veh] != [s.veh.shape for s in self.scenarios]:
            faults.append("within_veh needs the shape of each scenario's vehicles")
        if faults:
            raise DemandError("demand scenarios", faults)
