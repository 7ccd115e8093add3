"""What was earned with money that did not stay is taken back, in proportion: lost in a dispute, or never paid."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from app.checkout import by_hand
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.payments import queries
from app.rewards.models import PointsEarning
from app.rewards.queries import get_balance
from jobs.handlers.earnings import confirm_due
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, give_back, send, sku_of
from tests.checkout.test_by_hand import Doubtful
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_disputes_decided import differences, refunds_of, returned
from tests.checkout.test_noted_and_bounced import Noted, bounce
from tests.checkout.versions import BONUSES, bought, publish
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")
CARD = 23_000
"""What the card pays of two things at HK$100, with delivery; it earns 230."""


@pytest.fixture
def shopper(gateway: SandboxGateway) -> Shopper:
    return Shopper(gateway, points=0, price=10_000, quantity=2)


@pytest.fixture
def number(shopper: Shopper) -> str:
    return bought(shopper)


def earned(number: str, source: str = "order") -> tuple[str, int, int]:
    """State, points, and what was taken back of them."""
    session().rollback()
    row = session().scalars(select(PointsEarning).filter_by(order_number=number, source_type=source)).one()
    found = row.state, row.points, row.taken_back
    session().rollback()
    return found


def another() -> str:
    return f"dp_{uuid.uuid4().hex}"


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize(
    ("lost", "taken"), [(0, 0), (99, 0), (100, 1), (10_050, 100), (CARD - 1, 229), (CARD, 230)]
)
def test_a_part_of_the_money_takes_its_part_of_the_points(
    shopper: Shopper, number: str, lost: int, taken: int, confirmed: bool
) -> None:
    if confirmed:
        with clock.travel(days=40):
            confirm_due()
        session().rollback()
    told(number, "open", amount=lost)
    told(number, "lost", amount=lost)
    state = "cancelled" if taken == 230 else "confirmed" if confirmed else "pending"
    assert earned(number) == (state, 230, taken)
    balance = get_balance(shopper.id)
    assert (balance.available, balance.pending) == ((230 - taken, 0) if confirmed else (0, 230 - taken))
    issue = queries.get_issue("dispute", f"dp_{queries.list_payments_of(number)[0].id.hex}")
    assert issue.detail["taken_back"] == taken
    assert differences() == []


def test_several_disputes_add_up(number: str) -> None:
    """To the point: each alone would have taken less."""
    for amount, taken in ((150, 1), (150, 3), (11_500, 118), (CARD - 11_800, 230)):
        told(number, "lost", amount=amount, ref=another())
        assert earned(number)[2] == taken
    assert differences() == []


def test_an_amount_that_is_corrected_takes_what_it_had_not(number: str) -> None:
    for amount, taken in ((1_000, 10), (5_000, 50), (1_000, 50), (5_000, 50), (6_000, 60), (CARD, 230)):
        told(number, "lost", amount=amount)
        assert earned(number)[2] == taken
    texts = [event.text for event in get_order_view(number).timeline if event.event == "dispute_lost"]
    changed = [text for text in texts if text.startswith("Your bank has given ")]
    assert [text.split()[4] for text in changed] == [f"HK${one}.00" for one in (50, 10, 50, 60, 230)]
    assert differences() == []


def test_what_covers_a_refund_takes_no_points_again(gateway: SandboxGateway, number: str) -> None:
    give_back(number, lines=[(sku_of(number), 1)])
    told(number, "open", amount=10_000)
    send(number, gateway)
    before = earned(number)[2]
    assert (refunds_of(number), before) == ([("stuck", 10_000)], 115)
    told(number, "lost", amount=10_000)
    assert (refunds_of(number), earned(number)[2]) == ([("done", 10_000)], before)
    second = another()
    told(number, "lost", amount=2_300, ref=second)
    assert earned(number)[2] == before + 23
    told(number, "lost", amount=CARD - 10_000, ref=second)
    assert earned(number) == ("cancelled", 230, 230), "nothing of the payment is left"
    assert differences() == []


@pytest.mark.parametrize("sent_first", [True, False])
def test_a_refund_that_is_not_sent_any_more_does_not_count_as_gone(
    gateway: SandboxGateway, peer: Gateway, number: str, sent_first: bool
) -> None:
    """HK$100 were on their way when the bank took 150: it covers them, and HK$80 stay."""
    give_back(number, lines=[(sku_of(number), 1)])
    told(number, "open", amount=15_000)
    if sent_first:
        send(number, gateway)
    told(number, "lost", amount=15_000)
    send(number, gateway)
    assert (refunds_of(number), returned(peer, number)) == ([("done", 10_000)], 0)
    assert earned(number) == ("pending", 230, 115 + 50)
    assert differences() == []


def test_nothing_stays_when_the_rest_had_gone_back_by_hand(
    gateway: SandboxGateway, peer: Gateway, number: str
) -> None:
    payment = queries.list_payments_of(number)[0]
    payment_id, ref = payment.id, str(payment.gateway_ref)
    session().rollback()
    assert peer.refund(ref, 3_000, uuid.uuid4().hex).status_code == 201
    assert (
        by_hand.note_refund(payment_id=payment_id, note="Given back there", gateway=gateway, actor=STAFF)
        == 3_000
    )
    told(number, "lost", amount=CARD - 3_100)
    assert earned(number) == ("pending", 230, 199)
    told(number, "lost", amount=CARD - 3_000)
    assert earned(number) == ("cancelled", 230, 230)


def test_a_refund_after_it_takes_no_more_than_is_left(gateway: SandboxGateway, number: str) -> None:
    told(number, "lost", amount=11_500)
    assert earned(number)[2] == 115
    give_back(number)
    send(number, gateway)
    assert earned(number) == ("cancelled", 230, 230)
    assert get_order_view(number).status == "refunded"
    assert differences() == []


@pytest.mark.parametrize("came_back", [False, True])
def test_what_is_sent_again_accounts_for_nothing_more(
    gateway: SandboxGateway, peer: Gateway, came_back: bool
) -> None:
    """It gives no lines back: what had counted on that money has cost its points, and the dispute costs its own."""
    order = Noted(gateway, peer, 0)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    if came_back:
        bounce(order)
        order.by_hand(10_000)
        order.come_back()
        assert order.note() == -10_000
        send(order.number, gateway)
    assert order.money() == (10_000, 0, 10_000)
    before = earned(order.number)[2]
    told(order.number, "lost", amount=5_000)
    assert earned(order.number)[2] == before + 50
    assert differences() == []


def test_the_bonus_of_a_first_order_goes_in_the_same_proportion(gateway: SandboxGateway) -> None:
    publish(BONUSES)
    number = bought(Shopper(gateway, points=0, price=10_000, quantity=2))
    bonus = earned(number, "first_order")[1]
    told(number, "lost", amount=CARD // 10)
    assert (earned(number)[2], earned(number, "first_order")[2]) == (23, bonus // 10)
    told(number, "lost", amount=CARD)
    assert (earned(number)[0], earned(number, "first_order")[0]) == ("cancelled", "cancelled")
    assert differences() == []


def test_less_money_that_staff_accept_earns_less(gateway: SandboxGateway, peer: Gateway) -> None:
    doubtful = Doubtful(gateway, peer)
    doubtful.give_back(7_001)
    assert doubtful.accept() == "paid"
    assert earned(doubtful.number) == ("pending", 80, 70), "HK$10.00 of 80.00 were paid"
    assert differences() == []
    told(doubtful.number, "lost", amount=500)
    assert earned(doubtful.number)[2] == 75
    told(doubtful.number, "lost", amount=1_000)
    assert earned(doubtful.number) == ("cancelled", 80, 80)
    assert differences() == []


def test_the_bonus_of_a_first_order_goes_with_what_never_came(gateway: SandboxGateway, peer: Gateway) -> None:
    publish(BONUSES)
    doubtful = Doubtful(gateway, peer)
    doubtful.give_back(7_001)
    assert doubtful.accept() == "paid"
    assert earned(doubtful.number, "first_order") == ("pending", 1_000, 875), "HK$10.00 of 80.00 were paid"
    assert differences() == []
    told(doubtful.number, "lost", amount=500)
    assert earned(doubtful.number, "first_order") == ("pending", 1_000, 875 + 62)
    told(doubtful.number, "lost", amount=1_000)
    assert earned(doubtful.number, "first_order") == ("cancelled", 1_000, 1_000)
    assert differences() == []


def test_what_staff_accept_in_full_earns_all(gateway: SandboxGateway, peer: Gateway) -> None:
    doubtful = Doubtful(gateway, peer)
    doubtful.give_back(1)
    assert doubtful.accept() == "paid"
    assert earned(doubtful.number) == ("pending", 80, 0)
