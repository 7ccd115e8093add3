"""What the shop tidies up behind itself."""

from __future__ import annotations

from datetime import timedelta

from app.kernel.database import run_atomically
from app.outbox import delivery
from jobs.registry import Task


def prune_outbox() -> str | None:
    return f"{run_atomically(delivery.prune)} rows deleted"


TASKS = (Task("outbox.prune", timedelta(hours=1), prune_outbox),)
