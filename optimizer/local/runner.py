"""One signal among its stages: stay, or change to another second by second; it never jumps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.plans import OPEN
from optimizer.local.stage_pool import StagePool

DUE_S = 4.0
"""A red that would get too long is ended so early. [s]"""


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

    @property
    def free(self) -> bool:
        """Whether another stage may be chosen now."""
        return not self.left and self.hold_s <= 0

    @property
    def next_state(self) -> str:
        """What is to be shown in the second to come."""
        return self.left[0] if self.left else self.pool.stages[self.stage]

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
        if self.left:
            self.left.pop(0)
        else:
            self.hold_s = max(0, self.hold_s - 1)
            self.stay_s += 1

    def allowed(self) -> NDArray[np.bool_]:
        """Stages that may come next; where somebody's red gets too long only those that end it. (S,)"""
        pool = self.pool
        rest_s = pool.max_red_s - self.red_s - pool.longest_change_s - DUE_S
        out = np.ones(len(pool.stages), np.bool_)
        for k in np.argsort(rest_s, kind="stable"):
            if rest_s[k] > 0:
                break
            serving = out & np.array([stage[k] in OPEN for stage in pool.stages])
            if serving.any():
                out = serving
        return out
