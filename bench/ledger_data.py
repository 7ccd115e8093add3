"""Points for the ledger's benchmarks: members by number, and histories of any length made set by set.

The chains are what the triggers would have made, only faster: one statement a round over all members, with the triggers
off. Nothing is told of what the points were given for: `ledger_history` makes books that verify is content with.
"""

from __future__ import annotations

import uuid

import psycopg

PREFIX = "01900000-0000-7000-8000-"
MEMBER = f"('{PREFIX}' || lpad(to_hex(n), 12, '0'))::uuid"
GRANT = 1_000_000_000

PEOPLE = f"""
  INSERT INTO customer (id, email, name, password_hash, created_at)
  SELECT {MEMBER}, 'member' || n || '@bench.example', 'Member ' || n, '!', now()
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n;
  INSERT INTO points_account (customer_id)
  SELECT {MEMBER} FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n;
"""
MEMBERS = f"""{PEOPLE}
  INSERT INTO points_lot (id, customer_id, origin_type, origin_id, created_at)
  SELECT {MEMBER}, {MEMBER}, 'adjustment', 'bench', now()
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n;
"""
ROUND = f"""
  WITH tx AS (
    INSERT INTO points_tx (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, created_at)
    SELECT uuidv7(), {MEMBER}, 'adjust', 'bench:' || %(round)s, 'rule', 'bench', 'system:bench', 'Bench',
           now() - make_interval(mins => 1000000 - %(round)s)
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    RETURNING *
  ), entries AS (
    INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
    SELECT id, leg.line, customer_id, leg.account, customer_id, leg.sign * %(points)s::bigint
      FROM tx CROSS JOIN (VALUES (1, 'adjusted', -1), (2, 'available', 1)) AS leg(line, account, sign)
  )
  INSERT INTO points_chain
    (customer_id, seq, tx_id, delta, available_after, held_after, pending_after, debt_after, hash)
  SELECT tx.customer_id, %(round)s, tx.id, %(points)s, coalesce(p.available_after, 0) + %(points)s, 0, 0, 0,
         sha256(coalesce(p.hash, decode(repeat('00', 32), 'hex')) || convert_to(jsonb_build_array(
           tx.customer_id, %(round)s::bigint, tx.id, tx.kind, tx.idem_key, tx.ref_type, tx.ref_id, tx.actor,
           tx.description, tx.meta::text, (extract(epoch FROM tx.created_at) * 1000000)::bigint,
           jsonb_build_array(
             jsonb_build_array(1, 'adjusted', tx.customer_id, -%(points)s::bigint),
             jsonb_build_array(2, 'available', tx.customer_id, %(points)s::bigint)))::text, 'UTF8'))
    FROM tx LEFT JOIN points_chain p ON p.customer_id = tx.customer_id AND p.seq = %(round)s - 1
"""
CLOSE = """
  UPDATE points_account a SET available = c.available_after, version = c.seq, head = c.hash
    FROM points_chain c WHERE c.customer_id = a.customer_id AND c.seq = %(rounds)s;
  UPDATE points_lot l SET granted = a.available, available = a.available
    FROM points_account a WHERE a.customer_id = l.customer_id;
"""
TABLES = ("points_tx", "points_entry", "points_chain", "points_account", "points_lot")


def member(number: int) -> uuid.UUID:
    """The id of member `number`, from 1."""
    return uuid.UUID(f"{PREFIX}{number:012x}")


def fill(owner: psycopg.Connection, *, members: int, rounds: int = 1, points: int = GRANT) -> None:
    """`members` with `rounds` transactions of two entries each; `owner` is an autocommit connection."""
    with owner.transaction(), psycopg.ClientCursor(owner) as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(MEMBERS, {"first": 1, "last": members})
        for number in range(1, rounds + 1):
            cursor.execute(ROUND, {"first": 1, "last": members, "round": number, "points": points})
        cursor.execute(CLOSE, {"rounds": rounds})
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    for table in (*TABLES, "customer"):
        owner.execute(f"VACUUM ANALYZE {table}")
