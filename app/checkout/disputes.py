"""What the bank's word on a dispute means for the order: its story, its earned points, the staff's list.

The order itself does not move. While the dispute is open, what the order earned stays pending, so that points
cannot be earned by buying and then calling the bank; points already confirmed stay. Won: they confirm as they
would have. Lost: the money is gone, and what was earned with it is taken back, in part when a part is gone; money that
came for nothing, beside what paid for the order, has earned nothing. Points that were spent on the order are not
returned: the shopper has the goods, or staff cancel what was not shipped.
"""

from __future__ import annotations

import uuid
from typing import Any

from app.checkout import owed_again, put_off, twice
from app.checkout.notices import alert
from app.checkout.unearned import take_lost
from app.kernel.actor import Actor
from app.kernel.database import run_atomically
from app.kernel.money import Money
from app.orders.service import refunding, story
from app.orders.service.moving import LockedOrder, lock_order
from app.orders.states import CANCELLABLE, REFUNDABLE
from app.outbox.service import add
from app.payments import disputes, issues, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.disputes import AppliedDispute
from app.payments.models import Dispute, Payment
from app.payments.service import lock_payment
from app.rewards.service import earning
from app.rewards.service.accounts import lock_account

OPENED = "Your bank disputes the card payment of this order."
EARNS_LATER = " What it earns waits until that is decided."
WON = "The dispute of the card payment was decided: the payment stands."
LOST = "The dispute was decided: {amount} went back to your card{taken}."
LOST_BESIDE = "The dispute was decided: {amount} of that payment went back to your card."
GONE = (
    "The money is gone. Cancel the order if it has neither left nor been given back; else nothing more is to be done "
    "about it."
)
GONE_SHIPPED = "The money is gone, and so are the goods: nothing more is to be done about the order."
GONE_RETURNED = "The money is gone. The order was given back before: compare its refunds with what was paid."
GONE_BESIDE = "The money is gone. It is not what paid for the order, which stays as it is."
CORRECTED = (
    "The bank has changed the amount. What refunds had counted on, and the bank has not given back, the shop sends; "
    "what came twice is an issue of its own. Look at the order, and resolve this."
)
TURNED = (
    "The gateway has said that this dispute is {before}, and says now that it is {now}. The shop keeps to the first "
    "word: its refunds count the money so. Look it up at the gateway; give back there what the customer is owed, or "
    "ask for what came twice; settle the points by an adjustment."
)
KNOWN_LOST = "Your bank had given {amount} back to your card before{taken}."
CHANGED = "Your bank has given {amount} back in all{taken}."
CHANGED_BESIDE = "Your bank has given {amount} of that payment back in all."
BESIDE = "More of the payment has gone back to you, and what the order had earned with it was taken back."
TAKEN = ", and what the order had earned with it was taken back"
ANSWER = "Answer the dispute at the gateway before its deadline; do not ship what has not left."
CHANGED_OPEN = f"The bank has changed the amount. {ANSWER}"


def settle_dispute(*, gateway: str, truth: DisputeSnapshot, actor: Actor) -> bool:
    """Apply it in a transaction of its own; whether it was news. Repeats and stale answers change nothing."""
    return run_atomically(lambda: _apply(gateway, truth, actor))


def _apply(gateway: str, truth: DisputeSnapshot, actor: Actor) -> bool:
    payment = queries.find_payment_by_gateway_ref(gateway, truth.payment_ref)
    if payment is None:
        return _record(truth, {"payment_ref": truth.payment_ref}, "Find out whose payment this is.")
    order = lock_order(number=payment.reference)
    payment = lock_payment(payment.id)
    applied = disputes.apply_dispute(payment, truth)
    about = {"payment": str(payment.id), "order_number": order.number}
    is_news = _react(order, payment, truth, applied, about, actor)
    if applied.after != "open" and (applied.changed or applied.corrected):
        twice.look_again(order, payment, actor=actor)
    return is_news


def _react(
    order: LockedOrder,
    payment: Payment,
    truth: DisputeSnapshot,
    applied: AppliedDispute,
    about: dict[str, Any],
    actor: Actor,
) -> bool:
    if applied.turned:
        return _record(truth, about, TURNED.format(before=applied.after, now=truth.status))
    if not applied.changed:
        return applied.corrected and _corrected(order, payment, truth, about, actor)
    if applied.opened:
        _opened(order, truth, about, actor)
    if applied.after == "won":
        _won(order, truth, actor)
    elif applied.after == "lost":
        _lost(order, payment, truth, about, actor)
    return True


def catch_up(order: LockedOrder, *, payment_id: uuid.UUID, actor: Actor) -> None:
    """The order has just been paid with `payment_id`, and banks may have spoken of its payments before: what it earns
    waits, or is taken back, as it would have been had the payment been heard of first."""
    known = disputes.list_disputes_about(order.number)
    if any(one.state == "open" for one in known):
        earning.hold_back(order_number=order.number)
    for one in known:
        if one.state == "lost" and one.payment_id == payment_id:
            _known_lost(order, lock_payment(payment_id), one, actor)


def _known_lost(order: LockedOrder, payment: Payment, lost: Dispute, actor: Actor) -> None:
    truth = DisputeSnapshot(lost.gateway_ref, "", "lost", lost.amount, lost.currency, lost.reason)
    taken = take_lost(order, payment, gateway_ref=truth.gateway_ref, actor=actor)
    _tell_lost(order, truth, KNOWN_LOST, taken, actor)
    about = {"payment": str(lost.payment_id), "order_number": order.number, "taken_back": taken}
    _record(truth, about, GONE)


def take_beside(order: LockedOrder, payment: Payment, *, actor: Actor) -> int:
    """Staff have noted money that went back by hand, after banks had taken theirs: all of it together is gone now, and
    costs the points that it would have cost the other way round; how many."""
    lost = [one for one in disputes.list_disputes_of([payment.id]) if one.state == "lost"]
    if not lost or not _pays(order, payment.id):
        return 0
    taken = take_lost(order, payment, gateway_ref=lost[-1].gateway_ref, actor=actor)
    if taken:
        data = {"taken_back": taken}
        story.tell(order_id=order.id, event="points_taken_back", text=BESIDE, actor=actor, data=data)
    return taken


def _opened(order: LockedOrder, truth: DisputeSnapshot, about: dict[str, Any], actor: Actor) -> None:
    lock_account(customer_id=order.customer_id)
    waits = earning.hold_back(order_number=order.number)
    text = OPENED + (EARNS_LATER if waits else "")
    story.tell(order_id=order.id, event="disputed", text=text, actor=actor, data={"reason": truth.reason})
    _record(truth, about, ANSWER)


def _won(order: LockedOrder, truth: DisputeSnapshot, actor: Actor) -> None:
    _go_on(order, actor)
    story.tell(order_id=order.id, event="dispute_won", text=WON, actor=actor)
    told = issues.find_issue(disputes.KIND, truth.gateway_ref)
    if told is not None:
        told.detail = told.detail | {"status": "won"}
    issues.close_issue(
        kind=disputes.KIND,
        ref=truth.gateway_ref,
        state="auto_fixed",
        by=actor.name,
        resolution="The bank decided for the shop.",
    )


def _pays(order: LockedOrder, payment_id: uuid.UUID) -> bool:
    """Whether this is the payment that the order is paid with, or may be once its capture is heard of."""
    unwanted = refunding.list_unwanted_payments(order.id)
    captured = [one.id for one in queries.list_payments_of(order.number) if one.state == "captured"]
    return payment_id not in unwanted and all(one in unwanted or one == payment_id for one in captured)


def _lost(
    order: LockedOrder, payment: Payment, truth: DisputeSnapshot, about: dict[str, Any], actor: Actor
) -> None:
    pays = _pays(order, payment.id)
    taken = take_lost(order, payment, gateway_ref=truth.gateway_ref, actor=actor) if pays else 0
    _go_on(order, actor)
    amount = _tell_lost(order, truth, LOST if pays else LOST_BESIDE, taken, actor)
    _record(truth, about | {"taken_back": taken}, _what_to_do(order) if pays else GONE_BESIDE)
    text = f"The bank took {amount} back; {taken:,} points that the order had earned with it were taken back."
    add(alert("dispute_lost", order, text, about=truth.gateway_ref), request_id=actor.request_id)


def close_cancelled(order: LockedOrder, *, actor: Actor) -> None:
    """The order is cancelled: where that was all that a lost dispute asked for, nothing more is to be done."""
    for lost in disputes.list_disputes_about(order.number):
        told = issues.find_issue(disputes.KIND, lost.gateway_ref)
        if told is not None and told.suggestion == GONE:
            issues.close_issue(
                kind=disputes.KIND,
                ref=lost.gateway_ref,
                state="resolved" if actor.kind == "staff" else "auto_fixed",
                by=actor.name,
                resolution="The order is cancelled.",
            )


def _what_to_do(order: LockedOrder) -> str:
    if order.status in CANCELLABLE:
        return GONE
    return GONE_SHIPPED if order.status in REFUNDABLE else GONE_RETURNED


def _tell_lost(order: LockedOrder, truth: DisputeSnapshot, text: str, taken: int, actor: Actor) -> str:
    """The order's story; the amount in words. The points are spoken of only when some went by this."""
    data = {"taken_back": taken, "amount": truth.amount, "currency": truth.currency}
    amount = Money(truth.amount, truth.currency).display
    words = text.format(amount=amount, taken=TAKEN if taken else "")
    story.tell(order_id=order.id, event="dispute_lost", text=words, actor=actor, data=data)
    return amount


def _corrected(
    order: LockedOrder, payment: Payment, truth: DisputeSnapshot, about: dict[str, Any], actor: Actor
) -> bool:
    """The bank says another amount than before; what it took is what counts from now on."""
    if truth.status == "lost":
        pays = _pays(order, payment.id)
        taken = take_lost(order, payment, gateway_ref=truth.gateway_ref, actor=actor) if pays else 0
        _tell_lost(order, truth, CHANGED if pays else CHANGED_BESIDE, taken, actor)
        _go_on(order, actor)
        owed_again.send(order, payment, most=payment.captured, actor=actor, why=owed_again.LESS)
    if truth.status != "won":
        _record(truth, about, CORRECTED if truth.status == "lost" else CHANGED_OPEN)
    return True


def _go_on(order: LockedOrder, actor: Actor) -> None:
    """What waits for decisions that have come goes on: earned points, and the refunds of each payment."""
    ours = [payment.id for payment in queries.list_payments_of(order.number)]
    if disputes.count_open(ours) == 0:
        earning.let_go(order_number=order.number)
    for payment_id in ours:
        put_off.settle(order, payment_id, actor=actor)


def _record(truth: DisputeSnapshot, about: dict[str, Any], suggestion: str) -> bool:
    detail = about | {
        "status": truth.status,
        "amount": truth.amount,
        "currency": truth.currency,
        "reason": truth.reason,
    }
    return issues.record_issue(
        kind=disputes.KIND, ref=truth.gateway_ref, detail=detail, suggestion=suggestion
    )
