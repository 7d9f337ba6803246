"""Plans to choose from: one for each of a few hours that stand for all, and one for the whole week."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand, DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.representative import representative_days
from network_data.rules import Finding
from network_data.settings import Settings
from network_data.trips import Trips
from optimizer.optimize import Result, optimize

HOUR_S = 3600.0
WARMUP_S = 600.0
FIELD, WHOLE_DAY = "field", "all day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A part of one type of day, and the hours of the week that it stands for."""

    type: str
    begin_s: float
    end_s: float
    hours: float = 1.0

    @property
    def name(self) -> str:
        """`weekday 07:00-08:00`."""
        return f"{self.type} {clock_text(self.begin_s)}-{clock_text(self.end_s)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class LibraryPlan:
    """A plan to choose from: its name, what it was made for, and what the search says of it (None for the field's)."""

    name: str
    made_for: str
    plan: TimingPlan
    result: Result | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings of the check."""
        return self.result.findings if self.result is not None else ()


def clock_text(time_s: float) -> str:
    """`07:05` of a second after midnight; 24:00 at the end of the day."""
    minutes = round(time_s / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def cut(demand: Demand, begin_s: float, end_s: float, *, shift_s: float = 0.0) -> Demand:
    """The intervals of a demand that begin in [begin_s, end_s), moved later by some seconds."""
    inside = (demand.begin_s >= begin_s - 1e-6) & (demand.begin_s < end_s - 1e-6)
    return replace(
        demand,
        begin_s=demand.begin_s[inside] + shift_s,
        end_s=demand.end_s[inside] + shift_s,
        veh=demand.veh[:, inside],
        sd_veh=demand.sd_veh[:, inside],
        low_veh=demand.low_veh[:, inside],
        high_veh=demand.high_veh[:, inside],
        total_low_veh=demand.low_veh[:, inside].sum(axis=1),
        total_high_veh=demand.high_veh[:, inside].sum(axis=1),
    )


def entries_veh(demand: Demand) -> float:
    """Vehicles that enter the network. [veh]"""
    rows = [m for m, (origin, _) in enumerate(demand.pairs) if not origin]
    return float(demand.veh[rows].sum())


def representative_periods(
    days: Mapping[str, DemandScenarios], shares: Mapping[str, float], most: int, *, seed: int = 0
) -> list[Period]:
    """Hours of the week that stand for all others, the busiest first.

    Hours are compared movement by movement as `representative_days` compares days; of more than `most` the ones are
    chosen to which all others lie nearest. The hour with the most traffic is among them: where it matters most.
    """
    hours: list[tuple[Period, NDArray[np.float64], float]] = []
    pairs = list(dict.fromkeys(pair for days_ in days.values() for one in days_.scenarios for pair in one.pairs))
    row = {pair: n for n, pair in enumerate(pairs)}
    for name, demand in days.items():
        first = demand.scenarios[0]
        begin_s, last_s = float(first.begin_s[0]), float(first.end_s[-1])
        for start_s in np.arange(begin_s, last_s - 1e-6, HOUR_S):
            end_s = min(float(start_s) + HOUR_S, last_s)
            flow = np.zeros(len(pairs))
            for one, weight in zip(demand.scenarios, demand.weights, strict=True):
                part = cut(one, float(start_s), end_s)
                at = [row[pair] for pair in one.pairs]
                flow[at] += weight * part.veh.sum(axis=1) * HOUR_S / (end_s - float(start_s))
            hours.append((Period(type=name, begin_s=float(start_s), end_s=end_s), flow, shares[name]))
    veh = np.array([flow for _, flow, _ in hours])[:, :, None]
    choice = representative_days(veh, ["hour"] * len(hours), min(most, len(hours)), seed=seed)
    chosen, stands = list(choice.days), choice.stands_for
    busiest = int(np.argmax(veh.sum(axis=(1, 2))))
    if busiest not in chosen:  # it takes the place of the hour that stands for it
        chosen[int(stands[busiest])] = busiest
    often = np.array([share for _, _, share in hours])
    periods = [replace(hours[n][0], hours=float(often[stands == s].sum())) for s, n in enumerate(chosen)]
    load = {hours[n][0].name: float(veh[n].sum()) for n in chosen}
    return sorted(periods, key=lambda period: -load[period.name])


@dataclass(frozen=True, eq=False, kw_only=True)
class Maker:
    """Makes plans for parts of the day: the network, the demand of every type of day, the plan in the field."""

    network: RoadNetwork
    days: Mapping[str, DemandScenarios]
    field: TimingPlan
    settings: Settings
    seed: int = 0
    measured_links: frozenset[str] | None = None
    saturation: Callable[[Sequence[Trips]], Mapping[tuple[str, int], float]] | None = None

    def for_period(self, period: Period, name: str, **effort: Any) -> LibraryPlan:
        """A plan for one part of one type of day, its days as scenarios; `effort` as `optimize` takes it."""
        demand = self.days[period.type]
        parts = tuple(cut(one, period.begin_s, period.end_s) for one in demand.scenarios)
        scenarios = DemandScenarios(scenarios=parts, weights=demand.weights)
        return self._made(scenarios, period.begin_s, period.end_s, name, period.name, effort)

    def for_all(self, periods: Sequence[Period], **effort: Any) -> LibraryPlan:
        """One plan for all hours: the representative ones are its scenarios, weighted by hours and vehicles."""
        parts, weights = [], []
        for period in periods:
            demand = self.days[period.type]
            best = max(range(len(demand.weights)), key=lambda n: demand.weights[n])
            part = cut(demand.scenarios[best], period.begin_s, period.end_s, shift_s=-period.begin_s)
            parts.append(part)
            weights.append(period.hours * max(1.0, entries_veh(part)))
        total = sum(weights)
        scenarios = DemandScenarios(scenarios=tuple(parts), weights=tuple(w / total for w in weights))
        end_s = min(float(part.end_s[-1]) for part in parts)
        return self._made(scenarios, 0.0, end_s, WHOLE_DAY, "all hours", effort)

    def _made(
        self, demand: DemandScenarios, begin_s: float, end_s: float, name: str, made_for: str, effort: Mapping[str, Any]
    ) -> LibraryPlan:
        result = optimize(
            self.network,
            demand,
            self.field,
            self.settings,
            begin_s=begin_s,
            end_s=end_s,
            seed=self.seed,
            warmup_s=WARMUP_S,
            measured_links=self.measured_links,
            saturation=self.saturation,
            **effort,
        )
        return LibraryPlan(name=name, made_for=made_for, plan=result.plan, result=result)
