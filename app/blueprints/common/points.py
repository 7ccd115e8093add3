"""A customer's points as the pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.kernel import clock
from app.rewards import queries


@dataclass(frozen=True, slots=True)
class Expiring:
    points: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class Held:
    """Points promised to an order; `minutes_left` is 0 when the promise is over and somebody has to look."""

    order_number: str
    points: int
    expires_at: datetime
    minutes_left: int


@dataclass(frozen=True, slots=True)
class PointsView:
    """`debt` is what later earnings pay first, 0 or more."""

    available: int
    held: int
    pending: int
    debt: int
    holds: Sequence[Held]
    expiring: Sequence[Expiring]


def points_of(customer_id: uuid.UUID) -> PointsView:
    """One to three statements: what is zero has no details to ask for."""
    balance = queries.get_balance(customer_id)
    expiring = queries.list_expiring(customer_id) if balance.available else []
    return PointsView(
        available=balance.available,
        held=balance.held,
        pending=balance.pending,
        debt=balance.owed,
        holds=_holds(customer_id) if balance.held else [],
        expiring=[Expiring(points, at.date()) for points, at in expiring],
    )


def _holds(customer_id: uuid.UUID) -> list[Held]:
    now = clock.now()
    return [
        Held(
            row.order_number,
            row.points,
            row.expires_at,
            max(0, -((now - row.expires_at) // timedelta(minutes=1))),
        )
        for row in queries.list_holds(customer_id)
    ]
