"""What staff and shopper are told of disputes, and of refunds that wait for them, also where only the gateway knows."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.checkout.by_hand import cancel
from app.checkout.covering import list_waiting
from app.checkout.disputes import GONE
from app.checkout.elsewhere import note_paid_elsewhere
from app.checkout.refunds import send_again
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from app.payments.gateway import DISPUTED
from app.payments.refunds import PaymentDisputed
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send
from tests.checkout.test_disputed_refunds import told
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def alerts(number: str) -> int:
    """Mails to staff about the order."""
    about = OutboxRow.payload["order_number"].astext == number
    rows = select(OutboxRow).where(OutboxRow.topic == "mail.staff_alert", about)
    found = len(session().scalars(rows).all())
    session().rollback()
    return found


def test_the_issue_of_a_dispute_that_was_won_says_so(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    ref = told(number, "open")
    told(number, "won")
    issue = queries.get_issue("dispute", ref)
    assert (issue.state, issue.detail["status"]) == ("auto_fixed", "won")


def test_what_nothing_waits_for_is_not_said_to_wait(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    told(number, "open", ref="dp_first")
    assert "What it earns waits" in get_order_view(number).timeline[-1].text
    told(number, "open", ref="dp_other")
    assert "What it earns waits" in get_order_view(number).timeline[-1].text, "still"
    told(number, "won", ref="dp_first")
    told(number, "won", ref="dp_other")
    give_back(number)
    send(number, gateway)
    told(number, "open", ref="dp_second")
    assert get_order_view(number).timeline[-1].text == "Your bank disputes the card payment of this order."


def test_what_a_lost_dispute_asks_staff_for_is_done_with_the_cancel(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    ref = told(number, "lost", amount=5_000)
    issue = queries.get_issue("dispute", ref)
    assert (issue.state, issue.suggestion) == ("open", GONE)
    session().rollback()
    cancel(number=number, reason="the money is gone", gateway=gateway, actor=STAFF)
    issue = queries.get_issue("dispute", ref)
    assert (issue.state, issue.resolution) == ("resolved", "The order is cancelled.")


def test_a_dispute_that_only_the_gateway_knows_makes_the_refund_wait(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    _, number = bought(gateway, points=0)
    payment = queries.list_payments_of(number)[0]
    payment_id, payment_ref = payment.id, payment.gateway_ref
    session().rollback()
    ref = peer.control(f"payments/{payment_ref}/dispute")["id"]
    give_back(number)
    send(number, gateway)
    (refund,) = card_refunds_of(number)
    assert (refund.state, refund.last_error) == ("failed", DISPUTED)
    assert queries.get_issue("refund_waits", str(refund.id)).state == "open"
    assert peer.truth(str(payment_id))["amount_refunded"] == 0
    (waits,) = get_order_view(number).refunds
    assert list_waiting(get_order_view(number).id) == {waits.id: False}
    session().rollback()
    mails = alerts(number)
    with pytest.raises(PaymentDisputed):
        run_atomically(
            lambda: note_paid_elsewhere(
                number=number, refund_id=waits.id, reference="FPS 123", note="card is gone", actor=STAFF
            )
        )
    with clock.travel(minutes=1):
        run_atomically(lambda: send_again(number=number, refund_id=waits.id, actor=STAFF))
        assert queries.get_issue("refund_waits", str(refund.id)).state == "resolved"
        session().rollback()
        send(number, gateway)
    assert queries.get_issue("refund_waits", str(refund.id)).state == "open", "refused once more"
    assert alerts(number) == mails + 1
    assert queries.list_payments_of(number)[0].returned_elsewhere == 0
    session().rollback()
    peer.control(f"disputes/{ref}/won")
    told(number, "won", ref=ref)
    send(number, gateway)
    assert get_order_view(number).status == "refunded"
    assert peer.truth(str(payment_id))["amount_refunded"] == queries.list_payments_of(number)[0].captured


def test_one_that_was_decided_before_says_nothing_of_the_next(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    payment_ref = queries.list_payments_of(number)[0].gateway_ref
    told(number, "open", ref="dp_before")
    told(number, "won", ref="dp_before")
    peer.control(f"payments/{payment_ref}/dispute")
    with clock.travel(minutes=1):
        give_back(number)
        send(number, gateway)
    (waits,) = get_order_view(number).refunds
    assert list_waiting(get_order_view(number).id) == {waits.id: False}
    session().rollback()
    with pytest.raises(PaymentDisputed):
        run_atomically(
            lambda: note_paid_elsewhere(
                number=number, refund_id=waits.id, reference="FPS 123", note="card is gone", actor=STAFF
            )
        )
    assert queries.list_payments_of(number)[0].returned_elsewhere == 0
