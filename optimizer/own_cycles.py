"""The cycle that suits each signal alone: Webster's, from its critical flows and the intergreens of its program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan, TimingPlan
from network_data.settings import Limits
from optimizer.flows import head_flows, mean_flows_vph
from sim.webster import optimal_cycle_s

MOST_LOADED = 0.95
"""Critical flow ratios are counted up to this: beyond it no cycle serves them, and the longest is taken. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCycle:
    """What a signal needs by itself.

    `flow_ratio` is the sum of flow over saturation flow of the heads that cannot be green together and need most,
    `lost_s` the intergreens between these: start-up loss and use of yellow cancel, as in the HCM's default of 2 s each.
    """

    cycle_s: float
    flow_ratio: float
    lost_s: float


def own_cycles(
    network: RoadNetwork, plan: TimingPlan, demand: DemandScenarios, limits: Limits | None = None
) -> dict[str, OwnCycle]:
    """Webster's cycle of every signal for the mean demand, within the limits; controller id → cycle.

    Parameters
    ----------
    plan : TimingPlan
        Its programs tell which heads are green together, and how much lies between the others.
    limits : Limits, optional
        Bounds on cycles; default: those of the settings' defaults.

    Notes
    -----
    Where the critical flows exceed what any cycle can serve, it is the longest one allowed.
    """
    limits = limits or Limits.model_validate({})
    flows = mean_flows_vph(demand)
    out = {}
    for c, controller in network.controllers.items():
        needed = head_flows(network, controller, flows).needed_share()
        out[c] = _own_cycle(plan.controllers[c], needed, limits)
    return out


def _own_cycle(program: ControllerPlan, needed: NDArray[np.float64], limits: Limits) -> OwnCycle:
    green = np.array([[letter in GREEN for letter in interval.state] for interval in program.intervals]).T  # (H, I)
    patterns: dict[bytes, int] = {}
    for k in np.flatnonzero((needed > 0) & green.any(axis=1) & ~green.all(axis=1)):
        key = green[k].tobytes()
        if key not in patterns or needed[k] > needed[patterns[key]]:
            patterns[key] = int(k)
    heads = list(patterns.values())
    if not heads:
        return OwnCycle(cycle_s=limits.cycle_min_s, flow_ratio=0.0, lost_s=0.0)
    shown = green[heads]
    apart = ~(shown.astype(int) @ shown.T.astype(int)).astype(bool)
    lengths = np.array([interval.duration_s for interval in program.intervals])
    lost = np.array([_lost_s(shown[i], shown[apart[i]], lengths) for i in range(len(heads))])
    critical = _heaviest(apart, needed[heads])
    ratio, lost_s = float(needed[heads][critical].sum()), float(lost[critical].sum())
    cycle_s = optimal_cycle_s(lost_s, min(ratio, MOST_LOADED))
    bounded = float(np.clip(cycle_s, limits.cycle_min_s, limits.cycle_max_s))
    return OwnCycle(cycle_s=bounded, flow_ratio=ratio, lost_s=lost_s)


def _lost_s(mine: NDArray[np.bool_], others: NDArray[np.bool_], lengths: NDArray[np.float64]) -> float:
    """Shortest time from an end of this green to the next begin of one that it excludes, over its greens. [s]"""
    if not len(others):
        return 0.0
    n, taken = len(mine), np.asarray(others.any(axis=0))
    out = 0.0
    for end in np.flatnonzero(mine & ~np.roll(mine, -1)).tolist():
        for step in range(1, n):
            i = (end + step) % n
            if mine[i] or taken[i]:
                break
            out += float(lengths[i])
    return out


def _heaviest(apart: NDArray[np.bool_], weight: NDArray[np.float64]) -> list[int]:
    """The set of patterns, no two of which can be green together, that needs most; programs have few patterns."""
    best: tuple[float, list[int]] = (0.0, [])

    def grow(chosen: list[int], open_to: list[int], total: float) -> None:
        nonlocal best
        if total > best[0]:
            best = (total, chosen)
        rest = float(weight[open_to].sum()) if open_to else 0.0
        for n, i in enumerate(open_to):
            if total + rest <= best[0]:
                return
            grow([*chosen, i], [j for j in open_to[n + 1 :] if apart[i, j]], total + float(weight[i]))
            rest -= float(weight[i])

    grow([], sorted(range(len(weight)), key=lambda i: -weight[i]), 0.0)
    return best[1]
