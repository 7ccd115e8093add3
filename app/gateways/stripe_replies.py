"""What a reply of Stripe says about our payment or refund; Unknown, and why, when it says nothing certain."""

from __future__ import annotations

import uuid
from typing import TypeVar

import msgspec

from app.gateways import stripe_wire as wire
from app.gateways.http import NoReply, Reply
from app.payments.gateway import RefundSnapshot, Snapshot, Unknown

T = TypeVar("T")


def read(reply: Reply | NoReply, shape: type[T]) -> T | None:
    """The body of a 200 as `shape`; None for anything else."""
    return decode(reply.body, shape) if isinstance(reply, Reply) and reply.status == 200 else None


def decode(body: bytes, shape: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def failure(reply: Reply | NoReply, *statuses: int) -> wire.Error | None:
    """Stripe's own error with one of these statuses: a proxy's 404 is no answer."""
    if not isinstance(reply, Reply) or reply.status not in statuses:
        return None
    told = decode(reply.body, wire.Failure)
    return told.error if told else None


def reason(reply: Reply | NoReply) -> str:
    """Why this is no answer, for logs and staff."""
    if isinstance(reply, NoReply):
        return reply.reason
    error = failure(reply, reply.status)
    if error is None:
        return f"HTTP {reply.status} with an unreadable body"
    return f"HTTP {reply.status} {error.type}" + (f" {error.code}" if error.code else "")


def snapshot_in(reply: Reply | NoReply, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Unknown:
    """The payment in a 200, whichever of Stripe's two objects it is."""
    snapshot: Snapshot | None = None
    if intent := read(reply, wire.Intent):
        snapshot = intent.snapshot()
    elif session := read(reply, wire.Session):
        snapshot = session.snapshot()
    return fitting(snapshot, payment_id, gateway_ref) if snapshot else Unknown(reason(reply))


def fitting(snapshot: Snapshot, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Unknown:
    if snapshot.key != str(payment_id):
        return Unknown("mismatch: the answer is about another payment")
    if gateway_ref is not None and snapshot.gateway_ref != gateway_ref:
        return Unknown("mismatch: gateway reference differs")
    return snapshot


def refund_in(reply: Reply | NoReply, refund_id: uuid.UUID) -> RefundSnapshot | Unknown:
    refund = read(reply, wire.Refund)
    if refund is None:
        return Unknown(reason(reply))
    if refund.about.get("refund_id") != str(refund_id):
        return Unknown("mismatch: the answer is about another refund")
    return refund.snapshot()


def is_missing(reply: Reply | NoReply) -> bool:
    error = failure(reply, 404)
    return error is not None and error.type == "invalid_request_error"
