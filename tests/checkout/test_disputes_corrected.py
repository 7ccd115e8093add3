"""A bank that says another amount after a dispute was lost: less than refunds had counted on, most of all."""

from __future__ import annotations

import pytest

from app.gateways.matching import match
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.payments.queries import get_issue
from tests.checkout.refunding import give_back, send
from tests.checkout.test_disputed_refunds import Late, told
from tests.checkout.test_refund_words import ACTOR, Bought, differences
from tests.checkout.test_stuck_refunds import issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
KEPT = 15_000
"""What the bank gives back in the end."""


def story(number: str) -> list[str]:
    session().rollback()
    return [event.text for event in get_order_view(number).timeline]


@pytest.mark.parametrize("waits", [True, False])
def test_what_a_refund_had_counted_on_is_sent(gateway: SandboxGateway, peer: Gateway, waits: bool) -> None:
    """It was queued before the dispute came, or made after that was lost."""
    order = Bought(gateway, peer)
    if waits:
        give_back(order.number)
    ref = told(order.number, "open")
    send(order.number, gateway)
    told(order.number, "lost")
    if not waits:
        give_back(order.number)
    assert states(order.number)[:2] == ("refunded", ["done"])
    told(order.number, "lost", amount=KEPT, ref=ref)
    assert story(order.number)[-2:] == [
        "Your bank has given HK$150.00 back in all.",
        "Your bank has given you less back than it had said at first. We are sending you HK$80.00.",
    ]
    assert differences() == []
    for _ in range(2):
        send(order.number, gateway)
        told(order.number, "lost", amount=KEPT, ref=ref)
    assert order.money() == (order.paid - KEPT, 0, order.paid - KEPT)
    assert states(order.number)[:2] == ("refunded", ["done", "done"])
    with clock.travel(minutes=10):
        match(gateway=gateway, day=clock.now().date(), actor=ACTOR)
    assert differences() == []


def test_while_another_bank_decides_it_waits(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bought(gateway, peer)
    ref = told(order.number, "lost")
    give_back(order.number)
    session().rollback()
    other = told(order.number, "open", amount=1_000, ref="dp_other")
    told(order.number, "lost", amount=KEPT, ref=ref)
    assert states(order.number)[1] == ["done", "stuck"]
    assert story(order.number)[-1].endswith("What you are owed of it goes out when the dispute is decided.")
    told(order.number, "won", amount=1_000, ref=other)
    send(order.number, gateway)
    assert order.money() == (order.paid - KEPT, 0, order.paid - KEPT)
    assert states(order.number)[1] == ["done", "done"]
    assert ("refund_waits", "open") not in issues_of(order.number)
    assert differences() == []


def test_what_the_bank_gives_back_after_all_is_not_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    """It corrects itself once more before the rest has gone out."""
    order = Bought(gateway, peer)
    ref = told(order.number, "lost")
    give_back(order.number)
    told(order.number, "lost", amount=KEPT, ref=ref)
    assert states(order.number)[1] == ["done", "running"]
    told(order.number, "lost", amount=order.paid, ref=ref)
    send(order.number, gateway)
    assert order.money() == (0, 0, 0)
    assert states(order.number)[1] == ["done", "done"]
    assert "open" not in {state for kind, state in issues_of(order.number) if kind != "dispute"}
    assert differences() == []


def test_what_no_refund_had_counted_on_is_not_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bought(gateway, peer)
    ref = told(order.number, "lost")
    told(order.number, "lost", amount=KEPT, ref=ref)
    assert states(order.number) == ("paid", [], [])
    assert story(order.number)[-1] == "Your bank has given HK$150.00 back in all."
    give_back(order.number)
    send(order.number, gateway)
    assert order.money() == (order.paid - KEPT, 0, order.paid - KEPT)
    assert states(order.number)[0] == "refunded"
    assert differences() == []


def test_late_money_goes_back_whole(gateway: SandboxGateway, peer: Gateway) -> None:
    late = Late(gateway, peer)
    told(late.number, "lost", amount=3_000)
    send(late.number, gateway)
    told(late.number, "lost", amount=2_000)
    send(late.number, gateway)
    truth = peer.truth(str(late.payment))
    assert truth["amount_refunded"] == truth["amount_captured"] - 2_000
    assert states(late.number)[1] == ["done", "done"]
    assert (
        story(late.number)[-1]
        == "The money is back on its way to your card. Your bank shows it within a few days."
    )
    assert "Your bank has given HK$20.00 of that payment back in all." in story(late.number)
    assert differences() == []


def test_an_open_dispute_of_another_amount_is_still_to_be_answered(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    order = Bought(gateway, peer)
    ref = told(order.number, "open")
    told(order.number, "open", amount=KEPT, ref=ref)
    issue = get_issue("dispute", ref)
    assert (issue.state, issue.detail["amount"]) == ("open", KEPT)
    assert "Answer the dispute" in issue.suggestion
