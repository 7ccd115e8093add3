"""Earn rules as data: what each kind gives, in which order, and that the parts always sum to the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rewards.rules import (
    Earned,
    EarnRule,
    EarnRules,
    Rules,
    Scope,
    Tier,
    TierRules,
    earn_for,
    earned_by_card,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    slug: str = "mug"
    brand: str = "acme"
    category: str = "home/kitchen"
    quantity: int = 1
    total: int = 10_000
    extras: int = 0
    points_value: int = 0
    card: int = 10_000


MUG = Line()
BAG = Line(slug="bag", brand="nomad", category="travel/bags", total=20_000, card=20_000)


def earned(
    *lines: Line, rules: tuple[EarnRule, ...] = (), tier: str = "member", at: datetime = NOW, **earn: Any
) -> Earned:
    return earn_for(lines, tier=tier, at=at, rules=Rules(earn=EarnRules(rules=rules, **earn)))


def double(name: str = "double", **more: Any) -> EarnRule:
    return EarnRule(name=name, kind="multiplier", percent=200, **more)


def test_the_card_part_earns_and_points_earn_nothing() -> None:
    mixed = replace(MUG, points_value=4_000, card=6_000)
    assert earned(mixed).points == 60
    assert earned(mixed, on_points_part=True).points == 100
    assert earned(replace(MUG, points_value=10_000, card=0)).points == 0


def test_delivery_earns_unless_the_rules_say_so() -> None:
    delivered = replace(MUG, extras=3_000, card=13_000)
    assert earned(delivered).points == 130
    assert earned(delivered, on_delivery=False).points == 100


@pytest.mark.parametrize(("rounding", "points"), [("down", 10), ("half_up", 11), ("up", 11)])
def test_the_order_is_rounded_once(rounding: str, points: int) -> None:
    """HK$5.25 twice is HK$10.50: rounding each line would give 10 or 12."""
    half = replace(MUG, total=525, card=525)
    result = earned(half, half, rounding=rounding)
    assert (result.points, sum(result.lines)) == (points, points)


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        (double(), 600),
        (double(categories=("kitchen",)), 400),
        (double(categories=("home",)), 400),
        (double(categories=("hom",)), 300),
        (double(brands=("nomad",)), 500),
        (double(products=("bag",)), 500),
        (double(products=("bag",), brands=("acme",)), 600),
        (double(tiers=("gold",)), 300),
        (double(min_basket=30_000), 600),
        (double(min_basket=30_001), 300),
        (double(starts_at=NOW), 600),
        (double(starts_at=NOW + timedelta(seconds=1)), 300),
        (double(ends_at=NOW), 300),
        (double(ends_at=NOW + timedelta(seconds=1)), 600),
        (EarnRule(name="rate", kind="rate", points=3, brands=("nomad",)), 900),
        (EarnRule(name="unit", kind="per_unit", points=50, products=("mug",)), 400),
        (EarnRule(name="once", kind="per_order", points=70), 370),
    ],
)
def test_what_a_rule_gives_and_to_what(rule: EarnRule, points: int) -> None:
    result = earned(replace(MUG, quantity=2), BAG, rules=(rule,))
    assert result.points == sum(result.lines) == points
    assert sum(part.points for part in result.parts) == points
    assert {part.rule for part in result.parts} == ({"base", rule.name} if points > 300 else {"base"})


def test_fixed_points_shrink_with_the_part_paid_in_points() -> None:
    rule = EarnRule(name="unit", kind="per_unit", points=50)
    assert earned(replace(MUG, points_value=5_000, card=5_000), rules=(rule,)).points == 50 + 25


def test_rules_add_up_and_never_multiply_each_other() -> None:
    both = (double("a"), EarnRule(name="b", kind="multiplier", percent=300))
    assert earned(MUG, rules=both).points == 100 + 100 + 200


def test_an_exclusive_rule_is_the_last_for_its_line() -> None:
    first = double("first", priority=5, exclusive=True, products=("mug",))
    later = EarnRule(name="later", kind="multiplier", percent=300)
    result = earned(MUG, BAG, rules=(later, first))
    assert result.lines == [200, 600]


def test_equal_priorities_go_by_name() -> None:
    b = double("b", exclusive=True)
    a = EarnRule(name="a", kind="multiplier", percent=300, exclusive=True)
    assert earned(MUG, rules=(b, a)).points == 300


def test_best_keeps_only_the_rule_that_gives_a_line_most() -> None:
    rules = (double("a"), EarnRule(name="b", kind="multiplier", percent=300, products=("bag",)))
    assert earned(MUG, BAG, rules=rules, stacking="best").lines == [200, 600]


def test_the_tier_adds_on_the_base() -> None:
    assert earned(MUG, tier="gold").points == 150
    assert earned(MUG, tier="gold", rules=(double(),)).points == 100 + 100 + 50
    assert earned(MUG, tier="unheard-of").points == 100


def test_who_has_no_level_of_these_rules_has_the_lowest() -> None:
    levels = (Tier(code="bronze", name="Bronze", points=0), Tier(code="gold", name="Gold", points=1_000))
    rules = Rules(earn=EarnRules(rules=(double(tiers=("bronze",)),)), tiers=TierRules(levels=levels))
    at_the_till = earn_for([MUG], tier="member", at=NOW, rules=rules).points
    on_the_shelf = earned_by_card(
        slug="mug", brand="acme", category="home/kitchen", price=10_000, at=NOW, rules=rules
    )
    assert at_the_till == on_the_shelf == 200
    assert earn_for([MUG], tier="gold", at=NOW, rules=rules).points == 100


def test_what_is_excluded_earns_nothing_at_all() -> None:
    result = earned(MUG, BAG, rules=(double(),), tier="gold", excludes=(Scope(categories=("travel",)),))
    assert result.lines == [250, 0]


def test_a_rule_on_trial_is_recorded_and_gives_nothing() -> None:
    trial = double("trial", dry_run=True, exclusive=True, priority=9)
    result = earned(MUG, rules=(trial, double("live")))
    assert result.points == 200
    assert [(part.rule, part.points, part.dry_run) for part in result.parts] == [
        ("base", 100, False),
        ("trial", 100, True),
        ("live", 100, False),
    ]


lines = st.builds(
    lambda slug, quantity, price, extras, share: Line(
        slug=slug,
        quantity=quantity,
        total=price * quantity,
        extras=extras,
        points_value=(price * quantity + extras) * share // 100,
        card=price * quantity + extras - (price * quantity + extras) * share // 100,
    ),
    st.sampled_from(["mug", "bag"]),
    st.integers(1, 9),
    st.integers(0, 99_999),
    st.integers(0, 5_000),
    st.integers(0, 100),
)
earn_rules = st.builds(
    EarnRule,
    name=st.sampled_from(["a", "b", "c", "d"]),
    kind=st.sampled_from(["multiplier", "rate", "per_unit", "per_order"]),
    percent=st.integers(100, 500),
    points=st.integers(0, 300),
    products=st.sampled_from([(), ("mug",), ("bag",)]),
    priority=st.integers(-2, 2),
    exclusive=st.booleans(),
    dry_run=st.booleans(),
)


@given(
    st.lists(lines, min_size=1, max_size=5),
    st.lists(earn_rules, max_size=4, unique_by=lambda rule: rule.name),
    st.sampled_from(["member", "gold"]),
    st.sampled_from(["down", "half_up", "up"]),
    st.sampled_from(["add", "best"]),
)
@settings(max_examples=300, deadline=None)
def test_lines_and_rules_always_sum_to_the_points(
    order: list[Line], rules: list[EarnRule], tier: str, rounding: str, stacking: str
) -> None:
    result = earned(*order, rules=tuple(rules), tier=tier, rounding=rounding, stacking=stacking)
    assert sum(result.lines) == result.points
    assert sum(part.points for part in result.parts if not part.dry_run) == result.points
    assert min([*result.lines, *(part.points for part in result.parts)], default=0) >= 0
    live = tuple(rule for rule in rules if not rule.dry_run)
    assert result.points == earned(*order, rules=live, tier=tier, rounding=rounding, stacking=stacking).points
