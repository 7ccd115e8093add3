"""A card refund that was lost and made good may arrive after all, and more has gone back then than was captured: that is
written, while nothing more is sent, nor noted as sent another way."""

from __future__ import annotations

from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION card_refund_bounded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM card_refund r JOIN payment p ON p.id = r.payment_id
              WHERE r.id = NEW.id AND (r.state = 'queued' OR r.elsewhere IS NOT NULL)
                AND p.refunded + p.returned_elsewhere > p.captured) THEN
    RAISE EXCEPTION 'card refund % is more than is left of its payment', NEW.id
      USING ERRCODE = '23514', CONSTRAINT = 'card_refund_bounded';
  END IF;
  RETURN NULL;
END $$
"""
# One that is put off is queued for a moment, as every row begins: a new one is looked at when the transaction commits.
NEW = (
    "CREATE CONSTRAINT TRIGGER bounded_new AFTER INSERT ON card_refund DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION card_refund_bounded()"
)
AGAIN = (
    "CREATE TRIGGER bounded AFTER UPDATE OF state, elsewhere ON card_refund FOR EACH ROW WHEN ("
    "NEW.state = 'queued' AND OLD.state <> 'queued' OR OLD.elsewhere IS NULL AND NEW.elsewhere IS NOT NULL)"
    " EXECUTE FUNCTION card_refund_bounded()"
)
NOW = {
    "adds_up": "refunded >= 0 AND captured >= 0 AND captured <= amount",
    "elsewhere": "returned_elsewhere >= 0 AND returned_elsewhere <= captured",
}
BEFORE = {
    "adds_up": "0 <= refunded AND refunded <= captured AND captured <= amount",
    "elsewhere": "returned_elsewhere >= 0 AND refunded + returned_elsewhere <= captured",
}


def upgrade() -> None:
    _allow(NOW)
    for statement in (FUNCTION, NEW, AGAIN):
        op.execute(statement)


def downgrade() -> None:
    """Rows of which more went back than was captured stay: their checks hold for what is written from now on."""
    op.execute("DROP TRIGGER bounded ON card_refund")
    op.execute("DROP TRIGGER bounded_new ON card_refund")
    op.execute("DROP FUNCTION card_refund_bounded()")
    _allow(BEFORE, " NOT VALID")


def _allow(checks: dict[str, str], how: str = "") -> None:
    for name, check in checks.items():
        op.execute(f"ALTER TABLE payment DROP CONSTRAINT ck_payment_{name}")
        op.execute(f"ALTER TABLE payment ADD CONSTRAINT ck_payment_{name} CHECK ({check}){how}")
