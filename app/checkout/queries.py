"""What a quote is computed from, and quotes as they were stored."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import func, select

from app.accounts.models import Address
from app.cart.models import Cart, CartLine
from app.catalogue.models import Brand, Category, Product, Variant
from app.checkout.errors import QuoteNotFound
from app.checkout.models import QuoteRow
from app.checkout.rules import Item, Quote
from app.inventory.models import Stock
from app.kernel.database import session
from app.kernel.errors import invalid


@dataclass(frozen=True, slots=True)
class CartNow:
    """The cart at today's prices."""

    id: uuid.UUID
    version: int
    items: list[Item]


def find_cart(customer_id: uuid.UUID, *, for_order: bool = False) -> CartNow | None:
    """The customer's cart with prices and what can be sold, two statements.

    `for_order` locks the cart row, so that two tabs cannot both turn it into an order.
    """
    statement = select(Cart.id, Cart.version).where(Cart.customer_id == customer_id)
    if for_order:
        statement = statement.with_for_update()
    cart = session().execute(statement).first()
    if cart is None:
        return None
    rows = session().execute(
        select(
            Variant.id,
            Variant.sku,
            Product.slug,
            Product.name,
            Variant.options,
            func.coalesce(Variant.image_url, Product.image_url).label("image_url"),
            CartLine.quantity,
            Variant.price,
            func.coalesce(Stock.on_hand - Stock.reserved, 0).label("sellable"),
            (Variant.is_active & Product.is_published).label("sold"),
            Brand.slug.label("brand"),
            Category.path.label("category"),
        )
        .join(Variant, Variant.id == CartLine.variant_id)
        .join(Product, Product.id == Variant.product_id)
        .join(Brand, Brand.id == Product.brand_id)
        .join(Category, Category.id == Product.category_id)
        .outerjoin(Stock, Stock.variant_id == Variant.id)
        .where(CartLine.cart_id == cart.id)
        .order_by(CartLine.added_at, Variant.id)
    )
    items = [
        Item(
            variant_id=row.id,
            sku=row.sku,
            slug=row.slug,
            name=row.name,
            options=row.options,
            image_url=row.image_url,
            quantity=row.quantity,
            unit_price=row.price,
            sellable=row.sellable if row.sold else 0,
            brand=row.brand,
            category=row.category,
        )
        for row in rows
    ]
    return CartNow(cart.id, cart.version, items)


def get_address(customer_id: uuid.UUID, address_id: uuid.UUID) -> dict[str, Any]:
    """A copy for the order. Raises RuleBroken naming `address_id`."""
    address = (
        session()
        .execute(select(Address).where(Address.id == address_id, Address.customer_id == customer_id))
        .scalar_one_or_none()
    )
    if address is None:
        raise invalid("address_id", "UNKNOWN", "Choose one of your addresses.")
    fields = ("name", "line1", "line2", "city", "region", "postcode", "country", "phone")
    return {field: getattr(address, field) for field in fields}


def get_quote(customer_id: uuid.UUID, quote_id: uuid.UUID) -> Quote:
    """As it was promised. Raises QuoteNotFound, for somebody else's as well."""
    body = session().scalar(
        select(QuoteRow.body).where(QuoteRow.id == quote_id, QuoteRow.customer_id == customer_id)
    )
    if body is None:
        raise QuoteNotFound("There is no such quote.")
    return msgspec.convert(body, Quote)
