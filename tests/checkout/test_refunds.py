"""Refunds of real orders: points to their lots, card money by a job, earned points taken back, never too much."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select

from app.audit.models import AuditEntry
from app.checkout import refund as refunds
from app.checkout.refunds import settle_refund
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import Conflict, RuleBroken, ShopError
from app.orders.errors import NothingToSend
from app.orders.queries import get_order_view
from app.orders.service import moving
from app.orders.states import ORDER, REFUNDABLE
from app.payments import queries as payment_queries
from app.payments.gateway import RefundRefused, RefundSnapshot
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.refunding import (
    STAFF,
    books_of,
    bought,
    card_refunds_of,
    give_back,
    send,
    sku_of,
)
from tests.sandbox.peers import Gateway, wait_for

pytestmark = pytest.mark.usefixtures("app_context")


def test_part_of_an_order_goes_back_as_it_was_paid(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    before = get_balance(shopper.id)
    plan = refunds.preview(number=number, lines=[(sku_of(number), 1)], strategy="proportional")
    made = give_back(number, lines=[(sku_of(number), 1)])
    assert (made.points, made.points_value.amount, made.card.amount) == (435, 4_350, 5_650)
    assert (plan.give.points, plan.give.card, plan.clawback) == (made.points, made.card.amount, made.clawback)
    after = get_balance(shopper.id)
    assert after.available - before.available == 435
    assert before.pending - after.pending == made.clawback == 65
    assert made.state == "running"
    send(number, gateway)
    view = get_order_view(number)
    assert [(refund.points, refund.card.amount, refund.state) for refund in view.refunds] == [
        (435, 5_650, "done")
    ]
    assert (view.status, view.lines[0].refunded_quantity) == ("paid", 1)


def test_the_rest_completes_it_to_the_point_and_the_cent(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    give_back(number, lines=[(sku_of(number), 1)], strategy="card_first")
    give_back(number, key="k2")
    assert get_order_view(number).status == "paid", "money is still on its way"
    send(number, gateway)
    assert get_order_view(number).status == "refunded"
    balance = get_balance(shopper.id)
    assert (balance.available, balance.pending, balance.owed) == (5_000, 0, 0)
    (payment,) = payment_queries.list_payments_of(number)
    assert (payment.captured, payment.refunded) == (13_000, 13_000)
    _, truth = truth_about(gateway, number)
    assert truth.refunded == 13_000
    with pytest.raises(Conflict, match="cannot be refunded"):
        give_back(number, key="k3")


def test_the_same_key_is_no_second_refund(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    first = give_back(number, lines=[(sku_of(number), 1)])
    books = books_of(shopper, number)
    assert give_back(number, lines=[(sku_of(number), 1)]) == first
    assert books_of(shopper, number) == books


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lines": [("nothing", 1)]}, "lines"),
        ({"lines": [("sku", 3)]}, "lines"),
        ({"lines": [("sku", 1), ("sku", 1)]}, "lines"),
        ({"strategy": "cash"}, "strategy"),
    ],
)
def test_a_refused_refund_changes_nothing(gateway: SandboxGateway, wrong: dict[str, Any], field: str) -> None:
    shopper, number = bought(gateway)
    if "lines" in wrong:
        sku = sku_of(number)
        wrong = {"lines": [(sku if name == "sku" else name, n) for name, n in wrong["lines"]]}
    books = books_of(shopper, number)
    with pytest.raises(RuleBroken) as refused:
        give_back(number, **wrong)
    assert [error.field for error in refused.value.errors] == [field]
    assert books_of(shopper, number) == books


def test_thirty_refunds_of_one_payment_at_once(app: Flask, gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    sku = sku_of(number)
    barrier = threading.Barrier(30)
    results: list[str] = []

    def attempt(turn: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                give_back(number, lines=[(sku, 1)], key=f"race-{turn}")
                results.append("refunded")
            except ShopError as error:
                results.append(error.code)

    threads = [threading.Thread(target=attempt, args=(turn,)) for turn in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(["refunded"] * 2 + ["VALIDATION_FAILED"] * 28)
    balance = get_balance(shopper.id)
    assert (balance.available, balance.pending) == (5_000, 0)
    session().expire_all()
    (payment,) = payment_queries.list_payments_of(number)
    assert payment.refunded == payment.captured == 13_000
    assert len(card_refunds_of(number)) == 2


def test_the_refund_goes_to_the_payment_that_paid(gateway: SandboxGateway, peer: Gateway) -> None:
    """A first card said no, the second paid; then the first charges after all, and that money goes back by itself."""
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_late_authorization_lost_webhook")["number"]
    assert shopper.pay_again(number, "pm_card_visa")["status"] == "paid"
    first, second = [payment.id for payment in payment_queries.list_payments_of(number)]
    session().rollback()
    wait_for(lambda: peer.truth(str(first))["status"] == "captured")
    ask_payment(payment_id=first, gateway=gateway, actor=system("test"))
    assert [refund.amount for refund in payment_queries.list_refunds_of(first)] == [13_000]
    made = give_back(number)
    assert made.card.amount == 13_000
    assert [refund.amount for refund in payment_queries.list_refunds_of(second)] == [13_000]


def test_a_refused_card_refund_is_stuck_and_a_later_one_ends_it(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    made = give_back(number)
    (queued,) = card_refunds_of(number)
    settle_refund(refund_id=queued.id, truth=RefundRefused("account closed"), actor=system("test"))
    view = get_order_view(number)
    assert ([refund.state for refund in view.refunds], view.status) == (["stuck"], "paid")
    assert get_balance(shopper.id).available == 5_000, "points were never at risk"
    (payment,) = payment_queries.list_payments_of(number)
    done = RefundSnapshot(
        key=str(queued.id),
        gateway_ref="re_1",
        status="succeeded",
        amount=made.card.amount,
        currency="HKD",
        payment_ref=str(payment.gateway_ref),
    )
    settle_refund(refund_id=queued.id, truth=done, actor=system("test"))
    settle_refund(refund_id=queued.id, truth=done, actor=system("test"))
    view = get_order_view(number)
    assert ([refund.state for refund in view.refunds], view.status) == (["done"], "refunded")


def test_an_order_is_refunded_when_the_last_of_its_money_has_arrived(gateway: SandboxGateway) -> None:
    _, number = bought(gateway)
    give_back(number, lines=[(sku_of(number), 1)])
    give_back(number, key="k2")
    first, second = [row.id for row in card_refunds_of(number)]
    session().rollback()
    for one, status in ((second, "paid"), (first, "refunded")):
        ask_refund(refund_id=one, gateway=gateway, actor=system("test"))
        assert get_order_view(number).status == status
        session().rollback()


def test_shipped_orders_can_be_refunded(gateway: SandboxGateway) -> None:
    _, number = bought(gateway)
    for status in ("packed", "shipped", "delivered"):
        with transaction():
            moving.move_by_staff(number=number, to=status, actor=STAFF)
        assert status in REFUNDABLE
    give_back(number)
    send(number, gateway)
    assert get_order_view(number).status == "refunded"


@pytest.mark.parametrize("start", ["paid", "packed"])
def test_what_was_given_back_is_neither_packed_nor_shipped(gateway: SandboxGateway, start: str) -> None:
    """Also while the money is on its way, and for as long as it is stuck."""
    shopper, number = bought(gateway)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    if start == "packed":  # one of two is left to send
        run_atomically(lambda: moving.move_by_staff(number=number, to="packed", actor=STAFF))
    give_back(number, key="b")
    books = books_of(shopper, number)
    audited = session().scalar(select(func.count()).select_from(AuditEntry))
    told = len(get_order_view(number).timeline)
    for to in {"packed", "shipped"} & ORDER.edges[start]:
        session().rollback()
        with pytest.raises(NothingToSend):
            run_atomically(lambda to=to: moving.move_by_staff(number=number, to=to, actor=STAFF))
    assert books_of(shopper, number) == books
    assert session().scalar(select(func.count()).select_from(AuditEntry)) == audited
    assert len(get_order_view(number).timeline) == told
    send(number, gateway)
    assert get_order_view(number).status == "refunded"


def test_what_has_left_can_still_arrive(gateway: SandboxGateway) -> None:
    _, number = bought(gateway)
    run_atomically(lambda: moving.move_by_staff(number=number, to="shipped", actor=STAFF))
    give_back(number)
    run_atomically(lambda: moving.move_by_staff(number=number, to="delivered", actor=STAFF))
    assert get_order_view(number).status == "delivered"


def test_a_failed_order_cannot_be_refunded(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    with pytest.raises(Conflict) as refused:
        give_back(number)
    assert refused.value.code == "ORDER_NOT_REFUNDABLE"
    assert get_balance(shopper.id).available == 5_000


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE orders SET refunded_card = card_due + 1 WHERE number = %s", "ck_orders_refunded_card"),
        ("UPDATE orders SET refunded_points = points + 1 WHERE number = %s", "ck_orders_refunded_points"),
        ("UPDATE orders SET refunded_card = refunded_card + 1 WHERE number = %s", "do not add up"),
        (
            "UPDATE order_line SET refunded_card = 1 WHERE order_id = (SELECT id FROM orders WHERE number = %s)",
            "do not add up",
        ),
        (
            (
                "INSERT INTO order_refund (id, order_id, idem_key, reason, strategy, points, points_value, card, lines,"
                " state, requested_by, created_at) SELECT gen_random_uuid(), id, 'x', 'x', 'x', 0, 0, 5, '[{}]',"
                " 'done', 'x', now() FROM orders WHERE number = %s"
            ),
            "do not add up",
        ),
    ],
)
def test_the_database_refuses_more_than_was_paid(
    gateway: SandboxGateway, owner: psycopg.Connection, statement: str, refusal: str
) -> None:
    shopper, number = bought(gateway)
    books = books_of(shopper, number)
    with pytest.raises(psycopg.errors.CheckViolation, match=refusal):
        owner.execute(statement, (number,))
    assert books_of(shopper, number) == books


def test_the_promise_before_buying_is_the_refund(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000, quantity=2)
    agreed = shopper.quote(1_000)
    promised = refunds.promise(agreed, agreed.lines[0].sku)
    number = shopper.place(agreed)["number"]
    made = give_back(number, lines=[(sku_of(number), 1)])
    assert (promised.give.points, promised.give.card, promised.clawback) == (
        made.points,
        made.card.amount,
        made.clawback,
    )
