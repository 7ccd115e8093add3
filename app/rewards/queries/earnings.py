"""What orders earned."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select

from app.kernel.database import session
from app.rewards.models import PointsEarning


def find_confirmation(order_id: uuid.UUID) -> datetime | None:
    """When the points that an order earned become, or became, spendable; None when it earned none."""
    return session().scalar(
        select(PointsEarning.confirms_at).where(
            PointsEarning.source_type == "order",
            PointsEarning.source_id == str(order_id),
            PointsEarning.state != "cancelled",
        )
    )
