"""Money that had gone back by another hand than the shop's, that refunds of the order counted on, and that has come
back or had never gone: the shop owes it again. Called inside one transaction, with the order and the payment locked.
"""

from __future__ import annotations

from app.checkout import put_off
from app.checkout.covering import count_short
from app.kernel import ids
from app.kernel.actor import Actor
from app.kernel.money import Money
from app.orders.service import refunding, story
from app.orders.service.moving import LockedOrder
from app.payments.models import Payment

CAME_BACK = "Your bank has sent money back to us that had gone back to your card."
LESS = "Your bank has given you less back than it had said at first."
OWED = "Less has gone back to your card than you are owed."
REASONS = {
    CAME_BACK: "What had been given back by hand has come back",
    LESS: "The bank has given less back than it had said",
    OWED: "Less had gone back than was owed",
}
TEXT = "{why} We are sending you {amount}."
LATER = "{why} What you are owed of it goes out when the dispute is decided."


def send(order: LockedOrder, payment: Payment, *, most: int, actor: Actor, why: str = CAME_BACK) -> int:
    """Queue what is owed again, `most` minor units of it, as a refund of its own; how much that is.

    It gives back none of the order's lines: the refunds that counted on that money have done so. While a bank decides
    about the payment, it waits as others do.
    """
    short = min(most, count_short(order.id, payment))
    if not short:
        return 0
    refund_id, reason = ids.uuid7(), REASONS[why]
    sent = put_off.queue(refund_id=refund_id, payment_id=payment.id, amount=short, reason=reason, actor=actor)
    refunding.record(
        order_id=order.id,
        idem_key=f"{refunding.ANEW}{refund_id}",
        reason=reason,
        strategy="card_first",
        points=0,
        points_value=0,
        card=short,
        lines=[],
        card_refund_id=refund_id,
        actor=actor,
    )
    if sent is None:
        put_off.keep_waiting(refund_id=refund_id)
    text = (LATER if sent is None else TEXT).format(why=why, amount=Money(short, order.currency).display)
    story.tell(order_id=order.id, event="refund_again", text=text, actor=actor)
    return short
