"""Whatever was lost on the way, asking finds it: open payments are polled, closed ones are met by the walk."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from app.gateways.reconcile import Report, reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.outbox.runs import single_flight
from app.payments import queries
from app.payments import service as payments
from app.payments.gateway import ChargeRequest, Snapshot, Unknown
from app.payments.models import GatewayCursor, Payment, ReconciliationIssue
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway, wait_for

ACTOR = system("test")
pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def alone(gateway: SandboxGateway) -> None:
    """Payments of earlier tests are not due, and the walk begins anew: the gateway has forgotten them."""
    with transaction():
        session().execute(update(Payment).values(next_check_at=None))
        session().execute(GatewayCursor.__table__.delete())


def run(gateway: SandboxGateway, **later: float) -> Report:
    with clock.travel(**later):
        report = reconcile(gateway=gateway, actor=ACTOR)
    assert report is not None
    session().rollback()
    return report


def state_of(number: str) -> tuple[str, str]:
    session().rollback()
    return get_order_view(number).status, queries.list_payments_of(number)[-1].state


@pytest.mark.parametrize(
    ("token", "order", "payment"),
    [
        ("pm_sandbox_timeout_paid", "paid", "captured"),
        ("pm_sandbox_timeout_declined", "payment_failed", "declined"),
        ("pm_sandbox_lost_webhook_paid", "paid", "captured"),
        ("pm_sandbox_lost_webhook_declined", "payment_failed", "declined"),
        ("pm_sandbox_reset_paid", "paid", "captured"),
        ("pm_sandbox_garbage_paid", "paid", "captured"),
        ("pm_sandbox_truncated_paid", "paid", "captured"),
        ("pm_sandbox_error_500_paid", "paid", "captured"),
    ],
)
def test_what_was_lost_is_found(gateway: SandboxGateway, token: str, order: str, payment: str) -> None:
    shopper = Shopper(gateway, points=5_000)
    before = (get_balance(shopper.id).available, stock_of(shopper.variant_id))
    placed = shopper.place(shopper.quote(500), token)
    assert placed["status"] == "payment_pending"
    report = run(gateway, minutes=2)
    assert (report.changed, report.unclear, report.complete) == (1, 0, True)
    assert state_of(placed["number"]) == (order, payment)
    after = (get_balance(shopper.id).available, stock_of(shopper.variant_id))
    assert after == (before if order == "payment_failed" else (4_500, (99, 0)))
    again = run(gateway, minutes=3)
    assert (again.asked, again.changed, again.found, again.orphans) == (0, 0, 0, 0)


@pytest.mark.parametrize("token", ["pm_sandbox_error_500", "pm_sandbox_timeout_before", "pm_sandbox_reset"])
def test_a_charge_that_never_arrived_is_cancelled_there_before_it_fails_here(
    gateway: SandboxGateway, peer: Gateway, token: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    placed = shopper.place(shopper.quote(500), token)
    key = str(queries.list_payments_of(placed["number"])[0].id)
    session().rollback()
    run(gateway, seconds=90)
    assert state_of(placed["number"]) == ("payment_pending", "unknown"), "two minutes are not over"
    assert get_balance(shopper.id).held == 500
    run(gateway, minutes=10)
    assert state_of(placed["number"]) == ("payment_failed", "canceled")
    assert peer.truth(key)["tombstone"] is True
    assert get_balance(shopper.id).available == 5_000


def test_an_abandoned_challenge_ends_after_half_an_hour(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway)
    placed = shopper.place(shopper.quote(), "pm_card_authenticationRequired")
    assert placed["next"]
    for minutes in (2, 10, 29):
        run(gateway, minutes=minutes)
        assert state_of(placed["number"]) == ("payment_pending", "requires_action")
    run(gateway, minutes=31)
    assert state_of(placed["number"]) == ("payment_failed", "canceled")


def test_a_wanted_cancel_is_asked_of_the_gateway_and_a_faster_charge_goes_back(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    waiting, paid = Shopper(gateway), Shopper(gateway)
    numbers = [
        waiting.place(waiting.quote(), "pm_sandbox_processing")["number"],
        paid.place(paid.quote(), "pm_sandbox_lost_webhook_paid")["number"],
    ]
    for number in numbers:
        with transaction():
            payment = payments.lock_payment(queries.list_payments_of(number)[0].id)
            payments.request_cancel(payment)
    run(gateway, seconds=1)
    assert [state_of(number) for number in numbers] == [("cancelled", "canceled"), ("cancelled", "captured")]


def test_a_charge_under_way_is_left_to_its_own_request(
    gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk passes by between the charge and the shop's time-out: the shopper is told what the contract says."""
    shopper = Shopper(gateway, points=5_000)
    charge, reports = gateway.charge, []

    def passed_by(request: ChargeRequest) -> Snapshot | Unknown:
        answer = charge(request)
        reports.append(run(gateway))
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "charge", passed_by)
        placed = shopper.place(shopper.quote(500), "pm_sandbox_timeout_paid")
    assert [(report.walked, report.found) for report in reports] == [(1, 0)]
    assert placed["status"] == "payment_pending"
    run(gateway, minutes=2)
    assert state_of(placed["number"]) == ("paid", "captured")


def test_late_money_without_a_callback_is_met_by_the_walk(gateway: SandboxGateway, peer: Gateway) -> None:
    """The order failed, nobody polls it any more, the callback is lost: only the gateway's list knows."""
    shopper = Shopper(gateway, points=5_000)
    placed = shopper.place(shopper.quote(500), "pm_sandbox_late_authorization_lost_webhook")
    assert placed["status"] == "payment_failed"
    key = str(queries.list_payments_of(placed["number"])[0].id)
    session().rollback()
    wait_for(lambda: peer.truth(key)["status"] == "captured")
    report = run(gateway)
    assert (report.asked, report.found) == (0, 1)
    assert state_of(placed["number"]) == ("paid", "captured"), "stock and points were still there"
    assert run(gateway).found == 0


def test_the_first_walk_goes_back_to_the_first_payment_however_late_it_comes(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway, points=5_000)
    placed = shopper.place(shopper.quote(500), "pm_sandbox_late_authorization_lost_webhook")
    key = str(queries.list_payments_of(placed["number"])[0].id)
    with transaction():
        session().execute(delete(GatewayCursor))
    wait_for(lambda: peer.truth(key)["status"] == "captured")
    assert run(gateway, minutes=16 * 24 * 60).found >= 1
    assert state_of(placed["number"])[1] == "captured"


def test_money_that_is_not_ours_is_an_issue_once(gateway: SandboxGateway, peer: Gateway) -> None:
    stranger = peer.pay("pm_card_visa", f"stranger-{uuid.uuid4()}").json()
    peer.pay("pm_card_chargeDeclined", f"stranger-{uuid.uuid4()}")
    assert run(gateway).orphans == 1
    assert run(gateway).orphans == 0
    (issue,) = [one for one in queries.list_issues().items if one.ref == stranger["id"]]
    assert (issue.kind, issue.detail["captured"]) == ("orphan_payment", 10_000)
    mails = select(func.count()).where(OutboxRow.dedupe_key == f"mail:staff_alert:orphan_payment:{issue.ref}")
    assert session().scalar(mails) == 1


def test_other_money_than_ours_never_pays_an_order(gateway: SandboxGateway) -> None:
    shopper = Shopper(gateway)
    placed = shopper.place(shopper.quote(), "pm_sandbox_wrong_amount")
    for minutes in (2, 5, 45):
        run(gateway, minutes=minutes)
        assert state_of(placed["number"]) == ("payment_pending", "unknown")
    payment = queries.list_payments_of(placed["number"])[0]
    issues = session().scalars(select(ReconciliationIssue).filter_by(ref=str(payment.id))).all()
    assert [issue.kind for issue in issues] == ["payment_mismatch"]


def test_a_dead_gateway_is_not_asked_about_everything(gateway: SandboxGateway, peer: Gateway) -> None:
    shoppers = [Shopper(gateway) for _ in range(5)]
    numbers = [s.place(s.quote(), "pm_sandbox_lost_webhook_paid")["number"] for s in shoppers]
    peer.control("dead", {"dead": "503"})
    report = run(gateway, minutes=2)
    assert (report.asked, report.unclear, report.complete) == (3, 3, False)
    assert all(state_of(number)[0] == "payment_pending" for number in numbers)
    peer.control("dead", {"dead": False})
    assert run(gateway, minutes=2).complete
    assert all(state_of(number) == ("paid", "captured") for number in numbers)


def test_two_runs_at_once_are_one(app: Flask, gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_lost_webhook_paid")["number"]
    with single_flight("payments.reconcile") as mine:
        assert mine
        reports: list[Report | None] = []

        def other() -> None:
            with app.app_context():
                reports.append(reconcile(gateway=gateway, actor=ACTOR))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(60)
        assert reports == [None]
    assert state_of(number)[0] == "payment_pending"
    assert run(gateway, minutes=2).changed == 1


def test_a_walk_goes_over_many_pages_and_back_over_the_last_hour(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateways.sandbox.PAGE", 2)
    shoppers = [Shopper(gateway) for _ in range(5)]
    for shopper in shoppers:
        shopper.place(shopper.quote())
    first = run(gateway)
    assert (first.walked, first.found, first.orphans) == (5, 0, 0)
    assert run(gateway).walked == 5, "the overlap"
    later = queries.find_cursor("sandbox")
    assert later is not None
    assert clock.now() - later.walked_at < timedelta(minutes=1)


def test_the_command(app: Flask, gateway: SandboxGateway, peer: Gateway) -> None:
    runner = app.test_cli_runner()
    session().rollback()
    done = runner.invoke(args=["payments", "reconcile"])
    assert (done.exit_code, "walk complete" in done.output) == (0, True)
    peer.control("dead", {"dead": "503"})
    cut_short = runner.invoke(args=["payments", "reconcile"])
    assert (cut_short.exit_code, "walk cut short" in cut_short.output) == (1, True)
