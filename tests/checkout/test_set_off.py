"""Money that has come twice pays for what the order gives back next, because a card takes back no more than it paid."""

from __future__ import annotations

import pytest

from app.checkout.refunds import send_again
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.payments.issues import find_issue, resolve_issue
from tests.checkout.elsewhere import jobs_of
from tests.checkout.refunding import STAFF, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_covered_and_arrived import Covered
from tests.checkout.test_refund_words import ACTOR, Bought, differences
from tests.checkout.test_replaced_refunds import Replaced
from tests.checkout.test_stuck_refunds import issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


class Twice(Replaced):
    """Half of it was given back, and its money has come as a whole, and once more: HK$7 by hand, the rest by card."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway, quantity: int = 2) -> None:
        super().__init__(gateway, peer, quantity)
        send(self.number, gateway)
        self.turn_up()
        assert self.twice() == ("open", self.amount)


def give_rest(order: Bought, key: str = "rest", units: int | None = None) -> int:
    """All that is left of the order, or `units` of its thing, is given back; how much of it the shop sends."""
    session().rollback()
    lines = None if units is None else [(sku_of(order.number), units)]
    made = give_back(order.number, key=key, lines=lines)
    send(order.number, order.gateway)
    return int(made.sent.amount)


def resolve(order: Replaced | Covered, note: str = "sent it back") -> None:
    session().rollback()
    run_atomically(lambda: resolve_issue(kind="refunded_twice", ref=str(order.lost), note=note, actor=STAFF))


def set_off(order: Replaced | Covered) -> tuple[str, int] | None:
    """State and amount of what staff were told that they may have to pay."""
    session().rollback()
    issue = find_issue("refund_set_off", str(order.lost))
    return issue and (issue.state, issue.detail["amount"])


def settled(order: Bought) -> None:
    """The customer has what was paid, once; nothing moves any more, and nobody is asked for anything."""
    with clock.travel(minutes=10):
        reconcile(gateway=order.gateway, actor=ACTOR)
        match(gateway=order.gateway, day=clock.now().date(), actor=ACTOR)
    assert states(order.number)[0] == "refunded"
    assert set(states(order.number)[1]) == {"done"}
    ours, outside, theirs = order.money()
    assert (ours + outside, theirs) == (order.paid, order.paid)
    assert "open" not in {state for kind, state in issues_of(order.number) if kind != "dispute"}
    assert differences() == []


@pytest.fixture
def order(gateway: SandboxGateway, peer: Gateway) -> Twice:
    return Twice(gateway, peer)


def test_nobody_is_asked_for_what_has_paid_for_another_refund(order: Twice) -> None:
    assert give_rest(order) == order.paid - 2 * order.amount
    assert order.twice()[0] == "auto_fixed"
    settled(order)


@pytest.fixture
def larger(gateway: SandboxGateway, peer: Gateway) -> Twice:
    """Of which the other half is given back one by one: HK$30 of that are left at the gateway."""
    return Twice(gateway, peer, quantity=4)


def test_what_is_left_of_it_goes_on_being_too_much(larger: Twice) -> None:
    order = larger
    assert give_rest(order, "third", 1) == 3_000
    assert order.twice() == ("open", order.amount - 7_000)
    assert differences() == []
    assert give_rest(order) == 0
    assert order.twice()[0] == "auto_fixed"
    settled(order)


def test_what_staff_had_settled_is_told_again(larger: Twice) -> None:
    """Only they know whether the customer has it still."""
    order = larger
    resolve(order)
    assert give_rest(order, "third", 1) == 3_000
    assert set_off(order) == ("open", 7_000)
    assert give_rest(order) == 0
    assert set_off(order) == ("open", order.amount)
    assert order.twice() == ("resolved", order.amount)
    assert states(order.number)[:2] == ("refunded", ["done"] * 3)
    assert differences() == []


def test_what_had_paid_for_another_refund_before_they_settled_it_is_not_told(larger: Twice) -> None:
    order = larger
    give_rest(order, "third", 1)
    resolve(order)
    assert set_off(order) is None
    give_rest(order)
    assert set_off(order) == ("open", order.amount - 7_000)


def test_what_pays_for_nothing_else_any_more_is_not_told(larger: Twice) -> None:
    """Money that staff give back by hand stands for what it had paid for."""
    order = larger
    give_rest(order, "third", 1)
    resolve(order)
    order.bounce(order.sent)
    assert order.peer.refund(order.ref, 7_000, "by-hand-again").status_code == 201
    assert order.note() == 7_000
    assert set_off(order) is None
    assert differences() == []


def test_when_the_bank_sends_that_one_back_what_it_had_paid_for_is_sent(order: Twice) -> None:
    give_rest(order)
    order.bounce(order.lost)
    assert order.story()[-1] == "refund_again"
    send(order.number, order.gateway)
    settled(order)


def test_when_the_bank_sends_the_other_one_back_the_rest_is_sent(order: Twice) -> None:
    """The first one pays for the refund that it was for, and so for the other no more."""
    give_rest(order)
    order.bounce(order.sent)
    send(order.number, order.gateway)
    settled(order)
    alerts = [one.payload["subject"] for one in jobs_of(order.number, "mail.staff_alert")]
    assert alerts.count("refunded_twice") == 1


def test_settled_and_sent_back_what_it_had_paid_for_is_sent(order: Twice) -> None:
    """And staff look at what the customer may have returned."""
    resolve(order)
    give_rest(order)
    assert set_off(order) == ("open", order.amount)
    order.bounce(order.lost)
    assert set_off(order) == ("auto_fixed", order.amount)
    send(order.number, order.gateway)
    assert order.money() == (order.paid - 700, 700, order.paid)
    assert ("refund_stuck", "open") in issues_of(order.number)
    assert differences() == []


@pytest.mark.parametrize("way", ["by hand", "by a bank"])
@pytest.mark.parametrize("is_settled", [False, True])
def test_what_had_covered_a_refund_that_arrived_pays_for_the_next(
    gateway: SandboxGateway, peer: Gateway, way: str, is_settled: bool
) -> None:
    order = Covered(gateway, peer, way)
    order.turn_up()
    if is_settled:
        resolve(order)
    assert give_rest(order) == order.paid - 2 * order.amount
    if is_settled:
        assert order.issue("refunded_twice", order.lost) == ("resolved", order.amount)
        assert set_off(order) == ("open", order.amount)
    else:
        assert order.issue("refunded_twice", order.lost) == ("auto_fixed", order.amount)
        assert set_off(order) is None
    assert states(order.number)[:2] == ("refunded", ["done", "done"])
    assert differences() == []


def test_what_was_queued_before_it_came_twice_is_counted_too(gateway: SandboxGateway, peer: Gateway) -> None:
    """The gateway has no more than the rest of it: that is sent again."""
    order = Replaced(gateway, peer)
    send(order.number, gateway)
    give_back(order.number, key="rest")
    order.turn_up()
    assert order.twice() == ("open", order.amount)
    send(order.number, gateway)
    (stuck,) = (one.id for one in get_order_view(order.number).refunds if one.state == "stuck")
    session().rollback()
    run_atomically(lambda: send_again(number=order.number, refund_id=stuck, actor=STAFF))
    assert order.twice()[0] == "auto_fixed"
    send(order.number, gateway)
    assert sum(one.state == "succeeded" for one in card_refunds_of(order.number)) == 3
    settled(order)
