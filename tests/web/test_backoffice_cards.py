"""What staff do about cards: refunds that did not arrive, payments that nobody is sure of."""

from __future__ import annotations

import uuid

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
