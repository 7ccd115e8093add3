"""What refunds take back in all, in any sequence, with disputes and expiry between: never more than was earned."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.checkout.rules import Earned, Left, with_clawback
from app.kernel import clock
from app.orders.rules import STRATEGIES, plan_refund
from app.rewards.rules import Bonus, EarnRules, Rules
from tests.orders.test_refund_rules import after, paid_lines

goods = st.lists(st.tuples(st.integers(1, 900), st.integers(1, 4)), min_size=1, max_size=3)
baskets = st.lists(st.integers(0, 2_000), max_size=3)


@given(goods=goods, earned=st.integers(0, 400), baskets=baskets, data=st.data())
def test_any_sequence_takes_what_was_earned_less_what_was_lost(
    goods: list[tuple[int, int]], earned: int, baskets: list[int], data: st.DataObject
) -> None:
    bonuses = tuple(
        Bonus(name=f"b{i}", action="first_order", points=100, min_basket=basket)
        for i, basket in enumerate(baskets)
    )
    rules, at = Rules(earn=EarnRules(bonuses=bonuses)), clock.now()
    lines = paid_lines(goods, extras=7, points=0, value=0, earned=earned)
    basket = sum(price * quantity for price, quantity in goods)
    given_bonus = 100 * sum(basket >= least for least in baskets)
    order, bonus = Left(earned), Left(given_bonus)
    taken = lost = disputed = 0
    while any(line.left for line in lines):
        event = data.draw(st.sampled_from(["refund", "refund", "expiry", "dispute"]))
        if event == "expiry":
            order = Left(order.points, data.draw(st.integers(order.expired, order.points)))
            bonus = Left(bonus.points, data.draw(st.integers(bonus.expired, bonus.points)))
        if event == "dispute":
            disputed += order.points + bonus.points
            order = bonus = Left()
        if event != "refund":
            continue
        open_lines = [line for line in lines if line.left]
        line = data.draw(st.sampled_from(open_lines))
        wanted = {line.sku: data.draw(st.integers(1, line.left))}
        plan = plan_refund(lines, wanted, data.draw(st.sampled_from(STRATEGIES)))
        plan = with_clawback(plan, Earned(order, bonus, rules, "", at))
        assert 0 <= plan.expired <= plan.earned + plan.bonus
        assert plan.earned <= order.points
        assert plan.bonus <= bonus.points
        expired = [min(plan.earned, order.expired), min(plan.bonus, bonus.expired)]
        order = Left(order.points - plan.earned, order.expired - expired[0])
        bonus = Left(bonus.points - plan.bonus, bonus.expired - expired[1])
        taken, lost = taken + plan.clawback, lost + plan.expired
        lines = after(lines, plan)
        kept = sum(line.unit_price * line.left for line in lines)
        if kept:
            assert bonus.points <= 100 * sum(kept >= least for least in baskets)
    assert order.points == bonus.points == 0
    assert taken + lost + disputed == earned + given_bonus
