"""Reading carts."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ColumnElement, func, select

from app.cart import rules
from app.cart.models import Cart, CartLine
from app.cart.rules import CartView, Line
from app.catalogue.models import Product, Variant
from app.inventory.models import Stock
from app.kernel.database import session
from app.kernel.money import Money


def view(
    *, customer_id: uuid.UUID | None = None, cart_id: uuid.UUID | None = None, currency: str
) -> CartView:
    """The customer's cart, or a guest's by its id, at today's prices. One statement; empty when there is none."""
    rows = (
        session()
        .execute(_lines().where(_whose(customer_id, cart_id)).order_by(CartLine.added_at, Variant.id))
        .all()
    )
    lines = [_line(row, currency) for row in rows if row.sku is not None]
    version = rows[0].version if rows else 0
    return CartView(lines, rules.total(lines, currency), version)


def count_items(*, customer_id: uuid.UUID | None = None, cart_id: uuid.UUID | None = None) -> int:
    """Units in the cart: the number beside its name."""
    statement = (
        select(func.coalesce(func.sum(CartLine.quantity), 0))
        .join(Cart, Cart.id == CartLine.cart_id)
        .where(_whose(customer_id, cart_id))
    )
    return int(session().scalar(statement) or 0)


def _whose(customer_id: uuid.UUID | None, cart_id: uuid.UUID | None) -> ColumnElement[bool]:
    """A guest's id opens guest carts only: a customer's cart is never reached by a cookie."""
    if customer_id is not None:
        return Cart.customer_id == customer_id
    return (Cart.id == cart_id) & Cart.customer_id.is_(None)


def _lines() -> Any:
    return (
        select(
            Cart.version,
            CartLine.quantity,
            CartLine.seen_price,
            Variant.sku,
            Variant.options,
            Variant.price,
            Variant.availability,
            Product.slug,
            Product.name,
            Product.options.label("option_names"),
            func.coalesce(Variant.image_url, Product.image_url).label("image_url"),
            Product.image_alt,
            func.coalesce(Stock.on_hand - Stock.reserved, 0).label("available"),
            (Variant.is_active & Product.is_published).label("sold"),
        )
        .select_from(Cart)
        .outerjoin(CartLine, CartLine.cart_id == Cart.id)
        .outerjoin(Variant, Variant.id == CartLine.variant_id)
        .outerjoin(Product, Product.id == Variant.product_id)
        .outerjoin(Stock, Stock.variant_id == Variant.id)
    )


def _line(row: Any, currency: str) -> Line:
    price = Money(row.price, currency)
    available = max(0, int(row.available)) if row.sold else 0
    return Line(
        sku=row.sku,
        slug=row.slug,
        name=row.name,
        options=dict(zip(row.option_names, row.options, strict=False)),
        image_url=row.image_url,
        image_alt=row.image_alt,
        quantity=row.quantity,
        unit_price=price,
        line_total=price * row.quantity if row.sold else Money(0, currency),
        availability=row.availability if row.sold else "sold_out",
        available=available,
        gone=not row.sold,
        notices=rules.notices(
            quantity=row.quantity,
            available=available,
            gone=not row.sold,
            price=price,
            seen_price=Money(row.seen_price, currency),
        ),
    )
