"""From file names to what the jobs work on: network, plan in the field, demand scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from its.counted import Counted, load_counts
from its.recognize import load_field_plan, load_network, sha256_of
from its.requests import DemandSource, OptimizeRequest, SimulateRequest
from network_data.counting.counts import CountTable
from network_data.counting.quality import Verdict
from network_data.day_scenarios import choose_days, day_scenarios
from network_data.demand import Demand, DemandScenarios, Pair
from network_data.detectors import Detector, read_detectors
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.representative import DayChoice
from network_data.settings import Settings
from network_data.turning_flows.complete import demand_of_complete_turns
from network_data.turning_flows.estimate import Estimate, demand_from_turns, estimate_demand
from network_data.turns import TurnTable, read_turns

__all__ = [
    "MAX_SCENARIOS",
    "DemandSource",
    "Estimated",
    "LoadedDemand",
    "OptimizeRequest",
    "SimulateRequest",
    "estimated",
    "load_demand",
    "load_field_plan",
    "load_network",
    "sha256_of",
]

MAX_SCENARIOS = 5
"""Most days that become scenarios: each costs a simulation per plan."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedDemand:
    """The demand of a job: one scenario per day (or one from turns), and what it was made from.

    `estimates`, `counts` (repaired) and `scenarios` run in parallel; without counts the first two are empty. `held_out`
    are days kept apart to judge plans on (where `[objective]` asks for more than the mean). `verdicts` name every fault
    of the counts on all selected days, `count_record` sums up rows and faults, `notes` say in words what was read,
    repaired, left out and assumed.
    """

    scenarios: DemandScenarios
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...]
    begin_s: float
    end_s: float
    detectors: tuple[Detector, ...]
    counts: tuple[CountTable, ...]
    verdicts: tuple[Verdict, ...] = ()
    count_record: dict[str, Any] | None = None
    counted_turns: tuple[Pair, ...] = ()
    held_out: tuple[Demand, ...] = ()

    @property
    def measured_links(self) -> frozenset[str] | None:
        """Links with a loop or a counted turn; None where turns alone give the demand: then it is known everywhere."""
        if not self.counts:
            return None
        counted = {d.link_id for d in self.detectors} | {pair[0] for pair in self.counted_turns if pair[0]}
        return frozenset(counted)


def load_demand(
    source: DemandSource, network: RoadNetwork, field: TimingPlan, settings: Settings | None = None
) -> LoadedDemand:
    """Demand scenarios from counts, turns or both.

    Each selected day becomes a scenario of equal weight; of more than `MAX_SCENARIOS` days, that many stand for all,
    weighted by how many they stand for, and the notes name them. The period's default is all that the counts (or
    turns) of the selected days cover.

    Raises
    ------
    DemandError
        A file cannot be used, or the period has no counts.
    """
    turns = read_turns(source.turns, network) if source.turns is not None else None
    if source.detectors is not None and source.counts is not None:
        return _from_counts(source.detectors, source.counts, turns, source, network, field, settings or Settings())
    if turns is None:
        raise DemandError("demand", "neither counts nor turns are given; give --detectors and --counts, or --turns")
    begin_s, end_s = _period(source, float(turns.begin_s.min()), float(turns.end_s.max()), str(source.turns))
    demand = demand_of_complete_turns(network, turns, begin_s, end_s)
    if demand is None:
        demand = demand_from_turns(network, turns, begin_s, end_s)
    return LoadedDemand(
        scenarios=_equal([demand]),
        estimates=(),
        notes=turns.notes,
        begin_s=begin_s,
        end_s=end_s,
        detectors=(),
        counts=(),
    )


def _from_counts(
    detectors_path: Path,
    counts_path: Path,
    turns: TurnTable | None,
    source: DemandSource,
    network: RoadNetwork,
    field: TimingPlan,
    settings: Settings,
) -> LoadedDemand:
    detectors = read_detectors(detectors_path, network)
    counted = load_counts(counts_path, detectors, network, source.days, settings)
    notes = counted.notes
    begin_s, end_s = _period(source, *counted.span_s, str(counts_path))
    apart = days_apart(len(counted.labels), settings.objective.held_out if settings.objective.robust else 0)
    kept = counted.on([k for k in range(len(counted.labels)) if k not in apart]) if apart else counted
    days = kept.labels
    told = estimated(kept, detectors, turns, network, field, begin_s, end_s)
    choice, chosen = told.choice, told.choice.days
    if len(chosen) < len(days):
        labels = ", ".join(f"{days[k]} ({w:.0%})" for k, w in zip(chosen, choice.weights, strict=True))
        notes.append(
            f"{len(days)} days selected; {len(chosen)} of them stand for all, with the share of days each stands for: "
            f"{labels}; days differ from theirs by {choice.beyond_chance:.1f} times what chance alone would do"
        )
    notes += _by_day(told.estimates)
    others = [
        estimate_demand(
            network,
            detectors,
            counted.table(k, begin_s, end_s),
            begin_s,
            end_s,
            plan=field,
            turns=turns,
            label=counted.labels[k],
        )
        for k in apart
    ]
    if others:
        notes.append(f"kept apart to judge plans on: {', '.join(counted.labels[k] for k in apart)}")
    return LoadedDemand(
        scenarios=told.scenarios,
        estimates=told.estimates,
        notes=tuple(notes),
        begin_s=begin_s,
        end_s=end_s,
        detectors=detectors,
        counts=told.counts,
        counted_turns=turns.pairs if turns is not None else (),
        verdicts=counted.checked.verdicts,
        count_record=counted.record,
        held_out=tuple(one.demand for one in others),
    )


def days_apart(n_day: int, wanted: int) -> list[int]:
    """Days to keep apart, spread over all of them; two at least remain to plan from."""
    n = max(0, min(wanted, n_day - 2))
    return sorted({round((k + 1) * (n_day - 1) / (n + 1)) for k in range(n)})


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimated:
    """Demand of the days that stand for all, with the counts it was estimated from."""

    scenarios: DemandScenarios
    estimates: tuple[Estimate, ...]
    counts: tuple[CountTable, ...]
    choice: DayChoice


def estimated(
    counted: Counted,
    detectors: tuple[Detector, ...],
    turns: TurnTable | None,
    network: RoadNetwork,
    field: TimingPlan,
    begin_s: float,
    end_s: float,
    *,
    most: int = MAX_SCENARIOS,
) -> Estimated:
    """Demand scenarios of a period from checked counts.

    Parameters
    ----------
    counted : Counted
        All days of it are looked at.
    field : TimingPlan
        The plan under which the counts were taken.
    begin_s, end_s : float
        Local seconds after midnight. [s]
    most : int
        Days that become scenarios at most.
    """
    block = counted.checked.block
    choice = choose_days(block, begin_s, end_s, most)
    counts = tuple(counted.table(k, begin_s, end_s) for k in choice.days)
    estimates = tuple(
        estimate_demand(network, detectors, counts[n], begin_s, end_s, plan=field, turns=turns, label=counted.labels[k])
        for n, k in enumerate(choice.days)
    )
    scenarios = day_scenarios([one.demand for one in estimates], choice, block, detectors, begin_s, end_s)
    return Estimated(scenarios=scenarios, estimates=estimates, counts=counts, choice=choice)


def _by_day(estimates: Sequence[Estimate]) -> list[str]:
    """The notes of all days; what holds on some of them only names these."""
    days: dict[str, list[str]] = {}
    for estimate in estimates:
        for note in estimate.notes:
            days.setdefault(note, []).append(estimate.demand.label)
    return [note if len(on) == len(estimates) else f"{', '.join(on)}: {note}" for note, on in days.items()]


def _period(source: DemandSource, first_s: float, last_s: float, where: str) -> tuple[float, float]:
    """The period planned for, held against what the file covers."""
    begin_s = first_s if source.begin_s is None else source.begin_s
    end_s = last_s if source.end_s is None else source.end_s
    if not begin_s < end_s:
        raise DemandError(
            "--begin/--end",
            f"begin {begin_s:g} s is not before end {end_s:g} s ({where} covers {first_s:g} to {last_s:g} s); mend it",
        )
    if end_s <= first_s or begin_s >= last_s:
        raise DemandError(
            where,
            f"covers {first_s:g} to {last_s:g} s, nothing of the period {begin_s:g} to {end_s:g} s; mend --begin/--end",
        )
    return begin_s, end_s


def _equal(demands: Sequence[Demand]) -> DemandScenarios:
    return DemandScenarios(scenarios=tuple(demands), weights=(1 / len(demands),) * len(demands))
