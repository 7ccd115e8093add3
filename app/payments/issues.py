"""Differences between our books and the gateway's: one row each, until it is settled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import case, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.audit import service as audit
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import Conflict, invalid
from app.outbox import service as outbox
from app.payments.models import ReconciliationIssue

MIN_NOTE, MAX_NOTE = 5, 1_000


def record_issue(*, kind: str, ref: str, detail: dict[str, Any], suggestion: str) -> bool:
    """Open an issue once per `kind` and `ref`, and mail staff about it; True when it is new.

    Seen again: only `last_seen_at` moves. One that was settled opens again, with another mail, only if it says
    something else now, or if what had fixed it by itself did not last.
    """
    now = clock.now()
    row = insert(ReconciliationIssue).values(
        kind=kind,
        ref=ref,
        detail=detail,
        suggestion=suggestion,
        state="open",
        first_seen_at=now,
        last_seen_at=now,
    )
    table = ReconciliationIssue.__table__.c
    came_back = or_(table.state == "auto_fixed", table.detail != row.excluded.detail)
    statement = row.on_conflict_do_update(
        index_elements=["kind", "ref"],
        set_={
            "last_seen_at": now,
            "detail": row.excluded.detail,
            "suggestion": row.excluded.suggestion,
            "state": case((came_back, "open"), else_=table.state),
        },
    )
    was = _lock_state(kind, ref)
    # xmax is 0 only in a row version that this very statement inserted
    outcome = session().execute(statement.returning(literal_column("xmax = 0"), table.state)).one()
    is_new = bool(outcome[0])
    if is_new or (was not in (None, "open") and outcome.state == "open"):
        payload = {"subject": kind, "text": suggestion, **detail, "ref": ref}
        key = f"mail:staff_alert:{kind}:{ref}" + ("" if is_new else f":{now.isoformat()}")
        outbox.add(outbox.Job("mail.staff_alert", key, payload, queue=outbox.MAIL_QUEUE))
    return is_new


def _lock_state(kind: str, ref: str) -> str | None:
    """The state before, its row locked, so that two who find it again at once send one mail."""
    statement = select(ReconciliationIssue.state).where(
        ReconciliationIssue.kind == kind, ReconciliationIssue.ref == ref
    )
    return session().scalar(statement.with_for_update())


def find_issue(kind: str, ref: str) -> ReconciliationIssue | None:
    """As it is now."""
    return session().get(ReconciliationIssue, (kind, ref), populate_existing=True)


def list_open_refs(kind: str) -> frozenset[str]:
    """What the open issues of a kind are about."""
    statement = select(ReconciliationIssue.ref).where(
        ReconciliationIssue.kind == kind, ReconciliationIssue.state == "open"
    )
    return frozenset(session().scalars(statement))


def list_open_about(kinds: Collection[str], refs: Collection[str] | None = None) -> frozenset[str]:
    """What open issues of any of these kinds are about; `refs`: only these."""
    issue = ReconciliationIssue
    statement = select(issue.ref).where(issue.kind.in_(kinds), issue.state == "open")
    return frozenset(session().scalars(statement if refs is None else statement.where(issue.ref.in_(refs))))


def list_about(kind: str, refs: Collection[str]) -> Sequence[ReconciliationIssue]:
    """Those of a kind about any of these, open or not, as they are now; the oldest first."""
    issue = ReconciliationIssue
    statement = select(issue).where(issue.kind == kind, issue.ref.in_(refs))
    ordered = statement.order_by(issue.first_seen_at, issue.ref)
    return session().scalars(ordered.execution_options(populate_existing=True)).all()


def count_open_by_kind() -> dict[str, int]:
    """How many wait for staff."""
    statement = select(ReconciliationIssue.kind, func.count()).where(ReconciliationIssue.state == "open")
    rows = session().execute(statement.group_by(ReconciliationIssue.kind))
    return {row[0]: row[1] for row in rows}


def close_all_but(*, kind: str, refs: Collection[str], by: str) -> int:
    """Close the open issues of a kind that a complete check has not found again; how many."""
    statement = (
        update(ReconciliationIssue)
        .where(
            ReconciliationIssue.kind == kind,
            ReconciliationIssue.state == "open",
            ReconciliationIssue.ref.not_in(refs),
        )
        .values(state="auto_fixed", resolved_at=clock.now(), resolved_by=by, resolution="It is so no more.")
        .returning(ReconciliationIssue.ref)
    )
    return len(session().execute(statement).all())


def close_issue(*, kind: str, ref: str, state: str, by: str, resolution: str) -> bool:
    """`auto_fixed` by the shop itself or `resolved` by staff; False when no open issue is there."""
    return bool(close_issues(kinds=[kind], ref=ref, state=state, by=by, resolution=resolution))


def close_issues(*, kinds: Collection[str], ref: str, state: str, by: str, resolution: str) -> int:
    """All open ones of these kinds about one thing; how many."""
    statement = (
        update(ReconciliationIssue)
        .where(
            ReconciliationIssue.kind.in_(kinds),
            ReconciliationIssue.ref == ref,
            ReconciliationIssue.state == "open",
        )
        .values(state=state, resolved_at=clock.now(), resolved_by=by, resolution=resolution)
        .returning(ReconciliationIssue.kind)
    )
    return len(session().execute(statement).all())


def checked_note(note: str) -> str:
    """Why staff do it, without blanks around it. Raises RuleBroken naming `note`."""
    note = note.strip()
    if not MIN_NOTE <= len(note) <= MAX_NOTE:
        raise invalid("note", "NOTE_INVALID", f"Write a note of {MIN_NOTE} to {MAX_NOTE:,} characters.")
    return note


def resolve_issue(*, kind: str, ref: str, note: str, actor: Actor) -> None:
    """Staff have looked into it and say so, in the audit log.

    Raises Conflict `ISSUE_NOT_OPEN`, RuleBroken naming `note`.
    """
    note = checked_note(note)
    if not close_issue(kind=kind, ref=ref, state="resolved", by=actor.name, resolution=note):
        raise Conflict("This issue is not open.", code="ISSUE_NOT_OPEN")
    audit.record(
        actor=actor,
        action="issue.resolved",
        target_type="reconciliation_issue",
        target_id=f"{kind}:{ref}",
        before={"state": "open"},
        after={"state": "resolved"},
        reason=note,
    )
