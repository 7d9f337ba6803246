"""Queues that must not fill links: the longest back of queue in the simulation against the room that settings allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from network_data.errors import InfeasibleError
from network_data.plans import TimingPlan
from sim.measures import Measures, measure
from sim.simulate import Simulator


@dataclass(frozen=True, eq=False)
class StorageGuard:
    """Links whose queue may take only so much of their room [-], and the simulation that tells what it takes."""

    simulator: Simulator
    limits: Mapping[str, float]

    def used(self, plan: TimingPlan) -> dict[str, float]:
        """Per link the longest back of queue over the room of its fullest lane, in any cycle of any realization. [-]"""
        return used_by(measure(self.simulator, plan), self.limits)

    def excess(self, plan: TimingPlan) -> float:
        """How far all links together lie above what they may take; 0 where none does. [-]"""
        return sum(max(0.0, use - self.limits[link]) for link, use in self.used(plan).items())

    def refuse(self, plan: TimingPlan, field: TimingPlan) -> None:
        """Say which links a plan still fills too far.

        Raises
        ------
        InfeasibleError
            At least one; with what the plan and the field's take.
        """
        used = self.used(plan)
        over = [link for link, use in used.items() if use > self.limits[link] + 1e-9]
        if over:
            today = self.used(field)
            told = "; ".join(
                f"link {link!r}: {100 * used[link]:.0f} % (the field plan: {100 * today.get(link, 0.0):.0f} %), "
                f"at most {100 * self.limits[link]:.0f} %"
                for link in over
            )
            raise InfeasibleError(
                f"storage: no plan was found whose queues keep within their room: {told}. This is what the search "
                "came to, no proof; give it more time, or loosen [limits] storage"
            )


def used_by(measures: Measures, limits: Mapping[str, float]) -> dict[str, float]:
    """What queues take of the room of some links, see `StorageGuard.used`. [-]"""
    out: dict[str, float] = dict.fromkeys(limits, 0.0)
    for group in measures.lane_groups.values():
        if group.link in out:
            out[group.link] = max(out[group.link], group.storage_use)
    return out
