"""Refunds that nobody has asked for (late money, goods that are gone) of a payment that is disputed.

They wait until the bank has decided, where staff see them: sent then, the money would leave the shop twice; dropped,
the shopper would never get it. Called inside one transaction, with the order locked.
"""

from __future__ import annotations

import uuid

import structlog
from sqlalchemy.exc import IntegrityError

from app.checkout import without_order
from app.checkout.covering import count_owed
from app.checkout.notices import alert, mail
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import ShopError
from app.kernel.money import Money
from app.orders.models import OrderRefund
from app.orders.service import moving, refunding, story
from app.orders.service.moving import LockedOrder, lock_order
from app.orders.states import REFUNDABLE
from app.outbox.service import add
from app.payments import disputes, issues, queries, refund_issues
from app.payments import refunds as card_refunds
from app.payments.gateway import DISPUTED
from app.payments.models import CardRefund
from app.payments.refunds import PaymentDisputed

CANCEL_WAITS = "cancel_waits"
"""Kind of the issue about an order that was to be cancelled."""
BANK_DID = "Your bank has given the money back to your card."
GIVEN_BACK = "The money has been given back to your card already."
LOOK_AT_IT = (
    "The dispute is decided, and the refund could not go out. Look at the order's payments and send it again."
)
log = structlog.get_logger("payments")


def queue(
    *, refund_id: uuid.UUID, payment_id: uuid.UUID, amount: int, reason: str, actor: Actor
) -> int | None:
    """Queue what of it has not gone back already; how much that is. None: it waits."""
    try:
        sent = card_refunds.to_send(payment_id=payment_id, amount=amount)
    except PaymentDisputed:
        card_refunds.put_off(refund_id=refund_id, payment_id=payment_id, amount=amount, reason=reason)
        return None
    if sent:
        card_refunds.queue_refund(
            refund_id=refund_id,
            payment_id=payment_id,
            amount=sent,
            reason=reason,
            request_id=actor.request_id,
        )
    return sent


def keep_waiting(*, refund_id: uuid.UUID) -> None:
    """The order's own record says so too."""
    refund = refunding.lock_by_card_refund(refund_id)
    assert refund is not None, "every card refund of the shop has its order's record"
    refund.state = "stuck"
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


def settle(order: LockedOrder, payment_id: uuid.UUID, *, actor: Actor) -> None:
    """A bank has decided. When none is deciding about the payment any more: what waits goes out, but for what the
    bank has given back itself. One that cannot go out goes on waiting, and keeps nothing else from being written."""
    if disputes.count_open([payment_id]):
        return
    sent = {one.id: one for one in queries.list_refunds_of(payment_id)}
    for refund in refunding.list_refunds(order.id):
        if refund.state != "stuck" or refund.card_refund_id not in sent:
            continue
        card_refund = sent[refund.card_refund_id]
        try:
            with session().begin_nested():
                _settle_one(order, refund, card_refund, actor)
        except (ShopError, IntegrityError) as error:
            _tell_failed(order, card_refund, error)


def end_covered(
    order: LockedOrder, payment_id: uuid.UUID, *, given: int, resolution: str, actor: Actor
) -> None:
    """Staff have taken note of `given` minor units that went back at the gateway: stuck refunds that it covers as a
    whole are done, first of all one of just that amount. Of one that it covers in part, the rest is sent again."""
    sent = {one.id: one for one in queries.list_refunds_of(payment_id)}
    stuck = [
        (sent[refund.card_refund_id], refund)
        for refund in refunding.list_refunds(order.id)
        if refund.state == "stuck" and refund.card_refund_id in sent
    ]
    for card_refund, refund in sorted(stuck, key=lambda one: one[0].amount != given):
        if not count_owed(refund):
            end_one(order, refund, card_refund, state="resolved", resolution=resolution, actor=actor)


def end_by_bank(order: LockedOrder, refund: OrderRefund, *, payment_id: uuid.UUID, actor: Actor) -> str:
    """A refund is done and the shop has sent nothing of it; the order's status, which may end by it."""
    without_order.close(refund, actor=actor)
    now = lock_order(number=order.number)
    text = BANK_DID if disputes.count_lost(payment_id) else GIVEN_BACK
    in_review = now.status == "needs_review" and refunding.is_all_done(order.id)
    if in_review or (now.status in REFUNDABLE and refunding.is_settled(order.id)):
        moving.move(order=now, to="refunded", event="refunded", text=text, actor=actor)
        return "refunded"
    story.tell(order_id=order.id, event="card_refunded", text=text, actor=actor)
    return now.status


def close_waiting(refund_id: uuid.UUID, actor: Actor, *, state: str, resolution: str) -> None:
    """Close what is open about a card refund that has not arrived."""
    for kind in (refund_issues.WAITING, refund_issues.STUCK):
        issues.close_issue(kind=kind, ref=str(refund_id), state=state, by=actor.name, resolution=resolution)


def _settle_one(order: LockedOrder, refund: OrderRefund, card_refund: CardRefund, actor: Actor) -> None:
    """Those that the bank had refused stay with staff, unless they have come back as a whole."""
    owed, is_waiting = count_owed(refund), card_refund.last_error == DISPUTED
    if not owed:
        text = "It was given back another way."
        end_one(order, refund, card_refund, state="auto_fixed", resolution=text, actor=actor)
    elif is_waiting:
        refund.card_refund_id = card_refunds.retry_refund(
            refund_id=card_refund.id, amount=owed, request_id=actor.request_id
        )
        refund.state = "running"
        session().flush()
        _tell_customer(order, refund, card_refund, actor)
        text = f"The dispute is decided; {Money(owed, order.currency).display} are on their way."
        close_waiting(card_refund.id, actor, state="auto_fixed", resolution=text)


def _tell_customer(order: LockedOrder, refund: OrderRefund, was: CardRefund, actor: Actor) -> None:
    """How much goes out now. What was told of a refund when it was made is not told again: its points never, and
    nothing of what a cancel gives back unless it is another sum."""
    sent_as = refund.card_refund_id if refund.card_refund_id != was.id else None
    if sent_as is not None:
        again = mail("order_refunded", order, refund_id=refund.id, sent_as=sent_as, again=True)
        add(again, request_id=actor.request_id)
    elif refund.idem_key != refunding.CANCEL:
        add(mail("order_refunded", order, refund_id=refund.id), request_id=actor.request_id)


def end_one(
    order: LockedOrder,
    refund: OrderRefund,
    card_refund: CardRefund,
    *,
    state: str,
    resolution: str,
    actor: Actor,
) -> None:
    """Nothing of a stuck refund is owed any more: it is done, and its issues are closed."""
    refund.state, refund.done_at = "done", clock.now()
    session().flush()
    card_refunds.mark_covered(card_refund.id)
    close_waiting(card_refund.id, actor, state=state, resolution=resolution)
    end_by_bank(order, refund, payment_id=card_refund.payment_id, actor=actor)


def _tell_failed(order: LockedOrder, card_refund: CardRefund, error: ShopError | IntegrityError) -> None:
    reason = error.code if isinstance(error, ShopError) else type(error).__name__
    log.error("refund could not go out", order=order.number, refund=str(card_refund.id), reason=reason)
    issues.record_issue(
        kind=refund_issues.WAITING,
        ref=str(card_refund.id),
        detail={
            "order_number": order.number,
            "amount": card_refund.amount,
            "currency": order.currency,
            "reason": reason,
        },
        suggestion=LOOK_AT_IT,
    )
    add(alert("refund_waits", order, LOOK_AT_IT, about=f"{card_refund.id}:{reason}"))
