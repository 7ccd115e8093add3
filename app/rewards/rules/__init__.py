"""The programme's rules as data, and what follows from them. Computes, never fetches.

Points are valued at `minor_units_per_100_points`; values of points are rounded down to whole minor units and
points that pay for an amount are rounded up, so that the programme never gives more than it says.
"""

from app.rewards.rules.draft import check_draft
from app.rewards.rules.earning import (
    Bonus,
    BonusAction,
    Earned,
    EarnLine,
    EarnPart,
    EarnRule,
    EarnRules,
    bonuses_for,
    earn_for,
    earned_by_card,
)
from app.rewards.rules.lots import MOMENT, LotView, choose_lots, last_day
from app.rewards.rules.programme import Rules, lot_expiry, points_earned, rules_from
from app.rewards.rules.scope import Scope
from app.rewards.rules.spending import (
    Binding,
    Limits,
    SpendRule,
    SpendRules,
    accept_points,
    fewest_points,
    limits_for,
    payable_with_points,
    points_to_pay,
    points_within,
    refusal,
    usable_points,
    value_of,
)
from app.rewards.rules.tiers import Standing, Tier, TierRules, TierStatus, assess, status_of

__all__ = [
    "MOMENT",
    "Binding",
    "Bonus",
    "BonusAction",
    "EarnLine",
    "EarnPart",
    "EarnRule",
    "EarnRules",
    "Earned",
    "Limits",
    "LotView",
    "Rules",
    "Scope",
    "SpendRule",
    "SpendRules",
    "Standing",
    "Tier",
    "TierRules",
    "TierStatus",
    "accept_points",
    "assess",
    "bonuses_for",
    "check_draft",
    "choose_lots",
    "earn_for",
    "earned_by_card",
    "fewest_points",
    "last_day",
    "limits_for",
    "lot_expiry",
    "payable_with_points",
    "points_earned",
    "points_to_pay",
    "points_within",
    "refusal",
    "rules_from",
    "status_of",
    "usable_points",
    "value_of",
]
