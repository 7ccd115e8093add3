"""Points of money that a bank, a refund and somebody at the gateway gave back, in any order: they go once."""

from __future__ import annotations

import uuid
from itertools import permutations

import pytest

from app.checkout.refunds import send_again
from app.checkout.taken_twice import KIND
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.issues import find_issue, resolve_issue
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, confirm_earning, give_back, send, sku_of
from tests.checkout.test_by_hand import Doubtful
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_noted_and_bounced import Noted, bounce
from tests.checkout.test_refund_words import differences
from tests.checkout.test_unearned import earned
from tests.checkout.versions import BONUSES, bought, publish
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")
CARD, ONE = 23_000, 115
"""What the card pays of two things at HK$100, with delivery; what one of them has earned of the 230, which a refund of
it takes with its HK$100."""


def too_many(number: str) -> tuple[str, int] | None:
    """What staff are told: whether it is open, and how many points."""
    session().rollback()
    issue = find_issue(KIND, number)
    found = None if issue is None else (issue.state, issue.detail["points"])
    session().rollback()
    return found


def again(number: str) -> None:
    session().rollback()
    (stuck,) = [one.id for one in get_order_view(number).refunds if one.state == "stuck"]
    session().rollback()
    run_atomically(lambda: send_again(number=number, refund_id=stuck, actor=STAFF))


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("way", ["bounced, lost", "lost, bounced", "queued, lost, refused"])
def test_staff_hear_of_points_that_refund_and_dispute_have_taken(
    gateway: SandboxGateway, peer: Gateway, way: str, confirmed: bool
) -> None:
    """HK$50.00 of the refund are the bank's in the end: its points are the refund's, whatever came first."""
    order = Noted(gateway, peer, 0)
    if confirmed:
        confirm_earning(order.number)
        session().rollback()
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    if way != "queued, lost, refused":
        send(order.number, gateway)
    if way == "bounced, lost":
        bounce(order)
    told(order.number, "lost", amount=5_000)
    if way == "queued, lost, refused":
        send(order.number, gateway)
    if way != "bounced, lost":
        assert too_many(order.number) is None
        bounce(order)
    again(order.number)
    send(order.number, gateway)
    assert order.money() == (5_000, 0, 5_000)
    surplus = earned(order.number)[2] - ONE
    assert surplus == (0 if way == "bounced, lost" else 50)
    assert too_many(order.number) == (("open", surplus) if surplus else None)
    assert differences() == []


def test_it_closes_when_the_points_have_gone_with_money_after_all(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """Another part that the bank takes costs no more than what the first had not."""
    order = Noted(gateway, peer, 0)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    told(order.number, "lost", amount=5_000)
    bounce(order)
    again(order.number)
    send(order.number, gateway)
    assert too_many(order.number) == ("open", 50)
    second = uuid.uuid4().hex
    told(order.number, "lost", amount=3_000, ref=second)
    assert (earned(order.number)[2], too_many(order.number)) == (ONE + 50, ("open", 20))
    told(order.number, "lost", amount=6_000, ref=second)
    assert earned(order.number)[2] == ONE + 60
    issue = find_issue(KIND, order.number)
    assert issue is not None
    assert issue.state == "auto_fixed"
    assert differences() == []


def test_what_staff_have_settled_stays_settled(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Noted(gateway, peer, 0)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    told(order.number, "lost", amount=5_000)
    bounce(order)
    run_atomically(lambda: resolve_issue(kind=KIND, ref=order.number, note="given back", actor=STAFF))
    again(order.number)
    send(order.number, gateway)
    assert too_many(order.number) == ("resolved", 50)


def test_a_bank_that_takes_less_after_all_has_taken_too_many(gateway: SandboxGateway) -> None:
    number = bought(Shopper(gateway, points=0, price=10_000, quantity=2))
    told(number, "lost", amount=5_000)
    assert too_many(number) is None
    told(number, "lost", amount=1_000)
    assert (earned(number)[2], too_many(number)) == (50, ("open", 40))


def test_what_never_came_is_not_too_many(gateway: SandboxGateway, peer: Gateway) -> None:
    """Of HK$80.00 ten came; the bank takes 5.00 of them, and then only 1.00."""
    doubtful = Doubtful(gateway, peer)
    doubtful.give_back(7_001)
    assert doubtful.accept() == "paid"
    told(doubtful.number, "lost", amount=500)
    assert (earned(doubtful.number)[2], too_many(doubtful.number)) == (75, None)
    told(doubtful.number, "lost", amount=100)
    assert too_many(doubtful.number) == ("open", 4)


def test_nothing_is_too_many_when_everything_was_given_back(gateway: SandboxGateway, peer: Gateway) -> None:
    """All goods are back: their points are gone, by whom is the same."""
    order = Noted(gateway, peer, 0)
    told(order.number, "lost", amount=5_000)
    give_back(order.number)
    send(order.number, gateway)
    bounce(order)
    again(order.number)
    send(order.number, gateway)
    assert order.money() == (CARD - 5_000, 0, CARD - 5_000)
    assert (earned(order.number), too_many(order.number)) == (("cancelled", 230, 230), None)


def test_a_refund_that_found_less_than_its_own_gets_nothing_back(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """The bank took HK$150.00 and 150 points. One thing of two was then given back, for the HK$80.00 and 80 points
    that were left. They come back: the bank's money is more than that refund by HK$50.00."""
    order = Noted(gateway, peer, 0)
    told(order.number, "lost", amount=15_000)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    assert earned(order.number) == ("cancelled", 230, 230)
    bounce(order)
    assert too_many(order.number) == ("open", 230 - ONE - 50)
    assert differences() == []


@pytest.mark.parametrize("units", [1, 2])
def test_the_bonus_of_a_first_order_counts_as_far_as_what_is_kept_deserves_it(
    gateway: SandboxGateway, peer: Gateway, units: int
) -> None:
    publish(BONUSES)
    number = bought(Shopper(gateway, points=0, price=6_000, quantity=3))
    bonus = earned(number, "first_order")[1]
    give_back(number, lines=[(sku_of(number), units)])
    order = Noted.__new__(Noted)
    order.gateway, order.peer, order.number = gateway, peer, number
    send(number, gateway)
    payment = queries.list_payments_of(number)[0]
    paid, points = payment.captured, earned(number)[1]
    before = earned(number)[2], earned(number, "first_order")[2]
    assert before[1] == (0 if units == 1 else bonus), "what is kept must reach HK$80.00"
    told(number, "lost", amount=paid // 10)
    mine, first = earned(number)[2] - before[0], earned(number, "first_order")[2] - before[1]
    assert (mine, first) == (points // 10, bonus // 10 if units == 1 else 0)
    bounce(order)
    assert too_many(number) == ("open", mine + first)


@pytest.mark.parametrize("steps", list(permutations(("bank", "hand"))))
@pytest.mark.parametrize(("by_hand", "taken"), [(8_000, 230), (7_900, 150)])
def test_what_went_back_by_hand_is_gone_as_well_whichever_came_first(
    gateway: SandboxGateway, peer: Gateway, steps: tuple[str, str], by_hand: int, taken: int
) -> None:
    """All of the payment, and all of the points; or all but HK$1.00, and what the bank took costs its own."""
    order = Noted(gateway, peer, 0)
    for step in steps:
        if step == "bank":
            told(order.number, "lost", amount=15_000)
        else:
            order.by_hand(by_hand)
    assert earned(order.number)[2] == taken
    story = [one.text for one in get_order_view(order.number).timeline if one.event == "points_taken_back"]
    assert len(story) == (1 if taken == 230 and steps[0] == "bank" else 0)
    assert differences() == []


def test_what_is_noted_and_covers_a_refund_leaves_the_bank_its_points(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """The bank's money stood for the refund that had come back. When staff have made it good by hand, the bank's is
    money that did not stay; and when that comes back, it stands for the refund again."""
    order = Noted(gateway, peer, 0)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    bounce(order)
    told(order.number, "lost", amount=5_000)
    assert earned(order.number)[2] == ONE
    order.by_hand(10_000)
    assert (earned(order.number)[2], too_many(order.number)) == (ONE + 50, None)
    order.come_back()
    assert order.note() == -10_000
    assert too_many(order.number) == ("open", 50)
    assert differences() == []


def test_a_lost_amount_that_becomes_nothing_has_taken_all_of_its_points_too_many(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    order = Noted(gateway, peer, 0)
    told(order.number, "lost", amount=5_000)
    taken = earned(order.number)[2]
    assert taken > 0
    assert too_many(order.number) is None
    told(order.number, "lost", amount=0)
    assert too_many(order.number) == ("open", taken)
    assert differences() == []
