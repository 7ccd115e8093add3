"""A card refund that was lost and made good may arrive after all, and more has gone back then than was captured: by how
much is a column of its own, so that the check on what the shop sends stays as hard as it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

NOW = {
    "adds_up": "0 <= refunded AND refunded <= captured + surplus AND captured <= amount",
    "elsewhere": "returned_elsewhere >= 0 AND refunded + returned_elsewhere <= captured + surplus",
}
BEFORE = {
    "adds_up": "0 <= refunded AND refunded <= captured AND captured <= amount",
    "elsewhere": "returned_elsewhere >= 0 AND refunded + returned_elsewhere <= captured",
}
BEYOND = "refunded + returned_elsewhere"
SURPLUS = "surplus = 0 OR surplus > 0 AND refunded + returned_elsewhere = captured + surplus"


def upgrade() -> None:
    op.add_column("payment", sa.Column("surplus", sa.BigInteger(), nullable=False, server_default="0"))
    _drop()
    op.execute(
        f"UPDATE payment SET surplus = {BEYOND} - captured WHERE {BEYOND} > captured"
    )  # a downgrade kept them
    _add(NOW)
    op.execute(f"ALTER TABLE payment ADD CONSTRAINT ck_payment_surplus CHECK ({SURPLUS})")


def downgrade() -> None:
    """Rows of which more went back than was captured stay: their checks hold for what is written from now on."""
    _drop()
    op.execute("ALTER TABLE payment DROP CONSTRAINT ck_payment_surplus")
    op.drop_column("payment", "surplus")
    _add(BEFORE, " NOT VALID")


def _drop() -> None:
    for name in NOW:
        op.execute(f"ALTER TABLE payment DROP CONSTRAINT ck_payment_{name}")


def _add(checks: dict[str, str], how: str = "") -> None:
    for name, check in checks.items():
        op.execute(f"ALTER TABLE payment ADD CONSTRAINT ck_payment_{name} CHECK ({check}){how}")
