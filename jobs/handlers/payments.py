"""Callbacks, card refunds and reconciliation."""

from __future__ import annotations

import uuid
from datetime import timedelta

from flask import current_app

from app.checkout.book_checks import PENDING_CHECK, run_checks
from app.checkout.disputes import ANSWER, settle_dispute
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.matching import DAYS, match
from app.gateways.reconcile import reconcile, report_orphan
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import end_reading, run_atomically
from app.payments import disputes, issues, queries
from app.payments import service as payments
from app.payments.bookkeeping import Bookkeeper
from app.payments.gateway import Absent, Gateway, Snapshot, Unknown
from jobs.registry import Later, RunningJob, Task, Unanswered

ORPHAN_AFTER = 5
"""Tries, before a callback about a payment that we do not have is taken for what it is: ours are stored before
they are sent."""


def gateway() -> Gateway:
    """The one that the settings name."""
    found: Gateway = current_app.extensions["gateway"]
    return found


def webhook(job: RunningJob) -> None:
    """A callback is a hint: whatever it says, what counts is what the gateway says when it is asked now."""
    subject = job.payload["subject"]
    if subject == "refund":
        state = _refund_changed(job)
    elif subject == "dispute":
        state = _disputed(job)
    else:
        state = _payment_changed(job)
    run_atomically(
        lambda: payments.finish_webhook(
            gateway=job.payload["gateway"],
            event_id=job.payload["event_id"],
            state=state,
            attempts=job.attempts,
        )
    )


def refund(job: RunningJob) -> None:
    """Send a queued card refund; it is sent under its own key, so that twice is once."""
    truth = ask_refund(refund_id=uuid.UUID(job.payload["refund_id"]), gateway=gateway(), actor=job.actor)
    if isinstance(truth, Unknown):
        raise Unanswered(truth.reason)


def reconcile_task() -> str | None:
    """What `flask payments reconcile` does."""
    report = reconcile(gateway=gateway(), actor=system("payments.reconcile"))
    return str(report) if report else "another run is under way"


def match_task() -> str | None:
    """What `flask payments match` does, over the last days: one that was missed is not missed for ever."""
    today, actor = clock.now().date(), system("payments.match")
    runs = [
        match(gateway=gateway(), day=today - timedelta(days=back), actor=actor)
        for back in reversed(range(DAYS))
    ]
    return "; ".join(str(run) for run in runs if run) or "another run is under way"


def watch_task() -> str | None:
    """Orders whose payment nobody knows about for too long: an issue each, and a mail to staff."""
    checked = run_checks(checks=[PENDING_CHECK], actor=system("payments.watch"))
    return f"{checked.found} pending too long, {checked.closed} no longer"


def _payment_changed(job: RunningJob) -> str:
    payment = queries.find_payment_by_key(job.payload["payment_key"])
    payment_id = payment.id if payment else None
    end_reading()
    if payment_id is None:
        return _not_ours(job)
    truth, _ = ask_payment(payment_id=payment_id, gateway=gateway(), actor=job.actor)
    if isinstance(truth, Unknown):
        raise Unanswered(truth.reason)
    return "processed"


def _not_ours(job: RunningJob) -> str:
    if job.attempts < ORPHAN_AFTER:
        raise Later("no payment of ours has this key")
    try:
        key = uuid.UUID(job.payload["payment_key"])
    except ValueError:
        return "ignored"  # the walk over the gateway's list reports it, if money is in it
    truth = gateway().fetch(key, None)
    if isinstance(truth, Unknown):
        raise Unanswered(truth.reason)
    if isinstance(truth, Snapshot) and truth.captured > 0:
        report_orphan(truth)
    return "ignored"


def _refund_changed(job: RunningJob) -> str:
    """Our own refund, or one that somebody made at the gateway: then the payment's numbers tell."""
    found = queries.find_refund_by_key(job.payload["object_key"])
    refund_id = found.id if found else None
    end_reading()
    if refund_id is None:
        return _payment_changed(job)
    truth = ask_refund(refund_id=refund_id, gateway=gateway(), actor=job.actor)
    if isinstance(truth, Unknown):
        raise Unanswered(truth.reason)
    return "processed"


def _disputed(job: RunningJob) -> str:
    """As for payments, what counts is what the gateway says when it is asked now. Callbacks overtake each other: first
    comes what was paid, then what became of it."""
    keeper, ref = gateway(), str(job.payload["object_ref"])
    if not isinstance(keeper, Bookkeeper):
        return _only_told(job, ref)
    truth = keeper.fetch_dispute(ref)
    if isinstance(truth, Unknown):
        raise Unanswered(truth.reason)
    if isinstance(truth, Absent):
        return "ignored"
    payment = queries.find_payment_by_gateway_ref(keeper.name, truth.payment_ref)
    known = None if payment is None else (payment.id, payment.state)
    end_reading()
    if known is None:  # ours all the same, if the answer to the charge was lost
        _payment_changed(job)
    elif known[1] != "captured":
        paid, _ = ask_payment(payment_id=known[0], gateway=keeper, actor=job.actor)
        if isinstance(paid, Unknown):
            raise Unanswered(paid.reason)
    settle_dispute(gateway=keeper.name, truth=truth, actor=job.actor)
    return "processed"


def _only_told(job: RunningJob, ref: str) -> str:
    """A gateway that cannot be asked about disputes: nothing moves, staff decide."""
    detail = {"payment": job.payload["payment_key"], "event": job.payload["type"]}
    run_atomically(lambda: issues.record_issue(kind=disputes.KIND, ref=ref, detail=detail, suggestion=ANSWER))
    return "processed"


HANDLERS = {"payments.webhook": webhook, "payments.refund": refund}
TASKS = (
    Task("payments.reconcile", timedelta(seconds=30), reconcile_task),
    Task("payments.watch", timedelta(minutes=1), watch_task),
    Task("payments.match", timedelta(hours=24), match_task),
)
