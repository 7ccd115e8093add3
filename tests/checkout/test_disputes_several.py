"""Disputes that are decided one after the other, of one payment or of two, and what cannot go out then."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from app.checkout import by_hand
from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import disputes, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.issues import resolve_issue
from app.rewards.models import PointsEarning
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_disputed_refunds import ACTOR, Late, told
from tests.checkout.test_disputes_decided import (
    CARD,
    LATE,
    again,
    issue_states,
    refunds_of,
    returned,
    waiting,
)
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


class TwoPayments:
    """An order with two captured payments: the first came late, after the second had paid. Both are disputed."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        self.gateway, self.peer = gateway, peer
        shopper = Shopper(gateway, points=0, price=10_000)
        self.number = shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"]
        self.late, truth = truth_about(gateway, self.number)
        shopper.pay_again(self.number, "pm_card_visa")
        session().rollback()
        self.paying = queries.list_payments_of(self.number)[-1].id
        session().rollback()
        peer.control(f"payments/{truth.gateway_ref}/late-authorize")
        self.say(self.late, "open")
        self.say(self.paying, "open")
        ask_payment(payment_id=self.late, gateway=gateway, actor=ACTOR)
        assert refunds_of(self.number) == [("stuck", LATE)]

    def say(self, payment_id: uuid.UUID, status: Any) -> None:
        ref = str(queries.get_payment(payment_id).gateway_ref)
        truth = DisputeSnapshot(f"dp_{payment_id.hex}", ref, status, LATE, "HKD", "fraudulent")
        session().rollback()
        settle_dispute(gateway="sandbox", truth=truth, actor=ACTOR)
        session().rollback()

    def send(self) -> None:
        for one in queries.list_refunds_of(self.late):
            refund_id = one.id
            session().rollback()
            ask_refund(refund_id=refund_id, gateway=self.gateway, actor=ACTOR)

    def earning(self) -> tuple[str, bool]:
        """State of what the order earned, and whether it is held back."""
        row = session().scalars(select(PointsEarning).filter_by(order_number=self.number)).one()
        found = row.state, row.held_back_at is not None
        session().rollback()
        return found


@contextmanager
def refused_by_the_database(owner: psycopg.Connection, refund_id: uuid.UUID) -> Iterator[None]:
    """No job about this card refund can be queued."""
    key = f"refund:{refund_id}:%"
    owner.execute(f"ALTER TABLE outbox ADD CONSTRAINT broken CHECK (dedupe_key NOT LIKE '{key}') NOT VALID")
    yield
    owner.execute("ALTER TABLE outbox DROP CONSTRAINT broken")


# more than one dispute
def test_while_another_dispute_is_open_nothing_goes_out(gateway: SandboxGateway, peer: Gateway) -> None:
    late = Late(gateway, peer)
    other = told(late.number, "open", amount=3_000, ref=f"dp_{uuid.uuid4().hex}")
    told(late.number, "won")
    assert (late.facts(), late.issue_state(), late.mails()) == (
        ("needs_review", "stuck", "failed"),
        "open",
        0,
    )
    (card,) = card_refunds_of(late.number)
    assert "reason" not in queries.get_issue("refund_waits", str(card.id)).detail, "it was not even tried"
    session().rollback()
    told(late.number, "won", amount=3_000, ref=other)
    send(late.number, gateway)
    assert late.facts() == ("refunded", "done", "succeeded")
    assert returned(peer, late.number) == LATE


def test_a_refund_that_one_dispute_has_settled_is_not_sent_by_the_next(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    told(number, "open", amount=10_000)
    send(number, gateway)
    told(number, "lost", amount=10_000)
    second = told(number, "open", amount=3_000, ref=f"dp_{uuid.uuid4().hex}")
    told(number, "won", amount=3_000, ref=second)
    assert disputes.get_dispute("sandbox", second).state == "won"
    session().rollback()
    send(number, gateway)
    assert (refunds_of(number), returned(peer, number)) == ([("done", 10_000)], 0)


def test_two_payments_the_late_one_lost_and_the_other_won(gateway: SandboxGateway, peer: Gateway) -> None:
    two = TwoPayments(gateway, peer)
    two.say(two.late, "lost")
    assert refunds_of(two.number) == [("done", LATE)]
    assert two.earning() == ("pending", True), "what paid for the order is disputed still"
    two.say(two.paying, "won")
    assert two.earning() == ("pending", False)
    assert get_order_view(two.number).status == "paid"
    two.send()
    assert returned(peer, two.number) == 0


def test_losing_money_that_came_for_nothing_takes_no_points(gateway: SandboxGateway, peer: Gateway) -> None:
    """The order was paid by the other payment, and that stands; won first or last."""
    two = TwoPayments(gateway, peer)
    two.say(two.paying, "won")
    assert two.earning() == ("pending", True)
    two.say(two.late, "lost")
    assert two.earning() == ("pending", False)
    texts = [event.text for event in get_order_view(two.number).timeline if event.event == "dispute_lost"]
    assert texts == ["The dispute was decided: HK$130.00 of that payment went back to your card."]


@pytest.mark.parametrize("first", ["late", "paying"])
def test_two_payments_the_late_one_won_and_the_other_lost(
    gateway: SandboxGateway, peer: Gateway, first: str
) -> None:
    two = TwoPayments(gateway, peer)
    decided = [(two.late, "won"), (two.paying, "lost")]
    for payment_id, status in decided if first == "late" else reversed(decided):
        two.say(payment_id, status)
    assert refunds_of(two.number) == [("running", LATE)]
    two.send()
    assert (refunds_of(two.number), returned(peer, two.number)) == ([("done", LATE)], LATE)
    assert two.earning()[0] == "cancelled", "what paid for the order is gone"


# what could not go out
def test_what_was_given_back_at_the_gateway_meanwhile_is_not_sent(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """On Stripe: an inquiry that staff refunded there, and that was closed after it."""
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    told(number, "open")
    send(number, gateway)
    payment = queries.list_payments_of(number)[0]
    payment_id, ref = payment.id, str(payment.gateway_ref)
    session().rollback()
    peer.refund(ref, CARD, uuid.uuid4().hex)
    ask_payment(payment_id=payment_id, gateway=gateway, actor=ACTOR)
    by_hand.note_refund(payment_id=payment_id, note="Given back there", gateway=gateway, actor=STAFF)
    session().rollback()
    told(number, "won")
    assert refunds_of(number) == [("done", 10_000)]
    send(number, gateway)
    assert returned(peer, number) == CARD


def test_one_that_cannot_go_out_goes_on_waiting_and_stops_nothing(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    number = waiting(gateway)
    first = card_refunds_of(number)[0].id
    session().rollback()
    with refused_by_the_database(owner, first):
        ref = told(number, "won")
    assert disputes.get_dispute("sandbox", ref).state == "won"
    assert refunds_of(number) == [("stuck", 10_000), ("running", 13_000)]
    issue = queries.get_issue("refund_waits", str(first))
    assert (issue.state, issue.detail["reason"]) == ("open", "IntegrityError")
    told_staff = select(OutboxRow.id).where(
        OutboxRow.dedupe_key == f"alert:refund_waits:{first}:IntegrityError"
    )
    assert len(session().scalars(told_staff).all()) == 1
    session().rollback()
    again(number)
    send(number, gateway)
    assert (get_order_view(number).status, returned(peer, number)) == ("refunded", CARD)
    assert issue_states(number) == ["auto_fixed"] * 2 or issue_states(number) == ["resolved", "auto_fixed"]


@pytest.mark.parametrize(("first", "then"), [("lost", "won"), ("won", "lost")])
def test_a_decision_that_is_turned_round_is_for_staff(gateway: SandboxGateway, first: Any, then: Any) -> None:
    """What followed from the first word stays as it is; staff hear of it once, and settle it for good."""
    _, number = bought(gateway, points=0)
    ref = told(number, first)
    told(number, then)
    issue = queries.get_issue("dispute", ref)
    assert (issue.state, issue.detail["status"]) == ("open", then)
    assert issue.suggestion.startswith(f"The gateway has said that this dispute is {first}, and says now")
    assert disputes.get_dispute("sandbox", ref).state == first
    session().rollback()
    run_atomically(lambda: resolve_issue(kind="dispute", ref=ref, note="seen to", actor=STAFF))
    told(number, then)
    assert queries.get_issue("dispute", ref).state == "resolved"
