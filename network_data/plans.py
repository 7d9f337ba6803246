"""Timing plans: the interval table of each controller and the green windows it implies.

Everything downstream sees a plan as what it compiles to: an interval table (length and state of every link index), and
from it the green windows modulo the cycle. Rings, barriers and phases (`BarrierGroup`) are how people read and edit it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from network_data.errors import PlanError

GREEN = "Gg"
YELLOW = "yY"
OPEN = "GgsoO"
"""Letters with which a link may be driven: greens, stop-and-go (right turn on red), signal off."""
LETTERS = frozenset("GgyYrRusoO")


class Interval(NamedTuple):
    """One row of the interval table: for `duration_s` the link indices show the letters of `state`."""

    duration_s: float
    state: str


class Window(NamedTuple):
    """A time in which a link index keeps one letter; start_s in [0, cycle), end_s may exceed the cycle."""

    start_s: float
    end_s: float
    letter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A phase (stage): the movements that are green together, with its times. [s]"""

    name: str
    movements: tuple[str, ...]
    permitted: tuple[str, ...]
    crossings: tuple[str, ...]
    green_s: float
    yellow_s: float
    red_clearance_s: float
    min_green_s: float
    max_green_s: float

    @property
    def split_s(self) -> float:
        """Green, yellow and red clearance together. [s]"""
        return self.green_s + self.yellow_s + self.red_clearance_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierGroup:
    """Rings that run side by side between two barriers; each ring is an ordered list of phases."""

    rings: tuple[tuple[Phase, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ControllerPlan:
    """The timing of one controller.

    `offset_s` is the second after local midnight, modulo the cycle, at which interval 0 begins (in our own plans: at
    which the first phase of the first ring turns green); larger is later. `barrier_groups` may be empty: a field
    program that fits no rings is kept as its interval table.
    """

    controller_id: str
    program_id: str
    offset_s: float
    intervals: tuple[Interval, ...]
    barrier_groups: tuple[BarrierGroup, ...] = ()
    min_durations_s: tuple[float | None, ...] = ()
    actuated: bool = False

    def __post_init__(self) -> None:
        where = f"controller {self.controller_id!r} program {self.program_id!r}"
        if not self.intervals:
            raise PlanError(where, "has no intervals; give at least one phase with a duration")
        lengths = {len(interval.state) for interval in self.intervals}
        faults = []
        if len(lengths) > 1:
            faults.append(f"states have the lengths {sorted(lengths)}; every state needs one letter per link index")
        for n, interval in enumerate(self.intervals):
            if not 0 < interval.duration_s < 86_400:
                faults.append(f"interval {n} lasts {interval.duration_s} s; needs to be above 0 and below a day")
            odd = sorted(set(interval.state) - LETTERS)
            if odd:
                faults.append(f"interval {n} has the letters {''.join(odd)!r}; known are {''.join(sorted(LETTERS))}")
        if faults:
            raise PlanError(where, faults)

    @cached_property
    def cycle_s(self) -> float:
        """Cycle length. [s]"""
        return sum(interval.duration_s for interval in self.intervals)

    def state_at(self, time_s: float) -> str:
        """The letters shown at a second after midnight."""
        t = (time_s - self.offset_s) % self.cycle_s
        for interval in self.intervals:
            if t < interval.duration_s:
                return interval.state
            t -= interval.duration_s
        return self.intervals[-1].state

    def windows(self, index: int) -> list[Window]:
        """Runs of equal letters of a link index in cycle time (0 = start of interval 0), joined across its end."""
        runs: list[Window] = []
        t = 0.0
        for interval in self.intervals:
            letter = interval.state[index]
            if runs and runs[-1].letter == letter:
                runs[-1] = Window(runs[-1].start_s, t + interval.duration_s, letter)
            else:
                runs.append(Window(t, t + interval.duration_s, letter))
            t += interval.duration_s
        if len(runs) > 1 and runs[0].letter == runs[-1].letter:
            last = runs.pop()
            runs[0] = Window(last.start_s, runs[0].end_s + self.cycle_s, last.letter)
            runs.append(runs.pop(0))
        return runs

    def green_s(self, index: int, letters: str = GREEN) -> float:
        """Seconds per cycle for which the link index shows one of the letters. [s]"""
        return sum(interval.duration_s for interval in self.intervals if interval.state[index] in letters)


@dataclass(frozen=True, kw_only=True)
class TimingPlan:
    """One plan for all controllers of a network, by controller id."""

    controllers: dict[str, ControllerPlan]
