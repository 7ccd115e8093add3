"""One version of the programme's rules: how it is stored, read and checked before it is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.kernel.errors import FieldError, RuleBroken
from app.rewards.policies import AdjustmentRules, ExpiryRules, TransferRules
from app.rewards.rules.earning import EarnRules
from app.rewards.rules.scope import Natural, Percent, Positive
from app.rewards.rules.spending import SpendRules
from app.rewards.rules.tiers import TierRules


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules, as stored in `rewards_rules.body`. What is not said has the default."""

    unit_name: str = "miles"
    currency: str = "HKD"
    minor_units_per_100_points: Positive = 1000
    min_points: Natural = 500
    step: Positive = 100
    max_points_per_order: Natural = 200_000
    max_share_percent: Percent = 100
    spend: SpendRules = SpendRules()
    earn: EarnRules = EarnRules()
    tiers: TierRules = TierRules()
    quote_ttl_seconds: Positive = 600
    hold_ttl_seconds: Positive = 900
    release_grace_days: Natural = 14
    adjustments: AdjustmentRules = AdjustmentRules()
    transfers: TransferRules = TransferRules()
    expiry: ExpiryRules = ExpiryRules()
    version: int = 1


def rules_from(body: Mapping[str, Any], *, version: int) -> Rules:
    """Read a stored version. Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.structs.replace(msgspec.convert(dict(body), Rules), version=version)


def check_draft(body: Mapping[str, Any]) -> Rules:
    """A version before it is published, stricter than reading one. Raises RuleBroken `RULES_INVALID`."""
    try:
        rules = msgspec.convert(dict(body), Rules)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise _invalid([(path.strip("`. ") or "rules", message)]) from error
    problems = [(path, "There is no such rule.") for path in _unknown(body, msgspec.to_builtins(rules))]
    problems += _contradictions(rules)
    if problems:
        raise _invalid(problems)
    return rules


def points_earned(amount: int, rules: Rules) -> int:
    """Base points on `amount` minor units paid by card, rounded down; `earn_for` knows all rules."""
    return amount * rules.earn.points_per_100_minor_units // 100


def lot_expiry(now: datetime, rules: Rules) -> datetime | None:
    """When points that become spendable now will expire; None for never."""
    return None if rules.earn.lot_days is None else now + timedelta(days=rules.earn.lot_days)


def _unknown(body: Any, known: Any, path: str = "") -> Iterator[str]:
    """Paths in `body` that reading it ignored: a misspelt rule must not be published as no rule."""
    if isinstance(body, Mapping) and isinstance(known, Mapping):
        for key, value in body.items():
            here = f"{path}.{key}".strip(".")
            if key in known:
                yield from _unknown(value, known[key], here)
            else:
                yield here
    elif isinstance(body, list | tuple) and isinstance(known, list | tuple):
        for index, (value, there) in enumerate(zip(body, known, strict=True)):
            yield from _unknown(value, there, f"{path}[{index}]")


def _contradictions(rules: Rules) -> list[tuple[str, str]]:
    found = []
    for path, entries in (
        ("earn.rules", rules.earn.rules),
        ("earn.bonuses", rules.earn.bonuses),
        ("spend.limits", rules.spend.limits),
    ):
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            found.append((path, "Every rule needs a name of its own."))
    found += [
        (f"earn: {window.name}", "It ends before it starts.")
        for window in (*rules.earn.rules, *rules.earn.bonuses)
        if window.starts_at and window.ends_at and window.starts_at >= window.ends_at
    ]
    levels = rules.tiers.levels
    thresholds = [level.points for level in levels]
    if not levels or thresholds[0] != 0 or thresholds != sorted(set(thresholds)):
        found.append(("tiers.levels", "Levels start at 0 points and rise."))
    if len({level.code for level in levels}) < len(levels):
        found.append(("tiers.levels", "Every level needs a code of its own."))
    return found


def _invalid(problems: Sequence[tuple[str, str]]) -> RuleBroken:
    errors = tuple(FieldError(path, "RULES_INVALID", message) for path, message in problems)
    summary = "; ".join(f"{path}: {message}" for path, message in problems)
    return RuleBroken(f"These rules cannot be published: {summary}", code="RULES_INVALID", errors=errors)
