"""Runs of the batch in the store: what each came to in a district, with its plans and gates, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from its.store.chain import canonical
from its.store.leases import Lease, fence
from its.store.models import GateRow, PlanRow, PushRow, RecordRow, RunRow
from its.store.store import Store


@dataclass(frozen=True, kw_only=True)
class GateRecord:
    """A gate with its reason and figures."""

    name: str
    passed: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For summaries."""
        return {"gate": self.name, "passed": self.passed, "reason": self.reason, "figures": dict(self.figures)}


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """A plan document and the gates it met."""

    document: Mapping[str, Any]
    gates: tuple[GateRecord, ...]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run came to.

    `gates` are those of the district as a whole (enough good data); each plan carries its own.
    """

    district: str
    zone: str
    key: str
    outcome: str
    reason: str
    inputs: Mapping[str, str]
    gates: tuple[GateRecord, ...] = ()
    plans: tuple[PlanRecord, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run as the store has it."""

    district: str
    key: str
    outcome: str
    reason: str
    plan_ids: tuple[str, ...]
    gates: tuple[dict[str, Any], ...]
    inputs: dict[str, str]
    summary: dict[str, Any]
    at_utc: datetime


def record_run(store: Store, run: RunRecord, lease: Lease | None = None) -> tuple[str, ...]:
    """Store plans, gates and the run itself: all or nothing.

    Parameters
    ----------
    run : RunRecord
        What to store.
    lease : Lease, optional
        Must still be held.

    Returns
    -------
    tuple of str
        The plans' ids.

    Raises
    ------
    LeaseLostError
        Somebody else took over; nothing was stored.
    """
    ids = []
    with store.writing() as session:
        if lease is not None:
            fence(session, lease)
        for plan in run.plans:
            plan_id = store.put_plan(session, plan.document, district=run.district, zone=run.zone)
            ids.append(plan_id)
            for gate in plan.gates:
                row = GateRow(
                    plan_id=plan_id,
                    gate=gate.name,
                    passed=gate.passed,
                    reason=gate.reason,
                    figures=canonical(gate.figures),
                )
                store.append(session, row)
        store.append(
            session,
            RunRow(
                district=run.district,
                key=run.key,
                outcome=run.outcome,
                reason=run.reason,
                plans=json.dumps(ids),
                gates=json.dumps([gate.as_json() for gate in run.gates], sort_keys=True, ensure_ascii=False),
                inputs=canonical(run.inputs),
                summary=canonical(run.summary),
            ),
        )
    return tuple(ids)


def newest_runs(store: Store) -> dict[str, RunView]:
    """District → its newest run."""
    newest = select(func.max(RunRow.record)).group_by(RunRow.district)
    query = (
        select(RunRow, RecordRow.at_utc)
        .join(RecordRow, RunRow.record == RecordRow.seq)
        .where(RunRow.record.in_(newest))
        .order_by(RunRow.district)
    )
    with store.reading() as session:
        return {
            row.district: RunView(
                district=row.district,
                key=row.key,
                outcome=row.outcome,
                reason=row.reason,
                plan_ids=tuple(json.loads(row.plans)),
                gates=tuple(json.loads(row.gates)),
                inputs=json.loads(row.inputs),
                summary=json.loads(row.summary),
                at_utc=at_utc,
            )
            for row, at_utc in session.execute(query)
        }


def pushed_ids(store: Store, district: str) -> set[str]:
    """Plans of a district that a push has ever begun with."""
    query = (
        select(PushRow.plan_id).join(PlanRow, PlanRow.plan_id == PushRow.plan_id).where(PlanRow.district == district)
    )
    with store.reading() as session:
        return set(session.scalars(query.distinct()))


def in_force(store: Store, plan_ids: Collection[str]) -> dict[str, str]:
    """Controller → which of some plans it runs, by what pushes told last; those that run none of them are left out.

    A push that ended `old` left things as they were before it; after one that ended elsewhere, or has not ended, nobody
    knows.
    """
    query = select(PushRow).where(PushRow.plan_id.in_(plan_ids)).order_by(PushRow.record)
    with store.reading() as session:
        rows = session.scalars(query).all()
    ends: dict[tuple[str, str], PushRow] = {}
    for row in rows:
        ends.pop((row.controller, row.push_id), None)
        ends[row.controller, row.push_id] = row
    known: dict[str, str] = {}
    for (controller, _), row in ends.items():
        if row.state == "new":
            known[controller] = row.plan_id
        elif row.state != "old":
            known.pop(controller, None)
    return known
