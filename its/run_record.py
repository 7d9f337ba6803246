"""Parts of run.json: versions, ladder, demand, what the model assumes."""

from __future__ import annotations

import math
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from its.inputs import LoadedDemand
from its.measures_json import area_json
from network_data.demand import DemandScenarios, Pair
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rules import Finding, passed_checks
from network_data.settings import Settings
from network_data.turning_flows.estimate import Estimate
from network_data.turning_flows.totals import MOST_LINKS
from optimizer.optimize import Result
from sim.measures import Measures

MOST_ADVICE = 3
"""Approaches named as those where loops would help most."""
NO_CROSSINGS = "no crossings in the input, not fit for a street with pedestrians"
PACKAGES = ("its-signals", "numpy", "numba", "ortools", "pandas", "networkx")


def engine_versions() -> dict[str, str]:
    """Versions of the engine and of what its numbers depend on."""
    out = {}
    for name in PACKAGES:
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "not installed"
    return out


def ladder_json(measured: list[tuple[str, TimingPlan, Measures]], result: Result) -> list[dict[str, Any]]:
    """The steps with their figures, in total and per signal."""
    iterations = {step.name: step.iterations for step in result.ladder}
    return [
        {
            "step": name,
            "iterations": iterations.get(name, 0),
            **area_json(measures.network),
            "signals": {
                c: {**area_json(area), "cycle_s": measures.cycle_s.get(c)} for c, area in measures.signals.items()
            },
        }
        for name, _, measures in measured
    ]


def _asked(estimate: Estimate) -> dict[str, Any]:
    """Detectors that contradict the rest, and the approaches where loops would narrow the ranges most."""
    if estimate.problem is None or len(estimate.problem.unknowns.links) > MOST_LINKS:
        return {}
    wanted = [
        {"link": advice.link, "narrower_pct": round(100 * advice.narrower, 1)}
        for advice in estimate.advice[:MOST_ADVICE]
    ]
    return {"contradicting": list(estimate.disagreement.detectors), "loops_wanted": wanted}


def demand_json(loaded: LoadedDemand) -> dict[str, Any]:
    """Per movement the mean hourly flow, its standard error, 90 % range and what supports it; fit per day."""
    scenarios = loaded.scenarios
    spread = _day_spreads_vph(scenarios)
    flows: dict[tuple[str, str], list[Any]] = {}
    for scenario, weight in zip(scenarios.scenarios, scenarios.weights, strict=True):
        hours = float((scenario.end_s - scenario.begin_s).sum()) / 3600
        for m, pair in enumerate(scenario.pairs):
            row = flows.setdefault(pair, [0.0, 0.0, scenario.support[m], 0.0, 0.0])
            row[0] += weight * float(scenario.veh[m].sum()) / hours
            # a movement's errors of one day lean the same way: they add up as they are
            row[1] += weight * float(scenario.sd_veh[m].sum()) / hours
            row[3] += weight * float(scenario.total_low_veh[m]) / hours
            row[4] += weight * float(scenario.total_high_veh[m]) / hours
    return {
        "movements": [
            {
                "from_link": pair[0],
                "to_link": pair[1],
                "veh_per_h": round(row[0], 2),
                "sd_veh_per_h": round(row[1], 2),
                "low_veh_per_h": round(row[3], 2),
                "high_veh_per_h": round(row[4], 2),
                "day_sd_veh_per_h": round(spread[pair], 2),
                "support": row[2],
            }
            for pair, row in flows.items()
        ],
        "scenarios": [s.label for s in scenarios.scenarios],
        "weights": [round(w, 6) for w in scenarios.weights],
        "dispersion": [round(s.dispersion, 2) for s in scenarios.scenarios],
        "fit": [
            {
                "day": estimate.demand.label,
                "detectors": len(estimate.fit),
                "geh_below_5": sum(1 for row in estimate.fit if row.geh < 5),
                "repaired": list(estimate.repaired),
                **_asked(estimate),
            }
            for estimate in loaded.estimates
        ],
        "counts": loaded.count_record,
        "notes": list(loaded.notes),
    }


def _day_spreads_vph(scenarios: DemandScenarios) -> dict[Pair, float]:
    """Standard deviation of each movement's hourly flow from day to day, all intervals moving as one. [veh/h]"""
    first, second = defaultdict[Pair, float](float), defaultdict[Pair, float](float)
    for n, (scenario, weight) in enumerate(zip(scenarios.scenarios, scenarios.weights, strict=True)):
        hours = float((scenario.end_s - scenario.begin_s).sum()) / 3600
        flow = scenario.veh.sum(axis=1) / hours
        within = scenarios.within_veh[n].sum(axis=1) / hours if scenarios.within_veh else 0 * flow
        for pair, f, x in zip(scenario.pairs, flow.tolist(), within.tolist(), strict=True):
            first[pair] += weight * f
            second[pair] += weight * (f * f + x * x)
    return {pair: math.sqrt(max(0.0, second[pair] - mean**2)) for pair, mean in first.items()}


def checks_of(findings: list[Finding], network: RoadNetwork, settings: Settings) -> list[dict[str, Any]]:
    """The checks as the plan carries them; where nobody on foot is planned for, the rule on walking says so."""
    checks = passed_checks(findings)
    if _lacks_crossings(network, settings):
        for check in checks:
            check["warnings"] += [NO_CROSSINGS] if check["rule"] == "walk" else []
    return checks


def _lacks_crossings(network: RoadNetwork, settings: Settings) -> bool:
    return not network.crossings and settings.rules.pedestrians == "network"


def model_notes(network: RoadNetwork, field: TimingPlan, settings: Settings) -> list[str]:
    """What the engine assumes about this input, a sentence each."""
    notes = list(network.notes)
    if _lacks_crossings(network, settings):
        notes.append(NO_CROSSINGS)
    notes += [
        f"controller {c!r} is actuated in the field; simulated, and planned, as fixed time with its stated durations: "
        "the gain is not one over the actuated signal"
        for c, program in field.controllers.items()
        if program.actuated
    ]
    return notes
