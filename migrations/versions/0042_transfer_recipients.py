"""A transfer to an address without a member waits for its confirmation like any other, so that asking tells nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("points_transfer", sa.Column("recipient_email", sa.Text(), nullable=True))
    op.execute(
        "UPDATE points_transfer SET recipient_email = customer.email FROM customer WHERE customer.id = recipient_id"
    )
    op.alter_column("points_transfer", "recipient_email", nullable=False)
    op.alter_column("points_transfer", "recipient_id", nullable=True)
    op.create_check_constraint(
        op.f("ck_points_transfer_received"), "points_transfer", "state <> 'done' OR recipient_id IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_points_transfer_received"), "points_transfer", type_="check")
    op.execute("DELETE FROM points_transfer WHERE recipient_id IS NULL")
    op.alter_column("points_transfer", "recipient_id", nullable=False)
    op.drop_column("points_transfer", "recipient_email")
