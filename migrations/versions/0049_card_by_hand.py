"""A refund may come back after it had arrived; what staff have taken for right of a payment is kept with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

EDGES = {
    "card_refund": (
        "queued",
        "queued>succeeded queued>failed queued>unknown unknown>succeeded unknown>failed failed>queued failed>succeeded",
        " succeeded>failed",
    ),
    "order_refund": ("running done", "running>done running>stuck stuck>running stuck>done", " done>stuck"),
}


def upgrade() -> None:
    for table, (starts, edges, more) in EDGES.items():
        _only_edges(table, starts, edges + more)
    op.add_column("payment", sa.Column("accepted", sa.BigInteger(), nullable=True))
    op.add_column(
        "payment", sa.Column("refunded_outside", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_payment_by_hand"), "payment", "accepted > 0 AND refunded_outside >= 0"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_payment_by_hand"), "payment")
    op.drop_column("payment", "refunded_outside")
    op.drop_column("payment", "accepted")
    for table, (starts, edges, _) in EDGES.items():
        _only_edges(table, starts, edges)


def _only_edges(table: str, starts: str, edges: str) -> None:
    op.execute(f"DROP TRIGGER only_edges ON {table}")
    op.execute(
        f"CREATE TRIGGER only_edges BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION only_edges('state', '{starts}', '{edges}')"
    )
