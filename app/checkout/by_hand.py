"""What staff do about a payment that the shop may not decide itself: take it for right, take note of money that went
back by another hand, or end its order. Named flows that ask the gateway first, with no transaction open.

Nothing is believed because staff say so: what counts is what the gateway says when it is asked now.
"""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from app.audit import service as audit
from app.checkout import disputes, owed_again, put_off, twice
from app.checkout import settle as settling
from app.checkout.cancelling import cancel_paid, cancel_stranded, cancel_unpaid
from app.checkout.refunds import settle_refund
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import end_reading, run_atomically
from app.kernel.errors import Conflict
from app.kernel.money import Money
from app.orders.errors import OrderNotCancellable
from app.orders.service.moving import LockedOrder, lock_order
from app.payments import issues, queries, rules
from app.payments import service as payments
from app.payments.gateway import Absent, Gateway, Snapshot, Unknown
from app.payments.models import Payment
from app.payments.states import OPEN, REFUND_OPEN


def accept(*, payment_id: uuid.UUID, note: str, gateway: Gateway, actor: Actor) -> str:
    """Take what the gateway captured for right although it is not what was asked for; the order's status after it.

    What the shopper paid too much must have been given back at the gateway before. Audited, with `note`.
    Raises NotFound, RuleBroken naming `note`, Conflict `PAYMENT_NOT_DOUBTFUL`, `PAYMENT_NOT_ACCEPTABLE` or
    `GATEWAY_UNCLEAR`; nothing has changed then.
    """
    note = issues.checked_note(note)
    truth = _ask(payment_id, gateway)
    return run_atomically(partial(_accept, payment_id, truth, note, actor))


def note_refund(*, payment_id: uuid.UUID, note: str, gateway: Gateway, actor: Actor) -> int:
    """Take note of money that went back at the gateway itself; how much of it is new, in minor units. Below zero: so
    much of what was noted has come back from the bank.

    Refunds and cancels of the order record that much as given back, and do not send it again; refunds that are stuck
    and that it covers are done. What has come back counts no more, and is sent again as far as refunds counted on it.
    Audited, with `note`.
    Raises NotFound, RuleBroken naming `note`, Conflict `NOTHING_OUTSIDE`, `REFUND_UNDER_WAY`, `GATEWAY_UNCLEAR`,
    `LESS_THAN_NOTED`.
    """
    note = issues.checked_note(note)
    truth = _ask(payment_id, gateway)
    _ask_ended(payment_id, gateway, actor)
    known = _states_of_refunds(payment_id)
    if _ask(payment_id, gateway).refunded != truth.refunded:
        raise _unclear()  # one of ours moved meanwhile: it cannot be told from what others did
    return run_atomically(partial(_note_refund, payment_id, truth, known, note, actor))


def cancel(*, number: str, reason: str, gateway: Gateway, actor: Actor) -> str:
    """End an order before it ships; everything goes back as it was paid. The order's status after it.

    `payment_pending`: the gateway gave no clear word; the order ends as soon as it does. Audited, with `reason`.
    Raises OrderNotFound, OrderNotCancellable, PaymentDisputed, RuleBroken naming `note`.
    """
    reason = issues.checked_note(reason)
    asking = run_atomically(partial(_begin_cancel, number, reason, actor))
    if asking is None:
        return "cancelled"
    payment_id, gateway_ref, made_at = asking
    end_reading()
    truth: Snapshot | Unknown = Unknown(f"it was made at {made_at}")
    if made_at == gateway.name:
        truth = gateway.cancel(payment_id, gateway_ref)
    return run_atomically(
        lambda: settling.apply(payment_id=payment_id, truth=truth, actor=actor).order_status
    )


def _ask(payment_id: uuid.UUID, gateway: Gateway) -> Snapshot:
    payment = queries.get_payment(payment_id)
    gateway_ref, made_at = payment.gateway_ref, payment.gateway
    end_reading()
    truth: Snapshot | Absent | Unknown = Unknown(f"it was made at {made_at}")
    if made_at == gateway.name:
        truth = gateway.fetch(payment_id, gateway_ref)
    if not isinstance(truth, Snapshot):
        raise _unclear()
    return truth


def _ask_ended(payment_id: uuid.UUID, gateway: Gateway, actor: Actor) -> None:
    """A refund of ours that has arrived after all is not money that somebody else gave back; nor is one that the bank
    has sent back money that others gave."""
    refunds = queries.list_refunds_of(payment_id)
    ended = {one.id: one.gateway_ref for one in refunds if one.state not in REFUND_OPEN}
    end_reading()
    for refund_id, gateway_ref in ended.items():
        truth = gateway.fetch_refund(refund_id, gateway_ref)
        if isinstance(truth, Unknown):
            raise _unclear()
        if not isinstance(truth, Absent):
            settle_refund(refund_id=refund_id, truth=truth, actor=actor)


def _states_of_refunds(payment_id: uuid.UUID) -> dict[uuid.UUID, str]:
    return {one.id: one.state for one in queries.list_refunds_of(payment_id)}


def _unclear() -> Conflict:
    return Conflict("The gateway gave no clear word on this payment. Try again.", code="GATEWAY_UNCLEAR")


def _accept(payment_id: uuid.UUID, truth: Snapshot, note: str, actor: Actor) -> str:
    lock_order(number=queries.get_payment(payment_id).reference)
    payment = payments.lock_payment(payment_id)
    problem = rules.mismatch(payments.facts_of(payment, truth), truth)
    if payment.state not in OPEN or problem is None:
        raise Conflict("There is nothing to accept: ask the gateway again.", code="PAYMENT_NOT_DOUBTFUL")
    _check_acceptable(payment, truth)
    before = {"amount": payment.amount, "currency": payment.currency, "doubt": problem}
    taken = {
        "accepted": truth.captured,
        "refunded_outside": truth.refunded,
        "gateway_ref": truth.gateway_ref,
    }
    payments.write_changes(payment, payment.state, taken, clock.now())
    _close(rules.MISMATCH, payment_id, note, actor)
    settled = settling.apply(payment_id=payment_id, truth=truth, actor=actor)
    after = {"captured": truth.captured, "given_back": truth.refunded, "order": settled.order_status}
    _record("payment.accepted", payment_id, before, after, note, actor)
    return settled.order_status


def _check_acceptable(payment: Payment, truth: Snapshot) -> None:
    kept = truth.captured - truth.refunded
    if truth.status != "captured" or truth.key != str(payment.id) or truth.currency != payment.currency:
        text = (
            "Only a capture of this payment in its own currency can be accepted. Give it back at the gateway."
        )
    elif kept > payment.amount:
        surplus = Money(kept - payment.amount, payment.currency).display
        text = f"The card paid too much: give {surplus} back at the gateway first."
    elif kept <= 0:
        text = "All of it has been given back. Ask the gateway again, and the order ends by itself."
    else:
        return
    raise Conflict(text, code="PAYMENT_NOT_ACCEPTABLE")


def _note_refund(
    payment_id: uuid.UUID, truth: Snapshot, known: dict[uuid.UUID, str], note: str, actor: Actor
) -> int:
    """`known`: our refunds of it when the gateway was asked. One that has moved since is not in its answer."""
    order = lock_order(number=queries.get_payment(payment_id).reference)
    payment = payments.lock_payment(payment_id)
    now = _states_of_refunds(payment_id)
    if any(state in REFUND_OPEN for state in now.values()):
        raise Conflict(
            "A refund of this payment is on its way. Wait until it has ended.", code="REFUND_UNDER_WAY"
        )
    if now != known:
        raise _unclear()
    new = truth.refunded - payment.refunded - payment.refunded_outside
    if payment.state != "captured" or truth.status != "captured" or not new:
        raise Conflict("The gateway has given back nothing that we do not know of.", code="NOTHING_OUTSIDE")
    if new < 0:
        _check_noted(payment, -new)
    before = {"refunded": payment.refunded, "refunded_outside": payment.refunded_outside}
    outside = payment.refunded_outside + new
    payments.write_changes(payment, payment.state, {"refunded_outside": outside}, clock.now())
    if new > 0:
        put_off.end_covered(order, payment_id, given=new, resolution=note, actor=actor)
        disputes.take_beside(order, payment, actor=actor)
    else:
        owed_again.send(order, payment, most=-new, actor=actor)
    twice.look_again(order, payment, actor=actor)
    _close(rules.REFUND_DIFFERS, payment_id, note, actor)
    _record("payment.refund_noted", payment_id, before, before | {"refunded_outside": outside}, note, actor)
    return new


def _check_noted(payment: Payment, came_back: int) -> None:
    """Only what was noted can have come back, and what was captured too much has to go back at the gateway again."""
    too_much = (payment.accepted or payment.captured) - payment.captured
    if came_back > payment.refunded_outside - max(0, too_much):
        text = "More has come back than was noted for the order. Give the rest back at the gateway again."
        raise Conflict(text, code="LESS_THAN_NOTED")


def _begin_cancel(number: str, reason: str, actor: Actor) -> tuple[uuid.UUID, str | None, str] | None:
    """The payment to end at the gateway first; None: the order has ended."""
    order = lock_order(number=number)
    audit.record(
        actor=actor,
        action="order.cancel",
        target_type="order",
        target_id=number,
        before={"status": order.status},
        reason=reason,
    )
    waiting = queries.list_open(number) if order.status == "payment_pending" else []
    if not waiting:
        _cancel_settled(order, actor)
        return None
    payment = payments.lock_payment(waiting[-1].id)
    payments.request_cancel(payment)
    return payment.id, payment.gateway_ref, payment.gateway


def _cancel_settled(order: LockedOrder, actor: Actor) -> None:
    if order.status in {"paid", "packed"}:
        cancel_paid(order, actor=actor, is_audited=False)  # `order.cancel` is written
    elif order.status == "payment_failed":
        cancel_unpaid(order, actor=actor)
    elif order.status == "payment_pending" and queries.find_live_payment(order.number) is None:
        cancel_stranded(order, actor=actor)
    else:
        raise OrderNotCancellable(f"This order is {order.status.replace('_', ' ')}; it cannot be cancelled.")


def _close(kind: str, payment_id: uuid.UUID, note: str, actor: Actor) -> None:
    issues.close_issue(kind=kind, ref=str(payment_id), state="resolved", by=actor.name, resolution=note)


def _record(
    action: str,
    payment_id: uuid.UUID,
    before: dict[str, Any],
    after: dict[str, Any],
    note: str,
    actor: Actor,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="payment",
        target_id=str(payment_id),
        before=before,
        after=after,
        reason=note,
    )
