"""Card refunds: queued with the commit, sent by a job, settled by what the gateway says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select

from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import Conflict, NotFound, invalid
from app.outbox import service as outbox
from app.payments import issues, rules
from app.payments.gateway import Absent, RefundRefused, RefundSnapshot, Unknown
from app.payments.models import CardRefund, Payment
from app.payments.service import lock_payment, write_changes
from app.payments.states import CARD_REFUND


@dataclass(frozen=True, slots=True)
class AppliedRefund:
    """What an answer did to a card refund; `reference` is the order number."""

    refund_id: uuid.UUID
    payment_id: uuid.UUID
    reference: str
    amount: int
    before: str
    after: str
    reason: str | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def queue_refund(
    *, refund_id: uuid.UUID, payment_id: uuid.UUID, amount: int, reason: str, request_id: str = "-"
) -> None:
    """Take `amount` (minor units) out of what is left of a payment, and send it back by a job.

    Locks the payment; lock its order first. The same `refund_id` again is no second refund.
    Raises Conflict `REFUND_EXCEEDS_PAID` with `left`, Conflict `PAYMENT_NOT_CAPTURED`, NotFound, RuleBroken.
    """
    if amount <= 0:
        raise invalid("amount", "TOO_SMALL", "A refund must be above zero.")
    payment = lock_payment(payment_id)
    if session().get(CardRefund, refund_id) is not None:
        return
    if payment.state != "captured":
        raise Conflict("Only a captured payment can be refunded.", code="PAYMENT_NOT_CAPTURED")
    left = payment.captured - payment.refunded
    if amount > left:
        message = "That is more than is left of the card payment."
        raise Conflict(message, code="REFUND_EXCEEDS_PAID", details={"left": left})
    now = clock.now()
    write_changes(payment, payment.state, {"refunded": payment.refunded + amount}, now)
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
    _send(refund_id, 0, request_id)


def retry_refund(*, refund_id: uuid.UUID, request_id: str = "-") -> None:
    """Queue a failed refund again. Raises Conflict `TRANSITION_INVALID`, `REFUND_EXCEEDS_PAID`, NotFound."""
    refund, payment = lock_refund(refund_id)
    CARD_REFUND.check(refund.state, "queued")
    if refund.amount > payment.captured - payment.refunded:
        raise Conflict("That is more than is left of the card payment.", code="REFUND_EXCEEDS_PAID")
    now = clock.now()
    write_changes(payment, payment.state, {"refunded": payment.refunded + refund.amount}, now)
    write_changes(refund, "queued", {"next_check_at": now + rules.FIRST_CHECK}, now)
    _send(refund_id, refund.checks + 1, request_id)


def lock_refund(refund_id: uuid.UUID) -> tuple[CardRefund, Payment]:
    """The refund and its payment, payment first FOR UPDATE. Raises NotFound."""
    payment_id = session().scalar(select(CardRefund.payment_id).where(CardRefund.id == refund_id))
    if payment_id is None:
        raise NotFound("There is no such card refund.")
    payment = lock_payment(payment_id)
    statement = select(CardRefund).where(CardRefund.id == refund_id).with_for_update()
    refund = session().scalars(statement.execution_options(populate_existing=True)).one()
    return refund, payment


def apply_refund(
    refund_id: uuid.UUID, truth: RefundSnapshot | RefundRefused | Absent | Unknown
) -> AppliedRefund:
    """Write what `truth` means; after a definite no the amount can be refunded again. Raises NotFound."""
    refund, payment = lock_refund(refund_id)
    before, now = refund.state, clock.now()
    facts = rules.RefundFacts(
        key=str(refund.id),
        amount=refund.amount,
        currency=payment.currency,
        payment_ref=payment.gateway_ref,
        state=refund.state,
        checks=refund.checks,
        gateway_ref=refund.gateway_ref,
    )
    decision = rules.decide_refund(facts, truth, now)
    write_changes(refund, decision.state, decision.changes, now)
    if before != "failed" and refund.state == "failed":
        write_changes(payment, payment.state, {"refunded": payment.refunded - refund.amount}, now)
    elif before == "failed" and refund.state == "succeeded":
        write_changes(payment, payment.state, {"refunded": payment.refunded + refund.amount}, now)
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
    )


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
