"""What the controllers run now: the plan of the field, and what pushes have put in its place since."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from its.batch.task import PushedPlan
from its.content import one_day
from its.recognize import load_day, load_field_plan
from network_data.clearance import MIN_GREEN_S
from network_data.errors import PlanError
from network_data.formats.plan_json import plan_of_document
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.schedule import DayPlan
from network_data.sequence_rules import sequence_rules
from sim.segments import Segment, clipped, unrolled
from sim.transition_cycles import Method
from sim.transitions import switch_program


@dataclass(frozen=True, kw_only=True)
class Running:
    """What runs on one type of day: the field's plans, and pushed ones in their parts of the day."""

    field: DayPlan
    pushed: tuple[tuple[float, float, TimingPlan], ...] = ()
    notes: tuple[str, ...] = ()

    def plan_at(self, time_s: float) -> TimingPlan:
        """The programs due at a second after midnight."""
        programs = dict(self.field.plan_at(time_s).controllers)
        for begin_s, end_s, plan in self.pushed:
            if begin_s <= time_s < end_s:
                programs |= plan.controllers
        return TimingPlan(controllers=programs)

    def times_s(self, begin_s: float, end_s: float) -> list[float]:
        """When in [begin_s, end_s) anything may switch, begin_s first."""
        due = {at_s for day in self.field.controllers.values() for at_s, _ in day.switches}
        due |= {t for a, b, _ in self.pushed for t in (a, b)}
        return [begin_s, *sorted(t for t in due if begin_s < t < end_s)]

    def parts(self, begin_s: float, end_s: float) -> list[tuple[float, TimingPlan]]:
        """(from when on, plan) over a part of the day; neighbours differ."""
        out: list[tuple[float, TimingPlan]] = []
        for at_s in self.times_s(begin_s, end_s):
            plan = self.plan_at(at_s)
            if not out or not same(out[-1][1], plan):
                out.append((at_s, plan))
        return out


def running_plans(path: Path | None, network: RoadNetwork, pushed: Sequence[PushedPlan], days: str) -> Running:
    """What runs on a type of day; pushed plans of another network are left out, with a note.

    Raises
    ------
    PlanError
        The field's plan cannot be used.
    """
    day = load_day(path, network) if path is not None else None
    field = day if day is not None else one_day(load_field_plan(path, network).controllers)
    parts, notes = [], []
    for one in pushed:
        if one.days != days:
            continue
        try:
            plan = plan_of_document(one.document, network)
        except PlanError:
            notes.append(
                f"plan {one.plan_id[:12]}, pushed, was made for another network; the field's plan stands for it"
            )
            continue
        own = {c: plan.controllers[c] for c in one.controllers if c in plan.controllers}
        parts.append((one.begin_s, one.end_s, TimingPlan(controllers=own)))
    return Running(field=field, pushed=tuple(parts), notes=tuple(dict.fromkeys(notes)))


def same(one: TimingPlan, other: TimingPlan) -> bool:
    """Whether two plans show the same."""
    return _shown(one) == _shown(other)


def _shown(plan: TimingPlan) -> dict[str, tuple[object, ...]]:
    return {c: (p.offset_s, p.intervals) for c, p in plan.controllers.items()}


def laid_out(
    network: RoadNetwork,
    parts: Sequence[tuple[float, TimingPlan]],
    begin_s: float,
    end_s: float,
    *,
    method: Method,
) -> tuple[TimingPlan, int]:
    """Plans one after the other as the controllers show them, transitions included.

    Parameters
    ----------
    parts : sequence of (float, TimingPlan)
        From when on each is due; the first one is in step at `begin_s`, whenever it is due. [s after midnight]
    begin_s, end_s : float
        The part of the day that is shown. [s after midnight]

    Returns
    -------
    plan : TimingPlan
        One long program for each controller that switches; the others keep theirs.
    n_switch : int
        Switches of controllers.

    Raises
    ------
    PlanError
        No legal way from one program to the next; all controllers together.
    """
    programs: dict[str, ControllerPlan] = {}
    faults: list[str] = []
    n_switch = 0
    for c in parts[0][1].controllers:
        own = [(at_s, plan.controllers[c]) for at_s, plan in parts]
        kept = [own[0], *(b for a, b in pairwise(own) if _differ(a[1], b[1]))]
        if len(kept) == 1:
            programs[c] = kept[0][1]
            continue
        rules = sequence_rules(network, network.controllers[c], tuple(p for _, p in kept), min_green_s=MIN_GREEN_S)
        now = [Segment(begin_s - 2 * kept[0][1].cycle_s, math.inf, kept[0][1])]
        try:
            for at_s, program in kept[1:]:
                now, _ = switch_program(now, program, max(at_s, begin_s), rules, method=method)
                n_switch += 1
        except PlanError as error:
            faults += error.faults
            continue
        programs[c] = replace(unrolled(clipped(now, begin_s, end_s)), program_id=kept[-1][1].program_id)
    if faults:
        raise PlanError("transitions", faults)
    return TimingPlan(controllers=programs), n_switch


def _differ(one: ControllerPlan, other: ControllerPlan) -> bool:
    return (one.offset_s, one.intervals) != (other.offset_s, other.intervals)
