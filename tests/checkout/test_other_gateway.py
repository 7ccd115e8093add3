"""The settings name another gateway than the one that has the money: it is not asked, sent or told anything."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import update

from app.gateways.asking import NAME_IT, OTHER_GATEWAY, ask_payment, ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.payments import issues
from app.payments import queries as payment_queries
from app.payments.gateway import Unknown
from app.payments.models import Payment
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import card_refunds_of, give_back
from tests.checkout.test_cancelling import cancel_order
from tests.checkout.test_resuming import charges, died
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
ACTOR = system("test")


@pytest.fixture
def shopper(gateway: SandboxGateway) -> Shopper:
    return Shopper(gateway, points=5_000)


def made_at_stripe(number: str) -> uuid.UUID:
    """As if the shop had been run with another gateway when this order was paid."""
    payment_id = payment_queries.list_payments_of(number)[-1].id
    session().rollback()
    with transaction():
        session().execute(update(Payment).where(Payment.id == payment_id).values(gateway="stripe"))
    return payment_id


def books(shopper: Shopper, number: str) -> tuple[object, ...]:
    session().rollback()
    balance = get_balance(shopper.id)
    payment = payment_queries.list_payments_of(number)[-1]
    return (
        get_order_view(number).status,
        (balance.available, balance.held),
        stock_of(shopper.variant_id),
        (payment.state, payment.captured, payment.checks),
    )


def test_a_payment_is_not_asked_about_where_nobody_knows_it(shopper: Shopper, peer: Gateway) -> None:
    number = shopper.place(shopper.quote(500), "pm_sandbox_timeout_paid")["number"]
    payment_id = made_at_stripe(number)
    before = books(shopper, number)
    peer.control("reset")  # the gateway that is asked has never heard of it
    with clock.travel(hours=2):
        truth, state = ask_payment(payment_id=payment_id, gateway=shopper.gateway, actor=ACTOR)
    assert (type(truth), state) == (Unknown, "unknown")
    assert books(shopper, number) == before
    issue = issues.find_issue(OTHER_GATEWAY, "stripe")
    assert issue is not None
    assert (issue.state, issue.suggestion, issue.detail["order_number"]) == ("open", NAME_IT, number)


def test_a_refund_is_not_sent_there(shopper: Shopper, peer: Gateway) -> None:
    number = shopper.place(shopper.quote(500))["number"]
    give_back(number)
    made_at_stripe(number)
    (queued,) = [refund.id for refund in card_refunds_of(number)]
    session().rollback()
    assert isinstance(ask_refund(refund_id=queued, gateway=shopper.gateway, actor=ACTOR), Unknown)
    session().rollback()
    assert [refund.state for refund in card_refunds_of(number)] == ["queued"]
    assert charges(peer)[0]["amount_refunded"] == 0


def test_a_cancel_waits_until_the_right_gateway_is_back(shopper: Shopper, peer: Gateway) -> None:
    number = shopper.place(shopper.quote(500), "pm_sandbox_timeout_paid")["number"]
    payment_id = made_at_stripe(number)
    peer.control("reset")
    assert cancel_order(shopper, number)["status"] == "payment_pending"
    session().rollback()
    assert get_balance(shopper.id).held == 500
    assert payment_queries.get_payment(payment_id).cancel_requested_at is not None
    assert charges(peer) == []


def test_a_placement_that_died_is_not_charged_at_another(shopper: Shopper, peer: Gateway) -> None:
    agreed = died(shopper, "moved-house")
    number = next(str(one.reference) for one in payment_queries.list_open() if one.customer_id == shopper.id)
    made_at_stripe(number)
    with clock.travel(seconds=61):
        assert shopper.place(agreed, key="moved-house")["status"] == "payment_pending"
    assert charges(peer) == []
