"""What fails or stands still is seen: in the log, in the metrics, in a list, and in a mail to staff."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from sqlalchemy import select
from structlog.testing import capture_logs

from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.kernel.errors import RuleBroken
from app.outbox import runs
from app.outbox.models import JobRun, OutboxRow
from app.payments import failures
from app.payments.models import ReconciliationIssue
from jobs import watching
from tests.checkout.conftest import Shopper
from tests.checkout.test_without_order import LAST_FOUR
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def one_task(owner: psycopg.Connection) -> Iterator[str]:
    owner.execute("DELETE FROM job_run")
    owner.execute("DELETE FROM reconciliation_issue")
    with transaction():
        runs.register(name="clock", every=timedelta(minutes=1))
    yield "clock"
    session().rollback()


def issue() -> ReconciliationIssue | None:
    session().rollback()
    return session().get(ReconciliationIssue, ("task_late", "clock"), populate_existing=True)


def mails() -> int:
    session().rollback()
    about = OutboxRow.dedupe_key.startswith("mail:staff_alert:task_late:clock", autoescape=True)
    return len(session().scalars(select(OutboxRow.id).where(about)).all())


def succeed() -> None:
    with transaction():
        runs.record(name="clock", result="ok", error=None)


def test_a_task_that_stands_still_is_told_once_each_time(one_task: str) -> None:
    before = mails()
    succeed()
    with clock.travel(minutes=2):
        watching.watch(by="test")
        assert issue() is None
    with clock.travel(minutes=4):
        for _ in range(3):
            watching.watch(by="test")
        found = issue()
        assert found is not None
        assert (found.state, mails() - before) == ("open", 1)
        succeed()
        assert watching.watch(by="test") == "0 late, 1 run again, 0 dead"
        found = issue()
        assert found is not None
        assert found.state == "auto_fixed"
    with clock.travel(minutes=10):
        watching.watch(by="test")
    assert mails() - before == 2


def test_a_task_that_has_failed_since_the_first_day_is_late(one_task: str) -> None:
    for minute in range(5):
        with clock.travel(minutes=minute, seconds=1):
            with transaction():
                assert runs.claim(name="clock")
            with transaction():
                runs.record(name="clock", result=None, error="RuntimeError: broken")
    with clock.travel(minutes=5):
        assert [run.name for run in runs.list_late()] == ["clock"]
        watching.watch(by="test")
    found = issue()
    assert found is not None
    assert found.detail["last_error"] == "RuntimeError: broken"


def test_a_process_that_has_just_started_raises_no_alarm(
    one_task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_started", watching.time.monotonic())
    with clock.travel(minutes=10):
        assert watching.watch_from_the_schedule() == "just started"
        watchman = watching.Watchman("test")
        watchman.look()
        assert issue() is None
        monkeypatch.setattr(watchman, "_next", 0.0)
        watchman.look()
        assert issue() is not None


def test_a_task_that_is_no_more_is_forgotten(one_task: str) -> None:
    with transaction():
        runs.register(name="other", every=timedelta(hours=1))
        runs.forget_others(names=["other"])
    session().rollback()
    assert [run.name for run in runs.list_runs()] == ["other"]


def test_metrics_show_what_stands_still(one_task: str, app: Flask, client: FlaskClient) -> None:
    with clock.travel(minutes=10):
        watching.watch(by="test")
        text = client.get("/metrics").text
    assert 'shop_task_late{task="clock"} 1.0' in text
    assert 'shop_issues_open{kind="task_late"} 1.0' in text
    assert 'shop_jobs{state="dead"} 0.0' in text


def test_the_schedule_on_the_command_line(one_task: str, app: Flask) -> None:
    runner = app.test_cli_runner()
    succeed()
    session().rollback()
    good = runner.invoke(args=["schedule", "status"])
    assert (good.exit_code, good.output.split()[:2]) == (0, ["clock", "on"])
    with clock.travel(minutes=10):
        late = runner.invoke(args=["schedule", "status"])
    assert (late.exit_code, late.output.split()[:2]) == (1, ["clock", "LATE"])
    session().rollback()
    assert session().get(JobRun, "clock") is not None


def counted(reason: str) -> float:
    labels = {"gateway": "sandbox", "reason": reason}
    return REGISTRY.get_sample_value("shop_payment_failures_total", labels) or 0.0


@pytest.mark.parametrize(
    ("token", "reason", "state"),
    [
        ("pm_card_chargeDeclined", "CARD_DECLINED", "declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "CARD_INSUFFICIENT_FUNDS", "declined"),
        ("pm_sandbox_timeout_paid", "PAYMENT_UNCLEAR", "unknown"),
    ],
)
def test_every_failure_is_logged_counted_and_listed(
    gateway: SandboxGateway, app: Flask, token: str, reason: str, state: str
) -> None:
    shopper = Shopper(gateway)
    agreed, before = shopper.quote(), counted(reason)
    with capture_logs() as logs:
        number = shopper.place(agreed, token)["number"]
    told = [entry for entry in logs if entry["event"] in ("payment failed", "payment unclear")]
    assert [(one["log_level"], one["order"], one["customer"], one["reason"]) for one in told] == [
        ("error", number, str(shopper.id), reason)
    ]
    assert not LAST_FOUR.search(str(logs))
    assert token not in str(logs)
    assert counted(reason) == before + 1
    session().rollback()
    newest = failures.list_failures(limit=1).items[0]
    assert (newest.order_number, newest.customer_id, newest.reason) == (number, shopper.id, reason)
    assert failures.list_failures(reason=state, limit=1).items[0].order_number == number
    session().rollback()
    shown = app.test_cli_runner().invoke(args=["payments", "failures", "--limit", "1"])
    assert number in shown.output
    assert reason in shown.output


def test_what_succeeded_after_all_is_no_failure_any_more(gateway: SandboxGateway, peer: Gateway) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_timeout_paid")["number"]
    with clock.travel(minutes=2):
        reconcile(gateway=gateway, actor=system("test"))
    session().rollback()
    listed = [failure.order_number for failure in failures.list_failures(limit=100).items]
    assert number not in listed


def test_the_list_goes_forth_and_back_and_refuses_foreign_cursors(gateway: SandboxGateway) -> None:
    numbers = []
    for _ in range(3):
        with clock.travel(hours=1):
            shopper = Shopper(gateway)
            numbers.append(shopper.place(shopper.quote(), "pm_card_chargeDeclined")["number"])
    session().rollback()
    first = failures.list_failures(limit=2)
    second = failures.list_failures(limit=2, cursor=first.next)
    back = failures.list_failures(limit=2, cursor=second.prev)
    walked = [one.order_number for one in (*first.items, *second.items)]
    assert walked[:3] == numbers[::-1]
    assert [one.order_number for one in back.items] == walked[:2]
    with pytest.raises(RuleBroken):
        failures.list_failures(limit=2, cursor=first.next, reason="declined")
