"""What staff do about cards: refunds that did not arrive, payments that nobody is sure of."""

from __future__ import annotations

import uuid
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select

from app.gateways.asking import ask_refund
from app.kernel.actor import system
from app.kernel.database import session
from app.orders.queries import OrderView, get_order_view
from app.payments.models import CardRefund, Payment
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import give_back
from tests.sandbox.peers import Gateway
from tests.web.desk import Desk, audit_rows, latest_audit, shows, text_of

pytestmark = pytest.mark.usefixtures("peer")


@pytest.fixture(scope="module")
def admin(app: Flask) -> Desk:
    return Desk(app, "admin")


def order_of(app: Flask, number: str) -> OrderView:
    with app.app_context():
        return get_order_view(number)


def bought(app: Flask, token: str, *, points: int = 0) -> tuple[Shopper, str, uuid.UUID]:
    """(shopper, order, payment)."""
    with app.app_context():
        shopper = Shopper(app.extensions["gateway"], points=5_000)
        number = shopper.place(shopper.quote(points), token)["number"]
        return shopper, number, session().scalars(select(Payment.id).where(Payment.reference == number)).one()


def send(app: Flask, payment_id: uuid.UUID) -> list[str]:
    """What the jobs do; states of the refunds at the card."""
    with app.app_context():
        waiting = select(CardRefund.id).where(CardRefund.payment_id == payment_id)
        rows = list(session().scalars(waiting.order_by(CardRefund.created_at)))
        session().rollback()
        for row in rows:
            ask_refund(refund_id=row, gateway=app.extensions["gateway"], actor=system("test"))
        states = select(CardRefund.state).where(CardRefund.payment_id == payment_id)
        return list(session().scalars(states.order_by(CardRefund.created_at)))


def test_an_order_that_was_given_back_shows_no_move_to_send_it(app: Flask, admin: Desk) -> None:
    _, number, _ = bought(app, "pm_card_visa")
    path = f"/admin/orders/{number}"
    assert "Mark as shipped" in admin.get(path).text
    with app.app_context():
        give_back(number)
    assert "Mark as" not in admin.get(path).text
    before = audit_rows(app)
    refused = admin.post(f"{path}/move", to="shipped")
    assert (refused.status_code, "nothing is left to send" in text_of(refused)) == (409, True)
    assert (order_of(app, number).status, audit_rows(app)) == ("paid", before)


@shows("/admin/orders/<number>/refunds/<uuid:refund_id>/again")
def test_a_refund_that_the_bank_sent_back_is_sent_again(app: Flask, admin: Desk, peer: Gateway) -> None:
    _, number, payment_id = bought(app, "pm_card_visa")
    with app.app_context():
        give_back(number)
    assert send(app, payment_id) == ["succeeded"]
    assert "again</button>" not in admin.get(f"/admin/orders/{number}").text
    refund = peer.call("GET", "/v1/refunds").json()["data"][-1]["id"]
    peer.control(f"refunds/{refund}/failed")
    assert send(app, payment_id) == ["failed"]

    page = admin.get(f"/admin/orders/{number}")
    assert "Send HK$130.00 again" in text_of(page)
    issue = admin.get("/admin/reconciliation/?search=&status=open")
    assert "Refund stuck" in issue.text
    path = f"/admin/orders/{number}/refunds/{order_of(app, number).refunds[0].id}/again"
    before = audit_rows(app)
    answer = admin.post(path)
    assert answer.status_code == 303
    assert "on its way to the card again" in admin.get(answer.location).text
    assert audit_rows(app) == before + 1
    assert (latest_audit(app).action, latest_audit(app).actor_id) == ("order.refund_sent_again", admin.id)
    assert send(app, payment_id) == ["failed", "succeeded"]
    assert (order_of(app, number).status, order_of(app, number).refunds[0].state) == ("refunded", "done")

    before = audit_rows(app)
    refused = admin.post(path)
    assert (refused.status_code, "nothing to send again" in refused.text) == (409, True)
    assert audit_rows(app) == before
    assert send(app, payment_id) == ["failed", "succeeded"]


@shows("/admin/orders/<number>/refunds/<uuid:refund_id>/elsewhere")
def test_a_refund_that_no_card_takes_is_paid_another_way(app: Flask, admin: Desk) -> None:
    _, number, payment_id = bought(app, "pm_sandbox_refund_fails")
    with app.app_context():
        give_back(number)
    assert send(app, payment_id) == ["failed"]
    page, refund = f"/admin/orders/{number}", order_of(app, number).refunds[0]
    path = f"{page}/refunds/{refund.id}/elsewhere"
    shown = admin.get(page)
    assert "HK$130.00 was paid another way" in shown.text
    assert "nothing goes to the card any more, and the customer is told by mail" in text_of(shown)
    assert "paid another way" not in Desk(app, "auditor").get(page).text

    before = audit_rows(app)
    for reference, note, field in (("FT 42", "no", "note"), (" ", "asked for it", "reference")):
        refused = admin.post(path, reference=reference, note=note)
        assert refused.status_code == 422
        assert f'href="#elsewhere-{refund.id}-{field}"' in refused.text
        assert f'id="elsewhere-{refund.id}-{field}-error"' in refused.text
        assert note in refused.text
    assert (order_of(app, number).refunds[0].state, audit_rows(app)) == ("stuck", before)

    answer = admin.post(path, reference="FT <b>42</b>", note="asked for it by mail")
    assert answer.status_code == 303
    shown = admin.get(answer.location)
    assert "HK$130.00 was paid another way. The refund is done" in text_of(shown)
    assert "paid another way: FT <b>42</b>" in unescape(text_of(shown))
    assert "HK$0.00 given back, HK$130.00 paid another way instead" in text_of(shown)
    assert "was paid another way</button>" not in shown.text
    assert audit_rows(app) == before + 1
    assert (latest_audit(app).action, latest_audit(app).actor_id) == ("order.refund_elsewhere", admin.id)
    assert (order_of(app, number).status, order_of(app, number).refunds[0].state) == ("refunded", "done")
    again = admin.post(path, reference="FT 43", note="and once more")
    assert (again.status_code, "nothing to pay another way" in again.text) == (409, True)
    assert audit_rows(app) == before + 1


def doubtful(app: Flask, peer: Gateway, *, surplus_back: bool) -> tuple[str, uuid.UUID]:
    """An order for which the gateway captured a cent too much, and perhaps has given that back."""
    _, number, payment_id = bought(app, "pm_sandbox_wrong_amount")
    if surplus_back:
        assert peer.refund(peer.truth(str(payment_id))["id"], 1, uuid.uuid4().hex).status_code == 201
    return number, payment_id


@shows("/admin/payments/<uuid:payment_id>/accept")
def test_a_doubtful_payment_is_accepted(app: Flask, admin: Desk, peer: Gateway) -> None:
    number, payment_id = doubtful(app, peer, surplus_back=True)
    issue = admin.get(f"/admin/reconciliation/payment_mismatch/{payment_id}")
    assert f'href="/admin/payments/{payment_id}"' in issue.text
    assert f'href="/admin/orders/{number}"' in issue.text
    assert "or accept it on the page of the payment." in text_of(issue)
    assert "Nothing is left to do here." not in text_of(issue)
    assert "Accept what was captured" in admin.get(f"/admin/payments/{payment_id}").text
    before = audit_rows(app)
    answer = admin.post(f"/admin/payments/{payment_id}/accept", note="the surplus went back")
    assert answer.status_code == 303
    assert "The order is paid now" in text_of(admin.get(answer.location))
    assert (order_of(app, number).status, audit_rows(app)) == ("paid", before + 1)
    assert latest_audit(app).action == "payment.accepted"
    closed = text_of(admin.get(f"/admin/reconciliation/payment_mismatch/{payment_id}"))
    assert "Nothing is left to do here." in closed
    assert "Was suggested Look it up at the gateway." in closed
    assert closed.count("or accept it on the page of the payment.") == 1
    listed = text_of(admin.get(f"/admin/reconciliation/?search={payment_id}"))
    assert ("Payment mismatch" in listed, "accept it" in listed) == (True, False)
    assert "Accept what was captured" not in admin.get(f"/admin/payments/{payment_id}").text


@pytest.mark.parametrize(("note", "status"), [("the card paid too much", 409), ("no", 422)])
def test_a_refusal_says_why_and_keeps_the_note(
    app: Flask, admin: Desk, peer: Gateway, note: str, status: int
) -> None:
    number, payment_id = doubtful(app, peer, surplus_back=False)
    before = audit_rows(app)
    answer = admin.post(f"/admin/payments/{payment_id}/accept", note=note)
    assert (answer.status_code, "There is a problem" in answer.text, note in answer.text) == (
        status,
        True,
        True,
    )
    assert ("give HK$0.01 back at the gateway first" in answer.text) is (status == 409)
    assert (order_of(app, number).status, audit_rows(app)) == ("payment_pending", before)


@shows("/admin/payments/<uuid:payment_id>/outside")
def test_money_that_went_back_at_the_gateway_is_noted(app: Flask, admin: Desk, peer: Gateway) -> None:
    _, _, payment_id = bought(app, "pm_card_visa")
    path = f"/admin/payments/{payment_id}"
    assert admin.post(f"{path}/outside", note="nothing went back").status_code == 409
    assert peer.refund(peer.truth(str(payment_id))["id"], 500, uuid.uuid4().hex).status_code == 201
    assert admin.post(f"{path}/ask").status_code == 303
    assert "Money that went back at the gateway" in admin.get(path).text
    before = audit_rows(app)
    answer = admin.post(f"{path}/outside", note="given back by hand")
    assert answer.status_code == 303
    assert audit_rows(app) == before + 1
    shown = text_of(admin.get(path))
    assert "HK$5.00 of it by another hand" in shown
    assert "Take note of it" not in shown


@shows("/admin/payments/<uuid:payment_id>/ask")
def test_support_asks_the_gateway_again(app: Flask, peer: Gateway) -> None:
    support = Desk(app, "support")
    _, number, payment_id = bought(app, "pm_sandbox_timeout_paid")
    path = f"/admin/payments/{payment_id}"
    assert "Ask the gateway again" in support.get(path).text
    assert "Ask the gateway again" not in Desk(app, "auditor").get(path).text
    before = audit_rows(app)
    peer.control("faults", {"fault": "error_500", "next": 10, "on": "any"})
    assert "gave no clear word" in text_of(support.get(support.post(f"{path}/ask").location))
    assert (order_of(app, number).status, audit_rows(app)) == ("payment_pending", before + 1)
    peer.call("DELETE", "/control/faults")
    answer = support.post(f"{path}/ask")
    assert "The payment is captured" in text_of(support.get(answer.location))
    assert (order_of(app, number).status, audit_rows(app)) == ("paid", before + 2)
    assert (latest_audit(app).action, latest_audit(app).actor_id) == ("payment.asked", support.id)


@shows("/admin/orders/<number>/cancel")
def test_staff_cancel_an_order(app: Flask, admin: Desk) -> None:
    _, number, payment_id = bought(app, "pm_card_visa", points=500)
    assert admin.post(f"/admin/orders/{number}/cancel", note=" ").status_code == 422
    assert order_of(app, number).status == "paid"
    before = audit_rows(app)
    answer = admin.post(f"/admin/orders/{number}/cancel", note="asked for it by mail")
    assert "The order is cancelled" in text_of(admin.get(answer.location))
    assert (order_of(app, number).status, audit_rows(app)) == ("cancelled", before + 1)
    assert (latest_audit(app).action, latest_audit(app).reason) == ("order.cancel", "asked for it by mail")
    assert send(app, payment_id) == ["succeeded"]
    assert "Cancel the order" not in admin.get(f"/admin/orders/{number}").text
    assert admin.post(f"/admin/orders/{number}/cancel", note="and once more").status_code == 409
    assert audit_rows(app) == before + 1


def test_a_wish_to_cancel_waits_for_the_gateways_word(app: Flask, admin: Desk, peer: Gateway) -> None:
    number, _ = doubtful(app, peer, surplus_back=False)
    answer = admin.post(f"/admin/orders/{number}/cancel", note="asked for it by mail")
    assert "The order ends as soon as it does" in text_of(admin.get(answer.location))
    assert order_of(app, number).status == "payment_pending"
