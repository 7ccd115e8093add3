"""Each line of an order says which lots its points came from; what was agreed with an order is changed by nobody.

`points_hold` says which lots it took, so that they can be shared among the lines without asking again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

# Each statement of a plpgsql function sees what was committed before it began (PostgreSQL, 36.7: VOLATILE), so
# the lots are read after the lock, as they must be. Runs as the caller: the same grants and triggers apply.
HOLD = """
CREATE FUNCTION points_hold(
  p_customer uuid, p_order uuid, p_number text, p_points bigint, p_hold uuid, p_tx uuid, p_actor text,
  p_now timestamptz, p_until timestamptz{out}
) RETURNS {returns} LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
-- {says}
DECLARE
  lot_ids uuid[];
  parts bigint[];
  spendable bigint;
BEGIN
  PERFORM FROM points_account WHERE customer_id = p_customer FOR UPDATE;
  SELECT coalesce(sum(available), 0), array_agg(id) FILTER (WHERE before < p_points),
         array_agg(least(available, p_points - before)) FILTER (WHERE before < p_points)
    INTO spendable, lot_ids, parts
    FROM (SELECT id, available,
                 sum(available) OVER (ORDER BY expires_at NULLS LAST, id) - available AS before
            FROM points_lot
           WHERE customer_id = p_customer AND available > 0 AND (expires_at IS NULL OR expires_at > p_now)
             AND (spendable_from IS NULL OR spendable_from <= p_now)) AS lots;
  IF spendable < p_points THEN {refuse} END IF;
  INSERT INTO points_tx (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, created_at)
  VALUES (p_tx, p_customer, 'hold', 'hold:' || p_hold, 'order', p_number, p_actor, 'Held for order ' || p_number,
          p_now);
  INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
  SELECT p_tx, leg.first + lot.line, p_customer, leg.account, lot.id, leg.sign * lot.part
    FROM unnest(lot_ids, parts) WITH ORDINALITY AS lot(id, part, line)
   CROSS JOIN (VALUES ('available', -1, 0), ('held', 1, cardinality(lot_ids))) AS leg(account, sign, first);
  INSERT INTO points_hold
    (id, customer_id, order_id, order_number, amount, state, tx_id, created_at, expires_at)
  VALUES (p_hold, p_customer, p_order, p_number, p_points, 'active', p_tx, p_now, p_until);
  {done}
END $$
"""
DROP_HOLD = "DROP FUNCTION points_hold(uuid, uuid, text, bigint, uuid, uuid, text, timestamptz, timestamptz)"
NOW = {
    "out": ",\n  OUT o_available bigint, OUT o_lots uuid[], OUT o_parts bigint[]",
    "returns": "record",
    "says": "The lots, soonest expiry first, and the points of each; or how many there are to hold, and nothing has changed.",
    "refuse": "o_available := spendable; RETURN;",
    "done": "o_lots := lot_ids; o_parts := parts;",
}
BEFORE = {
    "out": "",
    "returns": "bigint",
    "says": "NULL when the points are held; else how many there are to hold, and nothing has changed.",
    "refuse": "RETURN spendable;",
    "done": "RETURN NULL;",
}

# What was agreed when the order was placed; later columns (status, what came back) move as before.
AGREED = {
    "orders": (
        "customer_id", "currency", "items_total", "shipping", "tax", "total", "points", "points_value", "card_due",
        "earn_points", "rules_version",
    ),
    "order_line": (
        "order_id", "position", "variant_id", "quantity", "unit_price", "total", "extras", "points", "points_value",
        "card", "earn_points",
    ),
    "order_line_lot": ("hold_id", "order_id", "position", "lot_id", "points"),
}  # fmt: skip

# Lots held before there were lines of lots: soonest expiry to the first line, and what refunds returned likewise.
BACKFILL = """
INSERT INTO order_line_lot (hold_id, order_id, position, lot_id, points, returned)
WITH taken AS (
  SELECT h.id AS hold_id, h.order_id, h.customer_id, h.order_number, e.lot_id, e.amount AS points,
         sum(e.amount) OVER (PARTITION BY h.id ORDER BY e.line) - e.amount AS before
    FROM points_hold h JOIN points_entry e ON e.tx_id = h.tx_id AND e.account = 'held' WHERE h.state <> 'released'
), line AS (
  SELECT order_id, position, points, sum(points) OVER (PARTITION BY order_id ORDER BY position) - points AS before
    FROM order_line WHERE points > 0
), part AS (
  SELECT t.*, l.position,
         least(t.before + t.points, l.before + l.points) - greatest(t.before, l.before) AS shared
    FROM taken t JOIN line l USING (order_id)
   WHERE t.before < l.before + l.points AND l.before < t.before + t.points
), gone_back AS (
  SELECT t.customer_id, t.ref_id, e.lot_id, -sum(e.amount) AS points
    FROM points_tx t JOIN points_entry e ON e.tx_id = t.id AND e.account = 'redeemed'
   WHERE t.kind = 'refund' AND t.ref_type = 'order' GROUP BY 1, 2, 3
)
SELECT p.hold_id, p.order_id, p.position, p.lot_id, p.shared,
       greatest(0, least(p.shared, coalesce(g.points, 0) - (
         sum(p.shared) OVER (PARTITION BY p.hold_id, p.lot_id ORDER BY p.position) - p.shared)))
  FROM part p LEFT JOIN gone_back g
    ON g.customer_id = p.customer_id AND g.ref_id = p.order_number AND g.lot_id = p.lot_id
"""

FUNCTIONS = """
CREATE FUNCTION order_agreed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% keeps what was agreed', TG_TABLE_NAME
    USING ERRCODE = '23001', CONSTRAINT = 'order_agreed';
END $$;

-- The lots of a hold's lines are the order's lines' points, and the hold's lots.
CREATE FUNCTION order_lots_check(p_hold uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE h record;
BEGIN
  SELECT id, order_id, order_number, tx_id INTO STRICT h FROM points_hold WHERE id = p_hold;
  IF EXISTS (
    SELECT FROM (SELECT position, points FROM order_line WHERE order_id = h.order_id AND points > 0) l
      FULL JOIN (SELECT order_id, position, sum(points) AS points FROM order_line_lot WHERE hold_id = h.id
                  GROUP BY 1, 2) x ON x.order_id = h.order_id AND x.position = l.position
     WHERE l.points IS DISTINCT FROM x.points
  ) OR EXISTS (
    SELECT FROM (SELECT lot_id, sum(amount) AS points FROM points_entry WHERE tx_id = h.tx_id AND account = 'held'
                  GROUP BY 1) e
      FULL JOIN (SELECT lot_id, sum(points) AS points FROM order_line_lot WHERE hold_id = h.id GROUP BY 1) x
        USING (lot_id)
     WHERE e.points IS DISTINCT FROM x.points
  ) THEN
    RAISE EXCEPTION 'the lots of order % do not add up', h.order_number
      USING ERRCODE = '23514', CONSTRAINT = 'order_lots_add_up';
  END IF;
END $$;

CREATE FUNCTION order_lots_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM order_lots_check(hold_id) FROM (SELECT DISTINCT hold_id FROM new_rows) AS written;
  RETURN NULL;
END $$;

CREATE FUNCTION order_lots_of_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM orders WHERE id = NEW.order_id) THEN PERFORM order_lots_check(NEW.id); END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION order_lots_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- with lots, the hold was compared with the lines when they were written
  PERFORM order_lots_check(id) FROM points_hold h WHERE order_id = NEW.id AND state <> 'released'
      AND NOT EXISTS (SELECT FROM order_line_lot WHERE hold_id = h.id);
  RETURN NULL;
END $$;
"""
FUNCTION_NAMES = (
    "order_lots_of_order()",
    "order_lots_of_hold()",
    "order_lots_written()",
    "order_lots_check(uuid)",
    "order_agreed()",
)
TRIGGERS = """
CREATE TRIGGER lots_written AFTER INSERT ON order_line_lot REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION order_lots_written();
CREATE CONSTRAINT TRIGGER line_lots AFTER INSERT ON points_hold DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION order_lots_of_hold();
CREATE CONSTRAINT TRIGGER line_lots AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.points > 0) EXECUTE FUNCTION order_lots_of_order();
CREATE CONSTRAINT TRIGGER adds_up AFTER INSERT ON order_line DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION order_adds_up('order_id');
CREATE CONSTRAINT TRIGGER refunds_add_up AFTER UPDATE OF returned ON order_line_lot DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION order_refunds_add_up('order_id');
"""

ADDS_UP = """
CREATE OR REPLACE FUNCTION order_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  o record;
  l record;
BEGIN
  SELECT * INTO o FROM orders WHERE id = (to_jsonb(NEW) ->> coalesce(TG_ARGV[0], 'id'))::uuid;
  SELECT coalesce(sum(total), 0) AS items, coalesce(sum(extras), 0) AS extras, coalesce(sum(points), 0) AS points,
         coalesce(sum(points_value), 0) AS points_value, coalesce(sum(card), 0) AS card,
         coalesce(sum(earn_points), 0) AS earn_points
    INTO l FROM order_line WHERE order_id = o.id;
  IF l.items <> o.items_total OR l.extras <> o.shipping + o.tax OR l.points <> o.points
     OR l.points_value <> o.points_value OR l.card <> o.card_due OR l.earn_points <> o.earn_points THEN
    RAISE EXCEPTION 'lines of order % do not add up', o.number
      USING ERRCODE = '23514', CONSTRAINT = 'order_adds_up';
  END IF;
  RETURN NULL;
END $$
"""
ADDED_UP = """
CREATE OR REPLACE FUNCTION order_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE l record;
BEGIN
  SELECT coalesce(sum(total), 0) AS items, coalesce(sum(extras), 0) AS extras, coalesce(sum(points), 0) AS points,
         coalesce(sum(points_value), 0) AS points_value, coalesce(sum(card), 0) AS card
    INTO l FROM order_line WHERE order_id = NEW.id;
  IF l.items <> NEW.items_total OR l.extras <> NEW.shipping + NEW.tax OR l.points <> NEW.points
     OR l.points_value <> NEW.points_value OR l.card <> NEW.card_due THEN
    RAISE EXCEPTION 'lines of order % do not add up', NEW.number
      USING ERRCODE = '23514', CONSTRAINT = 'order_adds_up';
  END IF;
  RETURN NULL;
END $$
"""
# Four places say what came back: the refunds, the lines, their lots, the order. They agree at the commit.
REFUNDS_ADD_UP = """
CREATE OR REPLACE FUNCTION order_refunds_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner_id uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
  agreed boolean;
BEGIN
  SELECT (o.refunded_points, o.refunded_points_value, o.refunded_card)
       = (SELECT coalesce(sum(refunded_points), 0), coalesce(sum(refunded_points_value), 0),
                 coalesce(sum(refunded_card), 0) FROM order_line WHERE order_id = o.id)
     AND (o.refunded_points, o.refunded_points_value, o.refunded_card)
       = (SELECT coalesce(sum(points), 0), coalesce(sum(points_value), 0), coalesce(sum(card), 0)
            FROM order_refund WHERE order_id = o.id AND lines <> '[]'){lots}
    INTO agreed FROM orders o WHERE o.id = owner_id;
  IF NOT agreed THEN
    RAISE EXCEPTION 'refunds of order % do not add up', owner_id
      USING ERRCODE = '23514', CONSTRAINT = 'order_refunds_add_up';
  END IF;
  RETURN NULL;
END $$
"""
OF_LOTS = """
     AND o.refunded_points
       = (SELECT coalesce(sum(x.returned), 0) FROM points_hold h JOIN order_line_lot x ON x.hold_id = h.id
           WHERE h.order_id = o.id AND h.state <> 'released')"""


def upgrade() -> None:
    op.create_table(
        "order_line_lot",
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_order_line_lot_points")),
        sa.CheckConstraint("0 <= returned AND returned <= points", name=op.f("ck_order_line_lot_returned")),
        sa.ForeignKeyConstraint(["hold_id"], ["points_hold.id"], name=op.f("fk_order_line_lot_hold_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["points_lot.id"], name=op.f("fk_order_line_lot_lot_id")),
        sa.ForeignKeyConstraint(
            ["order_id", "position"],
            ["order_line.order_id", "order_line.position"],
            name=op.f("fk_order_line_lot_order_id_position"),
        ),
        sa.PrimaryKeyConstraint("hold_id", "position", "lot_id", name=op.f("pk_order_line_lot")),
    )
    op.execute(BACKFILL)
    op.execute(DROP_HOLD)
    op.execute(HOLD.format(**NOW))
    op.execute(FUNCTIONS)
    op.execute(ADDS_UP)
    op.execute(REFUNDS_ADD_UP.format(lots=OF_LOTS))
    op.execute(TRIGGERS)
    for table, columns in AGREED.items():
        was, becomes = (", ".join(f"{side}.{column}" for column in columns) for side in ("OLD", "NEW"))
        op.execute(
            f"CREATE TRIGGER agreed BEFORE UPDATE OF {', '.join(columns)} ON {table} FOR EACH ROW "
            f"WHEN (({was}) IS DISTINCT FROM ({becomes})) EXECUTE FUNCTION order_agreed()"
        )
        op.execute(
            f"CREATE TRIGGER never_deleted BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION order_agreed()"
        )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON order_line_lot FROM shop_app")
    op.execute("GRANT UPDATE (returned) ON order_line_lot TO shop_app")


def downgrade() -> None:
    for table in AGREED:
        op.execute(f"DROP TRIGGER agreed ON {table}")
        op.execute(f"DROP TRIGGER never_deleted ON {table}")
    op.execute("DROP TRIGGER adds_up ON order_line")
    op.execute("DROP TRIGGER line_lots ON orders")
    op.execute("DROP TRIGGER line_lots ON points_hold")
    op.drop_table("order_line_lot")
    op.execute(ADDED_UP)
    op.execute(REFUNDS_ADD_UP.format(lots=""))
    for function in FUNCTION_NAMES:
        op.execute(f"DROP FUNCTION {function}")
    op.execute(DROP_HOLD)
    op.execute(HOLD.format(**BEFORE))
