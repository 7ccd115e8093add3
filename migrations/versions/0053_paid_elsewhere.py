"""Money of a refund that the bank would not put on the card, and that staff sent another way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "payment", sa.Column("returned_elsewhere", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_payment_elsewhere"),
        "payment",
        "returned_elsewhere >= 0 AND refunded + returned_elsewhere <= captured",
    )
    op.add_column("card_refund", sa.Column("elsewhere", sa.BigInteger(), nullable=True))
    op.add_column("card_refund", sa.Column("elsewhere_ref", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_card_refund_elsewhere"),
        "card_refund",
        "elsewhere IS NULL AND elsewhere_ref IS NULL OR elsewhere BETWEEN 1 AND amount "
        "AND length(elsewhere_ref) BETWEEN 3 AND 100 AND state IN ('succeeded','failed')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_card_refund_elsewhere"), "card_refund")
    op.drop_column("card_refund", "elsewhere_ref")
    op.drop_column("card_refund", "elsewhere")
    op.drop_constraint(op.f("ck_payment_elsewhere"), "payment")
    op.drop_column("payment", "returned_elsewhere")
