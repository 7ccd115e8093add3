"""Where each lot came from, and how long its points may live: held against the posting that made it.

A lot may live longer than it was given: activity extends it, where a version of the rules says so. That is bounded
here, not recomputed. Nor is the life of a lot whose earning was taken back and booked again: the longest that any
version gives is what counts there.
"""

from __future__ import annotations

from app.audit.verification import Probe, flagged

# A moment that one clock reading made and another reading of the same transaction noted.
SLACK = "interval '1 minute'"
_BROKEN = flagged(
    ref="l.id::text",
    rows="life l",
    checks={
        "lot_origins": """l.tx_id IS NULL OR l.spendable_from IS DISTINCT FROM l.cooled
            OR (l.parent_lot_id IS NULL) <> (l.left_from IS NULL)
            OR (l.kind IN ('transfer_in','release','refund') AND l.parent_lot_id IS NULL)
            OR (l.is_guess AND EXISTS (
              SELECT FROM points_tx x JOIN points_earning e ON e.customer_id = x.customer_id
                 AND e.state = 'confirmed' AND split_part(x.idem_key, ':', 2) = e.id::text
               CROSS JOIN (VALUES (-1), (0), (1)) AS off(by)
               WHERE x.id = l.tx_id AND split_part(x.idem_key, ':', 3)
                     = ((extract(epoch FROM e.confirms_at) * 1000000)::bigint + off.by)::text))""",
        "lot_lives": f"""CASE
            WHEN l.tx_id IS NULL THEN false
            WHEN l.parent_lot_id IS NULL THEN
              (NOT l.is_guess AND l.ends < coalesce(l.given, 'infinity') - {SLACK})
              OR l.ends > greatest(coalesce(l.given, 'infinity'), l.extended) + {SLACK}
            WHEN l.kind = 'transfer_in' THEN
              (l.ends = 'infinity') <> (l.parent_ends = 'infinity') OR l.ends < l.cooled
              OR l.ends > greatest(l.given, l.parent_ends, l.extended) + {SLACK}
            ELSE l.ends > greatest(l.given, l.extended) + {SLACK} END""",
    },
)
LOT_SOURCES = Probe(
    checks={
        "lot_origins": "a lot was made by a posting of its customer, and says for what, out of which lot and from when;"
        " an earning says its own",
        "lot_lives": "a lot's points live as long as its source and the rules give, and no longer",
    },
    examined="SELECT count(*) FROM points_lot",
    sql=f"""
      WITH longest AS (
        SELECT make_interval(days => coalesce(max((body ->> 'release_grace_days')::int), 0)) AS grace,
               make_interval(days => max((body -> 'expiry' ->> 'activity_extends_days')::int)) AS active,
               CASE WHEN bool_or(body -> 'earn' -> 'lot_days' = 'null') THEN NULL
                    ELSE make_interval(days => max((body -> 'earn' ->> 'lot_days')::int)) END AS earned
          FROM rewards_rules
      ), active AS (
        SELECT customer_id, max(created_at) AS at FROM points_tx, longest
         WHERE kind IN ('earn','capture') AND longest.active IS NOT NULL GROUP BY customer_id
      ), granted AS (
        SELECT DISTINCT lot_id, tx_id FROM points_entry
         WHERE amount < 0 AND account IN ('issued','pending','adjusted','transit') AND lot_id IS NOT NULL
      ), moved AS (
        SELECT DISTINCT lot_id, tx_id FROM points_entry WHERE amount > 0 AND account = 'transit'
        UNION
        SELECT e.lot_id, u.id FROM points_tx u JOIN points_entry e
            ON e.tx_id = CASE WHEN u.meta ->> 'reverses' ~ '^[0-9a-f-]{{36}}$' THEN (u.meta ->> 'reverses')::uuid END
           AND e.account = 'available' AND e.amount < 0
         WHERE u.kind = 'adjust' AND u.meta ? 'reverses'
      ), made AS (
        SELECT g.lot_id, x.id AS tx_id, x.kind, x.ref_type, x.ref_id, x.created_at
          FROM granted g JOIN points_tx x ON x.id = g.tx_id
      ), life AS (
        SELECT l.id, l.parent_lot_id, l.spendable_from, coalesce(l.expires_at, 'infinity') AS ends, l.customer_id,
               m.tx_id, m.kind, t.spendable_from AS cooled, o.lot_id AS left_from,
               coalesce(p.expires_at, 'infinity') AS parent_ends,
               CASE WHEN m.kind = 'earn_confirm' THEN m.created_at
                      + CASE WHEN r.version IS NULL THEN longest.earned
                             ELSE make_interval(days => (r.body -> 'earn' ->> 'lot_days')::int) END
                    WHEN l.parent_lot_id IS NOT NULL THEN coalesce(t.spendable_from, m.created_at) + longest.grace
                    WHEN m.kind = 'adjust' THEN a.points_expire_at END AS given,
               m.kind = 'earn_confirm' AND r.version IS NULL AS is_guess, active.at + longest.active AS extended
          FROM points_lot l CROSS JOIN longest
          LEFT JOIN made m ON m.lot_id = l.id AND m.created_at = l.created_at AND m.ref_id = l.origin_id
           AND l.origin_type = CASE WHEN m.kind IN ('release','refund') THEN 'refund' ELSE m.ref_type END
          LEFT JOIN points_lot p ON p.id = l.parent_lot_id
          LEFT JOIN points_transfer t ON m.kind = 'transfer_in' AND t.id::text = m.ref_id
          LEFT JOIN points_tx sent ON sent.customer_id = t.sender_id AND sent.idem_key = 'transfer:' || t.id
          LEFT JOIN moved o ON o.lot_id = l.parent_lot_id AND o.tx_id = coalesce(sent.id, m.tx_id)
          LEFT JOIN points_adjustment a ON m.kind = 'adjust' AND a.tx_id = m.tx_id
          LEFT JOIN points_earning e ON m.kind = 'earn_confirm' AND e.lot_id = l.id
          LEFT JOIN rewards_rules r ON r.version = e.rules_version
          LEFT JOIN active ON active.customer_id = l.customer_id
      )
      {_BROKEN}
    """,  # noqa: S608 (our own words)
)
