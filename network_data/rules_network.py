"""Rules on several controllers at once: a common cycle."""

from __future__ import annotations

from collections.abc import Iterator

from network_data.plans import TimingPlan
from network_data.rules_form import TOLERANCE_S
from network_data.rules_judged import Finding
from network_data.settings import Settings


def check_common_cycle(plan: TimingPlan, settings: Settings) -> Iterator[Finding]:
    """The signals of a group run the group's longest cycle, or half of it."""
    for group in settings.limits.common_cycle:
        cycles = {c: plan.controllers[c].cycle_s for c in group if c in plan.controllers}
        longest_s = max(cycles.values(), default=0.0)
        for c, cycle_s in cycles.items():
            if min(abs(cycle_s - longest_s), abs(2 * cycle_s - longest_s)) > TOLERANCE_S:
                yield Finding(
                    rule="common-cycle",
                    severity="error",
                    controller=c,
                    where="",
                    value=cycle_s,
                    limit=longest_s,
                    text=f"cycle {cycle_s:g} s; its group {', '.join(group)} runs {longest_s:g} s, or half of that",
                )
