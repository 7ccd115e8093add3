"""Points that expire while somebody buys."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.checkout import flow
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import transaction
from app.kernel.errors import Conflict
from tests.checkout.conftest import Shopper, truth_about
from tests.factories.people import give_points
from tests.factories.shop import fill_cart, stock_of
from tests.sandbox.peers import Gateway


def test_a_lot_that_expires_between_quote_and_order_is_not_made_up_by_the_card(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway)
    with transaction():
        give_points(shopper.id, 1_000, expires_at=clock.now() + timedelta(minutes=3))
    agreed = shopper.quote(1_000)
    with clock.travel(minutes=4), pytest.raises(Conflict) as refused:
        shopper.place(agreed)
    assert refused.value.code in {"POINTS_INSUFFICIENT", "QUOTE_STALE"}
    assert peer.call("GET", "/v1/payments").json()["data"] == []
    assert stock_of(shopper.variant_id) == (100, 0)


@pytest.mark.parametrize(("token", "left"), [("pm_card_visa", 0), ("pm_sandbox_timeout_declined", 1_000)])
def test_a_lot_that_expires_while_it_is_held_is_spent_or_comes_back_with_grace(
    gateway: SandboxGateway, peer: Gateway, token: str, left: int
) -> None:
    shopper = Shopper(gateway)
    with transaction():
        give_points(shopper.id, 1_000, expires_at=clock.now() + timedelta(minutes=3))
    placed = shopper.place(shopper.quote(1_000), token)
    with clock.travel(days=1):
        payment_id, truth = truth_about(gateway, placed["number"])
        flow.settle(payment_id=payment_id, truth=truth, actor=system("test"))
    with clock.travel(days=14):
        fill_cart(shopper.id, {shopper.variant_id: 1})
        assert shopper.quote("max").points == left
