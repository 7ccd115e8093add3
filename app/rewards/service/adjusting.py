"""What single adjustments and files of them share: limits, moving the points, audit row and mail."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from app.accounts.rules import may
from app.audit import service as audit
from app.audit.service import Fact
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import Conflict, FieldError, Forbidden
from app.outbox import service as outbox
from app.outbox.service import MAIL_QUEUE, Job
from app.rewards.errors import BelowZero, PointsInsufficient, SelfApproval
from app.rewards.models import PointsAdjustment
from app.rewards.policies import APPROVAL_DAYS
from app.rewards.programme_models import AdjustmentBatch
from app.rewards.queries.adjustments import get_adjustment
from app.rewards.queries.balance import get_balance, get_takeable
from app.rewards.rules import Rules
from app.rewards.service.grants import credit, debit
from app.rewards.service.reversals import reverse


@dataclass(frozen=True, slots=True)
class Wish:
    """An adjustment as asked for. `points` signed; `reversal_of` set: an undo."""

    customer_id: uuid.UUID
    points: int
    reason_code: str
    note: str
    points_expire_at: datetime | None = None
    reversal_of: uuid.UUID | None = None
    batch_id: uuid.UUID | None = None


def lock_given_today(*, maker: uuid.UUID) -> int:
    """Points, without sign, that `maker` gave and took alone in the last 24 hours.

    Two requests of one person wait for each other here, so that both together stay within the limit.
    """
    session().execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 7302))"), {"key": f"adjust:{maker}"}
    )
    since = clock.now() - timedelta(hours=24)
    single = select(func.coalesce(func.sum(func.abs(PointsAdjustment.points)), 0)).where(
        PointsAdjustment.requested_by == maker,
        PointsAdjustment.created_at > since,
        PointsAdjustment.auto_approved,
        PointsAdjustment.batch_id.is_(None),
    )
    files = select(func.coalesce(func.sum(AdjustmentBatch.credit + AdjustmentBatch.debit), 0)).where(
        AdjustmentBatch.requested_by == maker,
        AdjustmentBatch.created_at > since,
        AdjustmentBatch.auto_approved,
    )
    return int(session().scalar(single) or 0) + int(session().scalar(files) or 0)


def apply_points(*, adjustment_id: uuid.UUID, wish: Wish, rules: Rules, actor: Actor) -> uuid.UUID:
    """Move the points and queue the customer's mail; the ledger transaction's id. Raises BelowZero."""
    key, ref = f"adjustment:{adjustment_id}", str(adjustment_id)
    description = rules.adjustments.reasons.get(wish.reason_code, "Adjustment")
    try:
        if wish.reversal_of is not None:
            tx_id = _reverse(wish, key, ref, rules, actor)
        elif wish.points > 0:
            tx_id = credit(
                customer_id=wish.customer_id,
                points=wish.points,
                idem_key=key,
                ref_type="adjustment",
                ref_id=ref,
                description=description,
                expires_at=wish.points_expire_at,
                actor=actor,
            )
        else:
            tx_id = debit(
                customer_id=wish.customer_id,
                points=-wish.points,
                idem_key=key,
                ref_type="adjustment",
                ref_id=ref,
                description=description,
                actor=actor,
            )
    except PointsInsufficient as error:
        raise below_zero(int(error.details.get("available", 0))) from error
    outbox.add(mail(adjustment_id, wish.customer_id), request_id=actor.request_id)
    return tx_id


def require(actor: Actor, permission: str) -> None:
    """Raises Forbidden unless the actor's role has it."""
    if actor.id is None or not may(actor.role or "customer", permission):
        raise Forbidden("Your role may not do this.")


def refuse_self(actor: Actor, *people: uuid.UUID) -> None:
    """Raises SelfApproval when the actor is one of `people`: who asked, or who would receive."""
    if actor.id in people:
        raise SelfApproval("Somebody else has to decide this.")


def refuse_too_late(asked_at: datetime, *wishes: Wish) -> None:
    """Raises Conflict `ADJUSTMENT_EXPIRED`: it waited for too long, or points of it would be dead on arrival."""
    now = clock.now()
    if asked_at <= now - timedelta(days=APPROVAL_DAYS):
        raise Conflict(
            f"This waited for more than {APPROVAL_DAYS} days. Ask again.", code="ADJUSTMENT_EXPIRED"
        )
    dates = [wish.points_expire_at for wish in wishes if wish.points_expire_at is not None]
    if dates and min(dates) <= now:
        raise Conflict(
            f"Points of it would have expired on {min(dates):%Y-%m-%d} already. Ask again with a later date.",
            code="ADJUSTMENT_EXPIRED",
        )


def refuse_below_zero(wish: Wish) -> None:
    """Raises BelowZero when the customer has not what `wish` takes. An undo may take from a debt that
    was paid, so only booking it can tell."""
    if wish.points < 0 and wish.reversal_of is None:
        available = get_takeable(wish.customer_id)
        if available + wish.points < 0:
            raise below_zero(available)


def record(
    action: str, adjustment_id: uuid.UUID, wish: Wish, reason: str | None, before: int, actor: Actor
) -> None:
    """The audit row of one step, under the customer it is about."""
    after = get_balance(wish.customer_id).available
    audit.record_all([fact(action, adjustment_id, wish, reason, before, after)], actor=actor)


def below_zero(available: int) -> BelowZero:
    """The refusal of what would take more than the customer has."""
    message = f"The customer has {available:,} points available; the balance cannot go below zero."
    errors = (FieldError("points", BelowZero.code, message),)
    return BelowZero(message, errors=errors, details={"available": available})


def mail(adjustment_id: uuid.UUID, customer_id: uuid.UUID) -> Job:
    """What tells the customer about an adjustment."""
    payload = {"adjustment_id": str(adjustment_id), "customer_id": str(customer_id)}
    return Job("mail.points_adjusted", f"mail.points_adjusted:{adjustment_id}", payload, queue=MAIL_QUEUE)


def fact(
    action: str, adjustment_id: uuid.UUID, wish: Wish, reason: str | None, before: int, after: int
) -> Fact:
    """What `record` writes. `before`, `after`: available points."""
    now = {
        "adjustment_id": str(adjustment_id),
        "points": wish.points,
        "reason_code": wish.reason_code,
        "available": after,
    }
    if wish.reversal_of is not None:
        now["reversal_of"] = str(wish.reversal_of)
    return Fact(
        action=action,
        target_type="customer",
        target_id=str(wish.customer_id),
        before={"available": before},
        after=now,
        reason=reason,
    )


def _reverse(wish: Wish, key: str, ref: str, rules: Rules, actor: Actor) -> uuid.UUID:
    assert wish.reversal_of is not None
    first = get_adjustment(wish.reversal_of)
    assert first.tx_id is not None
    return reverse(
        customer_id=wish.customer_id,
        tx_id=first.tx_id,
        idem_key=key,
        ref_id=ref,
        description="Adjustment undone",
        rules=rules,
        actor=actor,
    )
