"""SUMO's time-of-day switching (`WAUT`): which program runs from when on, read from and written to additional files.

In SUMO all programs of a signal run on unseen; a WAUT that "just switches" shows the state which the new program has
at that second by its own offset. That is what a `DayPlan` says too, so both ways are exact. The procedures GSP and
Stretch move the new program at the switch; they are read as the same switch, and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from network_data.errors import PlanError
from network_data.formats.files import iter_xml
from network_data.formats.sumo_tls import number_text, program_of, tl_logic_lines
from network_data.plans import ControllerPlan
from network_data.schedule import DAY_S, ControllerDay, DayPlan, Switch

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOVING = ("GSP", "Stretch")
"""Procedures that move the new program when they switch to it."""


@dataclass(frozen=True, kw_only=True)
class SumoDay:
    """The day of every controller that a WAUT switches, and what a `DayPlan` cannot say."""

    day: DayPlan
    notes: tuple[str, ...] = ()


@dataclass
class _Waut:
    start: str
    switches: list[tuple[float, str]]


@dataclass
class _Raw:
    programs: dict[str, dict[str, ControllerPlan]] = field(default_factory=dict)
    wauts: dict[str, _Waut] = field(default_factory=dict)
    junctions: dict[str, str] = field(default_factory=dict)  # controller → WAUT
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_sumo_day(path: Path | str, programs: Mapping[str, Sequence[ControllerPlan]] | None = None) -> SumoDay:
    """The day plans of an additional file with `WAUT`s.

    Parameters
    ----------
    path : path
        Additional file, plain or gzipped. Its own `tlLogic`s count before those of the network.
    programs : mapping, optional
        Programs known from elsewhere (the network), by controller.

    Raises
    ------
    PlanError
        All together: switches without a usable time, to programs that do not exist, signals without a WAUT, times out
        of order.
    """
    raw = _Raw()
    handlers = {"tlLogic": _program, "WAUT": _waut, "wautJunction": _junction}
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag in handlers:
            try:
                handlers[element.tag](raw, element)
            except PlanError as error:
                raw.faults += str(error).splitlines()
            element.clear()
    if not raw.junctions and not raw.faults:
        raw.faults.append("holds no <wautJunction>; give a file with <WAUT> and the signals that it switches")
    days = {}
    for controller_id, waut_id in raw.junctions.items():
        known = {p.program_id: p for p in (programs or {}).get(controller_id, ())} | raw.programs.get(controller_id, {})
        try:
            days[controller_id] = _day(controller_id, waut_id, raw.wauts.get(waut_id), known)
        except PlanError as error:
            raw.faults += str(error).splitlines()
    if raw.faults:
        raise PlanError(str(path), raw.faults)
    return SumoDay(day=DayPlan(controllers=days), notes=tuple(raw.notes))


def _program(raw: _Raw, element: Element) -> None:
    plan = program_of(element)
    raw.programs.setdefault(plan.controller_id, {})[plan.program_id] = plan


def _waut(raw: _Raw, element: Element) -> None:
    name = element.get("id", "")
    where = f"<WAUT id={name!r}>"
    faults: list[str] = []
    ref_s = _seconds(element.get("refTime", "0"), "refTime", faults)
    period_s = _seconds(element.get("period", "-1"), "period", faults)
    if period_s > 0 and period_s != DAY_S:
        faults.append(f"period is {period_s:g} s; a day plan repeats every {DAY_S:g} s: leave it out or give that")
    switches = []
    for n, switch in enumerate(element.findall("wautSwitch")):
        time_s = _seconds(switch.get("time"), f"switch {n}: time", faults)
        if not switch.get("to"):
            faults.append(f"switch {n}: names no program; give to=")
        # SUMO: reference and time together, modulo a day
        switches.append(((ref_s + time_s) % DAY_S, switch.get("to", "")))
    if not name or not element.get("startProg"):
        faults.append("has no id or no startProg; give both")
    if name in raw.wauts:
        faults.append("is there twice; give each a name of its own")
    if faults:
        raise PlanError(where, faults)
    raw.wauts[name] = _Waut(element.get("startProg", ""), switches)


def _seconds(text: str | None, what: str, faults: list[str]) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        faults.append(f"{what} is {text!r}; needs seconds")
        return 0.0
    return value


def _junction(raw: _Raw, element: Element) -> None:
    controller_id, waut_id = element.get("junctionID", ""), element.get("wautID", "")
    where = f"<wautJunction junctionID={controller_id!r}>"
    if not controller_id or not waut_id:
        raise PlanError(where, "needs junctionID and wautID; give both")
    if controller_id in raw.junctions:
        raise PlanError(where, f"is switched by {raw.junctions[controller_id]!r} and {waut_id!r}; keep one of them")
    raw.junctions[controller_id] = waut_id
    if element.get("procedure", "") in MOVING:
        raw.notes.append(
            f"signal {controller_id!r}: procedure {element.get('procedure')} moves the new program when it begins; "
            "read as a switch that keeps to its offset"
        )


def _day(controller_id: str, waut_id: str, waut: _Waut | None, known: Mapping[str, ControllerPlan]) -> ControllerDay:
    where = f"signal {controller_id!r}"
    if waut is None:
        raise PlanError(where, f"there is no <WAUT id={waut_id!r}>; add it or mend wautID")
    rows = list(waut.switches)
    # SUMO shows startProg before the first switch; a day plan the last one, unless it begins at midnight
    if not rows or (rows[0][0] > 0 and rows[-1][1] != waut.start):
        rows.insert(0, (0.0, waut.start))
    missing = dict.fromkeys(name for name in (waut.start, *(to for _, to in rows)) if name not in known)
    if missing:
        have = ", ".join(map(repr, known)) or "none"
        raise PlanError(where, [f"has no program {name!r} (it has {have}); add its <tlLogic>" for name in missing])
    return ControllerDay(controller_id=controller_id, switches=tuple(Switch(at_s, known[name]) for at_s, name in rows))


def write_sumo_day(day: DayPlan, present: Mapping[str, Sequence[ControllerPlan]] | None = None) -> str:
    """An additional file with all programs of a day, and a `WAUT` for each signal with more than one, as text.

    Parameters
    ----------
    day : DayPlan
        What to write; it repeats every day.
    present : mapping, optional
        Programs that the network holds already, by controller: they are switched to, not written again, and their names
        are not given to others (SUMO refuses two programs of one name). Programs of a signal that differ and share a
        name are told apart by `-2`, `-3`, … behind it.
    """
    logics: list[str] = []
    wauts: list[str] = []
    for controller_id, controller_day in day.controllers.items():
        known = {p.program_id: p for p in (present or {}).get(controller_id, ())}
        names = program_names(controller_day, known)
        for name, program in dict(zip(names, controller_day.programs, strict=True)).items():
            if name not in known:
                logics += tl_logic_lines(program, name)
        if len(set(names)) == 1 and names[0] not in known:
            continue
        waut_id = quoteattr(f"day-{controller_id}")
        start = names[controller_day.programs.index(controller_day.program_at(0.0))]
        wauts.append(f'    <WAUT id={waut_id} refTime="0" period="{DAY_S:.0f}" startProg={quoteattr(start)}>')
        wauts += [
            f'        <wautSwitch time="{number_text(switch.at_s)}" to={quoteattr(name)}/>'
            for switch, name in zip(controller_day.switches, names, strict=True)
        ]
        wauts += ["    </WAUT>", f"    <wautJunction wautID={waut_id} junctionID={quoteattr(controller_id)}/>"]
    return "\n".join(["<additional>", *logics, *wauts, "</additional>", ""])


def program_names(day: ControllerDay, known: Mapping[str, ControllerPlan]) -> list[str]:
    """A name per switch: equal for equal programs, different for different ones and from those known."""
    named = dict(known)
    out = []
    for program in day.programs:
        name = next((name for name, other in named.items() if other == program), None)
        if name is None:
            name, n = program.program_id, 1
            while name in named:
                n += 1
                name = f"{program.program_id}-{n}"
            named[name] = program
        out.append(name)
    return out
