"""Runs of the batch in the audit chain, and leases: who is at work on what."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "runs",
        sa.Column("record", sa.Integer, sa.ForeignKey("records.seq"), primary_key=True, autoincrement=False),
        sa.Column("district", sa.String(200), nullable=False, index=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("plans", sa.Text, nullable=False),
        sa.Column("gates", sa.Text, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(250), primary_key=True),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(300), nullable=False),
        sa.Column("expires_s", sa.Double, nullable=False),
    )
    _append_only()


def downgrade() -> None:
    """Nothing is ever taken out of the store."""
    raise NotImplementedError("the store is append-only; restore a backup to go back")


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER runs_no_{action.lower()} BEFORE {action} ON runs "
                f"BEGIN SELECT RAISE(ABORT, 'the plan store is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER runs_append_only BEFORE UPDATE OR DELETE ON runs "
        "FOR EACH ROW EXECUTE FUNCTION its_append_only()"
    )
    op.execute(
        "CREATE TRIGGER runs_no_truncate BEFORE TRUNCATE ON runs FOR EACH STATEMENT EXECUTE FUNCTION its_append_only()"
    )
