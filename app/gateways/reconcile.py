"""Compare our payments with the gateway's, from both sides: ask about our open ones, and walk over its list.

The walk is what finds the money of a payment that we had closed, when its callback was lost: nobody polls those.
Safe to run twice and at once: one run at a time holds the lock, and all that is written goes through `settle`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog

from app.checkout.flow import settle
from app.gateways.asking import ask_about, ask_payment, ask_refund
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, is_outage, run_atomically, session
from app.kernel.errors import Conflict
from app.outbox.runs import single_flight
from app.payments import issues, queries, rules
from app.payments import service as payments
from app.payments.gateway import Gateway, ListPage, Snapshot, Unknown
from app.payments.models import Payment
from app.payments.service import facts_of

BATCH = 200
OVERLAP = timedelta(hours=1)
"""Walk this far back behind the last walk: clocks differ, and lists show changes late."""
GIVE_UP_AFTER_SILENCE = 3
"""A gateway that does not answer this often in a row is not asked about the rest: they stay due."""
BROKEN = "settling_failed"
"""Kind of the issue about a payment whose truth is known and cannot be written."""
LOOK_AT_IT = (
    "Look at the error and at the order's page. It is tried with every run; this closes when it succeeds."
)
log = structlog.get_logger("payments")
T = TypeVar("T")


@dataclass
class Report:
    """Counts of one run. `complete`: the walk came to the end of the gateway's list. `broken`: payments and refunds
    that could not be settled."""

    asked: int = 0
    changed: int = 0
    unclear: int = 0
    refunds: int = 0
    walked: int = 0
    found: int = 0
    orphans: int = 0
    complete: bool = False
    broken: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        walk = "complete" if self.complete else "cut short"
        return (
            f"asked {self.asked}, changed {self.changed}, unclear {self.unclear}, refunds {self.refunds}; "
            f"walk {walk}: {self.walked} seen, {self.found} settled, {self.orphans} orphans"
            + (f"; {len(self.broken)} broken" if self.broken else "")
        )


def reconcile(*, gateway: Gateway, actor: Actor) -> Report | None:
    """One run; None when another one is under way."""
    with single_flight("payments.reconcile") as mine:
        end_reading()
        if not mine:
            return None
        report = Report()
        _poll_payments(report, gateway, actor)
        _poll_refunds(report, gateway, actor)
        _walk(report, gateway, actor)
        _retry_broken(report, gateway, actor)
        return report


def _poll_payments(report: Report, gateway: Gateway, actor: Actor) -> None:
    due = {payment.id: payment.state for payment in queries.list_due(gateway.name, limit=BATCH)}
    end_reading()
    silent = 0
    for payment_id, before in due.items():
        report.asked += 1
        answer = _unless_broken(
            report, payment_id, partial(ask_payment, payment_id=payment_id, gateway=gateway, actor=actor)
        )
        if answer is None:
            continue
        truth, after = answer
        report.changed += after != before
        unclear = isinstance(truth, Unknown)
        report.unclear += unclear
        silent = silent + 1 if unclear else 0
        if silent >= GIVE_UP_AFTER_SILENCE:
            return


def _poll_refunds(report: Report, gateway: Gateway, actor: Actor) -> None:
    due = queries.list_due_refunds(gateway.name, limit=BATCH)
    end_reading()
    silent = 0
    for refund_id in due:
        truth = _unless_broken(
            report, refund_id, partial(ask_refund, refund_id=refund_id, gateway=gateway, actor=actor)
        )
        report.refunds += 1
        silent = silent + 1 if isinstance(truth, Unknown) else 0
        if silent >= GIVE_UP_AFTER_SILENCE:
            return


def _unless_broken(report: Report, about: uuid.UUID, work: Callable[[], T]) -> T | None:
    """What `work` returns. One payment that cannot be settled must not keep all others waiting: staff hear of it.

    A database that is away is nobody's payment's fault, and a lock that cannot be had is gone with the next run.
    """
    try:
        return work()
    except Exception as error:
        if is_outage(error):
            raise
        session().rollback()
        report.broken.add(str(about))
        log.exception("payment could not be settled", about=str(about))
        if isinstance(error, Conflict) and error.code == "BUSY":
            return None
        detail = {"about": str(about), "error": f"{type(error).__name__}: {error}"[:300]}
        run_atomically(
            lambda: issues.record_issue(kind=BROKEN, ref=str(about), detail=detail, suggestion=LOOK_AT_IT)
        )
        return None


def _retry_broken(report: Report, gateway: Gateway, actor: Actor) -> None:
    """What could not be settled in an earlier run: it may be due no more, and the gateway's list soon forgets it. Each
    closes with its own success, and with nothing else.

    In no order, so that some about which the gateway never says a word keep no other waiting.
    """
    once_broken = sorted(issues.list_open_refs(BROKEN) - report.broken)
    end_reading()
    silent = 0
    for ref in secrets.SystemRandom().sample(once_broken, min(BATCH, len(once_broken))):
        about = uuid.UUID(ref)
        said = _unless_broken(report, about, partial(ask_about, about=about, gateway=gateway, actor=actor))
        if said:
            run_atomically(partial(_close, ref, actor))
        silent = silent + 1 if said is False else 0
        if silent >= GIVE_UP_AFTER_SILENCE:
            return


def _close(ref: str, actor: Actor) -> None:
    issues.close_issue(
        kind=BROKEN, ref=ref, state="auto_fixed", by=actor.name, resolution="It has been settled since."
    )


def _walk(report: Report, gateway: Gateway, actor: Actor) -> None:
    """Remembered as done only at the end of the list: a walk that was cut short is walked again."""
    began = clock.now()
    last = queries.find_cursor(gateway.name)
    # The first walk may come late, with money waiting at the gateway since the first day.
    start = last.walked_at if last else queries.first_payment_at(gateway.name)
    since = (start or began) - OVERLAP
    cursor: str | None = None
    while True:
        end_reading()
        page = gateway.list_changed(cursor, since)
        if not isinstance(page, ListPage):
            return
        _compare(page.snapshots, report, gateway, actor)
        cursor = page.cursor
        if not page.has_more:
            break
    crashpoint("reconcile.before_cursor")
    run_atomically(lambda: payments.keep_cursor(gateway=gateway.name, cursor=cursor, walked_at=began))
    report.complete = True


def _compare(snapshots: Sequence[Snapshot], report: Report, gateway: Gateway, actor: Actor) -> None:
    """Settle what would change something here; most of a page is known already."""
    keys = {snapshot.key: _uuid(snapshot.key) for snapshot in snapshots}
    ours = {str(row.id): row for row in queries.list_by_id([key for key in keys.values() if key])}
    accused = issues.list_open_about(rules.ACCUSING, ours) if ours else frozenset()
    news: list[tuple[uuid.UUID, Snapshot]] = []
    bounced: list[uuid.UUID] = []
    for snapshot in snapshots:
        report.walked += 1
        row = ours.get(snapshot.key)
        if row is None:
            report.orphans += snapshot.captured > 0 and report_orphan(snapshot)
            continue
        if _is_asking(row):
            continue
        decision = rules.decide(facts_of(row, snapshot), snapshot, clock.now())
        is_new = decision.state != row.state or decision.issue is not None
        is_new |= decision.is_given_back and row.last_error != rules.GIVEN_BACK
        if is_new or (decision.settles and snapshot.key in accused):
            news.append((row.id, snapshot))
            if snapshot.refunded < row.refunded:
                bounced += queries.list_returned(row.id)
    end_reading()
    for refund_id in bounced:
        _unless_broken(
            report, refund_id, partial(ask_refund, refund_id=refund_id, gateway=gateway, actor=actor)
        )
    for payment_id, snapshot in news:
        done = _unless_broken(
            report, payment_id, partial(settle, payment_id=payment_id, truth=snapshot, actor=actor)
        )
        report.found += done is not None


def _is_asking(row: Payment) -> bool:
    """Its own request still waits for the answer and will settle it. When that crashed, the payment is soon due."""
    due = row.next_check_at
    return row.state == "submitting" and due is not None and due > clock.now()


def report_orphan(snapshot: Snapshot) -> bool:
    """Money at the gateway that no payment of ours is about; True when that is new."""
    end_reading()
    detail = {
        "gateway_ref": snapshot.gateway_ref,
        "key": snapshot.key,
        "reference": snapshot.reference,
        "captured": snapshot.captured,
        "currency": snapshot.currency,
    }
    return run_atomically(
        lambda: issues.record_issue(
            kind="orphan_payment",
            ref=snapshot.gateway_ref,
            detail=detail,
            suggestion="Find out whose it is; if it is ours, refund it at the gateway.",
        )
    )


def _uuid(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key)
    except ValueError:
        return None
