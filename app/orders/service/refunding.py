"""Record a refund of an order, and close it when the card side is done."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import insert, select

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.models import OrderRefund


def record(
    *,
    order_id: uuid.UUID,
    idem_key: str,
    reason: str,
    strategy: str,
    points: int,
    points_value: int,
    card: int,
    lines: list[dict[str, Any]],
    card_refund_id: uuid.UUID | None,
    actor: Actor,
    clawback: int = 0,
) -> uuid.UUID:
    """Store it as running while the card part is on its way, as done without one; its id."""
    now = clock.now()
    refund_id = ids.uuid7()
    session().execute(
        insert(OrderRefund).values(
            id=refund_id,
            order_id=order_id,
            idem_key=idem_key,
            reason=reason,
            strategy=strategy,
            points=points,
            points_value=points_value,
            card=card,
            clawback=clawback,
            lines=lines,
            card_refund_id=card_refund_id,
            state="running" if card_refund_id else "done",
            requested_by=actor.name,
            created_at=now,
            done_at=None if card_refund_id else now,
        )
    )
    return refund_id


def lock_by_card_refund(card_refund_id: uuid.UUID) -> OrderRefund | None:
    """The refund whose card part this is, its row locked; the order's lock comes first."""
    statement = select(OrderRefund).where(OrderRefund.card_refund_id == card_refund_id).with_for_update()
    return session().scalars(statement.execution_options(populate_existing=True)).one_or_none()
