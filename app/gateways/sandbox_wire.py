"""What the sandbox gateway says, checked on arrival (docs/sandbox-gateway.md). Unknown fields are ignored."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import msgspec

from app.payments.gateway import GatewayEvent, RefundSnapshot, SignatureInvalid, SignatureUntimely, Snapshot

TOLERANCE = timedelta(minutes=5)
SIGNATURE_HEADER = "Sandbox-Signature"
T = TypeVar("T")


class Card(msgspec.Struct):
    brand: str
    last4: str


class NextAction(msgspec.Struct):
    url: str


class Payment(msgspec.Struct):
    id: str
    idempotency_key: str
    status: Literal["processing", "requires_action", "authorized", "captured", "declined", "canceled"]
    amount: int
    amount_captured: int
    amount_refunded: int
    currency: str | None
    reference: str | None
    decline_code: str | None = None
    next_action: NextAction | None = None
    card: Card | None = None

    def snapshot(self) -> Snapshot:
        """The tombstone of a key has neither currency nor reference: they stay empty."""
        return Snapshot(
            key=self.idempotency_key,
            gateway_ref=self.id,
            status=self.status,
            amount=self.amount,
            currency=self.currency or "",
            reference=self.reference or "",
            captured=self.amount_captured,
            refunded=self.amount_refunded,
            decline_code=self.decline_code,
            next_action_url=self.next_action.url if self.next_action else None,
            card_brand=self.card.brand if self.card else None,
            card_last4=self.card.last4 if self.card else None,
        )


class Refund(msgspec.Struct):
    id: str
    idempotency_key: str
    status: Literal["pending", "succeeded", "failed"]
    amount: int
    currency: str
    payment: str

    def snapshot(self) -> RefundSnapshot:
        return RefundSnapshot(
            key=self.idempotency_key,
            gateway_ref=self.id,
            status=self.status,
            amount=self.amount,
            currency=self.currency,
            payment_ref=self.payment,
        )


class PaymentList(msgspec.Struct):
    data: list[Payment]
    has_more: bool
    next: str | None


class Error(msgspec.Struct):
    code: str
    message: str = ""


class Refusal(msgspec.Struct):
    """An error answer; `payment` is there when the gateway wants us to know the truth as well."""

    error: Error
    payment: Payment | None = None


class Dispute(msgspec.Struct):
    id: str


class EventData(msgspec.Struct):
    payment: Payment
    refund: Refund | None = None
    dispute: Dispute | None = None


class Event(msgspec.Struct):
    id: str
    type: str
    created_at: datetime
    data: EventData


def read(body: bytes, shape: type[T]) -> T | None:
    """The body as `shape`; None if it is anything else."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def verify(body: bytes, header: str | None, secrets: Sequence[str], now: datetime) -> None:
    """HMAC-SHA256 over `t.body` (Stripe's scheme), any of our secrets, `t` within TOLERANCE both ways.

    Raises SignatureInvalid.
    """
    times, given = _signature_parts(header or "")
    if len(times) != 1 or not given:
        raise SignatureInvalid("the signature header cannot be read")
    timestamp = times[0]
    signed = timestamp.encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    # Every pair is compared, and in constant time: how long it takes says nothing.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(matches):
        raise SignatureInvalid("the signature does not match")
    if abs(int(timestamp) - now.timestamp()) > TOLERANCE.total_seconds():
        raise SignatureUntimely("the signature is too old, or from the future")


def _signature_parts(header: str) -> tuple[list[str], list[str]]:
    """Timestamps and v1 signatures. Only plain ASCII counts: compare_digest takes nothing else."""
    times: list[str] = []
    signatures: list[str] = []
    if len(header) > 1024 or not header.isascii():
        return times, signatures
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value if value.isdigit() and len(value) <= 12 else "")
        elif name == "v1":
            signatures.append(value)
    return [time for time in times if time] if all(times) else [], signatures


def event(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> GatewayEvent:
    """The verified callback. Raises SignatureInvalid, for a signed body of another shape too."""
    lowered = {name.lower(): value for name, value in headers.items()}
    verify(body, lowered.get(SIGNATURE_HEADER.lower()), secrets, now)
    told = read(body, Event)
    if told is None or not 0 < len(told.id) <= 200 or "\0" in told.id + told.type:
        raise SignatureInvalid("the callback cannot be read")
    data, key = told.data, told.data.payment.idempotency_key
    ref, subject = data.payment.id, "payment"
    object_key: str | None = key
    if data.refund is not None:
        ref, object_key, subject = data.refund.id, data.refund.idempotency_key, "refund"
    elif data.dispute is not None:
        ref, object_key, subject = data.dispute.id, None, "dispute"
    return GatewayEvent(
        event_id=told.id,
        type=told.type,
        object_ref=ref,
        object_key=object_key,
        occurred_at=told.created_at,
        subject=subject,  # type: ignore[arg-type]
        payment_key=key,
    )
