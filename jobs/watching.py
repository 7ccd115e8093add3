"""An alarm when a scheduled task has not run or a job was given up: an issue, and with it a mail to staff.

Looked at from two processes, because the schedule cannot report that it stands still itself: the schedule looks at
its tasks, and the relay looks at the schedule.
"""

from __future__ import annotations

import time
from functools import partial

from app.kernel.actor import system
from app.kernel.database import run_atomically
from app.outbox import runs
from app.payments import issues
from jobs import given_up

KIND = "task_late"
EVERY_SECONDS = 60.0
GRACE_SECONDS = 120.0
"""Of a process that has just started: after a pause of the whole shop everything is late for a moment."""
_started = time.monotonic()


def watch(*, by: str) -> str:
    """Open an issue for each task that is late and each dead job, close those that run again; a sentence for staff."""
    late, closed = run_atomically(partial(_watch, by))
    dead = run_atomically(lambda: given_up.tell(by=system(by).name))
    return f"{late} late, {closed} run again, {dead} dead"


def _watch(by: str) -> tuple[int, int]:
    late = runs.list_late()
    for run in late:
        issues.record_issue(
            kind=KIND,
            ref=run.name,
            detail={"every_seconds": run.every_seconds, "last_error": run.last_error},
            suggestion="See under Schedule why it fails, or whether the schedule and its machine are up.",
        )
    names = [run.name for run in late]
    return len(late), issues.close_all_but(kind=KIND, refs=names, by=system(by).name)


def watch_from_the_schedule() -> str | None:
    """The task `jobs.watch`."""
    return watch(by="jobs.watch") if time.monotonic() - _started > GRACE_SECONDS else "just started"


class Watchman:
    """For a loop that runs all the time: `look` does something once a minute."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._next = time.monotonic() + GRACE_SECONDS

    def look(self) -> None:
        """Raises SQLAlchemyError; then it looks again in a minute."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            watch(by=self._by)
