"""From row to done: what relay, worker and staff do to outbox rows. A row is due, handed over, done or dead.

Handing a row over moves its `run_at` three minutes ahead: when nothing has come of it by then (Redis lost it, the
worker died), it is due again by itself. Twice handed over is harmless, never handed over is not.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import NotFound
from app.outbox.models import OutboxRow
from app.outbox.service import QUEUES

OVERDUE = timedelta(minutes=3)
"""Longer than a job may take (`jobs.relay.JOB_TIMEOUT`), short enough that all is done within five minutes."""
MAX_ATTEMPTS = 12
BACKOFF = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 3600)
"""Seconds to wait after the first, second, … failure."""
SILENCE_STEPS = 5
"""While somebody else does not answer, the wait stays at this step of BACKOFF: two minutes after they are back
all is done."""
SILENCE = timedelta(days=1)
"""So long after it was wished for, no answer is a failure like any other."""
KEEP_DONE = timedelta(days=30)
_ERROR_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Due:
    """A row to hand over."""

    id: uuid.UUID
    queue: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A row that its handler works on; `attempts` counts this one."""

    id: uuid.UUID
    topic: str
    dedupe_key: str
    payload: dict[str, Any]
    request_id: str
    attempts: int
    created_at: datetime


def lock_due(*, limit: int) -> Sequence[Due]:
    """Due rows, oldest first, locked; rows that another relay is handing over are passed by."""
    statement = (
        select(OutboxRow.id, OutboxRow.queue)
        .where(OutboxRow.done_at.is_(None), OutboxRow.dead_at.is_(None), OutboxRow.run_at <= clock.now())
        .order_by(OutboxRow.run_at, OutboxRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Due(*row) for row in session().execute(statement)]


def mark_enqueued(*, row_ids: Iterable[uuid.UUID]) -> None:
    """Call it after the queue has them, in the transaction that locked them."""
    now = clock.now()
    session().execute(
        update(OutboxRow)
        .where(OutboxRow.id.in_(list(row_ids)))
        .values(enqueued_at=now, run_at=now + OVERDUE)
        .execution_options(synchronize_session=False)
    )


def begin(*, row_id: uuid.UUID) -> Begun | None:
    """Count the attempt. None: it is done, dead, unknown, or has killed its worker too often to try again."""
    table = OutboxRow.__table__.c
    statement = (
        update(OutboxRow)
        .where(OutboxRow.id == row_id, OutboxRow.done_at.is_(None), OutboxRow.dead_at.is_(None))
        .values(attempts=OutboxRow.attempts + 1)
        .returning(
            table.id,
            table.topic,
            table.dedupe_key,
            table.payload,
            table.request_id,
            table.attempts,
            table.created_at,
        )
    )
    row = session().execute(statement).first()
    if row is None:
        return None
    begun = Begun(*row)
    if begun.attempts > MAX_ATTEMPTS:
        _bury(row_id, "its worker died each time")
        return None
    return begun


def finish(*, row_id: uuid.UUID) -> None:
    """It is done, once and for all. A handler may call it in the transaction of its effect."""
    statement = update(OutboxRow).where(OutboxRow.id == row_id, OutboxRow.done_at.is_(None))
    session().execute(statement.values(done_at=clock.now(), dead_at=None))


def fail(*, begun: Begun, error: str) -> bool:
    """Due again after a while; True when that was the last attempt and the row is dead."""
    if begun.attempts >= MAX_ATTEMPTS:
        _bury(begun.id, error)
        return True
    _again(begun, begun.attempts, error)
    return False


def put_off(*, begun: Begun, error: str) -> bool:
    """Whom it needs did not answer: due again within two minutes, and none of its attempts is used up.

    After a day without an answer as `fail`; True when the row is dead then.
    """
    if clock.now() - begun.created_at > SILENCE:
        return fail(begun=begun, error=error)
    _again(begun, min(begun.attempts, SILENCE_STEPS), error)
    return False


def _again(begun: Begun, attempts: int, error: str) -> None:
    wait = timedelta(seconds=BACKOFF[min(attempts, len(BACKOFF)) - 1])
    statement = update(OutboxRow).where(OutboxRow.id == begun.id, OutboxRow.done_at.is_(None))
    values = {"attempts": attempts, "run_at": clock.now() + wait, "last_error": error[:_ERROR_LENGTH]}
    session().execute(statement.values(enqueued_at=None, **values))


def take_back(*, queue: str) -> int:
    """Make begun rows of a queue due again: its worker starts, so whoever began them is gone. How many."""
    statement = (
        update(OutboxRow)
        .where(OutboxRow.queue == queue, OutboxRow.enqueued_at.is_not(None), OutboxRow.attempts > 0)
        .where(OutboxRow.done_at.is_(None), OutboxRow.dead_at.is_(None))
        .values(enqueued_at=None, run_at=clock.now())
        .returning(OutboxRow.id)
    )
    return len(session().execute(statement).all())


def revive(*, row_id: uuid.UUID) -> None:
    """Staff try a dead row again, from the first attempt. Raises NotFound."""
    statement = update(OutboxRow).where(OutboxRow.id == row_id, OutboxRow.dead_at.is_not(None))
    values = {"dead_at": None, "attempts": 0, "run_at": clock.now(), "enqueued_at": None}
    if session().execute(statement.values(values).returning(OutboxRow.id)).first() is None:
        raise NotFound("There is no such dead job.")


def prune(*, limit: int = 10_000) -> int:
    """Forget rows done more than 30 days ago; how many."""
    old = select(OutboxRow.id).where(OutboxRow.done_at < clock.now() - KEEP_DONE).limit(limit)
    gone = session().execute(delete(OutboxRow).where(OutboxRow.id.in_(old)).returning(OutboxRow.id))
    return len(gone.all())


def list_dead(*, queues: Collection[str] = QUEUES, limit: int = 100) -> Sequence[OutboxRow]:
    """Jobs that were given up, the latest first."""
    statement = select(OutboxRow).where(OutboxRow.dead_at.is_not(None), OutboxRow.queue.in_(queues))
    return session().scalars(statement.order_by(OutboxRow.dead_at.desc()).limit(limit)).all()


def count_by_state() -> dict[str, int]:
    """`due` (also those handed over and overdue), `waiting` for their time or their worker, and `dead`."""
    now = clock.now()
    is_open = OutboxRow.done_at.is_(None) & OutboxRow.dead_at.is_(None)
    row = (
        session()
        .execute(
            select(
                func.count().filter(is_open & (OutboxRow.run_at <= now)),
                func.count().filter(is_open & (OutboxRow.run_at > now)),
                func.count().filter(OutboxRow.dead_at.is_not(None)),
            ).where(OutboxRow.done_at.is_(None))
        )
        .one()
    )
    return {"due": row[0], "waiting": row[1], "dead": row[2]}


def _bury(row_id: uuid.UUID, error: str) -> None:
    statement = update(OutboxRow).where(OutboxRow.id == row_id, OutboxRow.done_at.is_(None))
    session().execute(statement.values(dead_at=clock.now(), last_error=error[:_ERROR_LENGTH]))
