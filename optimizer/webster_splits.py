"""Webster's greens for a sequence of stages: by the critical flow ratio of each, moved as little as the rules ask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from optimizer.flows import HeadFlows
from optimizer.skeleton import Skeleton
from optimizer.timings import repaired
from sim.webster import optimal_cycle_s

MOST_LOADED = 0.95
"""Critical flow ratios are counted up to this sum: beyond it no cycle serves them. [-]"""
LEAST_RATIO = 1e-3


def critical_ratios(skeleton: Skeleton, flows: HeadFlows) -> NDArray[np.float64]:
    """Largest flow over saturation flow of the heads of each stage, see `stage_ratios`; shape (stages,). [-]"""
    return stage_ratios(skeleton.states, skeleton.start_s, skeleton.stretch, flows)


def stage_ratios(
    states: Sequence[str], durations_s: NDArray[np.int64], stretch: NDArray[np.bool_], flows: HeadFlows
) -> NDArray[np.float64]:
    """Largest flow over saturation flow of the heads of each stage; shape (stages,). [-]

    A head belongs to one of the stages in which it is green: to one where it is protected, of these to the longest.
    Heads that are green in all of them bind none.
    """
    stages = [int(n) for n in np.flatnonzero(stretch)]
    out = np.full(len(stages), LEAST_RATIO)
    for head, ratio in enumerate(flows.needed_share()):
        shown = [
            ("Gg".index(states[i][head]), -int(durations_s[i]), n)
            for n, i in enumerate(stages)
            if states[i][head] in "Gg"
        ]
        if shown and len(shown) < len(stages) and ratio > 0:
            best = min(shown)[2]
            out[best] = max(out[best], float(ratio))
    return out


def lost_s(skeleton: Skeleton) -> float:
    """What the changes between stages take: start-up loss and use of yellow cancel. [s]"""
    return float(skeleton.start_s[~skeleton.stretch].sum())


def webster_cycle_s(skeleton: Skeleton, ratios: NDArray[np.float64]) -> float:
    """Webster's cycle, without bounds. [s]"""
    return optimal_cycle_s(lost_s(skeleton), ratios * min(1.0, MOST_LOADED / float(ratios.sum())))


def webster_splits(skeleton: Skeleton, ratios: NDArray[np.float64], cycle_s: int) -> NDArray[np.int64] | None:
    """Whole-second durations with greens in proportion to the ratios; None where the rules leave no room. [s]"""
    stages = np.flatnonzero(skeleton.stretch)
    spare_s = cycle_s - lost_s(skeleton)
    if not len(stages) or spare_s < len(stages):
        return None
    greens_s = ratios / ratios.sum() * spare_s
    durations = skeleton.start_s.copy()
    durations[stages] = np.maximum(1, np.floor(greens_s + 1e-9)).astype(np.int64)
    durations[stages[int(np.argmax(greens_s))]] += cycle_s - int(durations.sum())
    return repaired(durations, skeleton) if (durations >= 1).all() else None
