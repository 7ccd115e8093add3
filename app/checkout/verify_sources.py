"""Points of orders, each from its source: a hold from its order, what came back or was taken back from a refund, a
lost dispute or a payment that was accepted for less, what was earned from the order as it was priced."""

from __future__ import annotations

from app.audit.verification import Probe

POINTS = Probe(
    checks={
        "held_for_orders": "every hold is for an order of that customer, with the order's points",
        "given_back": "points came back from being spent by a refund of that order alone, as many as it says",
        "taken_back": "earned points were taken back by a refund, lost dispute or smaller payment of that order alone",
        "earned_when": "earned points wait as long as the rules of the order say, from its payment or its delivery",
        "earned_as_priced": "an order earned with the tier, at the moment and by the parts that it was priced with",
        "earned_disputed": "what an order earned waits while a bank decides, and goes with the money that paid for it",
    },
    examined="SELECT (SELECT count(*) FROM points_hold) + (SELECT count(*) FROM points_earning)",
    sql="""
      WITH back AS (
        SELECT x.id, x.customer_id, x.idem_key, x.ref_type, x.ref_id, -coalesce(sum(e.amount), 0) AS points
          FROM points_tx x LEFT JOIN points_entry e ON e.tx_id = x.id AND e.account = 'redeemed'
         WHERE x.kind = 'refund' GROUP BY x.id
      ), refund AS (
        SELECT 'refund:' || r.order_id || ':' || r.idem_key AS key, o.customer_id, o.number, r.points
          FROM order_refund r JOIN orders o ON o.id = r.order_id
      ), reason AS (
        SELECT key || ':' || what AS key, customer_id, number
          FROM refund CROSS JOIN (VALUES ('earned'), ('bonus')) AS taken(what)
        UNION
        SELECT 'dispute:' || d.gateway_ref || ':' || taken.what, o.customer_id, o.number
          FROM dispute d JOIN payment p ON p.id = d.payment_id JOIN orders o ON o.number = p.reference
         CROSS JOIN (VALUES ('order'), ('first_order')) AS taken(what)
         WHERE d.state = 'lost'
        UNION
        SELECT 'accepted:' || p.id || ':' || taken.what, o.customer_id, o.number
          FROM payment p JOIN orders o ON o.number = p.reference
         CROSS JOIN (VALUES ('order'), ('first_order')) AS taken(what)
         WHERE p.accepted IS NOT NULL AND p.captured < p.amount
      ), earned AS (
        SELECT e.id, e.source_type, e.customer_id, e.order_number, e.confirms_at, e.breakdown, r.body -> 'earn' AS earn
          FROM points_earning e JOIN rewards_rules r ON r.version = e.rules_version
         WHERE e.source_type IN ('order','first_order')
      ), disputed AS (
        SELECT p.reference AS number, bool_or(d.state = 'open') AS is_open
          FROM dispute d JOIN payment p ON p.id = d.payment_id GROUP BY 1
      ), gone AS (
        SELECT p.reference AS number
          FROM dispute d JOIN payment p ON p.id = d.payment_id JOIN orders o ON o.number = p.reference
          LEFT JOIN order_refund r ON r.order_id = o.id AND r.idem_key = 'unwanted:' || p.id
         WHERE d.state = 'lost' AND p.state = 'captured' AND r.id IS NULL
         GROUP BY p.id
        HAVING sum(CASE WHEN d.currency = p.currency THEN d.amount ELSE p.captured END) >= p.captured
      )
      SELECT 'held_for_orders', h.id::text
        FROM points_hold h LEFT JOIN orders o ON o.id = h.order_id
       WHERE (o.number, o.customer_id, o.points) IS DISTINCT FROM (h.order_number, h.customer_id, h.amount)
      UNION ALL
      SELECT 'given_back', x.id::text
        FROM back x LEFT JOIN refund r ON r.customer_id = x.customer_id AND r.key = x.idem_key
       WHERE r.key IS NULL OR (r.points, 'order', r.number) <> (x.points, x.ref_type, x.ref_id)
      UNION ALL
      SELECT 'taken_back', x.id::text
        FROM points_tx x LEFT JOIN reason r
          ON r.customer_id = x.customer_id AND r.number = x.ref_id
           AND r.key = regexp_replace(x.idem_key, '^(dispute:.*):[0-9]+$', '\\1')
       WHERE (x.kind = 'earn_cancel' OR x.kind = 'clawback' AND x.idem_key NOT LIKE 'debt:%')
         AND (r.key IS NULL OR x.ref_type <> 'order')
      UNION ALL
      SELECT 'earned_when', e.id::text
        FROM earned e LEFT JOIN orders o ON o.number = e.order_number AND o.customer_id = e.customer_id
       CROSS JOIN LATERAL (VALUES
         (o.paid_at + make_interval(days => (earn ->> 'return_window_days')::int)),
         (o.delivered_at + make_interval(days => (earn ->> 'days_after_delivery')::int))) AS due(at)
       GROUP BY e.id, e.confirms_at
      HAVING bool_or(e.confirms_at - due.at BETWEEN '-1 minute' AND '1 minute') IS NOT TRUE
      UNION ALL
      SELECT 'earned_as_priced', o.number
        FROM orders o JOIN points_earning e ON e.source_type = 'order' AND e.source_id = o.id::text
       WHERE e.breakdown ? 'priced_at'
         AND (e.breakdown -> 'tier', (e.breakdown ->> 'priced_at')::timestamptz, e.breakdown -> 'parts',
              (SELECT coalesce(sum((p ->> 'points')::bigint), 0) FROM jsonb_array_elements(o.earn_breakdown) AS p
                WHERE p -> 'dry_run' IS DISTINCT FROM 'true'))
          <> (to_jsonb(o.tier), coalesce(o.priced_at, o.placed_at), o.earn_breakdown, o.earn_points)
      UNION ALL
      SELECT 'earned_disputed', e.order_number
        FROM points_earning e LEFT JOIN disputed d ON d.number = e.order_number
        LEFT JOIN (SELECT DISTINCT number FROM gone) g ON g.number = e.order_number
       WHERE e.state = 'pending' AND (e.held_back_at IS NOT NULL) IS DISTINCT FROM coalesce(d.is_open, false)
          OR e.state <> 'cancelled' AND g.number IS NOT NULL
    """,
)
