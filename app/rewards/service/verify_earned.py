"""Probes of what was earned: by the entries, by the earnings, and by the tier that came of it."""

from __future__ import annotations

from app.audit.verification import Probe

EARNED = Probe(
    checks={
        "earnings_booked": "what each order or occasion earned, less what was taken back, is what its entries say",
        "earnings_confirmed": "a confirmed earning was confirmed by a transaction, at that moment",
    },
    examined="SELECT count(*) FROM points_earning",
    sql="""
      WITH booked AS (
        SELECT x.customer_id, x.ref_type, x.ref_id,
               coalesce(sum(e.amount) FILTER (WHERE e.account = 'pending'), 0) AS pending,
               coalesce(-sum(e.amount) FILTER (WHERE x.kind = 'earn_confirm' AND e.account = 'pending'), 0)
                 - coalesce(sum(e.amount) FILTER (WHERE x.kind = 'clawback' AND e.account = 'clawback'), 0)
                 AS confirmed
          FROM points_tx x JOIN points_entry e ON e.tx_id = x.id
         WHERE x.kind IN ('earn','earn_confirm','earn_cancel','clawback')
         GROUP BY x.customer_id, x.ref_type, x.ref_id
      ), earned AS (
        SELECT customer_id, CASE WHEN order_number IS NULL THEN source_type ELSE 'order' END AS ref_type,
               coalesce(order_number, source_id) AS ref_id,
               coalesce(sum(points - taken_back) FILTER (WHERE state = 'pending'), 0) AS pending,
               coalesce(sum(points - taken_back) FILTER (WHERE state = 'confirmed'), 0) AS confirmed
          FROM points_earning GROUP BY 1, 2, 3
      ), confirmed AS (
        SELECT customer_id, split_part(idem_key, ':', 2) AS earning, max(created_at) AS at
          FROM points_tx WHERE kind = 'earn_confirm' GROUP BY 1, 2
      )
      SELECT 'earnings_booked', customer_id || ' ' || ref_type || ' ' || ref_id
        FROM booked b FULL JOIN earned e USING (customer_id, ref_type, ref_id)
       WHERE (coalesce(b.pending, 0), coalesce(b.confirmed, 0))
          <> (coalesce(e.pending, 0), coalesce(e.confirmed, 0))
      UNION ALL
      SELECT 'earnings_confirmed', e.id::text
        FROM points_earning e LEFT JOIN confirmed c ON c.customer_id = e.customer_id AND c.earning = e.id::text
       WHERE e.state = 'confirmed'
         AND (c.at IS NULL OR e.resolved_at IS NULL OR e.resolved_at - c.at NOT BETWEEN '-1 minute' AND '1 minute')
    """,
)

# A tier rises with what was confirmed in a window, refunds apart, and falls when its grace is over, by a nightly job:
# who has it now confirmed enough within window and grace and a week for the job, by some version of the rules.
TIERS = Probe(
    checks={
        "lifetime": "lifetime points of each account are its confirmed earnings, less what was taken back",
        "tiers": "nobody has a tier that what they earned could not have reached",
        "tier_grace": "nobody keeps a tier longer than the rules give time to earn it again",
    },
    examined="SELECT count(*) FROM points_account",
    sql="""
      WITH rules AS (
        SELECT body -> 'tiers' AS tiers FROM rewards_rules WHERE body ? 'tiers'
      ), needed AS (
        SELECT level ->> 'code' AS tier, min((level ->> 'points')::bigint) AS points
          FROM rules CROSS JOIN LATERAL jsonb_array_elements(tiers -> 'levels') AS level GROUP BY 1
      ), since AS (
        SELECT now() - make_interval(days => 7 + least(36500, max((tiers ->> 'window_days')::bigint))::int
                                               + least(36500, max((tiers ->> 'grace_days')::bigint))::int) AS at
          FROM rules
      ), recent AS (
        SELECT x.customer_id, -sum(e.amount) AS points
          FROM since JOIN points_tx x ON x.kind = 'earn_confirm' AND x.created_at > since.at
          JOIN points_entry e ON e.tx_id = x.id AND e.account = 'pending' GROUP BY 1
      )
      SELECT 'lifetime', a.customer_id::text FROM points_account a
        LEFT JOIN (SELECT customer_id, sum(points - taken_back) AS points
                     FROM points_earning WHERE state = 'confirmed' GROUP BY 1) e USING (customer_id)
       WHERE a.lifetime_earned <> coalesce(e.points, 0)
      UNION ALL
      SELECT 'tiers', a.customer_id::text
        FROM points_account a LEFT JOIN needed n USING (tier) LEFT JOIN recent r USING (customer_id)
       WHERE a.tier <> 'member' AND (n.tier IS NULL OR coalesce(r.points, 0) < n.points)
      UNION ALL
      SELECT 'tier_grace', a.customer_id::text
        FROM points_account a CROSS JOIN (
          SELECT make_interval(days => 1 + least(36500, max((tiers ->> 'grace_days')::bigint))::int) AS grace
            FROM rules)
          AS longest
       WHERE a.tier_until > current_setting('shop.now')::timestamptz + longest.grace
    """,
)
