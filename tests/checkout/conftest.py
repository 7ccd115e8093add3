"""A shopper at the till, with the real sandbox gateway process behind it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest
from flask import Flask

from app.checkout import flow, quote
from app.checkout.rules import Quote
from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import end_reading, run_atomically, transaction
from app.kernel.ids import fingerprint
from app.payments import queries as payment_queries
from app.payments.gateway import PaymentMethod, Snapshot
from app.rewards.queries import rules_in_force
from app.rewards.service import rules_versions
from tests.factories.people import actor_of, make_customer
from tests.factories.shop import TERMS, fill_cart, make_address, make_variant
from tests.sandbox.peers import KEY, SECRET, Gateway

PAYABLE_FOR = timedelta(days=7)
TIMEOUTS = Timeouts(connect=3.0, read=3.0, total=3.0)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    yield running
    running.end()


@pytest.fixture
def peer(process: Gateway) -> Gateway:
    """The gateway, empty and without faults; what it withholds never comes, however patient the shop is."""
    process.control("reset")
    tuning = {"timeout_seconds": 0.3, "hang_up": 1, "late_seconds": 0.2, "webhook_delay_seconds": 0}
    process.control("tuning", tuning)
    return process


@pytest.fixture
def gateway(app: Flask, app_context: None, peer: Gateway) -> SandboxGateway:
    return SandboxGateway(url=peer.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)


def present(outcome: flow.Outcome) -> flow.Answer:
    """What an edge would answer, reduced to what tests look at."""
    body = {"number": outcome.order.number, "status": outcome.order.status, "next": outcome.next_action_url}
    return flow.Answer(200, {}, json.dumps(body).encode())


@dataclass
class Shopper:
    """A customer with an address and a cart of one variant."""

    gateway: SandboxGateway
    points: int = 0
    price: int = 10_000
    stock: int = 100
    quantity: int = 1
    id: uuid.UUID = field(init=False)
    variant_id: uuid.UUID = field(init=False)
    address_id: uuid.UUID = field(init=False)

    def __post_init__(self) -> None:
        self.id = make_customer(points=self.points)
        self.address_id = make_address(self.id)
        self.variant_id = make_variant(price=self.price, stock=self.stock)
        fill_cart(self.id, {self.variant_id: self.quantity})

    def quote(self, points: int | Literal["max"] = 0) -> Quote:
        return run_atomically(
            lambda: quote.make(
                customer_id=self.id,
                points=points,
                address_id=self.address_id,
                shipping_method_code="standard",
                terms=TERMS,
            )
        )

    def place(
        self, agreed: Quote, token: str | None = "pm_card_visa", *, key: str | None = None
    ) -> dict[str, Any]:
        """The presented answer, with `replayed`."""
        answer = flow.place(
            request=self.request(key, str(agreed.id) + str(token)),
            quote_id=agreed.id,
            method=PaymentMethod("token", token) if token else None,
            gateway=self.gateway,
            terms=TERMS,
            present=present,
            actor=actor_of(self.id),
        )
        return json.loads(answer.body) | {"replayed": answer.replayed}

    def pay_again(self, number: str, token: str, *, key: str | None = None) -> dict[str, Any]:
        answer = flow.pay_again(
            request=self.request(key, number + token),
            number=number,
            method=PaymentMethod("token", token),
            gateway=self.gateway,
            payable_for=PAYABLE_FOR,
            present=present,
            actor=actor_of(self.id),
        )
        return json.loads(answer.body) | {"replayed": answer.replayed}

    def request(self, key: str | None, body: str) -> flow.Request:
        return flow.Request(
            customer_id=self.id,
            email="shopper@example.test",
            route="orders",
            key=key or uuid.uuid4().hex,
            fingerprint=fingerprint(body),
        )


def truth_about(gateway: SandboxGateway, number: str) -> tuple[uuid.UUID, Snapshot]:
    """(payment id, what the gateway says) of the order's latest attempt."""
    payment = payment_queries.list_payments_of(number)[-1]
    payment_id, gateway_ref = payment.id, payment.gateway_ref
    end_reading()
    truth = gateway.fetch(payment_id, gateway_ref)
    assert isinstance(truth, Snapshot), truth
    return payment_id, truth


@pytest.fixture
def plain_rules(app_context: None) -> None:
    """The test starts from the first version's rules."""
    if rules_in_force().version > 1:
        with transaction():
            rules_versions.publish(body={}, effective_from=None, reason="As at first", actor=system("test"))
