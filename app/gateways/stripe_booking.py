"""What Stripe says about money that was booked and payments that are disputed, checked on arrival (docs/stripe.md).

Field names, types and states are those of Stripe's published OpenAPI; `stripe_wire` has the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, assert_never

import msgspec

from app.gateways import stripe_wire as wire
from app.payments.bookkeeping import DisputeSnapshot, DisputeStatus, ReportRow


class Evidence(msgspec.Struct):
    due_by: wire.Seconds | None = None
    """0 where the bank takes no answer."""


class Moved(msgspec.Struct):
    """Money that a dispute took from the account, or brought back to it."""

    amount: int


class Dispute(msgspec.Struct):
    """`payment_intent` is an id where it was not expanded; a payment without one is none of ours."""

    id: str
    object: Literal["dispute"]
    status: Literal[
        "warning_needs_response",
        "warning_under_review",
        "warning_closed",
        "needs_response",
        "under_review",
        "appeal_needs_response",
        "appeal_under_review",
        "prevented",
        "won",
        "lost",
    ]
    amount: int
    currency: str
    created: wire.Seconds
    charge: str
    reason: str = ""
    payment_intent: wire.Intent | str | None = None
    evidence_details: Evidence | None = None
    balance_transactions: list[Moved] = []

    def snapshot(self, payment_ref: str) -> DisputeSnapshot:
        due_by = self.evidence_details.due_by if self.evidence_details else None
        return DisputeSnapshot(
            gateway_ref=self.id,
            payment_ref=payment_ref,
            status=self.outcome(),
            amount=self.amount,
            currency=self.currency.upper(),
            reason=self.reason,
            due_at=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        )

    def outcome(self) -> DisputeStatus:
        """An inquiry (`warning_*`) is a dispute of which no money has moved yet."""
        match self.status:
            case "won" | "warning_closed":
                return "won"
            case "lost":
                return "lost"
            case "prevented":
                # Blocked, or settled in the card holder's favour before it was a chargeback: the money says which.
                return "lost" if sum(moved.amount for moved in self.balance_transactions) < 0 else "won"
            case (
                "warning_needs_response"
                | "warning_under_review"
                | "needs_response"
                | "under_review"
                | "appeal_needs_response"
                | "appeal_under_review"
            ):
                return "open"
            case _:
                assert_never(self.status)


class DisputeList(msgspec.Struct):
    data: list[Dispute]
    has_more: bool


class Charge(msgspec.Struct):
    """What was charged; its metadata are copied from the PaymentIntent by Stripe."""

    id: str
    object: Literal["charge"]
    amount: int
    currency: str
    amount_captured: int | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] = {}

    @property
    def taken(self) -> int:
        return self.amount if self.amount_captured is None else self.amount_captured


class About(msgspec.Struct):
    """Which kind of object an entry is about."""

    object: str


class Booked(msgspec.Struct):
    """A balance transaction. `source` is read by its type: many kinds are no business of the shop."""

    id: str
    type: str
    created: wire.Seconds
    amount: int
    currency: str
    fee: int
    net: int
    source: msgspec.Raw = msgspec.Raw(b"null")

    def row(
        self,
        kind: Literal["payment", "refund", "dispute"],
        *,
        gateway_ref: str,
        payment_ref: str,
        key: str | None,
        reference: str,
        charged: tuple[int, str],
    ) -> ReportRow:
        """`charged`: signed amount and currency as the shopper's card has them.

        An account that settles in another currency is booked in that one, and so are its fees: then they say
        nothing about what was charged, and are left out.
        """
        amount, currency = charged
        if currency == self.currency:
            amount, fee, net = self.amount, self.fee, self.net
        else:
            fee, net = 0, amount
        return ReportRow(
            kind=kind,
            gateway_ref=gateway_ref,
            payment_ref=payment_ref,
            key=key,
            reference=reference,
            currency=currency.upper(),
            amount=amount,
            fee=fee,
            net=net,
        )


class BookedList(msgspec.Struct):
    data: list[Booked]
    has_more: bool
