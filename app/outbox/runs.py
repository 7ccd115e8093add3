"""Scheduled jobs: one at a time over all processes, and a record of when each ran."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, Engine, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.kernel import clock
from app.kernel.database import session
from app.outbox.models import JobRun

_LOCKS = 7302
"""The first key of our advisory locks: the second is the job's name, hashed."""
_LENGTH = 500


@contextmanager
def single_flight(name: str) -> Iterator[bool]:
    """Whether this process may run `name` now: False while another does. Freed by the database if we die.

    The lock is held by a connection of its own, outside any transaction, for as long as the block takes.
    """
    bind = session().get_bind()
    engine: Engine = bind.engine if isinstance(bind, Connection) else bind
    words = {"space": _LOCKS, "name": name}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        lock = text("SELECT pg_try_advisory_lock(:space, hashtext(:name))")
        mine = bool(connection.execute(lock, words).scalar_one())
        try:
            yield mine
        finally:
            if mine:
                connection.execute(text("SELECT pg_advisory_unlock(:space, hashtext(:name))"), words)


def register(*, name: str, every: timedelta) -> None:
    """Make sure that the job has a row; due at once when it is new, at the latest after `every` if not."""
    now, seconds = clock.now(), int(every.total_seconds())
    row = insert(JobRun).values(name=name, every_seconds=seconds, next_run_at=now, registered_at=now)
    session().execute(row.on_conflict_do_nothing())
    session().execute(
        update(JobRun)
        .where(JobRun.name == name, JobRun.every_seconds != seconds)
        .values(every_seconds=seconds, next_run_at=now)
    )


def forget_others(*, names: Collection[str]) -> None:
    """Drop the rows of jobs that are no longer scheduled: nobody would ever run them."""
    session().execute(delete(JobRun).where(JobRun.name.not_in(names)))


def claim(*, name: str) -> bool:
    """True for one caller when the job is due; its next run is set by that."""
    now = clock.now()
    statement = (
        update(JobRun)
        .where(JobRun.name == name, JobRun.next_run_at <= now)
        .values(started_at=now, next_run_at=now + JobRun.every_seconds * text("interval '1 second'"))
        .returning(JobRun.name)
        .execution_options(synchronize_session=False)
    )
    return session().execute(statement).first() is not None


def record(*, name: str, result: str | None, error: str | None) -> None:
    """How the run ended; a `result` is a short sentence for staff."""
    now = clock.now()
    values = {
        "finished_at": now,
        "last_result": (result or "")[:_LENGTH] or None,
        "last_error": error[:_LENGTH] if error else None,
    }
    if error is None:
        values["succeeded_at"] = now
    session().execute(update(JobRun).where(JobRun.name == name).values(values))


def list_runs() -> Sequence[JobRun]:
    """All scheduled jobs by name."""
    return session().scalars(select(JobRun).order_by(JobRun.name)).all()


def list_late() -> Sequence[JobRun]:
    """Jobs that have missed two beats: nothing runs them, or they fail each time."""
    return [run for run in list_runs() if _is_late(run)]


def _is_late(run: JobRun) -> bool:
    beats = timedelta(seconds=2 * run.every_seconds) + timedelta(minutes=1)
    last = run.succeeded_at or run.registered_at
    return clock.now() - last > beats
