"""Where the climb of large networks begins: closed-form stages and splits in common cycles, the best simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizer.candidate import Candidate, Setting, with_offset
from optimizer.moves import Neighbourhood
from optimizer.webster_splits import critical_ratios, lost_s, webster_splits

CYCLES_S = (40, 45, 50, 60, 75, 90, 115, 150)
"""Common cycles that are simulated, from the shortest on."""
OWN_GAIN = 0.03
"""A group starts in another cycle than most where the simulation promises it so much less delay. [-]"""


@dataclass(frozen=True, eq=False)
class ClosedForms:
    """Webster's greens for any sequence and cycle, or the largest reserve where these break a rule; kept."""

    hood: Neighbourhood
    _ratios: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)
    _found: dict[tuple[int, int, int], NDArray[np.int64] | None] = field(default_factory=dict)

    def ratios(self, at: int, skeleton: int) -> NDArray[np.float64]:
        """Critical flow ratio of each stage of a sequence. [-]"""
        key = (at, skeleton)
        if key not in self._ratios:
            model = self.hood.models[at]
            self._ratios[key] = critical_ratios(model.skeletons[skeleton], model.flows)
        return self._ratios[key]

    def durations(self, at: int, skeleton: int, cycle_s: int) -> NDArray[np.int64] | None:
        """Durations that keep every rule; None where there are none or the cycle is not allowed."""
        key = (at, skeleton, cycle_s)
        if key not in self._found:
            self._found[key] = self._made(at, skeleton, cycle_s) if self.hood.cycle_allowed(at, cycle_s) else None
        return self._found[key]

    def _made(self, at: int, skeleton: int, cycle_s: int) -> NDArray[np.int64] | None:
        model = self.hood.models[at]
        found = webster_splits(model.skeletons[skeleton], self.ratios(at, skeleton), cycle_s)
        if found is not None and self._lawful(at, skeleton, found):
            return found
        reserve = model.splits(skeleton, cycle_s)
        return reserve[0] if reserve is not None and self._lawful(at, skeleton, reserve[0]) else None

    def _lawful(self, at: int, skeleton: int, durations_s: NDArray[np.int64]) -> bool:
        return self.hood.keeps_rules(at, self.hood.held(at, Setting(skeleton, durations_s, 0)))

    def needed_share(self, at: int, skeleton: int, cycle_s: int) -> float:
        """Share of a cycle that critical flows and changes between stages take. [-]"""
        return float(self.ratios(at, skeleton).sum()) + lost_s(self.hood.models[at].skeletons[skeleton]) / cycle_s

    def setting(self, at: int, now: Setting, skeleton: int, cycle_s: int) -> Setting | None:
        """A signal with another sequence or in another cycle, the stage that the offset stands for where it was."""
        durations = self.durations(at, skeleton, cycle_s)
        if durations is None:
            return None
        model, old, half_s = self.hood.models[at], now, now.cycle_s // 2
        before_s = int(old.durations_s[: model.reference_row(old.skeleton)].sum()) if old.skeleton >= 0 else 0
        after_s = int(durations[: model.reference_row(skeleton)].sum())
        away_s = (old.offset_s + before_s + half_s) % old.cycle_s - half_s
        offset_s = round(away_s * cycle_s / old.cycle_s) - after_s
        made = self.hood.held(at, with_offset(Setting(skeleton, durations.copy(), 0), offset_s))
        return made if self.hood.keeps_rules(at, made) else None

    def common(self, start: Candidate, cycle_s: int, *, stages: bool) -> Candidate:
        """All that may in one cycle, with the stages that need least of it; others stay as they are."""
        out = list(start)
        for at in self.hood.open_controllers():
            usable = self.hood.models[at].usable if stages else [start[at].skeleton]
            for skeleton in sorted(usable, key=lambda x: (self.needed_share(at, x, cycle_s), x)):
                found = self.setting(at, start[at], skeleton, cycle_s)
                if found is not None:
                    out[at] = found
                    break
        return tuple(out)


def mixed(
    candidates: Sequence[Candidate], cost_s: Sequence[NDArray[np.float64]], groups: Sequence[Sequence[int]]
) -> Candidate | None:
    """The best candidate but for the groups that another one suits clearly better; None where that is nobody.

    Parameters
    ----------
    cost_s : sequence of ndarray, shape (S,)
        What each candidate costs around each signal. [veh·s]
    """
    best = int(np.argmin([cost.sum() for cost in cost_s]))
    out, odd = list(candidates[best]), False
    for group in groups:
        mine = [float(cost[list(group)].sum()) for cost in cost_s]
        own = int(np.argmin(mine))
        if mine[own] < (1 - OWN_GAIN) * mine[best]:
            odd = True
            for at in group:
                out[at] = candidates[own][at]
    return tuple(out) if odd else None
