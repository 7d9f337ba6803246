"""SUMO's `actuated` signal programs: minima, maxima, `max-gap` and `detector-gap`, as actuated controllers.

Programs of type `delay_based` or `NEMA`, and those that choose among next phases or are held in a cycle by conditions,
follow other rules; they are named, and simulated by their interval table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from network_data.actuation import ActuatedController
from network_data.actuation_build import from_intervals
from network_data.errors import InputError, PlanError
from network_data.formats.files import iter_xml, read_bytes
from network_data.formats.sumo_tls import ACTUATED_TYPES, program_of
from network_data.network import RoadNetwork

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_GAP_S, DETECTOR_GAP_S, PASSING_TIME_S = 3.0, 2.0, 1.9
"""SUMO's defaults."""


@dataclass(frozen=True, kw_only=True)
class SumoActuation:
    """What a file says about actuation: controllers to simulate so, and why others are not (by controller)."""

    controllers: dict[str, ActuatedController]
    left_out: dict[str, str]


def read_sumo_actuated(path: Path | str, network: RoadNetwork) -> SumoActuation:
    """The actuated programs of an additional file or network; where a controller has several programs, the last counts.

    Raises
    ------
    InputError
        Every fault of the programs: unusable durations, controllers that the network does not have.
    """
    made: dict[str, ActuatedController] = {}
    left_out: dict[str, str] = {}
    faults: list[str] = []
    if not _may_hold_some(path):
        return SumoActuation(controllers=made, left_out=left_out)
    for event, _, element in iter_xml(path):
        if event != "end" or element.tag != "tlLogic":
            continue
        controller_id, kind = element.get("id", ""), element.get("type", "static")
        made.pop(controller_id, None)
        left_out.pop(controller_id, None)
        if kind == "actuated" and controller_id not in network.controllers:
            faults.append(f"<tlLogic id={controller_id!r}>: the network has no such controller; take it out")
        elif kind == "actuated" and (other := _other_rules(element)):
            left_out[controller_id] = f"{', '.join(other)} are rules that are not simulated; its interval table is"
        elif kind == "actuated":
            try:
                made[controller_id] = _actuated(element, network)
            except PlanError as error:
                faults.append(str(error))
        elif kind in ACTUATED_TYPES:
            left_out[controller_id] = f"type {kind!r} follows rules that are not simulated; its interval table is"
        element.clear()
    if faults:
        raise InputError(str(path), faults)
    return SumoActuation(controllers=made, left_out=left_out)


def _may_hold_some(path: Path | str) -> bool:
    """Whether the bytes name a type of actuation at all: parsing a large network for nothing takes seconds."""
    content = read_bytes(path)
    return b"\x00" in content[:4] or any(kind.encode() in content for kind in ACTUATED_TYPES)


def _other_rules(element: Element) -> list[str]:
    """Attributes and elements by which a program does more than minimum, gap and maximum."""
    found = [
        name
        for name in ("next", "earliestEnd", "latestEnd", "earlyTarget", "finalTarget")
        if any(phase.get(name) for phase in element.findall("phase"))
    ]
    found += [name for name in ("condition", "assignment", "function") if element.find(name) is not None]
    keys = {p.get("key") or "" for p in element.findall("param")}
    return found + sorted(
        k for k in keys if k in ("coordinated", "cycleTime") or k.startswith(("linkMaxDur", "linkMinDur"))
    )


def _actuated(element: Element, network: RoadNetwork) -> ActuatedController:
    program = program_of(element)
    where = f"<tlLogic id={program.controller_id!r} programID={program.program_id!r}>"
    faults: list[str] = []
    given = {p.get("key"): p.get("value") for p in element.findall("param")}
    gap_s = _seconds(given.get("max-gap"), MAX_GAP_S, "max-gap", faults)
    detector_gap_s = _seconds(given.get("detector-gap"), DETECTOR_GAP_S, "detector-gap", faults)
    passing_time_s = _seconds(given.get("passing-time"), PASSING_TIME_S, "passing-time", faults)
    if not passing_time_s > 0:
        faults.append("passing-time is 0; needs seconds above 0")
    maxima = [
        None if phase.get("maxDur") is None else _seconds(phase.get("maxDur"), 0.0, f"phase {n}: maxDur", faults)
        for n, phase in enumerate(element.findall("phase"))
    ]
    if faults:
        raise PlanError(where, faults)
    controller = network.controllers[program.controller_id]
    if len(program.intervals[0].state) > controller.n_heads:
        raise PlanError(where, f"states are longer than the {controller.n_heads} link indices; shorten them")
    return from_intervals(
        program,
        maxima,
        network,
        controller,
        gap_s=gap_s,
        detector_gap_s=detector_gap_s,
        passing_time_s=passing_time_s,
    )


def _seconds(text: str | None, default: float, what: str, faults: list[str]) -> float:
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        faults.append(f"{what} is {text!r}; needs seconds from 0")
    return value
