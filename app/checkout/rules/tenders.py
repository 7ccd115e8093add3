"""Who pays what: points, their value, the card and what is earned, line by line, each summing to its whole.

The same function prices a quote, recomputes a stored order from its rules version, and replays it through a draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.kernel.money import split
from app.rewards.rules import Earned, Limits, Rules, earn_for, limits_for, payable_with_points, value_of


@dataclass(frozen=True, slots=True)
class TenderLine:
    """A line's goods, cost and delivery share (minor units), and its parts of what pays for them."""

    slug: str
    brand: str
    category: str
    quantity: int
    total: int
    extras: int
    points: int = 0
    points_value: int = 0
    card: int = 0


@dataclass(frozen=True, slots=True)
class Tendered:
    """An order's two tenders, over its lines in the order given, and what they earn."""

    lines: list[TenderLine]
    points: int
    points_value: int
    card: int
    earned: Earned


def share_delivery(extras: int, totals: Sequence[int]) -> list[int]:
    """Delivery over the lines by what they cost."""
    return split(extras, totals)


def limits_of(
    lines: Sequence[TenderLine], *, available: int, spent_today: int, card_minimum: int, rules: Rules
) -> Limits:
    """How many points may pay for these lines."""
    return limits_for(
        total=sum(line.total + line.extras for line in lines),
        eligible=sum(payable_with_points(lines, rules)),
        available=available,
        spent_today=spent_today,
        card_minimum=card_minimum,
        rules=rules,
    )


def tender(lines: Sequence[TenderLine], *, points: int, tier: str, at: datetime, rules: Rules) -> Tendered:
    """Pay with `points` (within the limits) and the card for the rest.

    Points go to lines by what they may pay there, so that a line's value part never exceeds what it costs: the
    weights sum to at least the value, and the largest remainder gives at most the next whole unit.
    """
    value = value_of(points, rules)
    values = split(value, payable_with_points(lines, rules))
    parts = split(points, values)
    paid = [
        replace(line, points=part, points_value=worth, card=line.total + line.extras - worth)
        for line, part, worth in zip(lines, parts, values, strict=True)
    ]
    card = sum(line.card for line in paid)
    return Tendered(paid, points, value, card, earn_for(paid, tier=tier, at=at, rules=rules))
