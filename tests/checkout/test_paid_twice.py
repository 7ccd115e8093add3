"""Money that was paid another way and then arrives on the card as well: never an error, never in silence."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from app.checkout import by_hand
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.payments.issues import find_issue, resolve_issue
from jobs.letters import DRAFTS
from tests.checkout.elsewhere import (
    NOTE,
    REFERENCE,
    differences,
    everything,
    issues_of,
    jobs_of,
    lost,
    money,
    note,
    payment_of,
    states,
    turn_up,
)
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def test_a_card_refund_that_arrives_after_all_is_seen(gateway: SandboxGateway, peer: Gateway) -> None:
    number, refund_id = lost(gateway, peer)
    assert states(number) == ("paid", ["stuck"], ["failed"])
    note(number, refund_id)
    captured = payment_of(number).captured
    assert money(number) == (captured, 0, captured)
    turn_up(number, gateway, peer)

    assert states(number) == ("refunded", ["done"], ["succeeded"])
    assert money(number) == (captured, captured, 0)
    assert issues_of(number) == [("refund_stuck", "resolved"), ("refunded_twice", "open")]
    (alert,) = [
        one for one in jobs_of(number, "mail.staff_alert") if one.payload["subject"] == "refunded_twice"
    ]
    assert (alert.payload["amount"], alert.payload["transfer"]) == (captured, REFERENCE)
    assert get_order_view(number).timeline[-1].event == "refunded_twice"
    assert peer.truth(str(payment_of(number).id))["amount_refunded"] == captured
    before = everything(number)
    send(number, gateway)
    with clock.travel(minutes=5):
        reconcile(gateway=gateway, actor=system("test"))
        match(gateway=gateway, day=clock.now().date(), actor=system("test"))
    assert everything(number) == before
    assert differences() == []
    ref = str(card_refunds_of(number)[0].id)
    run_atomically(lambda: resolve_issue(kind="refunded_twice", ref=ref, note=NOTE, actor=STAFF))
    assert ("refunded_twice", "resolved") in issues_of(number)


def test_what_had_come_twice_and_bounces_has_come_once(gateway: SandboxGateway, peer: Gateway) -> None:
    number, refund_id = lost(gateway, peer)
    note(number, refund_id)
    ref = turn_up(number, gateway, peer)
    peer.control(f"refunds/{ref}/failed")
    send(number, gateway)
    captured, by_card, elsewhere = money(number)
    assert (by_card, elsewhere) == (0, captured)
    assert states(number) == ("refunded", ["done"], ["failed"])
    assert issues_of(number) == [("refund_stuck", "resolved"), ("refunded_twice", "auto_fixed")]
    assert differences() == []


@pytest.mark.parametrize("second", ["FT-2026-0044", REFERENCE])
def test_once_staff_have_settled_that_it_came_twice_a_bounce_is_owed(
    gateway: SandboxGateway, peer: Gateway, second: str
) -> None:
    """The customer has sent the transfer back, say, and then the bank the card refund."""
    number, refund_id = lost(gateway, peer)
    note(number, refund_id)
    ref = turn_up(number, gateway, peer)
    card_refund = str(card_refunds_of(number)[0].id)
    session().rollback()
    run_atomically(lambda: resolve_issue(kind="refunded_twice", ref=card_refund, note=NOTE, actor=STAFF))
    peer.control(f"refunds/{ref}/failed")
    send(number, gateway)
    assert states(number) == ("refunded", ["stuck"], ["failed"])
    assert money(number)[1:] == (0, 0)
    assert ("refund_stuck", "open") in issues_of(number)
    assert get_order_view(number).refunds[0].elsewhere_ref is None
    (first,) = jobs_of(number, "mail.refund_elsewhere")
    assert DRAFTS["refund_elsewhere"](first.payload) is None
    note(number, refund_id, second)
    assert states(number) == ("refunded", ["done"], ["failed"])
    both = [one.payload for one in jobs_of(number, "mail.refund_elsewhere")]
    drafts = {payload["reference"]: DRAFTS["refund_elsewhere"](payload) for payload in both}
    assert len(both) == 2, "the second transfer is told, whatever its reference"
    assert {reference for reference, draft in drafts.items() if draft is not None} == {second}
    assert differences() == []


def test_the_same_money_given_back_at_the_gateway_is_seen_too(gateway: SandboxGateway, peer: Gateway) -> None:
    """Somebody of the staff did it there by hand, not knowing of the transfer."""
    number, refund_id = lost(gateway, peer)
    note(number, refund_id)
    payment = payment_of(number)
    payment_id, captured = payment.id, payment.captured
    assert peer.refund(str(payment.gateway_ref), captured, uuid.uuid4().hex).status_code == 201
    session().rollback()
    by_hand.note_refund(payment_id=payment_id, note=NOTE, gateway=gateway, actor=STAFF)
    assert ("refunded_twice", "open") in issues_of(number)
    assert payment_of(number).refunded_outside == captured
    assert differences() == []


@pytest.mark.parametrize("way", ["by card", "another way"])
def test_what_had_gone_back_and_is_then_lost_to_the_bank_is_seen(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection, way: str
) -> None:
    if way == "by card":
        _, number = bought(gateway, points=0)
        give_back(number)
        send(number, gateway)
    else:
        number, refund_id = lost(gateway, peer)
        note(number, refund_id)
    captured = payment_of(number).captured
    ref = told(number, "open")
    assert "refunded_twice" not in dict(issues_of(number))
    told(number, "lost")
    (alert,) = [
        one for one in jobs_of(number, "mail.staff_alert") if one.payload["subject"] == "refunded_twice"
    ]
    assert alert.payload["amount"] == captured
    assert ("refunded_twice", "open") in issues_of(number)
    untold = "UPDATE reconciliation_issue SET kind = %s WHERE ref = %s AND kind = %s"
    about = str(payment_of(number).id)
    owner.execute(untold, ("another", about, "refunded_twice"))
    found = differences()
    owner.execute(untold, ("refunded_twice", about, "another"))
    assert found == [("given_back_twice", (number,))]
    told(number, "lost", amount=700, ref=ref)
    issue = find_issue("refunded_twice", str(payment_of(number).id))
    assert issue is not None
    assert issue.detail["amount"] == 700
    assert differences() == []


def test_a_bank_that_takes_what_had_not_gone_back_pays_nothing_twice(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """Two units at HK$100: one had been given back, the bank took the other one and the delivery."""
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)])
    send(number, gateway)
    left = payment_of(number).captured - payment_of(number).refunded
    ref = told(number, "lost", amount=left + 1)
    assert ("refunded_twice", "open") in issues_of(number)
    told(number, "lost", amount=left, ref=ref)
    assert ("refunded_twice", "auto_fixed") in issues_of(number)
    assert differences() == []


def test_a_refund_that_arrives_when_the_bank_had_given_it_back_is_seen(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """Sent without a word; the dispute was lost before anybody heard of either."""
    _, number = bought(gateway, points=0)
    give_back(number)
    peer.control("faults", {"fault": "timeout_after", "next": 1})
    send(number, gateway)
    told(number, "lost")
    assert "refunded_twice" not in dict(issues_of(number))
    send(number, gateway)
    assert states(number) == ("refunded", ["done"], ["succeeded"])
    assert ("refunded_twice", "open") in issues_of(number)
    assert differences() == []
