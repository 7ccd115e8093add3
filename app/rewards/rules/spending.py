"""How many points may pay for an order, and why not more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from app.kernel.errors import FieldError, RuleBroken
from app.rewards.ranges import Name, Percent, SomePoints
from app.rewards.rules.scope import Goods, Scope

if TYPE_CHECKING:
    from app.rewards.rules.programme import Rules

Binding = Literal["balance", "share", "order_cap", "excluded_items", "card_minimum", "daily_cap"]


class SpendRule(Scope, frozen=True, kw_only=True):
    """At most `max_percent` of what these products cost can be paid with points; 0 excludes them."""

    name: Name
    max_percent: Percent = 0


class SpendRules(msgspec.Struct, frozen=True, kw_only=True):
    """`on_delivery`: points pay for delivery too. `max_points_per_day`: per customer, in any 24 hours."""

    limits: tuple[SpendRule, ...] = ()
    on_delivery: bool = True
    max_points_per_day: SomePoints | None = None


class SpendLine(Goods, Protocol):
    """A line's goods and its share of delivery, minor units."""

    @property
    def total(self) -> int: ...
    @property
    def extras(self) -> int: ...


def payable_with_points(lines: Sequence[SpendLine], rules: Rules) -> list[int]:
    """Per line, the minor units that points may pay; where several limits cover a line, the lowest counts."""
    return [_payable(line, rules.spend) for line in lines]


def _payable(line: SpendLine, spend: SpendRules) -> int:
    percent = min((limit.max_percent for limit in spend.limits if limit.covers(line)), default=100)
    amount = line.total + (line.extras if spend.on_delivery else 0)
    return amount * percent // 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be applied to one order: 0, or a multiple of `step` from `min` to `max` points.

    `max` may pay for all of it; what is just below and would leave the card too little is lowered by `accept_points`.
    """

    min: int
    max: int
    step: int
    bound_by: Binding


def limits_for(
    *, total: int, eligible: int, available: int, card_minimum: int, rules: Rules, spent_today: int = 0
) -> Limits:
    """The most points for an order of `total` minor units, of which `eligible` may be paid with points.

    `available` is the customer's spendable balance; `card_minimum` the smallest card payment that the gateway
    takes: a remainder between nothing and that is not left. `bound_by` is the first rule that bites hardest.
    """
    share = total * rules.max_share_percent // 100
    candidates: list[tuple[int, Binding]] = [
        (points_within(min(share, total), rules), "share"),
        (points_within(eligible, rules), "excluded_items"),
        (rules.max_points_per_order, "order_cap"),
        (available, "balance"),
    ]
    if rules.spend.max_points_per_day is not None:
        candidates.append((max(0, rules.spend.max_points_per_day - spent_today), "daily_cap"))
    most, bound_by = min(candidates, key=lambda candidate: candidate[0])
    most -= most % rules.step
    left = _leaving_card(most, total=total, card_minimum=card_minimum, rules=rules)
    if left < most:
        most, bound_by = left, "card_minimum"
    fewest = fewest_points(rules)
    return Limits(fewest, most if most >= fewest else 0, rules.step, bound_by)


def _leaving_card(points: int, *, total: int, card_minimum: int, rules: Rules) -> int:
    """`points`, or the most below them that leave the card enough, where they would leave it too little."""
    if not 0 < total - value_of(points, rules) < card_minimum:
        return points
    most = points_within(max(0, total - card_minimum), rules)
    return most - most % rules.step


def usable_points(wanted: int, *, limits: Limits, total: int, card_minimum: int, rules: Rules) -> int:
    """The most points up to `wanted` that an order of `total` minor units can be paid with; 0: none."""
    points = min(wanted, limits.max)
    points -= points % limits.step
    points = _leaving_card(points, total=total, card_minimum=card_minimum, rules=rules)
    return points if points >= limits.min else 0


def fewest_points(rules: Rules) -> int:
    """The fewest points that can be used at once: `min_points` in whole steps, worth a minor unit at least."""
    fewest = max(rules.min_points, points_to_pay(1, rules))
    return -(-fewest // rules.step) * rules.step


def value_of(points: int, rules: Rules) -> int:
    """Minor units that `points` pay."""
    return points * rules.minor_units_per_100_points // 100


def points_to_pay(amount: int, rules: Rules) -> int:
    """The points that would pay `amount` (minor units) whole."""
    return -(-amount * 100 // rules.minor_units_per_100_points)


def points_within(amount: int, rules: Rules) -> int:
    """The most points whose value does not exceed `amount` minor units."""
    return amount * 100 // rules.minor_units_per_100_points


def accept_points(
    wanted: int | Literal["max"],
    *,
    limits: Limits,
    available: int,
    total: int,
    card_minimum: int,
    rules: Rules,
) -> int:
    """The points to apply: lowered to a step, and further where the card would be left less than its minimum.

    Raises RuleBroken `POINTS_INSUFFICIENT`, `POINTS_BELOW_MIN` or `POINTS_ABOVE_MAX`, each naming the field `points`.
    """
    if wanted == "max":
        return limits.max
    if wanted == 0:
        return 0
    points = wanted - wanted % limits.step
    if wanted < limits.min or points < limits.min:
        raise refusal("POINTS_BELOW_MIN", f"Use 0 or at least {limits.min:,} points.", limits)
    if points > available:
        raise refusal("POINTS_INSUFFICIENT", f"You have {available:,} points available.", limits)
    if points > limits.max:
        raise refusal("POINTS_ABOVE_MAX", f"At most {limits.max:,} points can be used here.", limits)
    points = usable_points(points, limits=limits, total=total, card_minimum=card_minimum, rules=rules)
    if not points:
        only = replace(limits, min=limits.max)
        message = f"Use 0 or {limits.max:,} points: fewer leave less than a card can pay."
        raise refusal("POINTS_BELOW_MIN", message, only)
    return points


def refusal(code: str, message: str, limits: Limits) -> RuleBroken:
    """Points that cannot be used, with the limits that say what can."""
    details = {
        "limits": {"min": limits.min, "max": limits.max, "step": limits.step, "bound_by": limits.bound_by}
    }
    return RuleBroken(message, code=code, errors=(FieldError("points", code, message),), details=details)
