"""Money that went back before we heard of it pays no order, and one broken payment keeps nobody else waiting."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import delete, select, update

from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.checkout.flow import settle
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.reconcile import BROKEN, Report, reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from app.payments.gateway import Snapshot
from app.payments.issues import record_issue
from app.payments.models import GatewayCursor, Payment, ReconciliationIssue
from app.payments.rules import GIVE_BACK, MISMATCH
from app.rewards.queries import get_balance, rules_in_force
from app.rewards.service import holds
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import give_back
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

ACTOR = system("test")
OPEN_PAGE, DECLINED = "pm_card_authenticationRequired", "pm_card_chargeDeclined"
pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def alone(gateway: SandboxGateway) -> None:
    """Payments of earlier tests are not due, and the walk begins anew: the gateway has forgotten them."""
    with transaction():
        session().execute(update(Payment).values(next_check_at=None))
        session().execute(delete(GatewayCursor))
        session().execute(delete(ReconciliationIssue))


def placed(gateway: SandboxGateway, token: str) -> tuple[Shopper, str, Payment]:
    """An order of 130.00, 5.00 of it in points."""
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), token)["number"]
    payment = queries.list_payments_of(number)[-1]
    session().rollback()
    return shopper, number, payment


def run(gateway: SandboxGateway, **later: float) -> Report:
    with clock.travel(**later):
        report = reconcile(gateway=gateway, actor=ACTOR)
    assert report is not None
    session().rollback()
    return report


def refund_there(peer: Gateway, payment: Payment, amount: int | None = None) -> None:
    """By somebody at the gateway itself."""
    assert payment.gateway_ref is not None
    answer = peer.refund(payment.gateway_ref, amount, uuid.uuid4().hex)
    assert answer.status_code == 201, answer.text


def assert_nothing_bought(shopper: Shopper, number: str, *, status: str = "payment_failed") -> None:
    session().rollback()
    assert get_order_view(number).status == status
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held, balance.pending) == (5_000, 0, 0)
    assert stock_of(shopper.variant_id) == (100, 0)
    mails = session().scalars(
        select(OutboxRow.topic).where(OutboxRow.payload["order_number"].astext == number)
    )
    assert {"mail.order_paid", "mail.order_revived"}.isdisjoint(mails)
    session().rollback()
    with transaction():
        assert list(verification.run(PROBES).differences) == []


def issues() -> list[tuple[str, str]]:
    session().rollback()
    rows = session().scalars(select(ReconciliationIssue).order_by(ReconciliationIssue.first_seen_at))
    return [(row.kind, row.state) for row in rows]


@pytest.mark.parametrize("found_by", ["asking", "walk"])
def test_a_capture_that_was_given_back_at_the_gateway_pays_nothing(
    gateway: SandboxGateway, peer: Gateway, found_by: str
) -> None:
    shopper, number, payment = placed(gateway, OPEN_PAGE)
    peer.control(f"payments/{payment.gateway_ref}/paid")
    refund_there(peer, payment)
    if found_by == "asking":
        ask_payment(payment_id=payment.id, gateway=gateway, actor=ACTOR)
    else:
        run(gateway, minutes=2)
    assert queries.get_payment(payment.id).state == "canceled"
    assert_nothing_bought(shopper, number)


def test_a_late_capture_that_was_given_back_revives_nothing(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper, number, payment = placed(gateway, DECLINED)
    peer.control(f"payments/{payment.gateway_ref}/late-authorize")
    refund_there(peer, payment)
    run(gateway, minutes=2)
    assert queries.get_payment(payment.id).state == "declined"
    assert_nothing_bought(shopper, number)
    assert issues() == []


def test_other_money_on_a_payment_that_had_ended_is_settled_by_giving_it_back(
    gateway: SandboxGateway,
) -> None:
    """Nothing to accept there: the suggestion says what ends it, and that does."""
    shopper, number, payment = placed(gateway, DECLINED)
    assert payment.gateway_ref is not None
    other = Snapshot(
        key=str(payment.id),
        gateway_ref=payment.gateway_ref,
        status="captured",
        amount=payment.amount + 1,
        currency=payment.currency,
        reference=number,
        captured=payment.amount + 1,
        refunded=0,
    )
    settle(payment_id=payment.id, truth=other, actor=ACTOR)
    assert issues() == [(MISMATCH, "open")]
    (issue,) = session().scalars(select(ReconciliationIssue))
    assert issue.suggestion == GIVE_BACK
    session().rollback()
    settle(payment_id=payment.id, truth=replace(other, refunded=other.captured), actor=ACTOR)
    assert issues() == [(MISMATCH, "auto_fixed")]
    assert_nothing_bought(shopper, number)


def test_points_that_are_held_no_more_do_not_keep_the_money(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper, number, payment = placed(gateway, OPEN_PAGE)
    order_id = get_order_view(number).id
    session().rollback()
    run_atomically(lambda: holds.release(order_id=order_id, rules=rules_in_force(), actor=ACTOR))
    peer.control(f"payments/{payment.gateway_ref}/paid")
    run(gateway, minutes=2)
    run(gateway, minutes=4)
    truth = peer.truth(str(payment.id))
    assert truth["amount_refunded"] == truth["amount_captured"] > 0
    assert_nothing_bought(shopper, number, status="refunded")
    alerts = select(OutboxRow).where(OutboxRow.topic == "mail.staff_alert")
    assert number in {row.payload.get("order_number") for row in session().scalars(alerts)}


@pytest.fixture
def broken(owner: psycopg.Connection) -> Iterator[list[uuid.UUID]]:
    """Payments that the database will not have changed, for no reason that the code knows."""
    chosen: list[uuid.UUID] = []
    owner.execute("CREATE TABLE broken_payment (id uuid PRIMARY KEY)")
    owner.execute("GRANT SELECT ON broken_payment TO PUBLIC")
    owner.execute(
        "CREATE FUNCTION refuse_broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF EXISTS (SELECT FROM broken_payment b WHERE b.id = NEW.id) THEN"
        " RAISE EXCEPTION 'this payment is broken' USING ERRCODE = 'check_violation'; END IF;"
        " RETURN NEW; END $$"
    )
    owner.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION refuse_broken()"
    )
    yield chosen
    owner.execute("DROP TRIGGER refuse ON payment")
    owner.execute("DROP FUNCTION refuse_broken()")
    owner.execute("DROP TABLE broken_payment")


@pytest.mark.parametrize("is_open", [True, False], ids=["asked-about", "walked-over"])
def test_a_payment_that_cannot_be_settled_keeps_no_other_waiting(
    gateway: SandboxGateway,
    peer: Gateway,
    owner: psycopg.Connection,
    broken: list[uuid.UUID],
    is_open: bool,
) -> None:
    token, outcome = (OPEN_PAGE, "paid") if is_open else (DECLINED, "late-authorize")
    _, number, payment = placed(gateway, token)
    _, other, its_payment = placed(gateway, token)
    for one in (payment, its_payment):
        peer.control(f"payments/{one.gateway_ref}/{outcome}")
    owner.execute("INSERT INTO broken_payment VALUES (%s)", (payment.id,))
    report = run(gateway, minutes=2)
    assert report.broken == {str(payment.id)}
    assert get_order_view(other).status == "paid"
    assert get_order_view(number).status == ("payment_pending" if is_open else "payment_failed")
    assert issues() == [(BROKEN, "open")]
    owner.execute("DELETE FROM broken_payment")
    assert run(gateway, minutes=4).broken == set()
    assert get_order_view(number).status == "paid"
    assert issues() == [(BROKEN, "auto_fixed")]


def test_late_money_that_could_not_be_settled_is_met_again_however_old_it_is(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection, broken: list[uuid.UUID]
) -> None:
    """The gateway's list has it no more, and nobody polls a payment that had ended."""
    _, number, payment = placed(gateway, DECLINED)
    peer.control(f"payments/{payment.gateway_ref}/late-authorize")
    owner.execute("INSERT INTO broken_payment VALUES (%s)", (payment.id,))
    for minutes in (2, 61, 130, 200):
        assert run(gateway, minutes=minutes).broken == {str(payment.id)}
        assert issues() == [(BROKEN, "open")]
    owner.execute("DELETE FROM broken_payment")
    peer.control("faults", {"fault": "error_500", "next": 3, "on": "reads"})
    run(gateway, minutes=204)
    assert issues() == [(BROKEN, "open")], "silence is no success"
    peer.call("DELETE", "/control/faults")
    assert run(gateway, minutes=210).broken == set()
    assert get_order_view(number).status == "paid"
    assert issues() == [(BROKEN, "auto_fixed")]


def test_a_refund_that_could_not_be_settled_is_asked_about_until_it_is(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection, broken: list[uuid.UUID]
) -> None:
    """It had arrived, and the bank sent it back: that it is `failed` cannot be written, and nothing asks about it."""
    _, number, payment = placed(gateway, "pm_card_visa")
    give_back(number)
    (refund,) = queries.list_refunds_of(payment.id)
    ask_refund(refund_id=refund.id, gateway=gateway, actor=ACTOR)
    peer.control(f"refunds/{queries.get_refund(refund.id).gateway_ref}/failed")
    owner.execute("INSERT INTO broken_payment VALUES (%s)", (payment.id,))
    for minutes in (5, 70, 140, 210):
        assert str(refund.id) in run(gateway, minutes=minutes).broken
    assert queries.get_issue(BROKEN, str(refund.id)).state == "open"
    owner.execute("DELETE FROM broken_payment")
    run(gateway, minutes=220)
    assert queries.get_refund(refund.id).state == "failed"
    assert queries.get_issue(BROKEN, str(refund.id)).state == "auto_fixed"


def test_what_was_broken_at_another_gateway_waits_for_it(gateway: SandboxGateway, peer: Gateway) -> None:
    """This one has never heard of it: nothing is settled by that, and nobody is told of it with every run."""
    _, _, payment = placed(gateway, "pm_card_visa")
    with transaction():
        session().execute(update(Payment).where(Payment.id == payment.id).values(gateway="other"))
        record_issue(kind=BROKEN, ref=str(payment.id), detail={}, suggestion="-")
    run(gateway, minutes=2)
    assert issues() == [(BROKEN, "open")]
