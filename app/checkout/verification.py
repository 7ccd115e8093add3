"""What must hold between orders, points, money and stock: the shop's invariants over rooms, as probes.

`app.audit.verification.run` runs them, together with the ledger's and the audit log's, in one snapshot.
"""

from __future__ import annotations

from app.audit.verification import Probe
from app.checkout.verify_sources import POINTS

ORDERS = Probe(
    checks={
        "order_lines": "the lines of an order add up to its totals in every part",
        "order_holds": "points are held while an order is pending, spent once it is paid, and free after it failed",
        "one_order_per_checkout": "a checkout made one order at most",
        "earned_once": "an order that was paid earned once what it promised, no other order earned, and nothing else",
        "ended_orders": "an order that was paid and has ended gave back all that was paid, and earns nothing",
    },
    examined="SELECT count(*) FROM orders",
    sql="""
      SELECT flag.name, o.number
        FROM orders o
        LEFT JOIN (
          SELECT order_id, sum(total) AS items, sum(extras) AS extras, sum(points) AS points,
                 sum(points_value) AS points_value, sum(card) AS card, sum(earn_points) AS earn_points
            FROM order_line GROUP BY order_id) l ON l.order_id = o.id
        LEFT JOIN points_hold h ON h.order_id = o.id AND h.state <> 'released'
       CROSS JOIN LATERAL (VALUES
         ('order_lines', (l.items, l.extras, l.points, l.points_value, l.card, l.earn_points) IS DISTINCT FROM
            (o.items_total, o.shipping + o.tax, o.points, o.points_value, o.card_due, o.earn_points)
            OR o.total <> o.points_value + o.card_due),
         ('order_holds',
            (h.id IS NOT NULL AND (h.amount <> o.points OR h.customer_id <> o.customer_id))
            OR (o.points > 0 AND o.status = 'payment_pending' AND h.state IS DISTINCT FROM 'active')
            OR (o.points > 0 AND o.status IN ('paid','packed','shipped','delivered')
                AND h.state IS DISTINCT FROM 'captured')
            OR (o.status = 'payment_failed' AND h.id IS NOT NULL)
            OR (o.status <> 'payment_pending' AND h.state = 'active'))
       ) AS flag(name, broken)
       WHERE flag.broken
      UNION ALL
      SELECT 'one_order_per_checkout', customer_id || ' ' || checkout_key FROM orders
       GROUP BY customer_id, checkout_key HAVING count(*) > 1
      UNION ALL
      SELECT 'earned_once', coalesce(o.number, e.order_number, e.source_id)
        FROM orders o FULL JOIN (SELECT * FROM points_earning WHERE source_type = 'order') e
          ON e.source_id = o.id::text
       WHERE (e.id IS NOT NULL) IS DISTINCT FROM (o.paid_at IS NOT NULL AND o.earn_points > 0)
          OR (e.customer_id, e.order_number, e.points, e.rules_version)
          <> (o.customer_id, o.number, o.earn_points, o.rules_version)
      UNION ALL
      SELECT 'ended_orders', o.number
        FROM orders o LEFT JOIN points_hold h ON h.order_id = o.id AND h.state = 'captured'
        LEFT JOIN points_earning e ON e.source_type = 'order' AND e.source_id = o.id::text
       WHERE o.status IN ('cancelled','refunded')
         AND (e.taken_back < e.points OR (o.paid_at IS NOT NULL OR h.id IS NOT NULL)
           AND (o.refunded_points, o.refunded_points_value, o.refunded_card)
            <> (o.points, o.points_value, o.card_due))
    """,
)

LOTS = Probe(
    checks={
        "line_lots": "the lots of an order's lines are what its hold took, and add up to the points of each line",
        "lots_returned": "what came back to each lot of an order is what the ledger says of its refunds",
    },
    examined="SELECT count(*) FROM order_line_lot",
    sql="""
      WITH live AS (
        SELECT h.id, h.tx_id, h.order_id, h.order_number, h.customer_id
          FROM points_hold h JOIN orders o ON o.id = h.order_id WHERE h.state <> 'released'
      ), shared AS (
        SELECT h.order_id, h.order_number, h.customer_id, x.order_id AS said, x.position, x.lot_id, x.points,
               x.returned
          FROM live h JOIN order_line_lot x ON x.hold_id = h.id
      ), gone_back AS (
        SELECT t.customer_id, t.ref_id, e.lot_id, -sum(e.amount) AS points
          FROM points_tx t JOIN points_entry e ON e.tx_id = t.id AND e.account = 'redeemed'
         WHERE t.kind = 'refund' AND t.ref_type = 'order' GROUP BY 1, 2, 3
      )
      SELECT 'line_lots', coalesce(l.order_id, x.said) || ' ' || coalesce(l.position, x.position)
        FROM (SELECT l.order_id, l.position, l.points FROM order_line l JOIN live h USING (order_id)
               WHERE l.points > 0) l
        FULL JOIN (SELECT said, position, sum(points) AS points FROM shared GROUP BY 1, 2) x
          ON x.said = l.order_id AND x.position = l.position
       WHERE l.points IS DISTINCT FROM x.points
      UNION ALL
      SELECT 'line_lots', coalesce(e.order_id, x.order_id) || ' ' || coalesce(e.lot_id, x.lot_id)
        FROM (SELECT h.order_id, e.lot_id, sum(e.amount) AS points
                FROM live h JOIN points_entry e ON e.tx_id = h.tx_id AND e.account = 'held' GROUP BY 1, 2) e
        FULL JOIN (SELECT order_id, lot_id, sum(points) AS points FROM shared GROUP BY 1, 2) x USING (order_id, lot_id)
       WHERE e.points IS DISTINCT FROM x.points
      UNION ALL
      SELECT 'lots_returned', x.order_number || ' ' || x.lot_id
        FROM (SELECT customer_id, order_number, lot_id, sum(returned) AS points FROM shared GROUP BY 1, 2, 3) x
        LEFT JOIN gone_back g
          ON g.customer_id = x.customer_id AND g.ref_id = x.order_number AND g.lot_id = x.lot_id
       WHERE x.points <> coalesce(g.points, 0)
    """,
)

BACK = Probe(
    checks={
        "refunds": "what has come back of an order is the sum over its refunds, and over its lines",
        "refund_lines": "what has come back of each line, units, money and points, is what the refunds say of it",
        "refund_points": "the points that refunds returned and took back are those that the ledger moved",
    },
    examined="SELECT count(*) FROM order_refund",
    sql="""
      WITH refunds AS (
        SELECT order_id, sum(points) AS points, sum(points_value) AS points_value, sum(card) AS card,
               sum(clawback) AS clawback
          FROM order_refund WHERE lines <> '[]' GROUP BY order_id
      ), told AS (
        SELECT order_id, l ->> 'sku' AS sku, sum((l ->> 'quantity')::bigint) AS quantity,
               sum((l ->> 'points')::bigint) AS points, sum((l ->> 'points_value')::bigint) AS points_value,
               sum((l ->> 'card')::bigint) AS card, sum((l ->> 'clawback')::bigint) AS clawback
          FROM order_refund CROSS JOIN LATERAL jsonb_array_elements(lines) AS l GROUP BY 1, 2
      ), moved AS (
        SELECT split_part(x.idem_key, ':', 2) AS order_id,
               -sum(e.amount) FILTER (WHERE x.kind = 'refund' AND e.account = 'redeemed') AS points,
               sum(e.amount) FILTER (WHERE x.kind = 'earn_cancel' AND e.account = 'issued'
                                        OR x.kind = 'clawback' AND e.account IN ('clawback','expired')) AS clawback
          FROM points_tx x JOIN points_entry e ON e.tx_id = x.id
         WHERE x.kind IN ('refund','earn_cancel','clawback') AND x.idem_key LIKE 'refund:%' GROUP BY 1
      )
      SELECT 'refunds', o.number
        FROM orders o LEFT JOIN refunds r ON r.order_id = o.id
        LEFT JOIN (
          SELECT order_id, sum(refunded_points) AS points, sum(refunded_points_value) AS points_value,
                 sum(refunded_card) AS card FROM order_line GROUP BY order_id) l ON l.order_id = o.id
       WHERE (o.refunded_points, o.refunded_points_value, o.refunded_card) IS DISTINCT FROM
             (coalesce(r.points, 0), coalesce(r.points_value, 0), coalesce(r.card, 0))
          OR (o.refunded_points, o.refunded_points_value, o.refunded_card) IS DISTINCT FROM
             (l.points, l.points_value, l.card)
      UNION ALL
      SELECT 'refund_lines', coalesce(l.order_id, t.order_id) || ' ' || coalesce(l.sku, t.sku)
        FROM order_line l FULL JOIN told t ON t.order_id = l.order_id AND t.sku = l.sku
       WHERE (l.refunded_quantity, l.refunded_points, l.refunded_points_value, l.refunded_card, l.refunded_earned)
             IS DISTINCT FROM (coalesce(t.quantity, 0), coalesce(t.points, 0), coalesce(t.points_value, 0),
                               coalesce(t.card, 0), coalesce(t.clawback, 0))
      UNION ALL
      SELECT 'refund_points', coalesce(r.order_id::text, m.order_id)
        FROM refunds r FULL JOIN moved m ON m.order_id = r.order_id::text
       WHERE (coalesce(r.points, 0), coalesce(r.clawback, 0)) <> (coalesce(m.points, 0), coalesce(m.clawback, 0))
    """,
)

CARD = Probe(
    checks={
        "paid_by_card": "what an order is due on the card was captured for it once it is paid",
        "captured_for_nothing": "money captured for an order that failed or has ended went back, is on its way, "
        "or is with staff as a refund that waits or was refused",
        "one_live_payment": "no order has two live payments",
        "given_back_twice": "staff were told of each card refund that no refund of its order counts on, and of each "
        "payment that a bank gave back after the shop had",
        "card_refunds": "what a payment says went back, by card and another way, is what its refunds say, and more "
        "than was captured only where staff were told that it arrived after all",
    },
    examined="SELECT count(*) FROM payment",
    sql="""
      SELECT 'paid_by_card', o.number FROM orders o
       WHERE o.card_due > 0 AND o.status IN ('paid','packed','shipped','delivered')
         AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.reference = o.number AND p.state = 'captured'
                            AND (p.captured = o.card_due OR p.accepted IS NOT NULL)
                            AND p.currency = o.currency)
      UNION ALL
      SELECT 'captured_for_nothing', o.number FROM orders o JOIN payment p ON p.reference = o.number
       WHERE p.state = 'captured' AND o.status IN ('payment_failed','cancelled','refunded')
         AND p.refunded + p.returned_elsewhere
             + greatest(0, p.refunded_outside - coalesce(p.accepted, p.captured) + p.captured)
             + (SELECT coalesce(sum(CASE WHEN d.currency = p.currency THEN d.amount ELSE p.captured END), 0)
                  FROM dispute d WHERE d.payment_id = p.id AND d.state = 'lost')
             + (SELECT coalesce(sum(r.amount), 0) FROM card_refund r
                  JOIN order_refund f ON f.card_refund_id = r.id AND f.state = 'stuck'
                 WHERE r.payment_id = p.id AND r.state = 'failed'
                   AND EXISTS (SELECT 1 FROM reconciliation_issue i
                                WHERE i.kind IN ('refund_waits','refund_stuck') AND i.state = 'open'
                                  AND i.ref = r.id::text)) < p.captured
      UNION ALL
      SELECT 'one_live_payment', reference FROM payment
       WHERE state IN ('submitting','unknown','requires_action','authorized','captured') AND NOT late
       GROUP BY reference HAVING count(*) > 1
      UNION ALL
      SELECT 'card_refunds', p.reference FROM payment p
        LEFT JOIN (SELECT payment_id, sum(amount) FILTER (WHERE state <> 'failed') AS amount,
                          sum(elsewhere) FILTER (WHERE state = 'failed') AS elsewhere,
                          array_agg(id::text) FILTER (WHERE state = 'succeeded') AS arrived
                     FROM card_refund GROUP BY payment_id) r ON r.payment_id = p.id
       WHERE p.refunded < coalesce(r.amount, 0) OR p.captured > p.amount
          OR p.returned_elsewhere <> coalesce(r.elsewhere, 0)
          OR (p.surplus > 0
              AND (p.refunded <> coalesce(r.amount, 0)
                   OR NOT EXISTS (SELECT 1 FROM reconciliation_issue i
                                   WHERE i.kind = 'refunded_twice' AND i.ref = ANY(r.arrived))))
      UNION ALL
      SELECT 'given_back_twice', r.id::text FROM card_refund r
       WHERE r.state = 'succeeded'
         AND NOT EXISTS (SELECT 1 FROM order_refund f WHERE f.card_refund_id = r.id)
         AND NOT EXISTS (SELECT 1 FROM reconciliation_issue i
                          WHERE i.kind = 'refunded_twice' AND i.ref = r.id::text)
      UNION ALL
      SELECT 'given_back_twice', p.reference
        FROM payment p
        JOIN (SELECT d.payment_id, sum(CASE WHEN d.currency = q.currency THEN d.amount ELSE q.captured END) AS lost
                FROM dispute d JOIN payment q ON q.id = d.payment_id
               WHERE d.state = 'lost' GROUP BY 1) d ON d.payment_id = p.id
       CROSS JOIN LATERAL (
         SELECT coalesce(sum(r.amount), 0) + p.returned_elsewhere
                + greatest(0, p.refunded_outside - coalesce(p.accepted, p.captured) + p.captured) AS given,
                array_agg(r.id::text) AS refunds
           FROM card_refund r WHERE r.payment_id = p.id AND r.state = 'succeeded') r
       WHERE r.given > 0 AND r.given + least(d.lost, p.captured) > p.captured
         AND NOT EXISTS (SELECT 1 FROM reconciliation_issue i
                          WHERE i.kind = 'refunded_twice' AND (i.ref = p.id::text OR i.ref = ANY(r.refunds)))
    """,
)

STOCK = Probe(
    checks={
        "reserved": "reserved of each variant is the sum of its active reservations, and never above on hand",
        "reservations": "stock is promised while an order is pending, sold once it is paid, and free after it failed",
    },
    examined="SELECT count(*) FROM stock",
    sql="""
      SELECT 'reserved', s.variant_id::text FROM stock s
        LEFT JOIN (SELECT variant_id, sum(quantity) AS units FROM stock_reservation
                    WHERE state = 'active' GROUP BY variant_id) r ON r.variant_id = s.variant_id
       WHERE s.reserved <> coalesce(r.units, 0) OR s.reserved < 0 OR s.reserved > s.on_hand
      UNION ALL
      SELECT 'reservations', o.number FROM orders o
        JOIN order_line l ON l.order_id = o.id
        LEFT JOIN stock_reservation r
          ON r.order_id = o.id AND r.variant_id = l.variant_id AND r.state <> 'released'
       WHERE (o.status = 'payment_pending' AND (r.state IS DISTINCT FROM 'active' OR r.quantity <> l.quantity))
          OR (o.status = 'payment_failed' AND r.state IS NOT NULL)
          OR (o.status <> 'payment_pending' AND r.state = 'active')
          OR (o.status IN ('paid','packed','shipped','delivered') AND l.refunded_quantity = 0
              AND (r.state IS DISTINCT FROM 'committed' OR r.quantity <> l.quantity))
    """,
)

SHOP: tuple[Probe, ...] = (ORDERS, POINTS, LOTS, BACK, CARD, STOCK)
