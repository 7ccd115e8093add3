"""A refund that had got lost and was made good, by hand or by a bank, arrives; and then one of the two goes back."""

from __future__ import annotations

import uuid

import pytest

from app.gateways.asking import ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.payments.issues import find_issue, resolve_issue
from tests.checkout.refunding import STAFF, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_refund_words import ACTOR, Bought, differences
from tests.checkout.test_stuck_refunds import issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


class Covered(Bought):
    """One of two things was given back, `amount`; its card refund, `lost`, has failed, and its money went `way`."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway, way: str) -> None:
        super().__init__(gateway, peer)
        self.lost = self.lose_refund(lines=[(sku_of(self.number), 1)])
        self.amount = card_refunds_of(self.number)[0].amount
        session().rollback()
        if way == "by hand":
            made = peer.refund(self.ref, self.amount, "by-hand")
            assert made.status_code == 201
            self.outside = made.json()["id"]
            assert self.note() == self.amount
        else:
            self.dispute = told(self.number, "lost", amount=self.amount)
        assert states(self.number)[1:] == (["done"], ["failed"])

    def turn_up(self) -> None:
        made = self.peer.refund(self.ref, self.amount, str(self.lost))
        assert made.status_code == 201
        self.theirs = str(made.json()["id"])
        self.ask()
        assert self.issue("refunded_twice", self.lost) == ("open", self.amount)

    def bounce(self) -> None:
        self.peer.control(f"refunds/{self.theirs}/failed")
        self.ask()

    def ask(self) -> None:
        session().rollback()
        ask_refund(refund_id=self.lost, gateway=self.gateway, actor=ACTOR)
        session().rollback()

    def issue(self, kind: str, ref: uuid.UUID) -> tuple[str, int] | None:
        session().rollback()
        found = find_issue(kind, str(ref))
        return found and (found.state, found.detail["amount"])

    def resolve(self, note: str) -> None:
        session().rollback()
        run_atomically(
            lambda: resolve_issue(kind="refunded_twice", ref=str(self.lost), note=note, actor=STAFF)
        )

    def last_event(self) -> str:
        session().rollback()
        return get_order_view(self.number).timeline[-1].event


@pytest.mark.parametrize("way", ["by hand", "by a bank"])
def test_when_the_card_refund_is_sent_back_it_has_come_once(
    gateway: SandboxGateway, peer: Gateway, way: str
) -> None:
    order = Covered(gateway, peer, way)
    order.turn_up()
    order.bounce()
    assert states(order.number) == ("paid", ["done"], ["failed"])
    assert order.issue("refunded_twice", order.lost) == ("auto_fixed", order.amount)
    assert ("refund_stuck", "open") not in issues_of(order.number)
    assert order.last_event() == "refund_bounced"
    assert order.money()[0] == 0
    assert differences() == []


@pytest.mark.parametrize("way", ["by hand", "by a bank"])
def test_when_the_other_one_goes_back_it_has_come_once(
    gateway: SandboxGateway, peer: Gateway, way: str
) -> None:
    """Or, where the bank gives back less than it had said, so much less is too much."""
    order = Covered(gateway, peer, way)
    order.turn_up()
    if way == "by hand":
        peer.control(f"refunds/{order.outside}/failed")
        assert order.note() == -order.amount
    else:
        told(order.number, "lost", amount=700, ref=order.dispute)
        assert order.issue("refunded_twice", order.lost) == ("open", 700)
        told(order.number, "lost", amount=0, ref=order.dispute)
    assert order.issue("refunded_twice", order.lost) == ("auto_fixed", 700 if way == "by a bank" else 10_000)
    assert states(order.number) == ("paid", ["done"], ["succeeded"])
    assert order.money() == (order.amount, 0, order.amount)
    assert differences() == []


def test_once_staff_have_settled_it_they_look_at_what_is_sent_back(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """Nothing of it is owed, unless the customer had given one of the two back."""
    order = Covered(gateway, peer, "by hand")
    order.turn_up()
    order.resolve("sent it back")
    order.bounce()
    assert states(order.number) == ("paid", ["done"], ["failed"])
    issue = find_issue("refund_stuck", str(order.lost))
    assert issue is not None
    assert (issue.state, issue.suggestion[:21]) == ("open", "It had come twice, an")
    assert differences() == []


def test_a_bounce_that_what_was_noted_since_covers_is_done(gateway: SandboxGateway, peer: Gateway) -> None:
    """The refund had arrived when staff gave the same amount back by hand, and took note of that."""
    order = Bought(gateway, peer)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    (refund,) = card_refunds_of(order.number)
    refund_id, ref, amount = refund.id, refund.gateway_ref, refund.amount
    session().rollback()
    assert peer.refund(order.ref, amount, "by-hand").status_code == 201
    assert order.note() == amount
    peer.control(f"refunds/{ref}/failed")
    ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
    assert states(order.number) == ("paid", ["done"], ["failed"])
    assert issues_of(order.number) == []
    assert order.money() == (0, amount, amount)
    assert differences() == []


def test_what_had_come_twice_is_one_thing_to_do(gateway: SandboxGateway, peer: Gateway) -> None:
    """All of the payment: more than was captured went back, and staff read of it once."""
    order = Bought(gateway, peer)
    lost = order.lose_refund()
    told(order.number, "lost")
    assert peer.refund(order.ref, order.paid, str(lost)).status_code == 201
    ask_refund(refund_id=lost, gateway=gateway, actor=ACTOR)
    assert [one for one in issues_of(order.number) if one[0] == "refunded_twice"] == [
        ("refunded_twice", "open")
    ]
    assert find_issue("refunded_twice", str(order.payment)) is None
    assert differences() == []


def test_a_refund_that_waits_and_arrives_waits_no_more(gateway: SandboxGateway, peer: Gateway) -> None:
    """It was sent without a word, and a dispute came."""
    order = Bought(gateway, peer)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    peer.control("faults", {"fault": "error_500", "next": 1})
    send(order.number, gateway)
    told(order.number, "open", amount=5_000)
    send(order.number, gateway)
    assert ("refund_waits", "open") in issues_of(order.number)
    (refund,) = card_refunds_of(order.number)
    assert peer.refund(order.ref, refund.amount, str(refund.id)).status_code == 201
    send(order.number, gateway)
    assert states(order.number) == ("paid", ["done"], ["succeeded"])
    assert ("refund_waits", "auto_fixed") in issues_of(order.number)
    told(order.number, "won", amount=5_000)
    assert "open" not in {state for _, state in issues_of(order.number)}
    assert differences() == []
