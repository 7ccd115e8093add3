"""Money that has come to the customer twice, as far as it still has: what staff were told follows what happens next.

A card refund of an order may arrive beside money that had covered it, from a bank after a dispute or by hand. Should
that money be less, or gone, later on, the refund has come once. And what has come twice pays for what the order gives
back next: a gateway returns no more than it has captured. Where staff have settled before that it came twice, the
customer may have returned it, and be short of it then. Called inside one transaction, with the order and the payment
locked.
"""

from __future__ import annotations

import uuid

from app.checkout import taken_twice
from app.checkout.covering import count_free
from app.kernel.actor import Actor
from app.orders.service import refunding
from app.orders.service.moving import LockedOrder
from app.payments import elsewhere, issues, refund_issues
from app.payments.models import CardRefund, Payment, ReconciliationIssue
from app.payments.refund_issues import TWICE

ONCE = "The money has come once, or what was too much of it has paid for another refund."


def look_again(order: LockedOrder, payment: Payment, *, actor: Actor) -> None:
    """Something of the payment has moved: what is on the staff's list says what is so now."""
    counted = {one.card_refund_id for one in refunding.list_refunds(order.id)}
    free = count_free(order.id, payment)
    beside, set_off = max(0, free), max(0, -free)
    for refund, issue in sorted(elsewhere.list_told(payment.id), key=lambda one: one[1].state == "resolved"):
        told = issue.detail["amount"]
        if refund.id not in counted:
            used = min(refund.amount, set_off)
            set_off -= used
            still = min(told, refund.amount - used)
        elif issue.state != "auto_fixed":
            still = min(told, beside)
            beside -= still
        else:
            continue
        _say(order, refund, issue, still, actor)
    elsewhere.tell_if_twice(payment)
    taken_twice.tell(order, payment)


def _say(
    order: LockedOrder, refund: CardRefund, issue: ReconciliationIssue, still: int, actor: Actor
) -> None:
    """`still`: as much of what staff were told has come twice, and pays for nothing else."""
    told = issue.detail["amount"]
    if issue.state == "resolved" and still == told:
        close(refund.id, actor=actor, kind=refund_issues.SET_OFF)
    elif issue.state == "resolved":
        refund_issues.tell_set_off(
            refund, reference=order.number, amount=told - still, currency=order.currency
        )
    elif issue.state == "open" and not still:
        close(refund.id, actor=actor)
    elif issue.state == "open" and still < told:
        elsewhere.tell_twice(refund, reference=order.number, amount=still, currency=order.currency)


def close(card_refund_id: uuid.UUID, *, actor: Actor, resolution: str = ONCE, kind: str = TWICE) -> None:
    """What is open about it."""
    issues.close_issue(
        kind=kind, ref=str(card_refund_id), state="auto_fixed", by=actor.name, resolution=resolution
    )


def is_settled(card_refund_id: uuid.UUID, payment_id: uuid.UUID) -> bool:
    """Staff have settled that it came twice: whether the customer has given something back, only they know."""
    found = [issues.find_issue(TWICE, str(ref)) for ref in (card_refund_id, payment_id)]
    return any(one is not None and one.state == "resolved" for one in found)
