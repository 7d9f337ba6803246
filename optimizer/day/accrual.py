"""When in a run vehicles lose their time: what a run's record says of each interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from network_data.trips import Trips
from sim import _tables as k
from sim.compile import TICKS
from sim.simulate import Record, Totals

Floats = NDArray[np.float64]


def lost_between(record: Record, totals: Totals, trips: Trips, begin_s: float, edges_s: Floats) -> Floats:
    """Seconds that vehicles lose in each of the intervals between edges, (len(edges_s) - 1,).

    Parameters
    ----------
    record, totals
        Of one run in which all vehicles count.
    trips : Trips
        Its vehicles.
    begin_s : float
        Its begin. [s after midnight]
    edges_s : ndarray
        Rising; the last one is the end of the run. [s after midnight]

    Notes
    -----
    The delay of a passage lies right before its end, the wait to enter between departure and first passage. Who left no
    passage waits to enter at the end of the run (or drives on the first link unhindered): what is missing to the
    run's delay is shared by them, by the time since they came.
    """
    edges = (edges_s - begin_s) * TICKS
    end = edges[-1]
    leave = np.minimum(record.column(k.LOG_LEAVE), end).astype(np.float64)
    out = _within(leave - record.column(k.LOG_DELAY), leave, edges)
    enter = np.full(len(trips), np.inf)
    np.minimum.at(enter, record.column(k.LOG_VEH).astype(np.int64), record.column(k.LOG_ENTER).astype(np.float64))
    depart = np.round((trips.depart_s - begin_s) * TICKS)
    seen = np.isfinite(enter)
    out += _within(depart[seen], enter[seen], edges)
    known = float(record.column(k.LOG_DELAY).sum()) + float((enter - depart)[seen].sum())
    waits = _within(depart[~seen], np.full(int((~seen).sum()), end), edges)
    if waits.sum() > 0:
        out += waits * max(0.0, totals.delay_s * TICKS - known) / waits.sum()
    return out / TICKS


def _within(first: Floats, last: Floats, edges: Floats) -> Floats:
    """Time that spans (first, last) have in each of the intervals between edges."""
    # what lies before an edge: all spans that have ended, and of those that are open the part until then
    order, rank = np.sort(first), np.sort(last)
    begun, ended = np.searchsorted(order, edges), np.searchsorted(rank, edges)
    first_sum, last_sum = np.concatenate([[0.0], np.cumsum(order)]), np.concatenate([[0.0], np.cumsum(rank)])
    before = (edges * begun - first_sum[begun]) - (edges * ended - last_sum[ended])
    return np.diff(before)
