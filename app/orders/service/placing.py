"""Write a new order with its lines and the first line of its story."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.models import Order, OrderLine
from app.orders.service.story import tell


def create(*, order: dict[str, Any], lines: Sequence[dict[str, Any]], actor: Actor, text: str) -> None:
    """Store an order and its lines as computed. The database checks that the lines add up to the order."""
    now = clock.now()
    paid_at = now if order["status"] == "paid" else None
    session().execute(insert(Order).values(**order, placed_at=now, updated_at=now, paid_at=paid_at))
    session().execute(insert(OrderLine), [line | {"order_id": order["id"]} for line in lines])
    tell(order_id=_id(order), event="placed", text=text, actor=actor)


def _id(order: dict[str, Any]) -> uuid.UUID:
    return uuid.UUID(str(order["id"]))
