"""A refund that got lost and was made good, a part at the gateway, the rest under a new key; and then it arrives."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.checkout.covering import list_owed
from app.checkout.refunds import send_again
from app.checkout.replaced import LOOK_FIRST
from app.gateways.asking import ask_refund
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.gateway import EARLIER_ARRIVED
from app.payments.issues import find_issue, resolve_issue
from app.payments.refunds import note_sent
from tests.checkout.refunding import STAFF, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_refund_words import ACTOR, Bought, differences
from tests.checkout.test_stuck_refunds import issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
PART = 700


class Replaced(Bought):
    """Half of it, one thing, was given back, `amount`; `lost` is its first card refund, `sent` the one of the rest, on
    its way."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway, quantity: int = 2) -> None:
        super().__init__(gateway, peer, quantity)
        self.lost = self.lose_refund(lines=[(sku_of(self.number), quantity // 2)])
        self.amount = card_refunds_of(self.number)[0].amount
        session().rollback()
        by_hand = peer.refund(self.ref, PART, "by-hand")
        assert by_hand.status_code == 201
        self.by_hand = by_hand.json()["id"]
        assert self.note() == PART
        self.again()
        (self.sent,) = (one.id for one in card_refunds_of(self.number) if one.id != self.lost)
        session().rollback()

    def again(self) -> None:
        refund_id = get_order_view(self.number).refunds[0].id
        session().rollback()
        run_atomically(lambda: send_again(number=self.number, refund_id=refund_id, actor=STAFF))

    def turn_up(self) -> str:
        """The lost one arrives; its id at the gateway."""
        made = self.peer.refund(self.ref, self.amount, str(self.lost))
        assert made.status_code == 201
        self.ask(self.lost)
        return str(made.json()["id"])

    def ask(self, card_refund: uuid.UUID) -> None:
        session().rollback()
        ask_refund(refund_id=card_refund, gateway=self.gateway, actor=ACTOR)
        session().rollback()

    def bounce(self, card_refund: uuid.UUID) -> None:
        (ref,) = (one.gateway_ref for one in card_refunds_of(self.number) if one.id == card_refund)
        self.peer.control(f"refunds/{ref}/failed")
        self.ask(card_refund)

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
def order(gateway: SandboxGateway, peer: Gateway) -> Replaced:
    return Replaced(gateway, peer)


def test_it_has_come_twice_and_staff_and_shopper_hear_of_it(
    order: Replaced, owner: psycopg.Connection
) -> None:
    send(order.number, order.gateway)
    assert "refunded_twice" not in dict(issues_of(order.number))
    for _ in range(2):
        order.turn_up()
        assert order.twice() == ("open", order.amount)
    with clock.travel(minutes=10):
        reconcile(gateway=order.gateway, actor=ACTOR)
        match(gateway=order.gateway, day=clock.now().date(), actor=ACTOR)
    assert order.money() == (2 * order.amount - PART, PART, 2 * order.amount)
    assert states(order.number) == ("paid", ["done"], ["succeeded", "succeeded"])
    assert order.story().count("refunded_twice") == 1
    assert differences() == []
    untold = "UPDATE reconciliation_issue SET kind = %s WHERE ref = %s AND kind = %s"
    owner.execute(untold, ("another", str(order.lost), "refunded_twice"))
    found = differences()
    owner.execute(untold, ("refunded_twice", str(order.lost), "another"))
    assert found == [f"given_back_twice: {(str(order.lost),)}"]


def test_when_the_bank_sends_one_back_it_has_come_once(order: Replaced) -> None:
    send(order.number, order.gateway)
    order.turn_up()
    order.bounce(order.lost)
    assert order.twice()[0] == "auto_fixed"
    assert states(order.number) == ("paid", ["done"], ["failed", "succeeded"])
    assert order.money() == (order.amount - PART, PART, order.amount)
    assert order.story()[-1] == "refund_bounced"
    assert differences() == []


def test_once_staff_have_settled_it_a_bounce_is_theirs_to_look_at(order: Replaced) -> None:
    send(order.number, order.gateway)
    order.turn_up()
    run_atomically(
        lambda: resolve_issue(kind="refunded_twice", ref=str(order.lost), note="they keep it", actor=STAFF)
    )
    order.bounce(order.lost)
    issue = find_issue("refund_stuck", str(order.lost))
    assert issue is not None
    assert (issue.state, issue.suggestion[:21]) == ("open", "It had come twice, an")
    assert states(order.number) == ("paid", ["done"], ["failed", "succeeded"])
    assert differences() == []


def test_what_is_stuck_is_done_by_the_first_one_that_arrives(order: Replaced) -> None:
    """Too much is only what had been given back by hand; and what bounces then is owed again, as the first was."""
    send(order.number, order.gateway)
    order.bounce(order.sent)
    assert states(order.number) == ("paid", ["stuck"], ["failed", "failed"])
    order.turn_up()
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed"])
    assert set(issues_of(order.number)) >= {("refund_stuck", "auto_fixed"), ("refunded_twice", "open")}
    assert order.twice() == ("open", PART)
    assert order.money() == (order.amount, PART, order.amount + PART)
    assert differences() == []
    order.bounce(order.lost)
    assert states(order.number) == ("paid", ["stuck"], ["failed", "failed"])
    assert list(list_owed(get_order_view(order.number).id).values()) == [order.amount - PART]
    session().rollback()
    order.again()
    send(order.number, order.gateway)
    assert order.money() == (order.amount - PART, PART, order.amount)
    assert states(order.number)[1] == ["done"]
    assert differences() == []


def test_one_that_waits_to_be_sent_when_the_first_arrives_is_not_sent(order: Replaced) -> None:
    """Whatever staff make of what is too much."""
    order.turn_up()
    assert card_refunds_of(order.number)[1].last_error == EARLIER_ARRIVED
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed"])
    assert order.twice() == ("open", PART), "the rest of it has come once"
    assert "refunded_twice" not in order.story()
    run_atomically(
        lambda: resolve_issue(kind="refunded_twice", ref=str(order.lost), note="they keep it", actor=STAFF)
    )
    before = order.money()[2]
    send(order.number, order.gateway)
    assert order.money() == (order.amount, PART, before)
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed"])
    assert ("refund_stuck", "open") not in issues_of(order.number)
    assert differences() == []


def test_one_whose_job_is_about_to_send_it_when_the_first_arrives_is_not_sent(
    order: Replaced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job has asked about it, and the callback of the first one comes before it goes on."""
    fetch = order.gateway.fetch_refund

    def slowly(refund_id: uuid.UUID, gateway_ref: str | None) -> object:
        answer = fetch(refund_id, gateway_ref)
        if refund_id == order.sent:
            order.turn_up()
        return answer

    monkeypatch.setattr(order.gateway, "fetch_refund", slowly)
    order.ask(order.sent)
    monkeypatch.undo()
    assert order.money() == (order.amount, PART, order.amount + PART)
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed"])
    assert differences() == []


def test_one_that_was_sent_before_and_is_queued_again_is_not_sent_either(order: Replaced) -> None:
    """It may have arrived as well; the gateway is asked before it goes."""
    order.peer.control("faults", {"fault": "error_500", "next": 1})
    order.ask(order.sent)
    with clock.travel(hours=24):
        order.ask(order.sent)
    order.again()
    order.turn_up()
    assert states(order.number) == ("paid", ["running"], ["succeeded", "queued"])
    assert order.twice() == ("open", order.amount)
    send(order.number, order.gateway)
    assert card_refunds_of(order.number)[1].last_error == EARLIER_ARRIVED
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed"])
    assert order.twice() == ("open", PART)
    assert ("refund_stuck", "open") not in issues_of(order.number)
    assert differences() == []


def test_one_that_fails_after_the_first_has_arrived_is_not_owed(order: Replaced) -> None:
    """It had gone out when the first turned up."""
    send(order.number, order.gateway)
    order.turn_up()
    assert states(order.number) == ("paid", ["done"], ["succeeded", "succeeded"])
    order.bounce(order.sent)
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed"])
    assert order.twice() == ("open", PART)
    assert ("refund_stuck", "open") not in issues_of(order.number)
    assert differences() == []


def test_what_the_customer_has_given_back_pays_for_no_other_one(order: Replaced) -> None:
    """Staff have settled that it came twice; then the bank sends the other one back: it is owed, and sent again."""
    send(order.number, order.gateway)
    order.turn_up()
    run_atomically(
        lambda: resolve_issue(kind="refunded_twice", ref=str(order.lost), note="sent it back", actor=STAFF)
    )
    order.bounce(order.sent)
    assert states(order.number) == ("paid", ["stuck"], ["succeeded", "failed"])
    issue = find_issue("refund_stuck", str(order.sent))
    assert issue is not None
    assert (issue.state, issue.suggestion) == ("open", LOOK_FIRST), "staff alone know whether it is owed"
    assert order.twice()[0] == "resolved"
    assert differences() == []
    order.again()
    send(order.number, order.gateway)
    assert states(order.number) == ("paid", ["done"], ["succeeded", "failed", "succeeded"])
    assert order.money()[0] == 2 * order.amount - PART
    assert differences() == []


def test_one_whose_job_says_meanwhile_that_it_sends_is_not_called_off(
    app: Flask, order: Replaced, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_of = queries.get_last_of
    told: list[bool] = []

    def say() -> None:
        with app.app_context():
            told.append(run_atomically(lambda: note_sent(order.sent)))

    def quicker(refund_id: uuid.UUID) -> Any:
        found = last_of(refund_id)
        job = threading.Thread(target=say)
        job.start()
        job.join()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(queries, "get_last_of", quicker)
        order.turn_up()
    assert told[0] is True
    assert states(order.number) == ("paid", ["running"], ["succeeded", "queued"]), "it may have left"
    (amount,) = (one.amount for one in card_refunds_of(order.number) if one.id == order.sent)
    session().rollback()
    order.gateway.refund(order.sent, order.ref, amount)
    order.ask(order.sent)
    assert order.money()[0] == 2 * order.amount - PART
    assert states(order.number) == ("paid", ["done"], ["succeeded", "succeeded"])
    assert order.twice()[0] == "open", "staff know"
    assert differences() == []


def test_what_came_twice_pays_for_the_rest_although_what_was_paid_by_hand_came_back(order: Replaced) -> None:
    send(order.number, order.gateway)
    order.turn_up()
    order.peer.control(f"refunds/{order.by_hand}/failed")
    assert order.note() == -PART
    send(order.number, order.gateway)
    assert order.money() == (2 * order.amount, 0, 2 * order.amount)
    assert order.twice() == ("open", order.amount)
    give_back(order.number, key="the rest")
    send(order.number, order.gateway)
    assert order.money() == (order.paid, 0, order.paid)
    assert states(order.number)[:2] == ("refunded", ["done"] * 3)
    assert order.twice()[0] == "auto_fixed"
    assert differences() == []
