"""`its optimize`: read, estimate, simulate, optimize, check, write."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from its.actuation import ActuatedPlan, load_actuated, over_actuated, said_over_actuated
from its.confirm import (
    Referee,
    Trial,
    chosen,
    confirm_json,
    confirm_table,
    ladder_in_sumo,
    narrowed,
    refuse_other_networks,
)
from its.console import Console
from its.inputs import LoadedDemand, load_demand, load_field_plan, load_network, sha256_of
from its.interrupt import Interruption, listening
from its.measures_json import measures_json
from its.optimize_text import print_run, say_notes, unproven
from its.people import people_of
from its.report import ReportData, render_report
from its.report.data import MOST_SIGNALS
from its.requests import Effort, OptimizeRequest, effort_of
from its.robust_job import for_the_mean, robust_json, robust_text
from its.run_record import checks_of, demand_json, engine_versions, ladder_json, model_notes
from its.saturation import saturation_of
from its.simulated_checks import simulated_checks
from its.sumo import sumo_home
from its.time_limit import Pace, TimeLimit
from its.today import todays_check, with_occupancy
from its.tradeoff_job import tradeoff_files, tradeoff_text
from its.warm import compile_kernels
from network_data.errors import OutsideProgramError
from network_data.formats.files import write_together
from network_data.formats.plan_csv import plan_csv
from network_data.formats.plan_json import dump_plan, plan_document, program_id_of
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, load_settings
from network_data.settings_names import check_names
from network_data.whole_seconds import Losses, to_sumo
from optimizer.explain import Reason, explain
from optimizer.flows import highest_flows_vph, mean_flows_vph, queued_links
from optimizer.optimize import STAGES_UP_TO, Result, draws_of, optimize
from optimizer.tradeoff import Front, trade_off
from sim.measures import Measures, People, measure
from sim.occupancy import occupancies

log = logging.getLogger(__name__)

MOST_EXPLAINED = 500
"""Signals up to which every changed number is explained."""
SIDE_BY_SIDE_UP_TO = 3_000
"""Signals up to which field plan and result are measured side by side."""
INDENTED_UP_TO = 60
"""Signals up to which run.json is laid out in lines; in larger networks it is compact."""
TRADEOFF_SHARE = 0.6
"""Of the time for searching, what the trade-off takes where it is asked for. [-]"""
END_S = 0.4
"""What ending takes in networks of any size: templates, files, the end of the process. [CPU s]"""
MEASURE_S, CHECK_S = 0.8e-6, 0.009
"""What measuring takes per plan, vehicle and link; checking, explaining and writing a plan per signal. [CPU s]"""
CHAPTER_S, LADDER_CHAPTER_S = 0.007, 0.05
"""A chapter of the report; with every step of the ladder. [CPU s]"""
LEAST_CHAPTERS = 10
"""Of large networks, even where time is short."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Inputs:
    network: RoadNetwork
    field: TimingPlan
    settings: Settings
    effort: Effort
    demand: LoadedDemand
    actuated: ActuatedPlan
    hashes: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Work:
    """How the job runs: what it says and times, what compiling took, whether it was asked to end."""

    console: Console
    compile_s: float
    interruption: Interruption
    limit: TimeLimit | None = None
    trials: tuple[Trial, ...] = ()
    confirm: dict[str, Any] | None = None
    front: Front | None = None


def optimize_job(request: OptimizeRequest) -> int:
    """Run the job; returns the exit code. The files are written at the end, all of them or none."""
    console, pace = Console(), Pace.start()
    if request.confirm is not None:
        sumo_home()
        refuse_other_networks(request.network)
    with console.stage("read"):
        inputs = _read(request)
        people = people_of(inputs.settings, inputs.network)
    with console.stage("compile"):
        large = len(inputs.network.controllers) > STAGES_UP_TO
        # large networks set offsets by tables for their bound only, which a time limit leaves out
        compile_s = compile_kernels(polygons=large, offsets=not large or inputs.effort.time_limit_s is None)
    if compile_s > 1.0:
        console.say(f"kernels compiled in {compile_s:.1f} s (first run only, not counted in the time limit)")
    with listening(console.say) as interruption:
        work = _Work(console, compile_s, interruption, _limit(request, inputs, compile_s, pace))
        result, work = (
            _confirmed(request, inputs, work) if request.confirm else (_searched(request, inputs, work), work)
        )
        work = replace(work, front=_front(request, inputs, result, work)) if request.tradeoff else work
        _measure_and_write(request, inputs, people, result, work)
    return interruption.exit_code


def _searched(request: OptimizeRequest, inputs: _Inputs, work: _Work, *, reserve_s: float = 0.0) -> Result:
    """The search; asked to end, it gives the best legal plan so far. `reserve_s` is kept back of the time limit.

    Where more than the mean over the days counts, the first half of the time goes to a plan for the mean: the robust
    one begins there and is held against it.
    """

    def until_s() -> float:
        """Asked when all is laid out: by then it is known best how fast things go."""
        assert work.limit is not None
        until = work.limit.search_until_s() - reserve_s
        return until - TRADEOFF_SHARE * max(0.0, until - time.monotonic()) if request.tradeoff else until

    deadline = until_s if work.limit is not None else None
    work.console.say("searching; Ctrl-C ends with the best plan so far")
    with work.console.stage("optimize") as stage:

        def told(n: int, rung: str, value: float) -> None:
            share = _share(n, inputs.effort, work.limit, request.started_s)
            stage.update(share, f"{rung}: {value:.1f} s/veh")

        if not inputs.settings.objective.robust:
            return _search(request, inputs, work, inputs.settings, deadline, told)
        now = time.monotonic()
        half = None if deadline is None else now + (deadline() - now) / 2
        mean = _search(request, inputs, work, for_the_mean(inputs.settings), half, told).plan
        result = _search(request, inputs, work, inputs.settings, deadline, told, known=mean)
        return replace(result, mean_plan=mean)


def _front(request: OptimizeRequest, inputs: _Inputs, result: Result, work: _Work) -> Front:
    """The trade-off of delay, stops and waits on foot, the result among its candidates."""
    with work.console.stage("trade-off") as stage:
        return trade_off(
            inputs.network,
            inputs.demand.scenarios,
            inputs.field,
            inputs.settings,
            begin_s=inputs.demand.begin_s,
            end_s=inputs.demand.end_s,
            first=[("result", result.plan)],
            seed=request.seed,
            iterations=inputs.effort.iterations,
            deadline=None if work.limit is None else work.limit.search_until_s(),
            measured_links=inputs.demand.measured_links,
            saturation=lambda trips: saturation_of(inputs.settings.saturation, inputs.network, trips, inputs.field),
            stop=work.interruption.asked,
            progress=stage.update,
        )


def _search(
    request: OptimizeRequest,
    inputs: _Inputs,
    work: _Work,
    settings: Settings,
    deadline: float | Callable[[], float] | None,
    progress: Callable[[int, str, float], None],
    known: TimingPlan | None = None,
) -> Result:
    return optimize(
        inputs.network,
        inputs.demand.scenarios,
        inputs.field,
        settings,
        begin_s=inputs.demand.begin_s,
        end_s=inputs.demand.end_s,
        seed=request.seed,
        iterations=inputs.effort.iterations,
        deadline=deadline,
        measured_links=inputs.demand.measured_links,
        saturation=lambda trips: saturation_of(inputs.settings.saturation, inputs.network, trips, inputs.field),
        stop=work.interruption.asked,
        keep_recent=request.confirm is not None,
        progress=progress,
        known=known,
    )


def _confirmed(request: OptimizeRequest, inputs: _Inputs, work: _Work) -> tuple[Result, _Work]:
    """The search, and of its last candidates the one that wins in SUMO too."""
    with Referee(
        request.network,
        inputs.network,
        inputs.demand.scenarios,
        inputs.field,
        plans=request.plans,
        begin_s=inputs.demand.begin_s,
        end_s=inputs.demand.end_s,
        seed=request.seed,
        workers=inputs.effort.workers,
    ) as referee:
        with work.console.stage("SUMO"):
            referee.prepare()
        limit_s = inputs.effort.time_limit_s
        reserve_s = referee.reserve_s(limit_s) if limit_s is not None else 0.0
        result = _searched(request, inputs, work, reserve_s=reserve_s)
        time_s = None if work.limit is None else work.limit.search_until_s() - time.monotonic()
        with work.console.stage("SUMO") as stage:
            try:
                trials = referee.judge(result, time_s=time_s, progress=stage.update)
            except OutsideProgramError:
                if work.interruption.asked():  # Ctrl-C reached SUMO too: nothing is confirmed
                    raise KeyboardInterrupt from None
                raise
        best = chosen(trials)
        told = confirm_json(trials, best, referee.left_out)
    print(confirm_table(told))
    print()
    return narrowed(result, best), replace(work, trials=tuple(trials), confirm=told)


def _measure_and_write(request: OptimizeRequest, inputs: _Inputs, people: People, result: Result, work: _Work) -> None:
    """Measure every step, write the files, say what came out."""
    console = work.console
    with console.stage("measure"):
        ladder = result.ladder if len(inputs.network.controllers) <= STAGES_UP_TO else result.ladder[-1:]
        steps = [("field plan", inputs.field), *((step.name, step.plan) for step in ladder)]
        with ThreadPoolExecutor(_side_by_side(inputs)) as pool:
            found = list(
                pool.map(lambda step: measure(result.simulator, step[1], people=people, weights=result.weights), steps)
            )
        measured = [(name, plan, one) for (name, plan), one in zip(steps, found, strict=True)]
        live = inputs.actuated.controllers
        shown = (
            measure(result.simulator, inputs.field, people=people, actuated=live, weights=result.weights)
            if live
            else None
        )
        occupied = _occupied(inputs, result)
    with console.stage("write"):
        run = _write(request, inputs, result, measured, shown, occupied, work)
    print_run(run, request.out)
    if "tradeoff" in run:
        print(f"\n{tradeoff_text(run['tradeoff'])}")
    if run["robust"] is not None and (table := robust_text(run["robust"])):
        print(f"\n{table}\n{run['robust']['said']}")
    say_notes([*unproven(run["today"]), *run["notes"], *run["demand"]["notes"]], console)


def _occupied(inputs: _Inputs, result: Result) -> dict[str, float] | None:
    """Simulated occupancy of every loop under the field plan, where the counts tell any to hold it against."""
    if not with_occupancy(inputs.demand.counts):
        return None
    return occupancies(
        result.simulator,
        inputs.field,
        inputs.demand.detectors,
        actuated=inputs.actuated.controllers,
        weights=result.weights,
        loop_m=inputs.settings.today.loop_m,
    )


def _read(request: OptimizeRequest) -> _Inputs:
    network = load_network(request.network)
    field = load_field_plan(request.plans, network, at_s=request.source.begin_s or 0.0)
    settings = load_settings(request.settings) if request.settings is not None else Settings()
    effort = effort_of(request, settings)
    settings = settings.model_copy(update={"search": settings.search.model_copy(update={"workers": effort.workers})})
    check_names(settings, network, field, str(request.settings))
    demand = load_demand(request.source, network, field, settings)
    files: dict[str, Path | None] = {"network": request.network, **request.source.files}
    files |= {"plans": request.plans, "settings": request.settings}
    return _Inputs(
        network=network,
        field=field,
        settings=settings,
        effort=effort,
        demand=demand,
        actuated=load_actuated(request.network, request.plans, network, field, settings, str(request.settings)),
        hashes={name: sha256_of(path) for name, path in files.items() if path is not None},
    )


def _limit(request: OptimizeRequest, inputs: _Inputs, compile_s: float, pace: Pace) -> TimeLimit | None:
    """When the process has to end, and what it has to do after the search."""
    limit_s = inputs.effort.time_limit_s
    if limit_s is None:
        return None
    counted_s = compile_s if compile_s > 1.0 else 0.0
    return TimeLimit(
        ends_s=request.started_s + limit_s + counted_s, limit_s=limit_s, after_s=_after_s(inputs), pace=pace
    )


def _after_s(inputs: _Inputs) -> float:
    """What measuring, checking and writing take. [CPU s]"""
    n_signals = len(inputs.network.controllers)
    passages = sum(float(s.veh.sum()) for s in inputs.demand.scenarios.scenarios) * draws_of(
        inputs.demand.scenarios, n_signals
    )
    n_plan, per_chapter_s = (5, LADDER_CHAPTER_S) if n_signals <= STAGES_UP_TO else (2, CHAPTER_S)
    rounds = math.ceil(n_plan / _side_by_side(inputs))
    chapters_s = per_chapter_s * min(n_signals, MOST_SIGNALS)
    return END_S + rounds * MEASURE_S * passages + CHECK_S * n_signals + chapters_s


def _side_by_side(inputs: _Inputs) -> int:
    """Plans measured at a time: what that holds of each is gigabytes in the largest networks."""
    return inputs.effort.workers if len(inputs.network.controllers) <= SIDE_BY_SIDE_UP_TO else 1


def _chapters(inputs: _Inputs, work: _Work) -> int:
    """How many signals of a large network get a chapter: fewer where the time limit is near."""
    n_signals = len(inputs.network.controllers)
    if work.limit is None or n_signals <= STAGES_UP_TO:
        return MOST_SIGNALS
    most = work.limit.affords(CHAPTER_S, beside_s=END_S + CHECK_S * n_signals)
    return min(MOST_SIGNALS, max(LEAST_CHAPTERS, most))


def _share(n: int, effort: Effort, limit: TimeLimit | None, started_s: float) -> float:
    """How much of the search is done. [-]"""
    by_count = n / effort.iterations if effort.iterations else 0.0
    by_time = (time.monotonic() - started_s) / max(1e-9, limit.ends_s - started_s) if limit is not None else 0.0
    return min(1.0, max(by_count, by_time))


def _write(
    request: OptimizeRequest,
    inputs: _Inputs,
    result: Result,
    measured: list[tuple[str, TimingPlan, Measures]],
    shown: Measures | None,
    occupied: dict[str, float] | None,
    work: _Work,
) -> dict[str, Any]:
    findings = check_plan(inputs.network, result.plan, inputs.field, inputs.settings, demand=inputs.demand.scenarios)
    checks = checks_of(findings, inputs.network, inputs.settings)
    checks += simulated_checks(inputs.network, measured[0][2], measured[-1][2], inputs.settings)
    document = plan_document(
        inputs.network,
        result.plan,
        inputs.field,
        inputs=inputs.hashes,
        engine=engine_versions(),
        seed=request.seed,
        period={"begin_s": inputs.demand.begin_s, "end_s": inputs.demand.end_s, "days": request.source.days},
        objective={
            "before_s_per_veh": round(result.objective_before, 4),
            "after_s_per_veh": round(result.objective_after, 4),
            "weights": inputs.settings.objective.model_dump(),
        },
        bounds=result.bounds,
        checks=checks,
        findings=findings,
    )
    dumped = dump_plan(document)
    program_id = program_id_of(dumped)
    exported, losses = to_sumo(result.plan, inputs.network, inputs.field, program_id)
    run = _run_record(request, inputs, result, measured, shown, occupied, losses, checks, work, program_id)
    named = replace_ids(result.plan, program_id)
    report = render_report(
        ReportData(
            network=inputs.network,
            field=inputs.field,
            plan=named,
            before=measured[0][2],
            after=measured[-1][2],
            run=run,
            most_signals=_chapters(inputs, work),
        )
    )
    out, n_signals = request.out, len(inputs.network.controllers)
    more: dict[Path, bytes | str] = {}
    if work.front is not None:
        more, run["tradeoff"] = tradeoff_files(work.front, out, lambda plan: _document_of(request, inputs, plan))
    write_together(
        more
        | {
            out / "plan.json": dumped,
            out / "plan.add.xml": write_sumo_programs(exported),
            out / "plan.csv": plan_csv(inputs.network, result.plan),
            out / "report.html": report,
            out / "run.json": json.dumps(run, indent=1 if n_signals <= INDENTED_UP_TO else None) + "\n",
        }
    )
    return run


def _document_of(request: OptimizeRequest, inputs: _Inputs, plan: TimingPlan) -> dict[str, Any]:
    """The document of a further plan of this run, its check passed once more."""
    findings = check_plan(inputs.network, plan, inputs.field, inputs.settings, demand=inputs.demand.scenarios)
    return plan_document(
        inputs.network,
        plan,
        inputs.field,
        inputs=inputs.hashes,
        engine=engine_versions(),
        seed=request.seed,
        period={"begin_s": inputs.demand.begin_s, "end_s": inputs.demand.end_s, "days": request.source.days},
        objective={"weights": inputs.settings.objective.model_dump()},
        bounds=(),
        checks=checks_of(findings, inputs.network, inputs.settings),
        findings=findings,
    )


def replace_ids(plan: TimingPlan, program_id: str) -> TimingPlan:
    """The plan under the name it is exported with."""
    return TimingPlan(controllers={c: replace(p, program_id=program_id) for c, p in plan.controllers.items()})


def _run_record(
    request: OptimizeRequest,
    inputs: _Inputs,
    result: Result,
    measured: list[tuple[str, TimingPlan, Measures]],
    shown: Measures | None,
    occupied: dict[str, float] | None,
    losses: Losses,
    checks: list[dict[str, Any]],
    work: _Work,
    program_id: str,
) -> dict[str, Any]:
    demand = inputs.demand
    robust = _robust(request, inputs, result)
    over = over_actuated(inputs.actuated, shown, measured[0][2], measured[-1][2])
    return {
        "program_id": program_id,
        "network_hash": inputs.network.hash,
        "period": {"begin_s": demand.begin_s, "end_s": demand.end_s, "days": request.source.days},
        "ladder": _ladder_of(inputs, result, measured, work),
        "rungs": [
            {"step": one.name, "objective": round(one.objective, 4), "iterations": one.iterations}
            for one in result.ladder
        ],
        "confirm": work.confirm,
        "objective": {"before": result.objective_before, "after": result.objective_after},
        "robust": robust,
        "today": todays_check(
            inputs.network,
            demand.detectors,
            demand.counts,
            demand.estimates,
            shown or measured[0][2],
            demand.begin_s,
            demand.end_s,
            limits=inputs.settings.today,
            weights=demand.scenarios.weights,
            occupancy=occupied,
        ),
        "field_actuated": over,
        "demand": demand_json(demand),
        "after": measures_json(measured[-1][2]),
        "explanations": [one.as_json() for one in _explained(inputs, result, measured)],
        "notes": [
            *said_over_actuated(over),
            *([robust["said"]] if robust is not None and "said" in robust else ()),
            *model_notes(inputs.network, inputs.field, inputs.settings),
            *inputs.actuated.notes,
            *result.notes,
        ],
        "losses": losses,
        "bands": list(result.bands),
        "offsets": {"steps": list(result.offset_steps), "plan": [one for one in result.bounds if "tables" in one]},
        "checks": checks,
        "settings": inputs.settings.model_dump(mode="json"),
        "seed": request.seed,
        "reproducible": inputs.effort.time_limit_s is None and not work.interruption.asked(),
        "interrupted": work.interruption.name,
        "iterations": result.iterations,
        "simulations": result.n_runs,
        "versions": engine_versions(),
        "inputs": inputs.hashes,
        "timings_s": {name: round(s, 2) for name, s in work.console.timings_s.items()},
        "compile_s": round(work.compile_s, 2),
        "wall_s": round(time.monotonic() - request.started_s, 2),
    }


def _robust(request: OptimizeRequest, inputs: _Inputs, result: Result) -> dict[str, Any] | None:
    """What robustness costs and buys on days held out; None where nothing but the mean counts."""
    if result.mean_plan is None:
        return None
    return robust_json(
        inputs.network,
        inputs.field,
        result.mean_plan,
        result.plan,
        inputs.demand.held_out,
        inputs.settings,
        begin_s=inputs.demand.begin_s,
        end_s=inputs.demand.end_s,
        seed=request.seed,
        saturation=lambda trips: saturation_of(inputs.settings.saturation, inputs.network, trips, inputs.field),
    )


def _ladder_of(
    inputs: _Inputs, result: Result, measured: list[tuple[str, TimingPlan, Measures]], work: _Work
) -> list[dict[str, Any]]:
    """The steps in the engine's simulation, and beside them in SUMO where that was asked."""
    rows = ladder_json(measured, result)
    if work.trials:
        told = ladder_in_sumo(work.trials, inputs.field, [plan for _, plan, _ in measured])
        rows = [{**row, "sumo": one} for row, one in zip(rows, told, strict=True)]
    return rows


def _explained(inputs: _Inputs, result: Result, measured: list[tuple[str, TimingPlan, Measures]]) -> tuple[Reason, ...]:
    """Why each changed number is as it is; in very large networks nobody reads that, and it would take minutes."""
    if len(inputs.network.controllers) > MOST_EXPLAINED:
        return ()
    return explain(
        inputs.network,
        inputs.field,
        result.plan,
        measured[0][2],
        measured[-1][2],
        inputs.settings,
        flows_vph=mean_flows_vph(inputs.demand.scenarios),
        highest_vph=highest_flows_vph(inputs.demand.scenarios),
        measured_links=inputs.demand.measured_links,
        queued=queued_links(inputs.demand.scenarios),
    )
