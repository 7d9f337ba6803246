"""Actuated controllers from what describes them: rings with phases, or an interval table with minima and maxima."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from network_data.actuation import (
    ActuatedController,
    ActuatedPhase,
    ForceOff,
    HeadTiming,
    PhaseDetector,
    Recall,
    conflicts_of,
)
from network_data.clearance import WALK_S, ClearanceMatrix
from network_data.controllers import Controller, SignalHead
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import OPEN, YELLOW, BarrierGroup, ControllerPlan, Phase

ROOM_M = 7.5
"""Room of a standing vehicle by which SUMO places its detectors. [m]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actuation:
    """How the phases of a controller are actuated; by phase name where a mapping is given.

    Attributes
    ----------
    gap_s : float
        Passage time: longest time without a detection before the green ends. [s]
    detector_gap_s : float
        Travel time from the detectors to the stop line, at the lane's limit. [s]
    stop_line : bool
        A second detector at the stop line of every lane.
    recall : mapping
        Phase → recall; phases not named wait for a call.
    coordinated : collection of str
        Phases held in the cycle.
    """

    gap_s: float = 3.0
    detector_gap_s: float = 2.0
    stop_line: bool = True
    recall: Mapping[str, Recall]
    coordinated: frozenset[str] = frozenset()
    force_off: ForceOff = "fixed"
    scan_s: float = 0.5


def from_rings(
    groups: Sequence[BarrierGroup],
    network: RoadNetwork,
    controller: Controller,
    matrix: ClearanceMatrix,
    actuation: Actuation,
    *,
    offset_s: float = 0.0,
    program_id: str = "actuated",
) -> ActuatedController:
    """An actuated controller from rings and barriers whose greens are the programmed splits.

    Coordinated where phases are named as coordinated: the cycle is the sum of the splits. Crossings get as much walk
    as the phase's least green allows; that is raised where the walk of 7 s and the clearance would not fit.

    Raises
    ------
    PlanError
        Unknown phase names, phases side by side that conflict, and what `ActuatedController` refuses.
    """
    names = {phase.name for group in groups for ring in group.rings for phase in ring}
    odd = sorted(({*actuation.recall} | actuation.coordinated) - names)
    if odd:
        raise PlanError(
            f"actuated controller {controller.id!r}",
            [f"there is no phase {name!r}; it has {', '.join(sorted(names))}" for name in odd],
        )
    named = {m for group in groups for ring in group.rings for phase in ring for m in phase.movements}
    protected = {head.index for head in controller.heads if named & set(head.movement_ids)}
    out, begin_s = [], 0.0
    for group in groups:
        rings = []
        for ring in group.rings:
            now_s, phases = begin_s, []
            for phase in ring:
                phases.append(_from_phase(phase, now_s, network, controller, matrix, actuation, protected))
                now_s += phase.split_s
            rings.append(tuple(phases))
        out.append(tuple(rings))
        begin_s += sum(phase.split_s for phase in group.rings[0])
    made = ActuatedController(
        controller_id=controller.id,
        program_id=program_id,
        groups=tuple(out),
        cycle_s=begin_s if actuation.coordinated else None,
        offset_s=offset_s % begin_s,
        force_off=actuation.force_off,
        scan_s=actuation.scan_s,
    )
    faults = conflicts_of(made, controller)
    if faults:
        raise PlanError(f"actuated controller {controller.id!r}", faults)
    return made


def _from_phase(
    phase: Phase,
    begin_s: float,
    network: RoadNetwork,
    controller: Controller,
    matrix: ClearanceMatrix,
    actuation: Actuation,
    protected: set[int],
) -> ActuatedPhase:
    change_s = phase.yellow_s + phase.red_clearance_s
    served = [(head, letter) for head in controller.heads if (letter := _letter(head, phase)) is not None]
    clear_s = {h.index: float(matrix.seconds[h.index].max(initial=0.0)) for h, _ in served if h.kind == "crossing"}
    least_s = max([phase.min_green_s, *(WALK_S + s - change_s for s in clear_s.values())])
    heads = []
    for head, letter in served:
        if head.index in clear_s:
            walk_s = min(least_s, least_s + change_s - clear_s[head.index])
            heads.append(HeadTiming(head.index, letter, 0.0, holds=False, length_s=walk_s))
        else:
            yellow_s = min(change_s, max(phase.yellow_s, float(matrix.yellow_s[head.index])))
            heads.append(HeadTiming(head.index, letter, yellow_s))
    letters = {head.index: letter for head, letter in served}
    lanes = watched_lanes(network, controller, letters, protected) or _served_lanes(network, served)
    return ActuatedPhase(
        name=phase.name,
        heads=tuple(heads),
        detectors=detectors_at(network, lanes, actuation.detector_gap_s, stop_line=actuation.stop_line),
        min_green_s=least_s,
        max_green_s=max(phase.max_green_s, least_s),
        gap_s=actuation.gap_s,
        change_s=change_s,
        recall=actuation.recall.get(phase.name, "none"),
        coordinated=phase.name in actuation.coordinated,
        split_green_s=phase.green_s,
        force_off_s=begin_s + phase.green_s,
    )


def _served_lanes(network: RoadNetwork, served: Sequence[tuple[SignalHead, str]]) -> list[tuple[str, int]]:
    """All lanes with a way that a phase serves, shared or not."""
    ways = [network.connections[i] for head, _ in served for i in head.connections]
    return list(dict.fromkeys((way.from_link, way.from_lane) for way in ways))


def _letter(head: SignalHead, phase: Phase) -> str | None:
    if set(head.movement_ids) & set(phase.permitted):
        return "g"
    return "G" if set(head.movement_ids) & {*phase.movements} or set(head.crossing_ids) & {*phase.crossings} else None


def watched_lanes(
    network: RoadNetwork, controller: Controller, letters: Mapping[int, str], protected: set[int]
) -> list[tuple[str, int]]:
    """Lanes that say whether a phase is still needed: none of their vehicles can be kept waiting by it.

    All ways of the lane are protected in the phase, or permitted where no phase protects them (`protected` are link
    indices that some phase does) and another way of the lane is protected, or where the approach has but one lane.
    """
    ways: dict[tuple[str, int], list[int]] = {}
    for way in network.connections:
        if way.controller_id == controller.id and way.link_index is not None and way.kind != "other":
            ways.setdefault((way.from_link, way.from_lane), []).append(way.link_index)
    out = []
    for lane, heads in ways.items():
        shown = [letters.get(h, "r") for h in heads]
        alone = sum(x.kind != "other" for x in network.links[lane[0]].lanes) == 1
        weak = [h for h, letter in zip(heads, shown, strict=True) if letter != "G"]
        trusted = alone or ("G" in shown and not protected.intersection(weak))
        if all(x in "Gg" for x in shown) and (not weak or trusted):
            out.append(lane)
    return out


def detectors_at(
    network: RoadNetwork,
    lanes: Sequence[tuple[str, int]],
    gap_s: float,
    *,
    stop_line: bool,
    most_m: float = math.inf,
) -> tuple[PhaseDetector, ...]:
    """Detectors `gap_s` before the stop line of every lane (not before its begin), and at the stop line."""
    out = []
    for link_id, index in lanes:
        lane = network.links[link_id].lanes[index]
        distances = {min(gap_s * lane.speed_mps, lane.length_m, most_m), *([0.0] if stop_line else [])}
        out += [PhaseDetector(link_id, index, distance) for distance in sorted(distances)]
    return tuple(out)


def from_intervals(
    program: ControllerPlan,
    max_durations_s: Sequence[float | None],
    network: RoadNetwork,
    controller: Controller,
    *,
    gap_s: float = 3.0,
    detector_gap_s: float = 2.0,
    passing_time_s: float = 1.9,
    scan_s: float = 1.0,
) -> ActuatedController:
    """An actuated controller without coordination from an interval table, as SUMO's `actuated` programs are.

    Every interval in which somebody is open and nobody has yellow is a phase; what follows it up to the next one is its
    change. Where minimum and maximum differ the phase is actuated, else it lasts as long as the table says. All phases
    are served in turn (recall), none is skipped.

    Parameters
    ----------
    program : ControllerPlan
        Durations and minima (`min_durations_s`).
    max_durations_s : sequence
        Maximum of every interval, None where none is stated. [s]
    gap_s, detector_gap_s, passing_time_s : float
        SUMO's `max-gap`, `detector-gap` and `passing-time`; detectors lie so near that the least green clears the queue
        behind them: with room for at most half a vehicle more than pass in it. [s]
    scan_s : float
        SUMO decides once per step of 1 s. [s]

    Raises
    ------
    PlanError
        Where no phase is left, or a head turns green, yellow and green again within one change.
    """
    where = f"actuated controller {controller.id!r} program {program.program_id!r}"
    steady = [n for n, (_, state) in enumerate(program.intervals) if _is_steady(state)]
    if not steady:
        raise PlanError(where, "has no interval in which somebody has green and nobody yellow; give it stages")
    protected = {k for n in steady for k, letter in enumerate(program.intervals[n].state) if letter == "G"}
    minima = program.min_durations_s or (None,) * len(program.intervals)
    phases = []
    for k, n in enumerate(steady):
        duration_s = program.intervals[n].duration_s
        least_s = duration_s if (minimum := minima[n]) is None or max_durations_s[n] is None else max(0.1, minimum)
        most_s = duration_s if (maximum := max_durations_s[n]) is None or minimum is None else maximum
        fixed = least_s >= most_s
        changes = _between(program, n, steady[(k + 1) % len(steady)])
        heads = _heads_from(program, n, changes, where)
        lanes = watched_lanes(network, controller, {h.link_index: h.letter for h in heads}, protected)
        most_m = (least_s / passing_time_s + 0.5) * ROOM_M
        phases.append(
            ActuatedPhase(
                name=str(n),
                heads=heads,
                detectors=() if fixed else detectors_at(network, lanes, detector_gap_s, stop_line=False, most_m=most_m),
                min_green_s=least_s,
                max_green_s=max(least_s, most_s),
                gap_s=gap_s,
                change_s=sum(program.intervals[m].duration_s for m in changes),
                recall="maximum" if fixed else "minimum",
            )
        )
    return ActuatedController(
        controller_id=controller.id, program_id=program.program_id, groups=((tuple(phases),),), scan_s=scan_s
    )


def _is_steady(state: str) -> bool:
    return any(letter in OPEN for letter in state) and not any(letter in YELLOW for letter in state)


def _between(program: ControllerPlan, first: int, until: int) -> list[int]:
    """Intervals behind `first` up to the next phase, around the cycle; none behind the only phase's own."""
    n = len(program.intervals)
    return [(first + x) % n for x in range(1, (until - first) % n or n)]


def _heads_from(program: ControllerPlan, n: int, changes: list[int], where: str) -> tuple[HeadTiming, ...]:
    """Heads open in interval n: since when before it, how long into the change behind it, and the yellow then."""
    intervals = program.intervals
    after = intervals[(n + len(changes) + 1) % len(intervals)].state
    before = _before(program, n)
    out, faults = [], []
    for index, letter in enumerate(intervals[n].state):
        column = "".join("G" if intervals[m].state[index] in OPEN else "r" for m in changes)
        shown = f"{'G' if letter in OPEN else 'r'}{column}{'G' if after[index] in OPEN else 'r'}"
        if re.search("rG+r", shown):
            faults.append(f"link index {index} is green between two stages only; make that a stage of its own")
        if letter not in OPEN:
            continue
        kept = len(column) - len(column.lstrip("G"))
        closes_s = sum(intervals[m].duration_s for m in changes[:kept])
        yellow_s = 0.0
        for m in changes[kept:]:
            if intervals[m].state[index] not in YELLOW:
                break
            yellow_s += intervals[m].duration_s
        opens_s = 0.0
        for m in reversed(before):
            if intervals[m].state[index] not in OPEN:
                break
            opens_s -= intervals[m].duration_s
        holds = kept == len(changes) and after[index] in OPEN
        out.append(HeadTiming(index, letter, yellow_s, opens_s=opens_s, closes_s=closes_s, holds=holds))
    if faults:
        raise PlanError(where, faults)
    return tuple(out)


def _before(program: ControllerPlan, n: int) -> list[int]:
    """Intervals between the stage before and interval n."""
    out: list[int] = []
    size = len(program.intervals)
    for x in range(1, size):
        m = (n - x) % size
        if _is_steady(program.intervals[m].state):
            break
        out.insert(0, m)
    return out
