"""What waits while banks decide: each decision sends what they have not given back, once; nothing waits for ever."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.checkout.disputes import settle_dispute
from app.checkout.refunds import send_again
from app.gateways.asking import ask_payment
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import run_atomically, session, transaction
from app.orders.models import OrderRefund
from app.orders.queries import get_order_view
from app.payments import disputes, issues, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.refunds import PaymentDisputed
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_cancelling import cancel_order
from tests.checkout.test_disputed_refunds import ACTOR, Late, told
from tests.checkout.test_stuck_refunds import bounce
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
CARD, LATE = 23_000, 13_000
"""What the card paid: of an order of two things at HK$100, with delivery; and of the late payment of one."""


def refunds_of(number: str) -> list[tuple[str, int]]:
    """State and card part of the order's refunds, oldest first."""
    session().rollback()
    session().expire_all()
    statement = select(OrderRefund).filter_by(order_id=get_order_view(number).id)
    rows = session().scalars(statement.order_by(OrderRefund.created_at)).all()
    found = [(row.state, row.card) for row in rows]
    session().rollback()
    return found


def returned(peer: Gateway, number: str) -> int:
    """What the gateway sent back of the order's payments, in minor units."""
    keys = [str(one.id) for one in queries.list_payments_of(number)]
    session().rollback()
    return sum(int(peer.truth(key)["amount_refunded"]) for key in keys)


def issue_states(number: str, kind: str = "refund_waits") -> list[str]:
    found = [issues.find_issue(kind, str(one.id)) for one in card_refunds_of(number)]
    states = [one.state for one in found if one is not None]
    session().rollback()
    return states


def differences() -> list[tuple[str, list[str]]]:
    """What `flask rewards verify` finds about orders, payments and refunds."""
    session().rollback()
    with transaction():
        return [(one.name, list(one.samples)) for one in verification.run(PROBES).differences]


def again(number: str) -> None:
    order_id = get_order_view(number).id
    stuck = session().scalars(select(OrderRefund.id).filter_by(order_id=order_id, state="stuck")).first()
    assert stuck is not None
    session().rollback()
    run_atomically(lambda: send_again(number=number, refund_id=stuck, actor=STAFF))


def waiting(gateway: SandboxGateway, amount: int | None = None) -> str:
    """An order whose two refunds, of HK$100 and of the rest, were queued before the dispute came."""
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    give_back(number, key="b")
    told(number, "open", amount=amount)
    send(number, gateway)
    assert refunds_of(number) == [("stuck", 10_000), ("stuck", 13_000)]
    return number


# lost in part
@pytest.mark.parametrize("taken", [1, 5_000, LATE - 1])
def test_what_the_bank_did_not_give_back_of_late_money_goes_out(
    gateway: SandboxGateway, peer: Gateway, taken: int
) -> None:
    late = Late(gateway, peer)
    told(late.number, "lost", amount=taken)
    assert refunds_of(late.number) == [("running", LATE)]
    assert issue_states(late.number) == ["auto_fixed"]
    send(late.number, gateway)
    assert (get_order_view(late.number).status, refunds_of(late.number)) == ("refunded", [("done", LATE)])
    assert returned(peer, late.number) == LATE - taken
    assert differences() == []


def test_what_one_dispute_took_covers_one_refund_and_not_each(gateway: SandboxGateway, peer: Gateway) -> None:
    number = waiting(gateway)
    told(number, "lost", amount=10_000)
    assert refunds_of(number) == [("done", 10_000), ("running", 13_000)]
    send(number, gateway)
    assert (get_order_view(number).status, returned(peer, number)) == ("refunded", 13_000)
    assert differences() == []


def test_a_refund_that_is_covered_in_part_covers_no_other(gateway: SandboxGateway, peer: Gateway) -> None:
    number = waiting(gateway)
    told(number, "lost", amount=12_000)
    send(number, gateway)
    assert refunds_of(number) == [("done", 10_000), ("done", 13_000)]
    assert returned(peer, number) == CARD - 12_000


def test_two_disputes_one_after_the_other_take_what_they_take(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    told(number, "open", amount=10_000)
    send(number, gateway)
    told(number, "lost", amount=10_000)
    assert refunds_of(number) == [("done", 10_000)]
    give_back(number, key="b")
    second = told(number, "open", amount=3_000, ref=f"dp_{uuid.uuid4().hex}")
    send(number, gateway)
    told(number, "lost", amount=3_000, ref=second)
    send(number, gateway)
    assert refunds_of(number) == [("done", 10_000), ("done", 13_000)]
    assert (get_order_view(number).status, returned(peer, number)) == ("refunded", CARD - 13_000)


def test_what_was_lost_is_what_the_last_word_says(gateway: SandboxGateway, peer: Gateway) -> None:
    """Opened for all of it, decided for less; the words that come late say nothing new."""
    late = Late(gateway, peer)
    ref = told(late.number, "lost", amount=5_000)
    for status in ("open", "won"):
        told(late.number, status, amount=LATE)
    row = disputes.get_dispute("sandbox", ref)
    assert (row.state, row.amount) == ("lost", 5_000)
    session().rollback()
    send(late.number, gateway)
    assert returned(peer, late.number) == LATE - 5_000


def test_staff_hear_of_an_amount_that_changes(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    ref = told(number, "open", amount=CARD)
    told(number, "open", amount=9_000)
    row, issue = disputes.get_dispute("sandbox", ref), queries.get_issue("dispute", ref)
    assert (row.amount, issue.detail["amount"], issue.state) == (9_000, 9_000, "open")


@pytest.mark.parametrize(("taken", "sent"), [(LATE, 0), (5_000, LATE - 5_000)])
def test_late_money_whose_dispute_was_lost_before_we_knew(
    gateway: SandboxGateway, peer: Gateway, taken: int, sent: int
) -> None:
    shopper = Shopper(gateway, points=0, price=10_000)
    number = shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"]
    cancel_order(shopper, number)
    payment_id, truth = truth_about(gateway, number)
    peer.control(f"payments/{truth.gateway_ref}/late-authorize")
    told(number, "lost", amount=taken)
    ask_payment(payment_id=payment_id, gateway=gateway, actor=ACTOR)
    send(number, gateway)
    assert (get_order_view(number).status, refunds_of(number)) == ("refunded", [("done", LATE)])
    assert returned(peer, number) == sent
    assert len(card_refunds_of(number)) == (1 if sent else 0)
    assert issue_states(number) == []
    assert queries.get_issue("payment_without_order", str(payment_id)).state == "auto_fixed"
    assert differences() == []


def test_late_money_that_a_bank_has_taken_back_revives_nothing(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    payment_id, truth = truth_about(gateway, number)
    peer.control(f"payments/{truth.gateway_ref}/late-authorize")
    told(number, "lost")
    ask_payment(payment_id=payment_id, gateway=gateway, actor=ACTOR)
    send(number, gateway)
    assert get_order_view(number).status == "refunded"
    session().rollback()
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held, balance.pending) == (5_000, 0, 0)
    assert stock_of(shopper.variant_id) == (100, 0)
    assert returned(peer, number) == 0
    assert differences() == []


def test_a_refund_that_the_bank_had_refused_is_done_when_the_bank_gives_it_back(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    number = refused(gateway)
    told(number, "open")
    told(number, "lost")
    assert (get_order_view(number).status, refunds_of(number)) == ("refunded", [("done", CARD)])
    assert (issue_states(number, "refund_stuck"), returned(peer, number)) == (["auto_fixed"], 0)


def test_of_a_refund_that_the_bank_had_refused_the_rest_is_sent_again(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    number = refused(gateway)
    told(number, "open")
    with pytest.raises(PaymentDisputed):
        again(number)
    session().rollback()
    told(number, "lost", amount=5_000)
    assert refunds_of(number) == [("stuck", CARD)]
    again(number)
    assert [(one.amount, one.state) for one in card_refunds_of(number)] == [
        (CARD, "failed"),
        (CARD - 5_000, "queued"),
    ]
    assert refunds_of(number) == [("running", CARD)]


def test_what_came_twice_has_come_once_when_the_bank_sends_the_refund_back(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    _, number = bought(gateway, points=0)
    give_back(number)
    send(number, gateway)
    told(number, "lost")
    assert twice(number) == ("open", CARD)
    bounce(number, peer)
    send(number, gateway)
    assert twice(number)[0] == "auto_fixed"
    assert refunds_of(number) == [("done", CARD)]
    assert "open" not in issue_states(number, "refund_stuck")
    assert differences() == []


def twice(number: str) -> tuple[str, int]:
    """State and amount of what staff were told of the payment."""
    payment = queries.list_payments_of(number)[0]
    issue = queries.get_issue("refunded_twice", str(payment.id))
    found = issue.state, issue.detail["amount"]
    session().rollback()
    return found


def refused(gateway: SandboxGateway) -> str:
    buyer = Shopper(gateway, points=0, price=10_000, quantity=2)
    number: str = buyer.place(buyer.quote(), "pm_sandbox_refund_fails")["number"]
    give_back(number)
    send(number, gateway)
    assert refunds_of(number) == [("stuck", CARD)]
    return number


@pytest.mark.parametrize("taken", [None, 2_000])
def test_what_the_gateway_lets_the_shop_refund_of_a_dispute_in_part(
    gateway: SandboxGateway, peer: Gateway, taken: int | None
) -> None:
    """All told by the gateway: opened for HK$50, and lost (for less) while the shop knew of none of it."""
    _, number = bought(gateway, points=0)
    payment_ref = queries.list_payments_of(number)[0].gateway_ref
    session().rollback()
    ref = peer.control(f"payments/{payment_ref}/dispute", {"amount": 5_000})["id"]
    peer.control(f"disputes/{ref}/lost", {"amount": taken} if taken else {})
    give_back(number)
    send(number, gateway)
    assert (refunds_of(number), issue_states(number)) == ([("stuck", CARD)], ["open"])
    truth = gateway.fetch_dispute(ref)
    assert isinstance(truth, DisputeSnapshot)
    settle_dispute(gateway="sandbox", truth=truth, actor=ACTOR)
    send(number, gateway)
    assert (get_order_view(number).status, refunds_of(number)) == ("refunded", [("done", CARD)])
    assert returned(peer, number) == CARD - (taken or 5_000)
    assert differences() == []
