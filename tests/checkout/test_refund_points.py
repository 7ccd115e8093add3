"""Points of refunded orders: back to the lots they came from; what was earned is taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import transaction
from app.orders.queries import get_order_view
from app.rewards.queries import get_balance, list_transactions
from app.rewards.service import grants
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import (
    STAFF,
    bought,
    confirm_earning,
    give_back,
    lots_of,
    sku_of,
)
from tests.factories.people import give_points
from tests.factories.shop import fill_cart, make_variant

pytestmark = pytest.mark.usefixtures("app_context")


def test_points_go_back_to_their_lots_latest_expiry_first(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, price=10_000, quantity=2)
    now = clock.now()
    with transaction():
        give_points(shopper.id, 600, expires_at=now + timedelta(days=3))
        give_points(shopper.id, 900, expires_at=now + timedelta(days=400))
    number = shopper.place(shopper.quote(1_200))["number"]
    sku = sku_of(number)
    give_back(number, lines=[(sku, 1)])
    soon, late = lots_of(shopper.id)
    assert (soon.spent, late.spent, soon.available + late.available) == (600 - 0, 600 - 522, 300 + 522)
    give_back(number, key="k2")
    soon, late, *grace = lots_of(shopper.id)
    assert (soon.spent, late.spent, soon.available, late.available) == (0, 0, 0, 900)
    assert sum(lot.available for lot in grace) == 600
    assert {lot.parent_lot_id for lot in grace} == {soon.id}
    assert all(lot.expires_at and lot.expires_at >= now + timedelta(days=14) for lot in grace), (
        "days of grace"
    )


def test_points_of_an_expired_lot_come_back_in_a_lot_of_grace(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, price=10_000, quantity=2)
    with transaction():
        give_points(shopper.id, 1_000, expires_at=clock.now() + timedelta(days=3))
    number = shopper.place(shopper.quote(1_000))["number"]
    with clock.travel(days=10):
        made = give_back(number)
        assert made.points == 1_000
        old, grace = [lot for lot in lots_of(shopper.id) if lot.origin_type != "order"]
        assert (old.spent, old.expired, old.taken, old.available) == (0, 0, 1_000, 0)
        assert (grace.parent_lot_id, grace.granted, grace.available) == (old.id, 1_000, 1_000)
        assert grace.expires_at is not None
        assert timedelta(days=13) < grace.expires_at - clock.now() <= timedelta(days=14)
        assert get_balance(shopper.id).available == 1_000


def test_confirmed_points_are_taken_back_and_what_is_missing_is_owed(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    with clock.travel(days=31):
        confirm_earning(number)
        assert get_balance(shopper.id).available == 4_130
        with transaction():
            grants.debit(
                customer_id=shopper.id,
                points=4_130,
                idem_key="spent",
                ref_type="adjustment",
                ref_id="x",
                description="Gone",
                actor=STAFF,
            )
        made = give_back(number, lines=[(sku_of(number), 1)], strategy="card_first")
        assert (made.points, made.card.amount, made.clawback) == (0, 10_000, 65)
        balance = get_balance(shopper.id)
        assert (balance.available, balance.owed, balance.lifetime_earned) == (0, 65, 65)
        fill_cart(shopper.id, {make_variant(price=20_000): 1})
        second = shopper.place(shopper.quote(0))["number"]
    with clock.travel(days=70):
        confirm_earning(second)
        balance = get_balance(shopper.id)
        assert (balance.available, balance.owed) == (230 - 65, 0), "later earnings pay the debt first"


def test_points_that_are_taken_back_come_from_their_own_lot_first(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    with clock.travel(days=31):
        with transaction():
            give_points(shopper.id, 300, expires_at=clock.now() + timedelta(days=5))
        confirm_earning(number)
        give_back(number, lines=[(sku_of(number), 1)], strategy="card_first")
        gift, own = [lot for lot in lots_of(shopper.id) if lot.expires_at is not None]
        assert ((gift.available, gift.taken), (own.available, own.taken)) == ((300, 0), (65, 65))


def test_returned_points_pay_for_what_is_taken_back(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    with clock.travel(days=31):
        confirm_earning(number)
        give_back(number)
        balance = get_balance(shopper.id)
        assert (balance.available, balance.owed, balance.lifetime_earned) == (5_000, 0, 0)
        kinds = [(row.kind, row.points) for row in list_transactions(shopper.id, limit=3).items]
        assert kinds == [("clawback", -130), ("refund", 1_000), ("earn", 130)]


def test_points_alone_go_back_at_once_and_end_the_order(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway, points=2_300)
    made = give_back(number)
    assert (made.state, made.points, made.card.amount) == ("done", 2_300, 0)
    assert get_order_view(number).status == "refunded"
    assert get_balance(shopper.id).available == 5_000
