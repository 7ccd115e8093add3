"""Price stored orders again, by the rules that they were priced with; `simulating` does it by a draft."""

from __future__ import annotations

from app.checkout.rules import Tendered, TenderLine, tender
from app.orders.history import PricedOrder
from app.rewards.rules import Bonus, Rules, bonuses_for


def recompute(order: PricedOrder, rules: Rules) -> Tendered:
    """The order's tenders and earned points by `rules`, with the points that it used."""
    return tender(lines_of(order), points=order.points, tier=order.tier, at=order.priced_at, rules=rules)


def differences(order: PricedOrder, rules: Rules) -> list[str]:
    """What the order says and its own `rules` do not; empty when it can be recomputed to the point and the cent."""
    again = recompute(order, rules)
    compared: dict[str, tuple[object, object]] = {
        "points_value": (order.points_value, again.points_value),
        "card_due": (order.card_due, again.card),
        "earn_points": (order.earn_points, again.earned.points),
        "line points": ([line.points for line in order.lines], [line.points for line in again.lines]),
        "line cards": ([line.card for line in order.lines], [line.card for line in again.lines]),
        "line earnings": ([line.earn_points for line in order.lines], again.earned.lines),
    }
    if order.first_order_bonus is not None:
        bonuses = sum(bonus.points for bonus in _first_order(order, rules) if not bonus.dry_run)
        compared["first_order"] = (order.first_order_bonus, bonuses)
    return [f"{name}: {told}, computed {now}" for name, (told, now) in compared.items() if told != now]


def bonus_of(order: PricedOrder, rules: Rules) -> list[Bonus]:
    """What `rules` give for it as a first order, dry runs included; nothing if it was none."""
    return _first_order(order, rules) if order.is_first else []


def lines_of(order: PricedOrder) -> list[TenderLine]:
    """The order's lines as they cost, not paid yet."""
    return [
        TenderLine(line.slug, line.brand, line.category, line.quantity, line.total, line.extras)
        for line in order.lines
    ]


def _first_order(order: PricedOrder, rules: Rules) -> list[Bonus]:
    basket = sum(line.total for line in order.lines)
    return bonuses_for("first_order", basket=basket, tier=order.tier, at=order.priced_at, rules=rules)
