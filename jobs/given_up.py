"""Jobs that were given up tell somebody: an issue, and with it a mail to staff; closed when they have been run again.

Looked for once a minute instead of at their last failure: a job whose worker died each time has no last word.
"""

from __future__ import annotations

from app.outbox import delivery
from app.outbox.models import OutboxRow
from app.outbox.service import DEFAULT_QUEUE, MAIL_QUEUE, PAYMENTS_QUEUE
from app.payments import issues
from app.payments import service as payments

KIND = "job_dead"
MOST = 1_000
"""So many at once are one trouble; staff have it before them."""
MAILS = "mail"
"""One issue for all mails: a mail about each mail that cannot be sent could not be sent either."""
SUGGESTION = "See under Dead letters why it failed, mend that, and run it again there."


def tell(*, by: str) -> int:
    """Open an issue for each dead job, mark the callbacks of such jobs dead, close what runs again; how many."""
    dead = delivery.list_dead(queues=(PAYMENTS_QUEUE, DEFAULT_QUEUE), limit=MOST)
    mails = delivery.list_dead(queues=(MAIL_QUEUE,), limit=1)
    for row in dead:
        _record(str(row.id), row)
        if row.topic == "payments.webhook":
            _close_callback(row)
    for row in mails:
        _record(MAILS, row)
    if len(dead) < MOST:
        refs = [str(row.id) for row in dead] + [MAILS for _ in mails]
        issues.close_all_but(kind=KIND, refs=refs, by=by)
    return len(dead) + len(mails)


def _record(ref: str, row: OutboxRow) -> None:
    issues.record_issue(
        kind=KIND,
        ref=ref,
        detail={"job": row.topic, "key": row.dedupe_key, "error": _last_line(row.last_error)},
        suggestion=SUGGESTION,
    )


def _close_callback(row: OutboxRow) -> None:
    payments.finish_webhook(
        gateway=row.payload["gateway"],
        event_id=row.payload["event_id"],
        state="dead",
        attempts=row.attempts,
        error=_last_line(row.last_error),
    )


def _last_line(error: str | None) -> str:
    return (error or "").strip().rpartition("\n")[2][:200]
