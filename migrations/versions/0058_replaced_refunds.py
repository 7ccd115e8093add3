"""What was sent in place of a card refund that had failed: should that arrive after all, the money has come twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("card_refund", sa.Column("replaced_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_card_refund_replaced_by"), "card_refund", "card_refund", ["replaced_by"], ["id"]
    )
    op.create_index(
        "ix_card_refund_replaced_by",
        "card_refund",
        ["replaced_by"],
        postgresql_where=sa.text("replaced_by IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_card_refund_replaced_by", table_name="card_refund")
    op.drop_constraint(op.f("fk_card_refund_replaced_by"), "card_refund")
    op.drop_column("card_refund", "replaced_by")
