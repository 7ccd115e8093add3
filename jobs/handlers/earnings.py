"""Earned points become spendable, and tiers follow them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from app.kernel.actor import system
from app.kernel.database import end_reading, run_atomically
from app.rewards.queries import list_ranked, rules_in_force
from app.rewards.service import earning, tiers
from jobs.registry import Task

BATCH = 200


def confirm_due() -> str | None:
    """Confirm every earning whose window has passed, each in a transaction of its own."""
    actor = system("rewards.confirm")
    confirmed = 0
    while due := earning.list_due_earnings(limit=BATCH):
        end_reading()
        done = [run_atomically(partial(earning.confirm_one, earning_id=one, actor=actor)) for one in due]
        confirmed += sum(1 for points in done if points)
        if not any(done):
            break  # somebody else is confirming them
    return f"{confirmed} earnings confirmed"


def reassess_tiers() -> str | None:
    """Look again at everybody above the lowest tier: what was earned a year ago counts no more."""
    rules = rules_in_force().tiers
    last, seen = None, 0
    while ranked := list_ranked(after=last, limit=BATCH):
        end_reading()
        for customer_id in ranked:
            run_atomically(partial(tiers.reassess, customer_id=customer_id, rules=rules))
        last, seen = ranked[-1], seen + len(ranked)
    return f"{seen} tiers looked at"


TASKS = (
    Task("rewards.confirm", timedelta(minutes=1), confirm_due),
    Task("rewards.tiers", timedelta(hours=24), reassess_tiers),
)
