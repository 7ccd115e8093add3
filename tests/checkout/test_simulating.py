"""A draft replayed: bonuses and the day's limit count as they would have, and nothing is touched."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.models import Customer
from app.checkout import simulating
from app.checkout.simulating import Simulation
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session, transaction
from app.orders import history
from app.orders.models import Order
from app.rewards.models import PointsEarning
from app.rewards.queries import get_balance
from app.rewards.queries.versions import RulesByVersion, list_sign_ups
from app.rewards.rules import check_draft
from tests.checkout.conftest import Shopper
from tests.checkout.versions import BONUSES, bought, publish
from tests.factories.people import make_customer
from tests.factories.shop import fill_cart

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")
FIRST = {"name": "first", "action": "first_order", "points": 1_000}


@pytest.fixture(autouse=True)
def long_ago(plain_rules: None) -> None:
    """What other tests did is out of the simulated time."""
    with transaction():
        session().execute(update(Order).values(placed_at=Order.placed_at - timedelta(days=400)))
        session().execute(update(Customer).values(created_at=Customer.created_at - timedelta(days=400)))


def simulated(draft: dict[str, Any], *, since: datetime | None = None) -> Simulation:
    start = since or clock.now() - timedelta(days=1)
    with transaction():
        return simulating.simulate(
            history.iterate_paid(since=start),
            draft=check_draft(draft),
            versions=RulesByVersion(),
            day_before=history.iterate_paid(since=start - timedelta(days=1), until=start),
            sign_ups=list_sign_ups(since=start, limit=None),
        )


def again(shopper: Shopper, points: int = 0) -> str:
    fill_cart(shopper.id, {shopper.variant_id: 1})
    return bought(shopper, points)


def test_a_bonus_for_first_orders_shows_what_it_costs(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    bought(shopper)
    again(shopper)
    result = simulated(
        {"earn": {"bonuses": [FIRST, {**FIRST, "name": "trial", "points": 7, "dry_run": True}]}}
    )
    assert result.total.difference["earned"] == 1_000, "the second order is no first one"
    assert (result.by_rule["first"], result.dry_runs, result.changed) == (1_000, {"trial": 7}, 1)
    assert simulated({"earn": {"bonuses": [{**FIRST, "min_basket": 10_001}]}}).total.difference["earned"] == 0


def test_a_bonus_that_is_left_out_shows_what_it_saves(gateway: SandboxGateway) -> None:
    publish({"earn": {"bonuses": [FIRST]}})
    shopper = Shopper(gateway)
    bought(shopper)
    assert get_balance(shopper.id).pending == 1_130
    assert simulated({"earn": {"bonuses": [FIRST]}}).total.difference["earned"] == 0
    result = simulated({})
    assert (result.total.was.earned, result.total.draft.earned, result.changed) == (1_130, 130, 1)


def test_bonuses_for_joining_are_replayed_too() -> None:
    assert simulated(BONUSES).sign_ups == 0
    make_customer()
    result = simulated(BONUSES)
    assert (result.sign_ups, result.total.was.orders, result.total.difference["earned"]) == (1, 0, 300)
    assert (result.by_rule, result.dry_runs) == ({"hello": 300}, {"hello-more": 50})
    publish(BONUSES)
    make_customer()
    assert simulated({}).total.difference["earned"] == -300, "who joined under the bonus, and only they"


def test_the_limit_of_a_day_is_replayed_over_the_orders_of_the_day(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=50_000)
    bought(shopper, 1_000)
    again(shopper, 1_000)
    bought(Shopper(gateway, points=50_000), 1_000)
    result = simulated({"spend": {"max_points_per_day": 1_500}})
    assert (result.total.was.redeemed, result.total.draft.redeemed) == (3_000, 2_500)
    assert result.fewer_points_usable == 1


def test_the_day_before_counts_for_the_limit_alone(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=50_000)
    bought(shopper, 1_000)
    since = clock.now()
    again(shopper, 1_000)
    result = simulated({"spend": {"max_points_per_day": 1_500}}, since=since)
    assert (result.total.was.orders, result.total.was.redeemed, result.total.draft.redeemed) == (
        1,
        1_000,
        500,
    )


def test_points_count_for_the_day_on_which_they_were_held(gateway: SandboxGateway) -> None:
    publish({"spend": {"max_points_per_day": 1_000}})
    shopper = Shopper(gateway, points=50_000)
    declined = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")
    assert declined["status"] == "payment_failed"
    with clock.travel(hours=1):
        again(shopper, 1_000)
    with clock.travel(hours=26):
        assert shopper.pay_again(declined["number"], "pm_card_visa")["status"] == "paid"
        since = clock.now() - timedelta(days=2)
        same = simulated({"spend": {"max_points_per_day": 1_000}}, since=since)
        assert (same.total.draft.redeemed, same.fewer_points_usable, same.changed) == (2_000, 0, 0)
        longer = simulated({"spend": {"max_points_per_day": 999}}, since=since)
        assert (longer.total.draft.redeemed, longer.fewer_points_usable) == (900 * 2, 2)


def test_what_is_paid_later_comes_after_what_was_held_before_it(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=50_000)
    declined = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")
    with clock.travel(hours=10):
        first = again(shopper, 1_000)
    with clock.travel(hours=26):
        shopper.pay_again(declined["number"], "pm_card_visa")
        orders = list(history.iterate_paid(since=clock.now() - timedelta(days=2)))
        assert [order.number for order in orders] == [declined["number"], first]
        result = simulated({"spend": {"max_points_per_day": 1_500}}, since=clock.now() - timedelta(days=2))
        assert (result.total.draft.redeemed, result.fewer_points_usable) == (1_500, 1)


def test_one_level_is_one_line_whatever_it_was_called(gateway: SandboxGateway) -> None:
    bought(Shopper(gateway))
    make_customer()
    bronze = {"levels": [{"code": "bronze", "name": "Bronze", "points": 0}]}
    assert list(simulated({"tiers": bronze}).by_tier) == ["bronze"]


def test_a_first_order_gets_the_bonus_that_it_was_priced_with(app: Flask, gateway: SandboxGateway) -> None:
    ends = clock.now() + timedelta(minutes=2)
    publish({"earn": {"bonuses": [{**FIRST, "ends_at": ends.isoformat()}]}})
    shopper = Shopper(gateway)
    agreed = shopper.quote(0)
    with clock.travel(minutes=5):
        placed = shopper.place(agreed)
        assert placed["status"] == "paid"
        assert get_balance(shopper.id).pending == 1_130, "promised as long as the quote lives"
        late = Shopper(gateway)
        bought(late)
        assert get_balance(late.id).pending == 130
    session().rollback()
    again = app.test_cli_runner().invoke(args=["rewards", "recompute", "--since", "2d"])
    assert again.exit_code == 0, again.output
    with transaction():
        booked = PointsEarning.order_number == placed["number"]
        statement = update(PointsEarning).where(booked, PointsEarning.source_type == "first_order")
        session().execute(statement.values(points=PointsEarning.points + 1))
    again = app.test_cli_runner().invoke(args=["rewards", "recompute", "--since", "2d"])
    assert (again.exit_code, "first_order: 1001, computed 1000" in again.output) == (1, True), again.output
