"""`its push`: a stored plan to its controllers; without --execute a dry run that shows every object."""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from its.console import DONE, OUTSIDE_FAILED, RULES_NOT_MET, format_table
from its.plans_job import open_store
from its.project import Project, load_project
from its.push.journal import last_switches, only_push, read_journal
from its.push.objects import name_of
from its.push.rollout import Push, Result, chosen_corridors, new_push_id, recover, rehearse, roll_out, too_soon
from its.push.street import UNCHECKED, Street, refuse_broken, street_of
from its.push.targets import Corridor, Targets, load_targets
from its.store import PlanView, Store
from network_data.errors import InputError
from network_data.formats.plan_json import load_document, plan_hash, plan_of_document
from network_data.plans import TimingPlan

DEFAULT_STORE = "its-store.db"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PushRequest:
    """What `its push` was asked to do."""

    what: str
    targets: Path | None
    store: str | None
    journal: Path
    corridors: tuple[str, ...] = ()
    execute: bool = False
    as_json: bool = False
    project: Path | None = None
    network: Path | None = None
    settings: Path | None = None
    against: Path | None = None
    unchecked: bool = False


def push_job(request: PushRequest) -> int:
    """Push, or show what a push would send.

    Returns
    -------
    int
        0 where every controller has (or would get) the new plan, 3 where a gate or a missing approval forbids it, 4
        where a controller kept the old plan or is in an unknown state.
    """
    project = load_project(request.project) if request.project is not None else None
    where = request.store or (project.store if project is not None else DEFAULT_STORE)
    store = open_store(where, actor=f"{_user()}@{socket.gethostname()}")
    try:
        targets = load_targets(_targets_file(request, project, store))
        plan_id, plan = _plan(store, request.what, targets)
        street = _street(request, project, store, plan_id)
        if street is not None:
            refuse_broken(street, plan, f"plan {plan_id[:12]}")
        corridors = chosen_corridors(targets, plan, request.corridors)
        if not request.execute:
            return _dry_run(request, targets, store, (plan_id, plan), corridors, street)
        with only_push(request.journal):
            return _execute(request, targets, store, (plan_id, plan), corridors, street)
    finally:
        store.close()


def _targets_file(request: PushRequest, project: Project | None, store: Store) -> Path:
    """The targets file given, or that of the district in the project."""
    if request.targets is not None:
        return request.targets
    if project is None:
        raise InputError("--to", "is not given; give the targets file, or --project with targets in its district")
    name = request.what
    if name not in project.content.district:
        name = store.plan(_plan_id(store, request.what)).district
    own = project.district(name).targets
    if own is None:
        raise InputError(str(request.project), f"district {name!r} names no targets; add them, or give --to")
    return project.at(own)


def _street(request: PushRequest, project: Project | None, store: Store, plan_id: str) -> Street | None:
    """What `check_plan` needs: of the project's district, or as given; None without."""
    document = store.document(plan_id)
    if request.network is not None:
        return street_of(document, request.network, settings=request.settings, field=request.against)
    if project is None:
        return None
    own = project.district(store.plan(plan_id).district)
    settings, field = (project.at(x) if x is not None else None for x in (own.settings, own.field))
    return street_of(document, project.at(own.network), settings=settings, field=field)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


def _plan(store: Store, what: str, targets: Targets) -> tuple[str, TimingPlan]:
    """The plan by id, by file, or the newest approved one of a district."""
    if Path(what).is_file():
        plan_id = _plan_id(store, what)
    else:
        views = store.plans(what)
        if not views:
            plan_id = _plan_id(store, what)
        else:
            newest = store.newest_approved(what, approvals=targets.approval.persons)
            if len(newest) != 1:
                periods = ", ".join(f"{v.plan_id[:8]} ({v.days} {v.begin_s:g}–{v.end_s:g} s)" for v in newest)
                which = f"several periods have one: {periods}; name the plan" if newest else "none is approved"
                raise InputError(f"district {what!r}", f"{len(views)} plans, {which}")
            plan_id = newest[0].plan_id
    document = store.document(plan_id)  # an InputError where a file was never stored
    failed = [check["rule"] for check in document["checks"] if not check["passed"]]
    if failed:
        raise InputError(f"plan {plan_id[:12]}", f"breaks the rules {', '.join(failed)}; it is not pushed")
    return plan_id, plan_of_document(document)


def _plan_id(store: Store, what: str) -> str:
    path = Path(what)
    return plan_hash(load_document(path)) if path.is_file() else store.plan_id(what)


def approval_faults(view: PlanView, persons: int) -> list[str]:
    """What is missing for the plan to be pushed."""
    if view.rejected_by:
        return [f"was rejected by {', '.join(view.rejected_by)}"]
    if len(view.approved_by) < persons:
        by = f" (approved by {', '.join(view.approved_by)})" if view.approved_by else ""
        return [f"needs the approval of {persons} named persons, has {len(view.approved_by)}{by}: `its plans approve`"]
    return []


def _dry_run(
    request: PushRequest,
    targets: Targets,
    store: Store,
    chosen: tuple[str, TimingPlan],
    corridors: Sequence[Corridor],
    street: Street | None,
) -> int:
    plan_id, plan = chosen
    push = Push(push_id="dry run", plan_id=plan_id, plan=plan, targets=targets, folder=request.journal)
    results = asyncio.run(rehearse(push, corridors))
    lacking = approval_faults(store.plan(plan_id), targets.approval.persons)
    lacking += _waiting(request, targets, store, corridors) + _unchecked(request, street)
    fit = all(result.change is not None for result in results)
    if request.as_json:
        content = {"plan": plan_id, "executed": False, "lacking": lacking, "controllers": [_json(r) for r in results]}
        print(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        for result in results:
            _print_objects(result)
        for text in lacking:
            print(f"not yet: the plan {text}" if text.startswith(("needs", "was")) else f"not yet: {text}")
        ready = sum(result.change is not None for result in results)
        print(f"dry run, nothing was sent: {ready} of {len(results)} controllers are ready; --execute pushes")
    return DONE if fit else RULES_NOT_MET


def _execute(
    request: PushRequest,
    targets: Targets,
    store: Store,
    chosen: tuple[str, TimingPlan],
    corridors: Sequence[Corridor],
    street: Street | None,
) -> int:
    now = store.clock()
    plan_id, plan = chosen
    push = Push(
        push_id=new_push_id(plan_id, now),
        plan_id=plan_id,
        plan=plan,
        targets=targets,
        folder=request.journal,
        street=street,
        clock=store.clock,
        begun=lambda push_id, of_plan, corridor: _begin(store, push_id, of_plan, corridor),
        told=lambda push_id, of_plan, results: _record(store, push_id, of_plan, results),
        say=LOG.info,
    )
    recovered = recover(targets, request.journal, push)
    if any(result.state == "unknown" for result in recovered):
        _print_results(request, "", recovered, "an unfinished push could not be brought to an end; nothing was pushed")
        return OUTSIDE_FAILED
    lacking = [f"plan {plan_id[:12]} {x}" for x in approval_faults(store.plan(plan_id), targets.approval.persons)]
    lacking += _waiting(request, targets, store, corridors) + _unchecked(request, street)
    _retell(store, request.journal)
    lacking += _others(store, corridors, request.journal)
    if lacking:
        _print_results(request, "", recovered, "not pushed: " + "; ".join(lacking))
        return RULES_NOT_MET
    results = roll_out(push, corridors)
    left = sum(len(corridor.controllers) for corridor in corridors) - len(results)
    count = {state: sum(r.state == state for r in results) for state in ("new", "old", "unknown", "elsewhere")}
    words = [f"{n} {state}" for state, n in count.items() if n] + ([f"{left} not begun"] if left else [])
    _print_results(
        request,
        push.push_id,
        [*recovered, *results],
        f"push {push.push_id}: {', '.join(words)}{'' if street else '; RULES NOT CHECKED AGAIN'}",
    )
    return DONE if count["new"] == len(results) and not left else OUTSIDE_FAILED


def _unchecked(request: PushRequest, street: Street | None) -> list[str]:
    """Without network and settings nobody can check the rules again; who pushes all the same must say so."""
    return [UNCHECKED] if street is None and not request.unchecked else []


def _waiting(request: PushRequest, targets: Targets, store: Store, corridors: Sequence[Corridor]) -> list[str]:
    """Controllers that changed their pattern too short a time ago, by this machine's journal and by the store."""
    last: dict[str, datetime] = dict(last_switches(request.journal))
    for corridor in corridors:
        for controller in corridor.controllers:
            told = store.last_change_utc(controller)
            if told is not None and told > last.get(controller, told.min.replace(tzinfo=told.tzinfo)):
                last[controller] = told
    return too_soon(corridors, targets, last, store.clock())


def _others(store: Store, corridors: Sequence[Corridor], journal: Path) -> list[str]:
    """Controllers that a push from another place has begun with and not told its end."""
    unfinished = store.unfinished_pushes()
    names = [c for corridor in corridors for c in corridor.controllers]
    return [
        f"controller {c!r}: push {unfinished[c][0]} by {unfinished[c][1]} has not ended, and its journal is not in "
        f"{journal}; run `its push` where it is"
        for c in names
        if c in unfinished
    ]


def _begin(store: Store, push_id: str, plan_id: str, corridor: Corridor) -> None:
    for controller in corridor.controllers:
        store.add_push(plan_id, push_id=push_id, controller=controller, corridor=corridor.name, state="begun")


def _retell(store: Store, folder: Path) -> None:
    """Ends of pushes that the journal knows and the store was not told: it could not be reached then."""
    for controller, (push_id, _) in store.unfinished_pushes().items():
        for path in folder.glob(f"{push_id}.*.jsonl"):
            entries = read_journal(path)
            ends = [entry for entry in entries if entry.step == "state" and entry.controller == controller]
            if ends and entries[-1].step == "closed":
                opened, end = entries[0].data, ends[-1].data
                text = "; ".join(["told late", *end["reasons"]])
                store.add_push(
                    opened["plan"],
                    push_id=push_id,
                    controller=controller,
                    corridor=opened["corridor"],
                    state=end["state"],
                    text=text,
                )


def _record(store: Store, push_id: str, plan_id: str, results: Sequence[Result]) -> None:
    """Tell the store; that a controller was switched counts for the time between changes, whatever came of it."""
    for r in results:
        if r.switched:
            store.add_push(plan_id, push_id=push_id, controller=r.controller, corridor=r.corridor, state="switching")
        store.add_push(
            plan_id,
            push_id=push_id,
            controller=r.controller,
            corridor=r.corridor,
            driver=r.driver,
            insecure=r.insecure,
            state=r.state,
            text="; ".join(r.reasons),
        )
        if r.read_back and r.change is not None:
            wanted = {**r.change["row"], **r.change["switch"]}
            store.add_read_back(
                plan_id,
                push_id=push_id,
                controller=r.controller,
                cells=r.read_back,
                matches=all(r.read_back.get(name) == value for name, value in wanted.items()),
            )


def _json(result: Result) -> dict[str, Any]:
    return asdict(result)


def _print_objects(result: Result) -> None:
    mark = f"  INSECURE: {result.insecure}" if result.insecure else ""
    print(f"{result.controller} (corridor {result.corridor}, {result.driver}){mark}")
    if result.change is None:
        print(f"  not ready: {'; '.join(result.reasons)}\n")
        return
    change = result.change
    rows = [(name_of(x), x, change["old_row"].get(x, ""), value) for x, value in change["row"].items()]
    rows += [(name_of(x), x, change["old_switch"].get(x, ""), value) for x, value in change["switch"].items()]
    table = format_table(("object", "number", "now", "to be sent"), [tuple(_short(x) for x in row) for row in rows])
    print("\n".join(f"  {line}" for line in table.splitlines()))
    for note in change["notes"]:
        print(f"  note: {note}")
    print()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _print_results(request: PushRequest, push_id: str, results: Sequence[Result], verdict: str) -> None:
    if request.as_json:
        content = {"push": push_id, "executed": True, "verdict": verdict, "controllers": [_json(r) for r in results]}
        print(json.dumps(content, indent=1, ensure_ascii=False))
        return
    if results:
        header = ("signal", "corridor", "driver", "state", "remarks")
        rows = [
            (
                r.controller,
                r.corridor,
                r.driver,
                r.state,
                "; ".join([*(["INSECURE: " + r.insecure] if r.insecure else []), *r.reasons]),
            )
            for r in results
        ]
        print(format_table(header, rows))
    print(verdict)
