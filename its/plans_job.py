"""`its plans`: what the store holds, what differs, who approved it, and plans out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from its.console import DONE, RULES_NOT_MET, format_table
from its.push.secrets import find_secret
from its.store import PlanView, Store
from its.store.chain import utc_text
from its.store.plan_diff import plan_diff
from network_data.errors import InputError, PlanError
from network_data.formats.files import write_aside
from network_data.formats.plan_csv import plan_csv
from network_data.formats.plan_json import load_document, plan_of_document
from network_data.formats.sumo_tls import write_sumo_programs

PASSWORD = "store"
"""Name of the secret with which PostgreSQL is opened."""


def open_store(where: str, *, actor: str | None = None) -> Store:
    """The store of the command line; its password is a secret of the name `store`, if there is one.

    Raises
    ------
    InputError
        The address carries a password: arguments can be read by everyone on the machine.
    """
    if "@" in where and ":" in where.split("://", 1)[-1].rsplit("@", 1)[0]:
        raise InputError("--store", "carries a password; leave it out and give the secret 'store' (docs/push.md)")
    secret = find_secret(PASSWORD, "password") if "://" in where and not where.startswith("sqlite:") else None
    return Store.open(where, actor=actor, password=secret.reveal if secret is not None else None)


def with_store(where: str, job: Callable[[Store], int], *, actor: str | None = None) -> int:
    """Open the store, do the job, close it."""
    store = open_store(where, actor=actor)
    try:
        return job(store)
    finally:
        store.close()


def add_job(store: Store, path: Path, district: str, zone: str) -> int:
    """Store a plan document; one that broke rules when it was made is refused.

    Raises
    ------
    PlanError
        With the rules.
    """
    document = load_document(path)
    failed = [check["rule"] for check in document["checks"] if not check["passed"]]
    if failed:
        raise PlanError(str(path), f"breaks the rules {', '.join(failed)}; it is not stored")
    print(store.add_plan(document, district=district, zone=zone))
    return DONE


def list_job(store: Store, district: str | None, as_json: bool) -> int:
    """All plans, the newest first."""
    views = store.plans(district)
    if as_json:
        print(json.dumps([view_json(view) for view in views], indent=1, ensure_ascii=False))
    elif views:
        header = ("plan", "district", "state", "days", "period", "stored (UTC)", "approved by")
        print(format_table(header, [_line(view) for view in views]))
    else:
        print("no plans; `its plans add` stores one")
    return DONE


def show_job(store: Store, reference: str, as_json: bool) -> int:
    """One plan and every record about it."""
    plan_id = store.plan_id(reference)
    view, records = store.plan(plan_id), store.records(plan_id)
    if as_json:
        rows = [
            {
                "seq": r.seq,
                "kind": r.kind,
                "actor": r.actor,
                "at_utc": utc_text(r.at_utc),
                "hash": r.hash,
                **_body(r.content),
            }
            for r in records
        ]
        print(json.dumps({**view_json(view), "records": rows}, indent=1, ensure_ascii=False))
        return DONE
    print(f"plan {plan_id}\n{view.district}: {view.state}, {view.days} {_period(view)} ({view.zone})\n")
    lines = [(r.seq, utc_text(r.at_utc)[:19], r.actor, r.kind, _says(r.kind, r.content)) for r in records]
    print(format_table(("no.", "UTC", "by", "record", "content"), lines))
    return DONE


def diff_job(store: Store, old: str, new: str, as_json: bool) -> int:
    """What differs between two plans; an old or new one may be a plan.json."""
    changes = plan_diff(_document(store, old), _document(store, new))
    if as_json:
        print(json.dumps(changes, indent=1, ensure_ascii=False))
    elif changes:
        print(
            format_table(
                ("signal", "what", "old", "new"), [(c["signal"], c["what"], c["old"], c["new"]) for c in changes]
            )
        )
    else:
        print("the plans do the same")
    return DONE


def decide_job(store: Store, reference: str, verdict: str, person: str, reason: str) -> int:
    """Approve or reject a plan."""
    plan_id = store.plan_id(reference)
    store.decide(plan_id, verdict, person=person, reason=reason)
    view = store.plan(plan_id)
    who = [f"approved by {', '.join(view.approved_by)}"] if view.approved_by else []
    who += [f"rejected by {', '.join(view.rejected_by)}"] if view.rejected_by else []
    print(f"plan {plan_id[:12]} is {view.state}: {'; '.join(who)}")
    return DONE


def export_job(store: Store, reference: str, out: Path, network: Path | None) -> int:
    """Write a plan as plan.json (its very bytes), SUMO additional or CSV, by the name of the file."""
    plan_id = store.plan_id(reference)
    content = store.document_bytes(plan_id)
    if out.name.endswith(".json"):
        write_aside(out, content)
    elif out.name.endswith(".xml"):
        write_aside(out, write_sumo_programs(plan_of_document(json.loads(content))))
    elif out.name.endswith(".csv"):
        if network is None:
            raise InputError(str(out), "needs the movements' names; give --network")
        from its.recognize import load_network  # reads many formats: not for every command

        roads = load_network(network)
        write_aside(out, plan_csv(roads, plan_of_document(json.loads(content), roads)))
    else:
        raise InputError(str(out), "has an unknown ending; name it .json, .add.xml or .csv")
    print(out)
    return DONE


def verify_job(store: Store) -> int:
    """Recompute the audit chain."""
    faults, (seq, head) = store.faults(), store.head()
    for fault in faults:
        print(fault)
    print(f"{'THE CHAIN IS BROKEN' if faults else 'the chain holds'}: {seq} records, newest {head}")
    return RULES_NOT_MET if faults else DONE


def view_json(view: PlanView) -> dict[str, Any]:
    """A plan as JSON."""
    return {
        "plan": view.plan_id,
        "district": view.district,
        "state": view.state,
        "days": view.days,
        "begin_s": view.begin_s,
        "end_s": view.end_s,
        "zone": view.zone,
        "stored_utc": utc_text(view.stored_utc),
        "approved_by": list(view.approved_by),
        "rejected_by": list(view.rejected_by),
        "gates_failed": list(view.gates_failed),
    }


def _document(store: Store, reference: str) -> dict[str, Any]:
    path = Path(reference)
    return load_document(path) if path.is_file() else store.document(store.plan_id(reference))


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in content.items() if k not in ("document", "plan_id")}


def _says(kind: str, content: dict[str, Any]) -> str:
    """The content of a record in a few words."""
    parts = {
        "plan": ("district", "days"),
        "input": ("name", "sha256"),
        "gate": ("gate", "passed", "reason"),
        "decision": ("verdict", "person", "reason"),
        "push": ("controller", "state", "insecure", "text"),
        "read-back": ("controller", "matches"),
        "measurement": ("source", "name", "value", "unit"),
    }[kind]
    return " ".join(str(content[part]) for part in parts if content[part] != "")


def _line(view: PlanView) -> tuple[str, ...]:
    state = f"{view.state}, stopped at {', '.join(view.gates_failed)}" if view.gates_failed else view.state
    stored = utc_text(view.stored_utc)[:16].replace("T", " ")
    return (view.plan_id[:12], view.district, state, view.days, _period(view), stored, ", ".join(view.approved_by))


def _period(view: PlanView) -> str:
    def clock(seconds: float) -> str:
        return f"{int(seconds // 3600):02}:{int(seconds % 3600 // 60):02}"

    return f"{clock(view.begin_s)}–{clock(view.end_s)}"
