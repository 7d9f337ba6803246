"""A lane whose vehicles leave one behind the other, to different ways: what it serves while some ways are closed.

The state is the chance that the first vehicle wants each way. While a set of ways is open, every vehicle that leaves is
followed by one that wants way i with the share p_i; the first that wants a closed way holds up all others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOAT = NDArray[np.float64]
MOST_CYCLES = 20
SAME = 1e-6


def fifo_rates(piece_s: FLOAT, way_vps: FLOAT, shares: FLOAT) -> FLOAT:
    """Expected flow out of a queued lane in each piece of a periodic cycle.

    Parameters
    ----------
    piece_s : ndarray, shape (K,)
        Lengths of the pieces. [s]
    way_vps : ndarray, shape (W, K)
        What each way would serve if all vehicles wanted it; 0 while it is closed. [veh/s]
    shares : ndarray, shape (W,)
        Share of the vehicles that want each way; adds up to 1. [-]

    Returns
    -------
    ndarray, shape (K,)
        Flow while there is a queue. [veh/s]

    Notes
    -----
    With the first vehicle drawn afresh this is the HCM's time until the first left-turner blocks the lane (equation
    31-96) and its sneakers of a shared lane (31-60). The state is followed until it comes back to where it was.
    """
    n_open = np.count_nonzero(way_vps > 0, axis=0)
    if np.isin(n_open, (0, len(way_vps))).all():  # all ways or none: no state to follow
        pace_s = (shares[:, None] / np.where(way_vps > 0, way_vps, np.inf)).sum(axis=0)
        return np.where(pace_s > 0, 1 / np.where(pace_s > 0, pace_s, 1.0), 0.0)
    head = shares.copy()
    out = np.zeros(len(piece_s))
    for _ in range(MOST_CYCLES):
        begun = head
        for n in range(len(piece_s)):
            head, out[n] = _piece(head, way_vps[:, n], shares, piece_s[n])
        if np.abs(head - begun).max() < SAME:
            break
    return out


def _piece(head: FLOAT, rates: FLOAT, shares: FLOAT, piece_s: float) -> tuple[FLOAT, float]:
    """The chances for the first vehicle after a piece, and the mean flow in it."""
    is_open = rates > 0
    going, ready = float(shares[is_open].sum()), float(head[is_open].sum())
    wanted = is_open & (head + shares > 0)
    if not wanted.any() or ready <= 0:
        return head, 0.0
    # ways count as often as they are wanted; where nobody wants an open one, as often as the first vehicle does
    weight = shares if going > 0 else head
    pace = float(weight[is_open].sum() / (weight[is_open] / rates[is_open]).sum())
    n_places = pace * piece_s
    closed = 1.0 - going
    if closed <= 1e-12:
        return np.where(n_places >= 1, shares, head + (shares - head) * n_places), pace * min(1.0, ready)
    stays = (1.0 - closed) ** n_places if closed < 1 else max(0.0, 1.0 - n_places)
    left = ready * (1.0 - stays) / closed
    after = head.copy()
    after[~is_open] += (ready - ready * stays) * shares[~is_open] / closed
    after[is_open] = ready * stays * (shares[is_open] / going if going > 0 else head[is_open] / ready)
    return after, left / piece_s
