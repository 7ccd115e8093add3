"""Choosing lots: in the order given, which is soonest expiry first for spending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class LotView:
    """What choosing needs to know of a lot."""

    id: Any
    available: int
    expires_at: datetime | None


MOMENT = timedelta(microseconds=1)
"""The shortest time that the database tells apart."""


def last_day(expires_at: datetime) -> date:
    """The last day (UTC) on which points can be spent that are gone at `expires_at`: midnight ends the day before."""
    return (expires_at.astimezone(UTC) - MOMENT).date()


def choose_lots(points: int, lots: Sequence[LotView]) -> list[tuple[Any, int]] | None:
    """[(lot id, points)] summing to `points`, in the order given (soonest expiry first); None if too few."""
    plan: list[tuple[Any, int]] = []
    missing = points
    for lot in lots:
        if missing == 0:
            break
        part = min(missing, lot.available)
        if part:
            plan.append((lot.id, part))
            missing -= part
    return plan if missing == 0 else None
