"""Versions of the rules as orders meet them: promised, kept, recomputed, replayed, confirmed."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.audit.models import AuditEntry
from app.catalogue.queries.products import summaries_by_slug
from app.checkout import replay
from app.checkout.errors import QuoteStale
from app.checkout.quote import limits_of_cart
from app.checkout.rules import earned_all_by_card
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session, transaction
from app.kernel.errors import RuleBroken
from app.orders.models import Order
from app.rewards.models import RewardsRules
from app.rewards.queries import (
    get_balance,
    get_rules_version,
    list_rules_versions,
    rules_in_force,
    rules_of_version,
)
from app.rewards.rules import Rules, earned_by_card
from tests.checkout.conftest import Shopper
from tests.checkout.versions import bought, campaign, earning_of, priced, publish
from tests.factories.shop import fill_cart, make_variant

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


def test_the_first_version_is_stored_and_versions_are_never_edited() -> None:
    assert get_rules_version(1).rules == Rules()
    before = publish(campaign())
    after = publish({"min_points": 700})
    assert after.version == before.version + 1
    assert rules_in_force() == after
    assert rules_of_version(before.version) == before
    assert [version.state for version in list_rules_versions() if version.state != "future"][:2] == [
        "in_force",
        "past",
    ]
    with pytest.raises(Exception, match=r"append-only|permission denied"), transaction():
        session().execute(update(RewardsRules).values(created_by="somebody"))


def test_a_future_version_waits_for_its_day() -> None:
    now = publish({})
    publish({"step": 200}, effective_from=clock.now() + timedelta(days=3_000))
    assert rules_in_force().version == now.version
    assert list_rules_versions()[0].state == "future"
    with clock.travel(days=3_001):
        assert rules_in_force().step == 200


def test_a_refused_version_is_not_stored() -> None:
    count = select(func.count()).select_from(RewardsRules)
    audits = select(func.count()).select_from(AuditEntry).filter_by(action="rewards_rules.publish")
    before = (session().scalar(count), session().scalar(audits))
    session().rollback()
    for body, more in (
        ({"step": 0}, {}),
        ({"stepp": 5}, {}),
        ({}, {"effective_from": clock.now() - timedelta(hours=1)}),
    ):
        with pytest.raises(RuleBroken):
            publish(body, **more)
    assert (session().scalar(count), session().scalar(audits)) == before


def test_a_campaign_is_promised_earned_explained_and_can_be_recomputed(gateway: SandboxGateway) -> None:
    rules = publish(campaign(categories=["test-things"], label="Double week"))
    shopper = Shopper(gateway, points=5_000, quantity=2)
    agreed = shopper.quote(1_000)
    assert agreed.earn_points == 260
    number = bought(shopper, 1_000)
    assert get_balance(shopper.id).pending == 260
    parts = [(part["rule"], part["label"], part["points"]) for part in earning_of(number).breakdown["parts"]]
    assert parts == [("base", "", 130), ("double", "Double week", 130)]
    publish({"minor_units_per_100_points": 500})
    order = priced(number)
    assert order.rules_version == rules.version
    assert replay.differences(order, rules_of_version(order.rules_version)) == []
    assert replay.differences(order, rules_in_force()) != []


def test_a_campaign_that_ends_while_the_quote_lives_is_kept(gateway: SandboxGateway) -> None:
    publish(campaign(ends_at=(clock.now() + timedelta(minutes=5)).isoformat()))
    shopper = Shopper(gateway)
    agreed = shopper.quote()
    with clock.travel(minutes=8):
        shopper.place(agreed)
    assert get_balance(shopper.id).pending == 260
    fill_cart(shopper.id, {shopper.variant_id: 1})
    with clock.travel(minutes=8):
        assert shopper.quote().earn_points == 130


def test_a_version_published_after_the_quote_makes_it_stale(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(500)
    publish({"minor_units_per_100_points": 900})
    with pytest.raises(QuoteStale):
        shopper.place(agreed)
    assert get_balance(shopper.id).available == 5_000


def test_points_pay_only_for_what_they_may(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=50_000)
    dear = make_variant(price=20_000)
    fill_cart(shopper.id, {dear: 1})
    slug = next(line.slug for line in shopper.quote().lines if line.variant_id == dear)
    publish({"spend": {"limits": [{"name": "not-this", "products": [slug]}], "on_delivery": False}})
    agreed = shopper.quote("max")
    assert (agreed.limits.max, agreed.limits.bound_by) == (1_000, "excluded_items")
    parts = {line.variant_id: (line.points, line.card) for line in agreed.lines}
    assert parts == {shopper.variant_id: (1_000, 1_000), dear: (0, 22_000)}
    with pytest.raises(RuleBroken) as refused:
        shopper.quote(1_100)
    assert refused.value.code == "POINTS_ABOVE_MAX"


def test_the_daily_cap_counts_what_was_spent_and_not_what_came_back(gateway: SandboxGateway) -> None:
    publish({"spend": {"max_points_per_day": 1_500}})
    shopper = Shopper(gateway, points=50_000, quantity=2)
    assert (shopper.quote("max").limits.max, shopper.quote("max").limits.bound_by) == (1_500, "daily_cap")
    failed = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")
    assert failed["status"] == "payment_failed"
    fill_cart(shopper.id, {shopper.variant_id: 2})
    assert shopper.quote("max").limits.max == 1_500
    bought(shopper, 1_000)
    fill_cart(shopper.id, {shopper.variant_id: 2})
    assert shopper.quote("max").limits.max == 500
    with clock.travel(hours=25):
        assert shopper.quote("max").limits.max == 1_500


def test_two_orders_at_once_do_not_pass_the_daily_cap(app: Flask, gateway: SandboxGateway) -> None:
    publish({"spend": {"max_points_per_day": 1_000}})
    shopper = Shopper(gateway, points=50_000)
    agreed = shopper.quote(1_000)
    session().rollback()
    barrier, outcomes = threading.Barrier(4), []

    def attempt() -> None:
        with app.app_context():
            barrier.wait()
            try:
                outcomes.append(shopper.place(agreed)["status"])
            except Exception as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("paid") == 1
    assert get_balance(shopper.id).available == 49_000


def test_simulating_shows_the_difference_and_touches_nothing(
    app: Flask, gateway: SandboxGateway, tmp_path: Path
) -> None:
    with transaction():
        session().execute(update(Order).values(placed_at=clock.now() - timedelta(days=200)))
    shopper = Shopper(gateway, points=5_000)
    number = bought(shopper, 500)
    before = (get_balance(shopper.id), rules_in_force().version, priced(number))
    draft = {
        "minor_units_per_100_points": 2_000,
        "earn": {
            "rules": [
                {"name": "double", "kind": "multiplier", "percent": 200},
                {"name": "trial", "kind": "per_order", "points": 100, "dry_run": True},
            ]
        },
    }
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(draft))
    session().rollback()
    result = app.test_cli_runner().invoke(args=["rewards", "simulate", str(file), "--since", "90d", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["total"]["was"] == {
        "orders": 1,
        "earned": 80,
        "earn_cost": 800,
        "redeemed": 500,
        "redeemed_value": 5_000,
    }
    # 500 points now pay HK$100 of the HK$130: the card earns on HK$30, twice, and its points are worth double
    assert told["total"]["difference"] == {
        "earned": -20,
        "earn_cost": 400,
        "redeemed": 0,
        "redeemed_value": 5_000,
    }
    assert told["by_tier"]["member"]["draft"]["earned"] == 60
    assert (told["by_rule"], told["dry_runs"]) == ({"base": 30, "double": 30}, {"trial": 23})
    assert (told["changed"], told["fewer_points_usable"]) == (1, 0)
    assert (get_balance(shopper.id), rules_in_force().version, priced(number)) == before
    shown = app.test_cli_runner().invoke(args=["rewards", "simulate", str(file)])
    assert "HK$50.00" in shown.output
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"stepp": 5}')
    refused = app.test_cli_runner().invoke(args=["rewards", "simulate", str(wrong)])
    assert (refused.exit_code, "stepp" in refused.output) == (1, True)


def test_every_order_of_these_tests_recomputes_from_its_own_version(
    app: Flask, owner: psycopg.Connection
) -> None:
    session().rollback()
    result = app.test_cli_runner().invoke(args=["rewards", "recompute", "--since", "400d"])
    assert result.exit_code == 0, result.output
    assert "0 differ" in result.output
    owner.execute("ALTER TABLE orders DISABLE TRIGGER agreed")
    owner.execute("UPDATE orders SET earn_points = earn_points + 1")
    owner.execute("ALTER TABLE orders ENABLE TRIGGER agreed")
    result = app.test_cli_runner().invoke(args=["rewards", "recompute", "--since", "400d"])
    assert result.exit_code == 1


def test_products_and_the_pay_page_say_what_the_rules_give(gateway: SandboxGateway) -> None:
    rules = publish(campaign(categories=["test-things"]))
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(500)
    assert (agreed.earn_points, earned_all_by_card(agreed, rules)) == (160, 260)
    (found,) = summaries_by_slug([agreed.lines[0].slug])
    session().rollback()
    shown = earned_by_card(
        slug=found.slug,
        brand=found.brand.slug,
        category=found.category_path,
        price=found.price,
        at=clock.now(),
        rules=rules,
    )
    assert shown == 200


def test_a_card_is_never_asked_for_less_than_it_takes(gateway: SandboxGateway) -> None:
    publish({"step": 10, "min_points": 10})
    shopper = Shopper(gateway, points=50_000)
    agreed = shopper.quote(1_290)
    assert (agreed.total, agreed.points, agreed.card_due) == (13_000, 1_260, 400)
    assert shopper.place(agreed)["status"] == "paid"


def test_the_cart_knows_what_points_may_not_pay(gateway: SandboxGateway) -> None:
    publish({"spend": {"limits": [{"name": "never", "categories": ["test-things"], "max_percent": 20}]}})
    shopper = Shopper(gateway, points=50_000, quantity=5)
    limits = limits_of_cart(customer_id=shopper.id, delivery=3_000, card_minimum=400, rules=rules_in_force())
    assert limits is not None
    assert (limits.max, limits.bound_by) == (1_000, "excluded_items")
    assert limits == shopper.quote("max").limits
