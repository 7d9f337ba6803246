"""From one program to the next as controllers do it: leave at a safe point, then come into step.

At the switch time the old program runs on to the end of its cycle; there the new one begins, if no rule is broken (see
`_ways_over` for what happens else). It begins where it stands, not where the clock wants it, and is then brought into
step: its local zero has to move `error_s` later (0 ≤ error_s < cycle) or cycle - error_s earlier.

add : cycles longer by at most `lengthen` of the cycle, greens in proportion.
subtract : cycles shorter by at most `shorten`, never below least greens, walks and clearances.
shortway : whichever of the two needs fewer cycles (add, where equal).
dwell : one cycle in which the coordinated green is held for the whole error, up to one cycle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from network_data.clearance import MIN_GREEN_S
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.schedule import DayPlan
from network_data.sequence_rules import SequenceRules, sequence_rules
from sim._bridge import bridge_rows
from sim.segments import Segment, clipped, modulo, program_from, rounded, rows_of, unrolled
from sim.transition_cycles import Method, TransitionLimits, transition_cycles

METHODS: tuple[Method, ...] = ("dwell", "add", "subtract", "shortway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a switch cost.

    Attributes
    ----------
    switch_s, left_s, in_step_s : float
        When the switch was due, when the old program ended, from when on the new one is in step. [s after midnight]
    method : str
        The one that was used: `subtract` becomes `add` where the minima leave nothing to take.
    error_s : float
        How much later the local zero had to be when the new program began. [s]
    cycles : int
        Cycles run out of coordination.
    """

    controller_id: str
    from_program: str
    to_program: str
    switch_s: float
    left_s: float
    in_step_s: float
    method: Method
    error_s: float
    cycles: int


@dataclass(frozen=True, kw_only=True)
class ScheduledPlan:
    """What every controller shows over a period: segments without gaps, and the transitions among them."""

    segments: dict[str, tuple[Segment, ...]]
    transitions: tuple[Transition, ...]

    def unrolled(self) -> TimingPlan:
        """The whole period as one long program per controller, for what takes no segments."""
        return TimingPlan(controllers={c: unrolled(segments) for c, segments in self.segments.items()})


def compile_schedule(
    network: RoadNetwork,
    day: DayPlan,
    *,
    begin_s: float,
    end_s: float,
    method: Method = "shortway",
    limits: TransitionLimits | None = None,
    min_green_s: float = MIN_GREEN_S,
) -> ScheduledPlan:
    """Lay a day plan out over a period, transitions included.

    Parameters
    ----------
    network : RoadNetwork
        Its controllers' conflicts; clearances are those of the program that runs first.
    day : DayPlan
        Which program from when on.
    begin_s, end_s : float
        Seconds after midnight; beyond 86,400 the day repeats. The first program is in step at begin_s. [s]
    method : {"shortway", "add", "subtract", "dwell"}
        How controllers come into step.
    limits : TransitionLimits, optional
        Shares of the cycle.
    min_green_s : float
        Floor of greens in shortened cycles. [s]

    Raises
    ------
    PlanError
        Unknown controllers or method, an empty period, or programs between which no legal way was found.

    Notes
    -----
    Offsets keep counting from the first midnight: a cycle that does not divide the day makes no jump at the next one.
    """
    faults = [
        f"the network has no controller {c!r}; take it out" for c in day.controllers if c not in network.controllers
    ]
    if not begin_s < end_s:
        faults.append(f"the period {begin_s:g} to {end_s:g} s is empty; end it later")
    if method not in METHODS:
        faults.append(f"method {method!r} is unknown; use one of {', '.join(METHODS)}")
    if faults:
        raise PlanError("day plan", faults)
    segments: dict[str, tuple[Segment, ...]] = {}
    transitions: list[Transition] = []
    for controller_id, plan in day.controllers.items():
        first = plan.program_at(begin_s)
        rules = sequence_rules(
            network, network.controllers[controller_id], (first, *plan.programs), min_green_s=min_green_s
        )
        running = [Segment(begin_s - 2 * first.cycle_s, math.inf, first)]
        try:
            for at_s, program in plan.between(begin_s, end_s):
                running, done = switch_program(running, program, at_s, rules, method=method, limits=limits)
                transitions.append(done)
        except PlanError as error:
            faults += error.faults
        segments[controller_id] = tuple(clipped(running, begin_s, end_s))
    if faults:
        raise PlanError("day plan", faults)
    return ScheduledPlan(segments=segments, transitions=tuple(transitions))


def switch_program(
    running: Sequence[Segment],
    new: ControllerPlan,
    switch_s: float,
    rules: SequenceRules,
    *,
    method: Method = "shortway",
    limits: TransitionLimits | None = None,
    coordinated: int | None = None,
) -> tuple[list[Segment], Transition]:
    """Let a controller switch to another program.

    Parameters
    ----------
    running : sequence of Segment
        What it shows so far, without gaps, the last one for ever; it should reach back two cycles.
    new : ControllerPlan
        The program to run; `new.offset_s` says when it is in step.
    switch_s : float
        When the switch is due, after running[0].from_s. [s after midnight]
    rules : SequenceRules
        What must hold across the joint.
    method, limits
        See the module.
    coordinated : int, optional
        Interval of `new` that `dwell` holds; by default its longest green.

    Returns
    -------
    segments : list of Segment
        `running` up to the joint, then the transition; the last one, in step, lasts for ever.
    transition : Transition

    Raises
    ------
    PlanError
        No legal way from the old program to the new one.
    """
    limits = limits or TransitionLimits()
    for tried in dict.fromkeys((method, "add")):
        for left_s, entry, bridged in _ways_over(running, new, switch_s):
            bridge = bridge_rows(running, new, left_s, rules) if bridged else []
            way, done = _follow(running, new, (left_s, entry, bridge), rules, tried, limits, coordinated)
            done = replace(done, switch_s=switch_s)
            seen = clipped(way, left_s - 2 * running[-1].program.cycle_s, done.in_step_s + 2 * new.cycle_s)
            faults = rules.broken(list(rows_of(seen)))
            if not faults:
                return way, done
    old_id = running[-1].program.program_id
    raise PlanError(
        f"controller {new.controller_id!r}",
        f"no way from program {old_id!r} to {new.program_id!r} at {switch_s:g} s keeps the rules ({faults[0]}); "
        "mend the programs",
    )


def _follow(
    running: Sequence[Segment],
    new: ControllerPlan,
    joint: tuple[float, int, list[Interval]],
    rules: SequenceRules,
    method: Method,
    limits: TransitionLimits,
    coordinated: int | None,
) -> tuple[list[Segment], Transition]:
    """Old program up to the joint, bridge, rest of the new one's cycle, cycles in transition, then for ever."""
    left_s, entry, bridge = joint
    way = clipped(running, running[0].from_s, left_s)
    old_id = way[-1].program.program_id
    now_s = left_s
    if bridge:
        now_s = _add(way, program_from(new, bridge, f"{old_id}→{new.program_id}", now_s), now_s, 1)
    if entry:
        before_s = sum(interval.duration_s for interval in new.intervals[:entry])
        late = replace(new, offset_s=modulo(now_s - before_s, new.cycle_s))
        way.append(Segment(now_s, rounded(now_s + new.cycle_s - before_s), late))
        now_s = way[-1].until_s
    error_s = modulo(new.offset_s - now_s, new.cycle_s)
    used, steps = transition_cycles(new, error_s, rules, method, limits, coordinated)
    for durations, group in groupby(steps):
        total_s = rounded(sum(durations) - new.cycle_s)
        rows = [Interval(d, interval.state) for d, interval in zip(durations, new.intervals, strict=True)]
        now_s = _add(way, program_from(new, rows, f"{new.program_id}{total_s:+g}", now_s), now_s, len(list(group)))
    way.append(Segment(now_s, math.inf, new))
    done = Transition(
        controller_id=new.controller_id,
        from_program=old_id,
        to_program=new.program_id,
        switch_s=left_s,
        left_s=left_s,
        in_step_s=now_s,
        method=used,
        error_s=error_s,
        cycles=len(steps) + bool(entry and error_s),
    )
    return way, done


def _ways_over(running: Sequence[Segment], new: ControllerPlan, switch_s: float) -> Iterator[tuple[float, int, bool]]:
    """Where the old program may be left and the new one entered, best first: (left_s, interval entered, bridge).

    1. At the end of the old program's cycle, the new one from its begin.
    2. Within the cycle after that, where an interval begins whose state an interval of the new program has too.
    3. As 1, with a bridge of yellow and all-red between the two.
    """
    end_s = _cycle_end(running, switch_s)
    yield end_s, 0, False
    now_s = end_s
    for duration_s, state in rows_of(clipped(running, end_s, end_s + running[-1].program.cycle_s)):
        for entry, interval in enumerate(new.intervals):
            if interval.state == state:
                yield now_s, entry, False
        now_s = rounded(now_s + duration_s)
    yield end_s, 0, True


def _cycle_end(running: Sequence[Segment], time_s: float) -> float:
    """The first end of a cycle from a time on. [s]"""
    segment = next(s for s in running if s.until_s >= time_s)
    missing_s = modulo(segment.program.offset_s - time_s, segment.program.cycle_s)
    return min(rounded(time_s + missing_s), segment.until_s)


def _add(way: list[Segment], program: ControllerPlan, now_s: float, times: int) -> float:
    """Append a program for some cycles; the time at which it ends."""
    way.append(Segment(now_s, rounded(now_s + times * program.cycle_s), program))
    return way[-1].until_s
