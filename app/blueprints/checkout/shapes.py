"""A quote as the pay page shows it, and what is different between two of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import current_app

from app.checkout.clawback import would_earn
from app.checkout.refund import promise
from app.checkout.rules import Earned, Quote
from app.kernel.money import Money
from app.rewards.rules import Limits, Rules


@dataclass(frozen=True, slots=True)
class Promise:
    """`less`: points that would be earned no longer."""

    points: int
    card: Money
    less: int


@dataclass(frozen=True, slots=True)
class LineView:
    """`back`: what returning one of these would give back."""

    name: str
    quantity: int
    line_total: Money
    back: Promise


@dataclass(frozen=True, slots=True)
class QuoteView:
    """See `app.checkout.rules.Quote`."""

    id: uuid.UUID
    lines: list[LineView]
    items_total: Money
    shipping: Money
    tax: Money
    total: Money
    points: int
    points_value: Money
    card_due: Money
    earn_points: int
    limits: Limits
    address: dict[str, Any]

    @classmethod
    def of(cls, quote: Quote, rules: Rules) -> QuoteView:
        """`rules` of the quote's version."""
        earned = would_earn(quote, rules)

        def money(amount: int) -> Money:
            return Money(amount, quote.currency)

        return cls(
            id=quote.id,
            lines=[
                LineView(line.name, line.quantity, money(line.total), _promise(quote, line.sku, earned))
                for line in quote.lines
            ],
            items_total=money(quote.items_total),
            shipping=money(quote.shipping),
            tax=money(quote.tax),
            total=money(quote.total),
            points=quote.points,
            points_value=money(quote.points_value),
            card_due=money(quote.card_due),
            earn_points=quote.earn_points,
            limits=quote.limits,
            address=quote.address,
        )


def _promise(quote: Quote, sku: str, earned: Earned) -> Promise:
    plan = promise(quote, sku, earned=earned)
    return Promise(plan.give.points, Money(plan.give.card, quote.currency), plan.clawback)


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    before: str
    after: str


def changes_between(before: Quote, after: Quote) -> list[Change]:
    """What the shopper would notice, line by line first."""
    unit = current_app.config["POINTS_NAME"]
    rows = [*_line_changes(before, after)]
    for label, name in (
        ("Items", "items_total"),
        ("Delivery", "shipping"),
        ("Tax", "tax"),
        ("Total", "total"),
        ("On your card", "card_due"),
    ):
        old, new = getattr(before, name), getattr(after, name)
        rows.append(Change(label, Money(old, before.currency).display, Money(new, after.currency).display))
    rows.append(Change(f"{unit.capitalize()} used", f"{before.points:,}", f"{after.points:,}"))
    rows.append(Change(f"{unit.capitalize()} you earn", f"{before.earn_points:,}", f"{after.earn_points:,}"))
    rows.append(Change("Address", _one_line(before.address), _one_line(after.address)))
    return [row for row in rows if row.before != row.after]


def _line_changes(before: Quote, after: Quote) -> list[Change]:
    old = {line.variant_id: line for line in before.lines}
    new = {line.variant_id: line for line in after.lines}

    def text(quote: Quote, line: Any) -> str:
        if line is None:
            return "not in your order"
        return f"{line.quantity} × {Money(line.unit_price, quote.currency).display}"

    return [
        Change((new.get(key) or old[key]).name, text(before, old.get(key)), text(after, new.get(key)))
        for key in {**old, **new}
    ]


def _one_line(address: dict[str, Any]) -> str:
    """In an order of its own: a stored address comes back with its parts in another."""
    parts = ("name", "line1", "line2", "city", "region", "postcode", "country", "phone")
    return ", ".join(str(address[part]) for part in parts if address.get(part))
