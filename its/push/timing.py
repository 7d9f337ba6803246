"""What a controller's tables hold of a plan: cycle, offset and splits in whole seconds; and the way back to a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from its.push.driver import RefusedError
from its.push.targets import Profile, Target
from network_data.plans import BarrierGroup, ControllerPlan, Interval, Phase
from network_data.rules_form import is_whole

TENTH_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Timing:
    """A plan in a controller's numbers; clearances as (yellow, red clearance) in tenths of a second.

    `offset_s` counts from local midnight to what the profile's `offset_at` names.
    """

    cycle_s: int
    offset_s: int
    splits_s: Mapping[int, int]
    clearance_ds: Mapping[int, tuple[int, int]]
    walking: frozenset[int]
    coordinated: frozenset[int]


def timing_of(plan: ControllerPlan, target: Target, profile: Profile) -> Timing:
    """A plan in the controller's numbers.

    Raises
    ------
    RefusedError
        It cannot be said in phases and splits of whole seconds, with every reason.
    """
    where = f"controller {target.id!r}"
    if not plan.barrier_groups:
        raise RefusedError(f"{where}: the plan is an interval table without phases; a pattern cannot hold it")
    phases = [phase for group in plan.barrier_groups for ring in group.rings for phase in ring]
    faults = [f"phase {p.name!r} has no number; give it under phases" for p in phases if _number(p, target) is None]
    numbers = [_number(phase, target) or 0 for phase in phases]
    faults += [f"phase number {n} serves two phases" for n in sorted(set(numbers)) if n and numbers.count(n) > 1]
    faults += [
        f"split of phase {p.name!r} is {p.split_s:g} s, no whole second" for p in phases if not is_whole(p.split_s)
    ]
    faults += [
        f"{what} of phase {p.name!r} is {value:g} s, no tenth of a second"
        for p in phases
        for what, value in (("yellow", p.yellow_s), ("red clearance", p.red_clearance_s))
        if not is_whole(value / TENTH_S)
    ]
    faults += [f"coordinated phase {n} is not in the plan" for n in target.coordinated if n not in numbers]
    if not is_whole(plan.cycle_s) or not is_whole(plan.offset_s):
        faults.append(f"cycle {plan.cycle_s:g} s and offset {plan.offset_s:g} s need whole seconds")
    if faults:
        raise RefusedError(f"{where}: {'; '.join(faults)}")
    reference_s = _reference_s(plan, target, profile)
    if not is_whole(reference_s):
        raise RefusedError(f"{where}: the offset's reference lies at {reference_s:g} s of the cycle, no whole second")
    return Timing(
        cycle_s=round(plan.cycle_s),
        offset_s=round(plan.offset_s + reference_s) % round(plan.cycle_s),
        splits_s={n: round(p.split_s) for n, p in zip(numbers, phases, strict=True)},
        clearance_ds={
            n: (round(p.yellow_s / TENTH_S), round(p.red_clearance_s / TENTH_S))
            for n, p in zip(numbers, phases, strict=True)
        },
        walking=frozenset(n for n, p in zip(numbers, phases, strict=True) if p.crossings),
        coordinated=frozenset(target.coordinated),
    )


def plan_of_timing(timing: Timing, template: ControllerPlan, target: Target, profile: Profile) -> ControllerPlan:
    """The plan that a controller's numbers mean: its signals as in the template, its times as in the numbers.

    A phase that is longer or shorter than in the template is so in its longest interval without yellow.

    Parameters
    ----------
    timing : Timing
        As read from the controller.
    template : ControllerPlan
        Any plan of the same stages: it says what lights up in which order.

    Raises
    ------
    RefusedError
        Other phases than the template's, a clearance changed, or two rings whose splits changed.
    """
    phases = [phase for group in template.barrier_groups for ring in group.rings for phase in ring]
    numbers = [_number(phase, target) or 0 for phase in phases]
    planned = timing_of(template, target, profile)
    if set(numbers) != set(timing.splits_s) or timing.clearance_ds != planned.clearance_ds:
        raise RefusedError(f"controller {target.id!r}: other phases or clearances than the plan's; cannot be compared")
    if timing.splits_s == planned.splits_s:
        intervals, groups = template.intervals, template.barrier_groups
    elif any(len(group.rings) != 1 for group in template.barrier_groups):
        raise RefusedError(f"controller {target.id!r}: splits of two rings differ from the plan's; cannot be compared")
    else:
        longer = [timing.splits_s[n] - planned.splits_s[n] for n in numbers]
        intervals = _stretched(template, phases, longer)
        changed = iter(
            replace(p, green_s=p.green_s + by, max_green_s=max(p.max_green_s, p.green_s + by))
            for p, by in zip(phases, longer, strict=True)
        )
        groups = tuple(
            BarrierGroup(rings=(tuple(next(changed) for _ in group.rings[0]),)) for group in template.barrier_groups
        )
    plan = replace(template, intervals=intervals, barrier_groups=groups, min_durations_s=())
    offset_s = (timing.offset_s - _reference_s(plan, target, profile)) % timing.cycle_s
    if abs(plan.cycle_s - timing.cycle_s) > TENTH_S:
        raise RefusedError(f"controller {target.id!r}: splits make {plan.cycle_s:g} s, the cycle is {timing.cycle_s} s")
    return replace(plan, offset_s=float(offset_s))


def _stretched(template: ControllerPlan, phases: list[Phase], longer: list[int]) -> tuple[Interval, ...]:
    out: list[Interval] = []
    rest = list(template.intervals)
    for phase, by_s in zip(phases, longer, strict=True):
        block: list[Interval] = []
        while rest and sum(i.duration_s for i in block) < phase.split_s - TENTH_S:
            block.append(rest.pop(0))
        steady = [n for n, i in enumerate(block) if not set(i.state) & set("yY")] or list(range(len(block)))
        n = max(steady, key=lambda n: block[n].duration_s)
        if not block[n].duration_s + by_s > 0:
            raise RefusedError(f"phase {phase.name!r}: its split leaves no green")
        block[n] = block[n]._replace(duration_s=block[n].duration_s + by_s)
        out += block
    return (*out, *rest)


def _number(phase: Phase, target: Target) -> int | None:
    if phase.name in target.phases:
        return target.phases[phase.name]
    return int(phase.name) if phase.name.isdecimal() and 1 <= int(phase.name) <= 255 and not target.phases else None


def _reference_s(plan: ControllerPlan, target: Target, profile: Profile) -> float:
    """Second of the cycle that the device's offset refers to: of the first coordinated phase that turns green."""
    if profile.offset_at == "first-green":
        return 0.0
    begin_s, found = 0.0, []
    for group in plan.barrier_groups:
        for ring in group.rings:
            now_s = begin_s
            for phase in ring:
                if _number(phase, target) in target.coordinated:
                    found.append(now_s + (phase.green_s if profile.offset_at == "coordinated-yellow" else 0.0))
                now_s += phase.split_s
        begin_s += sum(phase.split_s for phase in group.rings[0])
    return min(found)
