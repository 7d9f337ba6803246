"""A plan in whole seconds, one phase per distinct state: what SUMO files and most controllers take."""

from __future__ import annotations

import math

from network_data.controllers import Controller
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import GREEN, YELLOW, ControllerPlan, Interval, TimingPlan
from network_data.rings import merge_equal
from network_data.rules_form import TOLERANCE_S, is_whole

UNCONTROLLED = frozenset("oOs")
"""Letters that a program shows where it controls nothing: off, and stop-and-go."""
STRENGTH = {"G": 2, "g": 1}
Losses = dict[str, dict[str, float]]


def to_sumo(plan: TimingPlan, network: RoadNetwork, field: TimingPlan, program_id: str) -> tuple[TimingPlan, Losses]:
    """The plan as it is exported: whole seconds, neighbouring equal states merged.

    Fractions of yellow and clearance are rounded up and the green before them takes the loss. Link indices that show
    only `o`, `O` or `s` in the field, and dead ones that never change there, keep the field's letter. A controller that
    runs fractions of seconds in the field and is unchanged keeps them.

    Parameters
    ----------
    plan, field : TimingPlan
        The plan and the field plan.
    network : RoadNetwork
        Their network.
    program_id : str
        The id of all programs written.

    Returns
    -------
    plan : TimingPlan
        One program per controller, without rings.
    losses : dict
        Controller id → movement or crossing → green seconds lost per cycle; only those that lose any. [s]

    Raises
    ------
    PlanError
        A cycle that is no whole number of seconds.
    """
    programs, losses, faults = {}, {}, []
    for controller_id, program in plan.controllers.items():
        controller = network.controllers[controller_id]
        today = field.controllers.get(controller_id)
        unchanged = today is not None and merge_equal(today.intervals) == merge_equal(program.intervals)
        if not is_whole(program.cycle_s) and not unchanged:
            faults.append(
                f"controller {controller_id!r}: cycle {program.cycle_s:g} s; needs whole seconds to be exported"
            )
            continue
        whole = is_whole(program.cycle_s) and not all(is_whole(i.duration_s) for i in program.intervals)
        intervals = _whole_intervals(program) if whole and not unchanged else program.intervals
        intervals = merge_equal(_with_fixed_letters(intervals, controller, today))
        offset_s = program.offset_s if unchanged else round(program.offset_s) % round(program.cycle_s)
        programs[controller_id] = ControllerPlan(
            controller_id=controller_id, program_id=program_id, offset_s=float(offset_s), intervals=intervals
        )
        lost = _losses(controller, program, programs[controller_id])
        if lost:
            losses[controller_id] = lost
    if faults:
        raise PlanError("plan", faults)
    return TimingPlan(controllers=programs), losses


def _whole_intervals(plan: ControllerPlan) -> list[Interval]:
    """The program second by second, each link index rounded on its own."""
    cycle_s = round(plan.cycle_s)
    columns = [_whole_column(plan, index, cycle_s) for index in range(len(plan.intervals[0].state))]
    return [Interval(1.0, "".join(letters)) for letters in zip(*columns, strict=True)]


def _whole_column(plan: ControllerPlan, index: int, cycle_s: int) -> list[str]:
    """Letters of one link index for every second of the cycle."""
    windows = plan.windows(index)
    if len(windows) == 1:
        return [windows[0].letter] * cycle_s
    starts: list[int] = []
    for n, window in enumerate(windows):
        starts.append(_whole_start(windows[n - 1].letter, window.letter, window.start_s))
    for n, window in enumerate(windows):  # yellow keeps its length, rounded up
        after = (n + 1) % len(windows)
        if window.letter in YELLOW and windows[after].letter not in GREEN:
            length = math.ceil(window.end_s - window.start_s - TOLERANCE_S)
            starts[after] = starts[n] + length
    column = [""] * cycle_s
    for n, window in enumerate(windows):
        for second in range((starts[(n + 1) % len(windows)] - starts[n]) % cycle_s):
            column[(starts[n] + second) % cycle_s] = window.letter
    return column


def _whole_start(before: str, letter: str, start_s: float) -> int:
    """A green begins, or grows stronger, no earlier; it ends, or grows weaker, no later."""
    gain = STRENGTH.get(letter, 0) - STRENGTH.get(before, 0)
    if gain > 0:
        return math.ceil(start_s - TOLERANCE_S)
    return math.floor(start_s + TOLERANCE_S) if gain < 0 else round(start_s)


def _with_fixed_letters(
    intervals: list[Interval] | tuple[Interval, ...], controller: Controller, today: ControllerPlan | None
) -> list[Interval]:
    """Letters of link indices that the program does not control, as the field shows them."""
    fixed: dict[int, str] = {}
    for head in controller.heads:
        if today is None or head.index >= len(today.intervals[0].state):
            continue
        letters = {interval.state[head.index] for interval in today.intervals}
        if len(letters) == 1 and (head.kind == "dead" or letters <= UNCONTROLLED):
            fixed[head.index] = letters.pop()
    return [
        Interval(duration_s, "".join(fixed.get(k, letter) for k, letter in enumerate(state)))
        for duration_s, state in intervals
    ]


def _losses(controller: Controller, before: ControllerPlan, after: ControllerPlan) -> dict[str, float]:
    lost: dict[str, float] = {}
    for head in controller.heads[: len(before.intervals[0].state)]:
        seconds = round(before.green_s(head.index) - after.green_s(head.index), 6)
        for name in (*head.movement_ids, *head.crossing_ids) if seconds > 0 else ():
            lost[name] = max(seconds, lost.get(name, 0.0))
    return lost
