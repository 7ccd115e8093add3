"""What orders and bonuses earn: pending, confirmed, taken back, and the tier that follows."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.checkout import cancelling, flow
from app.checkout import refund as refunds
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session, transaction
from app.orders.queries import get_order_view
from app.orders.service import moving
from app.payments.queries import list_payments_of
from app.rewards.errors import AlreadyPosted
from app.rewards.programme_models import PointsDryRun
from app.rewards.queries import (
    get_balance,
    get_tier_status,
    rules_in_force,
)
from app.rewards.queries.months import list_all_expiring
from app.rewards.rules import Bonus, EarnRules, Rules
from app.rewards.service import bonuses, earning, tiers
from jobs.handlers.earnings import confirm_due, reassess_tiers
from tests.checkout.conftest import Shopper
from tests.checkout.versions import BONUSES, SYSTEM, bought, earning_of, publish
from tests.factories.people import actor_of, give_points, make_customer
from tests.factories.shop import fill_cart, make_variant
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


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


def test_without_a_delivery_the_return_window_after_the_payment_decides(gateway: SandboxGateway) -> None:
    publish({"earn": {"days_after_delivery": 14, "return_window_days": 60}})
    shopper = Shopper(gateway)
    bought(shopper)
    with clock.travel(days=59):
        confirm_due()
        assert get_balance(shopper.id).pending == 130
    with clock.travel(days=61):
        confirm_due()
        assert get_balance(shopper.id).available == 130


def test_an_order_that_is_paid_at_the_second_try_and_charged_late_as_well_earns_once(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"]
    assert get_balance(shopper.id).pending == 0
    (first,) = list_payments_of(number)
    first_id, first_ref = first.id, first.gateway_ref
    session().rollback()
    assert shopper.pay_again(number, "pm_card_visa")["status"] == "paid"
    session().rollback()
    peer.control(f"payments/{peer.truth(str(first_id))['id']}/late-authorize")
    truth = gateway.fetch(first_id, first_ref)
    flow.settle(payment_id=first_id, truth=truth, actor=SYSTEM)
    assert get_balance(shopper.id).pending == 130
    with clock.travel(days=31):
        confirm_due()
        confirm_due()
        assert (get_balance(shopper.id).available, get_balance(shopper.id).pending) == (130, 0)


def test_an_order_makes_the_points_of_its_customer_live_on_when_it_is_paid(gateway: SandboxGateway) -> None:
    publish({"expiry": {"activity_extends_days": 365}})
    shopper = Shopper(gateway)
    with transaction():
        give_points(shopper.id, 5_000, expires_at=clock.now() + timedelta(days=30))
    with clock.travel(days=20):
        bought(shopper)
        ((points, at),) = list_all_expiring(shopper.id)
        assert (points, (at - clock.now()).days) == (5_000, 364)
    with clock.travel(days=30, minutes=5):
        fill_cart(shopper.id, {shopper.variant_id: 1})
        assert shopper.quote(1_000).points == 1_000


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


def test_the_bonus_for_a_review_is_given_once_a_review() -> None:
    bonus = Bonus(name="thanks", action="review", points=40)
    rules, customer_id = Rules(earn=EarnRules(bonuses=(bonus,))), make_customer()
    for review, given in (("1", 40), ("1", 0), ("2", 40)):
        with transaction():
            points = bonuses.give(
                customer_id=customer_id, action="review", source_id=review, rules=rules, actor=SYSTEM
            )
        assert points == given
    assert get_balance(customer_id).available == 80


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
