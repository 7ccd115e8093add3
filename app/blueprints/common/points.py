"""A customer's points as the pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.rewards import queries


@dataclass(frozen=True, slots=True)
class Expiring:
    points: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class PointsView:
    """`holds`: order_number, points, expires_at of each. `debt` is what later earnings pay first, 0 or more."""

    available: int
    held: int
    pending: int
    debt: int
    holds: Sequence[Any]
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
        holds=queries.list_holds(customer_id) if balance.held else [],
        expiring=[Expiring(points, at.date()) for points, at in expiring],
    )
