"""Earned points become spendable, and tiers follow them."""

from __future__ import annotations

import math
import time
import uuid
from datetime import timedelta
from functools import partial

from app.blueprints.common.damaged import Damaged
from app.kernel.actor import system
from app.kernel.database import end_reading, run_atomically
from app.outbox import service as outbox
from app.outbox.service import Job
from app.rewards.queries import list_movable, rules_in_force
from app.rewards.service import earning, tiers
from app.rewards.service.rules_versions import RULES_CHANGED
from jobs.registry import RunningJob, Task

BATCH = 200
BUDGET_SECONDS = 60.0  # of the two minutes that a job may take; another goes on


def confirm_due() -> str | None:
    """Confirm every earning whose window has passed, each in a transaction of its own."""
    actor, damaged = system("rewards.confirm"), Damaged("rewards.confirm")
    confirmed = 0
    while due := earning.list_due_earnings(past=damaged.customers, limit=BATCH):
        end_reading()
        before, done = damaged.customers, 0
        for one in due:
            if one.customer_id not in damaged.customers:
                work = partial(earning.confirm_one, earning_id=one.id, actor=actor)
                done += bool(damaged.go_past(one.customer_id, work))
        confirmed += done
        if not done and damaged.customers == before:
            break  # somebody else is confirming them
    return f"{confirmed} earnings confirmed{damaged.tell()}"


def reassess_tiers() -> str | None:
    """Look again at everybody whose tier may have to move: what was earned a year ago counts no more."""
    seen, _, failed = _reassess(None, seconds=math.inf)
    return f"{seen} tiers looked at{failed}"


def rules_changed(job: RunningJob) -> None:
    """New rules may lower or raise what a tier takes: look at everybody, one job after the other."""
    after = job.payload.get("after")
    _, last, _ = _reassess(uuid.UUID(after) if after else None, seconds=BUDGET_SECONDS)
    if last is not None:
        version = job.payload["version"]
        more = Job(
            RULES_CHANGED, f"{RULES_CHANGED}:{version}:{last}", {"version": version, "after": str(last)}
        )
        run_atomically(lambda: outbox.add(more, request_id=job.request_id))


def _reassess(after: uuid.UUID | None, *, seconds: float) -> tuple[int, uuid.UUID | None, str]:
    """(how many, where to go on after `seconds`; None: all are seen; what to add about accounts that failed)."""
    started, seen, damaged = time.monotonic(), 0, Damaged("rewards.tiers")
    if after is not None:
        damaged.not_all_seen()
    rules = rules_in_force().tiers
    while movable := list_movable(rules=rules, after=after, limit=BATCH):
        end_reading()
        for customer_id in movable:
            damaged.go_past(customer_id, partial(tiers.reassess, customer_id=customer_id, rules=rules))
        after, seen = movable[-1], seen + len(movable)
        if time.monotonic() - started > seconds:
            damaged.not_all_seen()
            return seen, after, damaged.tell()
    return seen, None, damaged.tell()


HANDLERS = {RULES_CHANGED: rules_changed}
TASKS = (
    Task("rewards.confirm", timedelta(minutes=1), confirm_due),
    Task("rewards.tiers", timedelta(hours=24), reassess_tiers),
)
