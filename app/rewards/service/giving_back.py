"""Points on their way back from a hold or an order: to the lot that they came from, or with time to be used.

A lot that would expire within the rules' days of grace is left as it is. What comes back out of it goes to a successor
that lives those days, so that giving back 500 points does not prolong the other 99,500.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from app.kernel import ids
from app.rewards.rules import LotView
from app.rewards.service.posting import Leg, NewLot


def legs_back(
    parts: Iterable[LotView], *, account: str, order_number: str, grace: datetime
) -> tuple[list[Leg], list[NewLot]]:
    """From `account` (`held`, `redeemed`) to available; `parts` say how many points of which lot."""
    legs: list[Leg] = []
    lots: list[NewLot] = []
    for part in parts:
        points = part.available
        legs.append(Leg(account, -points, part.id))
        if part.expires_at is None or part.expires_at >= grace:
            legs.append(Leg("available", points, part.id))
            continue
        successor = NewLot(ids.uuid7(), "refund", order_number, grace, parent_lot_id=part.id)
        lots.append(successor)
        legs += [Leg("transit", points, part.id), Leg("transit", -points, successor.id)]
        legs.append(Leg("available", points, successor.id))
    return legs, lots
