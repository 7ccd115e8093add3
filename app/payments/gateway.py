"""What a payment gateway must do for the shop, and what it can answer.

An answer is a `Snapshot` (the gateway's own word on the payment, complete), `Absent` (it has never heard of
our key) or `Unknown` (no word: time-out, reset, 5xx, unreadable). Unknown is a type of its own, so that no
caller can take it for a refusal.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

SnapshotStatus = Literal["processing", "requires_action", "authorized", "captured", "declined", "canceled"]
RefundStatus = Literal["pending", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The payment as the gateway has it now. Amounts in minor units; `key` is our payment id.

    `gateway_ref` is empty for a key that certainly never became a payment, at a gateway without tombstones.
    """

    key: str
    gateway_ref: str
    status: SnapshotStatus
    amount: int
    currency: str
    reference: str
    captured: int = 0
    refunded: int = 0
    decline_code: str | None = None
    next_action_url: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The gateway has no such payment or refund (yet): a delayed request may still arrive."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer that could be trusted. `reason` is for logs and staff, without card data."""

    reason: str


@dataclass(frozen=True, slots=True)
class RefundSnapshot:
    """A refund as the gateway has it now; `key` is our card refund id."""

    key: str
    gateway_ref: str
    status: RefundStatus
    amount: int
    currency: str
    payment_ref: str


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """The gateway definitely did not refund: `reason` for staff, or DISPUTED."""

    reason: str


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """How the shopper pays the card part: a token from the client, or the gateway's hosted page."""

    kind: Literal["token", "hosted"]
    token: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One charge. `payment_id` is the idempotency key: the same id never charges twice."""

    payment_id: uuid.UUID
    amount: int
    currency: str
    reference: str
    method: PaymentMethod
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A callback, verified: which object it hints at. `object_key` is our id of it where it is known.

    `payment_key` is our payment id, whatever the event is about.
    """

    event_id: str
    type: str
    object_ref: str | None
    object_key: str | None
    occurred_at: datetime | None
    subject: Literal["payment", "refund", "dispute"] = "payment"
    payment_key: str | None = None


@dataclass(frozen=True, slots=True)
class ListPage:
    """Payments that changed, oldest change first; `cursor` continues after the last of them."""

    snapshots: tuple[Snapshot, ...]
    cursor: str | None
    has_more: bool


DISPUTED = "the payment is disputed"
"""Why a refund did not go out that is to be sent again when the shop has won."""
NEVER_ARRIVED = "it never arrived at the gateway"
"""Why a refund that was sent without a word is given up a day later."""
EARLIER_ARRIVED = "an earlier one has arrived"
"""Why a refund is not sent that was to go in place of one that had got lost."""


class SignatureInvalid(Exception):
    """A callback that the gateway did not sign, or signed too long ago."""


class SignatureUntimely(SignatureInvalid):
    """Signed with our secret, but too long ago or in the future: a copy, or one of two clocks is wrong."""


class Gateway(Protocol):
    """Calls never raise for what the network or the gateway does: that is what Unknown is for."""

    name: str

    def closed_for(self) -> int:
        """Seconds until another charge may be begun; 0: now. Asks nobody, and need not say the same twice."""

    def charge(self, request: ChargeRequest) -> Snapshot | Unknown:
        """Create and confirm; idempotent by `payment_id`. A decline is a Snapshot."""

    def fetch(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Absent | Unknown:
        """The current truth, by our key or the gateway's reference."""

    def cancel(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Unknown:
        """Cancel, or leave a tombstone for a key never seen; answers with what is true after it."""

    def refund(
        self, refund_id: uuid.UUID, gateway_ref: str, amount: int
    ) -> RefundSnapshot | RefundRefused | Unknown:
        """Idempotent by `refund_id`."""

    def fetch_refund(
        self, refund_id: uuid.UUID, gateway_ref: str | None
    ) -> RefundSnapshot | Absent | Unknown:
        """The refund's current truth."""

    def list_changed(self, cursor: str | None, since: datetime) -> ListPage | Unknown:
        """Walk everything that changed after `cursor`, or since `since` without one."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> GatewayEvent:
        """Verify the raw body's signature and age (five minutes, both ways). Raises SignatureInvalid."""
