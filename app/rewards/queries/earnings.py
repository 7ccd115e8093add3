"""What orders earned."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.kernel.database import session
from app.rewards.models import PointsEarning


@dataclass(frozen=True, slots=True)
class PendingEarning:
    """`points` less what refunds took back. `order_number` None: a bonus. `is_held_back`: the date does not count."""

    points: int
    order_number: str | None
    confirms_at: datetime
    is_held_back: bool


def list_pending(customer_id: uuid.UUID, *, limit: int = 100) -> Sequence[PendingEarning]:
    """What is earned and not yet confirmed, soonest first."""
    earning = PointsEarning
    statement = (
        select(
            earning.points - earning.taken_back,
            earning.order_number,
            earning.confirms_at,
            earning.held_back_at.is_not(None),
        )
        .where(
            earning.customer_id == customer_id,
            earning.state == "pending",
            earning.points > earning.taken_back,
        )
        .order_by(earning.confirms_at, earning.id)
        .limit(limit)
    )
    return [PendingEarning(*row) for row in session().execute(statement)]


def find_confirmation(order_id: uuid.UUID) -> datetime | None:
    """When the points that an order earned become, or became, spendable; None when it earned none."""
    return session().scalar(
        select(PointsEarning.confirms_at).where(
            PointsEarning.source_type == "order",
            PointsEarning.source_id == str(order_id),
            PointsEarning.state != "cancelled",
        )
    )
