"""An account that is deactivated while its order waits for the bank: the order ends as any other."""

from __future__ import annotations

import pytest

from app.accounts.service import people
from app.gateways.asking import ask_payment
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper, truth_about
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.mark.parametrize(
    ("decision", "status", "points", "stock"),
    [("paid", "paid", 4_500, (99, 0)), ("declined", "payment_failed", 5_000, (100, 0))],
)
def test_the_order_under_way_ends(
    gateway: SandboxGateway, peer: Gateway, decision: str, status: str, points: int, stock: tuple[int, int]
) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_card_authenticationRequired")["number"]
    payment_id, truth = truth_about(gateway, number)
    with transaction():
        people.deactivate(actor=system("test"), customer_id=shopper.id, reason="Asked for it")
    peer.control(f"payments/{truth.gateway_ref}/{decision}")
    ask_payment(payment_id=payment_id, gateway=gateway, actor=system("test"))
    session().rollback()
    assert get_order_view(number).status == status
    assert (get_balance(shopper.id).available, get_balance(shopper.id).held) == (points, 0)
    assert stock_of(shopper.variant_id) == stock
