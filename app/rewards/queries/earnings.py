"""What orders earned."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsEarning, PointsEntry, PointsTx
from app.rewards.queries.lots import list_family


@dataclass(frozen=True, slots=True)
class PendingEarning:
    """`points` less what refunds took back. `order_number` None: a bonus. `is_held_back`: the date does not count."""

    points: int
    order_number: str | None
    confirms_at: datetime
    is_held_back: bool


@dataclass(frozen=True, slots=True)
class OrderEarned:
    """What an order earned by its amount, in points. `confirms_at`: when what is left of it becomes, or became,
    spendable. `is_held_back`: the date does not count."""

    points: int
    taken_back: int
    confirms_at: datetime
    is_held_back: bool

    @property
    def left(self) -> int:
        return self.points - self.taken_back


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


def list_left(customer_id: uuid.UUID, order_number: str) -> dict[str, tuple[int, int]]:
    """Of each earning of the order, by its source type: (points less what was taken back, how many of these are lost
    to expiry)."""
    earning = PointsEarning
    statement = select(
        earning.source_type, earning.points - earning.taken_back, earning.state, earning.lot_id
    ).where(
        earning.customer_id == customer_id,
        earning.order_number == order_number,
        earning.state != "cancelled",
    )
    now, left = clock.now(), {}
    for source_type, points, state, lot_id in session().execute(statement).all():
        lots = list_family(customer_id=customer_id, lots=[lot_id]) if state == "confirmed" and lot_id else []
        left[source_type] = (points, min(points, sum(lot.lost(now) for lot in lots)))
    return left


def is_earned(*, source_type: str, source_id: str) -> bool:
    """Whether something has earned already, whoever it earned for."""
    statement = select(PointsEarning.id).where(
        PointsEarning.source_type == source_type, PointsEarning.source_id == source_id
    )
    return session().scalar(statement) is not None


def find_earned(order_id: uuid.UUID) -> OrderEarned | None:
    """None when the order earned nothing."""
    earning = PointsEarning
    statement = select(
        earning.points,
        earning.taken_back,
        earning.confirms_at,
        earning.held_back_at.is_not(None) & (earning.state == "pending"),
    ).where(earning.source_type == "order", earning.source_id == str(order_id))
    row = session().execute(statement).first()
    return OrderEarned(*row) if row else None


@dataclass(frozen=True, slots=True)
class Taken:
    """What an order earned, and what was taken back of it for one cause, in so many times."""

    points: int
    taken: int
    times: int


def count_taken(*, customer_id: uuid.UUID, order_number: str, source_type: str, cause: str) -> Taken:
    """Of the order's earning as `source_type`; `cause`: how the names of the transactions begin, which end with the
    source's type and the time. Nothing earned: zeros."""
    earning, tx, entry = PointsEarning, PointsTx, PointsEntry
    name = func.regexp_replace(tx.idem_key, ":[0-9]+$", "")
    statement = (
        select(func.coalesce(func.sum(entry.amount), 0), func.count(tx.id.distinct()))
        .select_from(tx)
        .join(entry, (entry.tx_id == tx.id) & entry.account.in_(("issued", "clawback")))
        .where(tx.customer_id == customer_id, tx.ref_type == "order", tx.ref_id == order_number)
        .where(tx.idem_key.startswith(cause, autoescape=True), name.endswith(f":{source_type}"))
    )
    taken, times = session().execute(statement).one()
    points = session().scalar(
        select(earning.points).where(
            earning.customer_id == customer_id,
            earning.order_number == order_number,
            earning.source_type == source_type,
        )
    )
    return Taken(points or 0, int(taken), times)
