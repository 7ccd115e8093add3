"""Limits of spending, and tiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.rewards.rules import (
    Rules,
    SpendRule,
    SpendRules,
    Standing,
    TierRules,
    assess,
    limits_for,
    payable_with_points,
    status_of,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TIERS = TierRules()


@dataclass(frozen=True)
class Line:
    slug: str = "mug"
    brand: str = "acme"
    category: str = "home/kitchen"
    total: int = 10_000
    extras: int = 1_000


@pytest.mark.parametrize(
    ("spend", "payable"),
    [
        (SpendRules(), 11_000),
        (SpendRules(on_delivery=False), 10_000),
        (SpendRules(limits=(SpendRule(name="no", categories=("home",)),)), 0),
        (SpendRules(limits=(SpendRule(name="no", categories=("travel",)),)), 11_000),
        (SpendRules(limits=(SpendRule(name="half", max_percent=50, products=("mug",)),)), 5_500),
        (
            SpendRules(
                limits=(
                    SpendRule(name="half", max_percent=50, products=("mug",)),
                    SpendRule(name="a-fifth", max_percent=20, brands=("acme",)),
                )
            ),
            2_200,
        ),
    ],
)
def test_what_points_may_pay_of_a_line(spend: SpendRules, payable: int) -> None:
    assert payable_with_points([Line()], Rules(spend=spend)) == [payable]


@pytest.mark.parametrize(
    ("change", "most", "bound_by"),
    [
        ({}, 10_000, "share"),
        ({"eligible": 40_000}, 4_000, "excluded_items"),
        ({"available": 3_050}, 3_000, "balance"),
        ({"available": 400}, 0, "balance"),
        ({"total": 100_300, "eligible": 100_300, "card_minimum": 400}, 9_900, "card_minimum"),
        ({"rules": Rules(max_share_percent=50)}, 5_000, "share"),
        ({"rules": Rules(max_points_per_order=2_000)}, 2_000, "order_cap"),
        (
            {"rules": Rules(spend=SpendRules(max_points_per_day=5_000)), "spent_today": 1_500},
            3_500,
            "daily_cap",
        ),
        ({"rules": Rules(spend=SpendRules(max_points_per_day=5_000)), "spent_today": 6_000}, 0, "daily_cap"),
    ],
)
def test_the_one_rule_that_binds(change: dict[str, Any], most: int, bound_by: str) -> None:
    basis = {"total": 100_000, "eligible": 100_000, "available": 50_000, "card_minimum": 0, "rules": Rules()}
    limits = limits_for(**{**basis, **change})
    assert (limits.max, limits.bound_by) == (most, bound_by)


def test_a_tier_rises_at_once_and_falls_after_grace() -> None:
    standing = assess(Standing("member"), earned=60_000, now=NOW, rules=TIERS)
    assert standing == Standing("gold")
    falling = assess(standing, earned=30_000, now=NOW, rules=TIERS)
    assert falling == Standing("gold", NOW + timedelta(days=90))
    later = assess(falling, earned=30_000, now=NOW + timedelta(days=89), rules=TIERS)
    assert later == falling, "looking again does not start the grace again"
    assert assess(falling, earned=60_000, now=NOW + timedelta(days=50), rules=TIERS) == Standing("gold")
    assert assess(falling, earned=30_000, now=NOW + timedelta(days=90), rules=TIERS) == Standing("silver")


@pytest.mark.parametrize(
    ("tier", "earned", "next_name", "missing"),
    [
        ("member", 0, "Silver", 20_000),
        ("member", 19_999, "Silver", 1),
        ("silver", 20_000, "Gold", 40_000),
        ("gold", 10_000, None, None),
        ("gold", 60_000, None, None),
    ],
)
def test_what_is_missing_for_the_next(
    tier: str, earned: int, next_name: str | None, missing: int | None
) -> None:
    status = status_of(Standing(tier), earned=earned, rules=TIERS)
    assert (status.code, status.next_name, status.missing) == (tier, next_name, missing)
