"""What a perfect set of counters would say of fixed routes: turning flows per 5 minutes and how clumped entries are."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand, Pair, Support
from network_data.network import RoadNetwork
from network_data.trips import Trips

INTERVAL_S = 300.0
LOWEST, HIGHEST = 1.0, 20.0
LEAST_VEH = 2.0
"""Entries with fewer vehicles an interval tell nothing of clumping. [veh]"""


def turning_flows(network: RoadNetwork, trips: Trips, begin_s: float, end_s: float) -> Demand:
    """Vehicles per movement and 5 minutes, counted from the routes; entries and exits too.

    A vehicle is booked at the second at which it would reach the movement in free flow; what would come after `end_s`
    is left out, as a counter would.
    """
    n_interval = max(1, round((end_s - begin_s) / INTERVAL_S))
    edges = np.linspace(begin_s, end_s, n_interval + 1)
    free_s = np.array([network.links[link].length_m / network.links[link].speed_mps for link in trips.links])
    veh: dict[Pair, NDArray[np.float64]] = defaultdict(lambda: np.zeros(n_interval))
    for v in range(len(trips)):
        way = trips.route_link[trips.route_start[v] : trips.route_start[v + 1]]
        at_s = float(trips.depart_s[v])
        names = ["", *(trips.links[i] for i in way), ""]
        passes_s = [at_s, *(at_s + np.cumsum(free_s[way]))]
        for origin, target, time_s in zip(names, names[1:], passes_s, strict=False):
            slot = int((time_s - begin_s) // (edges[1] - edges[0]))
            if 0 <= slot < n_interval:
                veh[origin, target][slot] += 1
    pairs = tuple(veh)
    counts = np.array([veh[pair] for pair in pairs])
    support: Support = "measured"
    return Demand(
        begin_s=edges[:-1],
        end_s=edges[1:],
        pairs=pairs,
        veh=counts,
        sd_veh=np.zeros_like(counts),
        support=(support,) * len(pairs),
        dispersion=clumping(counts[[not origin for origin, _ in pairs]]),
        label="true turns",
    )


def clumping(entries_veh: NDArray[np.float64]) -> float:
    """Variance over mean of 5-minute counts around a straight line, median over entries. [-]

    Parameters
    ----------
    entries_veh : ndarray, shape (E, T)
        Vehicles per entry and interval.
    """
    n = entries_veh.shape[1]
    if n < 3:
        return LOWEST
    at, ratios = np.arange(n), []
    for row in entries_veh:
        if row.mean() >= LEAST_VEH:
            rest = row - np.polyval(np.polyfit(at, row, 1), at)
            ratios.append(float((rest**2).sum()) / (n - 2) / float(row.mean()))
    return float(np.clip(np.median(ratios), LOWEST, HIGHEST)) if ratios else LOWEST
