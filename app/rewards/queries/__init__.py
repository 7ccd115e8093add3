"""Reading the rewards room: plain frozen data, few statements. Every public name can be had from here."""

from app.rewards.queries.adjustments import (
    Adjustment,
    Batch,
    find_adjustment,
    get_adjustment,
    get_batch,
    list_adjustments,
    list_batches,
)
from app.rewards.queries.balance import (
    EXPIRING_SOON,
    Balance,
    get_balance,
    get_spendable,
    list_expiring,
    list_holds,
    rules_in_force,
    rules_of_version,
)
from app.rewards.queries.earnings import OrderEarned, find_earned, is_earned
from app.rewards.queries.spending import Purse, SpendingPower, get_purse, get_spending_power
from app.rewards.queries.statement import STATEMENT_KINDS, StatementRow, list_transactions
from app.rewards.queries.tiers import get_earned, get_tier_status, list_movable
from app.rewards.queries.versions import RulesVersion, get_rules_version, list_rules_versions

__all__ = [
    "EXPIRING_SOON",
    "STATEMENT_KINDS",
    "Adjustment",
    "Balance",
    "Batch",
    "OrderEarned",
    "Purse",
    "RulesVersion",
    "SpendingPower",
    "StatementRow",
    "find_adjustment",
    "find_earned",
    "get_adjustment",
    "get_balance",
    "get_batch",
    "get_earned",
    "get_purse",
    "get_rules_version",
    "get_spendable",
    "get_spending_power",
    "get_tier_status",
    "is_earned",
    "list_adjustments",
    "list_batches",
    "list_expiring",
    "list_holds",
    "list_movable",
    "list_rules_versions",
    "list_transactions",
    "rules_in_force",
    "rules_of_version",
]
