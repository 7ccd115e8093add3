"""Another card on an order whose payment failed, for as long as its prices hold."""

from __future__ import annotations

import pytest

from app.checkout import flow
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.orders.queries import get_order_view
from app.payments import queries as payment_queries
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper
from tests.factories.shop import stock_of


def test_another_card_pays_the_failed_order(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    failed = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")
    paid = shopper.pay_again(failed["number"], "pm_card_visa")
    assert (paid["number"], paid["status"]) == (failed["number"], "paid")
    assert get_balance(shopper.id).available == 4_500
    assert stock_of(shopper.variant_id) == (99, 0)
    with pytest.raises(flow.OrderNotPayable):
        shopper.pay_again(failed["number"], "pm_card_visa")
    assert [payment.state for payment in payment_queries.list_payments_of(failed["number"])] == [
        "declined",
        "captured",
    ]


def test_what_was_placed_too_long_ago_is_not_paid_again(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    before = (get_balance(shopper.id), stock_of(shopper.variant_id))
    with clock.travel(days=7, seconds=1), pytest.raises(flow.OrderTooOld) as refused:
        shopper.pay_again(number, "pm_card_visa", key="late")
    assert refused.value.code == "ORDER_TOO_OLD"
    assert get_order_view(number).status == "payment_failed"
    assert (get_balance(shopper.id), stock_of(shopper.variant_id)) == before
    assert len(payment_queries.list_payments_of(number)) == 1
    with clock.travel(days=6, hours=23):
        assert shopper.pay_again(number, "pm_card_visa", key="late")["status"] == "paid"
