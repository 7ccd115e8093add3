"""A customer's points as the pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.kernel import clock
from app.rewards import queries
from app.rewards.rules import last_day


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
    """`available` can be spent now, `cooling` later; `debt` is what later earnings pay first, 0 or more."""

    available: int
    cooling: int
    held: int
    pending: int
    debt: int
    holds: Sequence[Held]
    expiring: Sequence[Expiring]


def points_of(customer_id: uuid.UUID) -> PointsView:
    """One to three statements: what is zero has no details to ask for."""
    purse = queries.get_purse(customer_id)
    expiring = queries.list_expiring(customer_id) if purse.spendable + purse.cooling else []
    return PointsView(
        available=purse.spendable,
        cooling=purse.cooling,
        held=purse.held,
        pending=purse.pending,
        debt=purse.owed,
        holds=_holds(customer_id) if purse.held else [],
        expiring=[Expiring(points, last_day(at)) for points, at in expiring],
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
