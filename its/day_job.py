"""`its day`: counts of many days in, the plans of each type of day and their switching times out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from its.console import Console, format_table
from its.day_demand import WeekDemand, load_week
from its.inputs import load_field_plan, load_network, sha256_of
from its.interrupt import Interruption, listening
from its.optimize_text import say_notes
from its.people import people_of
from its.report.day_page import render_day_page
from its.requests import DemandSource
from its.run_record import checks_of, engine_versions
from its.saturation import saturation_of
from its.warm import compile_kernels
from network_data.errors import PlanError
from network_data.formats.dayplan_json import DayPlanDocument, WeekRows, clock_hhmm, dump_day_plan, week_rows
from network_data.formats.files import write_together
from network_data.formats.plan_json import dump_plan, plan_document
from network_data.formats.sumo_waut import write_sumo_day
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.schedule import DayPlan
from network_data.settings import Settings, load_settings
from network_data.settings_names import check_names
from network_data.whole_seconds import to_sumo
from optimizer.day import DayResult, plan_day
from optimizer.day.library import FIELD, LibraryPlan
from optimizer.day.traffic import Horizon
from optimizer.day.variants import Judged

DEFAULT_TIME_LIMIT_S = 600.0
WRITE_SHARE, DEMAND_SHARE = 0.04, 0.3
"""Of the time limit: kept for writing; after which no further day's demand is estimated. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRequest:
    """`its day`: all its options."""

    network: Path
    source: DemandSource
    out: Path
    plans: Path | None = None
    settings: Path | None = None
    seed: int = 0
    time_limit_s: float | None = None
    iterations: int | None = None
    workers: int | None = None
    started_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Inputs:
    network: RoadNetwork
    field: TimingPlan
    settings: Settings
    week: WeekDemand
    hashes: dict[str, str]


def day_job(request: DayRequest) -> int:
    """Run the job; returns the exit code. The files are written at the end, all of them or none."""
    console = Console()
    with console.stage("compile"):
        compile_s = compile_kernels()
    with listening(console.say) as interruption:
        inputs = _read(request, console, interruption)
        result = _planned(request, inputs, console, interruption, compile_s if compile_s > 1.0 else 0.0)
        with console.stage("write"):
            run = _write(request, inputs, result, console, interruption)
    _print(run)
    say_notes(run["notes"], console)
    return interruption.exit_code


def _read(request: DayRequest, console: Console, interruption: Interruption) -> _Inputs:
    with console.stage("read"):
        network = load_network(request.network)
        field_plan = load_field_plan(request.plans, network, at_s=request.source.begin_s or 0.0)
        settings = load_settings(request.settings) if request.settings is not None else Settings()
        if request.workers is not None:
            search = settings.search.model_copy(update={"workers": request.workers})
            settings = settings.model_copy(update={"search": search})
        check_names(settings, network, field_plan, str(request.settings))
        people_of(settings, network)
    with console.stage("demand") as stage:
        limit_s = _limit_s(request)
        until_s = None if limit_s is None else request.started_s + DEMAND_SHARE * limit_s

        def enough() -> bool:
            return interruption.asked() or (until_s is not None and time.monotonic() >= until_s)

        week = load_week(request.source, network, field_plan, settings, progress=stage.update, stop=enough)
    files: dict[str, Path | None] = {"network": request.network, **request.source.files}
    files |= {"plans": request.plans, "settings": request.settings}
    hashes = {name: sha256_of(path) for name, path in files.items() if path is not None}
    return _Inputs(network=network, field=field_plan, settings=settings, week=week, hashes=hashes)


def _limit_s(request: DayRequest) -> float | None:
    """The time limit; none by default where iterations are given, so that such runs are reproducible. [s]"""
    if request.time_limit_s is None and request.iterations is None:
        return DEFAULT_TIME_LIMIT_S
    return request.time_limit_s


def _planned(
    request: DayRequest, inputs: _Inputs, console: Console, interruption: Interruption, compile_s: float
) -> DayResult:
    limit_s = _limit_s(request)
    deadline = None if limit_s is None else request.started_s + compile_s + (1 - WRITE_SHARE) * limit_s
    console.say("planning; Ctrl-C ends with the best so far")
    week, settings = inputs.week, inputs.settings
    with console.stage("plan") as stage:
        return plan_day(
            inputs.network,
            week.scenarios,
            inputs.field,
            settings,
            horizon=Horizon(begin_s=week.begin_s, end_s=week.end_s, interval_s=settings.day.interval_s),
            shares=week.shares,
            seed=request.seed,
            iterations=request.iterations,
            deadline=deadline,
            measured_links=week.measured_links,
            saturation=lambda trips: saturation_of(settings.saturation, inputs.network, trips, inputs.field),
            stop=interruption.asked,
            progress=lambda name, share: stage.update(share, name),
        )


def _write(
    request: DayRequest, inputs: _Inputs, result: DayResult, console: Console, interruption: Interruption
) -> dict[str, Any]:
    documents = _documents(request, inputs, result)
    document = DayPlanDocument(
        network_hash=inputs.network.hash,
        inputs=inputs.hashes,
        engine=engine_versions(),
        seed=request.seed,
        time_zone=inputs.settings.counts.time_zone,
        weekend=inputs.settings.day.weekend,
        holidays=[day.isoformat() for day in inputs.settings.day.holidays],
        transition=inputs.settings.day.transition,
        begin_s=inputs.week.begin_s,
        end_s=inputs.week.end_s,
        shares=dict(result.shares),
        week=_rows(result, result.best),
        others=[_rows(result, one) for one in result.weeks if one is not result.best],
        plans=documents,
    )
    run = _record(request, inputs, result, document, console, interruption)
    out = request.out
    files: dict[Path, bytes | str] = {out / "dayplan.json": dump_day_plan(document)}
    for name in run["plans_used"]:
        files[out / "plans" / f"{_file_name(name)}.json"] = dump_plan(documents[name])
    lost: list[str] = []
    for kind, day in result.days().items():
        files[out / f"schedule-{kind}.toml"] = _schedule_text(document.week, kind, inputs.settings)
        whole, notes = _whole_seconds(day, inputs)
        lost += notes
        present = {c.id: c.programs for c in inputs.network.controllers.values()}
        files[out / f"dayplan-{kind}.add.xml"] = write_sumo_day(whole, present)
    run["notes"] = [*run["notes"], *dict.fromkeys(lost)]
    files[out / "run.json"] = json.dumps(run, indent=1) + "\n"
    files[out / "report.html"] = render_day_page(run)
    write_together(files)
    run["files"] = [str(path) for path in files]
    return run


def _documents(request: DayRequest, inputs: _Inputs, result: DayResult) -> dict[str, dict[str, Any]]:
    """Documents of all plans that run in any of the ways through the week; each is checked once more."""
    used = dict.fromkeys(number for one in result.weeks for number in one.week.used)
    return {result.library[n].name: _document(request, inputs, result.library[n]) for n in sorted(used)}


def _document(request: DayRequest, inputs: _Inputs, one: LibraryPlan) -> dict[str, Any]:
    findings = check_plan(inputs.network, one.plan, inputs.field, inputs.settings)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors and one.name != FIELD:
        raise PlanError(f"plan {one.name}", [f"{e.controller}: {e.text}" for e in errors[:20]])
    told = one.result
    return plan_document(
        inputs.network,
        one.plan,
        inputs.field,
        inputs=inputs.hashes,
        engine=engine_versions(),
        seed=request.seed,
        period={"begin_s": inputs.week.begin_s, "end_s": inputs.week.end_s, "days": one.made_for},
        objective={
            "before_s_per_veh": round(told.objective_before, 4) if told is not None else 0.0,
            "after_s_per_veh": round(told.objective_after, 4) if told is not None else 0.0,
            "weights": inputs.settings.objective.model_dump(),
        },
        bounds=told.bounds if told is not None else (),
        checks=checks_of(findings, inputs.network, inputs.settings) if not errors else [],
        findings=findings,
    )


def _rows(result: DayResult, one: Judged) -> WeekRows:
    names = [plan.name for plan in result.library]
    rows = {kind: [(at_s, names[n]) for at_s, n in of_kind] for kind, of_kind in one.week.rows.items()}
    return week_rows(one.week.name, rows, one.delay_s_per_veh, one.cost_s)


def _file_name(name: str) -> str:
    return name.replace(" ", "-")


def _schedule_text(week: WeekRows, kind: str, settings: Settings) -> str:
    """The day as `its simulate --schedule` takes it."""
    rows = [f'[[plans]]\nat = "{row.at}"\nplan = "plans/{_file_name(row.plan)}.json"' for row in week.types[kind]]
    return "\n\n".join([f'method = "{settings.day.transition}"', *rows]) + "\n"


def _whole_seconds(day: DayPlan, inputs: _Inputs) -> tuple[DayPlan, list[str]]:
    """The day as SUMO can run it: yellows and all-reds in whole seconds."""
    notes: list[str] = []
    switches: list[tuple[float, TimingPlan]] = []
    at = sorted({switch.at_s for one in day.controllers.values() for switch in one.switches})
    for at_s in at:
        plan = day.plan_at(at_s)
        names = {c: one.program_id for c, one in plan.controllers.items()}
        whole, losses = to_sumo(plan, inputs.network, inputs.field, "day")
        notes += [f"for SUMO, which takes whole seconds, green is shorter at {c}" for c in losses]
        named = {c: replace(one, program_id=names[c]) for c, one in whole.controllers.items()}
        switches.append((at_s, TimingPlan(controllers=named)))
    return DayPlan.of_plans(switches), notes


def _record(
    request: DayRequest,
    inputs: _Inputs,
    result: DayResult,
    document: DayPlanDocument,
    console: Console,
    interruption: Interruption,
) -> dict[str, Any]:
    best, weeks = result.best, result.weeks
    used = [result.library[n].name for n in best.week.used]
    return {
        "network_hash": inputs.network.hash,
        "n_signals": len(inputs.network.controllers),
        "begin_s": inputs.week.begin_s,
        "end_s": inputs.week.end_s,
        "begin": clock_hhmm(inputs.week.begin_s),
        "end": clock_hhmm(inputs.week.end_s),
        "interval_s": result.horizon.interval_s,
        "shares": dict(result.shares),
        "plans_used": used,
        "n_switches": best.week.n_switch,
        "plans": {
            one.name: {
                "made_for": one.made_for,
                "iterations": one.result.iterations if one.result is not None else 0,
                "cycles_s": {c: program.cycle_s for c, program in one.plan.controllers.items()},
            }
            for one in result.library
        },
        "weeks": [_week_row(result, one) for one in weeks],
        "types": {kind: _type_record(inputs, result, document, kind) for kind in best.week.rows},
        "switches": [{**one, "at": clock_hhmm(one["at_s"])} for one in result.switches],
        "transition": inputs.settings.day.transition,
        "plan_gain": inputs.settings.day.plan_gain,
        "switch_gain": inputs.settings.day.switch_gain,
        "cards": _cards(result),
        "headlines": _headlines(result, inputs),
        "notes": [*result.notes, *inputs.week.notes, *inputs.network.notes],
        "counts": inputs.week.count_record,
        "settings": inputs.settings.model_dump(mode="json"),
        "seed": request.seed,
        "reproducible": request.iterations is not None and request.time_limit_s is None and not interruption.asked(),
        "interrupted": interruption.name,
        "simulations": result.n_runs,
        "versions": engine_versions(),
        "inputs": inputs.hashes,
        "timings_s": {name: round(s, 2) for name, s in console.timings_s.items()},
        "wall_s": round(time.monotonic() - request.started_s, 2),
    }


def _week_row(result: DayResult, one: Judged) -> dict[str, Any]:
    return {
        "name": one.week.name,
        "plans": len(one.week.used),
        "switches": one.week.n_switch,
        "delay_s_per_veh": one.mean_delay_s(result.shares, result.veh),
        "cost_veh_h": one.total_s(result.shares) / 3600,
        "chosen": one is result.best,
    }


def _type_record(inputs: _Inputs, result: DayResult, document: DayPlanDocument, kind: str) -> dict[str, Any]:
    return {
        "days": list(inputs.week.days[kind]),
        "stands_for": [label for label in inputs.week.labels[kind] if label],
        "veh": round(result.veh[kind], 1),
        "veh_per_interval": np.round(result.veh_per_interval[kind], 2).tolist(),
        "switches": [row.model_dump() for row in document.week.types[kind]],
        "delay_s_per_veh": {one.week.name: one.delay_s_per_veh[kind] for one in result.weeks},
        "delay_veh_s_per_interval": {
            name: np.round(values, 1).tolist() for name, values in result.course[kind].items()
        },
    }


def _named(weeks: tuple[Judged, ...], name: str) -> Judged | None:
    return next((one for one in weeks if one.week.name == name), None)


def _cards(result: DayResult) -> list[dict[str, Any]]:
    shown = {"field plan": "the plan in the field", "1 plan": "the best single plan"}
    out = []
    for name, text in shown.items():
        one = _named(result.weeks, name)
        if one is not None:
            out.append({"value": one.mean_delay_s(result.shares, result.veh), "text": f"delay per vehicle, {text}"})
    if result.best.week.name not in shown:
        value = result.best.mean_delay_s(result.shares, result.veh)
        out.append({"value": value, "text": f"delay per vehicle, {result.best.week.name} chosen"})
    return out


def _headlines(result: DayResult, inputs: _Inputs) -> list[dict[str, Any]]:
    """What the gain is made of, in sentences."""
    out = []
    best = result.best.total_s(result.shares)
    for name, text in (("field plan", "the plan in the field"), ("1 plan", "the best single plan")):
        one = _named(result.weeks, name)
        if one is not None and one is not result.best and one.total_s(result.shares) > 0:
            change = best / one.total_s(result.shares) - 1
            out.append({"text": f"{change:+.1%} against {text}, over a week, transitions included", "bad": change > 0})
    if len(result.best.week.used) == 1:
        out.append({"text": "No second plan gains what it has to: one plan runs all day.", "bad": False})
    if not inputs.network.crossings:
        out.append({"text": "no crossings in the input, not fit for a street with pedestrians", "bad": True})
    return out


def _print(run: dict[str, Any]) -> None:
    header = ("way through the week", "plans", "switches", "delay s/veh", "veh h a day", "")
    rows = [
        (
            row["name"],
            row["plans"],
            row["switches"],
            f"{row['delay_s_per_veh']:.2f}",
            f"{row['cost_veh_h']:.1f}",
            "chosen" if row["chosen"] else "",
        )
        for row in run["weeks"]
    ]
    print(format_table(header, rows))
    print()
    switches = [
        (kind, row["at"], row["plan"], run["plans"][row["plan"]]["made_for"])
        for kind, one in run["types"].items()
        for row in one["switches"]
    ]
    print(format_table(("day", "from", "plan", "made for"), switches))
    print()
    for path in run["files"]:
        print(path)
