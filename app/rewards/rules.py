"""The programme's rules as data, and what follows from them. Computes, never fetches.

Points are valued at `minor_units_per_100_points`; values of points are rounded down to whole minor units and
points that pay for an amount are rounded up, so that the programme never gives more than it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from app.kernel.errors import FieldError, RuleBroken
from app.rewards.policies import AdjustmentRules, ExpiryRules, TransferRules

Binding = Literal["balance", "share", "order_cap", "excluded_items", "card_minimum"]


class EarnRules(msgspec.Struct, frozen=True, kw_only=True):
    """`points_per_100_minor_units` on what the card pays; pending for `return_window_days` after payment."""

    points_per_100_minor_units: int = 1
    on_points_part: bool = False
    return_window_days: int = 30
    lot_days: int | None = 1095


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules, as stored in `rewards_rules.body`."""

    unit_name: str = "miles"
    currency: str = "HKD"
    minor_units_per_100_points: int = 1000
    min_points: int = 500
    step: int = 100
    max_points_per_order: int = 200_000
    max_share_percent: int = 100
    earn: EarnRules = EarnRules()
    quote_ttl_seconds: int = 600
    hold_ttl_seconds: int = 900
    release_grace_days: int = 14
    adjustments: AdjustmentRules = AdjustmentRules()
    transfers: TransferRules = TransferRules()
    expiry: ExpiryRules = ExpiryRules()
    version: int = 1


def rules_from(body: Mapping[str, Any], *, version: int) -> Rules:
    """Read a stored version. Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.structs.replace(msgspec.convert(dict(body), Rules), version=version)


def value_of(points: int, rules: Rules) -> int:
    """Minor units that `points` pay."""
    return points * rules.minor_units_per_100_points // 100


def points_to_pay(amount: int, rules: Rules) -> int:
    """The points that would pay `amount` (minor units) whole."""
    return -(-amount * 100 // rules.minor_units_per_100_points)


def points_earned(amount: int, rules: Rules) -> int:
    """Points earned on `amount` minor units paid by card, rounded down."""
    return amount * rules.earn.points_per_100_minor_units // 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be applied to one order: 0, or a multiple of `step` from `min` to `max` points."""

    min: int
    max: int
    step: int
    bound_by: Binding


def limits_for(*, total: int, eligible: int, available: int, card_minimum: int, rules: Rules) -> Limits:
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
    most, bound_by = min(candidates, key=lambda candidate: candidate[0])
    most -= most % rules.step
    remainder = total - value_of(most, rules)
    if 0 < remainder < card_minimum and most > 0:
        steps = -(-(card_minimum - remainder) // max(1, value_of(rules.step, rules)))
        most, bound_by = max(0, most - steps * rules.step), "card_minimum"
    if most < rules.min_points:
        most = 0
    return Limits(rules.min_points, most, rules.step, bound_by)


def points_within(amount: int, rules: Rules) -> int:
    """The most points whose value does not exceed `amount` minor units."""
    return amount * 100 // rules.minor_units_per_100_points


def accept_points(wanted: int | Literal["max"], *, limits: Limits, available: int) -> int:
    """The points to apply: lowered to a step. Raises RuleBroken `POINTS_INSUFFICIENT`, `POINTS_BELOW_MIN` or
    `POINTS_ABOVE_MAX`, each naming the field `points`."""
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
    return points


def refusal(code: str, message: str, limits: Limits) -> RuleBroken:
    """Points that cannot be used, with the limits that say what can."""
    details = {
        "limits": {"min": limits.min, "max": limits.max, "step": limits.step, "bound_by": limits.bound_by}
    }
    return RuleBroken(message, code=code, errors=(FieldError("points", code, message),), details=details)


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


def lot_expiry(now: datetime, rules: Rules) -> datetime | None:
    """When points that become spendable now will expire; None for never."""
    return None if rules.earn.lot_days is None else now + timedelta(days=rules.earn.lot_days)
