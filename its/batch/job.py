"""`its batch`: every district of a project from counts to stored plans, once, and only what has changed."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from its.batch.cluster import run_cluster
from its.batch.holding import Held, holding
from its.batch.local import run_local
from its.batch.logs import batch_log, clean_text
from its.batch.metrics import RunFigures, write_metrics
from its.batch.screen import Screen
from its.batch.task import Task, task_of
from its.batch.work import Outcome
from its.console import BAD_INPUT, DONE, OUTSIDE_FAILED, RULES_NOT_MET, format_table
from its.interrupt import Interruption, listening
from its.plans_job import open_store
from its.project import Project, load_project
from its.push.targets import load_targets
from its.store import Store
from its.store.chain import utc_text
from its.store.leases import BusyError, LeaseLostError, wait_for
from its.store.runs import RunRecord, RunView, newest_runs, record_run
from network_data.errors import InputError, OutsideProgramError, SettingsError
from network_data.formats.files import write_aside
from network_data.settings import load_settings

BUSY = 5
"""Exit code where somebody else is at work on a district."""
WORST_FIRST = (OUTSIDE_FAILED, BAD_INPUT, RULES_NOT_MET)
"""Which exit code of the districts is that of the run."""
SETTLED = ("passed", "stopped")
"""What needs no second look while nothing has changed; what failed is tried again."""


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """What `its batch` was asked to do."""

    project: Path
    districts: tuple[str, ...] = ()
    scheduler: str | None = None
    workers: int | None = None
    wait_s: float = 0.0
    out: Path | None = None
    metrics: Path | None = None
    log: Path | None = None
    as_json: bool = False


@dataclass
class _Run:
    """A run on its way: what each district came to."""

    request: BatchRequest
    project: Project
    store: Store
    log: Any
    screen: Screen
    begin_s: float = field(default_factory=time.time)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """Folder of summaries, log and metrics."""
        return self.request.out or self.project.at(self.project.content.out)

    def tell(self, district: str, state: str, reason: str, code: int, **more: Any) -> None:
        """What a district came to: into its summary, the log and on the screen."""
        reason = clean_text(reason)
        self.told[district] = {"district": district, "state": state, "reason": reason, "exit_code": code, **more}
        self.codes[district] = code
        write_aside(self.out / "districts" / f"{district}.json", _json(self.told[district]))
        write = self.log.error if state == "failed" else self.log.info
        write("district", district=district, state=state, reason=reason, **_short(more))
        self.screen.done(district, state, reason)

    @property
    def code(self) -> int:
        """Exit code of the run."""
        return next((code for code in WORST_FIRST if code in self.codes.values()), DONE)


def batch_job(request: BatchRequest) -> int:
    """Work on the districts of a project whose inputs have changed.

    Returns
    -------
    int
        0 where every district passed or nothing has changed, 2 where an input cannot be used, 3 where a gate stopped
        a district's plans, 4 where something outside failed, 5 where somebody else is at work.

    Raises
    ------
    InputError
        The project file, or a settings or targets file that it names, is faulty; all faults together.
    """
    project = load_project(request.project)
    names = project.chosen(request.districts)
    _check_files(project, names)
    out = request.out or project.at(project.content.out)
    holder = f"{_user()}@{socket.gethostname()} pid {os.getpid()}"
    with (
        listening(lambda text: print(text, file=sys.stderr)) as asked,
        Screen(len(names)) as screen,
        batch_log(
            request.log or out / "batch.log.jsonl", to_stderr=not screen.shown, project=project.content.name, by=holder
        ) as log,
    ):
        store = open_store(project.store, actor=holder)
        run = _Run(request, project, store, log, screen)
        try:
            return _leased(run, names, holder, asked)
        finally:
            store.close()


def _leased(run: _Run, names: Sequence[str], holder: str, asked: Interruption) -> int:
    """The run under a lease on its districts."""
    lasts_s = run.project.content.cluster.lease_s
    leases = [f"batch {name}" for name in names]
    try:
        lease = wait_for(
            run.store, leases, holder=holder, lasts_s=lasts_s, wait_s=run.request.wait_s,
            say=lambda text: run.log.info("waiting", reason=text), stop=asked.asked,
        )  # fmt: skip
    except BusyError as error:
        run.log.warning("busy", reason=str(error))
        print(f"another run is at work: {error}", file=sys.stderr)
        return BUSY
    with holding(run.store, lease) as held:
        run.log.info("begin", districts=len(names), store=clean_text(run.project.store))
        _all(run, names, held, asked)
        _end(run, names, asked)
    return asked.exit_code or run.code


def _all(run: _Run, names: Sequence[str], held: Held, asked: Interruption) -> None:
    """Every district: those that nothing has changed for are only told of."""
    known = newest_runs(run.store)
    tasks = []
    for name in names:
        task = _task(run, name, known.get(name))
        if task is None:
            continue
        before = known.get(name)
        if before is not None and before.key == task.key and before.outcome in SETTLED:
            when = utc_text(before.at_utc)[:19]
            reason = f"nothing has changed since {when} UTC ({before.outcome}: {before.reason}); nothing was done"
            run.tell(name, "unchanged", reason, DONE, key=task.key, plans=list(before.plan_ids))
        else:
            tasks.append(task)
    run.log.info("to do", districts=[task.district for task in tasks])
    by_name = {task.district: task for task in tasks}
    try:
        for outcome in _outcomes(run, tasks, lambda: asked.asked() or bool(held.lost)):
            _keep(run, by_name[outcome.district], outcome, held, known.get(outcome.district))
    except OutsideProgramError as error:  # scheduler or store: what is not done stays as it was
        _untold(run, names, str(error), OUTSIDE_FAILED)
    if held.lost:
        _untold(run, names, held.lost, OUTSIDE_FAILED)
    _untold(run, names, "the run was asked to end before its turn", asked.exit_code or OUTSIDE_FAILED)


def _task(run: _Run, name: str, before: RunView | None) -> Task | None:
    """A district's task; None where its inputs cannot be read, which is told."""
    try:
        return task_of(run.project, name, run.store)
    except InputError as error:
        if before is None or before.reason != str(error):
            record = RunRecord(
                district=name, zone=run.project.content.zone, key="", outcome="failed", reason=str(error), inputs={}
            )
            record_run(run.store, record)
        run.tell(name, "failed", str(error), BAD_INPUT)
        return None


def _outcomes(run: _Run, tasks: Sequence[Task], stop: Any) -> Iterator[Outcome]:
    if not tasks:
        return iter(())
    if run.request.scheduler is not None:
        return run_cluster(
            tasks, run.request.scheduler, stop=stop, say=lambda text: run.log.info("cluster", reason=text)
        )
    cluster = run.project.content.cluster
    workers = run.request.workers or cluster.workers or max(1, (os.cpu_count() or 2) - 1)
    return run_local(tasks, workers=workers, attempts=cluster.attempts, stop=stop)


def _keep(run: _Run, task: Task, outcome: Outcome, held: Held, before: RunView | None) -> None:
    """Store what a district came to, in one transaction, and tell it."""
    record = RunRecord(
        district=task.district,
        zone=task.zone,
        key=outcome.key,
        outcome=outcome.state,
        reason=clean_text(outcome.reason),
        inputs=task.hashes,
        gates=outcome.gates,
        plans=outcome.plans,
        summary=outcome.summary,
    )
    again = before is not None and (before.key, before.outcome, before.reason) == (
        record.key,
        record.outcome,
        record.reason,
    )
    ids: tuple[str, ...] = ()
    try:
        if not again:  # a failure that is there already is not stored every night anew
            ids = record_run(run.store, record, held.lease)
    except LeaseLostError as error:
        held.lost = held.lost or str(error)
        run.tell(task.district, "failed", str(error), OUTSIDE_FAILED)
        return
    except InputError as error:
        run.tell(task.district, "failed", str(error), BAD_INPUT)
        return
    run.cpu_s[task.district] = outcome.cpu_s
    if outcome.trace:
        run.log.error("traceback", district=task.district, trace=outcome.trace)
    run.tell(
        task.district, outcome.state, outcome.reason, outcome.code, key=outcome.key, plans=list(ids),
        days=dict(outcome.summary).get("days", {}), inputs=dict(task.hashes), cpu_s=round(outcome.cpu_s, 2),
        wall_s=round(outcome.wall_s, 2), worker=outcome.worker,
    )  # fmt: skip


def _untold(run: _Run, names: Sequence[str], reason: str, code: int) -> None:
    """Districts that nothing has been told of yet did not get their turn."""
    for name in names:
        if name not in run.told:
            run.tell(name, "not begun", reason, code)


def _end(run: _Run, names: Sequence[str], asked: Interruption) -> None:
    """Summary, metrics, the last line of the log, and what a person wants to see."""
    states = Counter(told["state"] for told in run.told.values())
    code = asked.exit_code or run.code
    summary = {
        "project": run.project.content.name,
        "exit_code": code,
        "wall_s": round(time.time() - run.begin_s, 1),
        "states": dict(states),
        "districts": [run.told[name] for name in names],
    }
    write_aside(run.out / "batch.json", _json(summary))
    figures = RunFigures(begin_s=run.begin_s, end_s=time.time(), code=code, states=states, cpu_s=run.cpu_s)
    newest = [one for one in newest_runs(run.store).values() if one.district in run.project.content.district]
    write_metrics(run.request.metrics or run.out / "its_batch.prom", run.project.content.name, figures, newest)
    run.log.info("end", exit_code=code, states=dict(states))
    run.screen.close()
    if run.request.as_json:
        print(_json(summary), end="")
        return
    rows = [(name, run.told[name]["state"], run.told[name]["reason"]) for name in names]
    print(format_table(("district", "state", "why"), rows))
    print(", ".join(f"{n} {state}" for state, n in states.items()))


def _check_files(project: Project, names: Sequence[str]) -> None:
    """Settings and targets that the chosen districts name, all faults of all files together."""
    faults = []
    for name in names:
        own = project.district(name)
        for what, read in ((own.settings, load_settings), (own.targets, load_targets)):
            try:
                if what is not None:
                    read(project.at(what))
            except InputError as error:
                faults += str(error).splitlines()
    if faults:
        raise SettingsError(str(project.path), list(dict.fromkeys(faults)))


def _short(more: dict[str, Any]) -> dict[str, Any]:
    """What of a summary goes into the log: gates by name, no figures."""
    out: dict[str, Any] = {key: more[key] for key in ("key", "plans", "cpu_s", "wall_s", "worker") if key in more}
    days = more.get("days")
    if days:
        out["gates"] = {
            kind: {gate["gate"]: gate["passed"] for gate in (told["data"], *told.get("gates", []))}
            for kind, told in days.items()
        }
    return out


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"
