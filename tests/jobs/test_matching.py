"""The three-way match: each of the twelve classes is found once within one run, and clean books raise nothing."""

from __future__ import annotations

import threading
import uuid
from datetime import date

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, update

from app.checkout.refund import refund
from app.gateways.matching import Match, match
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.outbox.runs import single_flight
from app.payments import queries
from app.payments.bookkeeping import ReportRow
from app.payments.issues import resolve_issue
from app.payments.models import Dispute, Payment, ReconciliationIssue
from jobs.execute import run as run_job
from jobs.handlers.payments import watch_task
from tests.checkout.conftest import TIMEOUTS
from tests.factories.people import actor_of, make_customer
from tests.jobs.mismatches import (
    SEEDS,
    Large,
    Miscounting,
    Paid,
    Seed,
    broken,
    lots_differ,
    orphan,
    other_amount,
    stock_differs,
    unguarded,
)
from tests.sandbox.peers import KEY, SECRET, Gateway, wait_for

ACTOR = system("test")
SUMMED = """UPDATE points_account a SET (available, held) = (
  SELECT coalesce(sum(available), 0), coalesce(sum(held), 0) FROM points_lot l WHERE l.customer_id = a.customer_id)"""
pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def alone(gateway: SandboxGateway, owner: psycopg.Connection) -> None:
    """Payments of earlier tests are of another day, their orders are over: the gateway has forgotten them."""
    tables = (
        "stock_reservation payment card_refund orders points_hold stock points_account reconciliation_issue"
    )
    with unguarded(owner, *tables.split()):
        for statement in (
            "UPDATE payment SET created_at = created_at - interval '30 days', next_check_at = NULL",
            "UPDATE card_refund SET created_at = created_at - interval '30 days', next_check_at = NULL",
            "UPDATE orders SET paid_at = paid_at - interval '30 days'",
            "UPDATE orders SET status = 'refunded'",
            "UPDATE points_hold SET state = 'released', resolved_at = now() WHERE state = 'active'",
            "UPDATE stock_reservation SET state = 'released' WHERE state = 'active'",
            "UPDATE stock SET reserved = 0",
            SUMMED,
            "DELETE FROM reconciliation_issue",
        ):
            owner.execute(statement)


def today() -> date:
    return clock.now().date()


def run(gateway: SandboxGateway) -> Match:
    session().rollback()
    done = match(gateway=gateway, day=today(), actor=ACTOR)
    assert done is not None
    session().rollback()
    return done


def issues() -> list[tuple[str, str]]:
    session().rollback()
    rows = session().scalars(select(ReconciliationIssue).filter_by(state="open")).all()
    return sorted((row.kind, row.ref) for row in rows)


@pytest.mark.parametrize(("seed", "kind"), SEEDS, ids=[seed.__name__ for seed, _ in SEEDS])
def test_each_class_is_found_once_in_one_run(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection, seed: Seed, kind: str
) -> None:
    clean = Paid(gateway)
    ref = seed(gateway, peer, owner)
    run(gateway)
    first = queries.get_issue(kind, ref)
    detail, mails = dict(first.detail), mails_about(kind, ref)
    assert first.suggestion
    assert mails == 1
    if kind == "paid_without_receipt":
        assert (first.state, issues()) == ("auto_fixed", [])
        key = f"mail:order_paid:{ref}:1"
        assert session().scalars(select(OutboxRow.topic).filter_by(dedupe_key=key)).all() == [
            "mail.order_paid"
        ]
    else:
        assert issues() == [(kind, ref)]
    run(gateway)
    again = queries.get_issue(kind, ref)
    assert (again.state, again.detail, mails_about(kind, ref)) == (first.state, detail, 1)
    assert issues() == ([] if kind == "paid_without_receipt" else [(kind, ref)])
    assert get_order_view(clean.number).status == "paid"


def test_what_staff_have_settled_stays_settled(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    """The gateway still says the same when it is asked, and so does its report."""
    ref = other_amount(gateway, peer, owner)
    run(gateway)
    support = actor_of(make_customer(role="support"), role="support")
    with transaction():
        resolve_issue(kind="payment_mismatch", ref=ref, note="Accepted by hand.", actor=support)
    run(gateway)
    assert queries.get_issue("payment_mismatch", ref).state == "resolved"
    assert mails_about("payment_mismatch", ref) == 1


def mails_about(kind: str, ref: str) -> int:
    session().rollback()
    key = f"mail:staff_alert:{kind}:{ref}"
    found = select(OutboxRow.id).where(OutboxRow.dedupe_key.startswith(key, autoescape=True))
    return len(session().scalars(found).all())


def test_a_payout_that_is_not_the_sum_of_its_rows(gateway: SandboxGateway, peer: Gateway) -> None:
    Paid(gateway)
    other = Miscounting(url=peer.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)
    run(other)
    assert issues() == [("settled_net_differs", f"{today()}:HKD")]
    run(other)
    assert issues() == [("settled_net_differs", f"{today()}:HKD")]


def test_what_settling_can_fix_is_no_issue(gateway: SandboxGateway, peer: Gateway) -> None:
    """Callbacks lost, and nobody polled: a capture, a refund, a late success and a lost dispute."""
    lost = Paid(gateway, "pm_sandbox_lost_webhook_paid")
    late = Paid(gateway, "pm_sandbox_late_authorization_lost_webhook")
    wait_for(lambda: peer.truth(late.payment)["status"] == "captured")
    returned = Paid(gateway, "pm_sandbox_refund_pending")
    support = actor_of(make_customer(role="support"), role="support")
    with transaction():
        made = refund(
            number=returned.number,
            lines=None,
            strategy="proportional",
            reason="It was broken.",
            idem_key="r",
            actor=support,
        )
    _send_refund(gateway, returned.payment)
    wait_for(lambda: peer.truth(returned.payment)["amount_refunded"] > 0)
    peer.control("advance", {"seconds": 5})
    disputed = Paid(gateway)
    ref = peer.control(f"payments/{disputed.ref}/dispute")["id"]
    peer.control(f"disputes/{ref}/lost")
    first = run(gateway)
    assert first.differ == 0
    assert first.asked >= 3
    assert [get_order_view(one.number).status for one in (lost, late, returned)] == [
        "paid",
        "paid",
        "refunded",
    ]
    assert made.state == "running"
    assert session().get_one(Dispute, ("sandbox", ref)).state == "lost"
    assert issues() == [("dispute", ref)]
    assert run(gateway).asked == 0


def _send_refund(gateway: SandboxGateway, payment: str) -> None:
    session().rollback()
    (card_refund,) = queries.list_refunds_of(uuid.UUID(payment))
    key = f"refund:{card_refund.id}:0"
    row_id = session().scalar(select(OutboxRow.id).where(OutboxRow.dedupe_key == key))
    session().rollback()
    from flask import current_app

    assert row_id is not None
    run_job(current_app._get_current_object(), row_id)  # type: ignore[attr-defined]


def test_ten_thousand_clean_payments_raise_nothing(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    customer_id = make_customer()
    owner.execute(
        "INSERT INTO payment (id, customer_id, reference, gateway, gateway_ref, method, amount, currency, captured,"
        " state, created_at, updated_at) SELECT gen_random_uuid(), %s, 'M-' || n, 'sandbox', 'pay_many_' || n,"
        " 'token', n, 'HKD', 0, 'submitting', now(), now() FROM generate_series(1, 10000) n",
        (customer_id,),
    )
    with unguarded(owner, "payment"):
        owner.execute("UPDATE payment SET state = 'captured', captured = amount WHERE reference LIKE 'M-%'")
    found = owner.execute("SELECT id::text, gateway_ref, reference, amount FROM payment"
                          " WHERE reference LIKE 'M-%'").fetchall()  # fmt: skip
    large = Large(url=peer.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)
    large.rows = tuple(
        ReportRow("payment", ref, ref, key, number, "HKD", amount, amount // 50, amount - amount // 50)
        for key, ref, number, amount in found
    )
    done = run(large)
    assert (done.rows, done.asked, done.differ, done.books, done.complete) == (10_000, 0, 0, 0, True)
    assert issues() == []


def test_two_at_once_are_one(app: Flask, gateway: SandboxGateway, peer: Gateway) -> None:
    ref = orphan(gateway, peer, None)  # type: ignore[arg-type]
    with single_flight("payments.match") as mine:
        assert mine
        runs: list[Match | None] = []

        def other() -> None:
            with app.app_context():
                runs.append(match(gateway=gateway, day=today(), actor=ACTOR))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(60)
        assert runs == [None]
    assert issues() == []
    run(gateway)
    assert issues() == [("orphan_payment", ref)]


def test_a_dead_gateway_ends_the_run_and_the_books_are_checked_all_the_same(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    ref = lots_differ(gateway, peer, owner)
    Paid(gateway)
    peer.control("dead", {"dead": "503"})
    assert not run(gateway).complete
    assert issues() == [("ledger_lots_differ", ref)]


def test_what_is_so_no_more_is_closed_and_opens_again_with_another_mail(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    ref = stock_differs(gateway, peer, owner)
    run(gateway)
    broken(owner, "UPDATE stock SET reserved = 0 WHERE variant_id = %s", ref)
    assert run(gateway).closed == 1
    assert queries.get_issue("stock_reserved_differs", ref).state == "auto_fixed"
    broken(owner, "UPDATE stock SET reserved = 1 WHERE variant_id = %s", ref)
    run(gateway)
    assert issues() == [("stock_reserved_differs", ref)]
    assert mails_about("stock_reserved_differs", ref) == 2


@pytest.mark.parametrize(
    ("token", "minutes", "alarm"),
    [
        ("pm_sandbox_processing", 14, False),
        ("pm_sandbox_processing", 16, True),
        ("pm_card_authenticationRequired", 31, False),
        ("pm_card_authenticationRequired", 46, True),
    ],
)
def test_pending_for_too_long_is_an_alarm_until_it_ends(
    gateway: SandboxGateway, peer: Gateway, token: str, minutes: int, alarm: bool
) -> None:
    paid = Paid(gateway, token)
    with clock.travel(minutes=minutes):
        watch_task()
        watch_task()
    assert issues() == ([("pending_too_long", paid.number)] if alarm else [])
    with transaction():
        session().execute(
            update(Payment).where(Payment.reference == paid.number).values(created_at=clock.now())
        )
    watch_task()
    assert issues() == []


def test_the_command(app: Flask, gateway: SandboxGateway, peer: Gateway) -> None:
    Paid(gateway)
    session().rollback()
    runner = app.test_cli_runner()
    done = runner.invoke(args=["payments", "match", "--day", today().isoformat()])
    assert (done.exit_code, done.output.startswith(f"{today()}: 1 rows, 0 asked, 0 differ")) == (0, True)
    assert runner.invoke(args=["payments", "match", "--day", "soon"]).exit_code == 2
    peer.control("dead", {"dead": "503"})
    assert runner.invoke(args=["payments", "match"]).exit_code == 1
