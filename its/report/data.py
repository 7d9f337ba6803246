"""What a report is made of, and how the tolerant parts of `run.json` are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.measures import Measures

MOST_SIGNALS = 100
"""Signals that get a chapter; the others stand in plan.csv and run.json."""


@dataclass(frozen=True, slots=True)
class DemandRow:
    """A movement's demand with its standard error and 90 % range, and what supports it. [veh/h]"""

    from_link: str
    to_link: str
    veh_per_h: float | None
    sd_veh_per_h: float | None
    support: str
    low_veh_per_h: float | None = None
    high_veh_per_h: float | None = None

    @property
    def label(self) -> str:
        """The movement's id, or where traffic enters or ends."""
        if not self.from_link:
            return f"enters on {self.to_link}"
        return f"{self.from_link}>{self.to_link}" if self.to_link else f"ends on {self.from_link}"


@dataclass(frozen=True, eq=False)
class ReportData:
    """One job: the network, the plan in the field and the new one, both measured, and the content of `run.json`.

    `most_signals`: of more signals, those whose delay changes most have a chapter.
    """

    network: RoadNetwork
    field: TimingPlan
    plan: TimingPlan
    before: Measures
    after: Measures
    run: Mapping[str, Any]
    most_signals: int = MOST_SIGNALS

    def part(self, name: str) -> Mapping[str, Any]:
        """A group of run.json; empty where it is missing."""
        return as_mapping(self.run.get(name))

    def rows(self, name: str) -> list[Any]:
        """A list of run.json; empty where it is missing."""
        return as_list(self.run.get(name))

    @cached_property
    def demand(self) -> tuple[DemandRow, ...]:
        """Demand per movement, as run.json tells it."""
        return tuple(_demand_row(as_mapping(row)) for row in as_list(self.part("demand").get("movements")))

    @property
    def period_h(self) -> float:
        """Length of the period planned for; one hour where run.json does not say. [h]"""
        period = self.part("period")
        begin_s, end_s = as_number(period.get("begin_s")), as_number(period.get("end_s"))
        return (end_s - begin_s) / 3600 if begin_s is not None and end_s is not None and end_s > begin_s else 1.0


def _demand_row(row: Mapping[str, Any]) -> DemandRow:
    return DemandRow(
        from_link=str(row.get("from_link") or ""),
        to_link=str(row.get("to_link") or ""),
        veh_per_h=as_number(row.get("veh_per_h")),
        sd_veh_per_h=as_number(row.get("sd_veh_per_h")),
        support=str(row.get("support", "?")),
        low_veh_per_h=as_number(row.get("low_veh_per_h")),
        high_veh_per_h=as_number(row.get("high_veh_per_h")),
    )


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a group, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """The value as a list: a single text counts as one, a missing one as none."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, Sequence) else []


def as_number(value: Any) -> float | None:
    """The value if it is a finite number, else None."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    return float(value) if math.isfinite(float(value)) else None
