"""Points expire within the years that can be computed with, whoever writes them.

PostgreSQL keeps dates far beyond those that a client can read: one lot of the year 10000 would stop every page that
shows its customer.
"""

from __future__ import annotations

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

COLUMNS = (("points_lot", "expires_at"), ("points_adjustment", "points_expire_at"))


def upgrade() -> None:
    for table, column in COLUMNS:
        op.create_check_constraint(
            op.f(f"ck_{table}_expiry"), table, f"{column} >= '2000-01-01Z' AND {column} < '3000-01-01Z'"
        )


def downgrade() -> None:
    for table, _ in COLUMNS:
        op.drop_constraint(op.f(f"ck_{table}_expiry"), table, type_="check")
