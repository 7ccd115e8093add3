"""Jobs that leave with the commit: a row now, RQ later, an effect once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.kernel import clock, ids
from app.kernel.database import session
from app.outbox.models import EffectDone, OutboxRow

DEFAULT_QUEUE = "default"
MAIL_QUEUE = "mail"
PAYMENTS_QUEUE = "payments"
QUEUES = (PAYMENTS_QUEUE, MAIL_QUEUE, DEFAULT_QUEUE)


@dataclass(frozen=True, slots=True)
class Job:
    """`dedupe_key` names the effect for ever: a second row with the same key is not written."""

    topic: str
    dedupe_key: str
    payload: dict[str, Any] = field(default_factory=dict)
    queue: str = DEFAULT_QUEUE
    run_at: datetime | None = None


def add(*jobs: Job, request_id: str = "-") -> None:
    """Store jobs in the current transaction, one statement for all."""
    _store(jobs, request_id)


def _store(jobs: Sequence[Job], request_id: str) -> None:
    if not jobs:
        return
    now = clock.now()
    rows = [
        {
            "id": ids.uuid7(),
            "dedupe_key": job.dedupe_key,
            "topic": job.topic,
            "queue": job.queue,
            "payload": job.payload,
            "request_id": request_id,
            "created_at": now,
            "run_at": job.run_at or now,
        }
        for job in jobs
    ]
    statement = insert(OutboxRow).on_conflict_do_nothing(index_elements=["dedupe_key"])
    session().connection().execute(statement, rows)


def first_time(dedupe_key: str) -> bool:
    """True once per key, for ever; call it in the transaction of the effect itself."""
    statement = insert(EffectDone).values(dedupe_key=dedupe_key, done_at=clock.now()).on_conflict_do_nothing()
    return bool(session().execute(statement.returning(EffectDone.dedupe_key)).first())
