"""Points that orders earn: pending first, confirmed into a lot when the return window has passed."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.models import PointsAccount, PointsEarning
from app.rewards.rules import Rules, lot_expiry
from app.rewards.service.accounts import lock_account
from app.rewards.service.posting import Leg, NewLot, Posting, post


def earn_pending(
    *,
    customer_id: uuid.UUID,
    order_id: uuid.UUID,
    order_number: str,
    points: int,
    confirms_at: datetime,
    rules_version: int,
    breakdown: dict[str, Any],
    actor: Actor,
) -> None:
    """Book `points` as pending for a paid order. Raises AlreadyPosted when the order has earned before."""
    lock_account(customer_id=customer_id)
    legs = [Leg("issued", -points), Leg("pending", points)]
    description = f"Earned with order {order_number}"
    key = f"earn:order:{order_id}"
    post(Posting(customer_id, "earn", key, "order", order_number, description, legs), actor=actor)
    session().execute(
        insert(PointsEarning).values(
            id=ids.uuid7(),
            customer_id=customer_id,
            source_type="order",
            source_id=str(order_id),
            order_number=order_number,
            points=points,
            state="pending",
            rules_version=rules_version,
            breakdown=breakdown,
            created_at=clock.now(),
            confirms_at=confirms_at,
        )
    )


def list_due_earnings(*, limit: int = 100) -> list[uuid.UUID]:
    """Ids of pending earnings whose window has passed, oldest first."""
    statement = (
        select(PointsEarning.id)
        .where(PointsEarning.state == "pending", PointsEarning.confirms_at <= clock.now())
        .order_by(PointsEarning.confirms_at)
        .limit(limit)
    )
    return list(session().scalars(statement))


def confirm(*, earning_id: uuid.UUID, rules: Rules, actor: Actor) -> int:
    """Pending points become spendable; how many. A debt is paid first. 0 when not due or not pending."""
    customer_id = session().scalar(select(PointsEarning.customer_id).where(PointsEarning.id == earning_id))
    if customer_id is None:
        return 0
    balances = lock_account(customer_id=customer_id)
    row = (
        session().scalars(select(PointsEarning).where(PointsEarning.id == earning_id).with_for_update()).one()
    )
    now = clock.now()
    points = row.points - row.taken_back
    if row.state != "pending" or row.confirms_at > now or points <= 0:
        return 0
    to_debt = min(-balances.debt, points)
    lot = NewLot(ids.uuid7(), "order", row.order_number or row.source_id, lot_expiry(now, rules))
    legs = [Leg("pending", -to_debt), Leg("debt", to_debt)] if to_debt else []
    lots = []
    if points > to_debt:
        legs += [Leg("pending", to_debt - points, lot.id), Leg("available", points - to_debt, lot.id)]
        lots = [lot]
    description = f"Earned with order {row.order_number}"
    post(
        Posting(
            customer_id,
            "earn_confirm",
            f"confirm:{row.id}",
            "order",
            row.order_number or "",
            description,
            legs,
            lots,
        ),
        actor=actor,
    )
    row.state, row.resolved_at, row.lot_id = "confirmed", now, lot.id if lots else None
    session().execute(
        update(PointsAccount)
        .where(PointsAccount.customer_id == customer_id)
        .values(lifetime_earned=PointsAccount.lifetime_earned + points)
    )
    session().flush()
    return points
