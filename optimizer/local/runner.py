"""One signal among its stages: stay, or change to another second by second; it never jumps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.plans import GREEN, OPEN
from optimizer.local.stage_pool import StagePool

DUE_S = 2.0
"""A red that would get too long is ended so early. [s]"""
LONG_S = 1e6
PATIENCE_S = 10
"""A state that may not be shown is asked for so often before another way is taken. [s]"""
AFTER_S = 30.0
"""From so long before it is due, a protected green called for comes first when its street's green ends. [s]"""
UNCALLED_S = 900.0
"""A turn that always finds its gaps gets its protected green as seldom as this. [s]"""
BLOCKED_S = 10.0
"""Who stands so long under a green that yields calls for a protected one. [s]"""


NEVER_S = 1_000_000
"""Stands for a stage that may not come next. [s]"""


@dataclass
class Runner:
    """Where a signal stands. `next_state` proposes, `commit` moves on when it was shown.

    Attributes
    ----------
    stage : int
        The stage that stands, or that a change leads to.
    left : list of str
        States of the change that are yet to be shown.
    stay_s : int
        Seconds for which the stage has stood. [s]
    """

    pool: StagePool
    stage: int
    left: list[str] = field(default_factory=list)
    stay_s: int = 1
    red_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.red_s = np.zeros(len(self.pool.stages[0]))
        # what is shown at the begin has been so for long
        self.green_s = np.where(self.pool.greens[self.stage], LONG_S, 0.0)
        self.closed_s = np.where(self.pool.greens[self.stage], 0.0, LONG_S)
        self.protected_s = np.where(self.pool.protects[self.stage], LONG_S, 0.0)
        self.refused_s = 0
        self.unprotected_s, self.blocked_s = np.zeros_like(self.red_s), np.zeros_like(self.red_s)
        self.wants = np.zeros(len(self.red_s), np.bool_)
        self._guarded = np.zeros(len(self.red_s), np.bool_)
        self._guarded[list(self.pool.guarded)] = True

    @property
    def free(self) -> bool:
        """Whether another stage may be chosen now."""
        if self.left:
            return False
        waits_s = self.waits_s()
        return bool((np.delete(waits_s, self.stage) <= 0).any()) if len(waits_s) > 1 else True

    @property
    def next_state(self) -> str:
        """What is to be shown in the second to come."""
        return self.left[0] if self.left else self.pool.stages[self.stage]

    def refused(self, shown: str) -> None:
        """The proposed state may not be shown: it waits; after long, another way is taken from what is shown."""
        self.refused_s += 1
        if self.refused_s >= PATIENCE_S:
            self.refused_s = 0
            self.left = list(self.pool.way_from(shown, self.stage))

    def waits_s(self) -> NDArray[np.int64]:
        """Seconds until each stage may come, by least greens that end with it and clearances of those ended before.

        Shape (S,); 0 at the standing one.
        """
        pool, at = self.pool, self.stage
        ends = pool.greens[at] & ~pool.greens
        wait_s = np.where(ends, pool.need_s - self.green_s, 0.0).max(1)
        if pool.guarded:
            loses = self._guarded & pool.protects[at] & ~pool.protects
            wait_s = np.maximum(wait_s, np.where(loses, pool.protected_s - self.protected_s, 0.0).max(1))
        begins = pool.greens & ~pool.greens[at]
        clear_s = np.where(pool.greens[at][:, None], -np.inf, pool.clearance_s - self.closed_s[:, None]).max(0)
        wait_s = np.maximum(wait_s, np.where(begins, clear_s - pool.starts_s[at], 0.0).max(1))
        wait_s = np.maximum(wait_s, 1.0 - self.stay_s)
        wait_s[at] = 0.0
        return np.asarray(np.maximum(0.0, np.ceil(wait_s - 1e-9)), np.int64)

    def go(self, stage: int) -> bool:
        """Start a change if it is possible now; tells whether it is."""
        if stage == self.stage or self.left or self.waits_s()[stage] > 0:
            return False
        self.left = list(self.pool.changes[self.stage, stage])
        self.stage, self.stay_s = stage, 0
        return True

    def commit(self) -> None:
        """The proposed state was shown for a second."""
        state = self.next_state
        self.red_s = np.where([letter in OPEN for letter in state], 0.0, self.red_s + 1.0)
        green = np.array([letter in GREEN for letter in state])
        self.green_s = np.where(green, self.green_s + 1.0, 0.0)
        self.closed_s = np.where(green, 0.0, self.closed_s + 1.0)
        self.refused_s = 0
        self.unprotected_s += 1.0
        if self.left:
            self.left.pop(0)
            self.protected_s[:] = 0.0
        else:
            protected = self.pool.protects[self.stage]
            self.protected_s = np.where(protected, self.protected_s + 1.0, 0.0)
            self.unprotected_s[protected] = 0.0
            self.wants &= ~protected
            self.stay_s += 1

    def allowed(self) -> NDArray[np.bool_]:
        """Stages that may come now, the standing one where it may stay. (S,)"""
        return np.asarray(self.from_s() == 0)

    def from_s(self) -> NDArray[np.int64]:
        """Seconds until each stage may come next; `NEVER_S` where somebody's red would get too long by it. (S,)"""
        waits_s = self.waits_s()
        fits = self._in_time(waits_s)
        if self.pool.guarded:
            fits = self._protecting(fits)
        if not (waits_s[fits] == 0).any():
            fits[self.stage] = True  # nothing else can be shown yet
        return np.where(fits, waits_s, NEVER_S)

    def _in_time(self, waits_s: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Stages after which all reds still end in time; where there are none, those that end the longest. (S,)"""
        pool = self.pool
        n_stage = len(pool.stages)
        rest_s = pool.max_red_s - self.red_s - DUE_S
        step_s = pool.longest_change_s + float(pool.hold_s.max())
        due = [int(k) for k in np.argsort(rest_s, kind="stable") if rest_s[k] <= step_s * (n_stage + 1)]
        if not due:
            return np.ones(n_stage, np.bool_)
        fits = np.array([self._chain(s, float(waits_s[s]), due, rest_s) for s in range(n_stage)])
        if fits.any():
            return fits
        wanted = np.ones(n_stage, np.bool_)
        for k in due:
            wanted = _among(wanted, pool.opens[:, k])
        return wanted

    def _chain(self, stage: int, wait_s: float, due: list[int], rest_s: NDArray[np.float64]) -> bool:
        """Whether all who are due are served in time when a stage comes now and they then come one after the other."""
        pool = self.pool
        change_s = float(pool.change_s[self.stage, stage])
        at, t = stage, wait_s + change_s
        leaves_s = t + float(pool.hold_s[self.stage, stage]) if stage != self.stage else self._ends_s() + 1.0
        opened = pool.opens[stage]
        if any(rest_s[k] < t for k in due if opened[k] and self.red_s[k] > 0 and stage != self.stage):
            return False
        waiting = [k for k in due if not opened[k]]
        while waiting:
            first = waiting[0]
            serving = pool.opens[:, first]
            for k in waiting[1:]:
                serving = _among(serving, pool.opens[:, k])
            options = np.flatnonzero(serving)
            following = int(min(options, key=lambda s: (pool.change_s[at, s] + pool.hold_s[at, s], s)))
            t = leaves_s + float(pool.change_s[at, following])
            if any(rest_s[k] < t for k in waiting if pool.opens[following, k]):
                return False
            leaves_s = t + float(pool.hold_s[at, following])
            at = following
            waiting = [k for k in waiting if not pool.opens[following, k]]
        return True

    def _ends_s(self) -> float:
        """Seconds until every green that stands may end. [s]"""
        green = self.pool.greens[self.stage]
        return float(max(0.0, np.where(green, self.pool.need_s - self.green_s, 0.0).max()))

    def note_blocked(self, blocked: NDArray[np.bool_]) -> None:
        """Remember who finds no gap: (H,) link indices of lanes whose first vehicle stands under a green of theirs."""
        state = self.pool.stages[self.stage]
        yields = np.array([letter == "g" for letter in state])
        self.blocked_s = np.where(blocked & yields & (not self.left), self.blocked_s + 1.0, 0.0)
        self.wants |= self.blocked_s >= BLOCKED_S

    def _protecting(self, out: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Turns that keep their protection get a protected green of their own when it is due."""
        pool, stay = self.pool, np.arange(len(self.pool.stages)) == self.stage
        for k in sorted(pool.guarded, key=lambda k: -self.unprotected_s[k]):
            due_s = float(pool.max_red_s[k]) if self.wants[k] else UNCALLED_S
            protects = pool.protects[:, k]
            if self.unprotected_s[k] >= due_s:
                out = _among(out, protects)
            elif self.unprotected_s[k] >= due_s - AFTER_S and pool.stages[self.stage][k] in OPEN and self.wants[k]:
                out = _among(out, protects | stay)
        return out


def _among(allowed: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the allowed that are wanted; where there are none, what was allowed."""
    both = allowed & wanted
    return both if both.any() else allowed
