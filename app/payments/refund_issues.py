"""What staff are told about card refunds that wait, that did not arrive, or that went out twice."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from app.kernel import clock
from app.payments import issues

if TYPE_CHECKING:
    from app.payments.models import CardRefund
    from app.payments.refunds import AppliedRefund

WAITING = "refund_waits"
"""Kind of the issue about a refund that waits until the bank has decided."""
STUCK = "refund_stuck"
"""Kind of the issue about a refund that the gateway refused, or that the bank sent back."""
TWICE = "refunded_twice"
"""Kind of the issue about money that went to the customer another way, and then by card as well."""
SET_OFF = "refund_set_off"
"""Kind of the issue about money that had come twice, was settled by staff, and paid for another refund all the same."""

SEND_AGAIN = (
    "Send the refund again on the order's page; while a bank decides about the payment, that has to wait. If the card "
    "is gone, pay the customer another way, and take note of that there. Resolving this here gives nothing back."
)

PAY_THE_REST = (
    "It had come twice, and you have settled that; now so much less was sent of what the order gave back, because the "
    "card takes no more than was paid with it. If the customer had returned it, pay them that another way; resolve "
    "this with a note."
)


def tell_put_off(*, refund_id: uuid.UUID, reference: str, amount: int, currency: str) -> None:
    """The issue about a refund that waits until the bank has decided: one each time that it has to."""
    failed_at = clock.now().isoformat(timespec="seconds")
    issues.record_issue(
        kind=WAITING,
        ref=str(refund_id),
        detail={"order_number": reference, "amount": amount, "currency": currency, "failed_at": failed_at},
        suggestion="When the dispute is decided, what the bank has not given back goes out by itself.",
    )


def tell_stuck(applied: AppliedRefund, *, currency: str, suggestion: str = SEND_AGAIN) -> None:
    """The issue about a refund that did not arrive: one each time that it fails."""
    issues.record_issue(
        kind=STUCK,
        ref=str(applied.refund_id),
        detail={
            "order_number": applied.reference,
            "payment": str(applied.payment_id),
            "amount": applied.amount,
            "currency": currency,
            "reason": applied.reason,
            "failed_at": clock.now().isoformat(timespec="seconds"),
        },
        suggestion=suggestion,
    )


def tell_set_off(refund: CardRefund, *, reference: str, amount: int, currency: str) -> None:
    """The issue about `amount` of a card refund that came beside the same money, and stands for other money now."""
    detail = {"order_number": reference, "payment": str(refund.payment_id), "amount": amount}
    issues.record_issue(
        kind=SET_OFF, ref=str(refund.id), detail=detail | {"currency": currency}, suggestion=PAY_THE_REST
    )
