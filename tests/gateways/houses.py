"""The gateways that the shared suite runs against: an adapter, its process, and what one does on the bank's side."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path
from typing import Any, Literal, Protocol

import requests

from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.gateways.stripe import StripeGateway
from app.kernel import ids
from app.payments.gateway import ChargeRequest, Gateway, PaymentMethod, Snapshot
from tests.sandbox import peers
from tests.sandbox.peers import Process, wait_for

TIMEOUTS = Timeouts(connect=3.0, read=3.0, total=3.0)
SECRETS = ["whsec_new", "whsec_old"]
AMOUNT = 12_345
REFERENCE = "MPC-AAAAA-00001"
Card = Literal["approved", "declined", "challenged"]


def request_with(token: str, **more: Any) -> ChargeRequest:
    fields: dict[str, Any] = {
        "payment_id": ids.uuid7(),
        "amount": AMOUNT,
        "currency": "HKD",
        "reference": REFERENCE,
        "method": PaymentMethod("token", token=token),
    }
    return ChargeRequest(**{**fields, **more})


def hmac_of(secret: str, at: int | str, body: bytes) -> str:
    """Stripe's scheme, written from its documentation; the sandbox has the same."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


class House(Protocol):
    """One gateway under test."""

    adapter: Gateway
    signature_header: str

    def adapter_for(self, url: str, timeouts: Timeouts = TIMEOUTS) -> Gateway:
        """The same adapter in front of another address."""

    def token(self, card: Card) -> str: ...

    def challenge(self, snapshot: Snapshot, passed: bool) -> None:
        """The shopper answers the bank's 3-D Secure page."""

    def authorized(self, payment_id: uuid.UUID) -> str:
        """A payment of AMOUNT made with manual capture; the gateway's reference."""

    def capture(self, gateway_ref: str, amount: int) -> None: ...

    def count(self) -> int:
        """How many payments the gateway has."""

    def event_body(self, key: str) -> bytes:
        """A callback that says: the payment with this key was captured."""


class SandboxHouse:
    signature_header = "Sandbox-Signature"

    def __init__(self, folder: Path) -> None:
        self.process = peers.Gateway(folder)
        self.process.control("tuning", {"webhook_delay_seconds": 0})
        self.adapter = self.adapter_for(self.process.url)

    def adapter_for(self, url: str, timeouts: Timeouts = TIMEOUTS) -> Gateway:
        return SandboxGateway(url=url, key=peers.KEY, webhook_secrets=SECRETS, timeouts=timeouts)

    def token(self, card: Card) -> str:
        tokens = {
            "approved": "pm_card_visa",
            "declined": "pm_card_chargeDeclined",
            "challenged": "pm_card_authenticationRequired",
        }
        return tokens[card]

    def challenge(self, snapshot: Snapshot, passed: bool) -> None:
        self.process.control(f"payments/{snapshot.gateway_ref}/{'paid' if passed else 'declined'}")

    def authorized(self, payment_id: uuid.UUID) -> str:
        paid = self.process.pay(
            "pm_card_visa", str(payment_id), amount=AMOUNT, reference=REFERENCE, capture="manual"
        )
        return str(paid.json()["id"])

    def capture(self, gateway_ref: str, amount: int) -> None:
        answer = self.process.call("POST", f"/v1/payments/{gateway_ref}/capture", {"amount": amount})
        assert answer.status_code == 200, answer.text

    def count(self) -> int:
        return len(self.process.call("GET", "/v1/payments?limit=200").json()["data"])

    def event_body(self, key: str) -> bytes:
        payment = {
            "id": "pay_1",
            "object": "payment",
            "idempotency_key": key,
            "status": "captured",
            "amount": AMOUNT,
            "amount_captured": AMOUNT,
            "amount_refunded": 0,
            "currency": "HKD",
            "reference": REFERENCE,
            "anything_new": [1, 2],
        }
        created = "2026-03-01T11:59:59Z"
        event = {
            "id": "evt_1",
            "type": "payment.captured",
            "created_at": created,
            "data": {"payment": payment},
        }
        return json.dumps(event).encode()

    def end(self) -> None:
        self.process.end()


class Localstripe(Process):
    """Answers as Stripe does, by people who know Stripe and not us; docs/stripe.md says what it cannot do."""

    KEY = "sk_test_12345"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__("tests.gateways.localstripe_process", str(folder))
        wait_for(lambda: self.call("GET", "/v1/refunds").ok)

    def call(self, method: str, path: str, data: Any = None) -> requests.Response:
        return requests.request(method, self.url + path, data=data, auth=(self.KEY, ""), timeout=30)

    def post(self, path: str, data: Any = None) -> dict[str, Any]:
        answer = self.call("POST", path, data or {})
        assert answer.ok, answer.text
        return dict(answer.json())

    def card(self, number: str) -> str:
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        data = {"type": "card", **{f"card[{name}]": value for name, value in card.items()}}
        return str(self.post("/v1/payment_methods", data)["id"])

    def authenticate(self, intent: str, passed: bool) -> None:
        secret = self.call("GET", f"/v1/payment_intents/{intent}").json()["client_secret"]
        data = {"client_secret": secret, "success": str(passed).lower(), "key": "pk_test_1"}
        self.call("POST", f"/v1/payment_intents/{intent}/_authenticate", data)

    def send_webhooks_to(self, url: str, secret: str) -> None:
        answer = requests.post(
            f"{self.url}/_config/webhooks/w1", json={"url": url, "secret": secret}, timeout=5
        )
        assert answer.ok, answer.text


class StripeHouse:
    signature_header = "Stripe-Signature"

    def __init__(self, folder: Path) -> None:
        self.process = Localstripe(folder)
        self.adapter = self.adapter_for(self.process.url)

    def adapter_for(self, url: str, timeouts: Timeouts = TIMEOUTS) -> Gateway:
        return StripeGateway(
            url=url, key=Localstripe.KEY, webhook_secrets=SECRETS, timeouts=timeouts, currency="HKD"
        )

    def token(self, card: Card) -> str:
        if card == "approved":
            return "pm_card_visa"
        if card == "declined":
            return "pm_card_chargeCustomerFail"
        return self.process.card("4000002500003155")

    def challenge(self, snapshot: Snapshot, passed: bool) -> None:
        self.process.authenticate(snapshot.gateway_ref, passed)

    def authorized(self, payment_id: uuid.UUID) -> str:
        data = {
            "amount": AMOUNT,
            "currency": "hkd",
            "payment_method": "pm_card_visa",
            "confirm": "true",
            "capture_method": "manual",
            "metadata[payment_id]": str(payment_id),
            "metadata[reference]": REFERENCE,
        }
        return str(self.process.post("/v1/payment_intents", data)["id"])

    def capture(self, gateway_ref: str, amount: int) -> None:
        self.process.post(f"/v1/payment_intents/{gateway_ref}/capture", {"amount_to_capture": amount})

    def count(self) -> int:
        return int(self.process.call("GET", "/v1/payment_intents").json()["total_count"])

    def event_body(self, key: str) -> bytes:
        intent = {
            "id": "pi_1",
            "object": "payment_intent",
            "status": "succeeded",
            "amount": AMOUNT,
            "currency": "hkd",
            "created": int(time.time()),
            "metadata": {"payment_id": key, "reference": REFERENCE},
            "anything_new": [1, 2],
        }
        event = {
            "id": "evt_1",
            "object": "event",
            "type": "payment_intent.succeeded",
            "created": 1772366399,  # 2026-03-01T11:59:59Z
            "data": {"object": intent},
        }
        return json.dumps(event).encode()

    def end(self) -> None:
        self.process.end()
