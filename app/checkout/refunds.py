"""What the gateway's word on a card refund means for the order."""

from __future__ import annotations

import uuid

from app.checkout.notices import alert
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import run_atomically, session
from app.orders.service import moving, refunding, story
from app.orders.service.moving import LockedOrder, lock_order
from app.orders.states import REFUNDABLE
from app.outbox.service import add
from app.payments import queries as payment_queries
from app.payments import refunds as card_refunds
from app.payments.gateway import DISPUTED, Absent, RefundRefused, RefundSnapshot, Unknown


def settle_refund(
    *, refund_id: uuid.UUID, truth: RefundSnapshot | RefundRefused | Absent | Unknown, actor: Actor
) -> None:
    """Apply it in a transaction of its own; repeats and stale answers change nothing. Raises NotFound."""
    run_atomically(lambda: _apply(refund_id, truth, actor))


def _apply(
    refund_id: uuid.UUID, truth: RefundSnapshot | RefundRefused | Absent | Unknown, actor: Actor
) -> None:
    payment = payment_queries.get_payment(payment_queries.get_refund(refund_id).payment_id)
    order = lock_order(number=payment.reference)
    applied = card_refunds.apply_refund(refund_id, truth)
    refund = refunding.lock_by_card_refund(refund_id)
    if refund is None or not applied.changed:
        return
    if applied.after == "succeeded" and refund.state != "done":
        refund.state, refund.done_at = "done", clock.now()
        session().flush()
        text = "The money is back on its way to your card. Your bank shows it within a few days."
        if order.status == "needs_review" or _is_given_back(order):
            moving.move(order=order, to="refunded", event="refunded", text=text, actor=actor)
        else:
            story.tell(order_id=order.id, event="card_refunded", text=text, actor=actor)
    elif applied.after == "failed" and refund.state == "running":
        refund.state = "stuck"
        session().flush()
        if applied.reason == DISPUTED:
            card_refunds.tell_put_off(
                refund_id=refund_id, reference=order.number, amount=applied.amount, currency=order.currency
            )
        else:
            text = f"The gateway refused a refund: {applied.reason}"
            add(alert("refund_failed", order, text, about=refund_id))


def _is_given_back(order: LockedOrder) -> bool:
    return order.status in REFUNDABLE and refunding.is_settled(order.id)
