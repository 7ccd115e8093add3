"""A callback is stored once, answered at once, believed never: the job asks the gateway."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import create_app
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.outbox import delivery
from app.outbox.models import OutboxRow
from app.payments import queries
from app.payments.models import WebhookEvent
from jobs.execute import run
from tests.checkout.conftest import Shopper
from tests.sandbox.peers import SECRET, Gateway

URL = "/api/v1/webhooks/payments/sandbox"
pytestmark = pytest.mark.usefixtures("app_context")


def sign(body: bytes, *, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    from sandbox.gateway.events import signature_header

    return {"Sandbox-Signature": signature_header(body, [secret], int(at or time.time()))}


def event(number: int = 1, **changes: Any) -> bytes:
    payment = {
        "id": "pay_x",
        "idempotency_key": "0192d1f0-0000-7000-8000-000000000001",
        "status": "captured",
        "amount": 1,
        "amount_captured": 1,
        "amount_refunded": 0,
        "currency": "HKD",
        "reference": "MPC-NONE",
    }
    body = {"id": f"evt_{number}", "type": "payment.captured", "created_at": "2026-01-01T00:00:00Z"}
    return json.dumps(body | {"data": {"payment": payment}} | changes).encode()


def stored() -> tuple[list[str], list[str]]:
    session().rollback()
    events = session().scalars(select(WebhookEvent.event_id).order_by(WebhookEvent.event_id))
    topics = session().scalars(select(OutboxRow.dedupe_key).where(OutboxRow.topic == "payments.webhook"))
    return list(events), sorted(topics)


def test_a_callback_is_stored_once_however_often_it_comes(client: FlaskClient) -> None:
    body = event(1)
    for _ in range(3):
        answer = client.post(URL, data=body, headers=sign(body))
        assert answer.status_code == 200
        assert answer.get_json() == {"status": "success", "message": "Received.", "data": None}
    assert stored() == (["evt_1"], ["webhook:sandbox:evt_1"])
    row = session().scalars(select(WebhookEvent)).one()
    assert (row.raw, row.state, row.object_ref) == (body, "received", "pay_x")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sandbox-Signature": "t=1,v1=00"},
        sign(event(9), secret="whsec_other"),
        sign(event(9), at=time.time() - 900),
        sign(event(9), at=time.time() + 90_000),
        sign(event(8)),
        {"Sandbox-Signature": "\u00e9"},
    ],
)
def test_what_the_gateway_did_not_sign_leaves_no_trace(client: FlaskClient, headers: dict[str, str]) -> None:
    before = stored()
    answer = client.post(URL, data=event(9), headers=headers)
    assert answer.status_code == 400
    assert answer.get_json()["data"]["code"] == "SIGNATURE_INVALID"
    assert stored() == before


@pytest.mark.parametrize("field", ["id", "idempotency_key"])
def test_a_signed_callback_that_cannot_be_kept_is_refused(client: FlaskClient, field: str) -> None:
    callback, before = json.loads(event(5)), stored()
    callback["data"]["payment"][field] = "nul\0"
    body = json.dumps(callback).encode()
    assert client.post(URL, data=body, headers=sign(body)).status_code == 400
    assert stored() == before


def test_other_gateways_other_methods_and_floods(client: FlaskClient) -> None:
    body, before = event(7), stored()
    assert client.post(URL.replace("sandbox", "stripe"), data=body, headers=sign(body)).status_code == 404
    assert client.get(URL).status_code == 405
    flood = b"x" * (256 * 1024 + 1)
    answer = client.post(URL, data=flood, headers=sign(flood))
    assert (answer.status_code, answer.get_json()["data"]["code"]) == (413, "BODY_TOO_LARGE")
    assert stored() == before


def test_without_a_database_the_gateway_is_asked_to_come_again(app: Flask) -> None:
    broken = create_app({"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://nobody@127.0.0.1:9/none"})
    body = event(6)
    answer = broken.test_client().post(URL, data=body, headers=sign(body))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def deliver(client: FlaskClient, peer: Gateway, payment: str, order: tuple[int, ...]) -> None:
    """The events of a payment, as the gateway signs them, in this order."""
    events = peer.events(payment)
    for index in order:
        told = events[index]
        header = {"Sandbox-Signature": told["signature"]}
        assert client.post(URL, data=told["raw"], headers=header).status_code == 200


def run_due(app: Flask, payment_key: str) -> int:
    """Run the callbacks about a payment that are not done yet, as a worker would; how many."""
    about = OutboxRow.payload["payment_key"].as_string() == payment_key
    statement = select(OutboxRow.id).where(
        OutboxRow.topic == "payments.webhook", about, OutboxRow.done_at.is_(None)
    )
    session().rollback()
    rows = list(session().scalars(statement))
    session().rollback()
    for row_id in rows:
        run(app, row_id)
    return len(rows)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_of_callbacks_ends_the_same(
    app: Flask, client: FlaskClient, gateway: SandboxGateway, peer: Gateway, order: tuple[int, ...]
) -> None:
    shopper = Shopper(gateway, points=5_000)
    placed = shopper.place(shopper.quote(500), "pm_sandbox_timeout_paid")
    assert placed["status"] == "payment_pending"
    payment = queries.list_payments_of(placed["number"])[0].id
    truth = peer.truth(str(payment))
    refund = peer.refund(truth["id"], 100, "made-at-the-gateway").json()
    assert refund["status"] == "succeeded"
    peer.control(f"payments/{truth['id']}/dispute")
    deliver(client, peer, truth["id"], (*order, *order))
    assert run_due(app, str(payment)) == 3
    assert run_due(app, str(payment)) == 0
    session().rollback()
    view = get_order_view(placed["number"])
    assert view.status == "paid"
    found = queries.get_payment(payment)
    assert (found.state, found.captured, found.refunded) == ("captured", found.amount, 0)
    kinds = {issue.kind for issue in queries.list_issues().items if str(payment) in str(issue.detail)}
    assert kinds == {"refund_differs", "dispute"}
    states = session().scalars(select(WebhookEvent.state).where(WebhookEvent.object_ref == truth["id"]))
    assert set(states) == {"processed"}


def test_a_callback_that_lies_changes_nothing(
    app: Flask, client: FlaskClient, gateway: SandboxGateway, peer: Gateway
) -> None:
    """Signed as it should be, saying "captured" about a payment that was declined: only the truth counts."""
    shopper = Shopper(gateway)
    placed = shopper.place(shopper.quote(), "pm_card_chargeDeclined")
    key = str(queries.list_payments_of(placed["number"])[0].id)
    truth = peer.truth(key)
    lie = truth | {"status": "captured", "amount_captured": truth["amount"]}
    body = event(55, data={"payment": lie})
    assert client.post(URL, data=body, headers=sign(body)).status_code == 200
    assert run_due(app, key) == 1
    session().rollback()
    assert get_order_view(placed["number"]).status == "payment_failed"


def test_a_callback_about_a_payment_that_is_not_ours_becomes_an_issue(
    app: Flask, client: FlaskClient, gateway: SandboxGateway, peer: Gateway
) -> None:
    key = "0192d1f0-0000-7000-8000-00000000abcd"
    stranger = peer.pay("pm_card_visa", key).json()
    deliver(client, peer, stranger["id"], (0,))
    for _ in range(4):
        assert run_due(app, key) == 1
        assert stranger["id"] not in [issue.ref for issue in queries.list_issues().items]
    assert run_due(app, key) == 1
    session().rollback()
    assert stranger["id"] in [issue.ref for issue in queries.list_issues().items]
    assert session().get(WebhookEvent, ("sandbox", peer.events(stranger["id"])[0]["id"])).state == "ignored"
    assert delivery.count_by_state()["dead"] == 0
