"""Two undos of equal adjustments may wait at once: each is one of its own, named by what it undoes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

WAITS = "state = 'awaiting_approval'"


def upgrade() -> None:
    _pending(f"{WAITS} AND reversal_of IS NULL")


def downgrade() -> None:
    _pending(WAITS)


def _pending(condition: str) -> None:
    op.drop_index("uq_points_adjustment_pending", table_name="points_adjustment")
    op.create_index(
        "uq_points_adjustment_pending",
        "points_adjustment",
        ["customer_id", "points", "reason_code"],
        unique=True,
        postgresql_where=sa.text(condition),
    )
