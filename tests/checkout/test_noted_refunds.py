"""A refund that bounced, and that staff made good at the gateway: their note ends what was stuck, to the cent."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from app.audit.models import AuditEntry
from app.checkout import by_hand
from app.checkout.elsewhere import note_paid_elsewhere
from app.checkout.refunds import send_again
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session
from app.kernel.errors import Conflict
from app.orders.models import OrderRefund
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.gateway import Unknown
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_cancelling import cancel_order
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_refund_words import ACTOR, Bought, differences
from tests.checkout.test_stuck_refunds import issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


class Bounced(Bought):
    """Its two things were given back one by one, and the bank has sent both refunds back; `first`, `second`: how
    much each was."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        super().__init__(gateway, peer)
        for key in ("first", "second"):
            give_back(self.number, lines=[(sku_of(self.number), 1)], key=key)
        send(self.number, gateway)
        rows = [(one.id, one.gateway_ref, one.amount) for one in card_refunds_of(self.number)]
        session().rollback()
        for refund_id, ref, _ in rows:
            peer.control(f"refunds/{ref}/failed")
            ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
        self.first, self.second = (amount for _, _, amount in rows)
        assert self.stuck() == [("first", "stuck"), ("second", "stuck")]
        assert self.first + self.second == self.paid

    def stuck(self) -> list[tuple[str, str]]:
        """(key, state) of the order's refunds, oldest first."""
        session().rollback()
        order = get_order_view(self.number).id
        rows = session().scalars(
            select(OrderRefund).filter_by(order_id=order).order_by(OrderRefund.created_at)
        )
        return [(one.idem_key, one.state) for one in rows]

    def by_hand(self, amount: int) -> None:
        """Staff give it back at the gateway, and take note of it."""
        assert self.peer.refund(self.ref, amount, uuid.uuid4().hex).status_code == 201
        assert self.note() == amount

    def send_stuck(self) -> None:
        """All of it, again; and it arrives."""
        session().rollback()
        for refund in get_order_view(self.number).refunds:
            if refund.state == "stuck":
                again = refund.id
                session().rollback()
                run_atomically(
                    lambda again=again: send_again(number=self.number, refund_id=again, actor=STAFF)
                )
        send(self.number, self.gateway)

    def settled(self) -> None:
        """Nothing moves any more, and nobody has had more or less than was paid."""
        with clock.travel(minutes=10):
            reconcile(gateway=self.gateway, actor=ACTOR)
            match(gateway=self.gateway, day=clock.now().date(), actor=ACTOR)
        session().rollback()
        assert get_order_view(self.number).status == "refunded"
        assert {state for _, state in self.stuck()} == {"done"}
        ours, outside, theirs = self.money()
        assert (ours + outside, theirs) == (self.paid, self.paid)
        assert {state for _, state in issues_of(self.number)} <= {"resolved", "auto_fixed"}
        assert differences() == []


def test_what_went_back_at_the_gateway_ends_what_was_stuck(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bounced(gateway, peer)
    audited = len(session().scalars(select(AuditEntry)).all())
    order.by_hand(order.paid)
    assert order.stuck() == [("first", "done"), ("second", "done")]
    assert issues_of(order.number) == [("refund_stuck", "resolved")] * 2
    assert len(session().scalars(select(AuditEntry)).all()) == audited + 1
    assert order.money() == (0, order.paid, order.paid)
    refund_id = get_order_view(order.number).refunds[0].id
    session().rollback()
    with pytest.raises(Conflict) as refused:
        run_atomically(lambda: send_again(number=order.number, refund_id=refund_id, actor=STAFF))
    assert refused.value.code == "REFUND_NOT_STUCK"
    order.settled()


@pytest.mark.parametrize("which", ["first", "second"])
def test_of_several_the_one_of_just_that_amount_is_meant(
    gateway: SandboxGateway, peer: Gateway, which: str
) -> None:
    order = Bounced(gateway, peer)
    amount = getattr(order, which)
    assert order.first != order.second, "one of them has the delivery"
    order.by_hand(amount)
    assert dict(order.stuck()) == {"first": "stuck", "second": "stuck", which: "done"}
    order.send_stuck()
    assert order.money() == (order.paid - amount, amount, order.paid)
    order.settled()


def test_of_what_is_covered_in_part_the_rest_is_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bounced(gateway, peer)
    order.by_hand(700)
    assert order.stuck() == [("first", "stuck"), ("second", "stuck")]
    order.send_stuck()
    assert order.money() == (order.paid - 700, 700, order.paid)
    order.settled()


def test_one_that_a_bank_has_made_good_ends_without_being_sent(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """It is with staff, because another dispute of the payment is not decided."""
    order = Bought(gateway, peer)
    order.lose_refund(lines=[(sku_of(order.number), 1)])
    told(order.number, "open", amount=3_000, ref="dp_other")
    told(order.number, "lost", amount=card_refunds_of(order.number)[0].amount)
    assert states(order.number) == ("paid", ["stuck"], ["failed"])
    stuck = get_order_view(order.number).refunds[0].id
    session().rollback()
    with pytest.raises(Conflict) as refused:
        run_atomically(
            lambda: note_paid_elsewhere(
                number=order.number, refund_id=stuck, reference="TT-1", note="by transfer", actor=STAFF
            )
        )
    assert refused.value.code == "REFUND_NOT_OWED"
    session().rollback()
    run_atomically(lambda: send_again(number=order.number, refund_id=stuck, actor=STAFF))
    assert states(order.number) == ("paid", ["done"], ["failed"])
    send(order.number, gateway)
    assert order.money() == (0, 0, 0)
    assert ("refund_stuck", "resolved") in issues_of(order.number)
    assert differences() == []


def test_parts_that_come_one_by_one_add_up(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bounced(gateway, peer)
    for amount in (700, order.first - 700):
        assert dict(order.stuck())["first"] == "stuck"
        order.by_hand(amount)
    assert dict(order.stuck()) == {"first": "done", "second": "stuck"}
    order.by_hand(order.second)
    order.settled()


def test_what_is_more_than_was_stuck_counts_for_later_refunds(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bought(gateway, peer)
    give_back(order.number, lines=[(sku_of(order.number), 1)], key="first")
    send(order.number, gateway)
    refund = card_refunds_of(order.number)[0]
    refund_id, ref, amount = refund.id, refund.gateway_ref, refund.amount
    session().rollback()
    peer.control(f"refunds/{ref}/failed")
    ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
    assert peer.refund(order.ref, amount + 900, "by-hand").status_code == 201
    assert order.note() == amount + 900
    assert states(order.number) == ("paid", ["done"], ["failed"])
    give_back(order.number, key="rest")
    send(order.number, gateway)
    assert states(order.number) == ("refunded", ["done", "done"], ["failed", "succeeded"])
    assert order.money() == (order.paid - amount - 900, amount + 900, order.paid)
    assert differences() == []


def test_an_order_in_review_ends(gateway: SandboxGateway, peer: Gateway) -> None:
    """Late money that the bank would not take back: nothing but the note can end it."""
    shopper = Shopper(gateway, points=0, price=10_000)
    number = shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"]
    payment = queries.list_payments_of(number)[0].id
    cancel_order(shopper, number)
    session().rollback()
    ref = peer.truth(str(payment))["id"]
    peer.control(f"payments/{ref}/late-authorize")
    ask_payment(payment_id=payment, gateway=gateway, actor=ACTOR)
    refund_id = card_refunds_of(number)[0].id
    session().rollback()
    sent = peer.refund(ref, 13_000, str(refund_id)).json()
    peer.control(f"refunds/{sent['id']}/failed")
    ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
    assert states(number) == ("needs_review", ["stuck"], ["failed"])
    assert peer.refund(ref, 13_000, "by-hand").status_code == 201
    session().rollback()
    by_hand.note_refund(payment_id=payment, note="given back by hand", gateway=gateway, actor=STAFF)
    assert states(number) == ("refunded", ["done"], ["failed"])
    assert {state for _, state in issues_of(number)} == {"resolved", "auto_fixed"}
    assert differences() == []


def test_a_refund_of_ours_that_arrived_after_all_is_not_somebody_elses(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    order = Bought(gateway, peer)
    refund_id = order.lose_refund()
    assert peer.refund(order.ref, order.paid, str(refund_id)).status_code == 201
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "NOTHING_OUTSIDE"
    assert order.money() == (order.paid, 0, order.paid)
    assert states(order.number) == ("refunded", ["done"], ["succeeded"])
    assert differences() == []


def test_what_was_made_good_and_then_arrives_as_well_is_seen(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bought(gateway, peer)
    refund_id = order.lose_refund(lines=[(sku_of(order.number), 1)])
    amount = card_refunds_of(order.number)[0].amount
    session().rollback()
    assert peer.refund(order.ref, amount, "by-hand").status_code == 201
    assert order.note() == amount
    assert states(order.number) == ("paid", ["done"], ["failed"])
    assert peer.refund(order.ref, amount, str(refund_id)).status_code == 201
    for _ in range(2):
        ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
        assert order.money() == (amount, amount, 2 * amount)
        assert ("refunded_twice", "open") in issues_of(order.number)
    assert [one.event for one in get_order_view(order.number).timeline].count("refunded_twice") == 1
    assert differences() == []


def test_without_a_word_on_the_refund_nothing_is_noted(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Bounced(gateway, peer)
    assert peer.refund(order.ref, order.paid, "by-hand").status_code == 201
    before = order.money(), order.stuck()
    session().rollback()
    monkeypatch.setattr(gateway, "fetch_refund", lambda *_: Unknown("no answer"))
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "GATEWAY_UNCLEAR"
    assert (order.money(), order.stuck()) == before
