"""Money of a disputed payment leaves the shop once: by the bank or by a refund, never by both."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import AuditEntry
from app.checkout import refund as refunds
from app.checkout.covering import list_waiting
from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_payment
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import run_atomically, session
from app.kernel.errors import Conflict
from app.orders.models import OrderRefund
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import issues, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.gateway import DISPUTED
from app.payments.models import Payment
from app.payments.refunds import PaymentDisputed, retry_refund
from app.rewards.queries import get_balance
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.refunding import bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_cancelling import cancel_order
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway

ACTOR = system("test")
CARD = 22_000
"""What the card pays of an order without points: two things at HK$100, and delivery."""
pytestmark = pytest.mark.usefixtures("app_context")


def told(number: str, status: Any, *, amount: int | None = None, ref: str | None = None) -> str:
    """The bank's word on the order's payment; the dispute's id."""
    payment = queries.list_payments_of(number)[-1]
    ref = ref or f"dp_{payment.id.hex}"
    truth = DisputeSnapshot(
        gateway_ref=ref,
        payment_ref=str(payment.gateway_ref),
        status=status,
        amount=payment.amount if amount is None else amount,
        currency="HKD",
        reason="fraudulent",
    )
    session().rollback()
    settle_dispute(gateway="sandbox", truth=truth, actor=ACTOR)
    session().rollback()
    return ref


def state_of(shopper: Shopper, number: str) -> Any:
    """Everything that a refused refund must not have touched."""
    session().rollback()
    session().expire_all()
    order, balance = get_order_view(number), get_balance(shopper.id)
    payment = queries.list_payments_of(number)[-1]
    rows = [len(session().scalars(select(model)).all()) for model in (OrderRefund, OutboxRow, AuditEntry)]
    found = (order.status, len(order.timeline), balance, payment.refunded, card_refunds_of(number), rows)
    session().rollback()
    return (*found, stock_of(shopper.variant_id))


@pytest.mark.parametrize("points", [0, 1_000])
def test_while_the_bank_decides_nothing_is_refunded(gateway: SandboxGateway, points: int) -> None:
    shopper, number = bought(gateway, points=points)
    told(number, "open")
    before = state_of(shopper, number)
    for lines in (None, [(sku_of(number), 1)]):
        with pytest.raises(PaymentDisputed) as refused:
            give_back(number, lines=lines)
        assert refused.value.code == "PAYMENT_DISPUTED"
        with pytest.raises(PaymentDisputed):
            refunds.preview(number=number, lines=lines, strategy="proportional")
        assert state_of(shopper, number) == before
    with pytest.raises(Conflict) as conflict:
        cancel_order(shopper, number)
    assert conflict.value.code == "PAYMENT_DISPUTED"
    assert state_of(shopper, number) == before


def test_points_may_go_back_meanwhile(gateway: SandboxGateway) -> None:
    """What the bank decides about is the card's money."""
    _, number = bought(gateway, points=1_000)
    told(number, "open")
    made = give_back(number, lines=[(sku_of(number), 1)], strategy="points_first")
    assert (made.points > 0, made.card.amount, made.state) == (True, 0, "done")


def test_after_it_was_won_refunds_go_on(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    told(number, "open")
    told(number, "won")
    made = give_back(number)
    send(number, gateway)
    payment = queries.list_payments_of(number)[0]
    assert (made.card.amount, payment.refunded) == (payment.captured, payment.captured)
    assert peer.truth(str(payment.id))["amount_refunded"] == payment.captured


@pytest.mark.parametrize("way", ["refund", "cancel"])
def test_what_the_bank_gave_back_is_recorded_and_not_sent_again(
    gateway: SandboxGateway, peer: Gateway, way: str
) -> None:
    shopper, number = bought(gateway, points=1_000)
    told(number, "lost")
    before = get_balance(shopper.id).available
    if way == "refund":
        give_back(number)
    else:
        cancel_order(shopper, number)
    order = get_order_view(number)
    assert order.status == ("refunded" if way == "refund" else "cancelled")
    assert get_balance(shopper.id).available == before + 1_000
    (row,) = session().scalars(select(OrderRefund).filter_by(order_id=order.id))
    assert (row.state, row.card, row.card_refund_id) == (
        "done",
        queries.list_payments_of(number)[0].captured,
        None,
    )
    assert card_refunds_of(number) == []
    assert peer.truth(str(queries.list_payments_of(number)[0].id))["amount_refunded"] == 0
    texts = [event.text for event in order.timeline]
    assert way == "cancel" or any("has been given back to your card already" in text for text in texts)


def test_a_part_that_the_bank_took_is_not_sent_again(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    told(number, "lost", amount=5_000)
    give_back(number)
    send(number, gateway)
    payment = queries.list_payments_of(number)[0]
    assert payment.refunded == payment.captured - 5_000
    assert peer.truth(str(payment.id))["amount_refunded"] == payment.captured - 5_000


def test_a_refund_that_was_queued_before_the_dispute_came_waits(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    _, number = bought(gateway, points=0)
    give_back(number)
    told(number, "open")
    send(number, gateway)
    payment = queries.list_payments_of(number)[0]
    (refund,) = card_refunds_of(number)
    assert (refund.state, refund.last_error, payment.refunded) == ("failed", DISPUTED, 0)
    assert peer.truth(str(payment.id))["amount_refunded"] == 0
    assert queries.get_issue("refund_waits", str(refund.id)).state == "open"
    session().rollback()
    with pytest.raises(PaymentDisputed):
        run_atomically(lambda: retry_refund(refund_id=refund.id))
    assert list_waiting(get_order_view(number).id) == {get_order_view(number).refunds[0].id: True}
    session().rollback()
    told(number, "won")
    assert list_waiting(get_order_view(number).id) == {}
    send(number, gateway)
    assert peer.truth(str(payment.id))["amount_refunded"] == payment.captured
    assert get_order_view(number).status == "refunded"
    assert queries.get_issue("refund_waits", str(refund.id)).state == "auto_fixed"


class Late:
    """An order whose card was charged after it had failed and been cancelled, and disputed before we knew."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        self.gateway, self.peer = gateway, peer
        self.shopper = Shopper(gateway, points=0, price=10_000)
        placed = self.shopper.place(self.shopper.quote(), "pm_card_chargeDeclined")
        assert placed["status"] == "payment_failed"
        self.number = placed["number"]
        cancel_order(self.shopper, self.number)
        self.payment = queries.list_payments_of(self.number)[0].id
        session().rollback()
        peer.control(f"payments/{peer.truth(str(self.payment))['id']}/late-authorize")
        told(self.number, "open")
        ask_payment(payment_id=self.payment, gateway=gateway, actor=ACTOR)
        session().rollback()

    def facts(self) -> tuple[str, str, str]:
        """Status of the order, state of its refund, state of the refund of its card."""
        session().rollback()
        session().expire_all()
        order = get_order_view(self.number)
        row = session().scalars(select(OrderRefund).filter_by(order_id=order.id)).one()
        (card,) = card_refunds_of(self.number)
        return order.status, row.state, card.state

    def issue_state(self) -> str:
        (card,) = card_refunds_of(self.number)
        state = queries.get_issue("refund_waits", str(card.id)).state
        session().rollback()
        return state

    def mails(self) -> int:
        """To the shopper, about the refund."""
        keys = select(OutboxRow.id).where(
            OutboxRow.topic == "mail.order_refunded",
            OutboxRow.payload["order_number"].astext == self.number,
        )
        return len(session().scalars(keys).all())


def test_late_money_that_is_disputed_goes_to_review_and_is_not_lost(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    late = Late(gateway, peer)
    assert late.facts() == ("needs_review", "stuck", "failed")
    assert (late.issue_state(), late.mails()) == ("open", 0)
    assert peer.truth(str(late.payment))["amount_refunded"] == 0
    alerts = session().scalars(
        select(OutboxRow.payload["text"].astext).where(
            OutboxRow.topic == "mail.staff_alert",
            OutboxRow.payload["order_number"].astext == late.number,
        )
    )
    assert any("so the refund waits" in (text or "") for text in alerts)


def test_it_goes_out_once_when_the_shop_has_won(gateway: SandboxGateway, peer: Gateway) -> None:
    late = Late(gateway, peer)
    told(late.number, "won")
    assert late.facts() == ("needs_review", "running", "queued")
    assert (late.issue_state(), late.mails()) == ("auto_fixed", 1)
    for _ in range(2):
        send(late.number, gateway)
        told(late.number, "won")
    assert late.facts() == ("refunded", "done", "succeeded")
    truth = peer.truth(str(late.payment))
    assert truth["amount_refunded"] == truth["amount_captured"]


def test_it_never_goes_out_when_the_bank_has_done_it(gateway: SandboxGateway, peer: Gateway) -> None:
    late = Late(gateway, peer)
    told(late.number, "lost")
    assert late.facts() == ("refunded", "done", "failed")
    assert late.issue_state() == "auto_fixed"
    assert peer.truth(str(late.payment))["amount_refunded"] == 0
    with pytest.raises(PaymentDisputed):
        run_atomically(lambda: retry_refund(refund_id=card_refunds_of(late.number)[0].id))


def test_a_cancel_that_came_before_the_dispute_waits_for_staff(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """The shopper wished to cancel while the bank was silent; then it had charged, and was called."""
    shopper = Shopper(gateway, points=0, price=10_000)
    placed = shopper.place(shopper.quote(), "pm_card_authenticationRequired")
    number = placed["number"]
    payment_id, _ = truth_about(gateway, number)
    peer.control(f"payments/{queries.list_payments_of(number)[0].gateway_ref}/paid")
    session().rollback()

    def wish() -> None:
        session().get_one(Payment, payment_id).cancel_requested_at = get_order_view(number).placed_at

    run_atomically(wish)
    told(number, "open")
    ask_payment(payment_id=payment_id, gateway=gateway, actor=ACTOR)
    session().rollback()
    assert get_order_view(number).status == "paid"
    assert queries.get_issue("cancel_waits", number).state == "open"
    assert card_refunds_of(number) == []


def test_other_orders_are_none_of_its_business(gateway: SandboxGateway) -> None:
    _, disputed = bought(gateway, points=0)
    _, other = bought(gateway, points=0)
    told(disputed, "open", ref=f"dp_{uuid.uuid4().hex}")
    assert give_back(other).state == "running"
    assert issues.find_issue("refund_waits", disputed) is None
