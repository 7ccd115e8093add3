"""The real processes: an order's mails and its money arrive, whoever is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select, update

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.outbox import delivery
from app.outbox.models import OutboxRow
from app.outbox.service import Job, add
from app.payments import queries
from jobs.process import queues_on, redis_from
from jobs.relay import relay_once
from tests.checkout.conftest import Shopper
from tests.jobs.test_webhooks import deliver
from tests.sandbox.peers import Gateway, Process, wait_for

Start = Callable[..., subprocess.Popen[str]]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nothing_else_due(app_context: None) -> None:
    with transaction():
        session().execute(update(OutboxRow).values(done_at=clock.now()).where(OutboxRow.done_at.is_(None)))


@pytest.fixture
def redis(app: Flask) -> Redis:
    connection = redis_from(app.config)
    connection.flushdb()
    return connection


def alert(key: str) -> None:
    with transaction():
        add(Job("mail.staff_alert", key, {"subject": key, "text": "x"}, queue="mail"))


def is_done(key: str) -> bool:
    session().rollback()
    done = select(OutboxRow.done_at).where(OutboxRow.dedupe_key == key)
    return session().scalar(done) is not None


def mails(mailbox: Process, subject: str) -> list[dict[str, str]]:
    import requests

    found = requests.get(f"{mailbox.url}/api/messages", params={"limit": 200}, timeout=30).json()
    return [mail for mail in found["messages"] if mail["subject"] == f"[Miles Plus Cash] {subject}"]


def test_a_callback_travels_from_the_edge_to_the_order(
    app: Flask, gateway: SandboxGateway, peer: Gateway, start: Start, redis: Redis
) -> None:
    start("-m", "jobs.relay")
    supervisor = start("-m", "jobs.worker")
    shopper = Shopper(gateway)
    placed = shopper.place(shopper.quote(), "pm_sandbox_timeout_paid")
    payment = queries.list_payments_of(placed["number"])[0].id
    session().rollback()
    deliver(app.test_client(), peer, peer.truth(str(payment))["id"], (0,))
    wait_for(lambda: _status(placed["number"]) == "paid")
    children = psutil.Process(supervisor.pid).children()
    assert len(children) == 3
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(60) == 0
    assert psutil.wait_procs(children, timeout=30)[1] == [], "no child is left behind"


def _status(number: str) -> str:
    session().rollback()
    return get_order_view(number).status


def test_a_killed_worker_is_replaced_and_its_job_is_done(
    start: Start, redis: Redis, crashes: Path, mailbox: Process
) -> None:
    """Killed after the mail was taken and before that was written down: the one window in which it goes twice."""
    supervisor = start("-m", "jobs.worker", SHOP_CRASH_DIR=str(crashes))
    start("-m", "jobs.relay")
    (crashes / "mail.before_mark").touch()
    alert("killed worker")
    wait_for(lambda: is_done("killed worker"), 90)
    assert not list(crashes.iterdir()), "the crash point was met"
    assert supervisor.poll() is None
    twice = mails(mailbox, "Killed worker")
    assert len(twice) == 2
    assert len({mail["headers"]["Message-ID"] for mail in twice}) == 1  # type: ignore[index]


def test_killed_between_effect_and_finish_sends_no_second_mail(
    start: Start, redis: Redis, crashes: Path, mailbox: Process
) -> None:
    start("-m", "jobs.worker", SHOP_CRASH_DIR=str(crashes))
    start("-m", "jobs.relay")
    (crashes / "job.before_done").touch()
    alert("killed after")
    wait_for(lambda: is_done("killed after"), 90)
    assert not list(crashes.iterdir()), "the crash point was met"
    assert len(mails(mailbox, "Killed after")) == 1


@pytest.mark.parametrize("when", ["at-work", "as-they-start"])
def test_workers_end_with_a_supervisor_that_was_killed(start: Start, redis: Redis, when: str) -> None:
    supervisor = start("-m", "jobs.worker")
    parent = psutil.Process(supervisor.pid)
    wait_for(lambda: len(parent.children()) == 3)
    if when == "at-work":
        wait_for(lambda: len(redis.smembers("rq:workers")) == 3)
    children = parent.children()
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait(60)
    assert psutil.wait_procs(children, timeout=60)[1] == []


def test_a_worker_finishes_its_job_before_it_stops(
    start: Start, redis: Redis, app: Flask, peer: Gateway, gateway: SandboxGateway
) -> None:
    """SIGTERM in the middle of a refund whose answer takes half a second."""
    shopper = Shopper(gateway)
    placed = shopper.place(shopper.quote())
    payment_id = queries.list_payments_of(placed["number"])[0].id
    session().rollback()
    from app.kernel import ids
    from app.payments.refunds import queue_refund

    refund_id = ids.uuid7()
    worker = start("-m", "jobs.worker", "payments")
    wait_for(lambda: len(redis.smembers("rq:workers")) == 1)
    peer.control("tuning", {"latency_ms": 300})
    with transaction():
        queue_refund(refund_id=refund_id, payment_id=payment_id, amount=100, reason="test")
    assert relay_once(queues_on(redis)) >= 1
    wait_for(lambda: _begun(f"refund:{refund_id}:0"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert is_done(f"refund:{refund_id}:0")
    assert queries.get_refund(refund_id).state == "succeeded"


def _begun(key: str) -> bool:
    session().rollback()
    return bool(session().scalar(select(OutboxRow.attempts).where(OutboxRow.dedupe_key == key)))


def test_the_command_line_says_what_it_takes(start: Start) -> None:
    wrong = start("-m", "jobs.worker", "nonsense")
    said = wrong.communicate(timeout=60)[0]
    assert wrong.returncode == 1
    assert "usage: python -m jobs.worker [payments|mail|default]" in said


def test_what_was_begun_is_due_again_when_the_worker_starts(app: Flask) -> None:
    alert("begun")
    session().rollback()
    row_id = session().scalar(select(OutboxRow.id).where(OutboxRow.dedupe_key == "begun"))
    assert row_id is not None
    with transaction():
        delivery.begin(row_id=row_id)
        delivery.mark_enqueued(row_ids=[row_id])
    with transaction():
        assert delivery.take_back(queue="payments") == 0
        assert delivery.take_back(queue="mail") == 1
        assert [due.id for due in delivery.lock_due(limit=10)] == [row_id]
