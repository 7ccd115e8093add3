"""A refund that got lost, of which a dispute took a part and staff made good the rest: and then all of it arrives."""

from __future__ import annotations

import uuid

import flask_migrate
import psycopg
import pytest

from app.checkout.refunds import send_again
from app.gateways.asking import ask_refund
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.payments.issues import find_issue
from tests.checkout.elsewhere import issues_of, lost, money, note, payment_of, states
from tests.checkout.refunding import STAFF, card_refunds_of, send
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_refund_words import ACTOR, differences
from tests.conftest import ROOT
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
TAKEN = 3_000


class Lost:
    """`lost`: all of the order's money; `sent`: what the dispute left of it, which was sent in its place."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        self.gateway, self.peer = gateway, peer
        self.number, self.refund = lost(gateway, peer)
        (self.lost,) = (one.id for one in card_refunds_of(self.number))
        told(self.number, "open", amount=TAKEN)
        told(self.number, "lost", amount=TAKEN)
        run_atomically(lambda: send_again(number=self.number, refund_id=self.refund, actor=STAFF))
        (self.sent,) = (one.id for one in card_refunds_of(self.number) if one.id != self.lost)
        self.paid = payment_of(self.number).captured
        session().rollback()

    def ask(self, card_refund: uuid.UUID) -> None:
        session().rollback()
        ask_refund(refund_id=card_refund, gateway=self.gateway, actor=ACTOR)
        session().rollback()

    def bounce(self, card_refund: uuid.UUID) -> None:
        (ref,) = (one.gateway_ref for one in card_refunds_of(self.number) if one.id == card_refund)
        self.peer.control(f"refunds/{ref}/failed")
        self.ask(card_refund)

    def arrive(self) -> None:
        made = self.peer.refund(str(payment_of(self.number).gateway_ref), self.paid, str(self.lost))
        assert made.status_code == 201, made.text

    def twice(self) -> tuple[str, int]:
        """State and amount of what staff were told."""
        session().rollback()
        issue = find_issue("refunded_twice", str(self.lost))
        assert issue is not None
        return issue.state, issue.detail["amount"]

    def story(self) -> list[str]:
        session().rollback()
        return [one.event for one in get_order_view(self.number).timeline]


@pytest.fixture
def order(gateway: SandboxGateway, peer: Gateway) -> Lost:
    return Lost(gateway, peer)


def test_what_was_noted_as_paid_by_transfer_arrives_by_card_as_well(
    order: Lost, owner: psycopg.Connection
) -> None:
    """Its transfer has gone, the dispute has taken its part, and the gateway gives all of it back besides."""
    send(order.number, order.gateway)
    order.bounce(order.sent)
    note(order.number, order.refund)
    assert money(order.number) == (order.paid, 0, order.paid - TAKEN)
    order.arrive()
    with clock.travel(minutes=10):
        reconcile(gateway=order.gateway, actor=ACTOR)
        match(gateway=order.gateway, day=clock.now().date(), actor=ACTOR)
    assert money(order.number) == (order.paid, order.paid, order.paid - TAKEN)
    assert states(order.number) == ("refunded", ["done"], ["succeeded", "failed"])
    assert order.twice() == ("open", order.paid)
    assert ("match_failed", "open") not in issues_of(order.number)
    assert order.story().count("refunded_twice") == 1
    assert differences() == []
    untold = "UPDATE reconciliation_issue SET kind = %s WHERE ref = %s AND kind = %s"
    owner.execute(untold, ("another", str(order.lost), "refunded_twice"))
    found = differences()
    owner.execute(untold, ("refunded_twice", str(order.lost), "another"))
    assert f"card_refunds: {(order.number,)}" in found
    more = "UPDATE payment SET refunded = refunded + %(n)s, surplus = surplus + %(n)s WHERE reference = %(order)s"
    owner.execute(more, {"n": 1, "order": order.number})
    found = differences()
    owner.execute(more, {"n": -1, "order": order.number})
    assert found == [f"card_refunds: {(order.number,)}"], "no refund says so"

    order.bounce(order.lost)
    assert money(order.number) == (order.paid, 0, order.paid - TAKEN)
    assert order.twice()[0] == "auto_fixed"
    assert differences() == []


def test_one_that_is_queued_when_the_lost_one_arrives_is_not_sent(order: Lost) -> None:
    order.arrive()
    order.ask(order.lost)
    for _ in ("called off at once", "its job comes"):
        assert money(order.number) == (order.paid, order.paid, 0)
        assert states(order.number) == ("refunded", ["done"], ["succeeded", "failed"])
        assert order.twice() == ("open", TAKEN), "what the bank gave back besides"
        assert differences() == []
        send(order.number, order.gateway)


@pytest.mark.parametrize("wish", ["by card", "another way"])
def test_while_too_much_has_gone_the_database_lets_nothing_more_go(
    order: Lost, owner: psycopg.Connection, wish: str
) -> None:
    send(order.number, order.gateway)
    order.bounce(order.sent)
    note(order.number, order.refund)
    order.arrive()
    order.ask(order.lost)
    payment = payment_of(order.number).id
    session().rollback()
    before = money(order.number), states(order.number)
    statement = {
        "by card": "UPDATE payment SET refunded = refunded + 1 WHERE id = %s",
        "another way": "UPDATE payment SET returned_elsewhere = returned_elsewhere + 1 WHERE id = %s",
    }[wish]
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(statement, [payment])
    assert (money(order.number), states(order.number)) == before


def test_what_came_twice_outlives_a_release_that_is_taken_back(
    order: Lost, owner: psycopg.Connection
) -> None:
    send(order.number, order.gateway)
    order.bounce(order.sent)
    note(order.number, order.refund)
    order.arrive()
    order.ask(order.lost)
    asked = "SELECT refunded, returned_elsewhere, surplus FROM payment WHERE reference = %s"
    before = owner.execute(asked, [order.number]).fetchone()
    session().close()
    flask_migrate.downgrade(directory=str(ROOT / "migrations"), revision="0059")
    flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    assert (
        owner.execute(asked, [order.number]).fetchone()
        == before
        == (order.paid, order.paid - TAKEN, order.paid - TAKEN)
    )
