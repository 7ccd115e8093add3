"""Tiers follow points earned in a rolling window; spending never lowers one, and a fall waits for a grace period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from app.rewards.ranges import AtLeastWhole, Days, Name, Points, SomeDays, Word


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Reached with `points` earned within the window; earns `earn_percent` of the base (100: no more than it)."""

    code: Name
    name: Word
    points: Points
    earn_percent: AtLeastWhole = 100


class TierRules(msgspec.Struct, frozen=True, kw_only=True):
    """`levels` from the lowest, which everybody has, upwards."""

    levels: tuple[Tier, ...] = (
        Tier(code="member", name="Member", points=0),
        Tier(code="silver", name="Silver", points=20_000, earn_percent=125),
        Tier(code="gold", name="Gold", points=60_000, earn_percent=150),
    )
    window_days: SomeDays = 365
    grace_days: Days = 90

    def find(self, code: str) -> Tier:
        """The level called `code`; the lowest when these rules do not have it (any more)."""
        return next((tier for tier in self.levels if tier.code == code), self.levels[0])

    def reached(self, earned: int) -> Tier:
        """The highest level that `earned` points within the window give."""
        return [tier for tier in self.levels if tier.points <= earned][-1]


@dataclass(frozen=True, slots=True)
class Standing:
    """`until`: the tier is kept in grace and ends then, unless enough is earned before."""

    tier: str
    until: datetime | None = None


def assess(standing: Standing, *, earned: int, now: datetime, rules: TierRules) -> Standing:
    """The standing after a look at `earned`, points earned within the window. Rises at once, falls after grace."""
    held, reached = rules.find(standing.tier), rules.reached(earned)
    if reached.points >= held.points:
        return Standing(reached.code)
    until = standing.until or now + timedelta(days=rules.grace_days)
    return Standing(reached.code) if now >= until else Standing(held.code, until)


@dataclass(frozen=True, slots=True)
class TierStatus:
    """For the customer: what they have, since how much, and what is `missing` for the next level (None: none).

    `keeps`: in grace, the points still to earn before `until` so that the level stays."""

    code: str
    name: str
    earned: int
    earn_percent: int
    until: datetime | None
    next_name: str | None
    missing: int | None
    keeps: int | None = None


def status_of(standing: Standing, *, earned: int, rules: TierRules) -> TierStatus:
    """The standing in words; `earned` within the window."""
    held = rules.find(standing.tier)
    above = next((tier for tier in rules.levels if tier.points > max(held.points, earned)), None)
    return TierStatus(
        code=held.code,
        name=held.name,
        earned=earned,
        earn_percent=held.earn_percent,
        until=standing.until,
        next_name=above.name if above else None,
        missing=above.points - earned if above else None,
        keeps=held.points - earned if standing.until and earned < held.points else None,
    )
