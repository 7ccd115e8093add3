"""What an order costs and how points and card share it: computed once, the same for pages, API and re-check."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from app.checkout.rules.tenders import Tendered, TenderLine, limits_of, share_delivery, tender
from app.kernel.errors import invalid
from app.rewards.rules import EarnPart, Limits, Rules, accept_points


class ShippingMethod(msgspec.Struct, frozen=True):
    """`price` in minor units of the shop's currency."""

    code: str
    name: str
    price: int


SHIPPING_METHODS = (
    ShippingMethod("standard", "Standard delivery, 3 to 5 working days", 3000),
    ShippingMethod("express", "Express delivery, next working day", 8000),
)


class Terms(msgspec.Struct, frozen=True):
    """The shop's own settings that a quote depends on. `card_minimum` in minor units."""

    currency: str
    card_minimum: int
    countries: tuple[str, ...]


class Item(msgspec.Struct, frozen=True):
    """A cart line at today's price. `brand` is a slug, `category` a path of slugs."""

    variant_id: uuid.UUID
    sku: str
    slug: str
    name: str
    options: list[str]
    image_url: str | None
    quantity: int
    unit_price: int
    sellable: int
    brand: str = ""
    category: str = ""


class QuoteLine(msgspec.Struct, frozen=True):
    """See `app.orders.models.OrderLine` for how the parts add up."""

    variant_id: uuid.UUID
    sku: str
    slug: str
    name: str
    options: list[str]
    image_url: str | None
    quantity: int
    unit_price: int
    total: int
    extras: int
    points: int
    points_value: int
    card: int
    earn_points: int
    brand: str = ""
    category: str = ""


class Quote(msgspec.Struct, frozen=True):
    """Everything that was promised, in minor units and points. Stored as it is; the client sends only its id.

    `earn_breakdown` says which rules gave the points to earn, dry runs included, for a customer of `tier`.
    """

    id: uuid.UUID
    customer_id: uuid.UUID
    cart_id: uuid.UUID
    cart_version: int
    currency: str
    lines: list[QuoteLine]
    items_total: int
    shipping: int
    tax: int
    total: int
    points: int
    points_value: int
    card_due: int
    earn_points: int
    rules_version: int
    limit_min: int
    limit_max: int
    limit_step: int
    bound_by: str
    available: int
    address_id: uuid.UUID
    address: dict[str, Any]
    shipping_method: str
    created_at: datetime
    expires_at: datetime
    tier: str = "member"
    earn_breakdown: list[EarnPart] = []

    @property
    def limits(self) -> Limits:
        return Limits(self.limit_min, self.limit_max, self.limit_step, self.bound_by)  # type: ignore[arg-type]

    @property
    def digest(self) -> bytes:
        """SHA-256 of what must still be true when the order is placed; balances may grow meanwhile."""
        promised = [
            self.currency,
            [(line.variant_id, line.quantity, line.unit_price) for line in self.lines],
            (self.shipping, self.tax, self.total, self.points, self.points_value, self.card_due),
            (self.rules_version, self.earn_points, self.address, self.shipping_method),
        ]
        return hashlib.sha256(msgspec.json.encode(promised, order="deterministic")).digest()


def shipping_method(code: str) -> ShippingMethod:
    """Raises RuleBroken naming `shipping_method`."""
    for method in SHIPPING_METHODS:
        if method.code == code:
            return method
    raise invalid("shipping_method", "UNKNOWN", "Choose one of the delivery methods offered.")


class Basis(msgspec.Struct, frozen=True):
    """What a quote is computed from, all read at one moment. `available`: spendable points; `spent_today`: in
    the last 24 hours, where the rules limit that."""

    customer_id: uuid.UUID
    cart_id: uuid.UUID
    cart_version: int
    items: list[Item]
    address_id: uuid.UUID
    address: dict[str, Any]
    shipping: ShippingMethod
    available: int
    rules: Rules
    terms: Terms
    tier: str = "member"
    spent_today: int = 0


def compute(
    basis: Basis, wanted: int | Literal["max"], *, quote_id: uuid.UUID, now: datetime, expires_at: datetime
) -> Quote:
    """The quote for `wanted` points, priced at `now`. Raises what `accept_points` raises."""
    lines = cost_items(basis.items, basis.shipping.price)
    limits = limits_of(
        lines,
        available=basis.available,
        spent_today=basis.spent_today,
        card_minimum=basis.terms.card_minimum,
        rules=basis.rules,
    )
    items_total = sum(line.total for line in lines)
    total = items_total + basis.shipping.price
    points = accept_points(
        wanted,
        limits=limits,
        available=basis.available,
        total=total,
        card_minimum=basis.terms.card_minimum,
        rules=basis.rules,
    )
    paid = tender(lines, points=points, tier=basis.tier, at=now, rules=basis.rules)
    return Quote(
        id=quote_id,
        customer_id=basis.customer_id,
        cart_id=basis.cart_id,
        cart_version=basis.cart_version,
        currency=basis.terms.currency,
        lines=_quote_lines(basis.items, paid),
        items_total=items_total,
        shipping=basis.shipping.price,
        tax=0,
        total=total,
        points=points,
        points_value=paid.points_value,
        card_due=paid.card,
        earn_points=paid.earned.points,
        rules_version=basis.rules.version,
        limit_min=limits.min,
        limit_max=limits.max,
        limit_step=limits.step,
        bound_by=limits.bound_by,
        available=basis.available,
        address_id=basis.address_id,
        address=basis.address,
        shipping_method=basis.shipping.code,
        created_at=now,
        expires_at=expires_at,
        tier=basis.tier,
        earn_breakdown=paid.earned.parts,
    )


def earned_all_by_card(quote: Quote, rules: Rules) -> int:
    """What the quote's order would earn if no points paid for it; `rules` of its version."""
    lines = [
        TenderLine(line.slug, line.brand, line.category, line.quantity, line.total, line.extras)
        for line in quote.lines
    ]
    return tender(lines, points=0, tier=quote.tier, at=quote.created_at, rules=rules).earned.points


def cost_items(items: Sequence[Item], delivery: int) -> list[TenderLine]:
    """The cart's lines as they cost today, `delivery` (minor units) shared; not paid yet."""
    totals = [item.unit_price * item.quantity for item in items]
    shares = share_delivery(delivery, totals)
    return [
        TenderLine(item.slug, item.brand, item.category, item.quantity, total, extras)
        for item, total, extras in zip(items, totals, shares, strict=True)
    ]


def _quote_lines(items: Sequence[Item], paid: Tendered) -> list[QuoteLine]:
    return [
        QuoteLine(
            variant_id=item.variant_id,
            sku=item.sku,
            slug=item.slug,
            name=item.name,
            options=item.options,
            image_url=item.image_url,
            quantity=item.quantity,
            unit_price=item.unit_price,
            total=line.total,
            extras=line.extras,
            points=line.points,
            points_value=line.points_value,
            card=line.card,
            earn_points=earned,
            brand=item.brand,
            category=item.category,
        )
        for item, line, earned in zip(items, paid.lines, paid.earned.lines, strict=True)
    ]
