"""The order's timeline: append-only sentences."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import insert

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.models import OrderEvent


def tell(
    *, order_id: uuid.UUID, event: str, text: str, actor: Actor, data: dict[str, Any] | None = None
) -> None:
    """`event` is a stable word for programs, `text` a sentence for the shopper; `data` holds no secret."""
    session().execute(
        insert(OrderEvent).values(
            id=ids.uuid7(),
            order_id=order_id,
            at=clock.now(),
            event=event,
            text=text,
            actor=actor.name,
            data=data or {},
        )
    )
