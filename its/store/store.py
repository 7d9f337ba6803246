"""The plan store: what is added to it and what it answers."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from its.store.chain import GENESIS, body_of, canonical, chain_faults, link_hash
from its.store.engine import lock_for_writing, open_engine
from its.store.models import (
    TYPED,
    DecisionRow,
    GateRow,
    InputRow,
    MeasurementRow,
    PlanRow,
    PushRow,
    ReadBackRow,
    Recorded,
    RecordRow,
)
from its.store.times import utc_now, zone_of
from its.store.views import PlanView, RecordView
from network_data.errors import InputError, OutsideProgramError
from network_data.formats.plan_json import dump_plan, plan_hash

VERDICTS = ("approve", "reject")
OPEN_STATES = ("begun", "switching", "unknown")
"""States of a push that still wait for their end."""


def _machine_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


@dataclass(frozen=True, kw_only=True)
class Store:
    """A plan store. Every call is one transaction; `actor` is who all its records name."""

    engine: Engine
    actor: str
    clock: Callable[[], datetime] = utc_now

    @classmethod
    def open(
        cls,
        where: str,
        *,
        actor: str | None = None,
        password: Callable[[], str] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Store:
        """Open a store, made or migrated if need be.

        Parameters
        ----------
        where : str
            A file, `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.
        actor : str, optional
            Who acts; the user of the machine without.
        password : callable, optional
            Gives the password for PostgreSQL.
        clock : callable
            Gives the moment of each record.

        Raises
        ------
        InputError
            It cannot be opened.
        """
        return cls(engine=open_engine(where, password=password), actor=actor or _machine_user(), clock=clock)

    def close(self) -> None:
        """Let the database go."""
        self.engine.dispose()

    # what is added

    def add_plan(self, document: Mapping[str, Any], *, district: str, zone: str = "UTC") -> str:
        """Store a plan document and the hashes of its inputs; a plan that is there already stays as it is.

        Parameters
        ----------
        document : mapping
            As `plan_json.plan_document` or `load_document` give it.
        district : str
            What it is for.
        zone : str
            Time zone of its days and times of day.

        Returns
        -------
        str
            Its id, the hash of its content.
        """
        with self.writing() as session:
            return self.put_plan(session, document, district=district, zone=zone)

    def put_plan(self, session: Session, document: Mapping[str, Any], *, district: str, zone: str) -> str:
        """As `add_plan`, within a transaction; for the modules of this package."""
        if not district.strip():
            raise InputError("plan store", "the district has no name; give one")
        zone_of(zone)
        plan_id, period = plan_hash(document), document["period"]
        known = session.scalar(select(PlanRow).where(PlanRow.plan_id == plan_id))
        if known is not None:
            if known.district != district:
                raise InputError("plan store", f"plan {plan_id[:12]} is stored for district {known.district!r}")
            return plan_id
        row = PlanRow(
            plan_id=plan_id,
            district=district,
            zone=zone,
            days=period.get("days") or "",
            begin_s=float(period["begin_s"]),
            end_s=float(period["end_s"]),
            network_hash=document["network_hash"],
            document=dump_plan(document).decode(),
        )
        self.append(session, row)
        for name, sha256 in sorted(document["inputs"].items()):
            self.append(session, InputRow(plan_id=plan_id, name=name, sha256=sha256))
        return plan_id

    def add_gate(
        self, plan_id: str, gate: str, *, passed: bool, reason: str, figures: Mapping[str, Any] | None = None
    ) -> None:
        """Record that a plan passed a gate, or was stopped there, and why."""
        text = canonical(figures or {})
        self._add(GateRow(plan_id=plan_id, gate=gate, passed=passed, reason=reason, figures=text))

    def decide(self, plan_id: str, verdict: str, *, person: str, reason: str = "") -> None:
        """Record what a named person decided.

        Raises
        ------
        InputError
            No name, no such plan, or approval of a plan that a gate stopped.
        """
        name = " ".join(person.split())
        if not name:
            raise InputError("approval", "has no name; say who decides")
        if verdict not in VERDICTS:
            raise InputError("approval", f"{verdict!r} is no verdict; give {' or '.join(VERDICTS)}")
        stopped = self.plan(plan_id).gates_failed
        if verdict == "approve" and stopped and not reason.strip():
            raise InputError(
                "approval",
                f"plan {plan_id[:12]} was stopped at {', '.join(stopped)}; give a reason to approve it all the same",
            )
        self._add(DecisionRow(plan_id=plan_id, person=name, verdict=verdict, reason=reason))

    def add_push(
        self,
        plan_id: str,
        *,
        push_id: str,
        controller: str,
        state: str,
        corridor: str = "",
        driver: str = "",
        insecure: str = "",
        text: str = "",
    ) -> None:
        """Record a controller's state in a push: begun, switching, and at last new, old, elsewhere or unknown."""
        self._add(
            PushRow(
                plan_id=plan_id,
                push_id=push_id,
                controller=controller,
                corridor=corridor,
                driver=driver,
                insecure=insecure,
                state=state,
                text=text,
            )
        )

    def add_read_back(
        self, plan_id: str, *, push_id: str, controller: str, cells: Mapping[str, Any], matches: bool
    ) -> None:
        """Record what a controller answered when read back."""
        self._add(
            ReadBackRow(
                plan_id=plan_id, push_id=push_id, controller=controller, matches=matches, cells=canonical(cells)
            )
        )

    def add_measurement(
        self,
        plan_id: str,
        *,
        source: str,
        name: str,
        value: float,
        unit: str,
        begin_utc: datetime | None = None,
        end_utc: datetime | None = None,
    ) -> None:
        """Record a figure measured of a plan."""
        self._add(
            MeasurementRow(
                plan_id=plan_id,
                source=source,
                name=name,
                value=float(value),
                unit=unit,
                begin_utc=begin_utc,
                end_utc=end_utc,
            )
        )

    # what is asked

    def plan_id(self, reference: str) -> str:
        """The full id of a plan by its id, the begin of it (6 digits or more), or `its-` and 8 digits.

        Raises
        ------
        InputError
            None or several.
        """
        start = reference.lower().removeprefix("its-")
        if len(start) < 6 or set(start) - set("0123456789abcdef"):
            raise InputError("plan", f"{reference!r} is no plan id; give 6 or more of its digits (`its plans list`)")
        with self.reading() as session:
            found = session.scalars(select(PlanRow.plan_id).where(PlanRow.plan_id.startswith(start))).all()
        if len(found) != 1:
            what = "no plan" if not found else f"{len(found)} plans"
            raise InputError("plan", f"{what} of id {reference!r} in the store; see `its plans list`")
        return found[0]

    def plan(self, plan_id: str) -> PlanView:
        """One plan by its full id."""
        views = self._views(PlanRow.plan_id == plan_id)
        if not views:
            raise InputError("plan", f"the store has no plan {plan_id[:12]!r}; see `its plans list`")
        return views[0]

    def plans(self, district: str | None = None) -> list[PlanView]:
        """All plans, or those of a district, the newest first."""
        return self._views(*([PlanRow.district == district] if district is not None else []))

    def newest_approved(self, district: str, *, approvals: int = 1) -> list[PlanView]:
        """Of each period of the district the newest plan that enough persons approved and nobody rejected."""
        newest: dict[tuple[str, float, float], PlanView] = {}
        for view in self.plans(district):
            if len(view.approved_by) >= approvals and not view.rejected_by:
                newest.setdefault((view.days, view.begin_s, view.end_s), view)
        return sorted(newest.values(), key=lambda v: (v.days, v.begin_s, v.end_s))

    def document(self, plan_id: str) -> dict[str, Any]:
        """The plan document, as it was stored."""
        content: dict[str, Any] = json.loads(self.document_bytes(plan_id))
        return content

    def document_bytes(self, plan_id: str) -> bytes:
        """The bytes of the plan document; they hash to its id."""
        with self.reading() as session:
            text = session.scalar(select(PlanRow.document).where(PlanRow.plan_id == plan_id))
        if text is None:
            raise InputError("plan", f"the store has no plan {plan_id[:12]!r}; see `its plans list`")
        return text.encode()

    def records(self, plan_id: str | None = None, *, kinds: Sequence[str] = ()) -> list[RecordView]:
        """The audit chain, or the part of it about a plan, oldest first."""
        query = select(RecordRow).order_by(RecordRow.seq)
        query = query.where(RecordRow.plan_id == plan_id) if plan_id is not None else query
        query = query.where(RecordRow.kind.in_(kinds)) if kinds else query
        with self.reading() as session:
            return [
                RecordView(
                    seq=r.seq,
                    kind=r.kind,
                    plan_id=r.plan_id,
                    actor=r.actor,
                    at_utc=r.at_utc,
                    content=json.loads(r.body),
                    hash=r.hash,
                )
                for r in session.scalars(query)
            ]

    def last_change_utc(self, controller: str) -> datetime | None:
        """When the controller's pattern was last changed by a push, or may have been."""
        query = (
            select(func.max(RecordRow.at_utc))
            .join(PushRow, PushRow.record == RecordRow.seq)
            .where(PushRow.controller == controller, PushRow.state.in_(("switching", "unknown")))
        )
        with self.reading() as session:
            return session.scalar(query)

    def unfinished_pushes(self) -> dict[str, tuple[str, str]]:
        """Controller → (push id, who pushes) of pushes that have begun and not told their end."""
        query = (
            select(PushRow.controller, PushRow.push_id, PushRow.state, RecordRow.actor)
            .join(RecordRow, PushRow.record == RecordRow.seq)
            .order_by(PushRow.record)
        )
        with self.reading() as session:
            latest = {c: (push_id, state, actor) for c, push_id, state, actor in session.execute(query)}
        return {c: (push_id, actor) for c, (push_id, state, actor) in latest.items() if state in OPEN_STATES}

    def head(self) -> tuple[int, str]:
        """Number and hash of the newest record; kept elsewhere, they show whether the chain's end was cut off."""
        with self.reading() as session:
            last = session.scalar(select(RecordRow).order_by(RecordRow.seq.desc()).limit(1))
        return (last.seq, last.hash) if last is not None else (0, GENESIS)

    def faults(self) -> list[str]:
        """What is wrong with the audit chain; nothing if nobody tampered with it."""
        with self.reading() as session:
            rows = {row.record: row for table in TYPED.values() for row in session.scalars(select(table))}
            records = session.scalars(select(RecordRow).order_by(RecordRow.seq)).all()
            found = chain_faults(records, rows)
            plans = [row for row in rows.values() if isinstance(row, PlanRow)]
            return found + [
                f"plan {row.plan_id[:12]}: its document does not hash to its id"
                for row in plans
                if plan_hash(json.loads(row.document)) != row.plan_id
            ]

    # how

    def reading(self) -> Session:
        """A transaction that only reads."""
        return Session(self.engine.execution_options(its_reading=True))

    def writing(self) -> Any:
        """A transaction that is the only writer while it lasts; for the modules of this package."""
        return _Writing(self.engine)

    def _add(self, row: Recorded) -> None:
        with self.writing() as session:
            plan_id = getattr(row, "plan_id", "")
            if session.scalar(select(PlanRow.record).where(PlanRow.plan_id == plan_id)) is None:
                raise InputError("plan", f"the store has no plan {plan_id[:12]!r}; see `its plans list`")
            self.append(session, row)

    def append(self, session: Session, row: Recorded) -> None:
        """Put a row and its record at the end of the chain; for the modules of this package."""
        last = session.scalar(select(RecordRow).order_by(RecordRow.seq.desc()).limit(1))
        record = RecordRow(
            seq=last.seq + 1 if last is not None else 1,
            kind=row.kind,
            plan_id=getattr(row, "plan_id", None),
            actor=self.actor,
            at_utc=self.clock(),
            body=body_of(row),
            previous_hash=last.hash if last is not None else GENESIS,
        )
        record.hash = link_hash(record)
        session.add(record)
        session.flush()
        row.record = record.seq
        session.add(row)
        session.flush()

    def _views(self, *conditions: Any) -> list[PlanView]:
        with self.reading() as session:
            query = select(PlanRow, RecordRow.at_utc).join(RecordRow, PlanRow.record == RecordRow.seq)
            found = session.execute(query.where(*conditions).order_by(PlanRow.record.desc())).all()
            ids = [row.plan_id for row, _ in found]
            verdicts: dict[str, dict[str, tuple[str, str]]] = {}
            decisions = select(DecisionRow).where(DecisionRow.plan_id.in_(ids)).order_by(DecisionRow.record)
            for decision in session.scalars(decisions):
                person = decision.person.casefold()
                verdicts.setdefault(decision.plan_id, {})[person] = (decision.person, decision.verdict)
            gates: dict[str, dict[str, bool]] = {}
            for gate in session.scalars(select(GateRow).where(GateRow.plan_id.in_(ids)).order_by(GateRow.record)):
                gates.setdefault(gate.plan_id, {})[gate.gate] = gate.passed
            return [
                PlanView(
                    plan_id=row.plan_id,
                    district=row.district,
                    zone=row.zone,
                    days=row.days,
                    begin_s=row.begin_s,
                    end_s=row.end_s,
                    network_hash=row.network_hash,
                    stored_utc=at_utc,
                    approved_by=_persons(verdicts.get(row.plan_id, {}), "approve"),
                    rejected_by=_persons(verdicts.get(row.plan_id, {}), "reject"),
                    gates_failed=tuple(g for g, passed in gates.get(row.plan_id, {}).items() if not passed),
                )
                for row, at_utc in found
            ]


def _persons(verdicts: Mapping[str, tuple[str, str]], wanted: str) -> tuple[str, ...]:
    return tuple(name for name, verdict in verdicts.values() if verdict == wanted)


class _Writing:
    """One transaction that is the only writer while it lasts."""

    def __init__(self, engine: Engine) -> None:
        self._session = Session(engine)

    def __enter__(self) -> Session:
        try:
            lock_for_writing(self._session.connection())
        except OperationalError as error:
            self._session.close()
            raise _unreachable(error) from None
        return self._session

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._session.commit()
            else:
                self._session.rollback()
        except OperationalError as error:
            raise _unreachable(error) from None
        finally:
            self._session.close()


def _unreachable(error: OperationalError) -> OutsideProgramError:
    reason = str(error.orig).splitlines()[0] if error.orig else "no reason given"
    return OutsideProgramError(f"plan store: cannot be written ({reason})")
