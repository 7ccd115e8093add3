"""Limits of spending, and tiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal

import pytest

from app.kernel.errors import RuleBroken
from app.rewards.rules import (
    Rules,
    SpendRule,
    SpendRules,
    Standing,
    TierRules,
    accept_points,
    assess,
    last_day,
    limits_for,
    payable_with_points,
    status_of,
    usable_points,
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


FINE = Rules(step=10, min_points=10)


@pytest.mark.parametrize(
    ("wanted", "points"),
    [(1_300, 1_300), (1_290, 1_260), (1_261, 1_260), (1_260, 1_260), (1_259, 1_250), ("max", 1_300), (0, 0)],
)
def test_the_card_is_left_nothing_or_what_it_can_pay(wanted: int | Literal["max"], points: int) -> None:
    """An order of 130.00 and a card that takes 4.00 or more."""
    terms: dict[str, Any] = {"total": 13_000, "card_minimum": 400, "rules": FINE}
    limits = limits_for(eligible=13_000, available=50_000, **terms)
    assert accept_points(wanted, limits=limits, available=50_000, **terms) == points


def test_where_only_all_of_it_can_be_paid_with_points_that_is_said() -> None:
    terms: dict[str, Any] = {"total": 5_300, "card_minimum": 400, "rules": Rules(step=10, min_points=500)}
    limits = limits_for(eligible=5_300, available=50_000, **terms)
    assert accept_points(530, limits=limits, available=50_000, **terms) == 530
    with pytest.raises(RuleBroken) as refused:
        accept_points(520, limits=limits, available=50_000, **terms)
    assert (refused.value.code, refused.value.details["limits"]["min"]) == ("POINTS_BELOW_MIN", 530)
    assert usable_points(520, limits=limits, **terms) == 0


@pytest.mark.parametrize(
    ("rules", "fewest"),
    [
        (Rules(), 500),
        (Rules(min_points=0), 100),
        (Rules(min_points=150), 200),
        (Rules(min_points=1, step=1, minor_units_per_100_points=10), 10),
    ],
)
def test_the_fewest_points_are_whole_steps_that_are_worth_something(rules: Rules, fewest: int) -> None:
    limits = limits_for(total=10_000, eligible=10_000, available=50_000, card_minimum=0, rules=rules)
    assert limits.min == fewest
    with pytest.raises(RuleBroken) as refused:
        accept_points(fewest - 1, limits=limits, available=50_000, total=10_000, card_minimum=0, rules=rules)
    assert refused.value.code == "POINTS_BELOW_MIN"


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


@pytest.mark.parametrize(
    ("earned", "keeps"), [(0, 20_000), (19_999, 1), (20_000, None)], ids=["nothing", "nearly", "enough"]
)
def test_in_grace_it_is_said_what_would_keep_the_tier(earned: int, keeps: int | None) -> None:
    in_grace = Standing("silver", NOW + timedelta(days=10))
    assert status_of(in_grace, earned=earned, rules=TIERS).keeps == keeps
    assert status_of(Standing("silver"), earned=earned, rules=TIERS).keeps is None


@pytest.mark.parametrize(
    ("expires_at", "day"),
    [
        (datetime(2027, 1, 1, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2027, 1, 1, 0, 0, 0, 1, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2027, 1, 1, 7, tzinfo=timezone(timedelta(hours=8))), date(2026, 12, 31)),
    ],
)
def test_midnight_ends_the_day_before(expires_at: datetime, day: date) -> None:
    assert last_day(expires_at) == day
