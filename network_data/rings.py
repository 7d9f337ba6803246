"""Rings to intervals and back: how people write a plan, and the interval table it compiles to.

One ring is the stage sequence of Europe and Korea; two rings with two groups are NEMA. A movement served by several
phases in a row stays green between them (an overlap).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from network_data.clearance import MIN_GREEN_S, ClearanceMatrix
from network_data.controllers import Controller, SignalHead
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import GREEN, YELLOW, BarrierGroup, ControllerPlan, Interval, Phase
from network_data.program_table import ProgramTable
from network_data.rules_form import ring_faults

TIME_DIGITS = 6
"""Times are compared to the microsecond."""
MIN_STAGE_S = 3.0
"""Shorter greens between two yellows are the end of a stage, not a stage."""


class _Span(NamedTuple):
    """A link index shows a letter from start to end, in seconds that may exceed the cycle."""

    start_s: float
    end_s: float
    letter: str


@dataclass(frozen=True)
class _Slot:
    """A phase with its place in the cycle."""

    phase: Phase
    start_s: float

    @property
    def green_end_s(self) -> float:
        return self.start_s + self.phase.green_s

    @property
    def end_s(self) -> float:
        return self.start_s + self.phase.split_s


def compile_rings(
    groups: tuple[BarrierGroup, ...], controller: Controller, matrix: ClearanceMatrix, *, rest: str = ""
) -> tuple[Interval, ...]:
    """The interval table of rings between barriers.

    Parameters
    ----------
    groups : tuple of BarrierGroup
        Groups in order; the rings of a group must be equally long.
    controller : Controller
        Which link indices the movements and crossings have.
    matrix : ClearanceMatrix
        Yellow of each link index where it is longer than the phase's, and the clearance of crossings.
    rest : str
        Letter of each link index where no phase serves it (default: red), e.g. `s` for right turns on red.

    Raises
    ------
    PlanError
        Rings that do not meet, movements that the controller does not have, phases without green.
    """
    where = f"controller {controller.id!r}"
    faults = [text for _, text, _, _ in ring_faults(groups, None)] + _unknown(groups, controller)
    slots = _slots(groups)
    faults += [
        f"phase {s.phase.name} has no green; give it some or leave it out" for s in slots if s.phase.green_s <= 0
    ]
    if faults or not slots:
        raise PlanError(where, faults or "no phases; give at least one")
    cycle_s = round(max(slot.end_s for slot in slots), TIME_DIGITS)
    rest = rest or "r" * controller.n_heads
    spans = [_spans_of(head, slots, cycle_s, matrix) for head in controller.heads]
    cuts = {0.0, cycle_s}
    for spans_of_head in spans:
        cuts |= {round(t % cycle_s, TIME_DIGITS) for span in spans_of_head for t in (span.start_s, span.end_s)}
    times = sorted(cuts)
    rows = []
    for begin_s, end_s in pairwise(times):
        middle_s = (begin_s + end_s) / 2
        letters = (_letter(spans[k], middle_s, cycle_s, rest[k]) for k in range(controller.n_heads))
        rows.append(Interval(round(end_s - begin_s, TIME_DIGITS), "".join(letters)))
    return merge_equal(rows)


def merge_equal(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Neighbouring intervals of equal state as one (not across the end of the cycle)."""
    out: list[Interval] = []
    for interval in intervals:
        if out and out[-1].state == interval.state:
            out[-1] = Interval(out[-1].duration_s + interval.duration_s, interval.state)
        else:
            out.append(interval)
    return tuple(out)


def _slots(groups: tuple[BarrierGroup, ...]) -> list[_Slot]:
    out, group_start_s = [], 0.0
    for group in groups:
        ends = [group_start_s]
        for ring in group.rings:
            now_s = group_start_s
            for phase in ring:
                out.append(_Slot(phase, now_s))
                now_s += phase.split_s
            ends.append(now_s)
        group_start_s = max(ends)
    return out


def _unknown(groups: tuple[BarrierGroup, ...], controller: Controller) -> list[str]:
    known = {x for head in controller.heads for x in (*head.movement_ids, *head.crossing_ids)}
    return [
        f"phase {phase.name} serves {name!r}, which the controller does not control"
        for group in groups
        for ring in group.rings
        for phase in ring
        for name in (*phase.movements, *phase.permitted, *phase.crossings)
        if name not in known
    ]


def _serving_letter(head: SignalHead, phase: Phase) -> str | None:
    """The green a phase gives a link index: permitted where any of its movements is."""
    if set(head.movement_ids) & set(phase.permitted):
        return "g"
    served = set(head.movement_ids) & set(phase.movements) or set(head.crossing_ids) & set(phase.crossings)
    return "G" if served else None


def _spans_of(head: SignalHead, slots: list[_Slot], cycle_s: float, matrix: ClearanceMatrix) -> list[_Span]:
    """Greens and yellows of a link index; a green that another phase takes over at the end of the split goes on."""
    served = [(slot, letter) for slot in slots if (letter := _serving_letter(head, slot.phase)) is not None]
    spans = []
    for slot, letter in served:
        taken_over = any(
            round((other.start_s - slot.end_s) % cycle_s, TIME_DIGITS) in (0.0, cycle_s)
            or 0 < (slot.end_s - other.start_s) % cycle_s < other.phase.green_s
            for other, _ in served
            if other is not slot or len(served) == len(slots) == 1
        )
        if taken_over:
            spans.append(_Span(slot.start_s, slot.end_s, letter))
        elif head.kind == "crossing":
            spans.append(_Span(slot.start_s, _walk_end_s(head, slot, matrix), letter))
        else:
            change_s = slot.phase.yellow_s + slot.phase.red_clearance_s
            yellow_s = min(change_s, max(slot.phase.yellow_s, float(matrix.yellow_s[head.index])))
            spans.append(_Span(slot.start_s, slot.green_end_s, letter))
            spans.append(_Span(slot.green_end_s, slot.green_end_s + yellow_s, "y"))
    return spans


def _walk_end_s(head: SignalHead, slot: _Slot, matrix: ClearanceMatrix) -> float:
    """A crossing turns red early enough that its clearance is over at the end of the split."""
    need_s = float(matrix.seconds[head.index].max(initial=0.0))
    return min(slot.green_end_s, max(slot.start_s, slot.end_s - need_s))


def _letter(spans: list[_Span], time_s: float, cycle_s: float, rest: str) -> str:
    shown = {s.letter for s in spans if s.start_s <= time_s < s.end_s or s.start_s <= time_s + cycle_s < s.end_s}
    return next((letter for letter in "Ggy" if letter in shown), rest)


def starting_at_stage(plan: ControllerPlan, controller: Controller) -> ControllerPlan:
    """The same program, begun where a stage turns green, today's begin if it is one (the offset moves along)."""
    table = ProgramTable(plan)
    vehicles = _vehicle_indices(controller, table)
    steady = [_is_steady(state, vehicles) for state in table.states]
    for first in range(table.n_intervals):
        if steady[first] and _letters(table.states[first], vehicles) != _letters(table.states[first - 1], vehicles):
            turned = _rotated(plan, first)
            blocks = _stage_blocks(ProgramTable(turned), vehicles)
            if blocks and blocks[0][0] == 0:
                return turned
    return plan


def _rotated(plan: ControllerPlan, first: int) -> ControllerPlan:
    if first == 0:
        return plan
    moved_s = sum(interval.duration_s for interval in plan.intervals[:first])
    minima = plan.min_durations_s
    return ControllerPlan(
        controller_id=plan.controller_id,
        program_id=plan.program_id,
        offset_s=(plan.offset_s + moved_s) % plan.cycle_s,
        intervals=plan.intervals[first:] + plan.intervals[:first],
        barrier_groups=plan.barrier_groups,
        min_durations_s=minima[first:] + minima[:first],
        actuated=plan.actuated,
    )


def phases_of(
    controller: Controller, network: RoadNetwork, plan: ControllerPlan, matrix: ClearanceMatrix | None = None
) -> tuple[BarrierGroup, ...]:
    """Read the stage sequence out of an interval table, as one ring.

    A stage is a longest stretch of at least 3 s with the same greens and no yellow among the vehicles; what follows it
    is its yellow and red clearance. Greens that run on into the next stage belong to both. The splits add up to the
    cycle. With a matrix, the least green of a phase is that of the link indices which are green in it alone, and the
    greatest what the other phases' least leaves of the cycle. Empty where there is no stage, or where the program does
    not begin with one.
    """
    table = ProgramTable(plan)
    vehicles = _vehicle_indices(controller, table)
    blocks = _stage_blocks(table, vehicles)
    if not blocks or blocks[0][0] != 0:
        return ()
    known = {x.id for x in network.crossings} | set(network.movements)
    ends = [*(first for first, _ in blocks[1:]), table.n_intervals]
    phases = [
        _phase(controller, table, vehicles, known, number, block, end)
        for number, (block, end) in enumerate(zip(blocks, ends, strict=True), start=1)
    ]
    least_s = [
        _least_green_s(table, vehicles, block, phase.green_s, matrix)
        for block, phase in zip(blocks, phases, strict=True)
    ]
    spare_s = sum(phase.green_s for phase in phases) - sum(least_s)
    bounded = (
        replace(phase, min_green_s=least, max_green_s=least + spare_s)
        for phase, least in zip(phases, least_s, strict=True)
    )
    return (BarrierGroup(rings=(tuple(bounded),)),)


def stage_states(plan: ControllerPlan, controller: Controller) -> list[str]:
    """The states of a program's stages, from its first one on: those that the phases of `phases_of` number from 1."""
    turned = starting_at_stage(plan, controller)
    table = ProgramTable(turned)
    return [table.states[first] for first, _ in _stage_blocks(table, _vehicle_indices(controller, table))]


def _least_green_s(
    table: ProgramTable, vehicles: list[int], block: tuple[int, int], green_s: float, matrix: ClearanceMatrix | None
) -> float:
    """Least green of a phase: that of the link indices whose green lies within it, at most its own green."""
    first, last = block
    before, after = table.states[first - 1], table.states[last % table.n_intervals]
    alone = [
        k for k in vehicles if table.states[first][k] in GREEN and before[k] not in GREEN and after[k] not in GREEN
    ]
    if matrix is None or not alone:
        return min(green_s, MIN_GREEN_S)
    return min(green_s, max(float(matrix.min_green_s[k]) for k in alone))


def _vehicle_indices(controller: Controller, table: ProgramTable) -> list[int]:
    return [h.index for h in controller.heads if h.kind in ("vehicle", "bus") and h.index < table.n_heads]


def _letters(state: str, vehicles: list[int]) -> str:
    return "".join(state[k] for k in vehicles)


def _is_steady(state: str, vehicles: list[int]) -> bool:
    """Whether some vehicles have green and none yellow."""
    return any(state[k] in GREEN for k in vehicles) and not any(state[k] in YELLOW for k in vehicles)


def _stage_blocks(table: ProgramTable, vehicles: list[int]) -> list[tuple[int, int]]:
    """(first interval, interval after the last) of each stage."""
    blocks: list[tuple[int, int]] = []
    previous = ""
    for n, state in enumerate(table.states):
        letters, steady = _letters(state, vehicles), _is_steady(state, vehicles)
        if steady and blocks and blocks[-1][1] == n and letters == previous:
            blocks[-1] = (blocks[-1][0], n + 1)
        elif steady:
            blocks.append((n, n + 1))
        previous = letters
    return [(a, b) for a, b in blocks if sum(table.durations_s[a:b]) >= MIN_STAGE_S]


def _phase(
    controller: Controller,
    table: ProgramTable,
    vehicles: list[int],
    known: set[str],
    number: int,
    block: tuple[int, int],
    end: int,
) -> Phase:
    first, last = block
    state = table.states[first]
    heads = [controller.heads[k] for k in vehicles]
    permitted = {m for h in heads if state[h.index] == "g" for m in h.movement_ids}
    served = dict.fromkeys(m for h in heads if state[h.index] in GREEN for m in h.movement_ids if m in known)
    walking = dict.fromkeys(
        x
        for h in controller.heads[: table.n_heads]
        if h.kind == "crossing" and any(table.greens[n, h.index] for n in range(first, last))
        for x in h.crossing_ids
    )
    green_s = sum(table.durations_s[first:last])
    change = range(last, end)
    yellow_s = sum(table.durations_s[n] for n in change if any(table.states[n][k] in YELLOW for k in vehicles))
    return Phase(
        name=str(number),
        movements=tuple(m for m in served if m not in permitted),
        permitted=tuple(m for m in served if m in permitted),
        crossings=tuple(walking),
        green_s=green_s,
        yellow_s=yellow_s,
        red_clearance_s=sum(table.durations_s[n] for n in change) - yellow_s,
        min_green_s=0.0,
        max_green_s=green_s,
    )
