"""When each scheduled job ran, and late captures beside the one live attempt of a reference."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LIVE = "state IN ('submitting','unknown','requires_action','authorized','captured')"


def upgrade() -> None:
    op.create_table(
        "job_run",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("every_seconds", sa.BigInteger(), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_result", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_run")),
    )
    op.add_column("payment", sa.Column("late", sa.Boolean(), server_default="false", nullable=False))
    op.drop_index("uq_payment_one_live_attempt", table_name="payment")
    op.create_index(
        "uq_payment_one_live_attempt",
        "payment",
        ["reference"],
        unique=True,
        postgresql_where=sa.text(f"{LIVE} AND NOT late"),
    )


def downgrade() -> None:
    op.drop_index("uq_payment_one_live_attempt", table_name="payment")
    op.create_index(
        "uq_payment_one_live_attempt", "payment", ["reference"], unique=True, postgresql_where=sa.text(LIVE)
    )
    op.drop_column("payment", "late")
    op.drop_table("job_run")
