"""What the shop throws away, and the watch over what must not stand still."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from app.checkout.cleaning import BATCH, CLEANERS
from app.kernel.database import run_atomically
from jobs.registry import Task
from jobs.watching import watch_from_the_schedule

BUDGET_SECONDS = 60.0
"""One run; the next goes on where this one stopped."""


def clean(verb: Callable[..., int]) -> str:
    """Batch by batch, each a transaction of its own, until nothing is left or the time is up."""
    gone, started = 0, time.monotonic()
    while time.monotonic() - started < BUDGET_SECONDS:
        batch = run_atomically(partial(verb, limit=BATCH))
        gone += batch
        if batch < BATCH:
            break
    return f"{gone} rows deleted"


TASKS = (
    *(Task(f"clean.{name}", timedelta(hours=1), partial(clean, verb)) for name, verb in CLEANERS.items()),
    Task("jobs.watch", timedelta(minutes=1), watch_from_the_schedule),
)
