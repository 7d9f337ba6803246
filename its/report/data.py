"""What a report is made of, and how the tolerant parts of `run.json` are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.measures import Measures


@dataclass(frozen=True, eq=False)
class ReportData:
    """One job: the network, the plan in the field and the new one, both measured, and the content of `run.json`."""

    network: RoadNetwork
    field: TimingPlan
    plan: TimingPlan
    before: Measures
    after: Measures
    run: Mapping[str, Any]

    def part(self, name: str) -> Mapping[str, Any]:
        """A group of run.json; empty where it is missing."""
        return as_mapping(self.run.get(name))

    def rows(self, name: str) -> list[Any]:
        """A list of run.json; empty where it is missing."""
        return as_list(self.run.get(name))

    @property
    def period_h(self) -> float:
        """Length of the period planned for; one hour where run.json does not say. [h]"""
        period = self.part("period")
        begin_s, end_s = as_number(period.get("begin_s")), as_number(period.get("end_s"))
        return (end_s - begin_s) / 3600 if begin_s is not None and end_s is not None and end_s > begin_s else 1.0


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a group, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """The value as a list: a single text counts as one, a missing one as none."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, Sequence) else []


def as_number(value: Any) -> float | None:
    """The value if it is a number that says something, else None."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    return None if math.isnan(float(value)) else float(value)
