"""Lots over lines and back: both sides come out exactly, whatever comes back in whichever order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import split
from app.orders.lot_rules import LotShare, give_back, share_lots
from app.orders.rules import STRATEGIES, LinePaid, Tenders, plan_refund

POINTS = st.integers(1, 100_000)


@st.composite
def matched(draw: st.DrawFn) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Lines and lots with the same points."""
    lots = draw(st.lists(POINTS, min_size=1, max_size=6))
    weights = draw(st.lists(st.integers(0, 1_000), min_size=1, max_size=6))
    lines = {f"line {n}": part for n, part in enumerate(split(sum(lots), weights))}
    return lines, [(f"lot {n}", points) for n, points in enumerate(lots)]


def summed(shares: list[LotShare], name: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for share in shares:
        sums[getattr(share, name)] = sums.get(getattr(share, name), 0) + share.points
    return sums


@given(matched())
def test_every_line_and_every_lot_comes_out_exactly(
    both: tuple[dict[str, int], list[tuple[str, int]]],
) -> None:
    lines, lots = both
    shares = share_lots(lines, lots)
    assert summed(shares, "lot_id") == dict(lots)
    assert summed(shares, "line") == {line: points for line, points in lines.items() if points}
    assert all(share.points > 0 for share in shares)
    assert shares == share_lots(lines, lots), "the same again"


def test_each_lot_goes_to_the_lines_by_what_they_cost() -> None:
    shares = share_lots({1: 600, 2: 300, 3: 0}, [("soon", 100), ("late", 800)])
    assert shares == [
        LotShare(1, "soon", 67),
        LotShare(2, "soon", 33),
        LotShare(1, "late", 533),
        LotShare(2, "late", 267),
    ]


@pytest.mark.parametrize("lots", [[], [("lot", 9)], [("lot", 11)]])
def test_lots_that_are_not_what_the_lines_cost_are_an_error(lots: list[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="differ"):
        share_lots({1: 10}, lots)


def test_a_lines_own_lots_come_first_in_the_order_given() -> None:
    left = [LotShare("b", "late", 50), LotShare("a", "late", 30), LotShare("a", "soon", 40)]
    assert give_back({"a": 50}, left) == [LotShare("a", "late", 30), LotShare("a", "soon", 20)]
    assert give_back({"a": 100}, left) == [
        LotShare("b", "late", 30),
        LotShare("a", "late", 30),
        LotShare("a", "soon", 40),
    ]
    assert give_back({"a": 10, "b": 60}, left) == [
        LotShare("b", "late", 50),
        LotShare("a", "late", 20),
    ], "what a line gets beyond its own comes from what the other has not used"
    with pytest.raises(ValueError, match="more than is left"):
        give_back({"a": 121}, left)


@given(matched(), st.data())
def test_any_refunds_by_any_strategies_end_with_every_lot_whole(
    both: tuple[dict[str, int], list[tuple[str, int]]], data: st.DataObject
) -> None:
    points, lots = both
    lines = [
        LinePaid(
            sku=sku, quantity=(n := data.draw(st.integers(1, 3))), unit_price=(price := part + 7), extras=0,
            paid=Tenders(part, part, n * price - part), earn_points=0,
        )
        for sku, part in points.items()
    ]  # fmt: skip
    left = share_lots(points, lots)
    while any(line.left for line in lines):
        some = [line for line in lines if line.left]
        line = data.draw(st.sampled_from(some))
        wanted = {line.sku: data.draw(st.integers(1, line.left))}
        plan = plan_refund(lines, wanted, data.draw(st.sampled_from(STRATEGIES)))
        back = give_back({one.sku: one.give.points for one in plan.lines}, left)
        assert sum(share.points for share in back) == plan.give.points
        gone = {(share.line, share.lot_id): share.points for share in back}
        left = [
            replace(share, points=share.points - gone.get((share.line, share.lot_id), 0)) for share in left
        ]
        assert all(share.points >= 0 for share in left)
        given_now = {one.sku: one for one in plan.lines}
        lines = [
            replace(
                old,
                back_quantity=old.back_quantity + given_now[old.sku].quantity,
                back=old.back + given_now[old.sku].give,
            )
            if old.sku in given_now
            else old
            for old in lines
        ]
    assert sum(share.points for share in left) == 0
