"""Points added or subtracted by staff: asked for, applied within the maker's limit, decided by a second person.

Every verb writes one audit row in the caller's transaction and, when points moved, one mail job.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import constraint_of, session
from app.kernel.errors import Conflict
from app.rewards.errors import AdjustmentDuplicate, AdjustmentNotFound
from app.rewards.models import PointsAdjustment
from app.rewards.policies import APPROVAL_DAYS, check_adjustment, check_note, within_limit
from app.rewards.queries.adjustments import Adjustment, get_adjustment
from app.rewards.queries.balance import get_balance
from app.rewards.rules import Rules
from app.rewards.service.adjusting import (
    Wish,
    apply_points,
    lock_given_today,
    record,
    refuse_below_zero,
    refuse_self,
    refuse_too_late,
    require,
)
from app.rewards.states import ADJUSTMENT


def request(
    *,
    customer_id: uuid.UUID,
    points: int,
    reason_code: str,
    note: str,
    points_expire_at: datetime | None = None,
    rules: Rules,
    actor: Actor,
) -> Adjustment:
    """Add (> 0) or subtract (< 0) `points`: `applied` within the maker's limit, else `awaiting_approval`.

    One's own account always waits for another person. Raises RuleBroken `VALIDATION_FAILED` naming the field,
    BelowZero, AdjustmentDuplicate, CustomerNotFound, Forbidden.
    """
    check_adjustment(
        points=points,
        reason_code=reason_code,
        note=note,
        expire_at=points_expire_at,
        now=clock.now(),
        rules=rules.adjustments,
    )
    get_customer(customer_id)
    return ask(
        wish=Wish(customer_id, points, reason_code, note.strip(), points_expire_at), rules=rules, actor=actor
    )


def undo(*, adjustment_id: uuid.UUID, note: str, rules: Rules, actor: Actor) -> Adjustment:
    """Reverse an applied adjustment, once, by a linked one that counts against the maker's limit like any other.

    Raises AdjustmentNotFound, Conflict `ADJUSTMENT_NOT_APPLIED`, AdjustmentDuplicate, BelowZero, Forbidden.
    """
    check_note(note)
    first = lock_adjustment(adjustment_id=adjustment_id)
    if first.state != "applied" or first.reversal_of is not None:
        message = "Only an applied adjustment that is no undo itself can be undone."
        raise Conflict(message, code="ADJUSTMENT_NOT_APPLIED")
    if session().scalar(
        select(PointsAdjustment.id).where(
            PointsAdjustment.reversal_of == first.id,
            PointsAdjustment.state.in_(("awaiting_approval", "applied")),
        )
    ):
        raise AdjustmentDuplicate("This adjustment has been undone already.")
    wish = Wish(first.customer_id, -first.points, first.reason_code, note.strip(), reversal_of=first.id)
    return ask(wish=wish, rules=rules, actor=actor)


def approve(*, adjustment_id: uuid.UUID, note: str, rules: Rules, actor: Actor) -> Adjustment:
    """Apply what waits. Raises SelfApproval, Forbidden, BelowZero, Conflict `TRANSITION_INVALID` or
    `ADJUSTMENT_EXPIRED`, RuleBroken naming `note`."""
    row = _lock_to_decide(adjustment_id, "applied", note, actor)
    refuse_too_late(row.created_at, _wish(row))
    before = get_balance(row.customer_id).available
    tx_id = apply_points(adjustment_id=row.id, wish=_wish(row), rules=rules, actor=actor)
    return _decide(row, "applied", note, actor, before=before, tx_id=tx_id)


def reject(*, adjustment_id: uuid.UUID, note: str, actor: Actor) -> Adjustment:
    """Turn down what waits; no points move. Raises SelfApproval, Forbidden, Conflict, RuleBroken naming `note`."""
    row = _lock_to_decide(adjustment_id, "rejected", note, actor)
    return _decide(row, "rejected", note, actor, before=get_balance(row.customer_id).available)


def expire_unapproved(*, actor: Actor, limit: int = 200) -> int:
    """End single requests that nobody decided in 7 days; how many. Files end with service.batches."""
    before = clock.now() - timedelta(days=APPROVAL_DAYS)
    rows = (
        session()
        .execute(
            select(PointsAdjustment)
            .where(
                PointsAdjustment.state == "awaiting_approval",
                PointsAdjustment.created_at <= before,
                PointsAdjustment.batch_id.is_(None),
            )
            .order_by(PointsAdjustment.created_at, PointsAdjustment.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        .scalars()
        .all()
    )
    for row in rows:
        available = get_balance(row.customer_id).available
        _decide(row, "expired", None, actor, before=available)
    return len(rows)


def ask(*, wish: Wish, rules: Rules, actor: Actor) -> Adjustment:
    """Apply or queue a checked wish. Raises BelowZero, AdjustmentDuplicate, Forbidden."""
    require(actor, "rewards.adjust")
    assert actor.id is not None
    points = abs(wish.points)
    alone = actor.id != wish.customer_id and within_limit(
        points=points, given_today=lock_given_today(maker=actor.id), role=actor.role, rules=rules.adjustments
    )
    before = get_balance(wish.customer_id).available
    refuse_below_zero(wish)
    adjustment_id = ids.uuid7()
    tx_id = apply_points(adjustment_id=adjustment_id, wish=wish, rules=rules, actor=actor) if alone else None
    _insert(adjustment_id, wish, tx_id, actor)
    word = "applied" if alone else "requested"
    record(f"points.adjustment_{word}", adjustment_id, wish, wish.note, before, actor)
    return get_adjustment(adjustment_id)


def lock_adjustment(*, adjustment_id: uuid.UUID) -> PointsAdjustment:
    """The row, locked. Raises AdjustmentNotFound."""
    statement = select(PointsAdjustment).where(PointsAdjustment.id == adjustment_id).with_for_update()
    row = session().scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise AdjustmentNotFound("There is no such adjustment.")
    return row


def _lock_to_decide(adjustment_id: uuid.UUID, to: str, note: str, actor: Actor) -> PointsAdjustment:
    row = lock_adjustment(adjustment_id=adjustment_id)
    refuse_self(actor, row.requested_by, row.customer_id)
    require(actor, "rewards.approve")
    check_note(note)
    if row.batch_id is not None:
        raise Conflict("This belongs to a file: decide the whole file.", code="ADJUSTMENT_IN_BATCH")
    ADJUSTMENT.check(row.state, to)
    return row


def _decide(
    row: PointsAdjustment,
    to: str,
    note: str | None,
    actor: Actor,
    *,
    before: int,
    tx_id: uuid.UUID | None = None,
) -> Adjustment:
    ADJUSTMENT.check(row.state, to)
    session().execute(
        update(PointsAdjustment)
        .where(PointsAdjustment.id == row.id)
        .values(
            state=to,
            decided_by=actor.id,
            decision_note=note and note.strip(),
            decided_at=clock.now(),
            tx_id=tx_id,
        )
    )
    word = {"applied": "approved"}.get(to, to)
    record(f"points.adjustment_{word}", row.id, _wish(row), note or row.note, before, actor)
    return get_adjustment(row.id)


def _wish(row: PointsAdjustment) -> Wish:
    return Wish(
        row.customer_id,
        row.points,
        row.reason_code,
        row.note,
        row.points_expire_at,
        row.reversal_of,
        row.batch_id,
    )


def _insert(adjustment_id: uuid.UUID, wish: Wish, tx_id: uuid.UUID | None, actor: Actor) -> None:
    now = clock.now()
    alone = tx_id is not None
    try:
        session().execute(
            insert(PointsAdjustment).values(
                id=adjustment_id,
                customer_id=wish.customer_id,
                points=wish.points,
                reason_code=wish.reason_code,
                note=wish.note,
                points_expire_at=wish.points_expire_at,
                state="applied" if alone else "awaiting_approval",
                auto_approved=alone,
                requested_by=actor.id,
                decided_by=actor.id if alone else None,
                tx_id=tx_id,
                reversal_of=wish.reversal_of,
                created_at=now,
                decided_at=now if alone else None,
            )
        )
    except IntegrityError as error:
        raise _translate(error) from error


def _translate(error: IntegrityError) -> Exception:
    constraint = constraint_of(error)
    if constraint == "uq_points_adjustment_pending":
        return AdjustmentDuplicate("The same adjustment waits for approval already.")
    if constraint == "uq_points_adjustment_reversal_of":
        return AdjustmentDuplicate("This adjustment has been undone already.")
    return error
