"""The points programme's own work: what expires and is reminded of, what nobody decided, seals, the nightly proof."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

from app.audit import verification
from app.blueprints.common.damaged import Damaged
from app.blueprints.common.expiring import expire_next
from app.checkout.verification import SHOP
from app.kernel.actor import system
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, run_atomically, transaction
from app.payments.issues import close_all_but, record_issue
from app.rewards.queries import rules_in_force
from app.rewards.service import adjustments, batches, expiry, transfers
from app.rewards.service.seals import SEALS, seal
from app.rewards.service.verify import LEDGER
from jobs.registry import Task

BUDGET_SECONDS = 240.0  # one run; the next goes on where this one stopped
DIFFER = "books_differ"
"""Kind of the issue about a check of the books that has found something."""


def expire_points() -> str | None:
    """Batch by batch until nothing is due or the time is up."""
    actor, started = system("rewards.expire"), time.monotonic()
    damaged = Damaged("rewards.expire")
    lots = points = busy = 0
    after: expiry.Place | None = expiry.start()
    while after is not None and time.monotonic() - started < BUDGET_SECONDS:
        batch = expire_next(after=after, actor=actor, damaged=damaged)
        crashpoint("expire.after_commit")
        lots, points, busy, after = lots + batch.lots, points + batch.points, busy + batch.busy, batch.after
    if busy or after is not None:
        damaged.not_all_seen()
    failed = damaged.tell()
    return f"{lots} lots with {points} points expired{failed}" if lots or failed else None


def remind_of_expiry() -> str | None:
    """Reminders of each of the rules' days, page by page."""
    remind_days = rules_in_force().expiry.remind_days
    end_reading()
    for days in remind_days:
        after = run_atomically(partial(expiry.remind, days=days))
        while after is not None:
            after = run_atomically(partial(expiry.remind, days=days, after=after))
    return None


def end_undecided() -> str | None:
    """Adjustments and files nobody decided in time, transfers nobody confirmed."""
    actor = system("rewards.undecided")
    ended = [
        run_atomically(partial(verb, actor=actor))
        for verb in (adjustments.expire_unapproved, batches.expire_unapproved, transfers.expire_unconfirmed)
    ]
    return "{} adjustments, {} files, {} transfers ended".format(*ended) if any(ended) else None


def seal_chains() -> str | None:
    made = run_atomically(seal)
    return f"seal {made['seq']}: {made['hash']}"


def verify_books() -> str | None:
    """Recompute everything; each check that differs is a row in the repair list, and staff get a mail. What does not
    differ any more is closed."""
    end_reading()
    with transaction():
        report = verification.run((*LEDGER, SEALS, *SHOP, verification.AUDIT))
    for check in report.differences:
        run_atomically(
            partial(
                record_issue,
                kind=DIFFER,
                ref=check.name,
                detail={"found": check.found, "samples": list(check.samples)},
                suggestion=f"Not so any more: {check.what}. Run flask rewards verify.",
            )
        )
    names = [check.name for check in report.differences]
    run_atomically(lambda: close_all_but(kind=DIFFER, refs=names, by=system("rewards.verify").name))
    verdict = "all clean" if report.ok else f"{len(report.differences)} differ"
    return f"{len(report.checks)} checks in {report.seconds:.1f} s: {verdict}"


TASKS = (
    Task("rewards.expire", timedelta(hours=1), expire_points),
    Task("rewards.remind", timedelta(hours=24), remind_of_expiry),
    Task("rewards.undecided", timedelta(hours=1), end_undecided),
    Task("rewards.seal", timedelta(hours=24), seal_chains),
    Task("rewards.verify", timedelta(hours=24), verify_books),
)
