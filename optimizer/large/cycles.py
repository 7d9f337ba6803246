"""One cycle for all to begin with: closed-form splits in every common cycle, the likely ones simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from optimizer.candidate import Candidate, Setting
from optimizer.moves import Neighbourhood
from sim.profile import Profile

COARSE_S = (40, 50, 60, 75, 90, 110, 135, 160)
FINE_S = 5
OWN_GAIN = 0.03
"""A group starts in another cycle than most where the filter promises it so much less delay. [-]"""


def in_common_cycle(hood: Neighbourhood, candidate: Candidate, cycle_s: int) -> Candidate:
    """All that may in one cycle with closed-form splits, offsets in proportion; others stay as they are."""
    out = list(candidate)
    for at in hood.open_controllers():
        now, model = candidate[at], hood.models[at]
        splits = model.splits(now.skeleton, cycle_s) if hood.cycle_allowed(at, cycle_s) else None
        if splits is None:
            continue
        half = now.cycle_s // 2
        around = (now.offset_s + half) % now.cycle_s - half
        setting = hood.held(
            at, Setting(now.skeleton, splits[0].copy(), round(around * cycle_s / now.cycle_s) % cycle_s)
        )
        if hood.keeps_rules(at, setting):
            out[at] = setting
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
    known: dict[int, Candidate] = {}
    cost: dict[int, NDArray[np.float64]] = {}

    def look_at(cycles: Sequence[int]) -> None:
        fresh = [c for c in cycles if c not in known]
        fresh = [c for c in fresh if any(hood.cycle_allowed(at, c) for at in hood.open_controllers())]
        for c in fresh:
            known[c] = in_common_cycle(hood, start, c)
        if fresh:
            found = profile.run([plan(known[c]) for c in fresh])
            for c, delay_s in zip(fresh, found.link_delay_s, strict=True):
                cost[c] = np.bincount(owner, weights=delay_s, minlength=n + 1).astype(np.float64)

    look_at(COARSE_S)
    if not known:
        return []
    best = min(cost, key=lambda c: float(cost[c].sum()))
    look_at((best - 2 * FINE_S, best - FINE_S, best + FINE_S, best + 2 * FINE_S))
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
