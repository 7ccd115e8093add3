"""A refund that the bank will not put on the card, and that staff have paid another way: by a transfer, say."""

from __future__ import annotations

import uuid

from app.audit import service as audit
from app.checkout import twice
from app.checkout.covering import count_owed
from app.checkout.ending import finish
from app.checkout.notices import mail_elsewhere
from app.checkout.put_off import close_waiting
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import Conflict
from app.kernel.money import Money
from app.orders.service import refunding
from app.orders.service.moving import lock_order
from app.outbox.service import add
from app.payments import elsewhere, issues
from app.payments.service import lock_payment


def note_paid_elsewhere(
    *, number: str, refund_id: uuid.UUID, reference: str, note: str, actor: Actor
) -> Money:
    """Staff have paid what is owed of a stuck refund's card part another way; how much that was. Called inside one
    transaction.

    `reference` is the bank's, of the transfer, and the shopper reads it; `note` is for the audit log. The gateway is
    not asked: it knows nothing of a transfer. Where the card refund arrives all the same, staff hear of it.
    Raises OrderNotFound, PaymentDisputed, RuleBroken naming `reference` or `note`, Conflict `REFUND_NOT_STUCK`,
    `REFUND_NOT_OWED`, `REFUND_EXCEEDS_PAID`; nothing has changed then.
    """
    reference, note = elsewhere.checked_reference(reference), issues.checked_note(note)
    order = lock_order(number=number)
    refund = refunding.lock_refund(order.id, refund_id)
    if refund.state != "stuck" or refund.card_refund_id is None:
        text = f"This refund is {refund.state}; there is nothing to pay another way."
        raise Conflict(text, code="REFUND_NOT_STUCK")
    owed = count_owed(refund)
    if not owed:
        text = (
            "Nothing of this refund is owed any more: it went back another way. Send it again, and it ends."
        )
        raise Conflict(text, code="REFUND_NOT_OWED")
    card_refund = elsewhere.note(refund_id=refund.card_refund_id, amount=owed, reference=reference)
    paid = Money(card_refund.elsewhere or 0, order.currency)
    refund.state, refund.done_at = "done", clock.now()
    session().flush()
    twice.look_again(order, lock_payment(card_refund.payment_id), actor=actor)
    resolution = f"It was paid another way ({reference})."
    close_waiting(card_refund.id, actor, state="resolved", resolution=resolution)
    text = (
        f"Your card could not take {paid.display}, so we paid it to you another way. Reference: {reference}."
    )
    finish(order, refund, event="refunded_elsewhere", text=text, actor=actor)
    add(mail_elsewhere(order, refund_id, reference), request_id=actor.request_id)
    audit.record(
        actor=actor,
        action="order.refund_elsewhere",
        target_type="order",
        target_id=number,
        before={"refund": str(refund_id), "state": "stuck"},
        after={
            "state": "done",
            "card_refund": str(card_refund.id),
            "amount": paid.amount,
            "reference": reference,
        },
        reason=note,
    )
    return paid
