"""The ledger's probes: every balance, lot, hold and chain recomputed from the entries, in sets.

Each statement reads the entries once, in the order of an index or by hashing, so that 10 million of them take
minutes and little memory. `app.audit.verification.run` runs them.
"""

from __future__ import annotations

from app.audit.verification import Probe, flagged
from app.rewards.service.verify_earned import EARNED, TIERS
from app.rewards.service.verify_lots import LOT_SOURCES
from app.rewards.service.verify_moves import ALLOWED, MOVED
from app.rewards.service.verify_sources import BONUSES, RULES, SOURCES
from app.rewards.service.verify_staff import STAFF

_BROKEN_TRANSACTIONS = flagged(
    ref="x.id::text",
    rows="""points_tx x
        LEFT JOIN legs e ON e.tx_id = x.id
        LEFT JOIN points_chain c ON c.tx_id = x.id
        LEFT JOIN points_chain p ON p.customer_id = c.customer_id AND p.seq = c.seq - 1""",
    checks={
        "entries_balance": "e.legs IS NULL OR e.legs < 2 OR e.total <> 0",
        "moves": f"""(e.moved & ~({ALLOWED})) <> 0
            OR (e.transit <> 0 AND x.kind NOT IN ('transfer_out','transfer_in'))""",
        "chain_complete": """c.tx_id IS NULL OR c.customer_id <> x.customer_id
            OR (c.seq > 1 AND p.seq IS NULL) OR c.seq < 1""",
        "chain_balances": """c.available_after <> coalesce(p.available_after, 0) + e.available
            OR c.held_after <> coalesce(p.held_after, 0) + e.held
            OR c.pending_after <> coalesce(p.pending_after, 0) + e.pending
            OR c.debt_after <> coalesce(p.debt_after, 0) + e.debt
            OR c.delta <> e.available + e.held""",
        "chain_hashes": """c.hash <> sha256(coalesce(p.hash, decode(repeat('00', 32), 'hex')) || convert_to(
            jsonb_build_array(x.customer_id, c.seq, x.id, x.kind, x.idem_key, x.ref_type, x.ref_id, x.actor,
              x.description, x.meta::text, (extract(epoch FROM x.created_at) * 1000000)::bigint,
              e.entries)::text, 'UTF8'))""",
    },
)
TRANSACTIONS = Probe(
    checks={
        "entries_balance": "a transaction has two or more entries and they sum to zero",
        "moves": "a transaction moves points between the accounts that its kind has, and leaves none on the way",
        "chain_complete": "every transaction has its place in its customer's chain",
        "chain_balances": "the balances after each transaction follow from the entries and the ones before",
        "chain_hashes": "the hash of each link is the hash of its transaction, its entries and the link before",
    },
    examined="SELECT count(*) FROM points_tx",
    sql=f"""
      WITH legs AS (
        SELECT tx_id, count(*) AS legs, sum(amount) AS total, {MOVED} AS moved,
               coalesce(sum(amount) FILTER (WHERE account = 'transit'), 0) AS transit,
               coalesce(sum(amount) FILTER (WHERE account = 'available'), 0) AS available,
               coalesce(sum(amount) FILTER (WHERE account = 'held'), 0) AS held,
               coalesce(sum(amount) FILTER (WHERE account = 'pending'), 0) AS pending,
               coalesce(sum(amount) FILTER (WHERE account = 'debt'), 0) AS debt,
               jsonb_agg(jsonb_build_array(line, account, lot_id, amount) ORDER BY line) AS entries
          FROM points_entry GROUP BY tx_id
      )
      {_BROKEN_TRANSACTIONS}
    """,  # noqa: S608 (our own words)
)

ACCOUNTS = Probe(
    checks={
        "balances": "available, held, pending and debt of each account are the sums of its entries",
        "no_overdraw": "no balance is below zero, and no debt above",
        "versions": "an account's version counts its transactions and its head is the hash of the last",
        "lots_match": "available and held of each account are the sums over its lots",
        "holds_match": "held of each account is the sum of its active holds",
        "earnings_match": "pending of each account is what its pending earnings still promise",
    },
    examined="SELECT count(*) FROM points_account",
    sql="""
      SELECT flag.name, coalesce(a.customer_id, e.customer_id)::text
        FROM points_account a
        FULL JOIN (
          SELECT customer_id,
                 coalesce(sum(amount) FILTER (WHERE account = 'available'), 0) AS available,
                 coalesce(sum(amount) FILTER (WHERE account = 'held'), 0) AS held,
                 coalesce(sum(amount) FILTER (WHERE account = 'pending'), 0) AS pending,
                 coalesce(sum(amount) FILTER (WHERE account = 'debt'), 0) AS debt
            FROM points_entry GROUP BY customer_id) e ON e.customer_id = a.customer_id
        LEFT JOIN (
          SELECT customer_id, count(*) AS links, min(seq) AS first, max(seq) AS last
            FROM points_chain GROUP BY customer_id) c ON c.customer_id = a.customer_id
        LEFT JOIN points_chain head ON head.customer_id = a.customer_id AND head.seq = a.version
        LEFT JOIN (
          SELECT customer_id, sum(available) AS available, sum(held) AS held
            FROM points_lot GROUP BY customer_id) l ON l.customer_id = a.customer_id
        LEFT JOIN (
          SELECT customer_id, sum(amount) AS held
            FROM points_hold WHERE state = 'active' GROUP BY customer_id) h ON h.customer_id = a.customer_id
        LEFT JOIN (
          SELECT customer_id, sum(points - taken_back) AS pending
            FROM points_earning WHERE state = 'pending' GROUP BY customer_id) w ON w.customer_id = a.customer_id
       CROSS JOIN LATERAL (VALUES
         ('balances', a.available IS DISTINCT FROM coalesce(e.available, 0)
            OR a.held <> coalesce(e.held, 0) OR a.pending <> coalesce(e.pending, 0)
            OR a.debt <> coalesce(e.debt, 0)),
         ('no_overdraw', a.available < 0 OR a.held < 0 OR a.pending < 0 OR a.debt > 0),
         ('versions', a.version <> coalesce(c.links, 0)
            OR (a.version > 0 AND (c.first <> 1 OR c.last <> a.version OR head.hash IS DISTINCT FROM a.head))
            OR (a.version = 0 AND a.head <> decode(repeat('00', 32), 'hex'))),
         ('lots_match', a.available <> coalesce(l.available, 0) OR a.held <> coalesce(l.held, 0)),
         ('holds_match', a.held <> coalesce(h.held, 0)),
         ('earnings_match', a.pending <> coalesce(w.pending, 0))
       ) AS flag(name, broken)
       WHERE flag.broken
    """,
)

LOTS = Probe(
    checks={
        "lots": "granted, available, held, spent, expired and taken of each lot are the sums of its entries",
        "lots_add_up": "a lot's granted points are all accounted for, and none of its parts is below zero",
    },
    examined="SELECT count(*) FROM points_lot",
    sql="""
      SELECT flag.name, l.id::text
        FROM points_lot l
        LEFT JOIN (
          SELECT lot_id,
                 -coalesce(sum(amount) FILTER (WHERE amount < 0
                    AND account IN ('issued','pending','adjusted','transit')), 0) AS granted,
                 coalesce(sum(amount) FILTER (WHERE account = 'available'), 0) AS available,
                 coalesce(sum(amount) FILTER (WHERE account = 'held'), 0) AS held,
                 coalesce(sum(amount) FILTER (WHERE account = 'redeemed'), 0) AS spent,
                 coalesce(sum(amount) FILTER (WHERE account = 'expired'), 0) AS expired,
                 coalesce(sum(amount) FILTER (WHERE account = 'clawback'
                    OR (amount > 0 AND account IN ('issued','pending','adjusted','transit'))), 0) AS taken
            FROM points_entry WHERE lot_id IS NOT NULL GROUP BY lot_id) e ON e.lot_id = l.id
       CROSS JOIN LATERAL (VALUES
         ('lots', (l.granted, l.available, l.held, l.spent, l.expired, l.taken) IS DISTINCT FROM
            (coalesce(e.granted, 0), coalesce(e.available, 0), coalesce(e.held, 0), coalesce(e.spent, 0),
             coalesce(e.expired, 0), coalesce(e.taken, 0))),
         ('lots_add_up', l.granted <> l.available + l.held + l.spent + l.expired + l.taken
            OR least(l.granted, l.available, l.held, l.spent, l.expired, l.taken) < 0)
       ) AS flag(name, broken)
       WHERE flag.broken
    """,
)

HOLDS = Probe(
    checks={
        "hold_entries": "a hold moved exactly its amount to held, and what ended it moved the same out again",
        "hold_ends": "a captured hold has one capture, a released one one release, an active one neither",
        "one_live_hold": "no order has two holds that are active or captured",
    },
    examined="SELECT count(*) FROM points_hold",
    sql="""
      WITH ends AS (
        SELECT h.id, h.order_id, h.state, h.amount,
               (SELECT coalesce(sum(e.amount), 0) FROM points_entry e
                 WHERE e.tx_id = h.tx_id AND e.account = 'held') AS moved,
               c.id AS captured, r.id AS released,
               (SELECT -coalesce(sum(e.amount), 0) FROM points_entry e
                 WHERE e.tx_id = coalesce(c.id, r.id) AND e.account = 'held') AS ended
          FROM points_hold h
          LEFT JOIN points_tx c ON c.customer_id = h.customer_id AND c.idem_key = 'capture:' || h.id
          LEFT JOIN points_tx r ON r.customer_id = h.customer_id AND r.idem_key = 'release:' || h.id
      )
      SELECT flag.name, h.id::text FROM ends h
       CROSS JOIN LATERAL (VALUES
         ('hold_entries', h.moved <> h.amount OR h.ended <> CASE h.state WHEN 'active' THEN 0 ELSE h.amount END),
         ('hold_ends', (h.captured IS NOT NULL) <> (h.state = 'captured')
            OR (h.released IS NOT NULL) <> (h.state = 'released'))
       ) AS flag(name, broken)
       WHERE flag.broken
      UNION ALL
      SELECT 'one_live_hold', order_id::text FROM points_hold WHERE state <> 'released'
       GROUP BY order_id HAVING count(*) > 1
    """,
)

PROGRAMME = Probe(
    checks={
        "programme_zero": "all entries together sum to zero",
        "nothing_in_transit": "no points are stuck between two members or lots",
    },
    examined="SELECT count(*) FROM points_entry",
    sql="""
      SELECT name, amount::text FROM (
        SELECT sum(amount) AS total, coalesce(sum(amount) FILTER (WHERE account = 'transit'), 0) AS transit
          FROM points_entry) AS sums
       CROSS JOIN LATERAL (VALUES ('programme_zero', total), ('nothing_in_transit', transit)) AS v(name, amount)
       WHERE amount <> 0
    """,
)

LEDGER: tuple[Probe, ...] = (
    PROGRAMME,
    TRANSACTIONS,
    SOURCES,
    ACCOUNTS,
    LOTS,
    LOT_SOURCES,
    HOLDS,
    EARNED,
    BONUSES,
    TIERS,
    STAFF,
    RULES,
)
