"""One cycle for all to begin with: closed-form splits in every common cycle, the likely ones simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from optimizer.candidate import Candidate, Setting
from optimizer.moves import Neighbourhood
from optimizer.webster_splits import critical_ratios, webster_splits
from sim.profile import Profile

COARSE_S = (40, 50, 60, 75, 90, 115, 150)
FINE_S = 5
OWN_GAIN = 0.03
"""A group starts in another cycle than most where the filter promises it so much less delay. [-]"""


@dataclass(frozen=True, eq=False)
class Starts:
    """Closed-form plans to begin with: Webster's greens, or the largest reserve where these break a rule."""

    hood: Neighbourhood
    start: Candidate

    @cached_property
    def _ratios(self) -> dict[int, NDArray[np.float64]]:
        models = self.hood.models
        return {
            at: critical_ratios(models[at].skeletons[self.start[at].skeleton], models[at].flows)
            for at in self.hood.open_controllers()
        }

    def at_cycle(self, at: int, cycle_s: int) -> Setting | None:
        """One signal in a cycle, its offset in proportion; None where no closed form keeps the rules."""
        hood, now = self.hood, self.start[at]
        if not hood.cycle_allowed(at, cycle_s):
            return None
        model, half_s = hood.models[at], now.cycle_s // 2
        away_s = (now.offset_s + half_s) % now.cycle_s - half_s
        offset_s = round(away_s * cycle_s / now.cycle_s) % cycle_s
        durations = webster_splits(model.skeletons[now.skeleton], self._ratios[at], cycle_s)
        if durations is not None:
            setting = hood.held(at, Setting(now.skeleton, durations, offset_s))
            if hood.keeps_rules(at, setting):
                return setting
        reserve = model.splits(now.skeleton, cycle_s)
        if reserve is None:
            return None
        setting = hood.held(at, Setting(now.skeleton, reserve[0].copy(), offset_s))
        return setting if hood.keeps_rules(at, setting) else None

    def common(self, cycle_s: int) -> Candidate:
        """All that may in one cycle; others stay as they are."""
        out = list(self.start)
        for at in self._ratios:
            out[at] = self.at_cycle(at, cycle_s) or out[at]
        return tuple(out)


def likely_cycles(
    profile: Profile,
    hood: Neighbourhood,
    start: Candidate,
    groups: Sequence[Sequence[int]],
    link_signal: dict[str, int],
    plan: Callable[[Candidate], TimingPlan],
    most: int,
) -> list[Candidate]:
    """The best common cycles by the filter, best first, and one in which groups have the cycles that suit them.

    Parameters
    ----------
    most : int
        How many common cycles are handed back.
    """
    n, owner = len(start), np.array([link_signal[link] for link in profile.net.links], np.int64)
    starts = Starts(hood, start)
    known: dict[int, Candidate] = {}
    cost: dict[int, NDArray[np.float64]] = {}

    def look_at(cycles: Sequence[int]) -> None:
        fresh = [c for c in cycles if c not in known]
        fresh = [c for c in fresh if any(hood.cycle_allowed(at, c) for at in hood.open_controllers())]
        for c in fresh:
            known[c] = starts.common(c)
        if fresh:
            found = profile.run([plan(known[c]) for c in fresh])
            for c, delay_s in zip(fresh, found.link_delay_s, strict=True):
                cost[c] = np.bincount(owner, weights=delay_s, minlength=n + 1).astype(np.float64)

    look_at(COARSE_S)
    if not known:
        return []
    best = min(cost, key=lambda c: float(cost[c].sum()))
    look_at((best - FINE_S, best + FINE_S))
    ranked = sorted(cost, key=lambda c: float(cost[c].sum()))
    out = [known[c] for c in ranked[:most]]
    mixed, odd = list(known[ranked[0]]), False
    for group in groups:
        mine = {c: float(cost[c][list(group)].sum()) for c in cost}
        own = min(mine, key=lambda c: mine[c])
        if mine[own] < (1 - OWN_GAIN) * mine[ranked[0]]:
            odd = True
            for at in group:
                mixed[at] = known[own][at]
    return [*out, tuple(mixed)] if odd else out
