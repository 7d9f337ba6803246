"""The tables of the plan store. Rows are only ever added; each belongs to one record of the audit chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import DateTime, Dialect, ForeignKey, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from network_data.errors import InputError


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; times without a zone are refused on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Any zone to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise InputError("time for the store", f"{value.isoformat()} has no zone; give UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """SQLite forgets the zone, PostgreSQL answers in its own."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""


class RecordRow(Base):
    """One link of the audit chain: `hash` covers everything else in it, `previous_hash` is that of the one before."""

    __tablename__ = "records"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(32))
    plan_id: Mapped[str | None] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(200))
    at_utc: Mapped[datetime] = mapped_column(UtcTime)
    body: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class Recorded(Base):
    """What all typed rows have: the record they belong to, and their plan."""

    __abstract__ = True
    kind: ClassVar[str]

    record: Mapped[int] = mapped_column(ForeignKey("records.seq"), primary_key=True, autoincrement=False)


class PlanRow(Recorded):
    """A plan document under the hash of its content; `days`, `begin_s` and `end_s` are local, in `zone`."""

    __tablename__ = "plans"
    kind = "plan"

    plan_id: Mapped[str] = mapped_column(String(64), unique=True)
    district: Mapped[str] = mapped_column(String(200), index=True)
    zone: Mapped[str] = mapped_column(String(64))
    days: Mapped[str] = mapped_column(String(64))
    begin_s: Mapped[float]
    end_s: Mapped[float]
    network_hash: Mapped[str] = mapped_column(String(64))
    document: Mapped[str] = mapped_column(Text)


class InputRow(Recorded):
    """The SHA-256 of one input a plan was made from."""

    __tablename__ = "inputs"
    kind = "input"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))


class GateRow(Recorded):
    """A gate a plan went through or was stopped at, with the reason and its figures (JSON)."""

    __tablename__ = "gates"
    kind = "gate"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    gate: Mapped[str] = mapped_column(String(100))
    passed: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    figures: Mapped[str] = mapped_column(Text)


class DecisionRow(Recorded):
    """What a named person decided: `approve` or `reject`."""

    __tablename__ = "decisions"
    kind = "decision"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    person: Mapped[str] = mapped_column(String(200))
    verdict: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)


class PushRow(Recorded):
    """What a push said about one controller: begun, then new, old, unknown or refused."""

    __tablename__ = "pushes"
    kind = "push"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    push_id: Mapped[str] = mapped_column(String(64), index=True)
    controller: Mapped[str] = mapped_column(String(1000), index=True)
    corridor: Mapped[str] = mapped_column(String(1000))
    driver: Mapped[str] = mapped_column(String(32))
    insecure: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)


class ReadBackRow(Recorded):
    """What a controller answered after a push, cell by cell (JSON)."""

    __tablename__ = "read_backs"
    kind = "read-back"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    push_id: Mapped[str] = mapped_column(String(64), index=True)
    controller: Mapped[str] = mapped_column(String(1000))
    matches: Mapped[bool]
    cells: Mapped[str] = mapped_column(Text)


class MeasurementRow(Recorded):
    """A figure measured of a plan, in a simulation or in the street."""

    __tablename__ = "measurements"
    kind = "measurement"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    source: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    value: Mapped[float]
    unit: Mapped[str] = mapped_column(String(32))
    begin_utc: Mapped[datetime | None] = mapped_column(UtcTime)
    end_utc: Mapped[datetime | None] = mapped_column(UtcTime)


class RunRow(Recorded):
    """What a batch run came to in one district; lists and figures as JSON.

    `key` is the hash of all that the run depended on: where the newest run of a district has it, nothing is left to do.
    """

    __tablename__ = "runs"
    kind = "run"

    district: Mapped[str] = mapped_column(String(200), index=True)
    key: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    plans: Mapped[str] = mapped_column(Text)
    gates: Mapped[str] = mapped_column(Text)
    inputs: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)


class LeaseRow(Base):
    """Who is at work on what, and until when by the database's clock; no record, rows come and go."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(250), primary_key=True)
    token: Mapped[str] = mapped_column(String(64))
    holder: Mapped[str] = mapped_column(String(300))
    expires_s: Mapped[float]


TYPED: dict[str, type[Recorded]] = {
    row.kind: row for row in (PlanRow, InputRow, GateRow, DecisionRow, PushRow, ReadBackRow, MeasurementRow, RunRow)
}
"""Kind of record → the table that holds its content in columns."""
