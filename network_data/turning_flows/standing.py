"""Queues that loops have seen: how many vehicles stand on each link as each interval ends, beyond those that roll."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.turning_flows.layout import Layout
from network_data.turning_flows.sensors import Sensors
from network_data.turning_flows.series import DaySeries

FLOAT = NDArray[np.float64]
STANDING_PCT = 40.0
"""A loop away from the stop line that is occupied so long has a queue standing on it. [%]"""
SPACE_M = 7.0
"""Length of a standing vehicle with its gap. [m]"""
QUEUE_SD = 0.4
"""Standard error of a queue that reaches a loop, as a share of its vehicles: it may reach further. [-]"""


@dataclass(frozen=True, eq=False)
class Standing:
    """Vehicles in queues at the borders of T intervals, and how unsure that is."""

    veh: FLOAT  # (L, T + 1)
    sd_veh: FLOAT  # (L, T + 1)

    @property
    def growth_sd_veh(self) -> FLOAT:
        """How much more may stand on each link at the end of the period than at its begin, (L,). [veh]"""
        last, first = self.sd_veh[:, -1], self.sd_veh[:, 0]
        return np.asarray(np.sqrt(last**2 + first**2) + np.abs(self.veh[:, -1] - self.veh[:, 0]))


def none_standing(n_link: int, n_interval: int) -> Standing:
    """No queue anywhere: demand at the second at which vehicles would come in free flow."""
    zero = np.zeros((n_link, n_interval + 1))
    return Standing(zero, zero)


def queues_seen(layout: Layout, sensors: Sensors, series: DaySeries, begin_s: FLOAT, end_s: FLOAT) -> Standing:
    """Queues that reach from the stop line over a loop, by its occupancy.

    A border between two intervals takes the mean of both; a link's longest queue counts, on all its lanes.
    """
    n_link, n_t = len(layout.unknowns.links), len(begin_s)
    by_interval = np.zeros((n_link, n_t))
    slot = np.searchsorted(begin_s, series.begin_s + 1e-6, side="right") - 1
    inside = (slot >= 0) & (slot < n_t) & (series.begin_s < end_s[-1])
    for detector in sensors.detectors:
        row = series.row.get(detector.id)
        if row is None or detector.kind == "stopbar":
            continue
        link = layout.unknowns.network.links[detector.link_id]
        occupancy = np.nan_to_num(series.occupancy_pct[row, inside])
        reach_m = link.lanes[detector.lane].length_m - detector.pos_m
        room = sum(lane.kind != "other" for lane in link.lanes) * reach_m / SPACE_M
        veh = np.where(occupancy > STANDING_PCT, room * np.minimum(occupancy / 80.0, 1.0), 0.0)
        i = layout.unknowns.index[detector.link_id]
        mean = np.bincount(slot[inside], veh, minlength=n_t) / np.maximum(np.bincount(slot[inside], minlength=n_t), 1)
        by_interval[i] = np.maximum(by_interval[i], mean)
    ends = np.concatenate([by_interval[:, :1], by_interval, by_interval[:, -1:]], axis=1)
    veh = (ends[:, :-1] + ends[:, 1:]) / 2
    return Standing(veh, QUEUE_SD * veh)
