"""Run one outbox row: the only function that RQ ever calls."""

from __future__ import annotations

import time
import uuid

import structlog
from flask import Flask

from app.kernel.crashpoint import crashpoint
from app.kernel.database import db, run_atomically
from app.outbox import delivery
from app.outbox.delivery import Begun
from jobs.process import flask_app
from jobs.registry import Later, RunningJob, Unanswered, handlers

log = structlog.get_logger("jobs")


def run_outbox_job(row_id: str) -> None:
    """Never raises for what a handler does: success and failure are kept in the row, not in Redis."""
    run(flask_app(), uuid.UUID(row_id))


def run(app: Flask, row_id: uuid.UUID) -> None:
    """As `run_outbox_job`, in the application given."""
    with app.app_context():
        begun = run_atomically(lambda: delivery.begin(row_id=row_id))
        if begun is None:
            return
        crashpoint("job.after_begin")
        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(
            topic=begun.topic, job=str(begun.id), request_id=begun.request_id
        ):
            try:
                _handle(begun)
            except Exception as error:
                _failed(begun, error)
            else:
                log.info("job done", attempts=begun.attempts, ms=round((time.perf_counter() - began) * 1000))


def _handle(begun: Begun) -> None:
    handler = handlers().get(begun.topic)
    if handler is None:
        raise LookupError(f"no handler for {begun.topic}")
    handler(
        RunningJob(
            id=begun.id,
            topic=begun.topic,
            dedupe_key=begun.dedupe_key,
            payload=begun.payload,
            request_id=begun.request_id,
            attempts=begun.attempts,
        )
    )
    crashpoint("job.before_done")
    run_atomically(lambda: delivery.finish(row_id=begun.id))
    crashpoint("job.after_done")


def _failed(begun: Begun, error: Exception) -> None:
    """Whatever the handler left open is thrown away first."""
    db.session.rollback()
    note = delivery.put_off if isinstance(error, Unanswered) else delivery.fail
    dead = run_atomically(lambda: note(begun=begun, error=f"{type(error).__name__}: {error}"))
    if isinstance(error, Later) and not dead:
        log.info("job later", attempts=begun.attempts, reason=str(error))
    else:
        log.error("job dead" if dead else "job failed", attempts=begun.attempts, exc_info=error)
