"""Only what the gateway signed, and signed now, is believed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.payments.gateway import GatewayEvent, SignatureInvalid

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
T = int(NOW.timestamp())
KEY = "0192d1f0-0000-7000-8000-000000000001"
PAYMENT: dict[str, Any] = {
    "id": "pay_1",
    "object": "payment",
    "idempotency_key": KEY,
    "status": "captured",
    "amount": 100,
    "amount_captured": 100,
    "amount_refunded": 0,
    "currency": "HKD",
    "reference": "MPC-1",
    "anything_new": [1, 2],
}
ADAPTER = SandboxGateway(
    url="http://127.0.0.1:9", key="k", webhook_secrets=["new", "old"], timeouts=Timeouts(1, 1, 1)
)


def body_of(**data: Any) -> bytes:
    event = {
        "id": "evt_1",
        "type": "payment.captured",
        "created_at": "2026-03-01T11:59:59.5Z",
        "data": {"payment": PAYMENT, **data},
    }
    return json.dumps(event).encode()


def sign(body: bytes, *, secret: str = "new", at: int | str = T) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def parse(body: bytes, header: str | None, name: str = "Sandbox-Signature") -> GatewayEvent:
    return ADAPTER.parse_webhook(body, {} if header is None else {name: header}, NOW)


BODY = body_of()
GOOD = sign(BODY)


@pytest.mark.parametrize(
    "header",
    [
        f"t={T},v1={GOOD}",
        f"v1={GOOD},t={T}",
        f"t={T}, v1={GOOD}",
        f"t={T},v0=zzz,v1={GOOD}",
        f"t={T},v1={'0' * 64},v1={GOOD}",
        f"t={T},v1={sign(BODY, secret='old')}",
        f"t={T - 300},v1={sign(BODY, at=T - 300)}",
        f"t={T + 300},v1={sign(BODY, at=T + 300)}",
    ],
)
def test_signed_by_the_gateway(header: str) -> None:
    event = parse(BODY, header)
    assert (event.event_id, event.type) == ("evt_1", "payment.captured")
    assert (event.object_ref, event.object_key) == ("pay_1", KEY)
    assert (event.payment_key, event.subject) == (KEY, "payment")
    assert event.occurred_at == datetime(2026, 3, 1, 11, 59, 59, 500000, tzinfo=UTC)
    assert parse(BODY, header, "sandbox-signature") == event


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"v1={GOOD}",
        f"t={T}",
        f"t=,v1={GOOD}",
        f"t={T},t={T},v1={GOOD}",
        f"t={T}.0,v1={GOOD}",
        f"t=+{T},v1={GOOD}",
        f"t={T},v0={GOOD}",
        f"t={T},v1={GOOD.upper()}",
        f"t={T},v1={GOOD[:-1]}",
        f"t={T},v1={GOOD}é",
        f"t={T - 301},v1={sign(BODY, at=T - 301)}",
        f"t={T + 301},v1={sign(BODY, at=T + 301)}",
        f"t={T - 1},v1={GOOD}",
        f"t={T},v1={sign(BODY, secret='other')}",
        f"t={'9' * 400},v1={GOOD}",
        "v1=," * 5000,
    ],
)
def test_not_signed_by_the_gateway(header: str | None) -> None:
    with pytest.raises(SignatureInvalid):
        parse(BODY, header)


@pytest.mark.parametrize(
    "changed",
    [BODY + b" ", b"\xef\xbb\xbf" + BODY, BODY.replace(b"100", b"101", 1), BODY[:-1], b""],
)
def test_another_body_than_was_signed(changed: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        parse(changed, f"t={T},v1={GOOD}")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"id":"evt_1"}', b"\xff\xfe", b"[" * 100_000, BODY.replace(b"evt_1", b"")],
)
def test_signed_but_not_an_event(body: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        parse(body, f"t={T},v1={sign(body)}")


def test_a_refund_event_names_the_refund_and_its_payment() -> None:
    refund = {
        "id": "re_1",
        "idempotency_key": "r-key",
        "status": "succeeded",
        "amount": 5,
        "currency": "HKD",
        "payment": "pay_1",
    }
    body = body_of(refund=refund)
    event = parse(body, f"t={T},v1={sign(body)}")
    assert (event.subject, event.object_ref, event.object_key) == ("refund", "re_1", "r-key")
    assert event.payment_key == KEY
