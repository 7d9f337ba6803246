"""The trade-off of delay, stops and waits on foot: legal plans of which none is better than another in everything.

The search is run again and again with other weights, each time from the plan of the front that is best by them. What it
passes on the way is kept too. All plans are then measured on draws of the traffic that no search has seen, and those
that another plan beats or equals in every respect are dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Objective, Settings
from network_data.trips import Trips
from optimizer.objectives import mean_wait_s
from optimizer.optimize import Result, optimize, realizations_of, weights_of
from sim.simulate import Simulator

Floats = NDArray[np.float64]
MIXES = (
    (1.0, 0.0, 0.0),
    (0.4, 0.6, 0.0),
    (0.4, 0.0, 0.6),
    (0.7, 0.3, 0.0),
    (0.7, 0.0, 0.3),
    (0.34, 0.33, 0.33),
    (0.2, 0.8, 0.0),
    (0.2, 0.0, 0.8),
)
"""Weights of delay, stops and waits on foot, each in units of what the field plan has. Delay always counts: a plan that
holds everybody back has no stops."""
FRESH = 7_919
"""Added to the seed for the draws that plans are measured on."""
SAME = 1e-9
REFERENCE = 1.1
"""The corner of the volume that the front dominates: so many times what the field plan has. [-]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tradeoff:
    """A plan and what it means for drivers and for people on foot.

    `stops_per_veh` counts falls to a standstill. `wait_s` is the mean wait for green over all crossings, by their
    pedestrians where these are given; None without crossings. `mix` are the weights that it was found with.
    """

    name: str
    plan: TimingPlan
    delay_s_per_veh: float
    stops_per_veh: float
    wait_s: float | None
    mix: tuple[float, float, float] | None = None

    @property
    def values(self) -> tuple[float, ...]:
        """What is to be small, in one order."""
        known = (self.delay_s_per_veh, self.stops_per_veh)
        return known if self.wait_s is None else (*known, self.wait_s)


@dataclass(frozen=True, eq=False, kw_only=True)
class Front:
    """The plans that no other one dominates, those with the least delay first; the field plan for comparison.

    `volume` is the share of the box between zero and `REFERENCE` times the field plan that the front dominates. [-]
    """

    plans: tuple[Tradeoff, ...]
    field: Tradeoff
    volume: float
    n_measured: int
    n_searches: int
    notes: tuple[str, ...] = ()


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether one is nowhere worse than the other and somewhere better; less is better."""
    return all(a <= b + SAME for a, b in zip(one, other, strict=True)) and any(
        a < b - SAME for a, b in zip(one, other, strict=True)
    )


def front_of(points: Sequence[Tradeoff]) -> list[Tradeoff]:
    """The points that no other one dominates; of equal ones the first. In order of delay."""
    out: list[Tradeoff] = []
    for n, point in enumerate(points):
        beaten = any(dominates(other.values, point.values) for other in points)
        twin = any(max(map(abs, np.subtract(other.values, point.values))) <= SAME for other in points[:n])
        if not beaten and not twin:
            out.append(point)
    return sorted(out, key=lambda point: point.values)


def volume_of(values: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Volume between the points and a reference that is worse than all (hypervolume); less is better, 2 or 3 values.

    Points that are not below the reference everywhere count nothing.
    """
    corner = np.asarray(reference, np.float64)
    points = [np.asarray(v, np.float64) for v in values]
    inside = [p for p in points if (p < corner).all()]
    if not inside:
        return 0.0
    if len(corner) == 2:
        return _area(np.array(inside), corner)
    levels = sorted({float(p[2]) for p in inside})
    total = 0.0
    for low, high in zip(levels, [*levels[1:], float(corner[2])], strict=True):
        total += (high - low) * _area(np.array([p[:2] for p in inside if p[2] <= low]), corner[:2])
    return total


def _area(points: Floats, corner: Floats) -> float:
    """The area that points dominate in the plane."""
    total, best = 0.0, float(corner[1])
    for x, y in sorted(map(tuple, points.tolist())):
        if y < best:
            total += (float(corner[0]) - x) * (best - y)
            best = y
    return total


@dataclass(frozen=True, eq=False)
class Measurer:
    """Measures plans on draws of the traffic that no search has seen."""

    network: RoadNetwork
    simulator: Simulator
    weights: tuple[float, ...] | None
    pedestrians_ph: Mapping[str, float]

    def __call__(
        self, named: Sequence[tuple[str, TimingPlan]], mix: tuple[float, float, float] | None = None
    ) -> list[Tradeoff]:
        """What each plan means."""
        out = []
        rows = self.simulator.run([plan for _, plan in named])
        for (name, plan), totals in zip(named, rows, strict=True):
            veh = np.array([max(1, one.veh) for one in totals], np.float64)
            delay = np.array([one.delay_s for one in totals]) / veh
            stops = np.array([one.stops for one in totals]) / veh
            shares = np.full(len(veh), 1 / len(veh)) if self.weights is None else np.array(self.weights)
            out.append(
                Tradeoff(
                    name=name,
                    plan=plan,
                    delay_s_per_veh=float(shares @ delay),
                    stops_per_veh=float(shares @ stops),
                    wait_s=self.wait_s(plan),
                    mix=mix,
                )
            )
        return out

    def wait_s(self, plan: TimingPlan) -> float | None:
        """Mean wait for green over all signalled crossings, by their pedestrians where any are given. [s]"""
        waits, weights = [], []
        for c, program in plan.controllers.items():
            for head in self.network.controllers[c].heads:
                if head.kind == "crossing":
                    waits.append(mean_wait_s(program, head.index))
                    weights.append(self._walkers(c, head.index))
        if not waits:
            return None
        return float(np.average(waits, weights=weights if sum(weights) > 0 else None))

    def _walkers(self, controller_id: str, index: int) -> float:
        return sum(
            self.pedestrians_ph.get(x.id, 0.0) / len(x.link_indices)
            for x in self.network.crossings
            if x.controller_id == controller_id and index in x.link_indices
        )


def trade_off(
    network: RoadNetwork,
    demand: DemandScenarios,
    field: TimingPlan,
    settings: Settings,
    *,
    begin_s: float,
    end_s: float,
    first: Sequence[tuple[str, TimingPlan]] = (),
    seed: int = 0,
    iterations: int | None = None,
    deadline: float | None = None,
    measured_links: frozenset[str] | None = None,
    saturation: Callable[[Sequence[Trips]], Mapping[tuple[str, int], float]] | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float, str], None] | None = None,
) -> Front:
    """Search with several mixes of delay, stops and waits on foot; the plans that nothing dominates.

    Parameters
    ----------
    first : sequence of (name, plan)
        Legal plans that are known already, say the result of a search before.
    iterations : int, optional
        Of each search.
    deadline : float, optional
        For all of it, on the clock of time.monotonic(); each search gets an equal part. [s]
    stop, progress
        Asked before each search, and in it; called with (share done, what is known).

    Raises
    ------
    InfeasibleError
        No plan keeps the rules.
    """
    trips = realizations_of(demand, seed=seed + FRESH, warmup_s=0.0, network=network)
    simulator = Simulator(
        network, trips, begin_s=begin_s, end_s=end_s, seed=seed + FRESH, workers=settings.search.workers,
        saturation_vph=saturation(trips) if saturation is not None else None,
        start_up_s=settings.saturation.start_ups_s(network),
    )  # fmt: skip
    measurer = Measurer(
        network, simulator, weights_of(demand, len(network.controllers)), settings.people.pedestrians_ph
    )
    today = measurer([("field plan", field)])[0]
    known = measurer(list(first))
    mixes = [mix for mix in MIXES if today.wait_s is not None or mix[2] == 0]
    n_searches = 0
    for n, mix in enumerate(mixes):
        if stop() or (deadline is not None and time.monotonic() >= deadline):
            break
        now = time.monotonic()
        start = min(known, key=lambda point: scalar(point, today, mix), default=None)
        result = optimize(
            network,
            demand,
            field,
            with_mix(settings, mix, today, n_crossings(network)),
            begin_s=begin_s,
            end_s=end_s,
            seed=seed + n,
            iterations=iterations,
            deadline=None if deadline is None else now + (deadline - now) / (len(mixes) - n),
            measured_links=measured_links,
            saturation=saturation,
            stop=stop,
            keep_recent=True,
            known=start.plan if start is not None else None,
        )
        n_searches += 1
        known += measurer([(_name(mix, step), plan) for step, plan in _plans_of(result)], mix)
        if progress is not None:
            progress((n + 1) / len(mixes), f"{len(front_of(known))} plans")
    front = front_of(known)
    corner = [REFERENCE * x for x in today.values]
    whole = float(np.prod(corner))
    volume = volume_of([point.values for point in front], corner) / whole if whole > 0 else 0.0
    notes = () if today.wait_s is not None else ("no crossings in the input: the trade-off is one of delay and stops",)
    return Front(
        plans=tuple(replace(point, name=f"{k}: {point.name}") for k, point in enumerate(front, start=1)),
        field=today,
        volume=volume,
        n_measured=len(known) + 1,
        n_searches=n_searches,
        notes=notes,
    )


def scalar(point: Tradeoff, unit: Tradeoff, mix: tuple[float, float, float]) -> float:
    """The weighted sum of a plan's values in units of another's. [-]"""
    return sum(
        weight * value / max(SAME, one) for weight, value, one in zip(mix, point.values, unit.values, strict=False)
    )


def with_mix(settings: Settings, mix: tuple[float, float, float], unit: Tradeoff, n_crossing: int) -> Settings:
    """Settings whose objective is a mix in units of a plan's values, in seconds of its delay."""
    delay, stops, wait = mix
    objective: Objective = settings.objective.model_copy(
        update={
            "delay": delay,
            "stops": stops * unit.delay_s_per_veh / max(SAME, unit.stops_per_veh),
            "pedestrian": 0.0
            if unit.wait_s is None or n_crossing == 0
            else wait * unit.delay_s_per_veh / max(SAME, unit.wait_s * n_crossing),
        }
    )
    return settings.model_copy(update={"objective": objective})


def n_crossings(network: RoadNetwork) -> int:
    """Signal heads of crossings."""
    return sum(head.kind == "crossing" for c in network.controllers.values() for head in c.heads)


def _plans_of(result: Result) -> list[tuple[str, TimingPlan]]:
    """The result, the steps of its ladder and what was best before; each plan once."""
    named = [("result", result.plan), *((step.name, step.plan) for step in (*result.ladder, *result.recent))]
    return [(name, plan) for n, (name, plan) in enumerate(named) if all(plan != other for _, other in named[:n])]


def _name(mix: tuple[float, float, float], step: str) -> str:
    words = [
        f"{share:.0%} {what}" for share, what in zip(mix, ("delay", "stops", "waits on foot"), strict=True) if share
    ]
    return ", ".join(words) + ("" if step == "result" else f" ({step})")
