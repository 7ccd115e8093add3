"""What a refund takes back of what its order earned: one function for promise, preview and the refund itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from app.kernel.money import split
from app.orders.rules import RefundPlan
from app.rewards.rules import Rules, bonuses_for


@dataclass(frozen=True, slots=True)
class Left:
    """Points of an earning that no refund or dispute has taken back; `expired` of them are gone already."""

    points: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Earned:
    """What is left of what an order earned by itself and as a first order, and what its bonuses are chosen by."""

    order: Left
    bonus: Left
    rules: Rules
    tier: str
    at: datetime


def with_clawback(plan: RefundPlan, earned: Earned) -> RefundPlan:
    """`plan` with what it takes back: no more than is left, and nothing a second time that has expired.

    The bonus for a first order stays for as long as what is kept of the order deserves it.
    """
    planned = [line.clawback for line in plan.lines]
    points = min(sum(planned), earned.order.points)
    lines = [
        replace(line, clawback=part) for line, part in zip(plan.lines, split(points, planned), strict=True)
    ]
    deserved = 0
    if earned.bonus.points and not plan.completes:
        deserved = first_order_bonus(plan.kept, rules=earned.rules, tier=earned.tier, at=earned.at)
    bonus = max(0, earned.bonus.points - deserved)
    expired = min(points, earned.order.expired) + min(bonus, earned.bonus.expired)
    return replace(plan, lines=lines, bonus=bonus, expired=expired)


def first_order_bonus(basket: int, *, rules: Rules, tier: str, at: datetime) -> int:
    """Points for a first order whose goods cost `basket` (minor units)."""
    bonuses = bonuses_for("first_order", basket=basket, tier=tier, at=at, rules=rules)
    return sum(bonus.points for bonus in bonuses if not bonus.dry_run)


def unearned(points: int, *, missing: int, of: int) -> int:
    """How many of `points`, earned with `of` minor units, go with the `missing` ones; what is left over stays."""
    return points * min(missing, of) // of
