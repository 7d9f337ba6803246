"""The fast filters against the queue simulation: do they rank plans alike, and how many do they rank in a second?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.fidelity_cases import FidelityCase, fidelity_cases
from benchmarks.fidelity_flows import turning_flows
from benchmarks.fidelity_models import simulator_of
from benchmarks.fidelity_scores import score
from benchmarks.fidelity_store import PlanKey, read_plans
from benchmarks.plan_families import FAMILIES
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import InputError, SignalError
from network_data.plans import TimingPlan
from sim.parameters import SUMO
from sim.platoons import TRANSYT
from sim.profile import Profile
from sim.wave import Wave

QUICK_CASES = ("cologne1", "grid4x4")
N_PLANS, QUICK_PLANS = 40, 16
GOOD = PlanKey("good", 0)
WARM, WARM_SWEEPS = "profile, warm", 2
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="family", heading="plans"),
    Column(key="filter", heading="filter"),
    Column(key="demand", heading="demand"),
    Column(key="n", heading="plans"),
    Column(key="rank", heading="rank", spec=".3f"),
    Column(key="error", heading="error", spec=".0%"),
    Column(key="bias", heading="bias", spec="+.0%"),
    Column(key="regret", heading="regret", spec=".1%"),
    Column(key="kept", heading="best in first 10 %"),
    Column(key="plans_per_s", heading="plans/s", spec=",.0f"),
    Column(key="retimed_per_s", heading="retimed/s", spec=",.0f"),
    Column(key="simulated_per_s", heading="simulated/s", spec=",.0f"),
)
LEGEND = (
    "Against the queue simulation with exact vehicles and SUMO's constants, on the stored plans of `fidelity`:",
    "Spearman's rank correlation, mean absolute and signed relative error of network delay, and regret, which is the "
    "simulation's delay of the plan that the filter ranks first, over its best.",
    "Best in first 10 %: whether the simulation's best plan is among the tenth that the filter ranks first.",
    "Profile, warm: from the profiles of the plan that the near ones were drawn around, two sweeps per period.",
    "Exact: entries as they come, true turns per 5 minutes; flows: turning flows per 5 minutes.",
    "CPU seconds of one core, plans compiled from programs; retimed: programs seen before, as in a search for offsets.",
)


@dataclass(frozen=True)
class Speed:
    """Plans per CPU second."""

    fresh: float
    again: float


def benchmark(options: Options) -> Table:
    """Every case (quick: two small ones, fewer plans) with both families and all filters."""
    known = fidelity_cases()
    rows: list[dict[str, Cell]] = []
    for name in options.chosen(list(known), QUICK_CASES):
        began_s = time.monotonic()
        try:
            rows += case_rows(known[name], QUICK_PLANS if options.quick else N_PLANS)
        except SignalError as error:
            rows.append({"case": name, "failed": str(error)})
        options.say(f"{name}: {time.monotonic() - began_s:.0f} s")
    notes = [*LEGEND, *losses(rows), *(f"{row['case']}: {row['failed']}" for row in rows if "failed" in row)]
    return Table(
        title="Filters against the queue simulation",
        columns=COLUMNS,
        rows=rows,
        notes=notes,
        failed=any("failed" in row for row in rows),
    )


def case_rows(case: FidelityCase, n_plans: int) -> list[dict[str, Cell]]:
    """Rows of a case.

    Raises
    ------
    InputError
        No plans are stored of it.
    """
    stored = read_plans(case.name)
    if not stored:
        raise InputError(case.name, "no plans are stored; make them with python -m benchmarks.sumo_answers")
    simulator = simulator_of(case, [case.trips])
    filters = filters_of(case)
    rows = []
    for family in FAMILIES:
        plans = [plan for key, plan in stored.items() if key.family == family][:n_plans]
        simulator.run(plans[:1])
        began_s = time.process_time()
        judged = [row[0].delay_s_per_veh for row in simulator.run(plans)]
        simulated_per_s = len(plans) / (time.process_time() - began_s)
        for (name, demand), model in filters.items():
            if name == WARM and family != "near":
                continue
            row: dict[str, Cell] = {"case": case.name, "family": family, "filter": name, "demand": demand}
            found, speed = timed(model, plans, warm=stored[GOOD] if name == WARM else None)
            row |= comparison(found, judged)
            rows.append(
                {
                    **row,
                    "plans_per_s": speed.fresh,
                    "retimed_per_s": speed.again,
                    "simulated_per_s": simulated_per_s,
                }
            )
    return rows


def filters_of(case: FidelityCase) -> Mapping[tuple[str, str], Wave | Profile]:
    """All filters on a case, by name and what they know of the demand."""
    network, trips, begin_s, end_s = case.network, case.trips, case.base.begin_s, case.base.end_s
    flows = turning_flows(network, trips, begin_s, end_s)
    return {
        ("wave", "exact"): Wave(network, trips, begin_s=begin_s, end_s=end_s, parameters=SUMO),
        ("wave", "flows"): Wave(network, flows, parameters=SUMO),
        ("profile", "exact"): Profile(network, trips, begin_s=begin_s, end_s=end_s, parameters=SUMO),
        ("profile", "flows"): Profile(network, flows, parameters=SUMO),
        (WARM, "flows"): Profile(network, flows, parameters=SUMO),
        ("profile, TRANSYT's spread", "flows"): Profile(network, flows, parameters=SUMO, dispersion=TRANSYT),
    }


def timed(
    model: Wave | Profile, plans: Sequence[TimingPlan], warm: TimingPlan | None = None
) -> tuple[list[float], Speed]:
    """Delays of plans [s/veh], and how fast they came when the programs were new, and when they were not.

    With `warm`, profiles start from those of that plan and are swept twice.
    """
    near = model.settled(warm) if warm is not None and isinstance(model, Profile) else None
    model.run(plans[:1])
    model.levels.forget()
    seconds = []
    for _ in range(2):
        began_s = time.process_time()
        if near is not None and isinstance(model, Profile):
            found = model.run(plans, near=near, max_sweeps=WARM_SWEEPS).delay_s_per_veh
        else:
            found = model.delays(plans)
        seconds.append(time.process_time() - began_s)
    return found.tolist(), Speed(*(len(plans) / s for s in seconds))


def comparison(found: Sequence[float], judged: Sequence[float]) -> dict[str, Cell]:
    """How a filter's delays agree with the simulation's."""
    agreed = score(found, judged)
    if agreed is None:
        return {"n": len(found)}
    first = np.argsort(found)[: max(1, len(found) // 10)]
    return {
        "n": agreed.n,
        "rank": agreed.rank,
        "error": agreed.error,
        "bias": agreed.bias,
        "regret": agreed.regret,
        "kept": bool(int(np.argmin(judged)) in first),
    }


def losses(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """In words, where a filter is no help: it ranks badly, or is no faster than the simulation."""
    out = []
    for text, bad in (
        ("ranks below 0.7", lambda row: isinstance(row.get("rank"), float) and row["rank"] < 0.7),
        ("slower than the simulation", lambda row: _below(row, "plans_per_s", "simulated_per_s")),
    ):
        named = [f"{row['case']} {row['family']} {row['filter']} ({row['demand']})" for row in rows if bad(row)]
        if named:
            out.append(f"{text}: {'; '.join(named)}")
    return out


def _below(row: Mapping[str, Cell], key: str, than: str) -> bool:
    a, b = row.get(key), row.get(than)
    return isinstance(a, float) and isinstance(b, float) and a < b
