"""One signal among its stages: stay, or change to another second by second; it never jumps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.plans import OPEN
from optimizer.local.stage_pool import StagePool

DUE_S = 4.0
"""A red that would get too long is ended so early. [s]"""
AFTER_S = 30.0
"""From so long before it is due, a protected green called for comes first when its street's green ends. [s]"""
UNCALLED_S = 900.0
"""A turn that always finds its gaps gets its protected green as seldom as this. [s]"""
BLOCKED_S = 10.0
"""Who stands so long under a green that yields calls for a protected one. [s]"""


@dataclass
class Runner:
    """Where a signal stands. `next_state` proposes, `commit` moves on when it was shown.

    Attributes
    ----------
    stage : int
        The stage that stands, or that a change leads to.
    left : list of str
        States of the change that are yet to be shown.
    hold_s : int
        Seconds that the stage has to stay yet. [s]
    stay_s : int
        Seconds for which the stage has stood. [s]
    """

    pool: StagePool
    stage: int
    left: list[str] = field(default_factory=list)
    hold_s: int = 0
    stay_s: int = 0
    red_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.red_s = np.zeros(len(self.pool.stages[0]))
        self.unprotected_s, self.blocked_s = np.zeros_like(self.red_s), np.zeros_like(self.red_s)
        self.wants = np.zeros(len(self.red_s), np.bool_)

    @property
    def free(self) -> bool:
        """Whether another stage may be chosen now."""
        return not self.left and self.hold_s <= 0

    @property
    def next_state(self) -> str:
        """What is to be shown in the second to come."""
        return self.left[0] if self.left else self.pool.stages[self.stage]

    def skip(self) -> bool:
        """Leave out the next state of a change, because it may not be shown; False where none is left."""
        if not self.left:
            return False
        self.left.pop(0)
        return True

    def go(self, stage: int) -> None:
        """Start a change; only when `free`."""
        if stage == self.stage:
            return
        self.left = list(self.pool.changes[self.stage, stage])
        self.stage, self.hold_s, self.stay_s = stage, self.pool.min_hold_s[stage], 0

    def commit(self) -> None:
        """The proposed state was shown for a second."""
        state = self.next_state
        self.red_s = np.where([letter in OPEN for letter in state], 0.0, self.red_s + 1.0)
        self.unprotected_s += 1.0
        if self.left:
            self.left.pop(0)
        else:
            protected = self.pool.protects[self.stage]
            self.unprotected_s[protected] = 0.0
            self.wants &= ~protected
            self.hold_s = max(0, self.hold_s - 1)
            self.stay_s += 1

    def allowed(self) -> NDArray[np.bool_]:
        """Stages that may come next; where somebody's red gets too long only those that end it. (S,)"""
        pool = self.pool
        out = np.ones(len(pool.stages), np.bool_)
        # one more change and stay may come before the one that is due, and one for each that is due before it
        step_s = pool.longest_change_s + max(pool.min_hold_s)
        rest_s = pool.max_red_s - self.red_s - pool.longest_change_s - DUE_S - step_s
        wanted: list[NDArray[np.bool_]] = []
        forced = False
        for k in np.argsort(rest_s, kind="stable"):
            if rest_s[k] > step_s * len(pool.stages):
                break
            serving = pool.opens[:, k]
            at = next((n for n, stages in enumerate(wanted) if (stages & serving).any()), len(wanted))
            wanted = [*wanted, serving] if at == len(wanted) else wanted
            wanted[at] = wanted[at] & serving
            forced |= bool(rest_s[k] <= step_s * at)
        if forced:
            out = _among(out, wanted[0])
        return self._protecting(out) if pool.guarded else out

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
