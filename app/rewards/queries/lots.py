"""Where a customer's points come from and when they go."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, text

from app.kernel.database import session
from app.rewards.models import PointsLot

FAMILY = text(
    """
    WITH RECURSIVE family AS (
      SELECT id FROM points_lot WHERE customer_id = :customer_id AND id = ANY(:lots)
      UNION
      SELECT l.id FROM family f JOIN points_lot l ON l.parent_lot_id = f.id AND l.customer_id = :customer_id
    )
    SELECT l.id, l.available, l.expired, l.expires_at FROM family JOIN points_lot l USING (id)
     ORDER BY l.expires_at NULLS LAST, l.id
    """
)


@dataclass(frozen=True, slots=True)
class FamilyLot:
    """A lot that holds points of one origin."""

    id: uuid.UUID
    available: int
    expired: int
    expires_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """It should have expired; the job has not come yet."""
        return self.available > 0 and self.expires_at is not None and self.expires_at <= now

    def lost(self, now: datetime) -> int:
        """Points lost to expiry, by the job or not yet."""
        return self.expired + (self.available if self.is_due(now) else 0)


def list_family(*, customer_id: uuid.UUID, lots: Collection[uuid.UUID]) -> list[FamilyLot]:
    """The customer's `lots`, and those that continue them since points came back too late for the first."""
    rows = session().execute(FAMILY, {"customer_id": customer_id, "lots": list(lots)})
    return [FamilyLot(*row) for row in rows]


def list_lots(customer_id: uuid.UUID, *, limit: int = 50) -> Sequence[PointsLot]:
    """Lots with points left in them, held ones included, in the order in which they are spent."""
    statement = select(PointsLot).where(
        PointsLot.customer_id == customer_id, or_(PointsLot.available > 0, PointsLot.held > 0)
    )
    ordered = statement.order_by(PointsLot.expires_at.asc().nulls_last(), PointsLot.id).limit(limit)
    return session().scalars(ordered.execution_options(populate_existing=True)).all()
