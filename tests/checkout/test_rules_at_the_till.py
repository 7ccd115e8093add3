"""Versions of the rules as orders meet them: promised, kept, recomputed, replayed, confirmed."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.audit.models import AuditEntry
from app.catalogue.queries.products import summaries_by_slug
from app.checkout import cancelling, replay
from app.checkout import refund as refunds
from app.checkout.errors import QuoteStale
from app.checkout.quote import limits_of_cart
from app.checkout.rules import earned_all_by_card
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import RuleBroken
from app.orders import history
from app.orders.models import Order
from app.orders.queries import get_order_view
from app.orders.service import moving
from app.rewards.errors import AlreadyPosted
from app.rewards.models import PointsEarning, RewardsRules
from app.rewards.programme_models import PointsDryRun
from app.rewards.queries import (
    get_balance,
    get_rules_version,
    get_tier_status,
    list_rules_versions,
    rules_in_force,
    rules_of_version,
)
from app.rewards.rules import Rules, earned_by_card
from app.rewards.service import bonuses, earning, rules_versions, tiers
from jobs.handlers.earnings import confirm_due, reassess_tiers
from tests.checkout.conftest import Shopper
from tests.factories.people import actor_of, make_customer
from tests.factories.shop import fill_cart, make_variant

pytestmark = pytest.mark.usefixtures("app_context")
SYSTEM = system("test")


def publish(body: dict[str, Any], **more: Any) -> Rules:
    """A version in force from now; the rules as they are read back."""
    with transaction():
        version = rules_versions.publish(
            body=body, effective_from=more.get("effective_from"), reason="For a test", actor=SYSTEM
        )
    return get_rules_version(version).rules


def campaign(**rule: Any) -> dict[str, Any]:
    return {"earn": {"rules": [{"name": "double", "kind": "multiplier", "percent": 200, **rule}]}}


@pytest.fixture(autouse=True)
def _plain_rules(app_context: None) -> Any:
    """Every test starts from the first version's rules."""
    if rules_in_force().version > 1:
        publish({})


def bought(shopper: Shopper, points: int = 0) -> str:
    placed = shopper.place(shopper.quote(points))
    assert placed["status"] == "paid"
    return str(placed["number"])


def earning_of(number: str) -> PointsEarning:
    session().expire_all()
    return session().scalars(select(PointsEarning).filter_by(order_number=number, source_type="order")).one()


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
    order = history.get_priced(number)
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


def test_points_are_confirmed_when_the_return_window_ends_and_make_the_tier(gateway: SandboxGateway) -> None:
    publish({"earn": {"points_per_100_minor_units": 100}})
    shopper = Shopper(gateway, price=20_000)
    number = bought(shopper)
    earning_id = earning_of(number).id
    session().rollback()
    with clock.travel(days=29):
        confirm_due()
        assert run_atomically(lambda: earning.confirm_one(earning_id=earning_id, actor=SYSTEM)) == 0
        assert get_balance(shopper.id).pending == 23_000
    with clock.travel(days=31):
        confirm_due()
        confirm_due()
        balance = get_balance(shopper.id)
        assert (balance.available, balance.pending, balance.tier) == (23_000, 0, "silver")
        status = get_tier_status(shopper.id)
        assert (status.earned, status.next_name, status.missing) == (23_000, "Gold", 37_000)
        fill_cart(shopper.id, {make_variant(price=7_000): 1})
        again = shopper.quote()
        assert (again.tier, again.earn_points) == ("silver", 12_500)
        assert [(part.rule, part.points) for part in again.earn_breakdown] == [
            ("base", 10_000),
            ("tier", 2_500),
        ]
        assert earning_of(number).state == "confirmed"
    with clock.travel(days=31 + 366):
        reassess_tiers()
        session().rollback()
        assert get_tier_status(shopper.id).code == "silver", "grace"
    with clock.travel(days=31 + 366 + 91):
        reassess_tiers()
        session().rollback()
        assert get_tier_status(shopper.id).code == "member"


def test_spending_does_not_lower_a_tier_and_a_refund_does(gateway: SandboxGateway) -> None:
    publish({"earn": {"points_per_100_minor_units": 100}, "tiers": {"grace_days": 0}})
    shopper = Shopper(gateway, price=10_000, quantity=2)
    number = bought(shopper)
    with clock.travel(days=31):
        confirm_due()
        fill_cart(shopper.id, {make_variant(price=20_000): 1})
        bought(shopper, 1_000)
        with transaction():
            standing = tiers.reassess(customer_id=shopper.id, rules=rules_in_force().tiers)
        assert standing.tier == "silver"
        sku = get_order_view(number).lines[0].sku
        session().rollback()
        with transaction():
            refunds.refund(
                number=number,
                lines=[(sku, 1)],
                strategy="proportional",
                reason="Returned",
                idem_key="k",
                actor=SYSTEM,
            )
            standing = tiers.reassess(customer_id=shopper.id, rules=rules_in_force().tiers)
        assert (standing.tier, get_tier_status(shopper.id).earned) == ("member", 11_500)


def test_pending_points_can_wait_for_delivery(gateway: SandboxGateway) -> None:
    publish({"earn": {"days_after_delivery": 14, "return_window_days": 60}})
    shopper = Shopper(gateway)
    number = bought(shopper)
    with clock.travel(days=5):
        for status in ("shipped", "delivered"):
            with transaction():
                moving.move_by_staff(number=number, to=status, actor=SYSTEM)
    with clock.travel(days=18):
        confirm_due()
        assert get_balance(shopper.id).pending == 130
    with clock.travel(days=20):
        confirm_due()
        assert get_balance(shopper.id).available == 130


def test_an_order_earns_once_and_again_only_after_it_was_taken_back(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    number = bought(shopper)

    def earn() -> None:
        order = moving.lock_order(number=number)
        earning.earn_pending(
            customer_id=order.customer_id,
            order_id=order.id,
            order_number=number,
            points=order.earn_points,
            confirms_at=clock.now(),
            rules_version=1,
            breakdown={},
            actor=SYSTEM,
        )

    with pytest.raises(AlreadyPosted):
        run_atomically(earn)
    assert get_balance(shopper.id).pending == 130
    run_atomically(lambda: cancelling.cancel_paid(moving.lock_order(number=number), actor=SYSTEM))
    assert get_balance(shopper.id).pending == 0
    run_atomically(earn)
    with pytest.raises(AlreadyPosted):
        run_atomically(earn)
    assert get_balance(shopper.id).pending == 130
    confirm_due()
    balance = get_balance(shopper.id)
    assert (balance.available, balance.pending, balance.lifetime_earned) == (130, 0, 130)


BONUSES = {
    "earn": {
        "bonuses": [
            {"name": "hello", "action": "sign_up", "points": 300},
            {"name": "hello-more", "action": "sign_up", "points": 50, "dry_run": True},
            {"name": "first", "action": "first_order", "points": 1_000, "min_basket": 8_000},
        ]
    }
}


def test_a_sign_up_bonus_is_given_once_and_a_trial_is_only_recorded() -> None:
    rules = publish(BONUSES)
    customer_id = make_customer()
    for given in (300, 0):
        with transaction():
            points = bonuses.give(
                customer_id=customer_id,
                action="sign_up",
                source_id=str(customer_id),
                rules=rules,
                actor=actor_of(customer_id),
            )
        assert points == given
    balance = get_balance(customer_id)
    assert (balance.available, balance.lifetime_earned) == (300, 300)
    trials = session().scalars(select(PointsDryRun).filter_by(customer_id=customer_id)).all()
    assert [(trial.rule, trial.points) for trial in trials] == [("hello-more", 50)]


def test_who_has_ordered_before_the_bonus_was_offered_does_not_get_it(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    bought(shopper)
    publish(BONUSES)
    fill_cart(shopper.id, {shopper.variant_id: 1})
    bought(shopper)
    assert get_balance(shopper.id).pending == 260


def test_the_first_order_bonus_is_for_the_first_and_goes_with_it(gateway: SandboxGateway) -> None:
    publish(BONUSES)
    shopper = Shopper(gateway)
    first = bought(shopper)
    assert get_balance(shopper.id).pending == 130 + 1_000
    fill_cart(shopper.id, {shopper.variant_id: 1})
    second = bought(shopper)
    assert get_balance(shopper.id).pending == 260 + 1_000
    run_atomically(lambda: cancelling.cancel_paid(moving.lock_order(number=second), actor=SYSTEM))
    assert get_balance(shopper.id).pending == 130 + 1_000, "the bonus belongs to the first"
    run_atomically(lambda: cancelling.cancel_paid(moving.lock_order(number=first), actor=SYSTEM))
    assert get_balance(shopper.id).pending == 0
    fill_cart(shopper.id, {shopper.variant_id: 1})
    bought(shopper)
    assert get_balance(shopper.id).pending == 130 + 1_000, "now this one is the first"


def test_simulating_shows_the_difference_and_touches_nothing(
    app: Flask, gateway: SandboxGateway, tmp_path: Path
) -> None:
    with transaction():
        session().execute(update(Order).values(placed_at=clock.now() - timedelta(days=200)))
    shopper = Shopper(gateway, points=5_000)
    number = bought(shopper, 500)
    before = (get_balance(shopper.id), rules_in_force().version, history.get_priced(number))
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
    assert (get_balance(shopper.id), rules_in_force().version, history.get_priced(number)) == before
    shown = app.test_cli_runner().invoke(args=["rewards", "simulate", str(file)])
    assert "HK$50.00" in shown.output
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"stepp": 5}')
    refused = app.test_cli_runner().invoke(args=["rewards", "simulate", str(wrong)])
    assert (refused.exit_code, "stepp" in refused.output) == (1, True)


def test_every_order_of_these_tests_recomputes_from_its_own_version(app: Flask) -> None:
    session().rollback()
    result = app.test_cli_runner().invoke(args=["rewards", "recompute", "--since", "400d"])
    assert result.exit_code == 0, result.output
    assert "0 differ" in result.output
    with transaction():
        session().execute(update(Order).values(earn_points=Order.earn_points + 1))
    result = app.test_cli_runner().invoke(args=["rewards", "recompute", "--since", "400d"])
    assert result.exit_code == 1


def test_joining_by_page_or_api_gives_the_sign_up_bonus(app: Flask) -> None:
    publish(BONUSES)
    person = {
        "email": f"{uuid.uuid4().hex}@example.test",
        "password": "correct-horse-battery",
        "name": "New Person",
    }
    answer = app.test_client().post("/api/v1/auth/register", json=person)
    assert answer.status_code == 201, answer.json
    assert get_balance(uuid.UUID(answer.json["data"]["customer"]["id"])).available == 300


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


def test_the_cart_knows_what_points_may_not_pay(gateway: SandboxGateway) -> None:
    publish({"spend": {"limits": [{"name": "never", "categories": ["test-things"], "max_percent": 20}]}})
    shopper = Shopper(gateway, points=50_000, quantity=5)
    limits = limits_of_cart(customer_id=shopper.id, delivery=3_000, card_minimum=400, rules=rules_in_force())
    assert limits is not None
    assert (limits.max, limits.bound_by) == (1_000, "excluded_items")
    assert limits == shopper.quote("max").limits
