"""From the running programs to the next: checked by the rules of the street, and a legal way from one to the other.

A signal leaves its program at the end of a cycle. Where only seconds move (same states, same cycle), the new program
begins there and comes into step within one longer or shorter cycle; sums of rules that reach over the joints are
checked in whole seconds. Everything else takes the way of `sim.transitions`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.rules import check_plan
from network_data.sequence_rules import SequenceRules, sequence_rules
from network_data.settings import Settings
from optimizer.candidate import Setting, plan_of
from optimizer.models import ControllerModel
from optimizer.skeleton import Skeleton
from sim.segments import Segment, clipped, modulo, program_from
from sim.transition_cycles import TransitionLimits
from sim.transitions import Transition, switch_program

SECONDS = NDArray[np.int64]
REMEMBERED = 500
"""Signals whose rules on sequences are kept, for memory that stays flat."""


@dataclass(frozen=True, eq=False)
class Way:
    """What a signal shows from a moment on, the last segment for ever; and what the change costs."""

    segments: tuple[Segment, ...]
    transition: Transition


@dataclass(eq=False)
class HandOver:
    """Checks and transitions of one network; remembers what each signal shows."""

    network: RoadNetwork
    models: Sequence[ControllerModel]
    yardstick: TimingPlan
    settings: Settings
    limits: TransitionLimits = field(default_factory=TransitionLimits)
    showing: dict[int, tuple[Segment, ...]] = field(default_factory=dict)
    """Signals that are not in step yet (or were not when last asked)."""
    _rules: dict[int, SequenceRules] = field(default_factory=dict)

    def in_step(self, time_s: float) -> NDArray[np.bool_]:
        """Which signals run their program in step; shape (S,)."""
        out = np.ones(len(self.models), np.bool_)
        for at, segments in list(self.showing.items()):
            if segments[-1].from_s > time_s:
                out[at] = False
            else:
                del self.showing[at]
        return out

    def refused(self, at: int, program: ControllerPlan) -> str:
        """What `check_plan` finds wrong with a program; empty where it finds nothing."""
        name = program.controller_id
        findings = check_plan(
            self.network, TimingPlan(controllers={name: program}), TimingPlan(controllers={name: self._field(at)}),
            self.settings,
        )  # fmt: skip
        return next((f.text for f in findings if f.severity == "error"), "")

    def _field(self, at: int) -> ControllerPlan:
        return self.yardstick.controllers[self.models[at].controller.id]

    def way(self, at: int, old: ControllerPlan, before: Setting, after: Setting, *, time_s: float, due_s: float) -> Way:
        """The legal way from the program that runs to another setting, from time_s on, the change due at due_s.

        Parameters
        ----------
        old : ControllerPlan
            What runs; `before` is the setting that stands for it in whole seconds.

        Raises
        ------
        PlanError
            There is none that keeps the rules.
        """
        new = plan_of(self.models[at], after)
        if before.skeleton == after.skeleton and before.cycle_s == after.cycle_s and _stands_for(before, old):
            found = self._retimed(self.models[at].skeletons[after.skeleton], old, before, new, after, due_s)
            if found is not None:
                first = found.segments[0]
                if first.program is old:
                    rest = found.segments[1:]
                    return Way((first._replace(from_s=time_s), *rest), found.transition)
                return Way((Segment(time_s, due_s, old), *found.segments), found.transition)
        if at not in self._rules:
            if len(self._rules) >= REMEMBERED:
                self._rules.clear()
            programs = (self._field(at), *self.models[at].controller.programs)
            least_s = self.settings.limits.min_green_s
            self._rules[at] = sequence_rules(
                self.network, self.models[at].controller, programs, field=self._field(at), min_green_s=least_s
            )
        running = [Segment(due_s - 3 * old.cycle_s, math.inf, old)]
        segments, done = switch_program(running, new, due_s, self._rules[at], limits=self.limits)
        return Way(tuple(clipped(segments, time_s, math.inf)), done)

    def _retimed(
        self, skeleton: Skeleton, old: ControllerPlan, before: Setting, new: ControllerPlan, after: Setting,
        time_s: float,
    ) -> Way | None:  # fmt: skip
        """Seconds moved within the cycle; None where that takes more than one cycle, or a rule over a joint breaks."""
        cycle_s = after.cycle_s
        left_s = time_s + modulo(before.offset_s - time_s, cycle_s)
        late = round(modulo(after.offset_s - left_s, cycle_s))
        if abs(left_s - round(left_s)) > 1e-6:
            return None
        segments = [Segment(time_s, left_s, old)] if left_s > time_s else []
        now, shown, method = left_s, after.durations_s, "add"
        if late:
            early = cycle_s - late
            if late <= self.limits.lengthen * cycle_s:
                shown = longer(after.durations_s, skeleton.stretch, late)
            elif early <= self.limits.shorten * cycle_s:
                taken = shorter(after.durations_s, skeleton, early)
                if taken is None:
                    return None
                shown, method = taken, "subtract"
            else:
                return None
        if not joins(skeleton, before.durations_s, shown) or not joins(skeleton, shown, after.durations_s):
            return None
        if late:
            rows = [Interval(float(d), s) for d, s in zip(shown, skeleton.states, strict=True)]
            bridge = program_from(new, rows, f"{new.program_id}{int(shown.sum()) - cycle_s:+d}", now)
            segments.append(Segment(now, now + float(shown.sum()), bridge))
            now += float(shown.sum())
        segments.append(Segment(now, math.inf, new))
        done = Transition(
            controller_id=new.controller_id, from_program=old.program_id, to_program=new.program_id, switch_s=time_s,
            left_s=left_s, in_step_s=now, method="add" if method == "add" else "subtract", error_s=float(late),
            cycles=int(late > 0),
        )  # fmt: skip
        return Way(tuple(segments), done)


def _stands_for(setting: Setting, program: ControllerPlan) -> bool:
    """Whether a setting is a program second by second: its seconds are whole."""
    whole = (
        all(float(row.duration_s).is_integer() for row in program.intervals) and float(program.offset_s).is_integer()
    )
    return whole and program.cycle_s == setting.cycle_s and program.offset_s % setting.cycle_s == setting.offset_s


def longer(durations_s: SECONDS, stretch: NDArray[np.bool_], seconds: int) -> SECONDS:
    """A cycle longer by some seconds: intervals that stretch in proportion, by largest remainder. [s]"""
    weight = np.where(stretch, durations_s, 0)
    share = seconds * weight / weight.sum()
    more = np.floor(share).astype(np.int64)
    rest = np.argsort(-(share - more) * stretch, kind="stable")[: seconds - int(more.sum())]
    more[rest] += 1
    return np.asarray(durations_s + more)


def shorter(durations_s: SECONDS, skeleton: Skeleton, seconds: int) -> SECONDS | None:
    """A cycle shorter by some seconds, second by second where the largest share is left; None where rules forbid."""
    out = durations_s.copy()
    member, least = skeleton.member.astype(np.int64), skeleton.least_s
    slack = member @ out - np.where(least > 0, least, -(10**6))
    for _ in range(seconds):
        room = np.where(member == 1, slack[:, None], 10**6).min(axis=0) if len(slack) else np.full(len(out), 10**6)
        free = skeleton.stretch & (room >= 1) & (out > 1)
        if not free.any():
            return None
        at = int(np.argmax(np.where(free, out / np.maximum(durations_s, 1), -1.0)))
        out[at] -= 1
        slack -= member[:, at]
    return out


def joins(skeleton: Skeleton, first: SECONDS, then: SECONDS) -> bool:
    """Whether sums of rules that reach from the end of one cycle into the next last long enough."""
    if (first < 1).any() or (then < 1).any():
        return False
    member = skeleton.member.astype(np.bool_)
    if not len(member):
        return True
    around = member[:, 0] & member[:, -1] & ~member.all(axis=1)
    if around.any():
        rows = member[around]
        head = np.logical_and.accumulate(rows, axis=1)
        tail = np.logical_and.accumulate(rows[:, ::-1], axis=1)[:, ::-1]
        if (tail @ first + head @ then < skeleton.least_s[around]).any():
            return False
    inside = member[~around]
    return bool((inside @ then >= skeleton.least_s[~around]).all())


def try_way(
    hand: HandOver, at: int, old: ControllerPlan, before: Setting, after: Setting, *, time_s: float, due_s: float
) -> tuple[Way | None, str]:
    """A way and an empty text, or None and why there is none: a rule it breaks, or no legal transition."""
    wrong = hand.refused(at, plan_of(hand.models[at], after))
    if wrong:
        return None, wrong
    try:
        return hand.way(at, old, before, after, time_s=time_s, due_s=due_s), ""
    except PlanError as error:
        return None, str(error)
