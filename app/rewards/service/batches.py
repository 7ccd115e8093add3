"""Adjustments by file: a dry run that shows every difference, then all of it or nothing, decided by its total."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from app.audit import service as audit
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import constraint_of, session
from app.kernel.errors import FieldError, RuleBroken
from app.rewards import batch_file
from app.rewards.batch_file import FileRow
from app.rewards.errors import AdjustmentDuplicate, AdjustmentNotFound
from app.rewards.models import PointsAdjustment
from app.rewards.policies import APPROVAL_DAYS, check_note, within_limit
from app.rewards.programme_models import AdjustmentBatch
from app.rewards.queries.adjustments import Batch, get_batch
from app.rewards.queries.batches import (
    find_customers,
    list_batch_rows,
    list_pending_twins,
    owed_by,
    takeable_of,
)
from app.rewards.rules import Rules
from app.rewards.service.adjusting import Wish, lock_given_today, refuse_self, refuse_too_late, require
from app.rewards.service.bulk import apply_all
from app.rewards.states import BATCH


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row of the file with the customer's unexpired points before and after it; a debt is paid first."""

    row: FileRow
    customer_id: uuid.UUID | None
    before: int
    after: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do. `credit` and `debit` in points without sign; `alone`: within the maker's own limit."""

    rows: Sequence[PreviewRow]
    credit: int
    debit: int
    alone: bool

    @property
    def problems(self) -> int:
        return sum(row.problem is not None for row in self.rows)


def dry_run(*, content: bytes, rules: Rules, actor: Actor) -> Preview:
    """Read the file and compare it with the books; changes nothing.

    Raises RuleBroken naming `file`, AdjustmentDuplicate when the file was booked or waits already, Forbidden.
    """
    require(actor, "rewards.adjust")
    assert actor.id is not None
    rows = batch_file.read(content, now=clock.now(), rules=rules.adjustments)
    people = find_customers([row.customer for row in rows])
    balances, owed = takeable_of(people.values()), owed_by(people.values())
    twins = list_pending_twins(people.values())
    seen = Counter(people.get(row.customer) for row in rows)
    shown = []
    for row in rows:
        customer_id = people.get(row.customer)
        before = balances.get(customer_id, 0) if customer_id else 0
        problem = row.problem or _problem(row, customer_id, before, seen[customer_id], twins)
        to_debt = min(owed.get(customer_id, 0), max(0, row.points)) if customer_id else 0
        shown.append(PreviewRow(row, customer_id, before, before + row.points - to_debt, problem))
    _refuse_again(_digest(shown))
    credit = sum(row.points for row in rows if row.points > 0)
    debit = -sum(row.points for row in rows if row.points < 0)
    given = lock_given_today(maker=actor.id)
    alone = actor.id not in people.values() and within_limit(
        points=credit + debit, given_today=given, role=actor.role, rules=rules.adjustments
    )
    return Preview(shown, credit, debit, alone)


def submit(*, content: bytes, file_name: str, rules: Rules, actor: Actor) -> Batch:
    """Apply the whole file, or queue it for a second person when its total is above the maker's limit.

    Raises RuleBroken `BATCH_REFUSED` with one error a bad row, AdjustmentDuplicate when the file was booked or
    waits already, Forbidden. Then nothing has changed.
    """
    preview = dry_run(content=content, rules=rules, actor=actor)
    _refuse_problems(preview)
    batch_id, now = ids.uuid7(), clock.now()
    values = {
        "id": batch_id,
        "file_name": file_name[:200],
        "digest": _digest(preview.rows),
        "rows": len(preview.rows),
        "credit": preview.credit,
        "debit": preview.debit,
        "state": "applied" if preview.alone else "awaiting_approval",
        "auto_approved": preview.alone,
        "requested_by": actor.id,
        "decided_by": actor.id if preview.alone else None,
        "created_at": now,
        "decided_at": now if preview.alone else None,
    }
    keys = sorted(ids.uuid7() for _ in preview.rows)  # so that ids stand in the order of the file
    wishes = {key: _wish(row, batch_id) for key, row in zip(keys, preview.rows, strict=True)}
    try:
        session().execute(insert(AdjustmentBatch).values(values))
        session().execute(
            insert(PointsAdjustment), [_values(key, wish, actor) for key, wish in wishes.items()]
        )
    except IntegrityError as error:
        raise _translate(error) from error
    if preview.alone:
        apply_all(wishes, rules=rules, actor=actor, note=None)
    _audit("applied" if preview.alone else "requested", get_batch(batch_id), file_name, actor)
    return get_batch(batch_id)


def approve(*, batch_id: uuid.UUID, note: str, rules: Rules, actor: Actor) -> Batch:
    """Apply every row, or none. Raises SelfApproval, Forbidden, Conflict, BelowZero naming the rows, RuleBroken
    naming `note`."""
    batch, wishes = _lock_to_decide(batch_id, "applied", note, actor)
    refuse_too_late(batch.created_at, *wishes.values())
    apply_all(wishes, rules=rules, actor=actor, note=note.strip())
    return _decide(batch, "applied", note, actor)


def reject(*, batch_id: uuid.UUID, note: str, actor: Actor) -> Batch:
    """Turn the whole file down. Raises SelfApproval, Forbidden, Conflict, RuleBroken naming `note`."""
    batch, _ = _lock_to_decide(batch_id, "rejected", note, actor)
    return _decide(batch, "rejected", note, actor)


def expire_unapproved(*, actor: Actor, limit: int = 20) -> int:
    """End files that nobody decided in 7 days; how many."""
    statement = (
        select(AdjustmentBatch.id)
        .where(
            AdjustmentBatch.state == "awaiting_approval",
            AdjustmentBatch.created_at <= clock.now() - timedelta(days=APPROVAL_DAYS),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    waiting = list(session().scalars(statement))
    for batch_id in waiting:
        _decide(get_batch(batch_id), "expired", None, actor)
    return len(waiting)


def result_file(*, batch_id: uuid.UUID) -> str:
    """What became of each row, as CSV. Raises AdjustmentNotFound."""
    return batch_file.write_result(list_batch_rows(batch_id))


def _problem(
    row: FileRow,
    customer_id: uuid.UUID | None,
    before: int,
    times: int,
    twins: set[tuple[uuid.UUID, int, str]],
) -> str | None:
    if customer_id is None:
        return "No customer has this e-mail address or id."
    if times > 1:
        return "This customer is in the file more than once."
    if (customer_id, row.points, row.reason_code) in twins:
        return "The same adjustment waits for approval already."
    if before + row.points < 0:
        return f"The customer has {before:,} points available; the balance cannot go below zero."
    return None


def _digest(rows: Sequence[PreviewRow]) -> bytes:
    """Of what the file asks for, in any order: a spreadsheet that saves it again writes other bytes."""
    asked = sorted(
        (str(row.customer_id), row.row.points, row.row.reason_code, row.row.note, str(row.row.expires_at))
        for row in rows
    )
    return ids.fingerprint(json.dumps(asked))


def _refuse_again(digest: bytes) -> None:
    live = AdjustmentBatch.state.in_(("awaiting_approval", "applied"))
    if session().scalar(select(AdjustmentBatch.id).where(AdjustmentBatch.digest == digest, live)) is not None:
        raise AdjustmentDuplicate("This file was booked already, or waits for approval.")


def _refuse_problems(preview: Preview) -> None:
    if preview.problems:
        errors = tuple(
            FieldError(f"line {row.row.line}", "ROW_INVALID", row.problem)
            for row in preview.rows
            if row.problem
        )
        message = f"{len(errors):,} of {len(preview.rows):,} rows cannot be booked, so none was."
        raise RuleBroken(message, code="BATCH_REFUSED", errors=errors[:100])


def _wish(row: PreviewRow, batch_id: uuid.UUID) -> Wish:
    assert row.customer_id is not None
    data = row.row
    return Wish(row.customer_id, data.points, data.reason_code, data.note, data.expires_at, batch_id=batch_id)


def _values(adjustment_id: uuid.UUID, wish: Wish, actor: Actor) -> dict[str, Any]:
    return {
        "id": adjustment_id,
        "customer_id": wish.customer_id,
        "points": wish.points,
        "reason_code": wish.reason_code,
        "note": wish.note,
        "points_expire_at": wish.points_expire_at,
        "state": "awaiting_approval",
        "requested_by": actor.id,
        "batch_id": wish.batch_id,
        "created_at": clock.now(),
    }


def _lock_to_decide(
    batch_id: uuid.UUID, to: str, note: str, actor: Actor
) -> tuple[Batch, dict[uuid.UUID, Wish]]:
    statement = select(AdjustmentBatch.id).where(AdjustmentBatch.id == batch_id).with_for_update()
    if session().scalar(statement) is None:
        raise AdjustmentNotFound("There is no such file of adjustments.")
    batch = get_batch(batch_id)
    rows = session().execute(
        select(
            PointsAdjustment.id,
            PointsAdjustment.customer_id,
            PointsAdjustment.points,
            PointsAdjustment.reason_code,
            PointsAdjustment.note,
            PointsAdjustment.points_expire_at,
        ).where(PointsAdjustment.batch_id == batch_id)
    )
    wishes = {row.id: Wish(*row[1:], batch_id=batch_id) for row in rows}
    refuse_self(actor, batch.requested_by, *[wish.customer_id for wish in wishes.values()])
    require(actor, "rewards.approve")
    check_note(note)
    BATCH.check(batch.state, to)
    return batch, wishes


def _decide(batch: Batch, to: str, note: str | None, actor: Actor) -> Batch:
    BATCH.check(batch.state, to)
    decision = {"decided_by": actor.id, "decided_at": clock.now(), "decision_note": note and note.strip()}
    session().execute(
        update(AdjustmentBatch).where(AdjustmentBatch.id == batch.id).values(state=to, **decision)
    )
    session().execute(
        update(PointsAdjustment)
        .where(PointsAdjustment.batch_id == batch.id, PointsAdjustment.state == "awaiting_approval")
        .values(state=to, **decision)
    )
    _audit({"applied": "approved"}.get(to, to), get_batch(batch.id), note, actor)
    return get_batch(batch.id)


def _audit(word: str, batch: Batch, reason: str | None, actor: Actor) -> None:
    audit.record(
        actor=actor,
        action=f"points.batch_{word}",
        target_type="points_batch",
        target_id=str(batch.id),
        after={"file": batch.file_name, "rows": batch.rows, "credit": batch.credit, "debit": batch.debit},
        reason=reason,
    )


def _translate(error: IntegrityError) -> Exception:
    constraint = constraint_of(error)
    if constraint == "uq_points_adjustment_batch_digest":
        return AdjustmentDuplicate("This file was booked already, or waits for approval.")
    if constraint == "uq_points_adjustment_pending":
        return AdjustmentDuplicate("An adjustment of this file waits for approval already.")
    return error
