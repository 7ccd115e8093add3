"""What the database itself refuses, and what its triggers keep: the second wall behind the code.

`app/**/states.py` and `rules.py` hold the same state tables for the code; tests/services compares both.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATES = {
    # table: (column, states a row may be born in, edges)
    "orders": (
        "status",
        "payment_pending paid",
        (
            "payment_pending>paid payment_pending>payment_failed payment_pending>cancelled payment_pending>needs_review "
            "payment_failed>payment_pending payment_failed>paid payment_failed>cancelled payment_failed>needs_review "
            "cancelled>needs_review needs_review>refunded needs_review>paid "
            "paid>packed paid>cancelled paid>refunded paid>shipped packed>shipped packed>cancelled packed>refunded "
            "shipped>delivered shipped>refunded delivered>refunded"
        ),
    ),
    "payment": (
        "state",
        "submitting",
        (
            "submitting>unknown submitting>requires_action submitting>authorized submitting>captured "
            "submitting>declined submitting>canceled requires_action>unknown requires_action>authorized "
            "requires_action>captured requires_action>declined requires_action>canceled unknown>requires_action "
            "unknown>authorized unknown>captured unknown>declined unknown>canceled authorized>captured "
            "authorized>canceled authorized>unknown declined>captured canceled>captured"
        ),
    ),
    "points_hold": ("state", "active", "active>captured active>released"),
    "points_earning": ("state", "pending", "pending>confirmed pending>cancelled confirmed>cancelled"),
    "points_adjustment": (
        "state",
        "awaiting_approval applied",
        "awaiting_approval>applied awaiting_approval>rejected awaiting_approval>expired",
    ),
    "stock_reservation": ("state", "active committed", "active>committed active>released committed>released"),
    "idempotency_key": ("state", "in_progress finished", "in_progress>finished"),
    "webhook_inbox": (
        "state",
        "received",
        "received>processed received>ignored received>dead dead>received",
    ),
    "card_refund": (
        "state",
        "queued",
        (
            "queued>succeeded queued>failed queued>unknown unknown>succeeded unknown>failed failed>queued "
            "failed>succeeded"
        ),
    ),
    "order_refund": ("state", "running done", "running>done running>stuck stuck>running stuck>done"),
    "reconciliation_issue": ("state", "open", "open>auto_fixed open>resolved auto_fixed>open resolved>open"),
}
APPEND_ONLY = ("points_tx", "points_entry", "points_chain", "audit_log", "order_event", "rewards_rules")
CLOSED_TO_THE_APP = {
    # table: columns that the shop's role may update; everything else of these tables only grows, by trigger
    "points_account": ("tier", "tier_until", "lifetime_earned"),
    "points_lot": ("expires_at",),
}

FUNCTIONS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23001';
END $$;

CREATE FUNCTION only_edges() RETURNS trigger LANGUAGE plpgsql AS $$
-- TG_ARGV: column, starts (space separated), edges "a>b" (space separated)
DECLARE
  was text := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) ->> TG_ARGV[0] END;
  becomes text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NOT becomes = ANY (string_to_array(TG_ARGV[1], ' ')) THEN
      RAISE EXCEPTION '%: no row starts as %', TG_TABLE_NAME, becomes
        USING ERRCODE = '23514', CONSTRAINT = TG_TABLE_NAME || '_starts';
    END IF;
  ELSIF was IS DISTINCT FROM becomes AND NOT was || '>' || becomes = ANY (string_to_array(TG_ARGV[2], ' ')) THEN
    RAISE EXCEPTION '%: % cannot become %', TG_TABLE_NAME, was, becomes
      USING ERRCODE = '23514', CONSTRAINT = TG_TABLE_NAME || '_edges';
  END IF;
  RETURN NEW;
END $$;

-- The ledger. Entries of a transaction come in one statement, sum to zero, and move the balances: nothing else
-- does. Runs as the owner, because the shop's role may not write balances. Lock: the customer's account row.
CREATE FUNCTION points_apply_entries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  t record;
  a record;
  link bytea;
BEGIN
  FOR t IN
    SELECT x.id, x.customer_id, x.kind, x.idem_key, x.ref_type, x.ref_id, x.actor, x.created_at,
           count(*) AS legs, sum(e.amount) AS total,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'available'), 0) AS available,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'held'), 0) AS held,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'pending'), 0) AS pending,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'debt'), 0) AS debt,
           jsonb_agg(jsonb_build_array(e.line, e.account, e.lot_id, e.amount) ORDER BY e.line) AS entries
      FROM new_entries e JOIN points_tx x ON x.id = e.tx_id
     GROUP BY x.id ORDER BY x.customer_id, x.id
  LOOP
    IF t.legs < 2 OR t.total <> 0 THEN
      RAISE EXCEPTION 'points_tx % does not balance', t.id
        USING ERRCODE = '23514', CONSTRAINT = 'points_tx_balanced';
    END IF;
    IF (SELECT count(*) FROM points_entry WHERE tx_id = t.id) <> t.legs THEN
      RAISE EXCEPTION 'points_tx % is closed', t.id USING ERRCODE = '23001', CONSTRAINT = 'points_tx_closed';
    END IF;
    SELECT * INTO STRICT a FROM points_account WHERE customer_id = t.customer_id FOR UPDATE;
    link := sha256(a.head || convert_to(jsonb_build_array(
      t.customer_id, a.version + 1, t.id, t.kind, t.idem_key, t.ref_type, t.ref_id, t.actor,
      (extract(epoch FROM t.created_at) * 1000000)::bigint, t.entries)::text, 'UTF8'));
    UPDATE points_account
       SET available = a.available + t.available, held = a.held + t.held, pending = a.pending + t.pending,
           debt = a.debt + t.debt, version = a.version + 1, head = link
     WHERE customer_id = t.customer_id;
    INSERT INTO points_chain
      (customer_id, seq, tx_id, delta, available_after, held_after, pending_after, debt_after, hash)
    VALUES (t.customer_id, a.version + 1, t.id, t.available + t.held, a.available + t.available,
            a.held + t.held, a.pending + t.pending, a.debt + t.debt, link);
  END LOOP;
  UPDATE points_lot l
     SET granted = l.granted + d.granted, available = l.available + d.available, held = l.held + d.held,
         spent = l.spent + d.spent, expired = l.expired + d.expired, taken = l.taken + d.taken
    FROM (SELECT lot_id,
                 -coalesce(sum(amount) FILTER (WHERE amount < 0
                    AND account IN ('issued','pending','adjusted','transit')), 0) AS granted,
                 coalesce(sum(amount) FILTER (WHERE account = 'available'), 0) AS available,
                 coalesce(sum(amount) FILTER (WHERE account = 'held'), 0) AS held,
                 coalesce(sum(amount) FILTER (WHERE account = 'redeemed'), 0) AS spent,
                 coalesce(sum(amount) FILTER (WHERE account = 'expired'), 0) AS expired,
                 coalesce(sum(amount) FILTER (WHERE account = 'clawback'
                    OR (amount > 0 AND account IN ('issued','pending','adjusted','transit'))), 0) AS taken
            FROM new_entries WHERE lot_id IS NOT NULL GROUP BY lot_id) d
   WHERE l.id = d.lot_id;
  RETURN NULL;
END $$;

CREATE FUNCTION points_tx_has_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM points_entry WHERE tx_id = NEW.id) THEN
    RAISE EXCEPTION 'points_tx % has no entries', NEW.id
      USING ERRCODE = '23514', CONSTRAINT = 'points_tx_balanced';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION points_account_starts_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.available <> 0 OR NEW.held <> 0 OR NEW.pending <> 0 OR NEW.debt <> 0 OR NEW.version <> 0 THEN
    RAISE EXCEPTION 'a points account starts empty'
      USING ERRCODE = '23514', CONSTRAINT = 'points_account_starts_empty';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION points_lot_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.granted <> 0 OR NEW.available <> 0 OR NEW.held <> 0 OR NEW.spent <> 0 OR NEW.expired <> 0
       OR NEW.taken <> 0 THEN
      RAISE EXCEPTION 'a lot is filled by its entries'
        USING ERRCODE = '23514', CONSTRAINT = 'points_lot_starts_empty';
    END IF;
  ELSIF NEW.customer_id <> OLD.customer_id OR (NEW.expires_at IS NOT NULL AND OLD.expires_at IS NULL)
     OR NEW.expires_at < OLD.expires_at THEN
    RAISE EXCEPTION 'a lot keeps its owner and never expires earlier'
      USING ERRCODE = '23001', CONSTRAINT = 'points_lot_fixed';
  END IF;
  RETURN NEW;
END $$;

-- Balances and lots say the same, checked once more when the transaction commits.
CREATE FUNCTION points_lots_match() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE a record; l record;
BEGIN
  SELECT available, held INTO a FROM points_account WHERE customer_id = NEW.customer_id;
  SELECT coalesce(sum(available), 0) AS available, coalesce(sum(held), 0) AS held INTO l
    FROM points_lot WHERE customer_id = NEW.customer_id AND (available > 0 OR held > 0);
  IF a.available <> l.available OR a.held <> l.held THEN
    RAISE EXCEPTION 'lots of customer % do not match the balance', NEW.customer_id
      USING ERRCODE = '23514', CONSTRAINT = 'points_lots_match';
  END IF;
  RETURN NULL;
END $$;

-- The audit chain is per target: two unrelated writes never wait for each other.
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE last record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.target_type || ':' || NEW.target_id, 7301));
  SELECT seq, hash INTO last FROM audit_log
   WHERE target_type = NEW.target_type AND target_id = NEW.target_id ORDER BY seq DESC LIMIT 1;
  NEW.seq := coalesce(last.seq, 0) + 1;
  NEW.prev_hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
  NEW.hash := sha256(NEW.prev_hash || convert_to((to_jsonb(NEW) - 'hash' - 'prev_hash')::text, 'UTF8'));
  RETURN NEW;
END $$;

CREATE FUNCTION order_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;

-- Availability is copied to variant and product only when the word changes, so that selling a unit of something
-- plentiful touches no product row. Five or fewer left is "low".
CREATE FUNCTION availability_of(sellable bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN sellable <= 0 THEN 'sold_out' WHEN sellable <= 5 THEN 'low_stock' ELSE 'in_stock' END $$;

CREATE FUNCTION stock_availability() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  becomes text := availability_of(NEW.on_hand - NEW.reserved);
  owner_id uuid;
BEGIN
  IF TG_OP = 'UPDATE' AND becomes = availability_of(OLD.on_hand - OLD.reserved) THEN RETURN NULL; END IF;
  UPDATE variant SET availability = becomes WHERE id = NEW.variant_id RETURNING product_id INTO owner_id;
  UPDATE product p SET availability = v.best, updated_at = now()
    FROM (SELECT CASE WHEN bool_or(availability = 'in_stock') THEN 'in_stock'
                      WHEN bool_or(availability = 'low_stock') THEN 'low_stock' ELSE 'sold_out' END AS best
            FROM variant WHERE product_id = owner_id AND is_active) v
   WHERE p.id = owner_id AND p.availability <> v.best;
  RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER apply_entries AFTER INSERT ON points_entry REFERENCING NEW TABLE AS new_entries
  FOR EACH STATEMENT EXECUTE FUNCTION points_apply_entries();
CREATE CONSTRAINT TRIGGER has_entries AFTER INSERT ON points_tx DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION points_tx_has_entries();
CREATE TRIGGER starts_empty BEFORE INSERT ON points_account
  FOR EACH ROW EXECUTE FUNCTION points_account_starts_empty();
CREATE TRIGGER fixed BEFORE INSERT OR UPDATE ON points_lot FOR EACH ROW EXECUTE FUNCTION points_lot_fixed();
CREATE CONSTRAINT TRIGGER lots_match AFTER INSERT OR UPDATE ON points_account DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION points_lots_match();
CREATE CONSTRAINT TRIGGER lots_match AFTER INSERT OR UPDATE ON points_lot DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION points_lots_match();
CREATE TRIGGER chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_chain();
CREATE CONSTRAINT TRIGGER adds_up AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION order_adds_up();
CREATE TRIGGER availability AFTER INSERT OR UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION stock_availability();
"""

FUNCTION_NAMES = (
    "refuse_change()",
    "only_edges()",
    "points_apply_entries()",
    "points_tx_has_entries()",
    "points_account_starts_empty()",
    "points_lot_fixed()",
    "points_lots_match()",
    "audit_chain()",
    "order_adds_up()",
    "stock_availability()",
    "availability_of(bigint)",
)

ROLE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'shop_app') THEN
    CREATE ROLE shop_app NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of the cluster was quicker
END $$;
DO $$ BEGIN
  EXECUTE format('GRANT shop_app TO %I', current_user);  -- so that one login can serve for everything
EXCEPTION WHEN OTHERS THEN
  IF NOT pg_has_role(current_user, 'shop_app', 'MEMBER') THEN RAISE; END IF;
END $$;
"""

GRANTS = """
GRANT USAGE ON SCHEMA public TO shop_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO shop_app;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM shop_app;
REVOKE INSERT ON points_chain FROM shop_app;
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)
    for table, (column, starts, edges) in STATES.items():
        op.execute(
            f"CREATE TRIGGER only_edges BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION only_edges('{column}', '{starts}', '{edges}')"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER never_truncated BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION refuse_change()"
        )
    op.execute(ROLE)
    op.execute(GRANTS)
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM shop_app")
    for table, columns in CLOSED_TO_THE_APP.items():
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM shop_app")
        op.execute(f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO shop_app")


def downgrade() -> None:
    op.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM shop_app"
    )
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM shop_app")
    op.execute("REVOKE ALL ON SCHEMA public FROM shop_app")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only ON {table}")
        op.execute(f"DROP TRIGGER never_truncated ON {table}")
    for table in STATES:
        op.execute(f"DROP TRIGGER only_edges ON {table}")
    for name, table in (
        ("apply_entries", "points_entry"),
        ("has_entries", "points_tx"),
        ("starts_empty", "points_account"),
        ("fixed", "points_lot"),
        ("lots_match", "points_account"),
        ("lots_match", "points_lot"),
        ("chain", "audit_log"),
        ("adds_up", "orders"),
        ("availability", "stock"),
    ):
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for function in FUNCTION_NAMES:
        op.execute(f"DROP FUNCTION {function}")
