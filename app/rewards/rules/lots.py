"""Choosing lots: in the order given, which is soonest expiry first for spending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class LotView:
    """What choosing needs to know of a lot."""

    id: Any
    available: int
    expires_at: datetime | None


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
