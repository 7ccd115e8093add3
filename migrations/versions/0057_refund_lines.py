"""The lines of a refund are a list: everything that adds them up stops at anything else."""

from __future__ import annotations

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_order_refund_lines"), "order_refund", "jsonb_typeof(lines) = 'array'")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_order_refund_lines"), "order_refund", type_="check")
