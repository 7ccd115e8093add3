"""Points that the shop gives, or takes, of its own accord, no member of staff asked: for the demo and for tests.

They stand on an adjustment like any other: `flask rewards verify` wants a source for every posting.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.models import PointsAdjustment
from app.rewards.service.grants import credit, debit

NOBODY = uuid.UUID(int=0)


def give(
    *,
    gift_id: uuid.UUID,
    customer_id: uuid.UUID,
    points: int,
    description: str,
    expires_at: datetime | None,
    actor: Actor,
) -> uuid.UUID:
    """Add (> 0) or take (< 0) `points`; the ledger transaction's id. `gift_id` names the gift: it is given once.

    Raises AlreadyPosted the second time, PointsInsufficient.
    """
    booking: dict[str, Any] = {
        "customer_id": customer_id,
        "points": abs(points),
        "idem_key": f"adjustment:{gift_id}",
        "ref_type": "adjustment",
        "ref_id": str(gift_id),
        "description": description,
        "actor": actor,
    }
    tx_id = credit(**booking, expires_at=expires_at) if points > 0 else debit(**booking)
    now = clock.now()
    session().execute(
        insert(PointsAdjustment).values(
            id=gift_id,
            customer_id=customer_id,
            points=points,
            reason_code="campaign",
            note=description,
            points_expire_at=expires_at,
            state="applied",
            auto_approved=True,
            requested_by=NOBODY,
            decided_by=NOBODY,
            tx_id=tx_id,
            created_at=now,
            decided_at=now,
        )
    )
    return tx_id
