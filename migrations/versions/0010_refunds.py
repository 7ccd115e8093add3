"""What has come back of an order, tender by tender and line by line; never more than was paid, whoever tries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = {
    "orders": ("refunded_points", "refunded_points_value", "refunded_card"),
    "order_line": ("refunded_points", "refunded_points_value", "refunded_card", "refunded_earned"),
}
CHECKS = {
    "orders": {
        "refunded_points": "0 <= refunded_points AND refunded_points <= points",
        "refunded_value": "0 <= refunded_points_value AND refunded_points_value <= points_value",
        "refunded_card": "0 <= refunded_card AND refunded_card <= card_due",
    },
    "order_line": {
        "refunded_parts": (
            "refunded_points >= 0 AND refunded_points_value >= 0 AND refunded_card >= 0 "
            "AND refunded_points_value + refunded_card <= total + extras"
        ),
        "refunded_earned": "0 <= refunded_earned AND refunded_earned <= earn_points",
    },
}
WATCHED = {
    "order_refund": ("order_id", "INSERT OR UPDATE OF points, points_value, card, lines"),
    "orders": ("id", "UPDATE OF refunded_points, refunded_points_value, refunded_card"),
    "order_line": ("order_id", "UPDATE OF refunded_points, refunded_points_value, refunded_card"),
}
# Three places say what came back: the refunds, the lines, the order. They agree when the transaction commits.
FUNCTION = """
CREATE FUNCTION order_refunds_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner_id uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
  agreed boolean;
BEGIN
  SELECT (o.refunded_points, o.refunded_points_value, o.refunded_card)
       = (SELECT coalesce(sum(refunded_points), 0), coalesce(sum(refunded_points_value), 0),
                 coalesce(sum(refunded_card), 0) FROM order_line WHERE order_id = o.id)
     AND (o.refunded_points, o.refunded_points_value, o.refunded_card)
       = (SELECT coalesce(sum(points), 0), coalesce(sum(points_value), 0), coalesce(sum(card), 0)
            FROM order_refund WHERE order_id = o.id AND lines <> '[]')
    INTO agreed FROM orders o WHERE o.id = owner_id;
  IF NOT agreed THEN
    RAISE EXCEPTION 'refunds of order % do not add up', owner_id
      USING ERRCODE = '23514', CONSTRAINT = 'order_refunds_add_up';
  END IF;
  RETURN NULL;
END $$
"""
EARNING_EDGES = "pending>confirmed pending>cancelled confirmed>cancelled"


def upgrade() -> None:
    for table, names in COLUMNS.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
        for name, condition in CHECKS[table].items():
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
    op.execute(FUNCTION)
    for table, (column, moments) in WATCHED.items():
        op.execute(
            f"CREATE CONSTRAINT TRIGGER refunds_add_up AFTER {moments} ON {table} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION order_refunds_add_up('{column}')"
        )
    # an order that was cancelled and is accepted after all earns again
    _earning_edges(f"{EARNING_EDGES} cancelled>pending")


def downgrade() -> None:
    _earning_edges(EARNING_EDGES)
    for table in WATCHED:
        op.execute(f"DROP TRIGGER refunds_add_up ON {table}")
    op.execute("DROP FUNCTION order_refunds_add_up()")
    for table, names in COLUMNS.items():
        for name in CHECKS[table]:
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        for name in names:
            op.drop_column(table, name)


def _earning_edges(edges: str) -> None:
    op.execute("DROP TRIGGER only_edges ON points_earning")
    op.execute(
        "CREATE TRIGGER only_edges BEFORE INSERT OR UPDATE ON points_earning FOR EACH ROW "
        f"EXECUTE FUNCTION only_edges('state', 'pending', '{edges}')"
    )
