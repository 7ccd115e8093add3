"""Cancelling before it ships: whatever the payment is doing, everything goes back as it was paid, once."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.checkout import flow
from app.checkout.cancel import cancel
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.sandbox import SandboxGateway
from app.idempotency.models import IdempotencyKey
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.kernel.errors import Conflict, ShopError
from app.kernel.ids import fingerprint
from app.orders.errors import OrderNotCancellable, OrderNotFound
from app.orders.models import OrderRefund
from app.orders.queries import get_order_view
from app.orders.service import moving
from app.payments import queries as payment_queries
from app.payments.gateway import Snapshot, Unknown
from app.rewards.queries import get_balance, list_holds
from tests.checkout.conftest import Shopper, present, truth_about
from tests.factories.people import actor_of, make_customer
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def cancel_order(
    shopper: Shopper, number: str, *, key: str | None = None, by: uuid.UUID | None = None, gateway: Any = None
) -> dict[str, Any]:
    """The presented answer, with `replayed`."""
    who = by or shopper.id
    answer = cancel(
        request=flow.Request(who, "a@example.test", "cancel", key or uuid.uuid4().hex, fingerprint(number)),
        number=number,
        customer_id=who,
        gateway=gateway or shopper.gateway,
        present=present,
        actor=actor_of(who),
    )
    return json.loads(answer.body) | {"replayed": answer.replayed}


def books_of(shopper: Shopper) -> Any:
    session().rollback()
    balance = get_balance(shopper.id)
    return (balance.available, balance.held, balance.pending, balance.owed, stock_of(shopper.variant_id))


def refunds_of(number: str) -> int:
    order_id = get_order_view(number).id
    found = session().scalar(select(func.count()).select_from(OrderRefund).filter_by(order_id=order_id))
    return int(found or 0)


def card_money_left(gateway: SandboxGateway, number: str) -> int:
    """Send what is queued, then ask the gateway how much of the order's money it still keeps for us."""
    kept = 0
    for payment_id in [payment.id for payment in payment_queries.list_payments_of(number)]:
        for refund_id in [refund.id for refund in payment_queries.list_refunds_of(payment_id)]:
            ask_refund(refund_id=refund_id, gateway=gateway, actor=system("test"))
        session().rollback()
        truth = gateway.fetch(payment_id, None)
        kept += truth.captured - truth.refunded if isinstance(truth, Snapshot) else 0
    return kept


@pytest.mark.parametrize("points", [0, 500, 1_300])
@pytest.mark.parametrize("packed", [False, True])
def test_a_paid_order_goes_back_whole(gateway: SandboxGateway, points: int, packed: bool) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    agreed = shopper.quote(points)
    number = shopper.place(agreed, "pm_card_visa" if agreed.card_due else None)["number"]
    if packed:
        with transaction():
            moving.move_by_staff(number=number, to="packed", actor=system("test"))
    assert cancel_order(shopper, number)["status"] == "cancelled"
    assert books_of(shopper) == before, "points, earned points and stock are as they were"
    assert card_money_left(gateway, number) == 0
    view = get_order_view(number)
    assert view.status == "cancelled"
    assert [(refund.points, refund.card.amount, refund.state) for refund in view.refunds] == [
        (agreed.points, agreed.card_due, "done")
    ]


def test_the_same_key_gets_the_same_answer_and_another_is_refused(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500))["number"]
    first = cancel_order(shopper, number, key="once-and-for-all")
    again = cancel_order(shopper, number, key="once-and-for-all")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["status"] == "cancelled"
    books = books_of(shopper)
    with pytest.raises(OrderNotCancellable):
        cancel_order(shopper, number)
    assert (books_of(shopper), refunds_of(number)) == (books, 1)


def test_what_has_shipped_or_is_somebody_elses_stays_as_it_is(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500))["number"]
    books = books_of(shopper)
    with pytest.raises(OrderNotFound):
        cancel_order(shopper, number, by=make_customer())
    with transaction():
        moving.move_by_staff(number=number, to="shipped", actor=system("test"))
    with pytest.raises(OrderNotCancellable) as refused:
        cancel_order(shopper, number)
    assert refused.value.code == "ORDER_NOT_CANCELLABLE"
    assert (books_of(shopper), get_order_view(number).status, refunds_of(number)) == (books, "shipped", 0)
    session().rollback()
    claims = (
        select(func.count()).select_from(IdempotencyKey).filter_by(route="cancel", customer_id=shopper.id)
    )
    assert session().scalar(claims) == 0, "a refusal keeps no claim"


def test_an_order_whose_payment_failed(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    assert cancel_order(shopper, number)["status"] == "cancelled"
    assert (books_of(shopper), refunds_of(number)) == (before, 0)


def test_a_payment_that_waits_for_the_shopper_is_ended_at_the_gateway_first(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    placed = shopper.place(shopper.quote(500), "pm_card_authenticationRequired")
    assert placed["status"] == "payment_pending"
    number = placed["number"]
    assert cancel_order(shopper, number)["status"] == "cancelled"
    assert (books_of(shopper), list_holds(shopper.id)) == (before, [])
    _, truth = truth_about(gateway, number)
    assert truth.status == "canceled"


def test_a_charge_that_was_faster_goes_back(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    number = shopper.place(shopper.quote(500), "pm_sandbox_lost_webhook_paid")["number"]
    assert get_order_view(number).status == "payment_pending"
    session().rollback()
    assert cancel_order(shopper, number)["status"] == "cancelled"
    assert books_of(shopper) == before
    assert card_money_left(gateway, number) == 0
    assert [event.event for event in get_order_view(number).timeline if event.event != "payment_unknown"] == [
        "placed",
        "paid",
        "cancelled",
        "card_refunded",
    ]


class Silent:
    """A gateway that cannot be reached when it is asked to cancel."""

    name = "sandbox"

    def cancel(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Unknown:
        return Unknown("timeout")


@pytest.mark.parametrize(
    ("token", "status"),
    [("pm_card_authenticationRequired", "cancelled"), ("pm_sandbox_lost_webhook_paid", "cancelled")],
)
def test_without_a_clear_word_it_stays_pending_and_the_wish_is_kept(
    gateway: SandboxGateway, token: str, status: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    number = shopper.place(shopper.quote(500), token)["number"]
    session().rollback()
    pending = books_of(shopper)
    assert cancel_order(shopper, number, gateway=Silent())["status"] == "payment_pending"
    assert books_of(shopper) == pending, "nothing is given back on a guess"
    (payment,) = payment_queries.list_payments_of(number)
    payment_id = payment.id
    session().rollback()
    ask_payment(payment_id=payment_id, gateway=gateway, actor=system("payments.reconcile"))
    assert get_order_view(number).status == status
    assert books_of(shopper) == before
    assert card_money_left(gateway, number) == 0


def test_after_a_partial_refund_only_the_rest_goes_back(gateway: SandboxGateway) -> None:
    from app.checkout import refund as refunds

    shopper = Shopper(gateway, points=5_000, quantity=2)
    before = books_of(shopper)
    number = shopper.place(shopper.quote(1_000))["number"]
    sku = get_order_view(number).lines[0].sku
    with transaction():
        refunds.refund(
            number=number,
            lines=[(sku, 1)],
            strategy="points_first",
            reason="One was broken",
            idem_key="k",
            actor=system("test"),
        )
    assert cancel_order(shopper, number)["status"] == "cancelled"
    assert books_of(shopper) == before
    assert card_money_left(gateway, number) == 0


def test_a_crash_after_the_claim_is_taken_up_by_the_same_key(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    number = shopper.place(shopper.quote(500), "pm_card_authenticationRequired")["number"]

    class Dying(Silent):
        def cancel(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Unknown:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cancel_order(shopper, number, key="crashed-once", gateway=Dying())
    with pytest.raises(Conflict) as running:
        cancel_order(shopper, number, key="crashed-once")
    assert running.value.code == "IDEMPOTENCY_IN_FLIGHT"
    with clock.travel(seconds=61):
        assert cancel_order(shopper, number, key="crashed-once")["status"] == "cancelled"
    assert books_of(shopper) == before


def test_cancel_against_settle_and_against_itself(app: Flask, gateway: SandboxGateway) -> None:
    """Eight cancels with their own keys, and eight deliveries of the gateway's word, all at once."""
    shopper = Shopper(gateway, points=5_000)
    before = books_of(shopper)
    number = shopper.place(shopper.quote(500), "pm_sandbox_lost_webhook_paid")["number"]
    session().rollback()
    payment_id, truth = truth_about(gateway, number)
    assert truth.status == "captured"
    barrier = threading.Barrier(16)
    outcomes: list[str] = []

    def cancelling() -> None:
        with app.app_context():
            barrier.wait()
            try:
                outcomes.append(cancel_order(shopper, number)["status"])
            except ShopError as error:
                outcomes.append(error.code)

    def settling() -> None:
        with app.app_context():
            barrier.wait()
            flow.settle(payment_id=payment_id, truth=truth, actor=system("test"))

    threads = [threading.Thread(target=target) for target in (cancelling, settling) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {"cancelled", "ORDER_NOT_CANCELLABLE"}
    assert "cancelled" in outcomes
    assert (get_order_view(number).status, refunds_of(number)) == ("cancelled", 1)
    assert books_of(shopper) == before
    assert card_money_left(gateway, number) == 0
