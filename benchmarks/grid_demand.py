"""Demand of a grid near a given share of capacity: entries and ends on every link, routes by turning shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.grids import CYCLE_S, LEGS, Grid, green_s
from network_data.demand import Demand
from network_data.network import RoadNetwork
from network_data.trips import Trips
from sim.trips import draw_trips

SATURATION_VPH = 1700.0
"""Vehicles per hour of green and lane. [veh/h]"""
SHARED_WITH_LEFT = {1: 0.6, 2: 0.2}
"""What is left of a straight lane's capacity where permitted left turns share it, by lanes of the street. [-]"""
TURN_SHARES = {"r": 0.13, "s": 0.77, "l": 0.10}
ENDS_HERE = 0.13
"""Of the vehicles on a link, those that end there. [-]"""
SWING, SWING_S = 0.1, 900.0
"""The demand is below its mean by this share and above it in turn, for so long each. [-], [s]"""
SPREAD = 0.05
"""Links differ in their load: standard deviation over mean. [-]"""


def capacity_vph(grid: Grid) -> dict[str, float]:
    """Capacity of every link that ends at a signal: its straight lanes in the green of its main stage. [veh/h]"""
    out = {}
    for i, j in grid.signals.values():
        green = green_s(grid, i, j)
        for leg in range(LEGS):
            lanes = grid.lanes(leg, i, j)
            share = green["ns" if leg % 2 else "ew"] / CYCLE_S
            factors = [SHARED_WITH_LEFT[len(lanes)] if "l" in turns else 1.0 for turns in lanes if "s" in turns]
            out[grid.link(leg, i, j)] = SATURATION_VPH * share * sum(factors)
    return out


def grid_demand(
    grid: Grid, network: RoadNetwork, *, load: float, length_s: float, seed: int, dispersion: float = 1.0
) -> Demand:
    """Turning flows that use `load` of the capacity of the links, as far as flows that are conserved can.

    Every link has a target near `load` of its capacity; turning shares are bent towards links that have room, what is
    too much ends on the link before, what is missing enters there.
    """
    index = {link: n for n, link in enumerate(network.links)}
    from_link, to_link, weight = _turn_table(network, index)
    rng = np.random.default_rng(seed)
    known = capacity_vph(grid)
    capacity = np.array([known.get(link, np.inf) for link in network.links])
    factor = np.clip(rng.normal(1.0, SPREAD, len(index)), 1 - 2 * SPREAD, 1 + 2 * SPREAD)
    target = np.where(np.isfinite(capacity), load * factor * np.where(np.isfinite(capacity), capacity, 0.0), np.inf)
    flow = np.where(np.isfinite(target), target, 0.0)
    asked = np.bincount(to_link, weights=flow[from_link] * weight, minlength=len(index))
    share = weight * np.minimum(1.0, target / np.maximum(asked, 1e-9))[to_link]
    inflow = np.bincount(to_link, weights=flow[from_link] * share, minlength=len(index))
    entering = np.where(np.isfinite(target), np.maximum(0.0, target - inflow), 0.0)
    ending = np.maximum(0.0, flow - np.bincount(from_link, weights=flow[from_link] * share, minlength=len(index)))
    links = list(network.links)
    pairs = [("", link) for link in links]
    pairs += [(links[a], links[b]) for a, b in zip(from_link, to_link, strict=True)] + [(link, "") for link in links]
    vph = np.concatenate([entering, flow[from_link] * share, ending])
    edges_s = np.append(np.arange(0.0, length_s, SWING_S), float(length_s))
    swing = 1 + SWING * np.where(np.arange(len(edges_s) - 1) % 2, 1, -1)
    veh = vph[:, None] / 3600 * swing * np.diff(edges_s)
    return Demand(
        begin_s=edges_s[:-1],
        end_s=edges_s[1:],
        pairs=tuple(pairs),
        veh=veh,
        sd_veh=np.sqrt(veh),
        support=tuple("measured" for _ in pairs),
        dispersion=dispersion,
    )


def _turn_table(
    network: RoadNetwork, index: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """From link, to link and share of every movement."""
    kinds = {(c.from_link, c.to_link): c.direction for c in network.connections}
    rows = [(index[a], index[b], TURN_SHARES[turn] * (1 - ENDS_HERE)) for (a, b), turn in kinds.items()]
    return (
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows]),
    )


def grid_trips(grid: Grid, network: RoadNetwork, *, load: float, length_s: float, seed: int) -> Trips:
    """One realization of the demand: vehicles with departure and route."""
    return draw_trips(network, grid_demand(grid, network, load=load, length_s=length_s, seed=seed), seed=seed)
