"""Money of a card refund that failed for good, and that staff sent to the customer another way."""

from __future__ import annotations

import uuid
from typing import Any

from app.kernel import clock
from app.kernel.errors import Conflict, invalid
from app.payments import disputes, issues, queries
from app.payments.left import by_hand, count_returned
from app.payments.models import CardRefund, Payment, ReconciliationIssue
from app.payments.refund_issues import TWICE
from app.payments.refunds import PaymentDisputed, check_left, lock_refund
from app.payments.service import write_changes

ONE_OF_THEM = (
    "The customer has this money twice: by card, and another way as the order's history says. Ask for one of the two "
    "back, or let the customer keep it, and resolve this with a note of which."
)
BY_BANK = (
    "The customer has this money twice: from the bank after a dispute, and from the shop as the order's history says. "
    "Show the bank what the shop had given back, or ask the customer, and resolve this with a note of what came of it."
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
    if disputes.is_undecided(refund):
        raise PaymentDisputed(
            "The bank is deciding about a dispute of this payment, and may give the money back."
        )
    sent = refund.amount if amount is None else min(amount, refund.amount)
    check_left(payment, sent)
    now = clock.now()
    gone = payment.returned_elsewhere + sent
    write_changes(payment, payment.state, {"returned_elsewhere": gone}, now)
    write_changes(refund, refund.state, {"elsewhere": sent, "elsewhere_ref": reference}, now)
    return refund


def tell_twice(refund: CardRefund, *, reference: str, amount: int, currency: str) -> None:
    """The issue about a card refund that arrived after its money, `amount` of it, had gone another way."""
    detail = {"order_number": reference, "payment": str(refund.payment_id), "amount": amount}
    _record(str(refund.id), detail | {"currency": currency, "transfer": refund.elsewhere_ref})


def list_told(payment_id: uuid.UUID) -> list[tuple[CardRefund, ReconciliationIssue]]:
    """The card refunds of a payment of which staff were told that they have come beside other money, with what they
    were told, whatever has become of that. Those that were paid by a transfer as well are not among them: the transfer
    counts for nothing while the card has the money."""
    arrived = {
        str(one.id): one
        for one in queries.list_refunds_of(payment_id)
        if one.state == "succeeded" and one.elsewhere_ref is None
    }
    return [(arrived[issue.ref], issue) for issue in issues.list_about(TWICE, arrived)]


def tell_if_twice(payment: Payment) -> None:
    """The same about a locked payment of which more has gone back than was captured, beyond what was told of its card
    refunds: by somebody at the gateway although it had gone another way, or by a bank that decided after it had gone
    back. Closed when it is so no more."""
    lost = min(disputes.count_lost(payment.id), payment.captured)
    given = count_returned(payment.id) + by_hand(payment)
    surplus = min(given, given + lost - payment.captured)
    if surplus > 0:
        told = (one for _, one in list_told(payment.id) if one.state != "auto_fixed")
        surplus -= sum(one.detail["amount"] for one in told)
    if surplus > 0:
        detail = {"order_number": payment.reference, "payment": str(payment.id), "amount": surplus}
        detail["currency"] = payment.currency
        _record(str(payment.id), detail, BY_BANK if lost else ONE_OF_THEM)
    else:
        issues.close_issue(
            kind=TWICE,
            ref=str(payment.id),
            state="auto_fixed",
            by="the gateway's word",
            resolution="It is so no more.",
        )


def _record(ref: str, detail: dict[str, Any], suggestion: str = ONE_OF_THEM) -> None:
    issues.record_issue(kind=TWICE, ref=ref, detail=detail, suggestion=suggestion)
