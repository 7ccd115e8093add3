"""Placing an order: every outcome at the gateway, and that a refusal leaves everything as it was."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.catalogue.models import Variant
from app.checkout import flow
from app.checkout.errors import QuoteExpired, QuoteNotFound, QuoteStale
from app.gateways.sandbox import SandboxGateway
from app.idempotency.models import IdempotencyKey
from app.inventory.errors import StockInsufficient
from app.inventory.models import Stock
from app.inventory.service import reservations
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.kernel.errors import RuleBroken
from app.orders.models import Order
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries as payment_queries
from app.payments.models import Payment
from app.rewards.errors import PointsInsufficient
from app.rewards.queries import get_balance, list_holds
from app.rewards.service import grants
from tests.checkout.conftest import Shopper, truth_about
from tests.factories.shop import fill_cart, make_variant, stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def everything_of(shopper: Shopper) -> dict[str, Any]:
    """All that a refused order must not have touched."""
    session().rollback()
    counts = {
        model.__tablename__: session().scalar(
            select(func.count()).select_from(model).filter_by(customer_id=shopper.id)
        )
        for model in (Order, Payment, IdempotencyKey)
    }
    return counts | {
        "balance": get_balance(shopper.id),
        "holds": list_holds(shopper.id),
        "stock": stock_of(shopper.variant_id),
        "outbox": session().scalar(select(func.count()).select_from(OutboxRow)),
    }


def test_points_and_card_pay_an_order(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000, quantity=2)
    agreed = shopper.quote(1_000)
    assert (agreed.total, agreed.points_value, agreed.card_due) == (23_000, 10_000, 13_000)
    placed = shopper.place(agreed)
    assert placed["status"] == "paid"
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held, balance.pending) == (4_000, 0, 130)
    assert stock_of(shopper.variant_id) == (98, 0)
    order = get_order_view(placed["number"], customer_id=shopper.id)
    assert sum(line.points for line in order.lines) == order.points == 1_000
    assert sum(line.card.amount for line in order.lines) == order.card_charged.amount == 13_000
    assert [event.event for event in order.timeline] == ["placed", "paid"]
    (payment,) = payment_queries.list_payments_of(order.number)
    assert (payment.state, payment.captured) == ("captured", 13_000)
    topics = session().scalars(select(OutboxRow.topic).where(OutboxRow.dedupe_key.contains(order.number)))
    assert list(topics) == ["mail.order_paid"]


def test_points_alone_pay_an_order_without_the_gateway(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000)
    agreed = shopper.quote("max")
    assert (agreed.points, agreed.card_due) == (1_300, 0)
    placed = shopper.place(agreed, None)
    assert placed["status"] == "paid"
    assert payment_queries.list_payments_of(placed["number"]) == []
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held, balance.pending) == (3_700, 0, 0)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("pm_card_chargeDeclined", "CARD_DECLINED"),
        ("pm_card_chargeDeclinedInsufficientFunds", "CARD_INSUFFICIENT_FUNDS"),
        ("pm_card_chargeDeclinedExpiredCard", "CARD_EXPIRED"),
    ],
)
def test_a_declined_card_gives_points_and_stock_back_at_once(
    gateway: SandboxGateway, token: str, code: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = (get_balance(shopper.id), stock_of(shopper.variant_id))
    placed = shopper.place(shopper.quote(500), token)
    order = get_order_view(placed["number"])
    assert (order.status, order.failure_code) == ("payment_failed", code)
    assert (get_balance(shopper.id), stock_of(shopper.variant_id)) == before
    assert list_holds(shopper.id) == []


@pytest.mark.parametrize(("token", "ending"), [("paid", "paid"), ("declined", "payment_failed")])
def test_a_timeout_is_pending_until_the_truth_is_known(
    gateway: SandboxGateway, token: str, ending: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = (get_balance(shopper.id).available, stock_of(shopper.variant_id))
    placed = shopper.place(shopper.quote(500), f"pm_sandbox_timeout_{token}")
    assert placed["status"] == "payment_pending"
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held) == (4_500, 500)
    assert stock_of(shopper.variant_id) == (100, 1)
    payment_id, truth = truth_about(gateway, placed["number"])
    for _ in range(2):
        assert flow.settle(payment_id=payment_id, truth=truth, actor=system("test")).order_status == ending
    balance = get_balance(shopper.id)
    assert balance.held == 0
    if ending == "paid":
        assert (balance.available, stock_of(shopper.variant_id)) == (4_500, (99, 0))
    else:
        assert (balance.available, stock_of(shopper.variant_id)) == before


def test_three_d_secure_leads_the_shopper_away_and_keeps_everything_held(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=1_000)
    placed = shopper.place(shopper.quote(500), "pm_card_authenticationRequired")
    assert placed["status"] == "payment_pending"
    assert placed["next"].startswith("http://127.0.0.1")
    assert get_balance(shopper.id).held == 500


def test_the_same_key_gets_the_first_answer_again(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(500)
    first = shopper.place(agreed, key="the-same-key")
    again = shopper.place(agreed, key="the-same-key")
    assert again == first | {"replayed": True}
    assert get_balance(shopper.id).available == 4_500
    with pytest.raises(RuleBroken) as reused:
        shopper.place(agreed, "pm_card_chargeDeclined", key="the-same-key")
    assert reused.value.code == "IDEMPOTENCY_KEY_REUSED"


def test_a_quote_becomes_one_order_only(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(500)
    shopper.place(agreed)
    before = everything_of(shopper)
    with pytest.raises(QuoteStale):
        shopper.place(agreed)
    assert everything_of(shopper) == before


def change_price(shopper: Shopper) -> None:
    session().execute(update(Variant).where(Variant.id == shopper.variant_id).values(price=9_999))


@pytest.mark.parametrize("change", [change_price])
def test_a_changed_price_is_refused_with_a_fresh_quote(gateway: SandboxGateway, change: Any) -> None:
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(500)
    with transaction():
        change(shopper)
    before = everything_of(shopper)
    with pytest.raises(QuoteStale) as stale:
        shopper.place(agreed)
    assert stale.value.details["quote"].total == 12_999
    assert everything_of(shopper) == before


def test_a_changed_cart_is_refused_with_a_fresh_quote(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(500)
    fill_cart(shopper.id, {make_variant(price=2_000): 1})
    before = everything_of(shopper)
    with pytest.raises(QuoteStale) as stale:
        shopper.place(agreed)
    assert stale.value.details["quote"].items_total == 12_000
    assert everything_of(shopper) == before


def test_an_expired_quote_is_refused_with_a_fresh_one(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    agreed = shopper.quote()
    before = everything_of(shopper)
    with clock.travel(seconds=601), pytest.raises(QuoteExpired) as expired:
        shopper.place(agreed)
    assert expired.value.details["quote"].id != agreed.id
    assert everything_of(shopper) == before


def test_points_that_are_gone_are_refused(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=1_000)
    agreed = shopper.quote(1_000)
    with transaction():
        grants.debit(
            customer_id=shopper.id,
            points=300,
            idem_key=uuid.uuid4().hex,
            ref_type="adjustment",
            ref_id="x",
            description="Taken",
            actor=system("test"),
        )
    before = everything_of(shopper)
    with pytest.raises(PointsInsufficient):
        shopper.place(agreed)
    assert everything_of(shopper) == before


def test_stock_that_is_gone_is_refused(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, stock=1)
    agreed = shopper.quote()
    with transaction():
        session().execute(update(Stock).where(Stock.variant_id == shopper.variant_id).values(on_hand=0))
    before = everything_of(shopper)
    with pytest.raises(StockInsufficient) as short:
        shopper.place(agreed)
    assert short.value.details["lines"][0]["available"] == 0
    assert everything_of(shopper) == before


def test_somebody_elses_quote_is_not_there(gateway: SandboxGateway) -> None:
    owner, thief = Shopper(gateway), Shopper(gateway)
    before = everything_of(owner)
    with pytest.raises(QuoteNotFound):
        thief.place(owner.quote())
    assert everything_of(owner) == before


@pytest.mark.parametrize(("points", "token"), [(0, None), ("max", "pm_card_visa")])
def test_payment_is_given_exactly_when_something_is_due(
    gateway: SandboxGateway, points: Any, token: str | None
) -> None:
    shopper = Shopper(gateway, points=5_000)
    agreed = shopper.quote(points)
    before = everything_of(shopper)
    with pytest.raises(RuleBroken) as refused:
        shopper.place(agreed, token)
    assert refused.value.errors[0].field == "payment"
    assert everything_of(shopper) == before


def test_stock_gone_after_the_charge_gives_everything_back_and_tells_staff(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    placed = shopper.place(shopper.quote(500), "pm_sandbox_timeout_paid")
    order_id = get_order_view(placed["number"]).id
    with transaction():
        reservations.release(order_id=order_id)
    with transaction():
        session().execute(update(Stock).where(Stock.variant_id == shopper.variant_id).values(on_hand=0))
    payment_id, truth = truth_about(gateway, placed["number"])
    settled = flow.settle(payment_id=payment_id, truth=truth, actor=system("test"))
    assert settled.order_status == "needs_review"
    assert get_balance(shopper.id).available == 5_000
    topics = set(
        session().scalars(
            select(OutboxRow.topic).where(OutboxRow.payload["order_number"].astext == placed["number"])
        )
    )
    assert {"mail.staff_alert", "mail.order_refunded"} <= topics
    order = get_order_view(placed["number"])
    assert [(refund.card.amount, refund.state) for refund in order.refunds] == [
        (order.card_due.amount, "running")
    ]


def test_late_money_revives_a_failed_order_or_goes_back(gateway: SandboxGateway) -> None:
    lucky, unlucky = Shopper(gateway, points=5_000), Shopper(gateway, points=5_000, stock=1)
    for shopper, ending in ((lucky, "paid"), (unlucky, "needs_review")):
        failed = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")
        if shopper is unlucky:
            with transaction():
                session().execute(
                    update(Stock).where(Stock.variant_id == shopper.variant_id).values(on_hand=0)
                )
        payment_id, truth = truth_about(gateway, failed["number"])
        late = dataclasses.replace(truth, status="captured", captured=truth.amount)
        assert flow.settle(payment_id=payment_id, truth=late, actor=system("test")).order_status == ending
    assert get_balance(lucky.id).available == 4_500
    assert get_balance(unlucky.id).available == 5_000
