"""May a turn lose its protected green? The four numbers that decide, for one link index.

A protected turn may become permitted only where it crosses few opposing lanes, the approach is slow, no crossing runs
against it, and the two flows leave it gaps, in every demand scenario.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from network_data.controllers import Controller
from network_data.demand import Demand, DemandScenarios
from network_data.network import Connection, RoadNetwork

MAX_OPPOSING_LANES = 2
MAX_SPEED_KPH = 60.0
MAX_PRODUCT_VPH2 = 50_000.0
OPPOSITE_DEG = 120.0
"""Approaches whose headings differ by at least this oppose each other."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Warrant:
    """Whether a turn may go unprotected, and the four numbers. `product` [(veh/h)²] is None without demand."""

    allowed: bool
    opposing_lanes: int
    speed_kph: float
    crossing_against: bool
    product: float | None
    opposing_indices: tuple[int, ...]
    text: str


def left_turn_warrant(
    network: RoadNetwork,
    controller: Controller,
    link_index: int,
    demand: DemandScenarios | None,
    *,
    known_product: float | None = None,
    assume_crossings: bool = False,
) -> Warrant:
    """Judge one link index.

    Parameters
    ----------
    network, controller : RoadNetwork, Controller
        Where it stands.
    link_index : int
        The turn.
    demand : DemandScenarios, optional
        Flows; the busiest hour of each scenario counts. Without them no warrant is given.
    known_product : float, optional
        Left flow times opposing flow per lane from an earlier proof, used where `demand` is None. [(veh/h)²]
    assume_crossings : bool
        Every signalled approach has a crossing, mapped or not.

    Notes
    -----
    Opposing lanes are the lanes of approaches from the other side to which the turn must yield. The speed is the
    highest limit of the own and the opposing approaches.
    """
    own = [network.connections[i] for i in controller.heads[link_index].connections]
    opposing = _opposing(network, own)
    lanes = {(c.from_link, c.from_lane) for c in opposing}
    links = {c.from_link for c in (*own, *opposing)}
    speed_kph = max((network.links[x].speed_mps for x in links), default=0.0) * 3.6
    against = any(c.yields_to_crossings for c in own) or (assume_crossings and _exits_signalled(network, own))
    product = known_product if demand is None else _product_vph2(demand, own, opposing, max(1, len(lanes)))
    faults = [
        text
        for wrong, text in (
            (not own or any(c.direction.lower() == "s" for c in own), "it is no turn"),
            (len(lanes) > MAX_OPPOSING_LANES, f"it crosses {len(lanes)} opposing lanes, at most {MAX_OPPOSING_LANES}"),
            (speed_kph > MAX_SPEED_KPH + 0.1, f"speed limit {speed_kph:.0f} km/h, at most {MAX_SPEED_KPH:.0f}"),
            (against, "a crossing runs against it"),
            (product is None, "its flows are not known"),
            (product is not None and not product < MAX_PRODUCT_VPH2, "its flow times opposing flow is too high"),
        )
        if wrong
    ]
    numbers = (
        f"{len(lanes)} opposing lanes, {speed_kph:.0f} km/h, {'a' if against else 'no'} crossing against it, "
        f"flow × opposing flow per lane {'unknown' if product is None else f'{product:,.0f} (veh/h)²'}"
    )
    return Warrant(
        allowed=not faults,
        opposing_lanes=len(lanes),
        speed_kph=speed_kph,
        crossing_against=against,
        product=product,
        opposing_indices=tuple(sorted({c.link_index for c in opposing if c.link_index is not None})),
        text=numbers if not faults else f"{numbers}: {'; '.join(faults)}",
    )


def _opposing(network: RoadNetwork, own: Iterable[Connection]) -> list[Connection]:
    """Connections from the other side to which the turn must yield."""
    seen: dict[int, Connection] = {}
    for connection in own:
        heading = _heading_deg(network, connection.from_link)
        for i in connection.yields_to:
            other = network.connections[i]
            if other.from_link == connection.from_link:
                continue
            turned = abs((heading - _heading_deg(network, other.from_link) + 180) % 360 - 180)
            if i in connection.conflicts and not turned < OPPOSITE_DEG:  # NaN (no shape) counts as opposing
                seen[i] = other
    return list(seen.values())


def _heading_deg(network: RoadNetwork, link_id: str) -> float:
    """Direction of the last stretch of a link; NaN where it has no shape."""
    shape = network.links[link_id].shape
    if len(shape) < 2:
        return math.nan
    (x0, y0), (x1, y1) = shape[-2], shape[-1]
    return math.degrees(math.atan2(y1 - y0, x1 - x0))


def _exits_signalled(network: RoadNetwork, own: Iterable[Connection]) -> bool:
    """Whether the leg a turn leaves by has a signalled approach, where a crossing is assumed."""
    signalled = {c.from_link for c in network.connections if c.controller_id is not None}
    back = {(network.links[x].from_node, network.links[x].to_node) for x in signalled}
    exits = [network.links[c.to_link] for c in own]
    return any((link.to_node, link.from_node) in back for link in exits)


def _product_vph2(
    demand: DemandScenarios, own: Iterable[Connection], opposing: Iterable[Connection], n_lanes: int
) -> float:
    """Largest over the scenarios of turn flow times opposing flow per lane. [(veh/h)²]"""
    own_pairs = {(c.from_link, c.to_link) for c in own}
    other_pairs = {(c.from_link, c.to_link) for c in opposing}
    return max(
        (_busiest_vph(s, own_pairs) * _busiest_vph(s, other_pairs) / n_lanes for s in demand.scenarios), default=0.0
    )


@functools.lru_cache(maxsize=8)
def _row_of(demand: Demand) -> dict[tuple[str, str], int]:
    """Pair → its row; large networks ask for thousands of turns."""
    return {pair: row for row, pair in enumerate(demand.pairs)}


def _busiest_vph(demand: Demand, pairs: set[tuple[str, str]]) -> float:
    """Flow over the busiest hour (over all where the demand is shorter). [veh/h]"""
    row_of = _row_of(demand)
    rows = sorted(row_of[pair] for pair in pairs if pair in row_of)
    veh = demand.veh[rows].sum(axis=0)
    best = 0.0
    for t, begin_s in enumerate(demand.begin_s):
        last = int(np.searchsorted(demand.end_s, begin_s + HOUR_S + 1e-6, side="right"))
        span_s = float(demand.end_s[max(last, t + 1) - 1] - begin_s)
        if span_s >= HOUR_S - 1e-6 or t == 0:
            best = max(best, float(veh[t : max(last, t + 1)].sum()) * HOUR_S / span_s)
    return best
