"""Card refunds that the bank refuses, or sends back after they had arrived: seen, and sent again by staff."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from app.audit.models import AuditEntry
from app.checkout.refunds import send_again
from app.gateways.asking import ask_refund
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session
from app.kernel.errors import Conflict, NotFound
from app.orders.queries import OrderView, get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries as payment_queries
from app.payments.models import ReconciliationIssue
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send, sku_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
REFUSES = "pm_sandbox_refund_fails"


def view(number: str) -> OrderView:
    session().rollback()
    return get_order_view(number)


def states(number: str) -> tuple[str, list[str], list[str]]:
    """Of the order, of its refunds, of the refunds at the card."""
    order = view(number)
    return order.status, [one.state for one in order.refunds], [one.state for one in card_refunds_of(number)]


def issues_of(number: str) -> list[tuple[str, str]]:
    """(kind, state), oldest first."""
    session().rollback()
    rows = session().scalars(select(ReconciliationIssue).order_by(ReconciliationIssue.first_seen_at))
    return [(one.kind, one.state) for one in rows if number in str(one.detail)]


def alerts(number: str) -> int:
    mails = select(OutboxRow).where(OutboxRow.topic == "mail.staff_alert")
    return len([one for one in session().scalars(mails) if one.payload.get("order_number") == number])


def again(number: str, refund_id: uuid.UUID) -> None:
    session().rollback()
    run_atomically(lambda: send_again(number=number, refund_id=refund_id, actor=STAFF))


def bounce(number: str, peer: Gateway) -> uuid.UUID:
    """The bank sends the money of the order's last refund back; the card refund's id."""
    refund = card_refunds_of(number)[-1]
    peer.control(f"refunds/{refund.gateway_ref}/failed")
    session().rollback()
    return refund.id


def test_each_refused_refund_is_an_issue_and_a_mail_of_its_own(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    buyer = Shopper(gateway, price=10_000, quantity=2)
    number = buyer.place(buyer.quote(0), REFUSES)["number"]
    for key in ("a", "b"):
        give_back(number, lines=[(sku_of(number), 1)], key=key)
        send(number, gateway)
    assert states(number) == ("paid", ["stuck", "stuck"], ["failed", "failed"])
    assert issues_of(number) == [("refund_stuck", "open")] * 2
    assert alerts(number) == 2


def test_a_refund_that_was_refused_is_sent_again_under_a_new_key(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    buyer = Shopper(gateway, price=10_000)
    number = buyer.place(buyer.quote(0), REFUSES)["number"]
    give_back(number)
    send(number, gateway)
    (refund,) = view(number).refunds
    again(number, refund.id)
    assert states(number) == ("paid", ["running"], ["failed", "queued"])
    assert issues_of(number) == [("refund_stuck", "resolved")]
    send(number, gateway)
    assert states(number) == ("paid", ["stuck"], ["failed", "failed"])
    assert len(peer.call("GET", "/v1/refunds").json()["data"]) == 2
    assert issues_of(number) == [("refund_stuck", "resolved"), ("refund_stuck", "open")]
    about = select(AuditEntry).where(AuditEntry.target_id == number)
    entry = session().scalars(about.order_by(AuditEntry.seq)).all()[-1]
    assert (entry.action, entry.actor_id) == ("order.refund_sent_again", STAFF.id)


@pytest.mark.parametrize("told_by", ["callback", "walk"])
def test_money_that_a_bank_sends_back_is_not_lost(
    gateway: SandboxGateway, peer: Gateway, told_by: str
) -> None:
    _, number = bought(gateway, points=1_000)
    give_back(number)
    send(number, gateway)
    assert states(number) == ("refunded", ["done"], ["succeeded"])
    refund_id = bounce(number, peer)
    if told_by == "callback":
        ask_refund(refund_id=refund_id, gateway=gateway, actor=system("test"))
    else:
        with clock.travel(minutes=5):
            reconcile(gateway=gateway, actor=system("test"))
    assert states(number) == ("refunded", ["stuck"], ["failed"])
    payment = payment_queries.list_payments_of(number)[0]
    assert payment.refunded == 0
    assert issues_of(number) == [("refund_stuck", "open")]
    assert [one.event for one in view(number).timeline].count("refund_bounced") == 1

    again(number, view(number).refunds[0].id)
    send(number, gateway)
    assert states(number) == ("refunded", ["done"], ["failed", "succeeded"])
    truth = peer.truth(str(payment_queries.list_payments_of(number)[0].id))
    assert truth["amount_refunded"] == truth["amount_captured"]
    send(number, gateway)
    assert states(number) == ("refunded", ["done"], ["failed", "succeeded"])


def test_only_what_is_stuck_is_sent_again(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    _, other = bought(gateway, points=0)
    give_back(number)
    send(number, gateway)
    (refund,) = view(number).refunds
    with pytest.raises(Conflict) as refused:
        again(number, refund.id)
    assert refused.value.code == "REFUND_NOT_STUCK"
    with pytest.raises(NotFound):
        again(other, refund.id)
    assert states(number) == ("refunded", ["done"], ["succeeded"])


def test_sent_twice_at_once_is_sent_once(gateway: SandboxGateway, peer: Gateway) -> None:
    buyer = Shopper(gateway, price=10_000)
    number = buyer.place(buyer.quote(0), REFUSES)["number"]
    give_back(number)
    send(number, gateway)
    (refund,) = view(number).refunds
    again(number, refund.id)
    with pytest.raises(Conflict):
        again(number, refund.id)
    assert states(number) == ("paid", ["running"], ["failed", "queued"])
