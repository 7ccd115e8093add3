"""Cart + points + card = a quote, stored; only the server's figures can be paid."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Literal

import msgspec
from sqlalchemy import insert

from app.checkout import queries
from app.checkout.errors import CartEmpty
from app.checkout.models import QuoteRow
from app.checkout.rules import (
    Basis,
    Item,
    Quote,
    Terms,
    compute,
    cost_items,
    limits_of,
    shipping_method,
)
from app.inventory.errors import StockInsufficient
from app.kernel import clock, ids
from app.kernel.database import session
from app.kernel.errors import invalid
from app.rewards.queries import get_spending_power, rules_in_force
from app.rewards.rules import Limits, Rules, usable_points


def make(
    *,
    customer_id: uuid.UUID,
    points: int | Literal["max"],
    address_id: uuid.UUID,
    shipping_method_code: str,
    terms: Terms,
) -> Quote:
    """Compute and store a quote for the customer's cart.

    Raises CartEmpty, StockInsufficient (details `lines`), RuleBroken naming `points`, `address_id` or
    `shipping_method`.
    """
    basis = read_basis(
        customer_id=customer_id, address_id=address_id, shipping_method_code=shipping_method_code, terms=terms
    )
    quote = _computed(basis, points)
    _store(quote)
    return quote


def refresh(old: Quote, *, terms: Terms) -> Quote:
    """The same wish at today's prices and balance; points are lowered to what is possible now."""
    basis = read_basis(
        customer_id=old.customer_id,
        address_id=old.address_id,
        shipping_method_code=old.shipping_method,
        terms=terms,
    )
    most = _computed(basis, "max")
    points = usable_points(
        old.points, limits=most.limits, total=most.total, card_minimum=terms.card_minimum, rules=basis.rules
    )
    quote = _computed(basis, points)
    _store(quote)
    return quote


def read_basis(
    *,
    customer_id: uuid.UUID,
    address_id: uuid.UUID,
    shipping_method_code: str,
    terms: Terms,
    for_order: bool = False,
) -> Basis:
    """Read everything that a quote depends on. `for_order` locks the cart and checks no stock (reserving does)."""
    shipping = shipping_method(shipping_method_code)
    address = queries.get_address(customer_id, address_id)
    if address["country"] not in terms.countries:
        raise invalid("address_id", "COUNTRY_NOT_SERVED", "We do not deliver to this country.")
    cart = queries.find_cart(customer_id, for_order=for_order)
    if cart is None or not cart.items:
        raise CartEmpty("Your cart is empty.")
    if not for_order:
        check_stock(cart.items)
    rules = rules_in_force()
    power = get_spending_power(customer_id, with_day=rules.spend.max_points_per_day is not None)
    return Basis(
        customer_id=customer_id,
        cart_id=cart.id,
        cart_version=cart.version,
        items=cart.items,
        address_id=address_id,
        address=address,
        shipping=shipping,
        available=power.spendable,
        rules=rules,
        terms=terms,
        tier=power.tier,
        spent_today=power.spent_today,
    )


def limits_of_cart(
    *, customer_id: uuid.UUID, delivery: int, card_minimum: int, rules: Rules
) -> Limits | None:
    """How many points could pay for the cart with `delivery` minor units on top, before an address is known.

    None when the cart is empty. Three statements.
    """
    cart = queries.find_cart(customer_id)
    if cart is None or not cart.items:
        return None
    power = get_spending_power(customer_id, with_day=rules.spend.max_points_per_day is not None)
    return limits_of(
        cost_items(cart.items, delivery),
        available=power.spendable,
        spent_today=power.spent_today,
        card_minimum=card_minimum,
        rules=rules,
    )


def check_stock(items: list[Item]) -> None:
    """Raises StockInsufficient with `lines`: [{sku, available}] of those that fall short."""
    short = [item for item in items if item.quantity > item.sellable]
    if short:
        lines = [{"sku": item.sku, "available": max(0, item.sellable)} for item in short]
        names = ", ".join(item.name for item in short)
        raise StockInsufficient(f"Not enough stock: {names}.", details={"lines": lines})


def _computed(basis: Basis, points: int | Literal["max"]) -> Quote:
    now = clock.now()
    expires_at = now + timedelta(seconds=basis.rules.quote_ttl_seconds)
    return compute(basis, points, quote_id=ids.uuid7(), now=now, expires_at=expires_at)


def _store(quote: Quote) -> None:
    session().execute(
        insert(QuoteRow).values(
            id=quote.id,
            customer_id=quote.customer_id,
            cart_id=quote.cart_id,
            cart_version=quote.cart_version,
            address_id=quote.address_id,
            shipping_method=quote.shipping_method,
            points=quote.points,
            points_value=quote.points_value,
            card_due=quote.card_due,
            total=quote.total,
            rules_version=quote.rules_version,
            digest=quote.digest,
            body=msgspec.to_builtins(quote),
            created_at=quote.created_at,
            expires_at=quote.expires_at,
        )
    )
