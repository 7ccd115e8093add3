"""Money that came without an order to pay for: logged, counted, and an issue until it has gone back.

Called inside one transaction, with the order locked.
"""

from __future__ import annotations

import uuid

from app.kernel.actor import Actor
from app.orders.models import OrderRefund
from app.orders.service.refunding import UNWANTED
from app.payments import failures, issues
from app.payments import queries as payment_queries
from app.payments.service import Applied

KIND = "payment_without_order"
QUEUED = "A refund is queued; this closes when it has arrived."
FATES = {
    None: "The payment is disputed, so the refund waits until the bank has decided.",
    0: "All of it has gone back already, by the bank or by hand.",
}


def tell(applied: Applied, *, reason: str, sent: int | None) -> None:
    """One issue, and one mail to staff, a payment. `sent`: what of it was queued to go back; None: that waits."""
    failures.note_without_order(payment_queries.get_payment(applied.payment_id), applied, reason)
    issues.record_issue(
        kind=KIND,
        ref=str(applied.payment_id),
        detail={
            "order_number": applied.reference,
            "customer": str(applied.customer_id),
            "payment": str(applied.payment_id),
            "amount": applied.amount,
            "currency": applied.currency,
            "reason": reason,
        },
        suggestion=f"The card was charged, and there is no order to pay for. {FATES.get(sent, QUEUED)}",
    )


def close(refund: OrderRefund, *, actor: Actor) -> None:
    """A refund is done; if it was of such money, that has gone back."""
    if refund.idem_key.startswith(UNWANTED):
        issues.close_issue(
            kind=KIND,
            ref=str(uuid.UUID(refund.idem_key.removeprefix(UNWANTED))),
            state="auto_fixed",
            by=actor.name,
            resolution="The money has gone back.",
        )
