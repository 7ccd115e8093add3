"""What banks gave back after lost disputes, and staff at the gateway, covers the shop's refunds of that payment.

A refund that did not arrive is owed less what they gave, and only once: what covers one refund covers no other. Called
inside one transaction, with the order locked.
"""

from __future__ import annotations

import uuid

from app.orders.models import OrderRefund
from app.orders.service import refunding
from app.payments import disputes, queries
from app.payments.left import gone_otherwise
from app.payments.models import CardRefund, Payment
from app.payments.service import lock_payment


def count_owed(refund: OrderRefund) -> int:
    """Minor units of a stuck refund that must still leave the shop.

    Raises NotFound.
    """
    assert refund.card_refund_id is not None, "only a card refund gets stuck"
    sent = queries.get_refund(refund.card_refund_id)
    return _owed(refund, sent, lock_payment(sent.payment_id))


def list_owed(order_id: uuid.UUID) -> dict[uuid.UUID, int]:
    """The same of all stuck refunds of an order, to be shown: by refund, nothing locked."""
    owed: dict[uuid.UUID, int] = {}
    for refund in refunding.list_refunds(order_id):
        if refund.state == "stuck" and refund.card_refund_id is not None:
            sent = queries.get_refund(refund.card_refund_id)
            owed[refund.id] = _owed(refund, sent, queries.get_payment(sent.payment_id))
    return owed


def list_waiting(order_id: uuid.UUID) -> dict[uuid.UUID, bool]:
    """The stuck refunds of an order that a bank's decision keeps; True: the shop knows of the dispute, and none of them
    can go out. False: the gateway alone has said so, and may be asked once more."""
    stuck = [one for one in refunding.list_refunds(order_id) if one.state == "stuck"]
    sent = {one.id: queries.get_refund(one.card_refund_id) for one in stuck if one.card_refund_id}
    return {
        refund_id: disputes.count_open([refund.payment_id]) > 0
        for refund_id, refund in sent.items()
        if disputes.is_undecided(refund)
    }


def count_short(order_id: uuid.UUID, payment: Payment) -> int:
    """Minor units of a locked payment that its refunds count on having gone another way, and that have not, or not any
    more; as far as they are there."""
    left = payment.captured - payment.refunded - gone_otherwise(payment)
    return max(0, min(-count_free(order_id, payment), left))


def count_free(order_id: uuid.UUID, payment: Payment) -> int:
    """Minor units of a payment that went another way, or never came, and that none of its refunds counts on; below
    zero: so much that refunds count on has not gone."""
    never_came = payment.amount - payment.captured
    return gone_otherwise(payment) + never_came - _count_covered(order_id, payment.id)


def _owed(refund: OrderRefund, sent: CardRefund, payment: Payment) -> int:
    gone = gone_otherwise(payment)
    free = max(0, gone - _count_covered(refund.order_id, payment.id))
    left = payment.captured - payment.refunded - gone
    return max(0, min(sent.amount - free, left))


def _count_covered(order_id: uuid.UUID, payment_id: uuid.UUID) -> int:
    """How much of the payment's refunds was, or is, not sent by the shop."""
    sent = {one.id: one for one in queries.list_refunds_of(payment_id)}
    is_unwanted = payment_id in refunding.list_unwanted_payments(order_id)
    covered = 0
    for refund in refunding.list_refunds(order_id):
        if refund.card_refund_id in sent:
            claimed = 0 if refund.idem_key.startswith(refunding.ANEW) else refund.card
            covered += claimed - _count_sent(refund, sent[refund.card_refund_id])
        elif refund.card_refund_id is None and (
            refund.idem_key == refunding.unwanted_key(payment_id)
            or (not is_unwanted and not refund.idem_key.startswith(refunding.UNWANTED))
        ):
            covered += refund.card
    return covered


def _count_sent(refund: OrderRefund, sent: CardRefund) -> int:
    """One that is done although its card refund failed came another way."""
    return 0 if (refund.state, sent.state) == ("done", "failed") else sent.amount
