"""Each task runs when it is due, once at a time, and leaves a record."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete

from app.kernel import clock
from app.kernel.database import session, transaction
from app.outbox import runs
from app.outbox.models import JobRun
from jobs import schedule
from jobs.registry import Task, tasks
from tests.sandbox.peers import wait_for

Start = Callable[..., subprocess.Popen[str]]
calls: list[float] = []


def count() -> str:
    calls.append(time.monotonic())
    return "counted"


def fail() -> str:
    raise RuntimeError("broken")


@pytest.fixture(autouse=True)
def two_tasks(app_context: None, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    minute = timedelta(minutes=1)
    monkeypatch.setattr(schedule, "tasks", lambda: [Task("count", minute, count), Task("fail", minute, fail)])
    calls.clear()
    with transaction():
        session().execute(delete(JobRun))
    schedule.register_all(app)
    yield
    session().rollback()


def run_due(app: Flask) -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        return schedule.start_due(app, pool)


def record(name: str) -> JobRun:
    session().rollback()
    return session().get_one(JobRun, name)


def test_due_once_and_again_after_its_time(app: Flask) -> None:
    assert run_due(app) == ["count", "fail"]
    assert run_due(app) == []
    with clock.travel(seconds=59):
        assert run_due(app) == []
    with clock.travel(seconds=61):
        assert run_due(app) == ["count", "fail"]
    assert len(calls) == 2


def test_how_it_ended_is_kept(app: Flask) -> None:
    run_due(app)
    good, bad = record("count"), record("fail")
    assert (good.last_result, good.last_error) == ("counted", None)
    assert good.succeeded_at is not None
    assert (bad.last_result, bad.last_error) == (None, "RuntimeError: broken")
    assert bad.succeeded_at is None
    assert bad.finished_at is not None


def test_a_task_that_stands_still_or_fails_is_late(app: Flask) -> None:
    run_due(app)
    with clock.travel(minutes=2):
        assert list(runs.list_late()) == []
    with clock.travel(minutes=4):
        session().rollback()
        assert {run.name for run in runs.list_late()} == {"count", "fail"}
        run_due(app)
        session().rollback()
        assert {run.name for run in runs.list_late()} <= {"fail"}


def test_many_schedulers_start_a_task_once(app: Flask) -> None:
    threads = [threading.Thread(target=run_due, args=(app,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(calls) == 1


def test_a_slow_run_does_not_meet_its_successor(app: Flask) -> None:
    with runs.single_flight("task:count") as mine:
        assert mine
        schedule.run_task(app, Task("count", timedelta(minutes=1), count))
    assert calls == []
    schedule.run_task(app, Task("count", timedelta(minutes=1), count))
    assert len(calls) == 1


def test_another_rhythm_takes_effect(app: Flask) -> None:
    run_due(app)
    with transaction():
        runs.register(name="count", every=timedelta(hours=2))
    assert run_due(app) == ["count"]
    assert record("count").every_seconds == 7200


@pytest.mark.slow
def test_the_process_runs_what_is_registered_and_stops_when_told(start: Start) -> None:
    process = start("-m", "jobs.schedule")
    names = [task.name for task in tasks()]
    assert "payments.reconcile" in names
    wait_for(lambda: all(_succeeded(name) for name in names), 180)
    process.terminate()
    assert process.wait(60) == 0


def _succeeded(name: str) -> bool:
    session().rollback()
    run = session().get(JobRun, name)
    return run is not None and run.succeeded_at is not None
