"""What an order has earned so far, or a quote would earn: what `app.checkout.rules.with_clawback` starts from."""

from __future__ import annotations

from app.checkout.rules import Earned, Left, Quote, first_order_bonus
from app.orders import history
from app.orders.service.moving import LockedOrder
from app.rewards.queries import rules_of_version
from app.rewards.queries.earnings import list_left
from app.rewards.rules import Rules


def earned_by(order: LockedOrder) -> Earned:
    """As it is now: of a locked order and account, what a refund will find."""
    left = {source: Left(*points) for source, points in list_left(order.customer_id, order.number).items()}
    return Earned(
        order=left.get("order", Left()),
        bonus=left.get("first_order", Left()),
        rules=rules_of_version(order.rules_version),
        tier=order.tier,
        at=order.priced_at or order.placed_at,
    )


def would_earn(quote: Quote, rules: Rules) -> Earned:
    """What the quote's order would earn, were it paid now; `rules` of its version."""
    points = first_order_bonus(quote.items_total, rules=rules, tier=quote.tier, at=quote.created_at)
    if points and history.has_ordered(quote.customer_id):
        points = 0
    return Earned(Left(quote.earn_points), Left(points), rules, quote.tier, quote.created_at)
