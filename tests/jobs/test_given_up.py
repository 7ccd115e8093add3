"""A job that was given up is told once, its callback is marked dead, and both end when staff have run it again."""

from __future__ import annotations

import json
import time
import uuid

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import run_atomically, session, transaction
from app.orders.queries import get_order_view
from app.outbox import delivery
from app.outbox.models import OutboxRow
from app.outbox.service import MAIL_QUEUE, Job, add
from app.payments import queries
from app.payments.models import ReconciliationIssue, WebhookEvent
from jobs import given_up
from jobs.execute import run
from tests.checkout.conftest import Shopper
from tests.jobs.test_webhooks import URL, event, run_due, sign
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context", "nothing_before")


@pytest.fixture
def nothing_before(owner: psycopg.Connection) -> None:
    owner.execute("DELETE FROM reconciliation_issue; DELETE FROM outbox; DELETE FROM webhook_inbox")


def issues() -> dict[str, str]:
    session().rollback()
    kind = ReconciliationIssue.kind == given_up.KIND
    return {one.ref: one.state for one in session().scalars(select(ReconciliationIssue).where(kind))}


def alerts() -> int:
    session().rollback()
    told = OutboxRow.payload["subject"].as_string() == given_up.KIND
    return len(
        session().scalars(select(OutboxRow.id).where(OutboxRow.topic == "mail.staff_alert", told)).all()
    )


def look() -> int:
    session().rollback()
    return run_atomically(lambda: given_up.tell(by="test"))


def give_up(row_id: uuid.UUID) -> None:
    """As if it had failed for a day."""
    session().rollback()
    with transaction():
        dead = update(OutboxRow).where(OutboxRow.id == row_id)
        session().execute(dead.values(attempts=12, dead_at=clock.now(), last_error="Error: what\nit was"))


def test_a_dead_callback_is_told_and_ends_when_it_is_run_again(
    app: Flask, client: FlaskClient, gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_processing")["number"]
    payment = queries.list_payments_of(number)[0]
    key, ref = str(payment.id), str(payment.gateway_ref)
    peer.control(f"payments/{ref}/paid")
    told = peer.events(ref)[-1]
    header = {"Sandbox-Signature": told["signature"]}
    assert client.post(URL, data=told["raw"], headers=header).status_code == 200
    peer.control("dead", {"dead": "503"})
    with clock.travel(days=1, minutes=1):
        for _ in range(delivery.MAX_ATTEMPTS):
            assert run_due(app, key) == 1
    peer.control("dead", {"dead": False})
    row_id = session().scalars(select(OutboxRow.id).where(OutboxRow.dead_at.is_not(None))).one()
    assert (look(), look()) == (1, 1)
    assert (issues(), alerts()) == ({str(row_id): "open"}, 1)
    inbox = session().get_one(WebhookEvent, ("sandbox", told["id"]))
    assert (inbox.state, inbox.attempts) == ("dead", delivery.MAX_ATTEMPTS)
    assert inbox.last_error
    session().rollback()
    with transaction():
        delivery.revive(row_id=row_id)
    run(app, row_id)
    assert look() == 0
    assert (issues(), alerts()) == ({str(row_id): "auto_fixed"}, 1)
    inbox = session().get_one(WebhookEvent, ("sandbox", told["id"]), populate_existing=True)
    assert (inbox.state, inbox.attempts, get_order_view(number).status) == ("processed", 1, "paid")


def test_each_dead_job_is_told_and_all_dead_mails_are_one_trouble() -> None:
    with transaction():
        add(Job("payments.refund", "one"), Job("payments.refund", "two"))
        add(*(Job("mail.staff_alert", f"mail {turn}", queue=MAIL_QUEUE) for turn in range(3)))
    rows = {row.dedupe_key: row.id for row in session().scalars(select(OutboxRow))}
    for row_id in rows.values():
        give_up(row_id)
    assert look() == 3
    assert issues() == {str(rows["one"]): "open", str(rows["two"]): "open", given_up.MAILS: "open"}
    assert alerts() == 3
    alert = select(OutboxRow.id).where(OutboxRow.payload["ref"].as_string() == given_up.MAILS)
    give_up(session().scalars(alert).one())
    look()
    assert alerts() == 3, "the mail about mails that cannot be sent is not another trouble"
    detail = session().get_one(ReconciliationIssue, (given_up.KIND, str(rows["one"]))).detail
    assert detail == {"job": "payments.refund", "key": "one", "error": "it was"}


def test_a_strange_callback_waits_for_a_gateway_that_is_silent(
    app: Flask, client: FlaskClient, gateway: SandboxGateway, peer: Gateway
) -> None:
    key = str(uuid.uuid4())
    stranger = peer.pay("pm_card_visa", key).json()
    body = event(int(time.time()), data={"payment": stranger | {"idempotency_key": key}})
    assert client.post(URL, data=body, headers=sign(body)).status_code == 200
    for _ in range(4):
        run_due(app, key)
    peer.control("dead", {"dead": "503"})
    assert run_due(app, key) == 1
    inbox = session().get_one(WebhookEvent, ("sandbox", json.loads(body)["id"]), populate_existing=True)
    assert inbox.state == "received", "nobody knows whose it is"
    peer.control("dead", {"dead": False})
    assert run_due(app, key) == 1
    assert run_due(app, key) == 0
    session().rollback()
    assert [issue.kind for issue in queries.list_issues().items if issue.ref == stranger["id"]] == [
        "orphan_payment"
    ]
