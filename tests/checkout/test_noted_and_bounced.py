"""Money that staff had given back at the gateway, that the shop took note of, and that the bank sends back."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from app.audit.models import AuditEntry
from app.checkout import by_hand
from app.checkout.covering import list_owed
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import Conflict
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.rules import OF_OURS, TAKE_BACK, TAKE_NOTE
from tests.checkout.refunding import STAFF, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_by_hand import Doubtful
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_disputes_decided import again
from tests.checkout.test_refund_words import ACTOR, Bought, differences
from tests.checkout.test_stuck_refunds import issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
NOTED = 5_000


class Noted(Bought):
    """Staff have given some of it back at the gateway."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway, amount: int = NOTED) -> None:
        super().__init__(gateway, peer)
        if amount:
            self.by_hand(amount)

    def by_hand(self, amount: int) -> None:
        made = self.peer.refund(self.ref, amount, uuid.uuid4().hex)
        assert made.status_code == 201
        self.outside = made.json()["id"]
        assert self.note() == amount

    def come_back(self) -> None:
        """The bank sends that back; the payment is asked about some time later."""
        self.peer.control(f"refunds/{self.outside}/failed")
        with clock.travel(minutes=5):
            ask_payment(payment_id=self.payment, gateway=self.gateway, actor=ACTOR)
        session().rollback()

    def suggestion(self) -> str:
        issue = queries.get_issue("refund_differs", str(self.payment))
        found = issue.suggestion if issue.state == "open" else issue.state
        session().rollback()
        return found

    def settled(self, status: str = "refunded") -> None:
        """Nothing moves any more, and the customer has what was paid, once."""
        with clock.travel(minutes=10):
            reconcile(gateway=self.gateway, actor=ACTOR)
            match(gateway=self.gateway, day=clock.now().date(), actor=ACTOR)
        assert states(self.number)[0] == status
        assert set(states(self.number)[1]) == {"done"}
        ours, outside, theirs = self.money()
        assert (ours + outside, theirs) == (self.paid, self.paid)
        assert "open" not in {state for _, state in issues_of(self.number)}
        assert differences() == []


def test_what_no_refund_counted_on_counts_no_more(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Noted(gateway, peer)
    audited = len(session().scalars(select(AuditEntry)).all())
    order.come_back()
    assert order.suggestion() == TAKE_BACK
    assert order.note() == -NOTED
    assert order.suggestion() == "resolved"
    assert order.money() == (0, 0, 0)
    assert card_refunds_of(order.number) == []
    assert len(session().scalars(select(AuditEntry)).all()) == audited + 1
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "NOTHING_OUTSIDE"
    session().rollback()
    give_back(order.number)
    send(order.number, gateway)
    assert order.money() == (order.paid, 0, order.paid)
    order.settled()


@pytest.mark.parametrize("amount", [NOTED, 23_000])
def test_what_a_refund_counted_on_is_sent_again(gateway: SandboxGateway, peer: Gateway, amount: int) -> None:
    """A part of the refund, or all of it, had gone back by hand."""
    order = Noted(gateway, peer, amount)
    give_back(order.number)
    send(order.number, gateway)
    assert order.money() == (order.paid - amount, amount, order.paid)
    assert states(order.number)[:2] == ("refunded", ["done"])
    order.come_back()
    assert order.note() == -amount
    assert states(order.number)[:2] == ("refunded", ["done", "running"])
    assert get_order_view(order.number).timeline[-1].event == "refund_again"
    assert differences() == []
    send(order.number, gateway)
    assert order.money() == (order.paid, 0, order.paid)
    order.settled()


def test_what_had_ended_a_stuck_refund_is_sent_again(gateway: SandboxGateway, peer: Gateway) -> None:
    """And made good by hand once more when it does not arrive that time either."""
    order = Noted(gateway, peer)
    give_back(order.number)
    send(order.number, gateway)
    bounce(order)
    order.by_hand(order.paid - NOTED)
    assert states(order.number)[1:] == (["done"], ["failed"])
    order.come_back()
    assert order.note() == NOTED - order.paid
    send(order.number, gateway)
    assert order.money() == (order.paid - NOTED, NOTED, order.paid)
    assert states(order.number)[1:] == (["done", "done"], ["failed", "succeeded"])
    bounce(order)
    assert states(order.number)[1:] == (["done", "stuck"], ["failed", "failed"])
    order.by_hand(order.paid - NOTED)
    assert states(order.number)[1:] == (["done", "done"], ["failed", "failed"])
    assert order.money() == (0, order.paid, order.paid)
    order.settled()


def test_only_what_refunds_counted_on_is_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    """A refund of one thing goes out as a whole; what was noted would have counted for the rest of the order."""
    order = Noted(gateway, peer)
    give_back(order.number, lines=[(sku_of(order.number), 1)], key="first")
    send(order.number, gateway)
    order.come_back()
    assert order.note() == -NOTED
    assert states(order.number)[:2] == ("paid", ["done"])
    give_back(order.number, key="rest")
    send(order.number, gateway)
    assert order.money() == (order.paid, 0, order.paid)
    order.settled()


def test_while_a_bank_decides_it_waits(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Noted(gateway, peer)
    give_back(order.number)
    send(order.number, gateway)
    order.come_back()
    told(order.number, "open", amount=NOTED)
    assert order.note() == -NOTED
    assert states(order.number)[1] == ["done", "stuck"]
    assert ("refund_waits", "open") in issues_of(order.number)
    assert get_order_view(order.number).timeline[-1].text.endswith("goes out when the dispute is decided.")
    session().rollback()
    told(order.number, "won", amount=NOTED)
    assert states(order.number)[1] == ["done", "running"]
    send(order.number, gateway)
    order.settled()


def test_a_refund_of_ours_that_bounced_takes_nothing_from_what_was_noted(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    order = Noted(gateway, peer)
    give_back(order.number)
    send(order.number, gateway)
    (refund,) = card_refunds_of(order.number)
    peer.control(f"refunds/{refund.gateway_ref}/failed")
    session().rollback()
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "NOTHING_OUTSIDE"
    assert order.money() == (0, NOTED, NOTED)
    assert states(order.number)[1:] == (["stuck"], ["failed"])
    again(order.number)
    send(order.number, gateway)
    order.settled()


def test_what_was_captured_too_much_has_to_go_back_at_the_gateway(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """It is not the order's: the shop sends none of it."""
    doubtful = Doubtful(gateway, peer)
    made = peer.refund(doubtful.truth["id"], 1, "one-cent")
    assert made.status_code == 201
    doubtful.accept()
    peer.control(f"refunds/{made.json()['id']}/failed")
    session().rollback()
    with pytest.raises(Conflict) as refused:
        by_hand.note_refund(payment_id=doubtful.payment_id, note="came back", gateway=gateway, actor=STAFF)
    assert refused.value.code == "LESS_THAN_NOTED"
    session().rollback()
    assert queries.get_payment(doubtful.payment_id).refunded_outside == 1
    assert card_refunds_of(doubtful.number) == []


def test_what_moves_while_it_is_asked_about_is_not_noted(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Noted(gateway, peer)
    order.come_back()
    before = order.money()
    asked = iter([lambda: None, lambda: peer.refund(order.ref, 300, "just-now")])
    fetch = gateway.fetch

    def slowly(*about: object) -> object:
        next(asked)()
        return fetch(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway, "fetch", slowly)
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "GATEWAY_UNCLEAR"
    assert order.money()[:2] == before[:2]


def test_what_the_shop_sends_once_the_gateway_has_answered_is_not_noted(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last answer is older than the refund of ours that has arrived since: nothing has come back."""
    order = Noted(gateway, peer, 18_000)
    give_back(order.number)
    session().rollback()
    fetch, answers = gateway.fetch, []

    def slowly(payment_id: uuid.UUID, gateway_ref: str | None) -> object:
        answers.append(fetch(payment_id, gateway_ref))
        if len(answers) == 2:
            send(order.number, gateway)
            session().rollback()
        return answers[-1]

    monkeypatch.setattr(gateway, "fetch", slowly)
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "GATEWAY_UNCLEAR"
    monkeypatch.undo()
    assert order.money() == (order.paid - 18_000, 18_000, order.paid)
    order.settled()


def test_staff_read_which_of_the_two_it_is(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bought(gateway, peer)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    send(order.number, gateway)
    peer.refund(order.ref, 300, "by-hand")
    seen = []
    for refund in (None, card_refunds_of(order.number)[0].gateway_ref):
        if refund:
            peer.control(f"refunds/{refund}/failed")
        with clock.travel(minutes=5):
            ask_payment(payment_id=order.payment, gateway=gateway, actor=ACTOR)
        seen.append(queries.get_issue("refund_differs", str(order.payment)).suggestion)
        session().rollback()
    assert seen == [TAKE_NOTE, OF_OURS]


def bounce(order: Noted) -> None:
    """The newest card refund comes back."""
    refund = card_refunds_of(order.number)[-1]
    refund_id, ref = refund.id, refund.gateway_ref
    session().rollback()
    order.peer.control(f"refunds/{ref}/failed")
    ask_refund(refund_id=refund_id, gateway=order.gateway, actor=ACTOR)


def test_of_what_is_sent_again_a_part_is_made_good_by_hand(gateway: SandboxGateway, peer: Gateway) -> None:
    """One of two things: there is more left of the payment than is owed."""
    order = Noted(gateway, peer, 0)
    give_back(order.number, lines=[(sku_of(order.number), 1)], key="first")
    send(order.number, gateway)
    amount = card_refunds_of(order.number)[0].amount
    bounce(order)
    order.by_hand(amount)
    order.come_back()
    assert order.note() == -amount
    send(order.number, gateway)
    bounce(order)
    order.by_hand(700)
    assert list(list_owed(get_order_view(order.number).id).values()) == [amount - 700]
    session().rollback()
    again(order.number)
    send(order.number, gateway)
    assert order.money() == (amount - 700, 700, amount)
    assert states(order.number)[:2] == ("paid", ["done", "done"])
    assert differences() == []
