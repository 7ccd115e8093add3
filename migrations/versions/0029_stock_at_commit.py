"""Stock follows its reservations when the transaction commits: the hottest row is locked last and shortest.

What decides is the reservation's own state. `reserved <= on_hand` holds for every stock row, so selling or
releasing an active reservation cannot fail; nothing has to look at the stock row before the very end.
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0020"
branch_labels = None
depends_on = None

UP = """
CREATE FUNCTION stock_follows_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'committed' THEN
    UPDATE stock SET on_hand = on_hand - NEW.quantity, reserved = reserved - NEW.quantity
     WHERE variant_id = NEW.variant_id;
  ELSIF OLD.state = 'active' THEN
    UPDATE stock SET reserved = reserved - NEW.quantity WHERE variant_id = NEW.variant_id;
  ELSE
    UPDATE stock SET on_hand = on_hand + NEW.quantity WHERE variant_id = NEW.variant_id;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER stock_follows AFTER UPDATE OF state ON stock_reservation DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION stock_follows_reservation();
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TRIGGER stock_follows ON stock_reservation")
    op.execute("DROP FUNCTION stock_follows_reservation()")
