"""One district from counts to judged plans: a function of its task alone, the same bytes wherever it runs."""

from __future__ import annotations

import os
import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from its.batch.days import TypedDays, of_type, read_days
from its.batch.field import Running, running_plans, same
from its.batch.gates import change_gate, data_gate, gain_gate, held_out_gate, rules_gate, sumo_gate, transition_gate
from its.batch.judge import Trial
from its.batch.plans import Part, Place, make_plans, refuse_unready
from its.batch.sumo_check import in_sumo, why_not
from its.batch.task import Task, changed_files
from its.console import BAD_INPUT, DONE, OUTSIDE_FAILED, RULES_NOT_MET, exit_code_of
from its.recognize import load_field_plan, load_network
from its.run_record import checks_of, engine_versions, model_notes
from its.store.runs import GateRecord, PlanRecord
from network_data.detectors import read_detectors
from network_data.errors import InputError, OutsideProgramError, SignalError
from network_data.formats.plan_json import plan_document
from network_data.rules import Finding, check_plan
from network_data.settings import Settings, load_settings
from network_data.settings_names import check_names
from network_data.turns import read_turns


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a district came to: plain content, the same wherever it was made; times and places are apart.

    `state` is `passed` (every gate), `stopped` (at a gate), or `failed` (with `code`, the exit code of the failure).
    """

    district: str
    key: str
    state: str
    reason: str
    code: int = DONE
    gates: tuple[GateRecord, ...] = ()
    plans: tuple[PlanRecord, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    trace: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    worker: str = ""


def work(task: Task) -> Outcome:
    """Make and judge the plans of a district; whatever goes wrong is its outcome, never an exception.

    Parameters
    ----------
    task : Task
        The district; its files must have the hashes that the task says.
    """
    begin_s, cpu_s = time.monotonic(), time.process_time()
    try:
        found = _worked(task)
    except SignalError as error:
        found = failure(task, str(error), exit_code_of(error))
    except OSError as error:
        what = f"{error.filename or 'file'}: {error.strerror or error}"
        found = failure(task, what, BAD_INPUT)
    except Exception as error:  # the job goes on with the other districts; this one's record says what happened
        found = failure(task, f"fault of the engine: {type(error).__name__}: {error}", OUTSIDE_FAILED)
        found = replace(found, trace=traceback.format_exc())
    return replace(
        found,
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.monotonic() - begin_s,
        worker=f"{socket.gethostname()} pid {os.getpid()}",
    )


def failure(task: Task, reason: str, code: int) -> Outcome:
    """The outcome of a district that could not be worked on."""
    return Outcome(district=task.district, key=task.key, state="failed", reason=reason, code=code)


def _worked(task: Task) -> Outcome:
    _refuse_other(task)
    place = _read(task)
    types = place.settings.day.types
    begin_s, end_s = task.content.schedule.periods_s[0][0], task.content.schedule.periods_s[-1][1]
    counted = read_days(task, place.detectors, place.network, place.settings)
    limits = task.content.gates
    days: dict[str, TypedDays] = {
        kind: of_type(counted, kind, types, len(place.detectors), limits, begin_s, end_s)
        for kind in task.content.schedule.days
    }
    data = {kind: data_gate(one.figures, limits) for kind, one in days.items()}
    fit = {kind: one for kind, one in days.items() if data[kind].passed}
    if not fit:
        reason = "; ".join(gate.reason for gate in data.values())
        return Outcome(
            district=task.district,
            key=task.key,
            state="stopped",
            reason=f"data: {reason}",
            code=RULES_NOT_MET,
            gates=tuple(data.values()),
            summary={"days": {kind: {"data": gate.as_json()} for kind, gate in data.items()}},
        )
    running = {kind: running_plans(task.path("field"), place.network, task.pushed, kind) for kind in fit}
    made = make_plans(place, fit, running)
    judged = {kind: _judged(place, kind, made[kind], running[kind], fit[kind]) for kind in fit}
    return _outcome(place, data, judged)


def _refuse_other(task: Task) -> None:
    """Refuse files and engines that are not those of the run: results would differ from a local run's."""
    ours = engine_versions()
    odd = [f"{name} is {ours.get(name)} here, {of} where the run began" for name, of in task.engine.items()
           if ours.get(name) != of]  # fmt: skip
    if odd:
        raise OutsideProgramError(f"worker {socket.gethostname()}: {'; '.join(odd)}; install the same versions")
    changed = changed_files(task)
    if changed:
        raise InputError(f"worker {socket.gethostname()}", changed)


def _read(task: Task) -> Place:
    network = load_network(task.network)
    path = task.path("settings")
    settings = load_settings(path) if path is not None else Settings()
    settings = _bounded(settings, task)
    at_s = task.content.schedule.periods_s[0][0]
    field_plan = load_field_plan(task.path("field"), network, at_s=at_s)
    check_names(settings, network, field_plan, str(path))
    turns = task.path("turns")
    place = Place(
        task=task,
        network=network,
        field=field_plan,
        settings=settings,
        detectors=read_detectors(task.files["detectors"], network),
        turns=read_turns(turns, network) if turns is not None else None,
    )
    refuse_unready(place)
    return place


def _bounded(settings: Settings, task: Task) -> Settings:
    """One thread; and a search that keeps to the bounds of the change gate, where the field's plan is what runs."""
    changes: dict[str, Any] = {"search": settings.search.model_copy(update={"workers": 1})}
    if not task.pushed:
        gates, own = task.content.gates, settings.change
        bounds = {
            "max_cycle_change_s": _least(own.max_cycle_change_s, gates.cycle_change_s),
            "max_green_change_s": _least(own.max_green_change_s, gates.green_change_s),
        }
        changes["change"] = own.model_copy(update=bounds)
    return settings.model_copy(update=changes)


def _least(own: float | None, gate: float) -> float:
    return gate if own is None else min(own, gate)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Judged:
    """The plans of one type of day with their gates."""

    parts: Sequence[Part]
    gates: tuple[GateRecord, ...]
    findings: Sequence[Sequence[Finding]]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)


def _judged(place: Place, kind: str, parts: Sequence[Part], running: Running, own: TypedDays) -> _Judged:
    """All gates of a type of day; SUMO, which takes longest, only where the others let it through."""
    limits = place.task.content.gates
    kept = [part for part in parts if not _stays(part, running)]
    if not kept:
        gate = GateRecord(name="gain", passed=False, reason="nothing better than what runs now was found")
        return _Judged(parts=(), gates=(gate,), findings=(), notes=running.notes)
    trial = Trial(place, kind, kept, running, own)
    findings = [check_plan(place.network, p.plan, place.field, place.settings, demand=p.demand) for p in kept]
    gain = trial.gain()
    loss_s, n_switch, fault = trial.transition_loss()
    gates = [
        rules_gate([one for some in findings for one in some]),
        change_gate(trial.change(), limits),
        gain_gate(gain, limits),
        held_out_gate(trial.held_out(), limits),
        transition_gate(loss_s, gain.before_s - gain.after_s, n_switch, limits, fault),
    ]
    if all(gate.passed for gate in gates):
        gates.append(_by_sumo(place, kept, running, trial))
    notes = (*running.notes, *dict.fromkeys(note for part in kept for note in part.notes))
    return _Judged(parts=kept, gates=tuple(gates), findings=findings, notes=notes)


def _stays(part: Part, running: Running) -> bool:
    """Whether the part's plan is what runs there anyway."""
    due = running.parts(part.begin_s, part.end_s)
    return len(due) == 1 and same(due[0][1], part.plan)


def _by_sumo(place: Place, parts: Sequence[Part], running: Running, trial: Trial) -> GateRecord:
    absent = why_not(place)
    if absent:
        return sumo_gate(None, absent, place.task.content.gates)
    runs = []
    for part in parts:
        demand = trial.held_out_demand(part) if trial.own.held_out else part.demand
        runs.append((part.name, in_sumo(place, part, running.plan_at(part.begin_s), demand)))
    return sumo_gate(runs, "", place.task.content.gates)


def _outcome(place: Place, data: Mapping[str, GateRecord], judged: Mapping[str, _Judged]) -> Outcome:
    task = place.task
    plans = [
        PlanRecord(document=_document(place, part, found, data[kind]), gates=(data[kind], *found.gates))
        for kind, found in judged.items()
        for part, findings in zip(found.parts, found.findings, strict=True)
        if not any(finding.severity == "error" for finding in findings)
    ]
    stops = [f"{kind}: {gate.name}: {gate.reason}" for kind, gate in data.items() if not gate.passed]
    stops += [
        f"{kind}: {gate.name}: {gate.reason}"
        for kind, found in judged.items()
        for gate in found.gates
        if not gate.passed
    ]
    n = sum(len(found.parts) for found in judged.values())
    reason = "; ".join(stops) or f"{n} plan{'s' if n != 1 else ''} passed every gate"
    return Outcome(
        district=task.district,
        key=task.key,
        state="stopped" if stops else "passed",
        reason=reason,
        code=RULES_NOT_MET if stops else DONE,
        gates=tuple(data.values()),
        plans=tuple(plans),
        summary={
            "days": {kind: _day_json(kind, data, judged) for kind in data},
            "notes": model_notes(place.network, place.field, place.settings),
        },
    )


def _document(place: Place, part: Part, found: _Judged, data: GateRecord) -> dict[str, Any]:
    """The plan document of a part, as `its optimize` writes it."""
    task = place.task
    at = found.parts.index(part)
    return plan_document(
        place.network,
        part.plan,
        place.field,
        inputs={**task.hashes, "batch": task.key},
        engine=task.engine,
        seed=task.content.search.seed,
        period={"begin_s": part.begin_s, "end_s": part.end_s, "days": part.days},
        objective={
            "before_s_per_veh": round(part.made_s[0], 4),
            "after_s_per_veh": round(part.made_s[1], 4),
            "iterations": part.iterations,
            "weights": place.settings.objective.model_dump(),
            "good_days": data.figures["good_days"],
        },
        bounds=part.bounds,
        checks=checks_of(list(found.findings[at]), place.network, place.settings),
        findings=found.findings[at],
    )


def _day_json(kind: str, data: Mapping[str, GateRecord], judged: Mapping[str, _Judged]) -> dict[str, Any]:
    found = judged.get(kind)
    if found is None:
        return {"data": data[kind].as_json()}
    return {
        "data": data[kind].as_json(),
        "gates": [gate.as_json() for gate in found.gates],
        "plans": [
            {"begin_s": p.begin_s, "end_s": p.end_s, "iterations": p.iterations, "signals": len(p.plan.controllers)}
            for p in found.parts
        ],
        "notes": list(found.notes),
    }
