"""Runs of the batch in the audit chain, and leases: who is at work on what."""

import sqlalchemy as sa
from alembic import op

from its.store.migrations.append_only import forbid_changes

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
    forbid_changes("runs")


def downgrade() -> None:
    """Nothing is ever taken out of the store."""
    raise NotImplementedError("the store is append-only; restore a backup to go back")
