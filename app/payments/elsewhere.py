"""Money of a card refund that failed for good, and that staff sent to the customer another way."""

from __future__ import annotations

import uuid
from typing import Any

from app.kernel import clock
from app.kernel.errors import Conflict, invalid
from app.payments import issues
from app.payments.models import CardRefund, Payment
from app.payments.refund_issues import TWICE
from app.payments.refunds import AppliedRefund, check_left, left_of, lock_refund
from app.payments.service import write_changes

ONE_OF_THEM = (
    "The customer has this money twice: by card, and another way as the order's history says. Ask for one of the two "
    "back, or let the customer keep it, and resolve this with a note of which."
)
MIN_REFERENCE, MAX_REFERENCE = 3, 100


def checked_reference(reference: str) -> str:
    """The bank's reference of a transfer, without blanks around it. Raises RuleBroken naming `reference`."""
    reference = reference.strip()
    if not MIN_REFERENCE <= len(reference) <= MAX_REFERENCE or not reference.isprintable():
        text = f"Give the bank's reference of the transfer, {MIN_REFERENCE} to {MAX_REFERENCE} characters on one line."
        raise invalid("reference", "REFERENCE_INVALID", text)
    return reference


def note(*, refund_id: uuid.UUID, amount: int | None, reference: str) -> CardRefund:
    """Remember that `amount` (minor units; None: all) of a failed card refund went another way; the refund, its row and
    its payment's locked.

    Lock its order first. Raises PaymentDisputed, RuleBroken naming `reference`, Conflict `REFUND_EXCEEDS_PAID`,
    `REFUND_NOT_FAILED`, NotFound.
    """
    reference = checked_reference(reference)
    refund, payment = lock_refund(refund_id)
    if refund.state != "failed" or refund.elsewhere_ref is not None:
        raise Conflict("Only a card refund that failed can be paid another way.", code="REFUND_NOT_FAILED")
    sent = refund.amount if amount is None else min(amount, refund.amount)
    check_left(payment, sent)
    now = clock.now()
    write_changes(refund, refund.state, {"elsewhere": sent, "elsewhere_ref": reference}, now)
    gone = payment.returned_elsewhere + sent
    write_changes(payment, payment.state, {"returned_elsewhere": gone}, now)
    return refund


def tell_twice(applied: AppliedRefund, *, currency: str) -> None:
    """The issue about a card refund that arrived after its money had gone another way."""
    detail = {
        "order_number": applied.reference,
        "payment": str(applied.payment_id),
        "amount": applied.elsewhere,
    }
    _record(str(applied.refund_id), detail | {"currency": currency, "transfer": applied.elsewhere_ref})


def tell_if_twice(payment: Payment) -> None:
    """The same about money that somebody gave back at the gateway although it had gone another way."""
    surplus = min(payment.returned_elsewhere, -left_of(payment))
    if surplus > 0:
        detail = {"order_number": payment.reference, "payment": str(payment.id), "amount": surplus}
        _record(str(payment.id), detail | {"currency": payment.currency})


def _record(ref: str, detail: dict[str, Any]) -> None:
    issues.record_issue(kind=TWICE, ref=ref, detail=detail, suggestion=ONE_OF_THEM)
