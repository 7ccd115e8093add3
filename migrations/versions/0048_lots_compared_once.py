"""Lots and balance are compared once a customer and statement, not once a lot: a batch of fifty lots of one customer
summed all of that customer's lots fifty times."""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

# points_apply_entries moves balances first, then all lots by one UPDATE: when that statement ends, both sides agree.
# So a change of lots is compared at once, a change of a balance when the transaction commits. Rows of both are born
# empty (points_lot_fixed, points_account_starts_empty), so only updates can part them.
FUNCTIONS = """
CREATE FUNCTION points_compare(p_customer uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE a record; l record;
BEGIN
  SELECT available, held INTO a FROM points_account WHERE customer_id = p_customer;
  SELECT coalesce(sum(available), 0) AS available, coalesce(sum(held), 0) AS held INTO l
    FROM points_lot WHERE customer_id = p_customer AND (available > 0 OR held > 0);
  IF a.available <> l.available OR a.held <> l.held THEN
    RAISE EXCEPTION 'lots of customer % do not match the balance', p_customer
      USING ERRCODE = '23514', CONSTRAINT = 'points_lots_match';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION points_lots_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM points_compare(NEW.customer_id);
  RETURN NULL;
END $$;

CREATE FUNCTION points_lots_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM points_compare(moved.customer_id)
     FROM (SELECT DISTINCT n.customer_id FROM new_lots n JOIN old_lots o USING (id)
            WHERE n.available <> o.available OR n.held <> o.held) AS moved;
  RETURN NULL;
END $$;

DROP TRIGGER lots_match ON points_lot;
DROP TRIGGER lots_match ON points_account;
CREATE TRIGGER lots_match AFTER UPDATE ON points_lot REFERENCING OLD TABLE AS old_lots NEW TABLE AS new_lots
  FOR EACH STATEMENT EXECUTE FUNCTION points_lots_moved();
CREATE CONSTRAINT TRIGGER lots_match AFTER UPDATE ON points_account DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (OLD.available <> NEW.available OR OLD.held <> NEW.held) EXECUTE FUNCTION points_lots_match();
"""

BEFORE = """
DROP TRIGGER lots_match ON points_lot;
DROP TRIGGER lots_match ON points_account;
DROP FUNCTION points_lots_moved();
CREATE OR REPLACE FUNCTION points_lots_match() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE a record; l record;
BEGIN
  SELECT available, held INTO a FROM points_account WHERE customer_id = NEW.customer_id;
  SELECT coalesce(sum(available), 0) AS available, coalesce(sum(held), 0) AS held INTO l
    FROM points_lot WHERE customer_id = NEW.customer_id AND (available > 0 OR held > 0);
  IF (a.available, a.held) <> (l.available, l.held) THEN
    RAISE EXCEPTION 'lots of customer % do not match the balance', NEW.customer_id
      USING ERRCODE = '23514', CONSTRAINT = 'points_lots_match';
  END IF;
  RETURN NULL;
END $$;
DROP FUNCTION points_compare(uuid);
CREATE CONSTRAINT TRIGGER lots_match AFTER INSERT OR UPDATE ON points_account DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION points_lots_match();
CREATE CONSTRAINT TRIGGER lots_match AFTER INSERT OR UPDATE ON points_lot DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION points_lots_match();
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute(BEFORE)
