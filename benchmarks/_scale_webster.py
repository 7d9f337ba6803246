"""Webster's plan of every signal by itself: its own cycle, greens by critical flow ratios, the field's offsets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.settings import Settings
from optimizer.flows import HeadFlows, head_flows, mean_flows_vph
from optimizer.models import merged
from optimizer.rulebook import rule_book
from optimizer.skeleton import Skeleton
from optimizer.timings import repaired
from sim.webster import greens_s, optimal_cycle_s

MOST_LOADED = 0.95
"""Critical flow ratios are counted up to this sum: beyond it no cycle serves them. [-]"""


def webster_plan(network: RoadNetwork, field: TimingPlan, demand: DemandScenarios, *, common: bool) -> TimingPlan:
    """Every stage of the field's sequence with Webster's green, within the rules of the default settings.

    Parameters
    ----------
    common : bool
        All signals in the longest of their cycles, as a coordinated system is laid out, else each in its own.
    """
    flows, settings = mean_flows_vph(demand), Settings()
    rows = {
        c: _Signal(
            rule_book(network, controller, field.controllers[c], settings).skeleton(
                "field", *merged(field.controllers[c])
            ),
            head_flows(network, controller, flows),
            field.controllers[c],
        )
        for c, controller in network.controllers.items()
    }
    longest = max(row.cycle_s(settings) for row in rows.values())
    return TimingPlan(
        controllers={c: row.plan(longest if common else row.cycle_s(settings)) for c, row in rows.items()}
    )


class _Signal:
    """One signal: its stages' critical flow ratios and what changes between them take."""

    def __init__(self, skeleton: Skeleton, flows: HeadFlows, field: ControllerPlan) -> None:
        self.skeleton, self.field = skeleton, field
        self.stages = np.flatnonzero(skeleton.stretch)
        self.ratios = np.maximum(_critical(skeleton, flows, self.stages), 1e-3)
        self.lost_s = float(skeleton.start_s[~skeleton.stretch].sum())

    def cycle_s(self, settings: Settings) -> int:
        """Webster's cycle within the limits. [s]"""
        scale = min(1.0, MOST_LOADED / float(self.ratios.sum()))
        cycle_s = optimal_cycle_s(self.lost_s, self.ratios * scale)
        return round(min(max(cycle_s, settings.limits.cycle_min_s), settings.limits.cycle_max_s))

    def plan(self, cycle_s: int) -> ControllerPlan:
        """Greens by flow ratios, moved as little as the rules ask; the field's program where they leave no room."""
        for wanted_s in range(cycle_s, cycle_s + 60):
            greens = greens_s(float(wanted_s), self.lost_s, self.ratios)
            durations = self.skeleton.start_s.copy()
            durations[self.stages] = np.maximum(1, np.floor(greens)).astype(np.int64)
            durations[self.stages[int(np.argmax(greens))]] += wanted_s - int(durations.sum())
            found = repaired(durations, self.skeleton)
            if found is not None:
                half = round(self.field.cycle_s) // 2
                offset_s = (round(self.field.offset_s) + half) % round(self.field.cycle_s) - half
                return self.skeleton.plan(found, offset_s, "webster")
        return self.field


def _critical(skeleton: Skeleton, flows: HeadFlows, stages: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest flow over saturation flow of the heads of each stage; a head belongs to one stage.

    Of several stages in which it is green: to one where it is protected, of these to the longest.
    """
    need = flows.needed_share()
    out = np.zeros(len(stages))
    for head, ratio in enumerate(need):
        shown = [
            ("Gg".index(skeleton.states[i][head]), -int(skeleton.start_s[i]), n)
            for n, i in enumerate(stages)
            if skeleton.states[i][head] in "Gg"
        ]
        if shown and len(shown) < len(stages) and ratio > 0:
            best = min(shown)[2]
            out[best] = max(out[best], float(ratio))
    return out
