"""Probes that start from the postings: each stands on what it was posted for. Points from nowhere are found here."""

from __future__ import annotations

from app.audit.verification import Probe

SOURCES = Probe(
    checks={
        "from_adjustments": "points that staff added or took stand on an applied adjustment of that customer",
        "from_holds": "points are held, spent and released by a hold of that customer then, under its name",
        "from_transfers": "a transfer that was done took its points from the sender and gave them the recipient then",
        "from_earnings": "what was confirmed is an earning of that customer, and not before its time",
        "from_debts": "a debt was paid with points that a posting of that customer brought, and with as many",
        "from_expiry": "points expire only when the time of their lot has come",
    },
    examined="SELECT count(*) FROM points_tx",
    sql="""
      WITH side AS (
        SELECT id::text AS id, 'transfer_out' AS kind, sender_id AS customer_id, points, resolved_at
          FROM points_transfer WHERE state = 'done'
        UNION ALL
        SELECT id::text, 'transfer_in', recipient_id, -points, resolved_at FROM points_transfer WHERE state = 'done'
      ), sent AS (
        SELECT x.id, x.kind, x.customer_id, x.ref_id, x.idem_key, x.created_at, sum(e.amount) AS points
          FROM points_tx x JOIN points_entry e ON e.tx_id = x.id AND e.account = 'transit'
         WHERE x.kind IN ('transfer_out','transfer_in') GROUP BY x.id
      ), confirmed AS (
        SELECT id, customer_id, split_part(idem_key, ':', 2) AS earning, created_at,
               CASE WHEN idem_key ~ '^confirm:[^:]+:[0-9]{1,18}$' THEN split_part(idem_key, ':', 3)::bigint END AS due
          FROM points_tx WHERE kind = 'earn_confirm'
      )
      SELECT 'from_adjustments', x.id::text
        FROM points_tx x LEFT JOIN points_adjustment a ON a.tx_id = x.id AND a.customer_id = x.customer_id
       WHERE x.kind = 'adjust'
         AND (a.id IS NULL OR a.state <> 'applied' OR (x.ref_type, x.ref_id) <> ('adjustment', a.id::text))
      UNION ALL
      SELECT 'from_holds', x.id::text
        FROM points_tx x LEFT JOIN points_hold h
          ON h.customer_id = x.customer_id AND h.id::text = split_part(x.idem_key, ':', 2)
       WHERE x.kind IN ('hold','capture','release')
         AND (h.id IS NULL OR x.idem_key <> x.kind || ':' || h.id OR (x.kind = 'hold') <> (x.id = h.tx_id)
           OR (x.ref_type, x.ref_id) <> ('order', h.order_number)
           OR (x.kind = 'hold' AND x.created_at <> h.created_at))
      UNION ALL
      SELECT 'from_transfers', coalesce(s.id, x.id::text)
        FROM side s FULL JOIN sent x ON (x.kind, x.customer_id, x.ref_id) = (s.kind, s.customer_id, s.id)
       WHERE x.id IS NULL OR s.id IS NULL OR x.points <> s.points OR x.idem_key <> 'transfer:' || s.id
          OR (s.resolved_at - x.created_at BETWEEN '-1 minute' AND '1 minute') IS NOT TRUE
      UNION ALL
      SELECT 'from_transfers', x.id::text FROM points_tx x
       WHERE x.kind IN ('transfer_out','transfer_in') AND NOT EXISTS (SELECT FROM sent WHERE sent.id = x.id)
      UNION ALL
      SELECT 'from_earnings', c.id::text
        FROM confirmed c LEFT JOIN points_earning e ON e.customer_id = c.customer_id AND e.id::text = c.earning
       WHERE e.id IS NULL OR c.due IS NULL OR (extract(epoch FROM c.created_at) * 1000000)::bigint < c.due - 1
      UNION ALL
      SELECT 'from_earnings', e.id::text
        FROM points_earning e LEFT JOIN confirmed c ON c.customer_id = e.customer_id AND c.earning = e.id::text
         AND (extract(epoch FROM e.confirms_at) * 1000000)::bigint BETWEEN c.due - 1 AND c.due + 1
       WHERE e.state = 'confirmed' AND c.id IS NULL
      UNION ALL
      SELECT 'from_debts', x.id::text
        FROM points_tx x JOIN points_entry e ON e.tx_id = x.id
        LEFT JOIN points_tx brought ON brought.customer_id = x.customer_id
         AND x.idem_key = 'debt:' || brought.idem_key
         AND (brought.ref_type, brought.ref_id) = (x.ref_type, x.ref_id)
       WHERE x.kind = 'clawback' AND x.idem_key LIKE 'debt:%'
       GROUP BY x.id, brought.id
      HAVING brought.id IS NULL OR coalesce(sum(e.amount) FILTER (WHERE e.account = 'clawback'), 0) <> 0
          OR coalesce(sum(e.amount) FILTER (WHERE e.account = 'debt'), 0) <= 0
      UNION ALL
      SELECT 'from_expiry', x.id::text || ' ' || e.lot_id
        FROM points_tx x JOIN points_entry e ON e.tx_id = x.id AND e.account = 'expired'
        JOIN points_lot l ON l.id = e.lot_id
       WHERE x.kind = 'expire' AND (l.expires_at IS NULL OR l.expires_at > x.created_at)
    """,
)

# What an earning was computed from is in its posting, under the chain's hash. The newest booking counts: an earning
# that was taken back whole may be booked again.
BONUSES = Probe(
    checks={
        "bonuses": "a bonus is what a version of the rules gives for that, and given once to whom it is for",
        "earned_as_booked": "version and breakdown of an earning are those that were booked",
    },
    examined="SELECT count(*) FROM points_earning",
    sql="""
      WITH booked AS (
        SELECT DISTINCT ON (x.customer_id, x.meta -> 'source') x.id, x.customer_id, x.meta,
               x.meta -> 'source' ->> 0 AS source_type, x.meta -> 'source' ->> 1 AS source_id
          FROM points_tx x JOIN points_chain c ON c.tx_id = x.id
         WHERE x.kind = 'earn' AND x.meta ? 'source'
         ORDER BY x.customer_id, x.meta -> 'source', c.seq DESC
      )
      SELECT 'bonuses', e.id::text
        FROM points_earning e LEFT JOIN rewards_rules r ON r.version = e.rules_version
       CROSS JOIN LATERAL (
         SELECT coalesce(sum((p ->> 'points')::bigint), 0) AS points, count(*) - count(DISTINCT p ->> 'rule') AS twice,
                count(*) FILTER (WHERE NOT EXISTS (
                  SELECT FROM jsonb_array_elements(r.body -> 'earn' -> 'bonuses') AS b
                   WHERE b ->> 'name' = p ->> 'rule' AND b ->> 'action' = e.source_type
                     AND b -> 'points' = p -> 'points' AND b -> 'dry_run' IS DISTINCT FROM 'true'::jsonb)) AS unknown
           FROM jsonb_path_query(e.breakdown, 'lax $.parts[*]') AS p) AS told
       WHERE e.source_type <> 'order'
         AND (r.version IS NULL OR told.points <> e.points OR told.unknown > 0 OR told.twice > 0
           OR (e.source_type IN ('sign_up','first_order') AND e.source_id <> e.customer_id::text))
      UNION ALL
      SELECT 'earned_as_booked', b.id::text
        FROM booked b LEFT JOIN points_earning e USING (customer_id, source_type, source_id)
       WHERE e.id IS NULL
          OR (b.meta -> 'breakdown', b.meta -> 'rules_version') <> (e.breakdown, to_jsonb(e.rules_version))
    """,
)

# The version that a shop is born with comes from a migration (0030), and is known; any other was published, and the
# audit log has all of it.
FIRST_VERSION = "7b004ef915d3635e677cca298f76887a969a35c8bc75104b26fbef5f7986f3b9"
RULES = Probe(
    checks={"rules_published": "each version of the rules is what was published under its number"},
    examined="SELECT count(*) FROM rewards_rules",
    sql=f"""
      SELECT 'rules_published', coalesce(r.version::text, a.target_id)
        FROM rewards_rules r FULL JOIN (
          SELECT * FROM audit_log WHERE target_type = 'rewards_rules' AND action = 'rewards_rules.publish') a
          ON a.target_id = r.version::text
       WHERE r.version IS NULL
          OR CASE WHEN r.created_by = 'system:migration' THEN
               r.version <> 1 OR encode(sha256(convert_to(r.body::text, 'UTF8')), 'hex') <> '{FIRST_VERSION}'
             ELSE (a.after -> 'body', (a.after ->> 'effective_from')::timestamptz, a.actor_name)
                  IS DISTINCT FROM (r.body, r.effective_from, r.created_by) END
    """,  # noqa: S608 (our own words)
)
