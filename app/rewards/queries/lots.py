"""Where a customer's points come from and when they go."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import or_, select

from app.kernel.database import session
from app.rewards.models import PointsLot


def list_lots(customer_id: uuid.UUID, *, limit: int = 50) -> Sequence[PointsLot]:
    """Lots with points left in them, held ones included, in the order in which they are spent."""
    statement = select(PointsLot).where(
        PointsLot.customer_id == customer_id, or_(PointsLot.available > 0, PointsLot.held > 0)
    )
    ordered = statement.order_by(PointsLot.expires_at.asc().nulls_last(), PointsLot.id).limit(limit)
    return session().scalars(ordered.execution_options(populate_existing=True)).all()
