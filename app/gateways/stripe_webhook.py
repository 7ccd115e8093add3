"""Stripe's callbacks: verified by its SDK, and by us as to their age, which the SDK checks on the past side only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import stripe

from app.gateways import stripe_replies as replies
from app.gateways import stripe_wire as wire
from app.payments.gateway import GatewayEvent, SignatureInvalid, SignatureUntimely

TOLERANCE = timedelta(minutes=5)
SIGNATURE_HEADER = "Stripe-Signature"
LONGEST_HEADER = 1024
SUBJECTS: dict[str, Literal["payment", "refund", "dispute"]] = {"refund": "refund", "dispute": "dispute"}


def event(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> GatewayEvent:
    """The verified callback. Raises SignatureInvalid, for a signed body of another shape too.

    What names no payment of ours has an empty `payment_key`: disputes, and what was made in Stripe's dashboard.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    _verify(body, lowered.get(SIGNATURE_HEADER.lower(), ""), secrets, now)
    told = replies.decode(body, wire.Event)
    if told is None or not 0 < len(told.id) <= 200 or "\0" in told.id + told.type:
        raise SignatureInvalid("the callback cannot be read")
    about = told.data.object
    subject = SUBJECTS.get(about.object, "payment")
    metadata = about.metadata or {}
    payment_key = metadata.get("payment_id", "")
    return GatewayEvent(
        event_id=told.id,
        type=told.type,
        object_ref=about.id,
        object_key=metadata.get("refund_id") if subject == "refund" else payment_key,
        occurred_at=datetime.fromtimestamp(told.created, UTC),
        subject=subject,
        payment_key=payment_key,
    )


def _verify(body: bytes, header: str, secrets: Sequence[str], now: datetime) -> None:
    """Any of our secrets, `t` within TOLERANCE both ways. Raises SignatureInvalid."""
    signed_at = _timestamp(header)
    matches = [_is_signed(body, header, secret) for secret in secrets]
    if not any(matches):
        raise SignatureInvalid("the signature does not match")
    if abs(signed_at - now.timestamp()) > TOLERANCE.total_seconds():
        raise SignatureUntimely("the signature is too old, or from the future")


def _timestamp(header: str) -> int:
    """The one `t`. The SDK would take the first of several, and any spelling that int() takes."""
    if len(header) > LONGEST_HEADER or not header.isascii():
        raise SignatureInvalid("the signature header cannot be read")
    times = [part.partition("=")[2] for part in header.split(",") if part.strip().partition("=")[0] == "t"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12:
        raise SignatureInvalid("the signature header cannot be read")
    return int(times[0])


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    try:
        # SDK 16 splits at commas only; Stripe's header has no spaces, but proxies may add some.
        return stripe.WebhookSignature.verify_header(body, header.replace(" ", ""), secret, None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
