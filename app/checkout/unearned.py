"""Points that were earned with money that did not stay: a bank took it back, or it had never come.

They go in proportion to the money, with the bonus of a first order likewise, all of them when nothing of the payment is
left; what a refund of the order accounts for has cost its own points there. Points that are taken back do not return
when a bank takes less after all. Called inside one transaction, with the order and its payment locked.
"""

from __future__ import annotations

from app.checkout.rules import unearned
from app.kernel.actor import Actor
from app.orders.service import refunding
from app.orders.service.moving import LockedOrder
from app.payments import disputes
from app.payments.left import count_returned, gone_otherwise, is_too_much
from app.payments.models import Payment
from app.rewards.queries.earnings import count_taken
from app.rewards.service.refunds import take_back


def take_lost(order: LockedOrder, payment: Payment, *, gateway_ref: str, actor: Actor) -> int:
    """After a dispute, `gateway_ref`, was lost or its amount has changed; how many points the customer has less."""
    missing = count_missing(order, payment)
    taken = 0
    for source_type, source_id in (("order", order.id), ("first_order", order.customer_id)):
        earned = count_taken(
            customer_id=order.customer_id,
            order_number=order.number,
            source_type=source_type,
            cause="dispute:",
        )
        is_all = missing is None
        left = unearned(earned.points, missing=missing or 0, of=payment.amount) - earned.taken
        key = f"dispute:{gateway_ref}:{source_type}"
        if is_all or left > 0:
            taken += take_back(
                customer_id=order.customer_id,
                source_type=source_type,
                source_id=str(source_id),
                order_number=order.number,
                points=None if is_all else left,
                idem_key=f"{key}:{earned.times + 1}" if earned.times else key,
                actor=actor,
            ).points
    return taken


def count_missing(order: LockedOrder, payment: Payment) -> int | None:
    """Minor units of the payment that banks took, and that no refund of the order accounts for; None: nothing of it is
    left."""
    # More than there was: of what the shop was sending, the bank's part is not sent any more.
    by_card = count_returned(payment.id) if is_too_much(payment) else payment.refunded
    gone = by_card + gone_otherwise(payment)
    refunded = sum(
        one.card
        for one in refunding.list_refunds(order.id)
        if not one.idem_key.startswith((refunding.UNWANTED, refunding.ANEW))
    )
    if gone >= payment.captured:
        return None
    return min(disputes.count_lost(payment.id), max(0, gone - refunded))


def take_never_paid(order: LockedOrder, payment: Payment, *, actor: Actor) -> None:
    """Staff have accepted less than the order's card part: it earns as much less."""
    cause, missing = f"accepted:{payment.id}:", payment.amount - payment.captured
    for source_type, source_id in (("order", order.id), ("first_order", order.customer_id)):
        earned = count_taken(
            customer_id=order.customer_id, order_number=order.number, source_type=source_type, cause=cause
        )
        take_back(
            customer_id=order.customer_id,
            source_type=source_type,
            source_id=str(source_id),
            order_number=order.number,
            points=unearned(earned.points, missing=missing, of=payment.amount),
            idem_key=f"{cause}{source_type}",
            actor=actor,
        )
