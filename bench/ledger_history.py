"""Years of a shop, set by set: members with gifts, orders that points and card paid, and what these earned.

The rows are what the shop's own verbs and triggers would have left, hash chains, audit log and a seal included
(`flask rewards verify` says so), only faster: one statement a step over all members, with the triggers off. A cycle is
five transactions of two entries each and two lots: a gift, an order that holds and spends points of it, what it earned,
its confirmation.
"""

from __future__ import annotations

import psycopg

from app.rewards.service.given import NOBODY
from bench.ledger_data import MEMBER, PEOPLE

STEPS = 5
CYCLE_DAYS = 35  # the return window of the first version, and a little
GIFT, SPENT, EARNED, CARD = 100, 60, 7, 700
WHO = "FROM generate_series(1, %(members)s::bigint) AS n"


def _id(tag: str) -> str:
    """The id of a member's thing in this cycle."""
    tail = "lpad(to_hex(n), 12, '0')"
    return f"('01900000-{tag}-7' || lpad(to_hex(%(cycle)s::int), 3, '0') || '-8000-' || {tail})::uuid"


ORDER, HOLD, EARNING, ADJUSTMENT, PAYMENT = (_id(tag) for tag in ("00a1", "00a2", "00a3", "00a4", "00a5"))
GIFT_LOT, EARNED_LOT = _id("00b1"), _id("00b2")
NUMBER = "('B' || %(cycle)s::int || '-' || n)"
BEGUN = f"(%(begun)s::timestamptz + make_interval(days => %(cycle)s::int * {CYCLE_DAYS}))"
PAID = f"({BEGUN} + interval '1 hour')"
CONFIRMED = f"({PAID} + interval '30 days')"
PARTS = f"""'[{{"rule": "base", "label": "", "points": {EARNED}, "dry_run": false}}]'::jsonb"""
BREAKDOWN = f"""jsonb_build_object(
  'card', {CARD}, 'currency', 'HKD', 'tier', 'member', 'priced_at', {PAID}, 'parts', {PARTS})"""

SHELF = """
  INSERT INTO brand (id, slug, name) VALUES ('01900000-00c1-7000-8000-000000000000', 'bench', 'Bench');
  INSERT INTO category (id, slug, name, path)
  VALUES ('01900000-00c2-7000-8000-000000000000', 'bench', 'Bench', 'bench');
  INSERT INTO product (id, slug, name, brand_id, category_id, currency, price, created_at, updated_at)
  VALUES ('01900000-00c3-7000-8000-000000000000', 'bench', 'Bench', '01900000-00c1-7000-8000-000000000000',
          '01900000-00c2-7000-8000-000000000000', 'HKD', 1300, now(), now());
  INSERT INTO variant (id, product_id, sku, position, price, currency)
  VALUES ('01900000-00c4-7000-8000-000000000000', '01900000-00c3-7000-8000-000000000000', 'bench', 1, 1300, 'HKD');
  INSERT INTO stock (variant_id, on_hand) VALUES ('01900000-00c4-7000-8000-000000000000', 1000000);
"""
LOTS = f"""
  INSERT INTO points_lot
    (id, customer_id, origin_type, origin_id, granted, available, spent, created_at, expires_at)
  SELECT {GIFT_LOT}, {MEMBER}, 'adjustment', {ADJUSTMENT}::text, {GIFT}, {GIFT - SPENT}, {SPENT}, {BEGUN},
         NULL::timestamptz {WHO}
  UNION ALL
  SELECT {EARNED_LOT}, {MEMBER}, 'order', {NUMBER}, {EARNED}, {EARNED}, 0, {CONFIRMED},
         {CONFIRMED} + interval '1095 days' {WHO}
"""
SOURCES = f"""
  INSERT INTO points_adjustment
    (id, customer_id, points, reason_code, note, state, auto_approved, requested_by, decided_by, tx_id, created_at,
     decided_at)
  SELECT {ADJUSTMENT}, {MEMBER}, {GIFT}, 'goodwill', 'For the benchmark', 'applied', true, '{NOBODY}', '{NOBODY}',
         {_id("0001")}, {BEGUN}, {BEGUN} {WHO};
  INSERT INTO orders
    (id, number, customer_id, checkout_key, status, currency, items_total, shipping, tax, total, points, points_value,
     card_due, earn_points, rules_version, priced_at, earn_breakdown, shipping_method, email, address, placed_at,
     updated_at, paid_at, delivered_at)
  SELECT {ORDER}, {NUMBER}, {MEMBER}, {NUMBER}, 'delivered', 'HKD', {CARD + SPENT * 10}, 0, 0, {CARD + SPENT * 10},
         {SPENT}, {SPENT * 10}, {CARD}, {EARNED}, 1, {PAID}, {PARTS}, 'standard', 'x@bench.example', '{{}}', {PAID},
         {PAID}, {PAID}, {PAID} + interval '2 days' {WHO};
  INSERT INTO order_line
    (order_id, position, variant_id, sku, slug, name, quantity, unit_price, total, extras, points, points_value, card,
     earn_points)
  SELECT {ORDER}, 1, '01900000-00c4-7000-8000-000000000000', 'bench', 'bench', 'Bench', 1, {CARD + SPENT * 10},
         {CARD + SPENT * 10}, 0, {SPENT}, {SPENT * 10}, {CARD}, {EARNED} {WHO};
  INSERT INTO stock_reservation (order_id, variant_id, attempt, quantity, state, created_at, resolved_at)
  SELECT {ORDER}, '01900000-00c4-7000-8000-000000000000', 1, 1, 'committed', {PAID}, {PAID} {WHO};
  INSERT INTO payment
    (id, customer_id, reference, gateway, gateway_ref, method, amount, currency, captured, state, created_at,
     updated_at)
  SELECT {PAYMENT}, {MEMBER}, {NUMBER}, 'sandbox', {NUMBER}, 'token', {CARD}, 'HKD', {CARD}, 'captured', {PAID},
         {PAID} {WHO};
  INSERT INTO points_hold
    (id, customer_id, order_id, order_number, amount, state, tx_id, created_at, expires_at, resolved_at)
  SELECT {HOLD}, {MEMBER}, {ORDER}, {NUMBER}, {SPENT}, 'captured', {_id("0002")}, {PAID}, {PAID}, {PAID} {WHO};
  INSERT INTO order_line_lot (hold_id, order_id, position, lot_id, points)
  SELECT {HOLD}, {ORDER}, 1, {GIFT_LOT}, {SPENT} {WHO};
  INSERT INTO points_earning
    (id, customer_id, source_type, source_id, order_number, points, state, rules_version, breakdown, lot_id,
     created_at, confirms_at, resolved_at)
  SELECT {EARNING}, {MEMBER}, 'order', {ORDER}::text, {NUMBER}, {EARNED}, 'confirmed', 1, {BREAKDOWN}, {EARNED_LOT},
         {PAID}, {CONFIRMED}, {CONFIRMED} {WHO}
"""
AUDIT = f"""
  INSERT INTO audit_log
    (id, at, actor_kind, actor_name, action, target_type, target_id, after, request_id, seq, prev_hash, hash)
  SELECT {_id("00a6")}, {BEGUN}, 'system', 'system:bench', 'points.adjustment_applied', 'customer', {MEMBER}::text,
         jsonb_build_object('adjustment_id', {ADJUSTMENT}, 'points', {GIFT}), 'bench', %(cycle)s::int + 1,
         coalesce(p.hash, decode(repeat('00', 32), 'hex')), ''
    {WHO} LEFT JOIN audit_log p ON p.target_type = 'customer' AND p.target_id = {MEMBER}::text
                               AND p.seq = %(cycle)s::int;
  UPDATE audit_log a SET hash = sha256(prev_hash || convert_to((to_jsonb(a) - 'hash' - 'prev_hash')::text, 'UTF8'))
   WHERE seq = %(cycle)s::int + 1 AND target_type = 'customer'
"""
SOURCE_META = (
    f"jsonb_build_object('source', jsonb_build_array('order', {ORDER}), 'rules_version', 1, 'breakdown', "
)
CONFIRM_KEY = f"'confirm:' || {EARNING} || ':' || (extract(epoch FROM {CONFIRMED}) * 1000000)::bigint"
# kind, key, what it is about, meta, when, out of this account, into that one, of which lot, how many points
TRANSACTIONS = (
    ("adjust", f"'adjustment:' || {ADJUSTMENT}", ("adjustment", f"{ADJUSTMENT}::text"), "'{}'::jsonb", BEGUN,
     "adjusted", "available", GIFT_LOT, GIFT),
    ("hold", f"'hold:' || {HOLD}", ("order", NUMBER), "'{}'::jsonb", PAID, "available", "held", GIFT_LOT, SPENT),
    ("capture", f"'capture:' || {HOLD}", ("order", NUMBER), "'{}'::jsonb", PAID, "held", "redeemed", GIFT_LOT, SPENT),
    ("earn", f"'earn:order:' || {ORDER}", ("order", NUMBER), f"{SOURCE_META}{BREAKDOWN})", PAID, "issued", "pending",
     "NULL::uuid", EARNED),
    ("earn_confirm", CONFIRM_KEY, ("order", NUMBER), "'{}'::jsonb", CONFIRMED, "pending", "available", EARNED_LOT,
     EARNED),
)  # fmt: skip
CLOSE = f"""
  UPDATE points_account a
     SET available = c.available_after, version = c.seq, head = c.hash, lifetime_earned = {EARNED} * %(cycles)s
    FROM points_chain c WHERE c.customer_id = a.customer_id AND c.seq = {STEPS} * %(cycles)s
"""
TABLES = (
    *("points_tx", "points_entry", "points_chain", "points_account", "points_lot", "points_adjustment"),
    *(
        "points_hold",
        "points_earning",
        "orders",
        "order_line",
        "payment",
        "stock_reservation",
        "stock",
        "audit_log",
    ),
)


def fill(owner: psycopg.Connection, *, members: int, cycles: int) -> None:
    """`members` with `cycles` each, under one seal; `owner` is an autocommit connection."""
    with owner.transaction(), psycopg.ClientCursor(owner) as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.execute(
            "SELECT date_trunc('second', now()) - make_interval(days => %s)", (CYCLE_DAYS * cycles,)
        )
        row = cursor.fetchone()
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(SHELF)
        cursor.execute(PEOPLE, {"first": 1, "last": members})
        given = {"members": members, "cycles": cycles, "begun": row and row[0]}
        for cycle in range(cycles):
            cursor.execute(LOTS, {**given, "cycle": cycle})
            for step in range(STEPS):
                cursor.execute(_transaction(step), {**given, "cycle": cycle})
            for statement in (SOURCES, AUDIT):
                cursor.execute(statement, {**given, "cycle": cycle})
        cursor.execute(CLOSE, given)
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    for table in (*TABLES, "customer"):
        owner.execute(f"VACUUM ANALYZE {table}")
    owner.execute("SELECT points_make_seal()")


def _transaction(step: int) -> str:
    kind, key, (ref_type, ref_id), meta, at, source, target, lot, points = TRANSACTIONS[step]
    moved = dict.fromkeys(("available", "held", "pending"), 0)
    for account, amount in ((source, -points), (target, points)):
        if account in moved:
            moved[account] += amount
    seq = f"(%(cycle)s::bigint * {STEPS} + {step + 1})"
    after = ", ".join(f"coalesce(p.{name}_after, 0) + {amount}" for name, amount in moved.items())
    return f"""
      WITH made AS (
        SELECT n, {_id(f"000{step + 1}")} AS id, {MEMBER} AS customer_id, '{kind}' AS kind, {key} AS idem_key,
               '{ref_type}' AS ref_type, {ref_id} AS ref_id, 'system:bench' AS actor, 'Bench' AS description,
               {meta} AS meta, {at} AS created_at, {lot} AS lot_id {WHO}
      ), tx AS (
        INSERT INTO points_tx
          (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, meta, created_at)
        SELECT id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, meta, created_at FROM made
      ), entries AS (
        INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
        SELECT id, leg.line, customer_id, leg.account, lot_id, leg.amount
          FROM made CROSS JOIN (VALUES (1, '{source}', -{points}), (2, '{target}', {points}))
            AS leg(line, account, amount)
      )
      INSERT INTO points_chain
        (customer_id, seq, tx_id, delta, available_after, held_after, pending_after, debt_after, hash)
      SELECT m.customer_id, {seq}, m.id, {moved["available"] + moved["held"]}, {after}, 0,
             sha256(coalesce(p.hash, decode(repeat('00', 32), 'hex')) || convert_to(jsonb_build_array(
               m.customer_id, {seq}, m.id, m.kind, m.idem_key, m.ref_type, m.ref_id, m.actor, m.description,
               m.meta::text, (extract(epoch FROM m.created_at) * 1000000)::bigint,
               jsonb_build_array(jsonb_build_array(1, '{source}', m.lot_id, -{points}),
                                 jsonb_build_array(2, '{target}', m.lot_id, {points})))::text, 'UTF8'))
        FROM made m LEFT JOIN points_chain p ON p.customer_id = m.customer_id AND p.seq = {seq} - 1
    """
