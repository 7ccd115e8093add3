"""What staff settle by hand: captures that are not what was asked for, money that went back at the gateway, orders
that are to end."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import func, select

from app.audit import verification
from app.audit.models import AuditEntry
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.checkout import by_hand
from app.gateways.asking import ask_again, ask_payment
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import Conflict, NotFound, RuleBroken
from app.orders.errors import OrderNotCancellable
from app.orders.queries import get_order_view
from app.orders.service import moving
from app.payments import queries
from app.payments.issues import resolve_issue
from app.payments.models import Payment, ReconciliationIssue
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
NOTE = "as agreed on the phone"


class Doubtful:
    """An order of 130.00, 5.00 of it in points, for which the gateway captured one cent more."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        self.gateway, self.peer = gateway, peer
        self.shopper = Shopper(gateway, points=5_000)
        self.number = self.shopper.place(self.shopper.quote(500), "pm_sandbox_wrong_amount")["number"]
        self.payment_id = queries.list_payments_of(self.number)[0].id
        session().rollback()
        self.truth = peer.truth(str(self.payment_id))

    def give_back(self, amount: int) -> None:
        """By somebody at the gateway itself."""
        answer = self.peer.refund(self.truth["id"], amount, uuid.uuid4().hex)
        assert answer.status_code == 201, answer.text

    def ask(self) -> None:
        ask_payment(payment_id=self.payment_id, gateway=self.gateway, actor=system("test"))

    def accept(self, note: str = NOTE) -> str:
        session().rollback()
        return by_hand.accept(payment_id=self.payment_id, note=note, gateway=self.gateway, actor=STAFF)

    def facts(self) -> tuple[str, str, int, int]:
        """Status, state of the payment, points held, units reserved."""
        session().rollback()
        status = get_order_view(self.number).status
        held = get_balance(self.shopper.id).held
        state = queries.get_payment(self.payment_id).state
        return status, state, held, stock_of(self.shopper.variant_id)[1]

    def issue_state(self, kind: str = "payment_mismatch") -> str:
        session().rollback()
        return queries.get_issue(kind, str(self.payment_id)).state


PENDING = ("payment_pending", "unknown", 500, 1)


@pytest.fixture
def doubtful(gateway: SandboxGateway, peer: Gateway) -> Doubtful:
    made = Doubtful(gateway, peer)
    assert (made.facts(), made.issue_state()) == (PENDING, "open")
    return made


def differences() -> list[str]:
    """Of the shop's own verification."""
    session().rollback()
    with transaction():
        return [f"{one.name}: {one.samples}" for one in verification.run(PROBES).differences]


def audit_count() -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(AuditEntry)) or 0


def latest() -> tuple[str, Any, str | None]:
    session().rollback()
    entry = session().scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    return entry.action, entry.actor_id, entry.reason


def test_all_given_back_at_the_gateway_ends_the_order_by_itself(doubtful: Doubtful) -> None:
    doubtful.give_back(doubtful.truth["amount_captured"])
    doubtful.ask()
    ended = ("payment_failed", "canceled", 0, 0)
    assert (doubtful.facts(), doubtful.issue_state()) == (ended, "auto_fixed")
    with clock.travel(minutes=5):
        reconcile(gateway=doubtful.gateway, actor=system("test"))
    match(gateway=doubtful.gateway, day=clock.now().date(), actor=system("test"))
    assert (doubtful.facts(), doubtful.issue_state()) == (ended, "auto_fixed")
    assert doubtful.shopper.pay_again(doubtful.number, "pm_card_visa")["status"] == "paid"
    assert differences() == []


def test_part_of_it_given_back_ends_nothing(doubtful: Doubtful) -> None:
    doubtful.give_back(doubtful.truth["amount_captured"] - 1)
    doubtful.ask()
    assert (doubtful.facts(), doubtful.issue_state()) == (PENDING, "open")


def test_too_much_is_accepted_when_the_rest_has_gone_back(doubtful: Doubtful) -> None:
    before = audit_count()
    for note, refusal in ((NOTE, Conflict), ("no", RuleBroken)):
        with pytest.raises(refusal):
            doubtful.accept(note)
    assert (doubtful.facts(), audit_count()) == (PENDING, before)

    doubtful.give_back(1)
    assert doubtful.accept() == "paid"
    assert (doubtful.facts(), doubtful.issue_state()) == (("paid", "captured", 0, 0), "resolved")
    assert (audit_count(), latest()) == (before + 1, ("payment.accepted", STAFF.id, NOTE))
    with pytest.raises(Conflict) as refused:
        doubtful.accept()
    assert refused.value.code == "PAYMENT_NOT_DOUBTFUL"

    with clock.travel(minutes=5):
        reconcile(gateway=doubtful.gateway, actor=system("test"))
    match(gateway=doubtful.gateway, day=clock.now().date(), actor=system("test"))
    assert doubtful.issue_state() == "resolved"
    assert differences() == []
    give_back(doubtful.number)
    send(doubtful.number, doubtful.gateway)
    truth = doubtful.peer.truth(str(doubtful.payment_id))
    assert truth["amount_refunded"] == truth["amount_captured"]
    assert doubtful.facts()[0] == "refunded"
    assert differences() == []


def test_too_little_is_accepted_and_no_more_than_that_goes_back(doubtful: Doubtful) -> None:
    doubtful.give_back(1_001)
    assert doubtful.accept() == "paid"
    payment = queries.get_payment(doubtful.payment_id)
    assert payment.captured == payment.amount - 1_000
    assert differences() == []
    give_back(doubtful.number)
    send(doubtful.number, doubtful.gateway)
    truth = doubtful.peer.truth(str(doubtful.payment_id))
    assert truth["amount_refunded"] == truth["amount_captured"]
    assert doubtful.facts()[0] == "refunded"
    assert differences() == []


def test_without_the_gateways_word_nothing_is_accepted(doubtful: Doubtful, peer: Gateway) -> None:
    doubtful.give_back(1)
    peer.control("faults", {"fault": "error_500", "next": 10, "on": "any"})
    before = audit_count()
    with pytest.raises(Conflict) as refused:
        doubtful.accept()
    assert refused.value.code == "GATEWAY_UNCLEAR"
    assert (doubtful.facts(), audit_count()) == (PENDING, before)
    with pytest.raises(NotFound):
        by_hand.accept(payment_id=uuid.uuid4(), note=NOTE, gateway=doubtful.gateway, actor=STAFF)


def test_a_wish_to_cancel_is_kept_until_the_money_is_back(doubtful: Doubtful) -> None:
    number = doubtful.number
    assert (
        by_hand.cancel(number=number, reason=NOTE, gateway=doubtful.gateway, actor=STAFF) == "payment_pending"
    )
    assert latest() == ("order.cancel", STAFF.id, NOTE)
    doubtful.give_back(doubtful.truth["amount_captured"])
    doubtful.ask()
    assert doubtful.facts() == ("cancelled", "canceled", 0, 0)


def test_money_given_back_at_the_gateway_is_not_sent_again(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    payment = queries.list_payments_of(number)[0]
    payment_id, ref, amount = payment.id, str(payment.gateway_ref), payment.amount
    session().rollback()

    def note() -> int:
        session().rollback()
        return by_hand.note_refund(payment_id=payment_id, note=NOTE, gateway=gateway, actor=STAFF)

    with pytest.raises(Conflict) as refused:
        note()
    assert refused.value.code == "NOTHING_OUTSIDE"
    assert peer.refund(ref, 5_000, "by-hand").status_code == 201
    with clock.travel(minutes=5):
        reconcile(gateway=gateway, actor=system("test"))
    assert queries.get_issue("refund_differs", str(payment_id)).state == "open"
    before = audit_count()
    assert note() == 5_000
    assert (audit_count(), latest()) == (before + 1, ("payment.refund_noted", STAFF.id, NOTE))
    with pytest.raises(Conflict):
        note()
    with clock.travel(minutes=10):
        reconcile(gateway=gateway, actor=system("test"))
    match(gateway=gateway, day=clock.now().date(), actor=system("test"))
    assert queries.get_issue("refund_differs", str(payment_id)).state == "resolved"
    session().rollback()
    give_back(number)
    send(number, gateway)
    session().rollback()
    assert peer.truth(str(payment_id))["amount_refunded"] == amount
    assert get_order_view(number).status == "refunded"
    assert [one.amount for one in card_refunds_of(number)] == [amount - 5_000]
    assert differences() == []


@pytest.mark.parametrize(
    "token", ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"]
)
def test_staff_cancel_what_has_not_shipped(gateway: SandboxGateway, peer: Gateway, token: str) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), token)["number"]
    before = audit_count()
    assert by_hand.cancel(number=number, reason=NOTE, gateway=gateway, actor=STAFF) == "cancelled"
    assert (audit_count(), latest()) == (before + 1, ("order.cancel", STAFF.id, NOTE))
    send(number, gateway)
    session().rollback()
    assert get_order_view(number).status == "cancelled"
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held, stock_of(shopper.variant_id)) == (5_000, 0, (100, 0))
    assert differences() == []
    with pytest.raises(OrderNotCancellable):
        by_hand.cancel(number=number, reason=NOTE, gateway=gateway, actor=STAFF)
    assert audit_count() == before + 1


def test_what_has_shipped_is_not_cancelled(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway)
    run_atomically(lambda: moving.move_by_staff(number=number, to="shipped", actor=STAFF))
    before = audit_count()
    with pytest.raises(OrderNotCancellable):
        by_hand.cancel(number=number, reason=NOTE, gateway=gateway, actor=STAFF)
    assert (get_order_view(number).status, audit_count()) == ("shipped", before)


def test_an_order_whose_payments_have_all_ended_is_cancelled(gateway: SandboxGateway, peer: Gateway) -> None:
    """What the issue `ended_hold_active` asks for."""
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_sandbox_processing")["number"]

    def lose() -> None:
        payment = session().scalars(select(Payment).where(Payment.reference == number)).one()
        payment.state, payment.next_check_at = "canceled", None

    run_atomically(lose)
    assert by_hand.cancel(number=number, reason=NOTE, gateway=gateway, actor=STAFF) == "cancelled"
    assert (get_order_view(number).status, get_balance(shopper.id).held) == ("cancelled", 0)
    assert stock_of(shopper.variant_id) == (100, 0)


def test_who_asks_again_is_written_down(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_timeout_paid")["number"]
    payment_id = queries.list_payments_of(number)[0].id
    session().rollback()
    before = audit_count()
    _, state = ask_again(payment_id=payment_id, gateway=gateway, actor=STAFF)
    assert (state, get_order_view(number).status) == ("captured", "paid")
    assert (audit_count(), latest()) == (before + 1, ("payment.asked", STAFF.id, None))


def test_every_issue_can_be_closed_with_a_note(doubtful: Doubtful) -> None:
    ref = str(doubtful.payment_id)
    run_atomically(lambda: resolve_issue(kind="payment_mismatch", ref=ref, note=NOTE, actor=STAFF))
    rows = session().scalars(select(ReconciliationIssue).where(ReconciliationIssue.ref == ref)).all()
    assert [one.state for one in rows] == ["resolved"]
