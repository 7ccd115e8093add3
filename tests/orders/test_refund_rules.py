"""Refund arithmetic: every sequence of partial refunds ends at exactly what was paid."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kernel.errors import Conflict, RuleBroken
from app.kernel.money import split
from app.orders.rules import (
    NOTHING,
    STRATEGIES,
    LinePaid,
    RefundPlan,
    Tenders,
    plan_refund,
    total,
)


def paid_lines(
    goods: list[tuple[int, int]], *, extras: int, points: int, value: int, earned: int
) -> list[LinePaid]:
    """Lines as checkout allocates them: [(unit price, quantity)]."""
    totals = [price * quantity for price, quantity in goods]
    shares = split(extras, totals)
    due = [amount + share for amount, share in zip(totals, shares, strict=True)]
    values = split(value, due)
    parts = split(points, values)
    earnings = split(earned, due)
    return [
        LinePaid(
            sku=f"S{i}",
            quantity=quantity,
            unit_price=price,
            extras=shares[i],
            paid=Tenders(parts[i], values[i], due[i] - values[i]),
            earn_points=earnings[i],
        )
        for i, (price, quantity) in enumerate(goods)
    ]


def after(lines: list[LinePaid], plan: RefundPlan) -> list[LinePaid]:
    parts = {part.sku: part for part in plan.lines}
    return [
        replace(
            line,
            back_quantity=line.back_quantity + parts[line.sku].quantity,
            back=line.back + parts[line.sku].give,
            back_earned=line.back_earned + parts[line.sku].clawback,
        )
        if line.sku in parts
        else line
        for line in lines
    ]


@st.composite
def orders(draw: st.DrawFn) -> list[LinePaid]:
    goods = draw(
        st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 6)), min_size=1, max_size=5).filter(
            lambda goods: any(price for price, _ in goods)
        )
    )
    extras = draw(st.integers(0, 9_000))
    rate = draw(st.sampled_from([1, 37, 50, 100, 667, 1000, 12_345]))
    cost = sum(price * quantity for price, quantity in goods) + extras
    points = draw(st.integers(0, cost * 100 // rate))
    value = points * rate // 100
    if not value:
        points = 0
    return paid_lines(
        goods, extras=extras, points=points, value=value, earned=draw(st.integers(0, cost // 50))
    )


@given(orders(), st.data())
@settings(max_examples=400, deadline=None)
def test_any_sequence_of_refunds_sums_to_what_was_paid(lines: list[LinePaid], data: st.DataObject) -> None:
    paid, earned = total(line.paid for line in lines), sum(line.earn_points for line in lines)
    given_back, taken = NOTHING, 0
    while any(line.left for line in lines):
        strategy = data.draw(st.sampled_from(STRATEGIES))
        wanted = {
            line.sku: data.draw(st.integers(1, line.left), label=line.sku)
            for line in lines
            if line.left and data.draw(st.booleans())
        }
        plan = plan_refund(lines, wanted or None, strategy)
        if wanted and not plan.completes:
            price = {line.sku: line.unit_price for line in lines}
            assert plan.give.value == sum(price[sku] * n for sku, n in wanted.items()), "worth what it cost"
        for part in plan.lines:
            assert min(part.give.points, part.give.points_value, part.give.card, part.clawback) >= 0
        off = abs(plan.give.points * paid.points_value - plan.give.points_value * paid.points)
        assert off <= 2 * len(lines) * paid.points_value, (
            "points at the rate they were spent at, to whole points"
        )
        given_back, taken = given_back + plan.give, taken + plan.clawback
        left = paid - given_back
        assert min(left.points, left.points_value, left.card) >= 0, "never more of a tender than was paid"
        lines = after(lines, plan)
        for line in lines:
            assert line.back.value <= line.paid.value
    assert (given_back, taken) == (paid, earned)


@given(orders(), st.data())
@settings(max_examples=200, deadline=None)
def test_as_it_was_paid_one_by_one_is_worth_the_same_as_at_once(
    lines: list[LinePaid], data: st.DataObject
) -> None:
    line = data.draw(st.sampled_from(lines))
    at_once = plan_refund(lines, {line.sku: line.quantity}, "proportional")
    one_by_one, taken = NOTHING, 0
    for _ in range(line.quantity):
        plan = plan_refund(lines, {line.sku: 1}, "proportional")
        one_by_one, taken = one_by_one + plan.give, taken + plan.clawback
        lines = after(lines, plan)
    assert (one_by_one.value, taken) == (at_once.give.value, at_once.clawback)
    points, value = max(1, line.paid.points), max(1, line.paid.points_value)
    assert abs(one_by_one.points_value - at_once.give.points_value) <= -(-value // points), "within a point"
    assert abs(one_by_one.points - at_once.give.points) <= -(-points // value), "or a cent's points"


def test_a_strategy_after_another_gives_points_at_the_rate_they_were_spent_at() -> None:
    """4 units of HK$100, 3,000 points worth HK$300 and HK$100 by card; the card goes first."""
    lines = paid_lines([(10_000, 4)], extras=0, points=3_000, value=30_000, earned=0)
    given_back = []
    for strategy in ("card_first", "proportional", "proportional", "proportional"):
        plan = plan_refund(lines, {"S0": 1}, strategy)  # type: ignore[arg-type]
        given_back.append(plan.give)
        lines = after(lines, plan)
    assert given_back == [Tenders(0, 0, 10_000)] + 3 * [Tenders(1_000, 10_000, 0)]


def two_lines() -> list[LinePaid]:
    """HK$200 and HK$100, no delivery, 1,500 points worth HK$150 and HK$150 by card; earned 150."""
    return paid_lines([(10_000, 2), (10_000, 1)], extras=0, points=1_500, value=15_000, earned=150)


@pytest.mark.parametrize(
    ("strategy", "gives"),
    [
        ("proportional", Tenders(500, 5_000, 5_000)),
        ("card_first", Tenders(0, 0, 10_000)),
        ("points_first", Tenders(1_000, 10_000, 0)),
    ],
)
def test_what_each_strategy_gives_first(strategy: str, gives: Tenders) -> None:
    plan = plan_refund(two_lines(), {"S1": 1}, strategy)
    assert (plan.give, plan.clawback, plan.completes) == (gives, 50, False)


def test_card_first_turns_to_points_when_the_card_part_is_used_up() -> None:
    lines = two_lines()
    first = plan_refund(lines, {"S0": 1}, "card_first")
    second = plan_refund(after(lines, first), {"S0": 1}, "card_first")
    assert first.give == Tenders(0, 0, 10_000)
    assert second.give == Tenders(500, 5_000, 5_000)


def test_delivery_comes_back_with_the_last_unit_only() -> None:
    lines = paid_lines([(10_000, 1), (5_000, 1)], extras=3_000, points=0, value=0, earned=0)
    first = plan_refund(lines, {"S0": 1}, "proportional")
    last = plan_refund(after(lines, first), {"S1": 1}, "proportional")
    assert first.give.card == 10_000
    assert last.give.card == 8_000
    assert [(part.sku, part.quantity, part.give.card) for part in last.lines] == [
        ("S0", 0, 2_000),
        ("S1", 1, 6_000),
    ]


def test_points_are_whole_and_the_card_takes_the_rest() -> None:
    lines = paid_lines([(333, 3)], extras=0, points=50, value=500, earned=0)
    plan = plan_refund(lines, {"S0": 1}, "proportional")
    assert plan.give == Tenders(17, 170, 163)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [({"S9": 1}, "UNKNOWN"), ({"S0": 0}, "TOO_SMALL"), ({"S0": 3}, "TOO_LARGE"), ({}, "REQUIRED")],
)
def test_lines_that_cannot_come_back_are_refused(wanted: dict[str, int], code: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        plan_refund(two_lines(), wanted, "proportional")
    assert [(error.field, error.code) for error in refused.value.errors] == [("lines", code)]


def test_nothing_left_is_refused() -> None:
    lines = two_lines()
    with pytest.raises(Conflict) as refused:
        plan_refund(after(lines, plan_refund(lines, None, "proportional")), None, "proportional")
    assert refused.value.code == "NOTHING_TO_REFUND"
