"""Work leaves with the commit: at least once to the worker, once in its effect, whatever dies in between."""

from __future__ import annotations

import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select, update

from app.audit.models import AuditEntry
from app.kernel import clock, ids
from app.kernel.database import db, session, transaction
from app.outbox import delivery
from app.outbox.models import EffectDone, OutboxRow
from app.outbox.service import Job, add
from embedded import services, shelter
from embedded.redis import Redis as RedisServer
from jobs import execute
from jobs.process import queues_on, redis_from
from jobs.registry import Later, RunningJob, Unanswered
from jobs.relay import JOB_TIMEOUT, relay_once
from tests.sandbox.peers import wait_for

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def nothing_else_due(app_context: None) -> None:
    with transaction():
        session().execute(update(OutboxRow).values(done_at=clock.now()).where(OutboxRow.done_at.is_(None)))


@pytest.fixture
def redis(app: Flask) -> Iterator[Redis]:
    with redis_from(app.config) as connection:
        connection.flushdb()
        yield connection


def put(topic: str = "test.nothing", queue: str = "default", **payload: Any) -> str:
    """A committed job; its dedupe key."""
    key = f"test:{uuid.uuid4()}"
    with transaction():
        add(Job(topic, key, payload, queue=queue))
    return key


def row(key: str) -> OutboxRow:
    session().rollback()
    statement = select(OutboxRow).where(OutboxRow.dedupe_key == key)
    return session().scalars(statement.execution_options(populate_existing=True)).one()


def test_a_job_of_a_rolled_back_transaction_never_was(redis: Redis) -> None:
    with transaction() as current:
        add(Job("test.nothing", "test:rolled-back"))
        current.rollback()
    assert relay_once(queues_on(redis)) == 0


def test_rows_go_to_their_queues_as_json_and_once(redis: Redis) -> None:
    keys = {queue: put(queue=queue) for queue in ("payments", "mail", "default")}
    queues = queues_on(redis)
    assert relay_once(queues) == 3
    assert relay_once(queues) == 0
    for queue, key in keys.items():
        found = row(key)
        assert queues[queue].job_ids == [f"obx-{found.id}"]
        assert found.enqueued_at is not None
        job = queues[queue].fetch_job(f"obx-{found.id}")
        assert (job.func_name, job.args) == ("jobs.execute.run_outbox_job", [str(found.id)])
        assert redis.hget(f"rq:job:obx-{found.id}", "data") is not None


def test_the_same_effect_is_not_written_twice() -> None:
    key = put()
    with transaction():
        add(Job("test.nothing", key))
    assert session().scalars(select(OutboxRow.dedupe_key).filter_by(dedupe_key=key)).all() == [key]


def test_a_job_for_later_waits(redis: Redis) -> None:
    key = f"test:{uuid.uuid4()}"
    with transaction():
        add(Job("test.nothing", key, run_at=clock.now() + timedelta(days=365)))
    assert relay_once(queues_on(redis)) == 0


def test_handed_over_and_never_done_is_due_again_after_three_minutes(redis: Redis) -> None:
    put()
    queues = queues_on(redis)
    assert relay_once(queues) == 1
    redis.flushdb()  # Redis was wiped, or failed over and lost seconds
    with clock.travel(seconds=170):
        assert relay_once(queues) == 0
    with clock.travel(seconds=190):
        assert relay_once(queues) == 1
    assert queues["default"].count == 1


def test_a_job_is_not_handed_over_again_while_it_may_still_run() -> None:
    assert timedelta(seconds=JOB_TIMEOUT) < delivery.OVERDUE < timedelta(minutes=5)


def test_two_relays_share_the_work(app: Flask, redis: Redis) -> None:
    for _ in range(3):
        put()
    with transaction():
        mine = delivery.lock_due(limit=2)
        with app.app_context():
            assert relay_once(queues_on(redis)) == 1, "the locked ones are passed by"
    assert len(mine) == 2
    assert relay_once(queues_on(redis)) == 2


def test_killed_between_handing_over_and_marking(
    start: Start, redis: Redis, crashes: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = handler(monkeypatch, once=True)
    key = put("test.effect")
    (crashes / "relay.before_mark").touch()
    relay = start("-m", "jobs.relay", SHOP_CRASH_DIR=str(crashes))
    assert relay.wait(60) == -signal.SIGKILL
    assert queues_on(redis)["default"].count == 1, "it was handed over"
    assert row(key).enqueued_at is None, "and not marked"
    assert relay_once(queues_on(redis)) == 1
    assert queues_on(redis)["default"].job_ids == [f"obx-{row(key).id}"] * 2
    for job_id in queues_on(redis)["default"].job_ids:
        execute.run(app, uuid.UUID(job_id.removeprefix("obx-")))
    assert effects == [key]


def handler(
    monkeypatch: pytest.MonkeyPatch, *, once: bool = False, fails: Exception | None = None
) -> list[str]:
    """Register `test.effect`; the keys of the effects that it had."""
    effects: list[str] = []

    def effect(job: RunningJob) -> None:
        from app.outbox.service import first_time

        with transaction():
            is_first = first_time(job.dedupe_key)
            if fails is not None:
                raise fails
            if is_first or not once:
                effects.append(job.dedupe_key)

    monkeypatch.setattr(execute, "handlers", lambda: {"test.effect": effect})
    return effects


def test_done_in_the_database_before_the_row_is_finished_is_done_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies after the effect's commit: the job runs again, the effect does not."""
    effects = handler(monkeypatch, once=True)
    key = put("test.effect")
    monkeypatch.setattr(execute, "crashpoint", lambda name: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        execute.run(app, row(key).id)
    assert row(key).done_at is None
    monkeypatch.setattr(execute, "crashpoint", lambda name: None)
    execute.run(app, row(key).id)
    assert row(key).done_at is not None
    assert effects == [key]


def test_failures_wait_longer_and_longer_and_end_dead(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    handler(monkeypatch, fails=RuntimeError("broken"))
    key = put("test.effect")
    waits = []
    for attempt in range(1, delivery.MAX_ATTEMPTS + 1):
        execute.run(app, row(key).id)
        found = row(key)
        assert found.attempts == attempt
        waits.append((found.run_at - clock.now()).total_seconds())
    assert found.dead_at is not None
    assert found.last_error == "RuntimeError: broken"
    assert [round(wait, -1) for wait in waits[2:-1]] == [30, 60, 120, 300, 600, 1200, 1800, 3600, 3600]
    assert session().get(EffectDone, key) is None, "what a failed handler wrote is gone"
    execute.run(app, found.id)
    assert row(key).attempts == delivery.MAX_ATTEMPTS, "dead is dead"
    with transaction():
        delivery.revive(row_id=found.id)
    handler(monkeypatch)
    execute.run(app, found.id)
    assert row(key).done_at is not None


def test_who_does_not_answer_is_asked_every_two_minutes_for_a_day(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler(monkeypatch, fails=Unanswered("timeout"))
    key = put("test.effect")
    waits = []
    for _ in range(2 * delivery.MAX_ATTEMPTS):
        execute.run(app, row(key).id)
        waits.append(round((row(key).run_at - clock.now()).total_seconds(), -1))
    assert max(waits) == waits[-1] == 120
    assert row(key).dead_at is None
    with clock.travel(days=1, seconds=1):
        for _ in range(delivery.MAX_ATTEMPTS):
            execute.run(app, row(key).id)
    assert row(key).dead_at is not None


def test_a_job_that_kills_its_worker_each_time_is_given_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = handler(monkeypatch)
    key = put("test.effect")
    for _ in range(delivery.MAX_ATTEMPTS):
        with transaction():
            assert delivery.begin(row_id=row(key).id) is not None
    execute.run(app, row(key).id)
    assert row(key).dead_at is not None
    assert effects == []


def test_later_is_no_fault_and_an_unknown_topic_is(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    handler(monkeypatch, fails=Later("not yet"))
    later, unknown = put("test.effect"), put("test.unheard-of")
    for key in (later, unknown):
        execute.run(app, row(key).id)
        assert row(key).run_at > clock.now()
    assert row(later).last_error == "Later: not yet"
    assert row(unknown).last_error == "LookupError: no handler for test.unheard-of"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    base = (tmp_path / "redis").resolve()
    services.start(base, profile="test", environ={"DATABASE_URL": "postgresql://elsewhere"})
    yield RedisServer(base, "test")
    services.stop(base, profile="test")
    shelter.discard(base)


@pytest.mark.slow
def test_redis_goes_and_comes_back_and_nothing_is_lost(start: Start, own_redis: RedisServer) -> None:
    relay = start("-m", "jobs.relay", REDIS_URL=own_redis.url)
    before = put("mail.staff_alert", "mail", subject="first", text="x")
    wait_for(lambda: row(before).enqueued_at, 60)
    own_redis.stop()
    meanwhile = [put("mail.staff_alert", "mail", subject=str(n), text="x") for n in range(3)]
    time.sleep(1.5)
    assert relay.poll() is None, "it waits, it does not die"
    assert all(row(key).enqueued_at is None for key in meanwhile)
    own_redis.start()
    wait_for(lambda: all(row(key).enqueued_at for key in meanwhile), 60)
    start("-m", "jobs.worker", "mail", REDIS_URL=own_redis.url)
    wait_for(lambda: all(row(key).done_at for key in meanwhile), 60)
    # The first one was handed over and lost with Redis; the worker's start does not know it was begun.
    with clock.travel(minutes=11), Redis.from_url(own_redis.url) as connection:
        assert relay_once(queues_on(connection)) == 1
    wait_for(lambda: row(before).done_at, 60)
    relay.terminate()
    assert relay.wait(60) == 0


@pytest.mark.slow
def test_redis_is_emptied_under_a_running_worker_and_all_is_done_minutes_later(
    start: Start, own_redis: RedisServer
) -> None:
    worker = start("-m", "jobs.worker", "mail", REDIS_URL=own_redis.url)
    relay = start("-m", "jobs.relay", REDIS_URL=own_redis.url)
    first = put("mail.staff_alert", "mail", subject="before", text="x")
    wait_for(lambda: row(first).done_at, 60)
    worker.send_signal(signal.SIGSTOP)
    lost = [put("mail.staff_alert", "mail", subject=str(n), text="x") for n in range(3)]
    wait_for(lambda: all(row(key).enqueued_at for key in lost), 60)
    with Redis.from_url(own_redis.url) as connection:
        connection.flushall()
    worker.send_signal(signal.SIGCONT)
    time.sleep(1)
    assert not any(row(key).done_at for key in lost), "Redis has forgotten them"
    later = start("-m", "jobs.relay", REDIS_URL=own_redis.url, SHOP_CLOCK_OFFSET="185")
    wait_for(lambda: all(row(key).done_at for key in lost), 60)
    assert (worker.poll(), relay.poll(), later.poll()) == (None, None, None)


def test_old_done_rows_are_forgotten(app: Flask) -> None:
    key = put()
    with transaction():
        delivery.finish(row_id=row(key).id)
    runner = app.test_cli_runner()
    db.session.remove()
    assert runner.invoke(args=["outbox", "prune"]).output == "0 rows deleted\n"
    with clock.travel(days=31):
        assert runner.invoke(args=["outbox", "prune"]).output != "0 rows deleted\n"
    assert session().scalars(select(OutboxRow).filter_by(dedupe_key=key)).first() is None


def test_staff_see_and_retry_what_is_dead(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    handler(monkeypatch, fails=RuntimeError("broken"))
    key = put("test.effect")
    with transaction():
        session().execute(update(OutboxRow).where(OutboxRow.dedupe_key == key).values(attempts=11))
    execute.run(app, row(key).id)
    row_id = row(key).id
    db.session.remove()
    runner = app.test_cli_runner()
    assert f"{row_id}  test.effect  RuntimeError: broken" in runner.invoke(args=["outbox", "status"]).output
    assert runner.invoke(args=["outbox", "retry", str(row_id)]).exit_code == 0
    assert row(key).dead_at is None
    entry = session().scalars(select(AuditEntry).where(AuditEntry.target_id == str(row_id))).one()
    assert (entry.action, entry.actor_kind) == ("job.revived", "system")
    gone = runner.invoke(args=["outbox", "retry", str(ids.uuid7())])
    assert (gone.exit_code, "no such dead job" in gone.output) == (1, True)
