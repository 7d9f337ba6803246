"""`dayplan.json`: which plan runs from when on, on each type of day, with the plans themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from network_data.day_types import DayTypes, local_clock, zone_of
from network_data.errors import DemandError, PlanError
from network_data.formats.files import read_bytes
from network_data.formats.plan_json import plan_of_document
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DayPlan

FORMAT: Literal["its-dayplan"] = "its-dayplan"
VERSION: Literal[1] = 1
MAX_BYTES = 512 << 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SwitchRow(_Part):
    """From a second after local midnight on a plan runs; `at` says the same for people."""

    at_s: float = Field(ge=0, lt=86_400)
    at: str
    plan: str


class WeekRows(_Part):
    """One way through the week: rows for each type of day, what it is called, and its cost as the run tells it."""

    name: str
    types: dict[str, list[SwitchRow]]
    delay_s_per_veh: dict[str, float] = {}
    cost_veh_s: dict[str, float] = {}


class DayPlanDocument(_Part):
    """The file. `week` is what is to run; `others` are what it was held against."""

    format: Literal["its-dayplan"] = FORMAT
    version: Literal[1] = VERSION
    network_hash: str
    inputs: dict[str, str]
    engine: dict[str, str]
    seed: int
    time_zone: str | None
    weekend: Literal["apart", "together"]
    holidays: list[str]
    transition: Literal["shortway", "add", "subtract", "dwell"]
    begin_s: float
    end_s: float
    shares: dict[str, float]
    week: WeekRows
    others: list[WeekRows]
    plans: dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class WeekPlans:
    """The day plan of each type of day, which type a date has, and the clock that switching times are on."""

    days: Mapping[str, DayPlan]
    types: DayTypes
    time_zone: str | None
    transition: Literal["shortway", "add", "subtract", "dwell"]

    def day(self, day: date) -> DayPlan:
        """The plans of a date; where its type was not planned those of the nearest one that was."""
        wanted = self.types.of(day)
        order = [wanted, *(("sat", "sun", "weekend") if wanted != "weekday" else ()), "weekday", *self.days]
        return self.days[next(name for name in order if name in self.days)]

    def plan_at(self, when: datetime) -> TimingPlan:
        """What is due at an instant, on the local clock."""
        day, clock_s = local_clock(when, self.time_zone)
        return self.day(day).plan_at(clock_s)


def week_rows(
    name: str, rows: Mapping[str, Sequence[tuple[float, str]]], delay: Mapping[str, float], cost: Mapping[str, float]
) -> WeekRows:
    """A way through the week out of (second, plan) rows of each type of day."""
    return WeekRows(
        name=name,
        types={
            kind: [SwitchRow(at_s=at_s, at=clock_hhmm(at_s), plan=plan) for at_s, plan in of_kind]
            for kind, of_kind in rows.items()
        },
        delay_s_per_veh={kind: round(x, 3) for kind, x in delay.items()},
        cost_veh_s={kind: round(x, 1) for kind, x in cost.items()},
    )


def clock_hhmm(time_s: float) -> str:
    """`07:05`, with seconds where there are any."""
    whole = round(time_s)
    text = f"{whole // 3600:02d}:{whole % 3600 // 60:02d}"
    return f"{text}:{whole % 60:02d}" if whole % 60 else text


def dump_day_plan(document: DayPlanDocument) -> bytes:
    """The document as bytes: keys sorted, a newline at the end."""
    content = document.model_dump(mode="json")
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def load_day_document(path: Path | str) -> DayPlanDocument:
    """Read and check the document itself (not yet against a network).

    Raises
    ------
    PlanError
        Every fault of the file.
    """
    try:
        return DayPlanDocument.model_validate_json(read_bytes(path, MAX_BYTES))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()[:20]]
        raise PlanError(str(path), lines) from None


def read_week_plans(path: Path | str, network: RoadNetwork, name: str | None = None) -> WeekPlans:
    """Read the plans of a week.

    Parameters
    ----------
    network : RoadNetwork
        The network it must be for.
    name : str, optional
        One of the other ways through the week instead of the one that is to run.

    Raises
    ------
    PlanError
        All faults together: another network, plans that are named and not there, rows out of order, a time zone that
        does not exist.
    """
    document = load_day_document(path)
    faults: list[str] = []
    try:
        if document.time_zone is not None:
            zone_of(document.time_zone)
        holidays = frozenset(date.fromisoformat(text) for text in document.holidays)
    except (DemandError, ValueError) as error:
        faults.append(str(error))
        holidays = frozenset()
    known = {one.name: one for one in (document.week, *document.others)}
    week = document.week if name is None else known.get(name)
    if week is None:
        raise PlanError(str(path), f"holds no {name!r}; it has {', '.join(map(repr, known))}")
    plans: dict[str, TimingPlan] = {}
    wanted = dict.fromkeys(row.plan for rows in week.types.values() for row in rows)
    for plan in wanted:
        if plan not in document.plans:
            faults.append(f"names plan {plan!r}, which it does not hold; it has {', '.join(document.plans)}")
            continue
        try:
            plans[plan] = _called(plan_of_document(document.plans[plan], network, where=f"plan {plan}"), plan)
        except (PlanError, ValidationError) as error:
            faults += [f"plan {plan}: {line}" for line in str(error).splitlines()[:10]]
    days: dict[str, DayPlan] = {}
    for kind, rows in week.types.items() if not faults else ():
        try:
            days[kind] = DayPlan.of_plans([(row.at_s, plans[row.plan]) for row in rows])
        except PlanError as error:
            faults += [f"{kind}: {line}" for line in str(error).splitlines()]
    if not week.types:
        faults.append("has no type of day; plan one")
    if faults:
        raise PlanError(str(path), faults)
    types = DayTypes(holidays=holidays, together=document.weekend == "together")
    return WeekPlans(days=days, types=types, time_zone=document.time_zone, transition=document.transition)


def _called(plan: TimingPlan, name: str) -> TimingPlan:
    return TimingPlan(controllers={c: replace(one, program_id=name) for c, one in plan.controllers.items()})
