"""Disputes of card payments, and earned points held back while one is open."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dispute",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_dispute_amount")),
        sa.CheckConstraint("state IN ('open','won','lost')", name=op.f("ck_dispute_state")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_dispute_payment_id")),
        sa.PrimaryKeyConstraint("gateway", "gateway_ref", name=op.f("pk_dispute")),
    )
    op.create_index("ix_dispute_payment_id", "dispute", ["payment_id"])
    op.create_index("ix_dispute_state", "dispute", ["state", "opened_at"])
    op.execute(
        "CREATE TRIGGER only_edges BEFORE INSERT OR UPDATE ON dispute FOR EACH ROW "
        "EXECUTE FUNCTION only_edges('state', 'open won lost', 'open>won open>lost')"
    )
    op.add_column("points_earning", sa.Column("held_back_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("points_earning", "held_back_at")
    op.drop_table("dispute")
