"""What a paid order earns: its own points, and the bonus for a first order. Called inside one transaction."""

from __future__ import annotations

from datetime import timedelta

from app.kernel import clock
from app.kernel.actor import Actor
from app.orders import history
from app.orders.service.moving import LockedOrder
from app.rewards.queries import rules_of_version
from app.rewards.service import activity, bonuses, earning


def earn_with(order: LockedOrder, *, actor: Actor) -> None:
    """Book what the order was promised to earn, pending until its return window has passed.

    The bonus for a first order is chosen by the moment and the tier that the order was priced with.

    Points spent before or earned here make the customer's other points live on, where the rules say so.
    """
    rules = rules_of_version(order.rules_version)
    priced_at = order.priced_at or order.placed_at
    confirms_at = clock.now() + timedelta(days=rules.earn.return_window_days)
    if order.earn_points:
        earning.earn_pending(
            customer_id=order.customer_id,
            order_id=order.id,
            order_number=order.number,
            points=order.earn_points,
            confirms_at=confirms_at,
            rules_version=order.rules_version,
            breakdown={
                "card": order.card_due,
                "currency": order.currency,
                "tier": order.tier,
                "priced_at": priced_at.isoformat(),
                "parts": order.earn_breakdown,
            },
            actor=actor,
        )
    if order.points or order.earn_points:
        activity.extend(customer_id=order.customer_id, rules=rules.expiry)
    if any(bonus.action == "first_order" for bonus in rules.earn.bonuses) and history.is_first(order.id):
        bonuses.give(
            customer_id=order.customer_id,
            action="first_order",
            source_id=str(order.customer_id),
            rules=rules,
            basket=order.items_total,
            at=priced_at,
            tier=order.tier,
            order_number=order.number,
            confirms_at=confirms_at,
            actor=actor,
        )
