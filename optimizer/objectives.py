"""What counts: everything that happens under a plan as seconds of delay per vehicle, by the weights of `[objective]`.

Delay, stops and blocked exits come from the simulation's totals. Fuel is TRANSYT's linear form with VT-Micro's
coefficients (`sim.emissions`): idling over the delay, and what stops burn at the speed limits of the links that
lead to signals, weighted by who drives there; cruising burns the same under any plan and is left out. The
delay of people takes `[people] car_persons` per vehicle and those who walk, at their mean wait for green.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from network_data.day_scenarios import weighted_tail
from network_data.network import RoadNetwork
from network_data.plans import OPEN, ControllerPlan, TimingPlan
from network_data.settings import Objective, People
from network_data.trips import Trips
from sim.emissions import fuel_rates
from sim.simulate import Totals

ML_PER_L = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFuel:
    """What a second of idling and a stop burn. [mL/s], [mL]"""

    idle_ml_per_s: float
    stop_ml: float


@dataclass(frozen=True, eq=False)
class Weighing:
    """The weights, and what they need to know of network and traffic.

    `walkers` are the people per crossing head (controller, link index) in the counted period, `in_vehicles` those who
    ride then.
    """

    objective: Objective
    fuel: StopFuel | None = None
    car_persons: float = 1.0
    walkers: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    in_vehicles: float = 0.0

    def total_s(self, totals: Totals) -> float:
        """Cost of what happened to the vehicles of one run, before it is divided by their number. [s]"""
        weight = self.objective
        out = weight.delay * totals.delay_s + weight.stops * totals.stops + weight.queue_overflow * totals.blocked_s
        if self.fuel is not None and weight.fuel:
            out += weight.fuel * (self.fuel.idle_ml_per_s * totals.delay_s + self.fuel.stop_ml * totals.stops)
        if weight.person:
            out += weight.person * totals.delay_s * self.share_in_vehicles
        return out

    def per_veh_s(self, totals: Totals) -> float:
        """Cost of what happened to the vehicles of one run. [s/veh]"""
        return self.total_s(totals) / max(1, totals.veh)

    @property
    def share_in_vehicles(self) -> float:
        """People in vehicles over all people. [-]"""
        people = self.in_vehicles + self._on_foot
        return self.in_vehicles / people if people > 0 else 1.0

    @property
    def _on_foot(self) -> float:
        return sum(n for heads in self.walkers.values() for n in heads.values())

    def beside_s(self, program: ControllerPlan, crossings: Sequence[int]) -> float:
        """Cost of the waits on foot at one controller, exact for arrivals at random. [s/veh]

        Parameters
        ----------
        crossings : sequence of int
            Link indices of its crossings.
        """
        weight = self.objective
        if not (weight.pedestrian or weight.person):
            return 0.0
        own = self.walkers.get(program.controller_id, {})
        people = self.in_vehicles + self._on_foot
        out = 0.0
        for index in crossings:
            wait_s = mean_wait_s(program, index)
            out += weight.pedestrian * wait_s
            out += weight.person * wait_s * own.get(index, 0.0) / people if people > 0 else 0.0
        return out

    def beside_plan_s(self, network: RoadNetwork, plan: TimingPlan) -> float:
        """As `beside_s`, over all controllers of a plan. [s/veh]"""
        return sum(
            self.beside_s(program, [head.index for head in network.controllers[c].heads if head.kind == "crossing"])
            for c, program in plan.controllers.items()
        )

    def over_days(self, values: Sequence[float], weights: Sequence[float] | None = None) -> float:
        """One number of the costs of several realizations: their mean, and as `tail_weight` says their tail. [s/veh]

        Parameters
        ----------
        values : sequence of float
            Cost of each realization.
        weights : sequence of float, optional
            Of the realizations, adding up to 1; None: all alike.
        """
        mean = float(np.mean(values) if weights is None else np.dot(weights, values))
        share = self.objective.tail_weight
        if share <= 0:
            return mean
        shares = np.full(len(values), 1 / len(values)) if weights is None else np.asarray(weights, np.float64)
        tail = weighted_tail(np.asarray(values, np.float64), shares, self.objective.tail_share)
        return (1 - share) * mean + share * tail


def weighing_of(
    network: RoadNetwork, objective: Objective, people: People, trips: Sequence[Trips], *, begin_s: float, end_s: float
) -> Weighing:
    """What the weights need of a network and of the vehicles that are simulated.

    Parameters
    ----------
    trips : sequence of Trips
        The realizations; only departures in [begin_s, end_s) are looked at. [s]
    """
    hours = (end_s - begin_s) / 3600
    walkers: dict[str, dict[int, float]] = {}
    for crossing in network.crossings:
        persons = people.pedestrians_ph.get(crossing.id, 0.0) * hours
        if persons > 0 and crossing.controller_id is not None and crossing.link_indices:
            own = walkers.setdefault(crossing.controller_id, {})
            for index in crossing.link_indices:
                own[index] = own.get(index, 0.0) + persons / len(crossing.link_indices)
    due = [((one.depart_s >= begin_s) & (one.depart_s < end_s)) for one in trips]
    riders = [people.car_persons * float(d.sum()) for d in due]
    return Weighing(
        objective,
        fuel=_stop_fuel(network, trips) if objective.fuel else None,
        car_persons=people.car_persons,
        walkers=walkers,
        in_vehicles=float(np.mean(riders)) if riders else 0.0,
    )


def _stop_fuel(network: RoadNetwork, trips: Sequence[Trips]) -> StopFuel:
    """Means over the links that lead to signals, weighted by the vehicles that drive on them."""
    signalled = {link for links in network.approaches.values() for link in links}
    passages: dict[str, int] = {}
    for one in trips:
        n = np.bincount(one.route_link, minlength=len(one.links))
        for link, count in zip(one.links, n.tolist(), strict=True):
            if count and link in signalled:
                passages[link] = passages.get(link, 0) + count
    if not passages:
        passages = dict.fromkeys(signalled or network.links, 1)
    rates = fuel_rates([network.links[link].speed_mps for link in passages])
    return StopFuel(
        idle_ml_per_s=ML_PER_L * rates.idle_l_per_s,
        stop_ml=ML_PER_L * float(np.average(rates.stop_l, weights=list(passages.values()))),
    )


def mean_wait_s(program: ControllerPlan, index: int) -> float:
    """Mean wait for green of somebody who comes at random: the sum of red² over twice the cycle, yellow counts as red.

    A head that never turns green counts as one red of a cycle. [s]
    """
    runs = [(row.state[index] in OPEN, row.duration_s) for row in program.intervals]
    opens = next((n for n, (is_open, _) in enumerate(runs) if is_open), 0)
    reds_s = [0.0]
    for is_open, duration_s in [*runs[opens:], *runs[:opens]]:
        if is_open:
            reds_s.append(0.0)
        else:
            reds_s[-1] += duration_s
    return sum(red_s * red_s for red_s in reds_s) / (2 * program.cycle_s)
