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


class Ring(NamedTuple):
    """The slots of a plan from the end of the coordinated stage on, which comes last.

    `ends_s` are seconds after that end; `into_s` is now on the same clock.
    """

    slots: tuple[Slot, ...]
    ends_s: tuple[float, ...]
    into_s: float

    @property
    def coordinated(self) -> int:
        """The coordinated stage."""
        return self.slots[-1].stage


def ring_of(plan: ControllerPlan, model: SignalModel, time_s: float) -> Ring | None:
    """The plan as a ring; None where it has less than two stages."""
    slots = slots_of(plan, model)
    if len({slot.stage for slot in slots}) < 2:
        return None
    longest = max(range(len(slots)), key=lambda n: slots[n].to_s - slots[n].from_s)
    from_s = slots[longest].to_s
    turned = (*slots[longest + 1 :], *slots[: longest + 1])
    ends_s = tuple((slot.to_s - from_s) % plan.cycle_s for slot in turned[:-1])
    return Ring(turned, (*ends_s, plan.cycle_s), (time_s - plan.offset_s - from_s + 1e-9) % plan.cycle_s)


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
    stage, ring = runner.stage, ring_of(plan, model, time_s)
    if ring is None:
        return due_stage(plan, model, time_s, stage), "the plan has one stage"
    allowed = runner.allowed()
    if not allowed[stage]:
        return int(np.flatnonzero(allowed)[0]), "a red would get too long"
    since_s = ring.into_s - runner.stay_s
    n_last = len(ring.slots) - 1
    place = next((n for n, x in enumerate(ring.slots) if x.stage == stage and ring.ends_s[n] >= since_s), None)
    if stage == ring.coordinated and since_s < 0:
        # it stood when its end came: whoever calls is served as long as the plan has time left for them
        after = _next_called(ring, model, outlook, stage, -1)
        return (stage, "nobody called") if after == stage else (after, "yield point")
    if place is None:
        return ring.coordinated, "back to the plan"
    left_s = ring.ends_s[place] - ring.into_s
    if left_s > 0 and (place == n_last or not _gapped_out(model, outlook, stage, left_s, plan.cycle_s)):
        return stage, "the plan's stage"
    return _next_called(ring, model, outlook, stage, place), "force-off" if left_s <= 0 else "gap out"


def _next_called(ring: Ring, model: SignalModel, outlook: Outlook, stage: int, place: int) -> int:
    """The next slot somebody called that has time left for its least stay; else the coordinated stage."""
    for n in range(place + 1, len(ring.slots) - 1):
        other = ring.slots[n].stage
        least_s = min(float(model.hold_s[stage, other]), ring.slots[n].to_s - ring.slots[n].from_s)
        regular = ring.into_s <= (ring.ends_s[n - 1] if n else 0.0) + 1.0  # the plan itself begins no earlier
        in_time = ring.into_s + float(model.change_s[stage, other]) + least_s <= ring.ends_s[n] + 1.0 or regular
        if other == stage or (in_time and _called(model, outlook, other, stage)):
            return other
    return ring.coordinated


def _called(model: SignalModel, outlook: Outlook, stage: int, standing: int) -> bool:
    better = model.base[stage] > model.base[standing] + 0.02  # opens them, or spares them to yield
    return bool(outlook.queue_veh[better].sum() > CALL_VEH)


def _gapped_out(model: SignalModel, outlook: Outlook, stage: int, left_s: float, cycle_s: float) -> bool:
    """Nobody waits or comes within the gap, and who waits elsewhere gains more than who is yet to come here loses."""
    opens = model.stage_open[stage] > 0
    if outlook.queue_veh[opens].sum() + outlook.arrival_veh[:GAP_S, opens].sum() >= CALL_VEH:
        return False
    saved_s = outlook.queue_veh[~opens].sum() * left_s
    lost_s = outlook.arrival_veh[: int(left_s), opens].sum() * max(0.0, cycle_s - left_s)
    return bool(saved_s > lost_s)


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
