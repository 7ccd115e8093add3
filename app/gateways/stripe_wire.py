"""What Stripe says, checked on arrival, and what it means for us (docs/stripe.md). Unknown fields are ignored.

Field names, types and states are those of Stripe's published OpenAPI. A state that is not in it is not read at
all, and so Unknown: never guessed.
"""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

import msgspec

from app.payments.gateway import RefundSnapshot, RefundStatus, Snapshot, SnapshotStatus

IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "canceled",
    "succeeded",
]

Seconds = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800)]
"""Since 1970, up to the last year that a datetime can have."""


class Card(msgspec.Struct):
    brand: str
    last4: str


class Method(msgspec.Struct):
    card: Card | None = None


class Charge(msgspec.Struct):
    amount_refunded: int = 0


class PaymentError(msgspec.Struct):
    code: str | None = None
    decline_code: str | None = None
    payment_method: Method | None = None

    def public_code(self) -> str:
        """In the words that all our gateways share."""
        if self.code in ("payment_intent_authentication_failure", "authentication_required"):
            return "authentication_failed"
        for code in (self.decline_code, self.code):
            if code in ("insufficient_funds", "expired_card"):
                return str(code)
        return "card_declined"


class Redirect(msgspec.Struct):
    url: str | None = None


class NextAction(msgspec.Struct):
    redirect_to_url: Redirect | None = None


class Intent(msgspec.Struct):
    """A PaymentIntent. `latest_charge` and `payment_method` are ids where they were not expanded."""

    id: str
    object: Literal["payment_intent"]
    status: IntentStatus
    amount: int
    currency: str
    created: Seconds
    metadata: dict[str, str] = {}
    amount_received: int | None = None
    latest_charge: Charge | str | None = None
    payment_method: Method | str | None = None
    last_payment_error: PaymentError | None = None
    next_action: NextAction | None = None

    @property
    def is_hosted(self) -> bool:
        return "hosted" in self.metadata

    @property
    def is_tombstone(self) -> bool:
        return "tombstone" in self.metadata

    def snapshot(self) -> Snapshot:
        status = self._status()
        card = self._card()
        received = self.amount if self.amount_received is None else self.amount_received
        redirect = self.next_action.redirect_to_url if self.next_action else None
        return Snapshot(
            key=self.metadata.get("payment_id", ""),
            gateway_ref=self.id,
            status=status,
            amount=self.amount,
            currency=self.currency.upper(),
            reference=self.metadata.get("reference", ""),
            captured=received if status == "captured" else 0,
            refunded=self.latest_charge.amount_refunded if isinstance(self.latest_charge, Charge) else 0,
            decline_code=self._decline_code() if status == "declined" else None,
            next_action_url=redirect.url if redirect and status == "requires_action" else None,
            card_brand=card.brand if card else None,
            card_last4=card.last4 if card else None,
        )

    def _status(self) -> SnapshotStatus:
        match self.status:
            case "succeeded":
                return "captured"
            case "requires_capture":
                return "authorized"
            case "requires_action":
                return "requires_action"
            case "canceled":
                return "canceled"
            case "processing" | "requires_confirmation":
                return "processing"
            case "requires_payment_method":
                # On the hosted page the shopper may try the next card; ours is confirmed once, and that was it.
                return "declined" if self.last_payment_error and not self.is_hosted else "processing"
            case _:
                assert_never(self.status)

    def _decline_code(self) -> str:
        return self.last_payment_error.public_code() if self.last_payment_error else "card_declined"

    def _card(self) -> Card | None:
        if isinstance(self.payment_method, Method):
            return self.payment_method.card
        error = self.last_payment_error
        return error.payment_method.card if error and error.payment_method else None


class Session(msgspec.Struct):
    """A Checkout Session: Stripe's hosted page, with a PaymentIntent once the shopper has pressed pay."""

    id: str
    object: Literal["checkout.session"]
    created: Seconds
    status: Literal["open", "complete", "expired"]
    amount_total: int
    currency: str
    url: str | None = None
    metadata: dict[str, str] = {}
    payment_intent: Intent | str | None = None

    def snapshot(self) -> Snapshot | None:
        """Under the session's own id from first to last. None: complete, but its payment is not in the answer."""
        paid = self.payment_intent.snapshot() if isinstance(self.payment_intent, Intent) else None
        status: SnapshotStatus
        if paid is not None and paid.status in ("captured", "authorized"):
            status = paid.status
        elif self.status == "complete":
            if paid is None:
                return None
            status = "processing"
        else:
            status = "requires_action" if self.status == "open" else "canceled"
        return Snapshot(
            key=self.metadata.get("payment_id", ""),
            gateway_ref=self.id,
            status=status,
            amount=self.amount_total,
            currency=self.currency.upper(),
            reference=self.metadata.get("reference", ""),
            captured=paid.captured if paid else 0,
            refunded=paid.refunded if paid else 0,
            next_action_url=self.url if status == "requires_action" else None,
            card_brand=paid.card_brand if paid else None,
            card_last4=paid.card_last4 if paid else None,
        )


class Refund(msgspec.Struct):
    id: str
    object: Literal["refund"]
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"]
    amount: int
    currency: str
    created: Seconds
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def about(self) -> dict[str, str]:
        return self.metadata or {}

    def snapshot(self) -> RefundSnapshot:
        """`payment_ref` is what the shop calls the payment: of a hosted one that is its session."""
        return RefundSnapshot(
            key=self.about.get("refund_id", ""),
            gateway_ref=self.id,
            status=self._status(),
            amount=self.amount,
            currency=self.currency.upper(),
            payment_ref=self.about.get("payment_ref", self.payment_intent or ""),
        )

    def _status(self) -> RefundStatus:
        match self.status:
            case "pending" | "requires_action":
                return "pending"
            case "succeeded":
                return "succeeded"
            case "failed" | "canceled":
                return "failed"
            case _:
                assert_never(self.status)


class IntentList(msgspec.Struct):
    data: list[Intent]
    has_more: bool


class SessionList(msgspec.Struct):
    data: list[Session]
    has_more: bool


class RefundList(msgspec.Struct):
    data: list[Refund]
    has_more: bool


class EventObject(msgspec.Struct):
    """What an event is about, as far as all kinds have it; a charge or refund names its `payment_intent`."""

    id: str
    object: str
    created: Seconds
    metadata: dict[str, str] | None = None
    payment_intent: str | None = None

    @property
    def intent_id(self) -> str | None:
        return self.id if self.object == "payment_intent" else self.payment_intent


class EventData(msgspec.Struct):
    object: EventObject


class Event(msgspec.Struct):
    id: str
    type: str
    created: Seconds
    data: EventData


class EventList(msgspec.Struct):
    data: list[Event]
    has_more: bool


class Error(msgspec.Struct):
    type: str
    code: str | None = None
    payment_intent: Intent | None = None


class Failure(msgspec.Struct):
    error: Error
