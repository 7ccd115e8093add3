"""A first card said no, a second is still open, then the first is charged after all: one order, one charge."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import select

from app.checkout import flow
from app.checkout.cancel import cancel
from app.gateways.asking import ask_payment
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import session
from app.kernel.ids import fingerprint
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries as payment_queries
from app.rewards.queries import get_balance
from jobs.letters import DRAFTS, REASONS
from tests.checkout.conftest import Shopper, present, truth_about
from tests.checkout.elsewhere import jobs_of
from tests.factories.people import actor_of
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
JOBS = system("payments.reconcile")


def two_attempts(gateway: SandboxGateway, second: str) -> tuple[Shopper, str, uuid.UUID, str]:
    """The shopper, the order's number, the declined attempt and its name at the gateway."""
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    first, truth = truth_about(gateway, number)
    assert shopper.pay_again(number, second)["status"] == "payment_pending"
    session().rollback()
    return shopper, number, first, truth.gateway_ref


def ask(gateway: SandboxGateway, payment_id: uuid.UUID) -> str:
    session().rollback()
    ask_payment(payment_id=payment_id, gateway=gateway, actor=JOBS)
    session().rollback()
    return payment_queries.get_payment(payment_id).state


def cancel_order(shopper: Shopper, number: str, gateway: SandboxGateway) -> str:
    """The order's status in the answer."""
    answer = cancel(
        request=flow.Request(shopper.id, "a@example.test", "cancel", uuid.uuid4().hex, fingerprint(number)),
        number=number,
        customer_id=shopper.id,
        gateway=gateway,
        present=present,
        actor=actor_of(shopper.id),
    )
    return str(json.loads(answer.body)["status"])


def test_the_open_attempt_is_ended_when_the_other_pays(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper, number, first, ref = two_attempts(gateway, "pm_card_authenticationRequired")
    peer.control(f"payments/{ref}/late-authorize")
    assert ask(gateway, first) == "captured"
    assert get_order_view(number).status == "paid"
    second = payment_queries.list_payments_of(number)[-1].id
    due = [payment.id for payment in payment_queries.list_due("sandbox", limit=10)]
    assert second in due, "the next reconciliation ends it"
    assert ask(gateway, second) == "canceled"
    assert truth_about(gateway, number)[1].status == "canceled"
    assert get_order_view(number).status == "paid", "the shop's own wish is not the shopper's"
    assert (get_balance(shopper.id).available, stock_of(shopper.variant_id)) == (4_500, (99, 0))


def test_the_other_attempt_that_was_faster_is_given_back_and_the_order_stays(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    _, number, first, ref = two_attempts(gateway, "pm_card_authenticationRequired")
    peer.control(f"payments/{ref}/late-authorize")
    ask(gateway, first)
    second = payment_queries.list_payments_of(number)[-1].id
    peer.control(f"payments/{truth_about(gateway, number)[1].gateway_ref}/paid")
    assert ask(gateway, second) == "captured"
    assert get_order_view(number).status == "paid"
    assert [(one.captured, one.refunded) for one in payment_queries.list_payments_of(number)] == [
        (8_000, 0),
        (8_000, 8_000),
    ]
    late = [one.text for one in get_order_view(number).timeline if one.event == "late_payment"]
    assert [text[:72] for text in late] == [
        "Another payment arrived for this order, which had been paid already. We "
    ]
    (job,) = jobs_of(number, "mail.order_refunded")
    assert DRAFTS["order_refunded"](job.payload).context["reason"] == REASONS["paid_twice"]


def test_an_order_that_goes_ahead_after_all_has_not_failed(gateway: SandboxGateway, peer: Gateway) -> None:
    """Its story tells that a card said no."""
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclinedExpiredCard")["number"]
    first, truth = truth_about(gateway, number)
    assert get_order_view(number).failure_code == "CARD_EXPIRED"
    peer.control(f"payments/{truth.gateway_ref}/late-authorize")
    assert ask(gateway, first) == "captured"
    order = get_order_view(number)
    assert (order.status, order.failure_code) == ("paid", None)
    assert {"payment_failed", "revived"} <= {one.event for one in order.timeline}


def test_the_wish_to_cancel_holds_whichever_attempt_pays(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper, number, first, ref = two_attempts(gateway, "pm_sandbox_processing")
    peer.control("dead", {"dead": "503"})
    assert cancel_order(shopper, number, gateway) == "payment_pending"
    peer.control("dead", {"dead": False})
    peer.control(f"payments/{ref}/late-authorize")
    assert ask(gateway, first) == "captured"
    assert get_order_view(number).status == "cancelled"
    second = payment_queries.list_payments_of(number)[-1].id
    ask(gateway, second)
    assert get_order_view(number).status == "cancelled"
    assert [one.captured - one.refunded for one in payment_queries.list_payments_of(number)] == [0, 0]
    assert (get_balance(shopper.id).available, stock_of(shopper.variant_id)) == (5_000, (100, 0))


def test_each_payment_without_an_order_is_told(gateway: SandboxGateway, peer: Gateway) -> None:
    """Both cards of a cancelled order charge it late: both go back, and staff hear of both."""
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"]
    shopper.pay_again(number, "pm_card_chargeDeclined")
    payments = [(one.id, one.gateway_ref) for one in payment_queries.list_payments_of(number)]
    session().rollback()
    cancel_order(shopper, number, gateway)
    for payment_id, ref in payments:
        peer.control(f"payments/{ref}/late-authorize")
        assert ask(gateway, payment_id) == "captured"
    keys = session().scalars(select(OutboxRow.dedupe_key).where(OutboxRow.topic == "mail.staff_alert")).all()
    kind = "payment_without_order"
    assert {f"mail:staff_alert:{kind}:{payment_id}" for payment_id, _ in payments} <= set(keys)
