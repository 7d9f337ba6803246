"""Webster's plan of every signal by itself: its own cycle, greens by critical flow ratios, the field's offsets."""

from __future__ import annotations

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.settings import Settings
from optimizer.flows import HeadFlows, head_flows, mean_flows_vph
from optimizer.models import merged
from optimizer.rulebook import rule_book
from optimizer.skeleton import Skeleton
from optimizer.webster_splits import critical_ratios, webster_cycle_s, webster_splits

LONGER_S = 60
"""Longer cycles that are tried where the rules leave no room. [s]"""


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
    """One signal: its stages and their critical flow ratios."""

    def __init__(self, skeleton: Skeleton, flows: HeadFlows, field: ControllerPlan) -> None:
        self.skeleton, self.field = skeleton, field
        self.ratios = critical_ratios(skeleton, flows)

    def cycle_s(self, settings: Settings) -> int:
        """Webster's cycle within the limits. [s]"""
        low_s, high_s = settings.limits.cycle_min_s, settings.limits.cycle_max_s
        return round(min(max(webster_cycle_s(self.skeleton, self.ratios), low_s), high_s))

    def plan(self, cycle_s: int) -> ControllerPlan:
        """The nearest longer cycle in which the rules leave room; the field's program where none does."""
        half_s = round(self.field.cycle_s) // 2
        offset_s = (round(self.field.offset_s) + half_s) % (2 * half_s) - half_s
        for wanted_s in range(cycle_s, cycle_s + LONGER_S):
            found = webster_splits(self.skeleton, self.ratios, wanted_s)
            if found is not None:
                return self.skeleton.plan(found, offset_s, "webster")
        return self.field
