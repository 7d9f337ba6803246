"""SALT's signals: `trafficSignalSystem` with schedules and a time-of-day plan per node, read and written.

`offset` of a schedule is the second after local midnight, modulo the cycle, at which its first phase begins: our own
reference point (SALT and SUMO share it). A `TODPlan` runs its `defaultPlan` before the first `startTime`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from network_data.errors import PlanError
from network_data.formats.files import iter_xml
from network_data.formats.sumo_tls import number_text
from network_data.limits import name_fault, number
from network_data.plans import ControllerPlan, Interval
from network_data.schedule import DAY_S, ControllerDay, DayPlan, Switch

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Bounds = tuple[tuple[float, float] | None, ...]
"""minDur and maxDur of each phase. [s]"""
LABELS = ("version", "crossNo", "crossName", "date", "signalGroup")


@dataclass(frozen=True, kw_only=True)
class SaltSignal:
    """One `trafficSignal`: its programs (schedules), which of them runs when, and what else the file says."""

    node_id: str
    labels: dict[str, str]
    programs: tuple[ControllerPlan, ...]
    bounds: dict[str, Bounds]
    day: ControllerDay

    @property
    def name(self) -> str:
        """The junction's name."""
        return self.labels.get("crossName", "")


def read_salt_signals(path: Path | str) -> dict[str, SaltSignal]:
    """All signals of a `trafficSignalSystem` file, by node.

    Raises
    ------
    PlanError
        Every fault of every signal together.
    """
    out: dict[str, SaltSignal] = {}
    faults: list[str] = []
    for event, depth, element in iter_xml(path):
        if event == "start" and depth == 0 and element.tag != "trafficSignalSystem":
            raise PlanError(str(path), f"the root is <{element.tag}>; a SALT signal file has <trafficSignalSystem>")
        if event == "end" and depth == 1 and element.tag == "trafficSignal":
            try:
                signal = _signal(element)
                if signal.node_id in out:
                    faults.append(f"<trafficSignal nodeID={signal.node_id!r}>: is there twice; keep one")
                out[signal.node_id] = signal
            except PlanError as error:
                faults += str(error).splitlines()
            element.clear()
    if not out and not faults:
        faults.append("holds no <trafficSignal>; give a file with signals")
    if faults:
        raise PlanError(str(path), faults)
    return out


def _signal(element: Element) -> SaltSignal:
    node_id = element.get("nodeID", "")
    where = f"<trafficSignal nodeID={node_id[:80]!r}>"
    faults = [f"nodeID {fault}"] if (fault := name_fault(node_id)) is not None else []
    programs: dict[str, ControllerPlan] = {}
    bounds: dict[str, Bounds] = {}
    for schedule in element.findall("schedule"):
        try:
            program, limits = _schedule(schedule, node_id)
            if program.program_id in programs:
                faults.append(f"schedule {program.program_id!r} is there twice; keep one")
            programs[program.program_id], bounds[program.program_id] = program, limits
        except PlanError as error:
            faults += error.faults
    switches = _switches(element, programs, faults)
    if faults:
        raise PlanError(where, faults)
    return SaltSignal(
        node_id=node_id,
        labels={name: element.get(name, "") for name in LABELS if name in element.attrib},
        programs=tuple(programs.values()),
        bounds=bounds,
        day=ControllerDay(controller_id=node_id, switches=switches),
    )


def _schedule(element: Element, node_id: str) -> tuple[ControllerPlan, Bounds]:
    name = element.get("id", "")
    faults: list[str] = []
    intervals: list[Interval] = []
    limits: list[tuple[float, float] | None] = []
    for n, phase in enumerate(element.findall("phase")):
        duration_s = _seconds(phase.get("duration"), f"phase {n}: duration", faults)
        intervals.append(Interval(duration_s, phase.get("state", "")))
        given = [phase.get("minDur"), phase.get("maxDur")]
        if any(text is None for text in given):
            limits.append(None)
        else:
            low, high = (_seconds(text, f"phase {n}: minDur, maxDur", faults) for text in given)
            limits.append((low, high))
    offset_s = _seconds(element.get("offset", "0"), "offset", faults)
    if not faults:
        try:
            cycle_s = sum(interval.duration_s for interval in intervals)
            plan = ControllerPlan(
                controller_id=node_id,
                program_id=name,
                offset_s=offset_s % cycle_s if cycle_s > 0 else 0.0,
                intervals=tuple(intervals),
                min_durations_s=tuple(limit[0] if limit is not None else None for limit in limits),
            )
            return plan, tuple(limits)
        except PlanError as error:
            faults += error.faults
    raise PlanError(f"schedule {name!r}", [f"schedule {name!r}: {fault}" for fault in faults])


def _seconds(text: str | None, what: str, faults: list[str]) -> float:
    if text is None:
        faults.append(f"{what} is missing; give seconds")
        return 0.0
    try:
        return number(text, low=-DAY_S, high=DAY_S)
    except ValueError as error:
        faults.append(f"{what} {error}")
        return 0.0


def _switches(element: Element, programs: Mapping[str, ControllerPlan], faults: list[str]) -> tuple[Switch, ...]:
    """The day: the default plan from midnight on, then each plan from its start on, each with the plan's own offset."""
    plans = element.findall("TODPlan")
    if len(plans) != 1:
        faults.append(f"has {len(plans)} <TODPlan>, needs one; name at least its defaultPlan")
        return ()
    (day,) = plans
    rows = [(0.0, day.get("defaultPlan", ""), day.get("offset"))]
    for n, plan in enumerate(day.findall("plan")):
        at_s = _seconds(plan.get("startTime"), f"plan {n}: startTime", faults)
        rows.append((at_s, plan.get("schedule", ""), plan.get("offset")))
        if not 0 <= at_s < DAY_S:
            faults.append(f"plan {n}: startTime {at_s:g} s lies outside the day; give seconds after midnight")
    faults += [
        f"its plans begin at {a[0]:g} s, then at {b[0]:g} s; put them in order, each once"
        for a, b in pairwise(rows[1:])
        if not b[0] > a[0]
    ]
    faults += [
        f"its time-of-day plan names schedule {name!r}, which it does not have ({', '.join(map(repr, programs))})"
        for name in dict.fromkeys(name for _, name, _ in rows)
        if name not in programs
    ]
    if faults:
        return ()
    if len(rows) > 1 and rows[1][0] == 0:
        rows.pop(0)
    return tuple(Switch(at_s, _with_offset(programs[name], offset, faults)) for at_s, name, offset in rows)


def _with_offset(program: ControllerPlan, offset: str | None, faults: list[str]) -> ControllerPlan:
    """A plan of the day may shift its schedule: it then runs with the plan's offset."""
    if offset is None:
        return program
    offset_s = _seconds(offset, "offset of its time-of-day plan", faults) % program.cycle_s
    if offset_s == program.offset_s:
        return program
    return ControllerPlan(
        controller_id=program.controller_id,
        program_id=program.program_id,
        offset_s=offset_s,
        intervals=program.intervals,
        min_durations_s=program.min_durations_s,
    )


def write_salt_signals(day: DayPlan, signals: Mapping[str, SaltSignal] | None = None) -> str:
    """A `trafficSignalSystem` file of a day, as text.

    Parameters
    ----------
    day : DayPlan
        What to write; schedules keep their names where these are the signal's own, else they are numbered on.
    signals : mapping, optional
        What a file said of the signals: their labels, and the minima and maxima of phases, which stay with a schedule
        of the same name and number of phases.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<trafficSignalSystem>"]
    for node_id, controller_day in day.controllers.items():
        lines += _signal_lines(node_id, controller_day, (signals or {}).get(node_id))
    return "\n".join([*lines, "</trafficSignalSystem>", ""])


def _signal_lines(node_id: str, day: ControllerDay, signal: SaltSignal | None) -> list[str]:
    labels = "".join(f" {name}={quoteattr(text)}" for name, text in (signal.labels if signal else {}).items())
    names = _schedule_names(day)
    lines = [f"    <trafficSignal nodeID={quoteattr(node_id)}{labels}>"]
    for name, program in dict(zip(names, day.programs, strict=True)).items():
        limits = signal.bounds.get(program.program_id, ()) if signal else ()
        lines.append(f'        <schedule offset="{number_text(program.offset_s)}" id={quoteattr(name)}>')
        for n, (duration_s, state) in enumerate(program.intervals):
            bound = limits[n] if len(limits) == len(program.intervals) else None
            more = f' minDur="{number_text(bound[0])}" maxDur="{number_text(bound[1])}"' if bound else ""
            lines.append(f'            <phase state="{state}" duration="{number_text(duration_s)}"{more}/>')
        lines.append("        </schedule>")
    rows = list(zip(day.switches, names, strict=True))
    if day.switches[0].at_s > 0:  # before its first switch a day runs on with its last program
        first, default = day.program_at(0.0), names[-1]
    else:
        first, default = day.switches[0].program, names[0]
        rows = rows[1:]
    lines.append(f'        <TODPlan offset="{number_text(first.offset_s)}" defaultPlan={quoteattr(default)}>')
    lines += [
        f'            <plan offset="{number_text(switch.program.offset_s)}" schedule={quoteattr(name)} '
        f'startTime="{number_text(switch.at_s)}"/>'
        for switch, name in rows
    ]
    return [*lines, "        </TODPlan>", "    </trafficSignal>"]


def _schedule_names(day: ControllerDay) -> list[str]:
    """A name per switch: the schedule's own; equal for programs that differ in the offset alone, which plans give."""
    named: dict[str, tuple[Interval, ...]] = {}
    out = []
    for program in day.programs:
        name, n = program.program_id, 1
        while name in named and named[name] != program.intervals:
            n += 1
            name = f"{program.program_id}-{n}"
        named[name] = program.intervals
        out.append(name)
    return out
