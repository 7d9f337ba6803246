"""The plans of a day: which program runs on each controller from when on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from network_data.errors import PlanError
from network_data.plans import ControllerPlan, TimingPlan

DAY_S = 86_400.0


class Switch(NamedTuple):
    """From `at_s` (seconds after local midnight) on, the controller is to run `program`."""

    at_s: float
    program: ControllerPlan


@dataclass(frozen=True, kw_only=True)
class ControllerDay:
    """The switches of one controller in the order of the day; before the first one, the day's last program runs on."""

    controller_id: str
    switches: tuple[Switch, ...]

    def __post_init__(self) -> None:
        where = f"day plan of controller {self.controller_id!r}"
        if not self.switches:
            raise PlanError(where, "has no program; give at least one, from 00:00:00 on")
        faults = []
        for at_s, program in self.switches:
            if not 0 <= at_s < DAY_S:
                faults.append(f"switches at {at_s} s; needs seconds after midnight, from 0 to below {DAY_S:g}")
            if program.controller_id != self.controller_id:
                faults.append(f"has a program of controller {program.controller_id!r} at {at_s:g} s; give its own")
        for before, after in pairwise(self.switches):
            if not after.at_s > before.at_s:
                faults.append(f"switches at {before.at_s:g} s, then at {after.at_s:g} s; put them in order, each once")
        lengths = sorted({len(program.intervals[0].state) for _, program in self.switches})
        if len(lengths) > 1:
            faults.append(f"has programs with states of {lengths} letters; every state needs one per link index")
        if faults:
            raise PlanError(where, faults)

    @property
    def programs(self) -> tuple[ControllerPlan, ...]:
        """The programs in the order of the day."""
        return tuple(program for _, program in self.switches)

    def program_at(self, time_s: float) -> ControllerPlan:
        """The program due at a second after midnight; any day is like any other."""
        clock_s = time_s % DAY_S
        due = [program for at_s, program in self.switches if at_s <= clock_s]
        return due[-1] if due else self.switches[-1].program

    def between(self, begin_s: float, end_s: float) -> Iterator[Switch]:
        """Switches to another program in (begin_s, end_s), day after day, times counted from the first midnight."""
        running = self.program_at(begin_s)
        for day in range(int(begin_s // DAY_S), int(end_s // DAY_S) + 1):
            for at_s, program in self.switches:
                time_s = day * DAY_S + at_s
                if begin_s < time_s < end_s and program != running:
                    yield Switch(time_s, program)
                    running = program


@dataclass(frozen=True, kw_only=True)
class DayPlan:
    """The day of every controller, by controller id."""

    controllers: dict[str, ControllerDay]

    @classmethod
    def of_plans(cls, plans: Sequence[tuple[float, TimingPlan]]) -> DayPlan:
        """The same switching times for all: (seconds after midnight, plan) in the order of the day.

        Raises
        ------
        PlanError
            Plans that do not cover the same controllers, and every fault of a controller's day.
        """
        if not plans:
            raise PlanError("day plan", "has no plans; give at least one, from 00:00:00 on")
        ids = list(plans[0][1].controllers)
        faults = []
        for at_s, plan in plans:
            odd = sorted(set(ids) ^ set(plan.controllers))
            if odd:
                faults.append(f"the plan from {at_s:g} s on and the first one differ in controllers: {', '.join(odd)}")
        if faults:
            raise PlanError("day plan", faults)
        days: dict[str, ControllerDay] = {}
        for controller_id in ids:
            switches = tuple(Switch(at_s, plan.controllers[controller_id]) for at_s, plan in plans)
            try:
                days[controller_id] = ControllerDay(controller_id=controller_id, switches=switches)
            except PlanError as error:
                faults.append(str(error))
        if faults:
            raise PlanError("day plan", faults)
        return cls(controllers=days)

    def plan_at(self, time_s: float) -> TimingPlan:
        """The programs due at a second after midnight."""
        return TimingPlan(controllers={c: day.program_at(time_s) for c, day in self.controllers.items()})
