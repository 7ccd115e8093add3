"""The most points a day, when a failed order comes back: paid again by its shopper, or charged late by the bank."""

from __future__ import annotations

import pytest

from app.checkout import flow
from app.checkout.errors import PointsAboveDay
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.payments.queries import list_payments_of
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.versions import SYSTEM, bought, publish
from tests.factories.shop import fill_cart
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


def test_paying_a_failed_order_again_stays_within_the_daily_cap(gateway: SandboxGateway) -> None:
    publish({"spend": {"max_points_per_day": 1_000}})
    shopper = Shopper(gateway, points=50_000)
    failed = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")["number"]
    fill_cart(shopper.id, {shopper.variant_id: 1})
    bought(shopper, 600)
    session().rollback()
    with pytest.raises(PointsAboveDay) as refused:
        shopper.pay_again(failed, "pm_card_visa")
    session().rollback()
    assert refused.value.details == {"left": 400}
    assert [payment.state for payment in list_payments_of(failed)] == ["declined"]
    assert (get_balance(shopper.id).available, get_balance(shopper.id).held) == (49_400, 0)
    session().rollback()
    with clock.travel(hours=25):
        assert shopper.pay_again(failed, "pm_card_visa")["status"] == "paid"
    assert get_balance(shopper.id).available == 48_400


def test_a_card_that_was_charged_late_is_not_refused_for_the_daily_cap(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    publish({"spend": {"max_points_per_day": 1_000}})
    shopper = Shopper(gateway, points=50_000)
    failed = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")["number"]
    fill_cart(shopper.id, {shopper.variant_id: 1})
    bought(shopper, 600)
    (payment,) = list_payments_of(failed)
    payment_id = payment.id
    session().rollback()
    peer.control(f"payments/{peer.truth(str(payment_id))['id']}/late-authorize")
    payment_id, truth = truth_about(gateway, failed)
    assert flow.settle(payment_id=payment_id, truth=truth, actor=SYSTEM).order_status == "paid"
    assert get_balance(shopper.id).available == 48_400
