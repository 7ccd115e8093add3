"""`python -m jobs.schedule`: starts each task of the registry when it is due, one run at a time over all machines.

A run is claimed in the database (`job_run`), so that any number of schedulers may run; a lock keeps a slow run from
meeting its successor. Tasks run here, not over Redis: what repairs things must not need what may be broken.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.kernel.crashpoint import crashpoint
from app.kernel.database import db, run_atomically
from app.outbox import runs
from jobs.process import Stopping, flask_app
from jobs.registry import Task, tasks

POLL_SECONDS = 1.0
LONGEST_PAUSE = 10.0
THREADS = 4
log = structlog.get_logger("schedule")


def start_due(app: Flask, pool: ThreadPoolExecutor) -> list[str]:
    """Start what is due; its names."""
    started = []
    with app.app_context():
        for task in tasks():
            if run_atomically(partial(runs.claim, name=task.name)):
                pool.submit(run_task, app, task)
                started.append(task.name)
    return started


def run_task(app: Flask, task: Task) -> None:
    """One run, recorded; never raises."""
    with app.app_context(), structlog.contextvars.bound_contextvars(task=task.name):
        result: str | None = None
        error: str | None = None
        try:
            with runs.single_flight(f"task:{task.name}") as mine:
                crashpoint("schedule.after_claim")
                db.session.rollback()
                if not mine:
                    log.info("task skipped: still running")
                    return
                result = task.run()
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
            log.exception("task failed")
        _record(task.name, result, error)
        if error is None:
            log.info("task done", result=result)


def _record(name: str, result: str | None, error: str | None) -> None:
    try:
        db.session.rollback()
        run_atomically(lambda: runs.record(name=name, result=result, error=error))
    except SQLAlchemyError as failure:
        log.error("task not recorded", reason=type(failure).__name__)


def register_all(app: Flask) -> None:
    """Give every task its row, and forget those that are no more."""
    with app.app_context():
        for task in tasks():
            run_atomically(partial(runs.register, name=task.name, every=task.every))
        run_atomically(partial(runs.forget_others, names=[task.name for task in tasks()]))


def main() -> None:
    app, stopping, pause, registered = flask_app(), Stopping(), POLL_SECONDS, False
    with ThreadPoolExecutor(THREADS, thread_name_prefix="task") as pool:
        while not stopping:
            try:
                if not registered:
                    register_all(app)
                    registered = True
                    log.info("schedule started", tasks=[task.name for task in tasks()])
                start_due(app, pool)
                pause = POLL_SECONDS
            except SQLAlchemyError as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                log.error("schedule waits", reason=type(error).__name__, seconds=pause)
            stopping.wait(pause)
    log.info("schedule stopped")


if __name__ == "__main__":
    main()
