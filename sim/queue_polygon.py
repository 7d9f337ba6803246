"""Uniform delay as the area under a queue polygon: incremental queue accumulation for any signal and arrival pattern.

The cycle is cut into pieces in which vehicles arrive and are served at constant rates. The queue is periodic: what is
left at the end of the cycle stands at its begin.

References
----------
.. [1] Transportation Research Board, "Highway Capacity Manual", 7th edition, equations 19-32 to 19-36, 31-9.
.. [2] D. W. Strong and N. M. Rouphail, "Incorporating the Effects of Traffic Signal Progression Into the Proposed
   Incremental Queue Accumulation (IQA) Method", 2005.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from network_data.errors import PlanError
from sim.checks import FLOAT, GREEN_SHARE, NOT_NEGATIVE, POSITIVE, SHARE, check, share_of


@dataclass(frozen=True, eq=False, kw_only=True)
class QueuePolygon:
    """The periodic queue of each of G lane groups over a cycle of K pieces.

    `x` is volume over capacity [-]; where it is above 1 the polygon is that of arrivals scaled down to capacity, as the
    manual counts a volume over capacity above 1 as 1 here.
    """

    delay_s: FLOAT  # (G,) per vehicle; 0 where none comes
    x: FLOAT  # (G,)
    arrival_vps: FLOAT  # (G, K), scaled down where x is above 1
    queue_veh: FLOAT  # (G, K + 1) at the piece's ends
    cleared_s: FLOAT  # (G, K) into the piece until the queue is gone; the piece's length where it is not
    longest_veh: FLOAT  # (G,)
    queued_share: FLOAT  # (G,) vehicles that join a queue


def queue_polygon(piece_s: ArrayLike, arrival_vps: ArrayLike, service_vps: ArrayLike) -> QueuePolygon:
    """The periodic queue under piecewise constant rates.

    Parameters
    ----------
    piece_s : array_like, shape (G, K) or (K,)
        Lengths of the pieces. [s]
    arrival_vps, service_vps : array_like, shape (G, K)
        Arriving flow, and the flow that could be served. [veh/s]

    Raises
    ------
    PlanError
        A value out of its range; a group that never is served.

    Notes
    -----
    Starting empty, one cycle leads to the periodic queue: what a steady queue holds at the cycle's end goes back at
    most one cycle, since over a whole cycle at least as many are served as arrive.
    """
    arrival, service = (np.atleast_2d(np.asarray(v, np.float64)) for v in (arrival_vps, service_vps))
    piece, arrival, service = np.broadcast_arrays(np.atleast_2d(np.asarray(piece_s, np.float64)), arrival, service)
    rules = [
        ("piece_s", piece, NOT_NEGATIVE),
        ("arrival_vps", arrival, NOT_NEGATIVE),
        ("service_vps", service, NOT_NEGATIVE),
    ]
    check(PlanError, "queue polygon", *rules)
    cycle, demand, supply = piece.sum(1), (piece * arrival).sum(1), (piece * service).sum(1)
    check(PlanError, "queue polygon", ("cycle", cycle, POSITIVE), ("vehicles served per cycle", supply, POSITIVE))
    x = demand / supply
    arrival = arrival / np.maximum(1.0, x)[:, None]
    left, _, _ = _once(piece, arrival, service, np.zeros(len(cycle)))
    queue, cleared, area = _once(piece, arrival, service, left[:, -1])
    veh = (piece * arrival).sum(1)
    some = np.where(veh > 0, veh, 1.0)
    return QueuePolygon(
        delay_s=area / some,
        x=x,
        arrival_vps=arrival,
        queue_veh=queue,
        cleared_s=cleared,
        longest_veh=queue.max(1),
        queued_share=(arrival * cleared).sum(1) / some,
    )


def _once(piece: FLOAT, arrival: FLOAT, service: FLOAT, start_veh: FLOAT) -> tuple[FLOAT, FLOAT, FLOAT]:
    """One cycle from a starting queue: the queue at the pieces' ends, when it is gone, and its area. [veh·s]"""
    queue = np.empty((piece.shape[0], piece.shape[1] + 1))
    cleared = np.empty_like(piece)
    area = np.zeros(len(start_veh))
    queue[:, 0] = start_veh
    for n in range(piece.shape[1]):
        growth, here = arrival[:, n] - service[:, n], queue[:, n]
        empties = (growth <= 0) & (here + growth * piece[:, n] <= 0)
        pace = np.where(empties & (growth < 0), -growth, 1.0)
        cleared[:, n] = np.where(empties, np.where(growth < 0, here / pace, 0.0), piece[:, n])
        queue[:, n + 1] = np.maximum(0.0, here + growth * cleared[:, n])
        area += (here + queue[:, n + 1]) / 2 * cleared[:, n]
    return queue, cleared, area


def two_piece_polygon(
    *, cycle_s: ArrayLike, green_s: ArrayLike, flow_vph: ArrayLike, capacity_vph: ArrayLike, on_green: ArrayLike
) -> QueuePolygon:
    """The manual's polygon of one green per cycle, with a share `on_green` of the vehicles arriving during it.

    Parameters
    ----------
    cycle_s, green_s : array_like, shape (G,)
        Cycle and effective green. [s]
    flow_vph, capacity_vph : array_like, shape (G,)
        Flow and capacity. [veh/h]
    on_green : array_like, shape (G,)
        Share of the vehicles that arrive on green. [-]
    """
    values = (np.atleast_1d(np.asarray(v, np.float64)) for v in (cycle_s, green_s, flow_vph, capacity_vph, on_green))
    cycle, green, flow, capacity, p = np.broadcast_arrays(*values)
    check(
        PlanError,
        "queue polygon",
        ("cycle_s", cycle, POSITIVE),
        ("on_green", p, SHARE),
        ("flow_vph", flow, NOT_NEGATIVE),
        ("green share", share_of(green, cycle), GREEN_SHARE),
        ("capacity_vph", capacity, POSITIVE),
    )
    red = cycle - green
    per_cycle = flow / 3600 * cycle
    on_red = np.where(red > 0, (1 - p) * per_cycle / np.where(red > 0, red, 1.0), 0.0)
    arrival = np.stack([on_red, np.where(red > 0, p, 1.0) * per_cycle / green], axis=1)
    service = np.stack([np.zeros_like(red), capacity / 3600 * cycle / green], axis=1)
    return queue_polygon(np.stack([red, green], axis=1), arrival, service)
