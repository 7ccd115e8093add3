"""Points spent on an order that has no lines: what the tests of the rewards room give back."""

from __future__ import annotations

import uuid

from app.kernel.database import session
from app.rewards.service.refunds import STILL_SPENT


def latest_first(
    *, customer_id: uuid.UUID, order_id: uuid.UUID, order_number: str, points: int
) -> dict[uuid.UUID, int]:
    """`points` over the lots that the order still has, the latest expiry first; what is too much, of the last."""
    parameters = {"order_id": order_id, "customer_id": customer_id, "number": order_number}
    lots: dict[uuid.UUID, int] = {}
    last = uuid.uuid4()
    for lot_id, left, _ in session().execute(STILL_SPENT, parameters):
        if points:
            lots[lot_id], last = min(points, left), lot_id
            points -= lots[lot_id]
    return lots if not points else {**lots, last: lots.get(last, 0) + points}
