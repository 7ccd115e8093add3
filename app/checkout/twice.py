"""Money that has come to the customer twice, as far as it still has: what staff were told follows what happens next.

A card refund of an order may arrive beside money that had covered it, from a bank after a dispute or by hand. Should
that money be less, or gone, later on, the refund has come once. Called inside one transaction, with the order and the
payment locked.
"""

from __future__ import annotations

import uuid

from app.checkout import taken_twice
from app.checkout.covering import count_free
from app.kernel.actor import Actor
from app.orders.service import refunding
from app.orders.service.moving import LockedOrder
from app.payments import elsewhere, issues
from app.payments.models import Payment
from app.payments.refund_issues import TWICE

ONCE = "The money has come once."


def look_again(order: LockedOrder, payment: Payment, *, actor: Actor) -> None:
    """Something of the payment has moved: what is on the staff's list says what is so now."""
    counted = {one.card_refund_id for one in refunding.list_refunds(order.id)}
    told = elsewhere.list_told(payment.id)
    free = max(0, count_free(order.id, payment))
    for refund, issue in told:
        if issue.state != "open" or refund.id not in counted:
            continue
        amount = min(issue.detail["amount"], free)
        free -= amount
        if not amount:
            close(refund.id, actor=actor)
        elif amount < issue.detail["amount"]:
            elsewhere.tell_twice(refund, reference=order.number, amount=amount, currency=order.currency)
    elsewhere.tell_if_twice(payment)
    taken_twice.tell(order, payment)


def close(card_refund_id: uuid.UUID, *, actor: Actor, resolution: str = ONCE) -> bool:
    """Whether something was open about it."""
    return issues.close_issue(
        kind=TWICE, ref=str(card_refund_id), state="auto_fixed", by=actor.name, resolution=resolution
    )


def is_settled(card_refund_id: uuid.UUID, payment_id: uuid.UUID) -> bool:
    """Staff have settled that it came twice: whether the customer has given something back, only they know."""
    found = [issues.find_issue(TWICE, str(ref)) for ref in (card_refund_id, payment_id)]
    return any(one is not None and one.state == "resolved" for one in found)
