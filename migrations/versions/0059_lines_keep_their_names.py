"""What a line of an order is of stays as it was sold: rules ask for its brand and category, pages for its name."""

from __future__ import annotations

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

BEFORE = (
    "order_id", "position", "variant_id", "quantity", "unit_price", "total", "extras", "points", "points_value", "card",
    "earn_points",
)  # fmt: skip
NOW = (*BEFORE, "sku", "slug", "brand", "category", "name")


def upgrade() -> None:
    _agreed(NOW)


def downgrade() -> None:
    _agreed(BEFORE)


def _agreed(columns: tuple[str, ...]) -> None:
    was, becomes = (", ".join(f"{side}.{column}" for column in columns) for side in ("OLD", "NEW"))
    op.execute(
        f"CREATE OR REPLACE TRIGGER agreed BEFORE UPDATE OF {', '.join(columns)} ON order_line FOR EACH ROW "
        f"WHEN (({was}) IS DISTINCT FROM ({becomes})) EXECUTE FUNCTION order_agreed()"
    )
