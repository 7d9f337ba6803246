"""The audit chain, the typed tables, and triggers that let rows only be added."""

import sqlalchemy as sa
from alembic import op

from its.store.migrations.append_only import forbid_changes

revision = "0001"
down_revision = None

TABLES = ("records", "plans", "inputs", "gates", "decisions", "pushes", "read_backs", "measurements")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make everything."""
    op.create_table(
        "records",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("plan_id", sa.String(64), nullable=True, index=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at_utc", MOMENT, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
    )
    _typed(
        "plans",
        sa.Column("plan_id", sa.String(64), nullable=False, unique=True),
        sa.Column("district", sa.String(200), nullable=False, index=True),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("days", sa.String(64), nullable=False),
        sa.Column("begin_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("network_hash", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    _typed("inputs", _plan(), _text("name", 200), _text("sha256", 64))
    _typed("gates", _plan(), _text("gate", 100), _flag("passed"), _text("reason"), _text("figures"))
    _typed("decisions", _plan(), _text("person", 200), _text("verdict", 16), _text("reason"))
    _typed(
        "pushes",
        _plan(),
        sa.Column("push_id", sa.String(64), nullable=False, index=True),
        sa.Column("controller", sa.String(1000), nullable=False, index=True),
        _text("corridor", 1000),
        _text("driver", 32),
        _text("insecure", 200),
        _text("state", 16),
        _text("text"),
    )
    _typed(
        "read_backs",
        _plan(),
        sa.Column("push_id", sa.String(64), nullable=False, index=True),
        _text("controller", 1000),
        _flag("matches"),
        _text("cells"),
    )
    _typed(
        "measurements",
        _plan(),
        _text("source", 200),
        _text("name", 200),
        sa.Column("value", sa.Float, nullable=False),
        _text("unit", 32),
        sa.Column("begin_utc", MOMENT, nullable=True),
        sa.Column("end_utc", MOMENT, nullable=True),
    )
    _append_only()


def downgrade() -> None:
    """Nothing is ever taken out of the store."""
    raise NotImplementedError("the store is append-only; restore a backup to go back")


def _typed(name: str, *columns: sa.Column) -> None:  # type: ignore[type-arg]
    record = sa.Column("record", sa.Integer, sa.ForeignKey("records.seq"), primary_key=True, autoincrement=False)
    op.create_table(name, record, *columns)


def _plan() -> sa.Column[str]:
    return sa.Column("plan_id", sa.String(64), sa.ForeignKey("plans.plan_id"), nullable=False, index=True)


def _text(name: str, most: int | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.String(most) if most else sa.Text(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _append_only() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            "CREATE FUNCTION its_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the plan store is append-only'; END $$"
        )
    for table in TABLES:
        forbid_changes(table)
