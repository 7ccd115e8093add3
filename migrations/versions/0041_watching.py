"""When a scheduled job was registered, so that one that never succeeds is late too; the list of failed payments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

FAILED = "state IN ('declined','canceled','unknown')"


def upgrade() -> None:
    op.add_column(
        "job_run",
        sa.Column("registered_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_index("ix_payment_failed", "payment", ["updated_at", "id"], postgresql_where=sa.text(FAILED))


def downgrade() -> None:
    op.drop_index("ix_payment_failed", table_name="payment")
    op.drop_column("job_run", "registered_at")
