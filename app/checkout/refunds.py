"""What the gateway's word on a card refund means for the order."""

from __future__ import annotations

import uuid

from app.audit import service as audit
from app.checkout import put_off, replaced, twice
from app.checkout.covering import count_owed
from app.checkout.ending import finish
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import run_atomically, session
from app.kernel.errors import Conflict
from app.orders.models import OrderRefund
from app.orders.service import refunding, story
from app.orders.service.moving import LockedOrder, lock_order
from app.payments import disputes, elsewhere, refund_issues
from app.payments import queries as payment_queries
from app.payments import refunds as card_refunds
from app.payments.gateway import DISPUTED, Absent, RefundRefused, RefundSnapshot, Unknown
from app.payments.refunds import AppliedRefund
from app.payments.service import lock_payment

BOUNCED = "Your bank has sent the money of your refund back to us. We are looking after it."
ALREADY = "All of it had gone back another way."
AGAIN = "We are sending the money of your refund to your card again."
ALSO_BY_CARD = (
    "The refund that we paid you another way has reached your card as well. We will write to you about it."
)
ONCE = "Your bank has sent the refund to your card back to us. What we paid you another way stays yours."
COVERED = (
    "Your bank has sent a refund back to us. The same money had come to you another way, and stays yours."
)
SENT_BACK = "The bank has sent the card refund back."


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
    if not applied.changed:
        return
    if refund is None:
        replaced.settle(order, applied, actor=actor)
    else:
        _take_word(order, refund, applied, actor)
    twice.look_again(order, lock_payment(applied.payment_id), actor=actor)


def _take_word(order: LockedOrder, refund: OrderRefund, applied: AppliedRefund, actor: Actor) -> None:
    if applied.elsewhere_ref is not None or (applied.after == "succeeded" and refund.state == "done"):
        _tell_beside(order, applied, actor)
    elif applied.after == "succeeded" and refund.state != "done":
        refund.state, refund.done_at = "done", clock.now()
        session().flush()
        resolution = "The gateway took it after all."
        put_off.close_waiting(applied.refund_id, actor, state="auto_fixed", resolution=resolution)
        text = "The money is back on its way to your card. Your bank shows it within a few days."
        finish(order, refund, event="card_refunded", text=text, actor=actor)
    elif applied.after == "failed" and refund.state in ("running", "done"):
        _not_arrived(order, refund, applied, actor)


def _not_arrived(order: LockedOrder, refund: OrderRefund, applied: AppliedRefund, actor: Actor) -> None:
    """The bank has refused it, or sent it back: staff send it again, but for what has gone another way."""
    done_at = refund.done_at
    refund.state, refund.done_at = "stuck", None
    session().flush()
    owed = count_owed(refund)
    if done_at is not None and not owed and replaced.find_arrived(applied.refund_id) is None:
        refund.state, refund.done_at = "done", done_at
        session().flush()
        _bounced_beside(order, applied, actor)
        return
    if done_at is not None:
        twice.close(applied.refund_id, actor=actor, resolution=SENT_BACK)
        story.tell(order_id=order.id, event="refund_bounced", text=BOUNCED, actor=actor)
    if replaced.take_arrived(order, refund, actor=actor):
        return
    if not owed:
        card_refund = payment_queries.get_refund(applied.refund_id)
        put_off.end_one(order, refund, card_refund, state="auto_fixed", resolution=ALREADY, actor=actor)
    elif applied.reason == DISPUTED and not _is_decided(applied.payment_id):
        refund_issues.tell_put_off(
            refund_id=applied.refund_id,
            reference=order.number,
            amount=applied.amount,
            currency=order.currency,
        )
    elif applied.reason == DISPUTED and owed < applied.amount:
        put_off.settle(order, applied.payment_id, actor=actor)  # queued before the bank had decided
    else:
        refund_issues.tell_stuck(
            applied, currency=order.currency, suggestion=replaced.what_to_do(applied.refund_id)
        )


def _bounced_beside(order: LockedOrder, applied: AppliedRefund, actor: Actor) -> None:
    """What the bank sends back had gone another way besides, and so nothing of it is owed. Where staff had settled that
    it came twice, they look."""
    is_settled = twice.is_settled(applied.refund_id, applied.payment_id)
    if is_settled:
        refund_issues.tell_stuck(applied, currency=order.currency, suggestion=replaced.LOOK)
    else:
        twice.close(applied.refund_id, actor=actor, resolution=SENT_BACK)
    text = BOUNCED if is_settled else COVERED
    story.tell(order_id=order.id, event="refund_bounced", text=text, actor=actor)


def send_again(*, number: str, refund_id: uuid.UUID, actor: Actor) -> None:
    """Staff send the card part of a stuck refund once more, but for what a bank, or staff at the gateway, have given
    back; it ends when that is all of it. Called inside one transaction.

    Raises OrderNotFound, PaymentDisputed, Conflict `REFUND_NOT_STUCK`, `REFUND_EXCEEDS_PAID`.
    """
    order = lock_order(number=number)
    refund = refunding.lock_refund(order.id, refund_id)
    if refund.state != "stuck" or refund.card_refund_id is None:
        raise Conflict(
            f"This refund is {refund.state}; there is nothing to send again.", code="REFUND_NOT_STUCK"
        )
    was = refund.card_refund_id
    owed = count_owed(refund)
    now_sent = _send_owed(order, refund, was, owed, actor) if owed else None
    if now_sent is None:
        card_refund = payment_queries.get_refund(was)
        put_off.end_one(order, refund, card_refund, state="resolved", resolution=ALREADY, actor=actor)
    twice.look_again(order, lock_payment(payment_queries.get_refund(was).payment_id), actor=actor)
    audit.record(
        actor=actor,
        action="order.refund_sent_again",
        target_type="order",
        target_id=number,
        before={"refund": str(refund_id), "card_refund": str(was)},
        after={
            "refund": str(refund_id),
            "state": refund.state,
            "card_refund": str(now_sent) if now_sent else None,
        },
    )


def _send_owed(order: LockedOrder, refund: OrderRefund, was: uuid.UUID, owed: int, actor: Actor) -> uuid.UUID:
    now_sent = card_refunds.retry_refund(refund_id=was, amount=owed, request_id=actor.request_id)
    refund.card_refund_id, refund.state = now_sent, "running"
    session().flush()
    put_off.close_waiting(was, actor, state="resolved", resolution="It was sent again.")
    story.tell(order_id=order.id, event="refund_again", text=AGAIN, actor=actor)
    return now_sent


def _tell_beside(order: LockedOrder, applied: AppliedRefund, actor: Actor) -> None:
    """News of a card refund whose money went another way: the order's refund is done and stays so."""
    if applied.after == "succeeded":
        card_refund = payment_queries.get_refund(applied.refund_id)
        elsewhere.tell_twice(
            card_refund, reference=order.number, amount=applied.amount, currency=order.currency
        )
        story.tell(order_id=order.id, event="refunded_twice", text=ALSO_BY_CARD, actor=actor)
    else:
        story.tell(order_id=order.id, event="refund_bounced", text=ONCE, actor=actor)


def _is_decided(payment_id: uuid.UUID) -> bool:
    """Nothing is left for a bank to say: what the gateway refuses now does not go out by itself."""
    return disputes.count_lost(payment_id) > 0 and disputes.count_open([payment_id]) == 0
