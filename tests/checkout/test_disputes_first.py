"""The bank speaks of a payment before the shop knows that it was paid: the end is as if it had known."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_payment
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.payments import issues, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.rewards.models import PointsEarning
from app.rewards.queries import get_balance
from jobs.handlers.earnings import confirm_due
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.test_cancelling import cancel_order
from tests.checkout.test_disputed_refunds import ACTOR, told
from tests.checkout.test_disputes_decided import differences, returned
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def earned(number: str) -> list[tuple[str, int, bool]]:
    """State, what was taken back, and whether it is held back: of the order's own earning and its bonus."""
    session().rollback()
    statement = select(PointsEarning).filter_by(order_number=number).order_by(PointsEarning.source_type)
    rows = [(row.state, row.taken_back, row.held_back_at is not None) for row in session().scalars(statement)]
    session().rollback()
    return rows


def say(payment_id: uuid.UUID, status: Any) -> None:
    """The bank's word on one payment of several, about all of it."""
    payment = queries.get_payment(payment_id)
    ref, amount = str(payment.gateway_ref), payment.amount
    session().rollback()
    truth = DisputeSnapshot(f"dp_{payment_id.hex}", ref, status, amount, "HKD", "fraudulent")
    settle_dispute(gateway="sandbox", truth=truth, actor=ACTOR)
    session().rollback()


def ask(gateway: SandboxGateway, payment_id: uuid.UUID) -> None:
    ask_payment(payment_id=payment_id, gateway=gateway, actor=ACTOR)
    session().rollback()


@pytest.mark.parametrize("first", ["payment", "dispute"])
@pytest.mark.parametrize("words", [["open"], ["open", "won"], ["open", "lost"], ["lost"]], ids="-".join)
def test_an_order_ends_alike_whichever_is_heard_first(
    gateway: SandboxGateway, peer: Gateway, words: list[str], first: str
) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000)
    number = shopper.place(shopper.quote(500), "pm_card_authenticationRequired")["number"]
    payment_id, truth = truth_about(gateway, number)
    peer.control(f"payments/{truth.gateway_ref}/paid")
    if first == "payment":
        ask(gateway, payment_id)
    for word in words:
        told(number, word)
    if first == "dispute":
        assert (get_order_view(number).status, earned(number)) == ("payment_pending", [])
        ask(gateway, payment_id)
    ends = {"open": ("pending", 0, True), "won": ("pending", 0, False), "lost": ("cancelled", 80, False)}
    assert (get_order_view(number).status, earned(number)) == ("paid", [ends[words[-1]]])
    issue = issues.find_issue("dispute", f"dp_{payment_id.hex}")
    assert issue is not None
    assert issue.state == ("auto_fixed" if words[-1] == "won" else "open")
    if words[-1] == "lost":
        assert (issue.detail["taken_back"], issue.suggestion[:18]) == (80, "The money is gone.")
        last = [event for event in get_order_view(number).timeline if event.event == "dispute_lost"][-1]
        assert "was taken back" in last.text
    session().rollback()
    with clock.travel(days=40):
        confirm_due()
    session().rollback()
    balance = get_balance(shopper.id)
    assert (balance.available, balance.lifetime_earned) == ((4_580, 80) if words[-1] == "won" else (4_500, 0))
    assert differences() == []


def test_what_was_open_when_the_payment_was_heard_is_decided_as_ever(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway, points=0, price=10_000)
    number = shopper.place(shopper.quote(), "pm_card_authenticationRequired")["number"]
    payment_id, truth = truth_about(gateway, number)
    peer.control(f"payments/{truth.gateway_ref}/paid")
    told(number, "open")
    ask(gateway, payment_id)
    told(number, "lost")
    assert [row[0] for row in earned(number)] == ["cancelled"]
    assert get_balance(shopper.id).pending == 0


def test_a_first_attempt_that_is_lost_while_the_second_waits_for_its_bank(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    late, truth = truth_about(gateway, number)
    shopper.pay_again(number, "pm_card_authenticationRequired")
    session().rollback()
    peer.control(f"payments/{truth.gateway_ref}/late-authorize")
    say(late, "open")
    say(late, "lost")
    ask(gateway, late)
    assert (get_order_view(number).status, earned(number)) == ("paid", [("cancelled", 80, False)])
    assert differences() == []


def test_the_second_attempt_pays_while_a_bank_decides_about_the_first(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """Paid at once, with no word between: as a dispute that is opened after it would hold it back."""
    shopper = Shopper(gateway, points=0, price=10_000)
    number = shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"]
    late, truth = truth_about(gateway, number)
    peer.control(f"payments/{truth.gateway_ref}/late-authorize")
    say(late, "open")
    shopper.pay_again(number, "pm_card_visa")
    assert [row[2] for row in earned(number)] == [True]
    say(late, "won")
    assert [row[2] for row in earned(number)] == [False]


def test_an_order_whose_end_was_wished_for_is_cancelled_with_nothing_left(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000)
    number = shopper.place(shopper.quote(500), "pm_card_authenticationRequired")["number"]
    payment_id, truth = truth_about(gateway, number)
    peer.control(f"payments/{truth.gateway_ref}/paid")
    told(number, "lost")
    cancel_order(shopper, number)
    ask(gateway, payment_id)
    assert (get_order_view(number).status, returned(peer, number)) == ("cancelled", 0)
    assert [row[0] for row in earned(number)] == ["cancelled"]
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held, balance.pending) == (5_000, 0, 0)
    assert differences() == []
