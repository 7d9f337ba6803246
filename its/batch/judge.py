"""Plans on trial: against what runs now, on their own days and on days held out, in step and through transitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from its.batch.days import TypedDays
from its.batch.field import Running, laid_out, same
from its.batch.gates import ChangeFigures, GainFigures
from its.batch.plans import Part, Place
from its.inputs import estimated
from network_data.demand import DemandScenarios
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan, TimingPlan
from network_data.program_table import ProgramTable
from network_data.schedule import DAY_S
from optimizer.objectives import Weighing, weighing_of
from sim.parameters import STREET
from sim.simulate import Simulator
from sim.trips import draw_trips

DRAWS = {1: 3, 2: 2}
"""Draws of each day, by number of days; one where there are more."""
OWN_SEED, HELD_OUT_SEED = 104_729, 1_299_709
"""Keep these draws apart from those of the search, so that no plan is judged on vehicles that chose it."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Traffic:
    """Drawn vehicles of a part of the day: `weights` of the draws add up to 1, `draw_veh` are their vehicles."""

    network: RoadNetwork
    simulator: Simulator
    weighing: Weighing
    weights: Floats
    draw_veh: Floats

    def costs_s(self, plan: TimingPlan, shown: TimingPlan | None = None) -> Floats:
        """Cost of all vehicles of each draw, waits on foot included. [s]

        Parameters
        ----------
        plan : TimingPlan
            What runs.
        shown : TimingPlan, optional
            The same with its transitions, where there are some.
        """
        totals = self.simulator.run([shown if shown is not None else plan])[0]
        beside = self.weighing.beside_plan_s(self.network, plan)
        return np.array([self.weighing.total_s(one) + beside * one.veh for one in totals])

    @property
    def veh(self) -> float:
        """Vehicles of a mean day."""
        return float(self.weights @ self.draw_veh)


@dataclass(eq=False)
class Trial:
    """The parts of one type of day on trial."""

    place: Place
    kind: str
    parts: Sequence[Part]
    running: Running
    own: TypedDays
    _training: dict[int, Traffic] = field(default_factory=dict)

    def training(self, n: int) -> Traffic:
        """Fresh vehicles of the days that part n was made from."""
        if n not in self._training:
            self._training[n] = traffic_of(self.place, self.parts[n].demand, self.parts[n], OWN_SEED)
        return self._training[n]

    def gain(self) -> GainFigures:
        """All parts together, plans in step, on their own days."""
        return self._gain([self.training(n) for n in range(len(self.parts))], ())

    def held_out(self) -> GainFigures | None:
        """The same on the days held out; None where none are."""
        if not self.own.held_out:
            return None
        scenarios = [self.held_out_demand(part) for part in self.parts]
        traffic = [
            traffic_of(self.place, demand, part, HELD_OUT_SEED)
            for demand, part in zip(scenarios, self.parts, strict=True)
        ]
        return self._gain(traffic, tuple(label for one in self.own.held_out for label in one.labels))

    def held_out_demand(self, part: Part) -> DemandScenarios:
        """Demand of each day held out, as a scenario."""
        place, plan = self.place, self.running.plan_at(part.begin_s)
        days = [
            estimated(
                day, place.detectors, place.turns, place.network, plan, part.begin_s, part.end_s, most=1
            ).scenarios
            for day in self.own.held_out
        ]
        demands = tuple(one.scenarios[0] for one in days)
        return DemandScenarios(scenarios=demands, weights=(1 / len(demands),) * len(demands))

    def _gain(self, traffic: Sequence[Traffic], labels: tuple[str, ...]) -> GainFigures:
        before = [self._now(one, part) for one, part in zip(traffic, self.parts, strict=True)]
        after = [one.costs_s(part.plan) for one, part in zip(traffic, self.parts, strict=True)]
        weights = [one.weights for one in traffic]
        if labels:  # the same days in all parts: a draw is a whole day
            before, after, weights = [sum(before, np.zeros(1))], [sum(after, np.zeros(1))], weights[:1]
        better = [float(w @ (a < b)) for w, a, b in zip(weights, after, before, strict=True)]
        return GainFigures(
            before_s=sum(float(w @ b) for w, b in zip(weights, before, strict=True)),
            after_s=sum(float(w @ a) for w, a in zip(weights, after, strict=True)),
            veh=sum(one.veh for one in traffic),
            better=sum(better) / len(better),
            labels=labels,
        )

    def _now(self, traffic: Traffic, part: Part) -> Floats:
        """Cost of what runs now over a part of the day."""
        due = self.running.parts(part.begin_s, part.end_s)
        if len(due) == 1:
            return traffic.costs_s(due[0][1])
        method = self.place.settings.day.transition
        shown, _ = laid_out(self.place.network, due, part.begin_s, part.end_s, method=method)
        return traffic.costs_s(due[0][1], shown)

    def transition_loss(self) -> tuple[float, int, str]:
        """What switching costs on a mean day: cost, switches of controllers, and why there is no legal way, if so. [s]

        Each part begins with the switch from what ran before; the one back to what runs now after the last part is
        reckoned with the vehicles of that part, as if it came at its begin.
        """
        loss_s, n_switch = 0.0, 0
        try:
            for n, part in enumerate(self.parts):
                ahead, behind = self.parts[n - 1], self.parts[(n + 1) % len(self.parts)]  # the day goes round
                follows = ahead.end_s % DAY_S == part.begin_s
                before = ahead.plan if follows else self.running.plan_at((part.begin_s - 1) % DAY_S)
                found = [self._switch(n, before, part.plan)]
                if behind.begin_s != part.end_s % DAY_S:
                    found.append(self._switch(n, part.plan, self.running.plan_at(part.end_s % DAY_S)))
                loss_s += sum(cost for cost, _ in found)
                n_switch += sum(count for _, count in found)
        except PlanError as error:
            return 0.0, n_switch, "; ".join(error.faults[:3])
        return loss_s, n_switch, ""

    def _switch(self, n: int, old: TimingPlan, new: TimingPlan) -> tuple[float, int]:
        """Cost of coming from one plan into another at the begin of part n, and switches. [s]"""
        part, traffic = self.parts[n], self.training(n)
        if same(old, new):
            return 0.0, 0
        due = [(part.begin_s - 1, old), (part.begin_s, new)]
        method = self.place.settings.day.transition
        shown, count = laid_out(self.place.network, due, part.begin_s, part.end_s, method=method)
        return float(traffic.weights @ (traffic.costs_s(new, shown) - traffic.costs_s(new))), count

    def change(self) -> ChangeFigures:
        """Largest differences of all parts from what runs now."""
        return largest_change([(self.running.plan_at(part.begin_s), part.plan) for part in self.parts])


def traffic_of(place: Place, demand: DemandScenarios, part: Part, seed: int) -> Traffic:
    """Vehicles of a part of the day, drawn from its demand."""
    draws = DRAWS.get(len(demand.scenarios), 1)
    own = place.task.content.search.seed + seed
    trips = [
        draw_trips(place.network, one, seed=own + 100 * i + n, spacing_m=STREET.spacing_m)
        for i, one in enumerate(demand.scenarios)
        for n in range(draws)
    ]
    simulator = Simulator(
        place.network,
        trips,
        begin_s=part.begin_s,
        end_s=part.end_s,
        seed=own,
        saturation_vph=place.saturation(trips),
        start_up_s=place.settings.saturation.start_ups_s(place.network),
    )
    settings = place.settings
    weighing = weighing_of(
        place.network, settings.objective, settings.people, trips, begin_s=part.begin_s, end_s=part.end_s
    )
    veh = [float(((one.depart_s >= part.begin_s) & (one.depart_s < part.end_s)).sum()) for one in trips]
    weights = np.repeat(np.array(demand.weights) / draws, draws)
    return Traffic(place.network, simulator, weighing, weights, np.array(veh))


def largest_change(pairs: Sequence[tuple[TimingPlan, TimingPlan]]) -> ChangeFigures:
    """Largest differences of new plans from old ones, over all pairs (old, new) of the same signals."""
    cycle_s = green_s = 0.0
    changed: set[str] = set()
    stages: set[str] = set()
    at = ""
    for old, new in pairs:
        for c, program in new.controllers.items():
            was = old.controllers[c]
            if abs(program.cycle_s - was.cycle_s) > cycle_s:
                cycle_s, at = abs(program.cycle_s - was.cycle_s), c
            most = _green_change(was, program)
            if most > green_s:
                green_s, at = most, c
            if _order(was) != _order(program):
                stages.add(c)
            if most > 0 or (program.cycle_s, program.offset_s) != (was.cycle_s, was.offset_s) or c in stages:
                changed.add(c)
    n = len(pairs[0][1].controllers) if pairs else 0
    return ChangeFigures(
        n_signal=n, cycle_s=cycle_s, green_s=green_s, changed=len(changed), new_stages=len(stages), at=at
    )


def _green_change(old: ControllerPlan, new: ControllerPlan) -> float:
    """Largest change of the green of any link index in a cycle. [s]"""
    before, after = _greens(old), _greens(new)
    return max((abs(after[n] - before[n]) for n in range(len(after))), default=0.0)


def _greens(plan: ControllerPlan) -> list[float]:
    table = ProgramTable(plan)
    rows = [(interval.duration_s, interval.state) for interval in plan.intervals]
    return [sum(s for s, state in rows if state[n] in GREEN) for n in range(table.n_heads)]


def _order(plan: ControllerPlan) -> tuple[str, ...]:
    """The sequence of states with any green, from the first in the alphabet on: offsets do not change it."""
    states = [interval.state for interval in plan.intervals if any(letter in GREEN for letter in interval.state)]
    joined = [state for n, state in enumerate(states) if state != states[n - 1] or len(states) == 1]
    turns = [tuple(joined[n:] + joined[:n]) for n in range(len(joined))]
    return min(turns, default=())
