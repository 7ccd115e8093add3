"""Are the books right? The shop's own verification, compared with what the gateway says for itself.

I1 to I5 and I8 to I10 of the invariants are the probes of `flask rewards verify`; I6, I7, I13 and I15 need the
gateway's list or are about nothing being left over, and are added here.
"""

from __future__ import annotations

from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.kernel.database import transaction
from tests.live.shop import LiveShop, wait_for

# `about`: the order that is open, or waits with it.
OPEN = """
  SELECT 'order ' || number AS what, number AS about FROM orders WHERE status = 'payment_pending'
  UNION ALL SELECT 'payment ' || id, reference FROM payment
             WHERE state IN ('submitting','unknown','requires_action','authorized')
  UNION ALL SELECT 'hold ' || h.id, o.number FROM points_hold h JOIN orders o ON o.id = h.order_id
             WHERE h.state = 'active'
  UNION ALL SELECT 'reservation ' || r.order_id, o.number FROM stock_reservation r JOIN orders o ON o.id = r.order_id
             WHERE r.state = 'active'
  UNION ALL SELECT 'callback ' || event_id, NULL FROM webhook_inbox WHERE state = 'received'
  UNION ALL SELECT 'card refund ' || r.id, p.reference FROM card_refund r JOIN payment p ON p.id = r.payment_id
             WHERE r.state IN ('queued','unknown')
  UNION ALL SELECT 'job ' || dedupe_key, payload->>'order_number' FROM outbox WHERE done_at IS NULL
"""
ONCE = """
  SELECT o.number, o.status,
         (SELECT count(*) FROM outbox b WHERE b.topic = 'mail.order_paid' AND b.payload->>'order_number' = o.number)
           AS receipts,
         (SELECT count(*) FROM points_earning e
           WHERE e.source_type = 'order' AND e.source_id = o.id::text) AS earnings,
         (SELECT count(*) FROM order_event e WHERE e.order_id = o.id AND e.event = 'paid') AS paid,
         o.earn_points
    FROM orders o WHERE o.paid_at IS NOT NULL
"""
MONEY = """
  SELECT p.id::text AS id, p.reference, p.amount, p.currency, p.state, p.captured, p.refunded
    FROM payment p
"""
DUE = """
  SELECT o.number, o.status, o.card_due, o.refunded_card,
         (SELECT coalesce(sum(r.card), 0) FROM order_refund r WHERE r.order_id = o.id AND r.state = 'stuck') AS stuck,
         (SELECT coalesce(sum(least(p.returned_elsewhere, greatest(0, p.captured - p.refunded))), 0)
            FROM payment p WHERE p.reference = o.number) AS elsewhere,
         (SELECT coalesce(sum(d.amount), 0) FROM dispute d JOIN payment p ON p.id = d.payment_id
           WHERE p.reference = o.number AND d.state = 'lost') AS lost
    FROM orders o
"""


def differences(shop: LiveShop, *, settled: bool = True) -> list[str]:
    """What is wrong, nothing when all is well. `settled`: nothing may be on its way any more."""
    found = _probes(shop) + at_the_gateway(shop) + _once(shop)
    return found + [f"still open: {row['what']}" for row in shop.rows(OPEN)] if settled else found


def assert_right(shop: LiveShop, *, seconds: float = 120) -> None:
    """All jobs run to their end, and then everything adds up."""
    wait_for(lambda: not shop.rows("SELECT 1 FROM outbox WHERE done_at IS NULL"), seconds, "the last job")
    assert differences(shop) == []


def _probes(shop: LiveShop) -> list[str]:
    with shop.app.app_context(), transaction():
        report = verification.run(PROBES)
    return [
        f"{check.name}: {check.found} of {check.examined} {check.samples}" for check in report.differences
    ]


def at_the_gateway(shop: LiveShop) -> list[str]:
    """I6 and I7: each charge is one of ours, once, and what the gateway kept is what each order is due."""
    wrong: list[str] = []
    kept: dict[str, int] = {}
    theirs: dict[str, dict[str, object]] = {}
    for payment in shop.gateway_payments():
        key = payment["idempotency_key"]
        if key in theirs:
            wrong.append(f"charged twice: {key}")
        theirs[key] = payment
        net = payment["amount_captured"] - payment["amount_refunded"]
        kept[payment["reference"]] = kept.get(payment["reference"], 0) + net
    for ours in shop.rows(MONEY):
        payment = theirs.pop(ours["id"], None)
        told = (payment["amount_captured"], payment["amount_refunded"]) if payment else (0, 0)
        if told != (ours["captured"], ours["refunded"]) and ours["state"] not in ("submitting", "unknown"):
            wrong.append(f"payment {ours['id']}: we say {ours['captured'], ours['refunded']}, gateway {told}")
    wrong += [f"unknown charge {key}" for key, payment in theirs.items() if payment["amount_captured"]]
    for order in shop.rows(DUE):
        if order["status"] == "payment_pending":
            continue
        was_paid = order["status"] in ("paid", "packed", "shipped", "delivered")
        due = order["card_due"] - order["refunded_card"] if was_paid else 0
        due += order["stuck"]  # refused by the bank: staff know, and send it again
        due += order["elsewhere"]  # paid by a transfer that the gateway has never heard of
        # What a lost dispute took is with the bank, though its list goes on counting it: it is never sent again.
        if not due <= kept.get(order["number"], 0) <= due + order["lost"]:
            wrong.append(
                f"{order['number']} ({order['status']}): gateway kept {kept.get(order['number'])}, due {due}"
            )
    return wrong


def _once(shop: LiveShop) -> list[str]:
    """I15: a paid order has one receipt, one earning, one moment of payment."""
    return [
        f"not once: {dict(row)}"
        for row in shop.rows(ONCE)
        if (row["receipts"], row["paid"]) != (1, 1) or row["earnings"] != (1 if row["earn_points"] else 0)
    ]
