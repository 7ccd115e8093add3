"""What must hold between orders, points, money and stock: the shop's invariants over rooms, as probes.

`app.audit.verification.run` runs them, together with the ledger's and the audit log's, in one snapshot.
"""

from __future__ import annotations

from app.audit.verification import Probe

ORDERS = Probe(
    checks={
        "order_lines": "the lines of an order add up to its totals in every part",
        "order_holds": "points are held while an order is pending, spent once it is paid, and free after it failed",
        "one_order_per_checkout": "a checkout made one order at most",
    },
    examined="SELECT count(*) FROM orders",
    sql="""
      SELECT flag.name, o.number
        FROM orders o
        LEFT JOIN (
          SELECT order_id, sum(total) AS items, sum(extras) AS extras, sum(points) AS points,
                 sum(points_value) AS points_value, sum(card) AS card
            FROM order_line GROUP BY order_id) l ON l.order_id = o.id
        LEFT JOIN points_hold h ON h.order_id = o.id AND h.state <> 'released'
       CROSS JOIN LATERAL (VALUES
         ('order_lines', (l.items, l.extras, l.points, l.points_value, l.card) IS DISTINCT FROM
            (o.items_total, o.shipping + o.tax, o.points, o.points_value, o.card_due)
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
    """,
)

CARD = Probe(
    checks={
        "paid_by_card": "what an order is due on the card was captured for it once it is paid",
        "captured_for_nothing": "money captured for an order that failed or was cancelled is on its way back",
        "one_live_payment": "no order has two live payments",
        "card_refunds": "what a payment says went back is the sum of its refunds, and never more than was captured",
    },
    examined="SELECT count(*) FROM payment",
    sql="""
      SELECT 'paid_by_card', o.number FROM orders o
       WHERE o.card_due > 0 AND o.status IN ('paid','packed','shipped','delivered')
         AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.reference = o.number AND p.state = 'captured'
                            AND p.captured = o.card_due AND p.currency = o.currency)
      UNION ALL
      SELECT 'captured_for_nothing', o.number FROM orders o JOIN payment p ON p.reference = o.number
       WHERE p.state = 'captured' AND p.refunded < p.captured AND o.status IN ('payment_failed','cancelled')
         AND NOT EXISTS (SELECT 1 FROM dispute d WHERE d.payment_id = p.id AND d.state = 'lost')
      UNION ALL
      SELECT 'one_live_payment', reference FROM payment
       WHERE state IN ('submitting','unknown','requires_action','authorized','captured') AND NOT late
       GROUP BY reference HAVING count(*) > 1
      UNION ALL
      SELECT 'card_refunds', p.reference FROM payment p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM card_refund
                    WHERE state <> 'failed' GROUP BY payment_id) r ON r.payment_id = p.id
       WHERE p.refunded < coalesce(r.amount, 0) OR p.refunded > p.captured OR p.captured > p.amount
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

SHOP: tuple[Probe, ...] = (ORDERS, CARD, STOCK)
