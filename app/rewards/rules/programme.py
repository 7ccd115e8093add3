"""One version of the programme's rules: how it is stored and read. `draft` checks it before it is published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.rewards.policies import AdjustmentRules, ExpiryRules, TransferRules
from app.rewards.ranges import GraceDays, Percent, Points, Seconds, SomePoints, Word, Worth
from app.rewards.rules.earning import EarnRules
from app.rewards.rules.spending import SpendRules
from app.rewards.rules.tiers import TierRules


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules, as stored in `rewards_rules.body`. What is not said has the default."""

    unit_name: Word = "miles"
    currency: str = "HKD"
    minor_units_per_100_points: Worth = 1000
    min_points: Points = 500
    step: SomePoints = 100
    max_points_per_order: Points = 200_000
    max_share_percent: Percent = 100
    spend: SpendRules = SpendRules()
    earn: EarnRules = EarnRules()
    tiers: TierRules = TierRules()
    quote_ttl_seconds: Seconds = 600
    hold_ttl_seconds: Seconds = 900
    release_grace_days: GraceDays = 14
    adjustments: AdjustmentRules = AdjustmentRules()
    transfers: TransferRules = TransferRules()
    expiry: ExpiryRules = ExpiryRules()
    version: int = 1


def rules_from(body: Mapping[str, Any], *, version: int) -> Rules:
    """Read a stored version. Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.structs.replace(msgspec.convert(dict(body), Rules), version=version)


def points_earned(amount: int, rules: Rules) -> int:
    """Base points on `amount` minor units paid by card, rounded down; `earn_for` knows all rules."""
    return amount * rules.earn.points_per_100_minor_units // 100


def lot_expiry(now: datetime, rules: Rules) -> datetime | None:
    """When points that become spendable now will expire; None for never."""
    return None if rules.earn.lot_days is None else now + timedelta(days=rules.earn.lot_days)
