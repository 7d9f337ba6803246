"""Which loops may be trusted, second by second: silent, stuck and chattering ones are found, and taken back when well.

A loop is judged by itself and by those beside it: nothing for far longer than its own flow allows; covered without end;
more vehicles than a lane can carry. Values of an unsound loop are not used: the engine falls back on its history, and
says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from network_data.observations import HEALTH, Observation

STUCK_S = 200.0
"""Covered for so long without a break: with a longest red of 150 s no queue stands so long. [s]"""
GREEN_STUCK_S = 25.0
"""At a stop line: covered without a break through so much free green: a queue would have moved off it. [s]"""
LEAST_SILENT_S, LEAST_SEEN_VEH = 180.0, 20
SILENT_VEH = 12.0
"""So many vehicles should have come in the silence by the loop's own flow: chance alone, one in 160,000. [veh]"""
BESIDE_VEH = 8
"""Where the loops beside it have told no more than this since, traffic itself may have paused. [veh]"""
NEVER_S, NEVER_VEH = 120.0, 15
"""A loop that has never told anything is silent after so long, when those of its lane have told so many. [s, veh]"""
NEVER_LINK_S, NEVER_LINK_VEH = 300.0, 20
"""The same where it has the loops of other lanes beside it only. [s, veh]"""
MEMORY_S = 900.0
RECOVERY_VEH = 3
"""Vehicles that a loop has to tell, free in between, before it is trusted again. [veh]"""
CHATTER_MOST_VEH = 40
"""More vehicles in a minute than any lane carries: a queue discharges 30 to 35. [veh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChange:
    """A loop lost (or found again) at a second."""

    time_s: float
    detector_id: str
    code: int
    text: str


class HealthMonitor:
    """Keeps the record of every loop.

    Parameters
    ----------
    detector_ids : sequence of str
        Loops in the order of the observations.
    siblings : sequence of sequence of int
        Per loop those whose traffic tells whether it should have some: loops of the same lane, else of the link.
    same_lane : sequence of bool, optional
        Whether those are of the same lane; without it they are.
    """

    def __init__(
        self,
        detector_ids: Sequence[str],
        siblings: Sequence[Sequence[int]],
        same_lane: Sequence[bool] | None = None,
    ) -> None:
        n = len(detector_ids)
        near = np.ones(n, np.bool_) if same_lane is None else np.array(same_lane, np.bool_)
        self._never_s = np.where(near, NEVER_S, NEVER_LINK_S)
        self._never_veh = np.where(near, NEVER_VEH, NEVER_LINK_VEH)
        self._green_s = np.zeros(n)
        self.detector_ids, self._siblings = tuple(detector_ids), [list(x) for x in siblings]
        self._alone = np.array([not x for x in siblings], np.bool_)
        self.code = np.zeros(n, np.uint8)
        self._rate = np.zeros(n)
        self._quiet_s, self._covered_s = np.zeros(n), np.zeros(n)
        self._minute = np.zeros((60, n))
        self._beside, self._total = np.zeros(n), np.zeros(n)
        self._again, self._freed = np.zeros(n), np.zeros(n, np.bool_)
        self._n_seconds = 0

    def check(
        self, seen: Observation, may_go: NDArray[np.bool_] | None = None, in_jam: NDArray[np.bool_] | None = None
    ) -> tuple[Observation, list[HealthChange]]:
        """The observation with what is known of its loops' health, and what has changed.

        Parameters
        ----------
        may_go : ndarray, shape (n_detectors,), optional
            Loops at stop lines whose queue moved in this second: green without yielding, and room beyond.
        in_jam : ndarray, shape (n_detectors,), optional
            Loops on which a jam stands: that they stay covered says nothing.
        """
        told = np.isfinite(seen.count_veh)
        count = np.where(told, seen.count_veh, 0.0).astype(np.float64)
        covered = np.where(told, seen.occupancy, 0.0)
        self._remember(count, covered, seen.interval_s)
        if in_jam is not None:
            self._covered_s[in_jam] = 0.0
        moving = np.zeros(len(count), np.bool_) if may_go is None else may_go
        self._green_s = np.where(covered > 0.99, self._green_s + seen.interval_s * moving, 0.0)
        code = self._judge(told, count, covered)
        changes = [self._change(seen.time_s, int(k), int(code[k])) for k in np.flatnonzero(code != self.code)]
        self.code = code
        return replace(seen, health=np.maximum(seen.health, code)), changes

    def _remember(self, count: NDArray[np.float64], covered: NDArray[np.float64], seconds: float) -> None:
        self._minute[self._n_seconds % 60] = count
        self._n_seconds += 1
        self._total += count
        sound = self.code == HEALTH.SOUND
        weight = np.where(sound, min(1.0, seconds / min(MEMORY_S, self._n_seconds + 60.0)), 0.0)
        self._rate += weight * (count / seconds - self._rate)
        self._quiet_s = np.where((count > 0) | (covered > 0), 0.0, self._quiet_s + seconds)
        self._covered_s = np.where(covered > 0.99, self._covered_s + seconds, 0.0)
        beside = np.array([count[x].sum() if x else 0.0 for x in self._siblings])
        self._beside = np.where(self._quiet_s > 0, self._beside + beside, 0.0)

    def _judge(
        self, told: NDArray[np.bool_], count: NDArray[np.float64], covered: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        due_veh = self._rate * self._quiet_s
        lull = np.where(self._alone, due_veh < 2 * SILENT_VEH, self._beside < BESIDE_VEH)
        silent = (self._quiet_s > LEAST_SILENT_S) & (due_veh > SILENT_VEH) & (self._total >= LEAST_SEEN_VEH) & ~lull
        silent |= (self._total == 0) & (self._quiet_s > self._never_s) & (self._beside > self._never_veh)
        stuck = (self._covered_s > STUCK_S) | (self._green_s > GREEN_STUCK_S)
        chatter = self._minute.sum(0) > CHATTER_MOST_VEH
        fresh = np.where(~told | silent, HEALTH.SILENT, np.where(stuck | chatter, HEALTH.STUCK, HEALTH.SOUND))
        self._freed |= covered < 0.5
        ill = self.code != HEALTH.SOUND
        self._again = np.where(fresh != HEALTH.SOUND, 0.0, self._again + count)
        self._freed = np.where(fresh != HEALTH.SOUND, False, self._freed)
        well = (self._again >= RECOVERY_VEH) & self._freed
        return np.where(ill & (fresh == HEALTH.SOUND) & ~well, self.code, fresh).astype(np.uint8)

    def _change(self, time_s: float, k: int, code: int) -> HealthChange:
        name = self.detector_ids[k]
        if code == HEALTH.SOUND:
            text = f"detector {name!r} tells again; it is used again"
        elif code == HEALTH.SILENT:
            text = f"detector {name!r} has been silent for {self._quiet_s[k]:.0f} s; its history stands in"
        else:
            text = f"detector {name!r} is stuck or chatters; its history stands in"
        return HealthChange(time_s=time_s, detector_id=name, code=code, text=text)
