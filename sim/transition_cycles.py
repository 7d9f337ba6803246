"""The cycles in which a program comes into step: longer, shorter, or one with the coordinated green held."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from network_data.clearance import EPSILON_S, MIN_GREEN_S
from network_data.errors import PlanError
from network_data.plans import OPEN, YELLOW, ControllerPlan
from network_data.sequence_rules import SequenceRules

Method = Literal["dwell", "add", "subtract", "shortway"]
Durations = tuple[float, ...]
DIGITS = 6
"""Times are compared to the microsecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionLimits:
    """How far a cycle may be stretched or shrunk in transition, as shares of the new cycle. [-]"""

    lengthen: float = 0.20
    shorten: float = 0.17

    def __post_init__(self) -> None:
        faults = [
            f"{name} is {value}; needs a share of the cycle above 0, at most {most:g}"
            for name, value, most in (("lengthen", self.lengthen, 1.0), ("shorten", self.shorten, 0.5))
            if not 0 < value <= most
        ]
        if faults:
            raise PlanError("transition limits", faults)


def transition_cycles(
    program: ControllerPlan,
    error_s: float,
    rules: SequenceRules,
    method: Method,
    limits: TransitionLimits,
    coordinated: int | None = None,
) -> tuple[Method, list[Durations]]:
    """The durations of the intervals in every cycle of a transition.

    Parameters
    ----------
    program : ControllerPlan
        The program to bring into step.
    error_s : float
        How much later its local zero has to be, in [0, cycle). [s]
    rules : SequenceRules
        Least greens, walks and clearances that shortened cycles keep.
    method, limits
        See `sim.transitions`.
    coordinated : int, optional
        Interval that `dwell` holds; by default the longest green.

    Returns
    -------
    method : str
        The one used.
    cycles : list of tuple of float
        One tuple per cycle: the duration of every interval; empty where there is no error. [s]
    """
    if error_s <= 0:
        return method, []
    cycle_s = program.cycle_s
    if method == "dwell":
        held = max(stretchable(program), key=lambda n: program.intervals[n].duration_s)
        held = held if coordinated is None else coordinated
        return method, [_with(program, {held: error_s})]
    most_s = _whole(limits.lengthen * cycle_s)
    added = [lengthened(program, step_s) for step_s in _portions(error_s, most_s)]
    if method == "add":
        return method, added
    lost_s = round(cycle_s - error_s, DIGITS)
    least = shortened(program, _whole(limits.shorten * cycle_s), rules)
    most_s = round(cycle_s - sum(least), DIGITS)
    n_shorter = math.ceil(lost_s / most_s - EPSILON_S) if most_s > 0 else math.inf
    if n_shorter == math.inf or (method == "shortway" and len(added) <= n_shorter):
        return "add", added
    return "subtract", [shortened(program, step_s, rules) for step_s in _portions(lost_s, most_s)]


def _whole(seconds: float) -> float:
    """Whole seconds, rounded down; fractions where there is less than one."""
    return float(math.floor(seconds + EPSILON_S)) or seconds


def _portions(total_s: float, most_s: float) -> list[float]:
    """A total in equal portions and a rest. [s]"""
    n = math.floor(total_s / most_s + EPSILON_S)
    rest_s = round(total_s - n * most_s, DIGITS)
    return [most_s] * n + ([rest_s] if rest_s > 0 else [])


def stretchable(program: ControllerPlan) -> list[int]:
    """Intervals whose length is a matter of traffic: somebody has green, nobody yellow, and at least the least green.

    Where none is so long, the longest of those; where nobody ever has green, the longest interval.
    """
    steady = [
        n
        for n, (_, state) in enumerate(program.intervals)
        if any(letter in OPEN for letter in state) and not any(letter in YELLOW for letter in state)
    ]
    long = [n for n in steady if program.intervals[n].duration_s >= MIN_GREEN_S]
    candidates = steady or range(len(program.intervals))
    return long or [max(candidates, key=lambda n: program.intervals[n].duration_s)]


def lengthened(program: ControllerPlan, seconds: float) -> Durations:
    """Durations of a cycle longer by some seconds: greens in proportion, whole seconds by largest remainder. [s]"""
    where = stretchable(program)
    total_s = sum(program.intervals[n].duration_s for n in where)
    share = {n: seconds * program.intervals[n].duration_s / total_s for n in where}
    more = {n: float(math.floor(s + EPSILON_S)) for n, s in share.items()}
    rest_s = round(seconds - sum(more.values()), DIGITS)
    for n in sorted(where, key=lambda n: (more[n] - share[n], n)):
        more[n] += min(1.0, rest_s)
        rest_s = round(max(0.0, rest_s - 1.0), DIGITS)
    return _with(program, more)


def shortened(program: ControllerPlan, seconds: float, rules: SequenceRules) -> Durations:
    """Durations of a cycle shorter by some seconds, or by as many as the rules leave: greens in proportion. [s]"""
    durations = [interval.duration_s for interval in program.intervals]
    n = len(durations)
    slack: list[tuple[frozenset[int], float]] = []
    for first, length, key in rules.sums([interval.state for interval in program.intervals], around=True):
        members = frozenset((first + x) % n for x in range(length))
        slack.append((members, sum(durations[x] for x in members) - rules.least_s(key)))
    left_s = {x: min((s for members, s in slack if x in members), default=math.inf) for x in stretchable(program)}
    taken = [0.0] * n
    rest_s = seconds
    while rest_s > 0:
        step_s = min(1.0, rest_s)
        free = [x for x in left_s if min(left_s[x], durations[x] - taken[x] - 1.0) >= step_s - EPSILON_S]
        if not free:
            break
        x = min(free, key=lambda x: (taken[x] / durations[x], x))
        taken[x] = round(taken[x] + step_s, DIGITS)
        rest_s = round(rest_s - step_s, DIGITS)
        slack = [(members, s - step_s if x in members else s) for members, s in slack]
        left_s = {y: min((s for members, s in slack if y in members), default=math.inf) for y in left_s}
    return _with(program, {x: -s for x, s in enumerate(taken)})


def _with(program: ControllerPlan, more: dict[int, float]) -> Durations:
    return tuple(round(interval.duration_s + more.get(n, 0.0), DIGITS) for n, interval in enumerate(program.intervals))
