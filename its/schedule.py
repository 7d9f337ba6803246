"""Time-of-day schedules: which plan runs from when on (TOML), and what the switches between them cost."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from its.console import format_table
from its.recognize import load_day, load_field_plan, some
from its.report.names import clock
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DayPlan
from sim.transitions import Transition


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(_Part):
    """From `at` (HH:MM or HH:MM:SS) on: a plan file, a program of the network, or (neither) the one in force there."""

    at: str = Field(pattern=r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$")
    plan: str | None = None
    program: str | None = None

    @property
    def at_s(self) -> float:
        """Seconds after midnight."""
        hours, minutes, *rest = (int(part) for part in self.at.split(":"))
        return 3600.0 * hours + 60 * minutes + (rest[0] if rest else 0)


class Schedule(_Part):
    """The file: `method`, and `[[plans]]` in the order of the day."""

    method: Literal["shortway", "add", "subtract", "dwell"] = "shortway"
    plans: Annotated[tuple[Entry, ...], Field(strict=False, min_length=1)]


def load_schedule(path: Path, network: RoadNetwork) -> tuple[Schedule, DayPlan]:
    """Read a schedule with the plans it names; their paths start from the schedule's own folder.

    A file that holds the plans of a day itself (SUMO with WAUT, SALT) is a schedule too.

    Raises
    ------
    PlanError
        All faults of the file together: unknown keys, times out of order, plans that cannot be used.
    """
    day = load_day(path, network)
    if day is not None:
        return Schedule.model_construct(method="shortway", plans=()), day
    schedule = _read(path)
    faults, plans = [], []
    for n, entry in enumerate(schedule.plans):
        if entry.plan is not None and entry.program is not None:
            faults.append(f"plans {n} (at {entry.at}): names a plan and a program; keep one of them")
            continue
        try:
            plans.append((entry.at_s, _plan_of(entry, path, network)))
        except PlanError as error:
            faults += [f"plans {n} (at {entry.at}): {line}" for line in str(error).splitlines()]
    times = [entry.at_s for entry in schedule.plans]
    faults += [
        f"plans {n + 1} (at {schedule.plans[n + 1].at}): stands after {schedule.plans[n].at}; put them in order"
        for n in range(len(times) - 1)
        if times[n + 1] <= times[n]
    ]
    if faults:
        raise PlanError(str(path), faults)
    return schedule, DayPlan.of_plans(plans)


def _read(path: Path) -> Schedule:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(str(path), f"cannot be opened: {error.strerror}; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"is not TOML: {error}") from None
    try:
        return Schedule.model_validate(table)
    except ValidationError as error:
        faults = [_fault(item["loc"], item["type"], item["msg"], item["input"]) for item in error.errors()]
        raise PlanError(str(path), faults) from None


def _fault(loc: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    name = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        known = Entry.model_fields if len(loc) > 1 else Schedule.model_fields
        return f"unknown key {name!r}; known are {', '.join(known)}"
    if kind == "missing":
        return f"{name} is missing; give it"
    if kind == "string_pattern_mismatch":
        return f"{name} is {value!r}; needs a time of day HH:MM or HH:MM:SS"
    return f"{name} is {value!r}: {message}"


def _plan_of(entry: Entry, path: Path, network: RoadNetwork) -> TimingPlan:
    if entry.plan is not None:
        file = path.parent / entry.plan
        if not file.is_file():
            raise PlanError(str(file), "cannot be opened; paths start from the folder of the schedule")
        return load_field_plan(file, network)
    field = load_field_plan(None, network)
    if entry.program is None:
        return field
    found = {
        c.id: program for c in network.controllers.values() for program in c.programs
        if program.program_id == entry.program
    }  # fmt: skip
    if not found:
        known = sorted({p.program_id for c in network.controllers.values() for p in c.programs})
        raise PlanError("network", f"has no program {entry.program!r}; it has {some(known)}")
    return TimingPlan(controllers={c: found.get(c, program) for c, program in field.controllers.items()})


def transitions_json(transitions: Sequence[Transition]) -> list[dict[str, Any]]:
    """Every switch of a controller, with the cycles it ran out of coordination."""
    return [
        {
            "controller": t.controller_id,
            "from_program": t.from_program,
            "to_program": t.to_program,
            "switch_s": t.switch_s,
            "left_s": t.left_s,
            "in_step_s": t.in_step_s,
            "method": t.method,
            "error_s": t.error_s,
            "cycles_lost": t.cycles,
        }
        for t in transitions
    ]


def transitions_text(transitions: Sequence[Transition]) -> str:
    """The same as a table."""
    header = ("switch", "signal", "from", "to", "left", "in step", "method", "error s", "cycles lost")
    rows = [
        (clock(t.switch_s), t.controller_id, t.from_program, t.to_program, clock(t.left_s), clock(t.in_step_s),
         t.method, f"{t.error_s:g}", t.cycles)
        for t in transitions
    ]  # fmt: skip
    return format_table(header, rows)
