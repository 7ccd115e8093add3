"""A shopper in front of the pages, with the real sandbox gateway process behind the shop."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts.models import Address
from app.cart.queries import count_items
from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.idempotency.models import IdempotencyKey
from app.kernel.database import session, transaction
from app.orders.models import Order
from app.orders.queries import OrderView, get_order_view, list_orders
from app.outbox.models import OutboxRow
from app.payments.models import Payment
from app.rewards.queries import Balance, get_balance, list_holds
from tests.factories.people import give_points
from tests.factories.shop import fill_cart, make_address, make_variant, stock_of
from tests.sandbox.peers import KEY, SECRET, Gateway
from tests.web.people import sign_in, sign_up
from tests.web.visitor import Page, Visitor

TIMEOUTS = Timeouts(connect=3.0, read=3.0, total=3.0)


class Buyer(Visitor):
    """Signed in, with points, an address and a cart of one variant: a total of 130.00 with standard delivery."""

    app: Flask
    id: uuid.UUID
    address_id: uuid.UUID
    variant_id: uuid.UUID

    @property
    def number(self) -> str:
        """Of the order whose page is shown."""
        return self.page.path.rpartition("/")[2]

    def to_pay(self) -> Page:
        self.go("/checkout/")
        page = self.press("Proceed to payment")
        assert page.heading == "Choose your mix and pay", page.text
        return page

    def balance(self) -> Balance:
        with self.app.app_context():
            return get_balance(self.id)

    def orders(self) -> list[OrderView]:
        with self.app.app_context():
            return list(list_orders(self.id, limit=100).items)

    def order(self, number: str) -> OrderView:
        with self.app.app_context():
            return get_order_view(number, customer_id=self.id)

    def everything(self) -> dict[str, Any]:
        """All that a refused request must not have touched."""
        with self.app.app_context():
            counts = {
                model.__tablename__: session().scalar(
                    select(func.count()).select_from(model).filter_by(customer_id=self.id)
                )
                for model in (Order, Payment, IdempotencyKey, Address)
            }
            return counts | {
                "orders": [(order.number, order.status) for order in self.orders()],
                "balance": get_balance(self.id),
                "holds": list_holds(self.id),
                "stock": stock_of(self.variant_id),
                "cart": count_items(customer_id=self.id),
                "outbox": session().scalar(select(func.count()).select_from(OutboxRow)),
            }


@pytest.fixture(scope="module")
def gateway_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    yield running
    running.end()


@pytest.fixture
def peer(app: Flask, gateway_process: Gateway) -> Iterator[Gateway]:
    """The gateway, empty and without faults, behind this app; what it withholds never comes."""
    gateway_process.control("reset")
    gateway_process.control("tuning", {"timeout_seconds": 0.3, "hang_up": 1, "webhook_delay_seconds": 0})
    before = app.extensions["gateway"]
    app.extensions["gateway"] = SandboxGateway(
        url=gateway_process.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS
    )
    yield gateway_process
    app.extensions["gateway"] = before


_numbers = itertools.count()


@pytest.fixture
def buyer(app: Flask, peer: Gateway) -> Callable[..., Buyer]:
    def make(*, points: int = 0, price: int = 10_000, stock: int = 100, quantity: int = 1) -> Buyer:
        shopper = Buyer(app.test_client())
        shopper.app = app
        person = sign_up(app.test_client(), email=f"buyer-{next(_numbers)}-{uuid.uuid4().hex}@example.test")
        assert sign_in(shopper.client, person.email).status_code == 302
        shopper.id = person.id
        with app.app_context():  # never around a request: each has a context of its own
            if points:
                with transaction():
                    give_points(person.id, points)
            shopper.address_id = make_address(person.id)
            shopper.variant_id = make_variant(price=price, stock=stock)
            if quantity:
                fill_cart(person.id, {shopper.variant_id: quantity})
        return shopper

    return make
