"""What a job asks of green bands: which streets, how narrow they may be, what wide ones are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from network_data.arterials import Arterial
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from optimizer.bandwidth.progression import band_on, courses_of, efficiency, streets_of, widths
from optimizer.offsets.bands import Band


@dataclass(frozen=True, eq=False)
class WantedBands:
    """Streets with what the settings ask of them; nothing is asked where both numbers are 0."""

    streets: tuple[Arterial, ...]
    least_s: int
    worth_s: float

    @property
    def asked(self) -> bool:
        """Whether bands count at all."""
        return bool(self.streets) and (self.least_s > 0 or self.worth_s > 0)

    def hold(self, plan: TimingPlan) -> bool:
        """Whether no band is narrower than asked for."""
        if self.least_s <= 0:
            return True
        return all(one.width_s >= self.least_s for one in widths(self.streets, plan))

    def cost_s(self, plan: TimingPlan) -> float:
        """What is missing of bands as wide as the cycle, in seconds of delay per vehicle. [s/veh]"""
        return self.worth_s * (1 - efficiency(self.streets, plan)) if self.worth_s > 0 else 0.0

    def bands(self, plan: TimingPlan, cycle_s: int) -> tuple[Band, ...]:
        """The bands of all directions whose signals run this cycle."""
        found = [band_on(course, plan, self.least_s) for course in courses_of(self.streets)]
        return tuple(one[0] for one in found if one is not None and one[1] == cycle_s)

    def mixed(self, plan: TimingPlan) -> set[str]:
        """Controllers of streets on which no band exists because cycles differ."""
        return {
            stop.controller_id
            for course in courses_of(self.streets)
            if band_on(course, plan) is None
            for stop in course.stops
        }

    def record(self, before: TimingPlan, after: TimingPlan) -> list[dict[str, Any]]:
        """Bands of field plan and new plan, for run.json and the report."""
        return [
            {
                "street": new.street,
                "direction": new.direction,
                "width_before_s": old.width_s,
                "width_after_s": new.width_s,
                "efficiency_before": round(old.efficiency, 4),
                "efficiency_after": round(new.efficiency, 4),
                "attainability_before": round(old.attainability, 4),
                "attainability_after": round(new.attainability, 4),
                "least_s": self.least_s,
            }
            for old, new in zip(widths(self.streets, before), widths(self.streets, after), strict=True)
        ]


def wanted_bands(network: RoadNetwork, flows_vph: Mapping[tuple[str, str], float], settings: Settings) -> WantedBands:
    """Streets by their traffic, or those the settings name.

    Parameters
    ----------
    flows_vph : mapping
        (from link, to link) → flow. [veh/h]

    Raises
    ------
    SettingsError
        No street passes the controllers named.
    """
    by_movement = {m.id: flows_vph.get(m.pair, 0.0) for m in network.movements.values()}
    streets = streets_of(network, by_movement, settings.bandwidth.arterials)
    if settings.bandwidth.least_s > 0 and not settings.bandwidth.arterials:
        streets = streets[:1]  # a width asked for without a street means the main one
    return WantedBands(streets, round(settings.bandwidth.least_s), settings.objective.bandwidth)
