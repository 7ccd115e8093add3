"""Refunds that nobody has asked for (late money, goods that are gone) of a payment that is disputed.

They wait until the bank has decided, where staff see them: sent then, the money would leave the shop twice; dropped,
the shopper would never get it. Called inside one transaction, with the order locked.
"""

from __future__ import annotations

import uuid

from app.checkout.notices import mail
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.models import OrderRefund
from app.orders.service import moving, refunding
from app.orders.service.moving import LockedOrder
from app.outbox.service import add
from app.payments import disputes, issues
from app.payments import refunds as card_refunds
from app.payments.refunds import PaymentDisputed

CANCEL_WAITS = "cancel_waits"
"""Kind of the issue about an order that was to be cancelled."""
BANK_DID = "Your bank has given the money back to your card."


def queue(*, refund_id: uuid.UUID, payment_id: uuid.UUID, amount: int, reason: str, actor: Actor) -> bool:
    """Queue it; False: it waits."""
    try:
        card_refunds.queue_refund(
            refund_id=refund_id,
            payment_id=payment_id,
            amount=amount,
            reason=reason,
            request_id=actor.request_id,
        )
    except PaymentDisputed:
        card_refunds.put_off(refund_id=refund_id, payment_id=payment_id, amount=amount, reason=reason)
        return False
    return True


def keep_waiting(*, refund_id: uuid.UUID) -> None:
    """The order's own record says so too."""
    _order_refund(refund_id).state = "stuck"
    session().flush()


def cancel_later(order: LockedOrder) -> None:
    """The order was to end as soon as its payment had; that is for staff now."""
    issues.record_issue(
        kind=CANCEL_WAITS,
        ref=order.number,
        detail={"order_number": order.number},
        suggestion="The customer had cancelled, but the payment is disputed. Cancel the order when that is decided.",
    )


def close_cancel(order: LockedOrder, *, actor: Actor) -> None:
    """The order is cancelled: that waits no more."""
    issues.close_issue(
        kind=CANCEL_WAITS,
        ref=order.number,
        state="resolved" if actor.kind == "staff" else "auto_fixed",
        by=actor.name,
        resolution="The order is cancelled.",
    )


def send(order: LockedOrder, payment_id: uuid.UUID, *, actor: Actor) -> None:
    """The shop has won: what waited goes out now."""
    for refund_id in card_refunds.list_put_off(payment_id):
        card_refunds.retry_refund(refund_id=refund_id, request_id=actor.request_id)
        refund = _order_refund(refund_id)
        refund.state = "running"
        session().flush()
        add(mail("order_refunded", order, refund_id=refund.id), request_id=actor.request_id)
        _close(refund_id, actor, "The bank decided for the shop; the refund is on its way.")


def settle_by_bank(order: LockedOrder, payment_id: uuid.UUID, *, actor: Actor) -> None:
    """The shop has lost: what waited has come back to the shopper that way, as far as the bank took it."""
    taken = disputes.count_lost(payment_id)
    for refund_id in card_refunds.list_put_off(payment_id):
        refund = _order_refund(refund_id)
        if refund.card > taken:
            continue
        taken -= refund.card
        refund.state, refund.done_at = "done", clock.now()
        session().flush()
        _close(refund_id, actor, "The bank gave the money back.")
        if order.status == "needs_review":
            moving.move(order=order, to="refunded", event="refunded", text=BANK_DID, actor=actor)


def _order_refund(refund_id: uuid.UUID) -> OrderRefund:
    refund = refunding.lock_by_card_refund(refund_id)
    assert refund is not None, "every card refund of the shop has its order's record"
    return refund


def _close(refund_id: uuid.UUID, actor: Actor, resolution: str) -> None:
    issues.close_issue(
        kind=card_refunds.WAITING,
        ref=str(refund_id),
        state="auto_fixed",
        by=actor.name,
        resolution=resolution,
    )
