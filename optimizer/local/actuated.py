"""The local layer as an actuated controller: the running plan's stages, ended on a gap, extended, skipped, coordinated.

The stage with the longest green of the plan is the coordinated one: it stays until the plan ends it. Every other ends
when no queue is left and nobody comes within the gap, or at the latest where the plan ends it (fixed force-off); time
that it leaves unused goes to those that follow, and stages that nobody has called are skipped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from network_data.plans import ControllerPlan
from optimizer.local.estimate import Outlook
from optimizer.local.layer import LocalDecision
from optimizer.local.runner import Runner
from optimizer.local.signal_model import SignalModel
from optimizer.skeleton import is_steady

GAP_S = 3
"""Nobody expected for so long, and no queue: the stage has gapped out. [s]"""
CALL_VEH = 0.4
"""Fewer vehicles than this have called nobody. [veh]"""


class Slot(NamedTuple):
    """A stage in the running plan: when in the cycle its change begins, and when it ends. [s]"""

    stage: int
    from_s: float
    to_s: float


def slots_of(plan: ControllerPlan, model: SignalModel) -> list[Slot]:
    """The stages of a plan in order; changes between them belong to the stage that follows."""
    out: list[Slot] = []
    t = 0.0
    for interval in plan.intervals:
        if is_steady(interval.state):
            stage = model.pool.nearest(interval.state)
            if out and out[-1].stage == stage and out[-1].to_s >= t - 1e-9:
                out[-1] = Slot(stage, out[-1].from_s, t + interval.duration_s)
            else:
                out.append(Slot(stage, t, t + interval.duration_s))
        t += interval.duration_s
    return out


def due_stage(plan: ControllerPlan, model: SignalModel, time_s: float, stage: int) -> int:
    """The stage that a plan wants to have after the change that would have to begin now."""
    slots = slots_of(plan, model)
    if not slots:
        return stage
    for slot in slots:
        into_s = (time_s + float(model.change_s[stage, slot.stage]) - plan.offset_s) % plan.cycle_s
        if slot.from_s - 1e-9 <= into_s < slot.to_s - 1e-9:
            return slot.stage
    return stage


def actuated_stage(
    plan: ControllerPlan, model: SignalModel, outlook: Outlook, runner: Runner, time_s: float
) -> tuple[int, str]:
    """What an actuated controller would do: the stage to have next, and why.

    Parameters
    ----------
    plan : ControllerPlan
        The running plan.
    outlook : Outlook
        Queues and arrivals of the signal's own lanes.
    runner : Runner
        Where the signal stands; it is free to change.
    time_s : float
        Now. [s]
    """
    due = due_stage(plan, model, time_s, runner.stage)
    slots = slots_of(plan, model)
    if len(slots) < 2:
        return due, "the plan has one stage"
    coordinated = max(slots, key=lambda slot: slot.to_s - slot.from_s).stage
    allowed = runner.allowed()
    if not allowed[runner.stage]:
        return int(np.flatnonzero(allowed)[0]), "a red would get too long"
    called = [_called(model, outlook, s, runner.stage) for s in range(len(model.hold_s))]
    order = [slot.stage for slot in slots]
    at = order.index(runner.stage) if runner.stage in order else 0
    following = [s for s in (order[(at + n) % len(order)] for n in range(1, len(order))) if s != runner.stage]
    if due == runner.stage:
        if runner.stage == coordinated or not _gapped_out(model, outlook, runner.stage):
            return runner.stage, "the plan's stage"
        after = next((s for s in following if called[s] or s == coordinated), coordinated)
        return after, "gap out"
    if called[due] or due == coordinated:
        return due, "force-off" if runner.stage != coordinated else "yield point"
    later = next((s for s in following if called[s]), runner.stage)
    if later == runner.stage:
        return runner.stage, "nobody else has called"
    return (later, "skips who has not called") if runner.stage != coordinated else (runner.stage, "nobody called")


def _called(model: SignalModel, outlook: Outlook, stage: int, standing: int) -> bool:
    opens = (model.stage_open[stage] > 0) & (model.stage_open[standing] <= 0)
    return bool(outlook.queue_veh[opens].sum() > CALL_VEH)


def _gapped_out(model: SignalModel, outlook: Outlook, stage: int) -> bool:
    opens = model.stage_open[stage] > 0
    return bool(outlook.queue_veh[opens].sum() + outlook.arrival_veh[:GAP_S, opens].sum() < CALL_VEH)


def decide_actuated(
    plan: ControllerPlan,
    model: SignalModel,
    outlook: Outlook,
    runner: Runner,
    time_s: float,
    clock: Callable[[], float] = time.thread_time,
) -> LocalDecision:
    """`actuated_stage` as a decision for the log; arguments as there."""
    begin = clock()
    stage, reason = actuated_stage(plan, model, outlook, runner, time_s)
    digest = hashlib.sha256(outlook.queue_veh.tobytes() + outlook.arrival_veh[:GAP_S].tobytes())
    digest.update(repr((runner.stage, plan.offset_s, plan.cycle_s, time_s)).encode())
    return LocalDecision(
        controller_id=model.pool.controller.id,
        stage=stage,
        candidates=(),
        reason=reason,
        inputs=digest.hexdigest()[:16],
        ms=1e3 * (clock() - begin),
    )
