"""Where a program stands in time: the begin of one and the same stage in two programs of a controller."""

from __future__ import annotations

from network_data.controllers import Controller
from network_data.plans import GREEN, ControllerPlan
from network_data.rings import starting_at_stage

Greens = tuple[bool, ...]
"""Which link indices of vehicles are green."""


def greens_of(controller: Controller, state: str) -> Greens:
    """The greens of vehicles in a state."""
    return tuple(h.kind in ("vehicle", "bus") and state[h.index] in GREEN for h in controller.heads[: len(state)])


def reference_greens(controller: Controller, field: ControllerPlan) -> Greens:
    """The greens of the stage that the offset of a field program stands for: its first one."""
    return greens_of(controller, starting_at_stage(field, controller).intervals[0].state)


def reference_row(controller: Controller, states: tuple[str, ...], greens: Greens) -> int:
    """The interval at which that stage begins in a sequence of states; 0 where it has none."""
    shown = [greens_of(controller, state) == greens for state in states]
    return next((n for n in range(len(shown)) if shown[n] and not shown[n - 1]), 0)


def reference_s(controller: Controller, plan: ControllerPlan, greens: Greens) -> float:
    """The second, modulo the cycle, at which that stage begins in a program. [s]"""
    row = reference_row(controller, tuple(interval.state for interval in plan.intervals), greens)
    return (plan.offset_s + sum(interval.duration_s for interval in plan.intervals[:row])) % plan.cycle_s


def moved_s(controller: Controller, plan: ControllerPlan, field: ControllerPlan) -> float:
    """How far a program's reference stage begins after the field's, around the plan's cycle: from -cycle/2 on. [s]"""
    greens = reference_greens(controller, field)
    away_s = reference_s(controller, plan, greens) - reference_s(controller, field, greens)
    return around_s(away_s, plan.cycle_s)


def around_s(difference_s: float, cycle_s: float) -> float:
    """A difference of offsets as the shortest way around the cycle. [s]"""
    return (difference_s + cycle_s / 2) % cycle_s - cycle_s / 2
