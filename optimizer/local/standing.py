"""Lanes that stand although they have green: their stop-line loop stays covered, and counts nobody.

Their first vehicle finds no gap, or no way out, or the junction itself is blocked. The engine sees neither the
junction nor what lies behind it; that nobody leaves is all it can know, and enough not to count on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.observations import Observation
from optimizer.local.layout import Layout
from optimizer.local.signal_model import SignalModel

STANDS_S = 6.0
"""Covered for so long under green while nobody passes: the lane stands. A queue is off its loop in 4 s. [s]"""
STILL = 0.1
"""What a lane that stands is yet expected to discharge, of what it would. [-]"""
BEHIND = 0.5
"""Where its first vehicle waits for a gap: the share of a lane that is yet expected to go freely. [-]"""
AGAIN = 0.5
"""After every free green in a row that it stood through, it is expected to discharge so much less. [-]"""
MOST_FAILED = 4
FORGET_S = 40.0
"""A green in vain is forgotten in so long: whether they can leave again shows only under green. [s]"""


class Service(NamedTuple):
    """Shares of each lane's discharge, by stage: free, and by gaps. (S, L) [-]"""

    base: NDArray[np.float64]
    perm: NDArray[np.float64]


class Standing:
    """Keeps for all lanes (G) of a layout how long they have stood under green; `update` once a second."""

    def __init__(self, layout: Layout) -> None:
        n = len(layout.lanes)
        self._bar = np.array([lane.stopbar for lane in layout.lanes])
        self._stood_s, self._failed = np.zeros(n), np.zeros(n)
        self._was_free, self._spoken = np.zeros(n, np.bool_), np.zeros(n, np.bool_)

    @property
    def stands(self) -> NDArray[np.bool_]:
        """Lanes that stand under the green they have. (G,)"""
        return np.asarray(self._stood_s >= STANDS_S)

    @property
    def jammed(self) -> NDArray[np.bool_]:
        """Lanes that stand, or stood through the last free green they had. (G,)"""
        return np.asarray(self.stands | (self._failed > 0))

    def update(self, seen: Observation, is_open: NDArray[np.bool_], is_free: NDArray[np.bool_]) -> None:
        """One second.

        Parameters
        ----------
        seen : Observation
            The loops of this second.
        is_open, is_free : ndarray, shape (G,)
            Lanes with green for any of their ways, and with green that yields to nobody for all of them.
        """
        told = np.where(self._bar >= 0, seen.sound[self._bar], False)
        count = np.where(told, np.nan_to_num(seen.count_veh)[self._bar], 0.0)
        self._spoken |= count > 0  # a loop that has never told anything proves nothing
        covered = told & self._spoken & (np.nan_to_num(seen.occupancy)[self._bar] > 0.9)
        ended = self._was_free & ~is_free
        self._failed = np.where(ended & self.stands, np.minimum(MOST_FAILED, np.ceil(self._failed) + 1.0), self._failed)
        self._failed = np.maximum(0.0, self._failed - 1.0 / FORGET_S)
        self._failed[(count > 0) | ~told] = 0.0
        self._stood_s = np.where(covered & is_open & (count == 0), self._stood_s + 1.0, 0.0)
        self._was_free = is_free.copy()

    def service(self, model: SignalModel, stage: int) -> Service:
        """What the stages of a signal let go while one of them stands, as far as lanes stand in it."""
        stands, failed = self.stands[model.lanes], self._failed[model.lanes]
        if not stands.any() and not failed.any():
            return Service(model.base, model.perm)
        base, perm = model.base * AGAIN**failed, model.perm * AGAIN**failed
        gaps = stands & (perm[stage] > 0)
        # where some of its ways yield, its first vehicle wants one of them; those behind it need not
        perm[stage, gaps] += (1.0 - BEHIND) * base[stage, gaps]
        base[stage, gaps] *= BEHIND
        base[stage, stands & ~gaps] *= STILL
        return Service(base, perm)
