"""The settings of day plans: `[day]`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from network_data.day_types import DayTypes
from network_data.settings_base import Section


class DaySettings(Section):
    """How a day is cut into plans. Gains are shares of the day's cost (its delay, as [objective] counts it)."""

    interval_s: float = Field(900, ge=300, le=3600, description="switches lie on multiples of this after midnight")
    min_plan_s: float = Field(1800, ge=300, le=43_200, description="no plan runs for a shorter time")
    most_plans: int = Field(5, ge=1, le=8)
    library: int = Field(6, ge=1, le=16, description="periods for which plans are made to choose from")
    plan_gain: float = Field(0.005, ge=0, le=1, description="least gain of a further plan")
    switch_gain: float = Field(0.001, ge=0, le=1, description="least gain of a further switch")
    transition: Literal["shortway", "add", "subtract", "dwell"] = "shortway"
    weekend: Literal["apart", "together"] = Field("apart", description="Saturdays and Sundays")
    holidays: Annotated[tuple[date, ...], Field(strict=False, description="are planned as Sundays")] = ()
    scenarios: int = Field(3, ge=1, le=10, description="days of each type that stand for all of them")

    @property
    def types(self) -> DayTypes:
        """Which type a date has."""
        return DayTypes(holidays=frozenset(self.holidays), together=self.weekend == "together")

    def faults(self) -> list[str]:
        """What contradicts itself."""
        if 86_400 % self.interval_s:
            return [f"[day] interval_s {self.interval_s:g} does not divide the day; use 300, 600, 900, 1800 or 3600"]
        return []
