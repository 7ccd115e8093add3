"""The one writer: what the gateway's word on a payment means for the order, its points and its stock.

Reply, callback, poll, list walk and staff all come here. The transition tables make it safe to repeat and to
reorder; the order's row lock makes it safe to do at once. Called inside one transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select

from app.checkout import disputes, put_off, without_order
from app.checkout.cancelling import cancel_paid
from app.checkout.earning import earn_with
from app.checkout.errors import PointsAboveDay
from app.checkout.notices import mail
from app.checkout.unearned import take_never_paid
from app.idempotency import service as idempotency
from app.inventory.errors import StockInsufficient
from app.inventory.service import reservations
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.models import OrderLine
from app.orders.service import line_lots, moving, refunding, story
from app.orders.service.moving import LockedOrder, lock_order
from app.orders.states import REFUNDABLE
from app.outbox.service import add
from app.payments import failures
from app.payments import queries as payment_queries
from app.payments import refunds as card_refunds
from app.payments import service as payments
from app.payments.errors import DECLINE_SENTENCES, public_decline_code
from app.payments.gateway import Absent, Snapshot, Unknown
from app.payments.refunds import PaymentDisputed
from app.payments.service import Applied
from app.rewards.errors import HoldNotFound, PointsInsufficient
from app.rewards.queries import get_spending_power, rules_of_version
from app.rewards.service import holds
from app.rewards.service.accounts import lock_account

RECEIVED_AFTER = timedelta(minutes=2)
"""Most shoppers have confirmed the payment by then, and need no mail that asks for it."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of it: the order's number and status, and what the shopper must do next, if anything."""

    number: str
    order_status: str
    payment_state: str
    next_action_url: str | None


def apply(*, payment_id: uuid.UUID, truth: Snapshot | Absent | Unknown, actor: Actor) -> Settled:
    """Write what `truth` means. A stale or doubled answer changes nothing. Raises NotFound.

    Whichever attempt pays: the wish to cancel is about the order, and attempts that are still open are to end.
    """
    reference = payment_queries.get_payment(payment_id).reference
    order = lock_order(number=reference)
    payment = payments.lock_payment(payment_id)
    cancel_wanted = payment.cancel_requested_at is not None or (
        order.attempt > 1 and payments.is_end_wanted(reference)
    )
    applied = payments.apply_snapshot(payment, truth)
    failures.note(payment, applied)
    if applied.became_captured:
        status = _captured(order, applied, actor)
        if status == "paid" != order.status and cancel_wanted:
            status = _cancel_as_wished(lock_order(number=reference), actor)
        if order.attempt > 1:
            payments.request_cancel_of_open(reference)
    elif applied.became_ended and order.status == "payment_pending":
        status = _ended(order, applied, cancel_wanted=cancel_wanted, actor=actor)
    else:
        status = order.status
        if applied.is_open and applied.changed:
            _tell_pending(order, applied, actor)
    if status != order.status:
        idempotency.end_leases(subject=order.number)
    return Settled(order.number, status, applied.after, applied.next_action_url)


def complete(order: LockedOrder, *, actor: Actor) -> None:
    """Points spent, stock sold, order paid, points earned pending, receipt on its way.

    Raises StockInsufficient, HoldNotFound, PointsInsufficient: the caller's savepoint must be rolled back.
    """
    if order.points:
        holds.capture(order_id=order.id, actor=actor)
    _commit_stock(order)
    moving.move(order=order, to="paid", event="paid", text="Your payment is complete.", actor=actor)
    earn_with(order, actor=actor)
    add(mail("order_paid", order))


def _captured(order: LockedOrder, applied: Applied, actor: Actor) -> str:
    """The card was charged. The order becomes paid, or the money goes back: never neither."""
    if order.status == "payment_pending":
        return _complete_or_refund(order, applied, actor)
    if order.status == "payment_failed":
        return _revive_or_refund(order, applied, actor)
    if order.status in REFUNDABLE:
        text = "Another payment arrived for this order, which had been paid already. We are sending that money back."
        return _give_money_back(order, applied, actor, text=text, reason="paid_twice")
    text = "A payment arrived after this order had ended. We are sending the money back to your card."
    return _give_money_back(order, applied, actor, text=text, reason="late_capture")


def _complete_or_refund(order: LockedOrder, applied: Applied, actor: Actor) -> str:
    try:
        with session().begin_nested():
            _complete_with(order, applied, actor)
        return "paid"
    except (StockInsufficient, HoldNotFound, PointsInsufficient) as error:
        _release(order, actor)
        text = "We could not complete this order after your payment. Your money and points are on their way back."
        return _give_money_back(order, applied, actor, text=text, reason=error.code.lower())


def _complete_with(order: LockedOrder, applied: Applied, actor: Actor) -> None:
    """`complete`; less was earned where less was paid than was due, or where a bank has spoken already. Of a first
    payment that nobody has heard of since it was sent no bank can have: the gateway's name for it was not known."""
    complete(order, actor=actor)
    if applied.amount < order.card_due:
        take_never_paid(order, payments.lock_payment(applied.payment_id), actor=actor)
    if order.attempt > 1 or applied.before != "submitting":
        disputes.catch_up(order, payment_id=applied.payment_id, actor=actor)


def _revive_or_refund(order: LockedOrder, applied: Applied, actor: Actor) -> str:
    """Late success of a failed order: take points and stock again if they are still there, and the money as well."""
    attempt = order.attempt + 1
    try:
        with session().begin_nested():
            _check_kept(applied)
            take_again(order, attempt=attempt, actor=actor)
            _complete_with(order, applied, actor)
        text = "Your bank confirmed the payment late, and your order goes ahead."
        story.tell(order_id=order.id, event="revived", text=text, actor=actor)
        add(mail("order_revived", order), request_id=actor.request_id)
        return "paid"
    except (StockInsufficient, HoldNotFound, PointsInsufficient, PaymentDisputed):
        text = "Your bank confirmed the payment too late for this order. We are sending the money back to your card."
        return _give_money_back(order, applied, actor, text=text, reason="late_capture")


def _check_kept(applied: Applied) -> None:
    """Raises PaymentDisputed when a bank has taken any of it back, or is deciding about that."""
    if card_refunds.to_send(payment_id=applied.payment_id, amount=applied.amount) < applied.amount:
        raise PaymentDisputed("The bank has taken this money back.")


def take_again(order: LockedOrder, *, attempt: int, actor: Actor) -> None:
    """Hold the points and reserve the stock of a failed order once more.

    Raises PointsInsufficient, StockInsufficient: the caller rolls back. The day's cap is not asked here: when the
    bank says yes after its no, the shopper does not lose an order that was within the cap when it was placed.
    """
    lines = _lines(order)
    if order.points:
        held = holds.hold(
            customer_id=order.customer_id,
            order_id=order.id,
            order_number=order.number,
            points=order.points,
            rules=rules_of_version(order.rules_version),
            actor=actor,
        )
        line_lots.write(order_id=order.id, held=held, lines={line.position: line.points for line in lines})
    quantities = {line.variant_id: line.quantity for line in lines}
    reservations.reserve(order_id=order.id, attempt=attempt, quantities=quantities)


def refuse_above_day(order: LockedOrder) -> None:
    """Raises PointsAboveDay when the order's points, used now, would pass its rules' cap for 24 hours."""
    most = rules_of_version(order.rules_version).spend.max_points_per_day
    if most is None or not order.points:
        return
    lock_account(customer_id=order.customer_id)
    left = max(0, most - get_spending_power(order.customer_id, with_day=True).spent_today)
    if order.points > left:
        text = f"At most {most:,} points can be used in 24 hours; {left:,} are left, and this order uses"
        raise PointsAboveDay(f"{text} {order.points:,}. Pay it later.", details={"left": left})


def _give_money_back(order: LockedOrder, applied: Applied, actor: Actor, *, text: str, reason: str) -> str:
    """The order goes to review, the card is refunded once, staff and shopper are told."""
    status = order.status
    if order.status in {"payment_pending", "payment_failed", "cancelled"}:
        moving.move(order=order, to="needs_review", event="needs_review", text=text, actor=actor)
        status = "needs_review"
    else:
        story.tell(order_id=order.id, event="late_payment", text=text, actor=actor)
    refund_id = ids.uuid7()
    sent = put_off.queue(
        refund_id=refund_id,
        payment_id=applied.payment_id,
        amount=applied.amount,
        reason=reason,
        actor=actor,
    )
    given_back = refunding.record(
        order_id=order.id,
        idem_key=refunding.unwanted_key(applied.payment_id),
        reason=reason,
        strategy="card_first",
        points=0,
        points_value=0,
        card=applied.amount,
        lines=[],
        card_refund_id=None if sent == 0 else refund_id,
        actor=actor,
    )
    without_order.tell(applied, reason=reason, sent=sent)
    if sent:
        add(mail("order_refunded", order, refund_id=given_back), request_id=actor.request_id)
    elif sent is None:
        put_off.keep_waiting(refund_id=refund_id)
    else:
        refund = refunding.lock_refund(order.id, given_back)
        status = put_off.end_by_bank(order, refund, payment_id=applied.payment_id, actor=actor)
    return status


def _cancel_as_wished(order: LockedOrder, actor: Actor) -> str:
    """Cancel an order whose end was wished for while its payment was open; staff do it if that cannot be now."""
    try:
        with session().begin_nested():
            return cancel_paid(order, actor=actor)
    except PaymentDisputed:
        put_off.cancel_later(order)
        return "paid"


def _ended(order: LockedOrder, applied: Applied, *, cancel_wanted: bool, actor: Actor) -> str:
    """Definitely no money: points and stock go back at once."""
    _release(order, actor)
    if cancel_wanted:
        moving.move(
            order=order, to="cancelled", event="cancelled", text="Your order was cancelled.", actor=actor
        )
        add(mail("order_cancelled", order), request_id=actor.request_id)
        return "cancelled"
    code = public_decline_code(applied.decline_code) if applied.after == "declined" else "PAYMENT_CANCELED"
    text = DECLINE_SENTENCES[code]
    moving.move(
        order=order, to="payment_failed", event="payment_failed", text=text, actor=actor, failure_code=code
    )
    add(mail("payment_failed", order, attempt=order.attempt, reason=code), request_id=actor.request_id)
    return "payment_failed"


def _release(order: LockedOrder, actor: Actor) -> None:
    """What is still held goes back. Points that are held no more do not keep the card's money from going back."""
    if order.points:
        with suppress(HoldNotFound):
            holds.release(order_id=order.id, rules=rules_of_version(order.rules_version), actor=actor)
    reservations.release(order_id=order.id)


def _tell_pending(order: LockedOrder, applied: Applied, actor: Actor) -> None:
    if order.status != "payment_pending":
        return
    if applied.after == "requires_action":
        text = "Your bank asks you to confirm the payment."
        story.tell(order_id=order.id, event="requires_action", text=text, actor=actor)
        later = replace(mail("order_received", order), run_at=clock.now() + RECEIVED_AFTER)
        add(later, request_id=actor.request_id)
    elif applied.after == "unknown":
        text = "We have your order, not yet your payment. Do not pay again: we are finding out."
        story.tell(order_id=order.id, event="payment_unknown", text=text, actor=actor)
        add(mail("order_pending", order, attempt=order.attempt), request_id=actor.request_id)


def _commit_stock(order: LockedOrder) -> None:
    sold = reservations.commit(order_id=order.id)
    if sold != len(_lines(order)):
        raise StockInsufficient("The stock of this order has gone.")


def _lines(order: LockedOrder) -> Sequence[Row[*tuple[Any, ...]]]:
    """`position`, `variant_id`, `quantity`, `points`."""
    line = OrderLine
    columns = (line.position, line.variant_id, line.quantity, line.points)
    return session().execute(select(*columns).where(line.order_id == order.id).order_by(line.position)).all()
