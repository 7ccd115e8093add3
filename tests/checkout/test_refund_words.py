"""The gateway's word on a refund that has failed, and staff who take note while one is on its way."""

from __future__ import annotations

import uuid

import pytest

from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.checkout import by_hand
from app.checkout.refunds import send_again, settle_refund
from app.gateways.asking import ask_refund
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import Conflict
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.gateway import NEVER_ARRIVED, RefundSnapshot
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_stuck_refunds import bounce, issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
ACTOR = system("test")


class Bought:
    """An order that the card paid alone."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway, quantity: int = 2) -> None:
        self.gateway, self.peer = gateway, peer
        _, self.number = bought(gateway, points=0, quantity=quantity)
        payment = queries.list_payments_of(self.number)[0]
        self.payment, self.ref, self.paid = payment.id, str(payment.gateway_ref), payment.captured
        session().rollback()

    def lose_refund(self, lines: list[tuple[str, int]] | None = None) -> uuid.UUID:
        """All of it, or `lines`, is given back, and lost on the way: the card refund, which has failed a day later."""
        give_back(self.number, lines=lines)
        self.peer.control("faults", {"fault": "error_500", "next": 1})
        send(self.number, self.gateway)
        with clock.travel(hours=24):
            send(self.number, self.gateway)
        (refund,) = card_refunds_of(self.number)
        assert (refund.state, refund.last_error) == ("failed", NEVER_ARRIVED)
        refund_id = refund.id
        session().rollback()
        return refund_id

    def money(self) -> tuple[int, int, int]:
        """Ours: given back by card, by another hand; the gateway's: given back."""
        session().rollback()
        payment = queries.get_payment(self.payment)
        ours = payment.refunded, payment.refunded_outside
        session().rollback()
        return (*ours, self.peer.truth(str(self.payment))["amount_refunded"])

    def note(self) -> int:
        session().rollback()
        return by_hand.note_refund(
            payment_id=self.payment, note="given back by hand", gateway=self.gateway, actor=STAFF
        )


def differences() -> list[str]:
    session().rollback()
    with transaction():
        return [f"{one.name}: {one.samples}" for one in verification.run(PROBES).differences]


def test_asking_about_a_refund_that_has_failed_never_sends_it(gateway: SandboxGateway, peer: Gateway) -> None:
    """It is young enough to be sent, and the gateway has never heard of it; but staff have to decide that."""
    order = Bought(gateway, peer)
    refund_id = order.lose_refund()
    assert ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR) is None
    with clock.travel(minutes=10):
        reconcile(gateway=gateway, actor=ACTOR)
    assert order.money() == (0, 0, 0)
    assert peer.call("GET", "/v1/refunds").json()["data"] == []
    assert states(order.number) == ("paid", ["stuck"], ["failed"])


def test_a_lost_refund_that_turns_up_counts_as_given_back(gateway: SandboxGateway, peer: Gateway) -> None:
    order = Bought(gateway, peer)
    refund_id = order.lose_refund()
    assert peer.refund(order.ref, order.paid, str(refund_id)).status_code == 201
    for _ in range(2):
        ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
        assert order.money() == (order.paid, 0, order.paid)
        assert states(order.number) == ("refunded", ["done"], ["succeeded"])
    assert issues_of(order.number) == [("refund_stuck", "auto_fixed")]
    assert differences() == []


def test_what_the_bank_sent_back_does_not_arrive_by_a_stale_word(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """`succeeded` was on its way longer than `failed`, which came after it."""
    order = Bought(gateway, peer)
    give_back(order.number)
    send(order.number, gateway)
    refund = card_refunds_of(order.number)[0]
    stale = RefundSnapshot(
        key=str(refund.id),
        gateway_ref=str(refund.gateway_ref),
        payment_ref=order.ref,
        status="succeeded",
        amount=refund.amount,
        currency="HKD",
    )
    refund_id = bounce(order.number, peer)
    ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
    before = states(order.number), order.money(), issues_of(order.number)
    assert before[:2] == (("refunded", ["stuck"], ["failed"]), (0, 0, 0))
    settle_refund(refund_id=refund_id, truth=stale, actor=ACTOR)
    assert (states(order.number), order.money(), issues_of(order.number)) == before
    stuck = get_order_view(order.number).refunds[0].id
    session().rollback()
    run_atomically(lambda: send_again(number=order.number, refund_id=stuck, actor=STAFF))
    send(order.number, gateway)
    assert order.money() == (order.paid, 0, order.paid)
    assert differences() == []


@pytest.mark.parametrize("way", ["queued", "sent without a word"])
def test_while_a_refund_is_on_its_way_no_note_is_taken(
    gateway: SandboxGateway, peer: Gateway, way: str
) -> None:
    """How much somebody else gave back cannot be told yet."""
    order = Bought(gateway, peer)
    give_back(order.number, lines=[(sku_of(order.number), 1)])
    if way != "queued":
        peer.control("faults", {"fault": "timeout_after", "next": 1})
        send(order.number, gateway)
    amount = card_refunds_of(order.number)[0].amount
    session().rollback()
    assert peer.refund(order.ref, amount + 500, "by-hand").status_code == 201
    before = order.money()
    with pytest.raises(Conflict) as refused:
        order.note()
    assert refused.value.code == "REFUND_UNDER_WAY"
    assert order.money() == before
    send(order.number, gateway)
    assert order.note() == amount + 500
    assert order.money() == (amount, amount + 500, 2 * amount + 500)
    assert get_order_view(order.number).status == "paid"
    assert differences() == []
