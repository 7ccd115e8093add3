"""Holding points in one call: lock, choose lots, book and note the hold, with the account locked across no round trip."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# Each statement of a plpgsql function sees what was committed before it began (PostgreSQL, 36.7: VOLATILE), so
# the lots are read after the lock, as they must be. Runs as the caller: the same grants and triggers apply.
FUNCTION = """
CREATE FUNCTION points_hold(
  p_customer uuid, p_order uuid, p_number text, p_points bigint, p_hold uuid, p_tx uuid, p_actor text,
  p_now timestamptz, p_until timestamptz
) RETURNS bigint LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
-- NULL when the points are held; else how many there are to hold, and nothing has changed.
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
  IF spendable < p_points THEN RETURN spendable; END IF;
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
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(FUNCTION)


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION points_hold(uuid, uuid, text, bigint, uuid, uuid, text, timestamptz, timestamptz)"
    )
