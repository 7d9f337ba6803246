"""SUMO signal programs (`tlLogic`), read from and written to additional files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from network_data.errors import InputError, PlanError
from network_data.formats.files import iter_xml
from network_data.plans import ControllerPlan, Interval, TimingPlan

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DAY_S = 86_400.0
ACTUATED_TYPES = {"actuated", "delay_based", "NEMA"}


def program_of(element: Element) -> ControllerPlan:
    """One `<tlLogic>` as a plan of its controller.

    Raises
    ------
    PlanError
        A phase without a usable duration or state; all faults of the program together.
    """
    controller_id, program_id = element.get("id"), element.get("programID", "0")
    where = f"<tlLogic id={controller_id!r} programID={program_id!r}>"
    if not controller_id:
        raise PlanError(where, "has no id; name the controller")
    faults, intervals, minima = [], [], []
    for n, phase in enumerate(element.findall("phase")):
        try:
            duration = float(phase.get("duration") or phase.get("minDur") or "nan")
            minimum = phase.get("minDur")
            minima.append(float(minimum) if minimum is not None else None)
        except ValueError as error:
            faults.append(f"phase {n}: {error}; durations are seconds")
            continue
        if not 0 < duration < DAY_S:
            faults.append(f"phase {n}: duration is {phase.get('duration')!r}; needs seconds above 0, below a day")
            continue
        if minima[-1] is not None and not 0 <= minima[-1] < DAY_S:
            faults.append(f"phase {n}: minDur is {phase.get('minDur')!r}; needs seconds from 0")
        intervals.append(Interval(duration, phase.get("state", "")))
    try:
        offset = float(element.get("offset", "0") or 0)
    except ValueError:
        offset = math.nan
    if not math.isfinite(offset):
        faults.append(f"offset is {element.get('offset')!r}; needs seconds")
    if faults:
        raise PlanError(where, faults)
    cycle = sum(i.duration_s for i in intervals)
    return ControllerPlan(
        controller_id=controller_id,
        program_id=program_id,
        offset_s=offset % cycle if cycle else 0.0,
        intervals=tuple(intervals),
        min_durations_s=tuple(minima),
        actuated=element.get("type", "static") in ACTUATED_TYPES,
    )


def read_sumo_programs(path: Path | str) -> dict[str, ControllerPlan]:
    """The programs of an additional file (or network); where a controller has several, the last one counts."""
    out: dict[str, ControllerPlan] = {}
    faults: list[str] = []
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "tlLogic":
            try:
                plan = program_of(element)
                out[plan.controller_id] = plan
            except PlanError as error:
                faults.append(str(error))
            element.clear()
    if not out and not faults:
        faults.append("holds no <tlLogic>; give a file with signal programs")
    if faults:
        raise InputError(str(path), faults)
    return out


def number_text(value: float) -> str:
    """A number as short as it goes without losing a digit that counts."""
    text = f"{value:.10g}"
    return text if float(text) == value else repr(float(value))


def tl_logic_lines(program: ControllerPlan, program_id: str | None = None) -> list[str]:
    """A static `tlLogic` of a program, line by line; `program_id` replaces the program's own name."""
    name = program.program_id if program_id is None else program_id
    return [
        f'    <tlLogic id={quoteattr(program.controller_id)} type="static" programID={quoteattr(name)} '
        f'offset="{number_text(program.offset_s)}">',
        *(f'        <phase duration="{number_text(i.duration_s)}" state="{i.state}"/>' for i in program.intervals),
        "    </tlLogic>",
    ]


def write_sumo_programs(plan: TimingPlan) -> str:
    """An additional file with one static `tlLogic` per controller, as text."""
    lines = [line for program in plan.controllers.values() for line in tl_logic_lines(program)]
    return "\n".join(["<additional>", *lines, "</additional>", ""])
