"""A card refund that was given up, and that another one was sent in place of, arrives after all.

The gateway had never heard of it, so the rest of it, less what had gone back by other hands, left under a key of its
own. Called inside one transaction, with the order locked.
"""

from __future__ import annotations

import uuid

from app.checkout import owed_again, twice
from app.checkout.covering import count_free
from app.checkout.ending import finish
from app.checkout.put_off import close_waiting
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.models import OrderRefund
from app.orders.service import refunding, story
from app.orders.service.moving import LockedOrder
from app.payments import elsewhere, issues, queries, refund_issues
from app.payments import refunds as card_refunds
from app.payments.gateway import EARLIER_ARRIVED, RefundRefused
from app.payments.models import CardRefund
from app.payments.refunds import AppliedRefund
from app.payments.service import lock_payment

AS_WELL = (
    "A refund that had got lost, and that we made good, has reached your card as well. We will write to you."
)
AFTER_ALL = "A refund that had got lost has reached your card after all."
ONE_BACK = "Your bank has sent one of two refunds of the same money back to us. The other one stays yours."
IN_ITS_PLACE = "An earlier one, which this one was sent in place of, has arrived."
LOOK_FIRST = (
    "An earlier refund of the same money has arrived too, and you have settled that it came twice. If the customer had "
    "given it back, send this one again on the order's page; if they keep it, this one is not owed: resolve this with "
    "a note."
)
LOOK = (
    "It had come twice, and you have settled that. Now the bank has sent one of the two back: if the customer had "
    "given it back too, pay it another way, and resolve this with a note."
)


def settle(order: LockedOrder, applied: AppliedRefund, *, actor: Actor) -> None:
    """News of a card refund that no refund of the order counts on any more. What was to go in its place, and has not
    gone, does not go."""
    if applied.after == "failed":
        _came_back(order, applied, actor)
    elif applied.after == "succeeded":
        # Locked: its job says there that it is about to send it.
        last, _ = card_refunds.lock_refund(queries.get_last_of(applied.refund_id).id)
        refund = refunding.lock_by_card_refund(last.id)
        if refund is not None and last.state == "queued" and last.sent_at is None:
            card_refunds.apply_refund(last.id, RefundRefused(EARLIER_ARRIVED))
            refund.state = "stuck"
            session().flush()
        if refund is None or refund.state != "stuck":
            _tell_twice(order, queries.get_refund(applied.refund_id), applied.amount)
            story.tell(order_id=order.id, event="refunded_twice", text=AS_WELL, actor=actor)
        else:
            _take(order, refund, queries.get_refund(applied.refund_id), actor)


def take_arrived(order: LockedOrder, refund: OrderRefund, *, actor: Actor) -> bool:
    """A stuck refund whose card refund was sent in place of one that has arrived is done; whether it is."""
    assert refund.card_refund_id is not None, "only a card refund gets stuck"
    arrived = find_arrived(refund.card_refund_id)
    if arrived is not None:
        _take(order, refund, arrived, actor)
    return arrived is not None


def find_arrived(card_refund_id: uuid.UUID) -> CardRefund | None:
    """The newest that has arrived of those in place of which this one was sent. Where staff have settled that it came
    twice, it pays for nothing any more: the customer may have given it back."""
    for one in queries.list_replaced(card_refund_id):
        if one.state == "succeeded":
            told = issues.find_issue(refund_issues.TWICE, str(one.id))
            if told is None or told.state != "resolved":
                return one
    return None


def what_to_do(card_refund_id: uuid.UUID) -> str:
    """About one that has not arrived, or was sent back."""
    earlier = [one for one in queries.list_replaced(card_refund_id) if one.state == "succeeded"]
    return LOOK_FIRST if earlier else refund_issues.SEND_AGAIN


def _take(order: LockedOrder, refund: OrderRefund, arrived: CardRefund, actor: Actor) -> None:
    """It was what the refund waits for. What had gone back by other hands besides is too much."""
    assert refund.card_refund_id is not None, "only a card refund gets stuck"
    given_up = queries.get_refund(refund.card_refund_id)
    card_refunds.replace(given_up.id, by=arrived.id)
    refund.card_refund_id, refund.state, refund.done_at = arrived.id, "done", clock.now()
    session().flush()
    close_waiting(given_up.id, actor, state="auto_fixed", resolution=IN_ITS_PLACE)
    payment = lock_payment(arrived.payment_id)
    surplus = min(arrived.amount - given_up.amount, count_free(order.id, payment))
    # Where it had paid for another refund meanwhile, that is short of it now.
    owed_again.send(order, payment, most=given_up.amount, actor=actor, why=owed_again.OWED)
    if surplus > 0:
        _tell_twice(order, arrived, surplus)
    else:
        twice.close(arrived.id, actor=actor)
    finish(order, refund, event="card_refunded", text=AFTER_ALL, actor=actor)


def _came_back(order: LockedOrder, applied: AppliedRefund, actor: Actor) -> None:
    """The bank sends it back: now the money has come once. What it had paid for besides is owed again. Where staff had
    settled that it came twice, they look."""
    told = issues.find_issue(refund_issues.TWICE, str(applied.refund_id))
    twice.close(applied.refund_id, actor=actor)
    payment = lock_payment(applied.payment_id)
    is_owed = owed_again.send(order, payment, most=applied.amount, actor=actor) > 0
    if is_owed:
        twice.close(applied.refund_id, actor=actor, kind=refund_issues.SET_OFF)
    if told is not None and told.state == "resolved":
        refund_issues.tell_stuck(applied, currency=order.currency, suggestion=LOOK)
    elif not is_owed:
        story.tell(order_id=order.id, event="refund_bounced", text=ONE_BACK, actor=actor)


def _tell_twice(order: LockedOrder, refund: CardRefund, amount: int) -> None:
    elsewhere.tell_twice(refund, reference=order.number, amount=amount, currency=order.currency)
