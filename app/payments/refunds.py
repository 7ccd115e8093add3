"""Card refunds: queued with the commit, sent by a job, settled by what the gateway says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select, update

from app.kernel import clock, ids
from app.kernel.database import session
from app.kernel.errors import Conflict, NotFound, invalid
from app.outbox import service as outbox
from app.payments import disputes, issues, refund_rules, rules
from app.payments.gateway import DISPUTED, NEVER_ARRIVED, Absent, RefundRefused, RefundSnapshot, Unknown
from app.payments.left import count_to_send, left_of
from app.payments.models import CardRefund, Payment
from app.payments.refund_issues import TWICE, tell_put_off
from app.payments.service import lock_payment, write_changes
from app.payments.states import CARD_REFUND, REFUND_OPEN

COVERED = "it was given back another way"
"""Why a refund that had waited for the bank is not sent."""


class PaymentDisputed(Conflict):
    """Money that a bank has not decided about, or has given back itself, would leave the shop twice."""

    code = "PAYMENT_DISPUTED"


@dataclass(frozen=True, slots=True)
class AppliedRefund:
    """What an answer did to a card refund; `reference` is the order number. `elsewhere` and `elsewhere_ref`: how much
    of it went another way and stays there, and the bank's reference of that."""

    refund_id: uuid.UUID
    payment_id: uuid.UUID
    reference: str
    amount: int
    before: str
    after: str
    reason: str | None
    elsewhere: int | None = None
    elsewhere_ref: str | None = None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def queue_refund(
    *, refund_id: uuid.UUID, payment_id: uuid.UUID, amount: int, reason: str, request_id: str = "-"
) -> None:
    """Take `amount` (minor units) out of what is left of a payment, and send it back by a job.

    Locks the payment; lock its order first. The same `refund_id` again is no second refund.
    Raises PaymentDisputed, Conflict `REFUND_EXCEEDS_PAID` with `left`, Conflict `PAYMENT_NOT_CAPTURED`, NotFound,
    RuleBroken.
    """
    if amount <= 0:
        raise invalid("amount", "TOO_SMALL", "A refund must be above zero.")
    payment = lock_payment(payment_id)
    if session().get(CardRefund, refund_id) is not None:
        return
    if payment.state != "captured":
        raise Conflict("Only a captured payment can be refunded.", code="PAYMENT_NOT_CAPTURED")
    check_left(payment, amount)
    write_changes(payment, payment.state, {"refunded": payment.refunded + amount}, clock.now())
    _store(refund_id, payment_id, amount, reason)
    _send(refund_id, 0, request_id)


def put_off(*, refund_id: uuid.UUID, payment_id: uuid.UUID, amount: int, reason: str) -> None:
    """Keep a refund that nobody has asked for, and that may not go out now, where staff see it.

    It is a failed one with an issue of its own, and goes out by `retry_refund`. Locks as `queue_refund` does.
    """
    payment = lock_payment(payment_id)
    refund = _store(refund_id, payment_id, amount, reason)
    write_changes(refund, "failed", {"last_error": DISPUTED, "next_check_at": None}, clock.now())
    tell_put_off(refund_id=refund_id, reference=payment.reference, amount=amount, currency=payment.currency)


def to_send(*, payment_id: uuid.UUID, amount: int) -> int:
    """How much of a refund must still leave the shop: what a bank took back after a dispute, or somebody gave back at
    the gateway, or staff sent another way, has left it already, and what staff accepted as missing never came.

    Raises PaymentDisputed while a bank is deciding, NotFound.
    """
    payment = lock_payment(payment_id)
    check_undisputed(payment_id)
    return count_to_send(payment, amount)


def mark_covered(refund_id: uuid.UUID) -> None:
    """A refund that waited will not be sent: its money went back by another way, or what is left of it goes alone."""
    refund, _ = lock_refund(refund_id)
    if refund.last_error == DISPUTED:
        write_changes(refund, refund.state, {"last_error": COVERED}, clock.now())


def check_undisputed(payment_id: uuid.UUID) -> None:
    """Raises PaymentDisputed while a bank is deciding."""
    if disputes.count_open([payment_id]):
        message = (
            "The bank is deciding about a dispute of this payment. Nothing can be refunded until it has."
        )
        raise PaymentDisputed(message)


def check_left(payment: Payment, amount: int) -> None:
    """That much of a locked payment may still leave the shop.

    Raises PaymentDisputed, Conflict `REFUND_EXCEEDS_PAID` with `left`.
    """
    check_undisputed(payment.id)
    left = left_of(payment)
    if amount > left:
        message = "That is more than is left of the card payment."
        raise Conflict(message, code="REFUND_EXCEEDS_PAID", details={"left": left})
    if amount > left - disputes.count_lost(payment.id):
        raise PaymentDisputed("The bank has given this money back to the card after a dispute.")


def _store(refund_id: uuid.UUID, payment_id: uuid.UUID, amount: int, reason: str) -> CardRefund:
    now = clock.now()
    refund = CardRefund(
        id=refund_id,
        payment_id=payment_id,
        amount=amount,
        reason=reason,
        state="queued",
        created_at=now,
        updated_at=now,
        next_check_at=now + rules.FIRST_CHECK,
        checks=0,
    )
    session().add(refund)
    session().flush()
    return refund


def retry_refund(*, refund_id: uuid.UUID, amount: int | None = None, request_id: str = "-") -> uuid.UUID:
    """Queue a failed refund again; the id of the one that is on its way now. `amount`: what must still be sent of it,
    where the rest went back another way.

    One that may still turn up at the gateway keeps its key, so that twice is once. For one that was refused, and for
    a part, there is a new one: a gateway gives its first answer to a key again.
    Raises PaymentDisputed, Conflict `TRANSITION_INVALID`, `REFUND_EXCEEDS_PAID`, NotFound.
    """
    refund, payment = lock_refund(refund_id)
    CARD_REFUND.check(refund.state, "queued")
    sent = refund.amount if amount is None else min(amount, refund.amount)
    check_left(payment, sent)
    now = clock.now()
    write_changes(payment, payment.state, {"refunded": payment.refunded + sent}, now)
    if sent < refund.amount or refund.last_error not in (DISPUTED, NEVER_ARRIVED):
        mark_covered(refund_id)
        new_id = ids.uuid7()
        _store(new_id, payment.id, sent, refund.reason)
        replace(refund_id, by=new_id)
        _send(new_id, 0, request_id)
        return new_id
    write_changes(refund, "queued", {"next_check_at": now + rules.FIRST_CHECK}, now)
    _send(refund_id, refund.checks + 1, request_id)
    return refund_id


def replace(refund_id: uuid.UUID, *, by: uuid.UUID) -> None:
    """`by` is what counts in place of a card refund from now on; should it itself have been replaced, it is no more."""
    now = clock.now()
    for one, successor in ((by, None), (refund_id, by)):
        refund, _ = lock_refund(one)
        write_changes(refund, refund.state, {"replaced_by": successor}, now)


def lock_refund(refund_id: uuid.UUID) -> tuple[CardRefund, Payment]:
    """The refund and its payment, payment first FOR UPDATE. Raises NotFound."""
    payment_id = session().scalar(select(CardRefund.payment_id).where(CardRefund.id == refund_id))
    if payment_id is None:
        raise NotFound("There is no such card refund.")
    payment = lock_payment(payment_id)
    statement = select(CardRefund).where(CardRefund.id == refund_id).with_for_update()
    refund = session().scalars(statement.execution_options(populate_existing=True)).one()
    return refund, payment


def note_sent(refund_id: uuid.UUID) -> bool:
    """A card refund is about to be sent: from its first time on its key counts as known at the gateway. False: it has
    ended meanwhile, and is not to be sent.

    One that is queued again after the gateway has forgotten the key is sent for the first time once more.
    """
    state = session().scalar(select(CardRefund.state).where(CardRefund.id == refund_id).with_for_update())
    if state not in REFUND_OPEN:
        return False
    now = clock.now()
    forgotten = (CardRefund.state == "queued") & (CardRefund.sent_at <= now - rules.NEVER_RESEND_AFTER)
    is_first = CardRefund.sent_at.is_(None) | forgotten
    session().execute(
        update(CardRefund).where(CardRefund.id == refund_id, is_first).values(sent_at=now),
        execution_options={"synchronize_session": False},
    )
    return True


def may_send(refund: CardRefund) -> bool:
    """Sending it under its key cannot make it twice: the gateway has never seen the key, or still knows it.

    One that is queued is asked about and sent whenever its job comes: somebody has decided that it goes out.
    """
    if refund.state == "queued" or refund.sent_at is None:
        return True
    return clock.now() - refund.sent_at < rules.NEVER_RESEND_AFTER


def apply_refund(
    refund_id: uuid.UUID, truth: RefundSnapshot | RefundRefused | Absent | Unknown
) -> AppliedRefund:
    """Write what `truth` means; after a definite no the amount can be refunded again. Raises NotFound."""
    refund, payment = lock_refund(refund_id)
    before, now = refund.state, clock.now()
    facts = refund_rules.RefundFacts(
        key=str(refund.id),
        amount=refund.amount,
        currency=payment.currency,
        payment_ref=payment.gateway_ref,
        state=refund.state,
        checks=refund.checks,
        gateway_ref=refund.gateway_ref,
        last_error=refund.last_error,
    )
    decision = refund_rules.decide_refund(facts, truth, now)
    write_changes(refund, decision.state, decision.changes, now)
    if before != "failed" and refund.state == "failed":
        _keep_or_forget_elsewhere(refund)
        _count(payment, refund, -1)
    elif before == "failed" and refund.state == "succeeded":
        _count(payment, refund, 1)
    if decision.issue is not None:
        issue = decision.issue
        issues.record_issue(
            kind=issue.kind, ref=str(refund.id), detail=issue.detail, suggestion=issue.suggestion
        )
    return AppliedRefund(
        refund_id=refund.id,
        payment_id=payment.id,
        reference=payment.reference,
        amount=refund.amount,
        before=before,
        after=refund.state,
        reason=refund.last_error,
        elsewhere=refund.elsewhere,
        elsewhere_ref=refund.elsewhere_ref,
    )


def _count(payment: Payment, refund: CardRefund, sign: int) -> None:
    """Change what went back by card. While the card has the money, what went another way is not in its place; all of it
    may be more than there was, which only a gateway's word can bring about."""
    by_card = payment.refunded + sign * refund.amount
    elsewhere = payment.returned_elsewhere - sign * (refund.elsewhere or 0)
    changes = {
        "refunded": by_card,
        "returned_elsewhere": elsewhere,
        "surplus": max(0, by_card + elsewhere - payment.captured),
    }
    write_changes(payment, payment.state, changes, clock.now())


def _keep_or_forget_elsewhere(refund: CardRefund) -> None:
    """The bank sends back what had come twice: now it has come once. But where staff have settled that it came twice,
    the transfer counts no more, and the refund has not arrived at all."""
    is_once = refund.elsewhere_ref is not None and issues.close_issue(
        kind=TWICE,
        ref=str(refund.id),
        state="auto_fixed",
        by="the gateway's word",
        resolution="The bank has sent the card refund back; the transfer stands.",
    )
    if not is_once:
        write_changes(refund, refund.state, {"elsewhere": None, "elsewhere_ref": None}, clock.now())


def _send(refund_id: uuid.UUID, time: int, request_id: str) -> None:
    outbox.add(
        outbox.Job(
            "payments.refund",
            f"refund:{refund_id}:{time}",
            {"refund_id": str(refund_id)},
            queue=outbox.PAYMENTS_QUEUE,
        ),
        request_id=request_id,
    )
