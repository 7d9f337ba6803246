"""Does setting all offsets at once help the search? Objectives after equal time, with and without."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.offset_cases import OffsetCase, offset_case
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import SignalError
from network_data.settings import Settings
from optimizer.bandwidth.wanted import wanted_bands
from optimizer.candidate import field_setting
from optimizer.coordination import Coordinator
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.models import build_model
from optimizer.moves import Neighbourhood
from optimizer.optimize import STAGES_UP_TO, realizations_of
from optimizer.search import Evaluator, Search, climb
from sim.simulate import Simulator

CASES = ("cologne8", "arterial4x4", "grid25", "long25", "grid100")
QUICK_CASES = ("cologne8",)
SEEDS = (0, 1)
TIME_S, QUICK_TIME_S, WORKERS = 30.0, 10.0, 2
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="seed", heading="seed"),
    Column(key="field", heading="field s/veh", spec=".1f"),
    Column(key="plain", heading="without s/veh", spec=".2f"),
    Column(key="plain_iterations", heading="iterations"),
    Column(key="coordinated", heading="with s/veh", spec=".2f"),
    Column(key="coordinated_iterations", heading="iterations"),
    Column(key="difference", heading="difference", spec="+.1%"),
)
LEGEND = (
    "Objective of the search (queue simulation, its own draws) after equal time on two threads; with: all "
    "offsets proposed by link cost tables where rungs begin; without: single shifts only.",
)


def benchmark(options: Options) -> Table:
    """Every case with two seeds; quick: one case, less time."""
    time_s = QUICK_TIME_S if options.quick else TIME_S
    rows: list[dict[str, Cell]] = []
    for name in options.chosen(CASES, QUICK_CASES):
        try:
            case = offset_case(name)
            rows += [compared(case, seed, time_s) for seed in SEEDS]
        except SignalError as error:
            rows.append({"case": name, "failed": str(error)})
        options.say(name)
    notes = [*LEGEND, f"Time: {time_s:g} s each.", *(f"{r['case']}: {r['failed']}" for r in rows if "failed" in r)]
    return Table(title="All offsets at once, in the search", columns=COLUMNS, rows=rows, notes=notes)


def compared(case: OffsetCase, seed: int, time_s: float) -> dict[str, Cell]:
    """Both searches from the same start on the same draws."""
    plain, field = searched(case, seed, time_s, coordinated=False)
    with_it, _ = searched(case, seed, time_s, coordinated=True)
    return {
        "case": case.name,
        "seed": seed,
        "field": field,
        "plain": plain.objective,
        "plain_iterations": plain.iterations,
        "coordinated": with_it.objective,
        "coordinated_iterations": with_it.iterations,
        "difference": with_it.objective / plain.objective - 1,
    }


def searched(case: OffsetCase, seed: int, time_s: float, *, coordinated: bool) -> tuple[Search, float]:
    """A climb of so many seconds, and the field plan's objective. [s/veh]"""
    settings, flows = Settings(), mean_flows_vph(case.demand)
    trips = realizations_of(case.demand, seed=seed, warmup_s=0.0, network=case.network)
    simulator = Simulator(
        case.network, trips, begin_s=case.begin_s, end_s=case.end_s, seed=seed, workers=WORKERS
    )  # fmt: skip
    models = [
        build_model(
            case.network, controller, case.field.controllers[c], head_flows(case.network, controller, flows),
            settings, with_stages=len(case.network.controllers) <= STAGES_UP_TO,
        )
        for c, controller in case.network.controllers.items()
    ]  # fmt: skip
    evaluator = Evaluator(simulator, models, settings.objective)
    hood = Neighbourhood(models, settings, tuple(field_setting(model) for model in models))
    wanted = wanted_bands(case.network, flows, settings)
    planner = Coordinator(case.network, case.demand, simulator, hood, seed, wanted) if coordinated else None
    field = float(np.mean(evaluator.values([hood.field], range(simulator.n_realizations))[0]))
    if planner is not None:
        planner.propose(hood.field, 0)  # compiles
        planner.steps.clear()
    found = climb(
        evaluator, hood, settings, seed=seed, coordinator=planner, deadline=time.monotonic() + time_s
    )  # fmt: skip
    return found, field
