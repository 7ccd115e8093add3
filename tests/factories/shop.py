"""Products with stock, addresses, carts: what an order starts from."""

from __future__ import annotations

import uuid

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.accounts.models import Address
from app.cart.models import Cart, CartLine
from app.catalogue.models import Brand, Category, Product, Variant
from app.checkout.rules import Terms
from app.inventory.models import Stock
from app.kernel import clock, ids
from app.kernel.database import session, transaction

TERMS = Terms(currency="HKD", card_minimum=400, countries=("HK", "GB"))


def make_variant(
    *, price: int = 10_000, stock: int = 100, name: str = "Test mug", brand: str = "Test brand"
) -> uuid.UUID:
    """A published product with one variant at `price` minor units and `stock` units; the variant's id."""
    now, key = clock.now(), uuid.uuid4().hex[:12]
    product_id, variant_id = ids.uuid7(), ids.uuid7()
    with transaction():
        brand_id = _shared(Brand, slug=brand.lower().replace(" ", "-"), name=brand)
        category_id = _shared(Category, slug="test-things", name="Test things", path="test-things")
        session().execute(
            insert(Product).values(
                id=product_id,
                slug=f"thing-{key}",
                name=name,
                brand_id=brand_id,
                category_id=category_id,
                currency="HKD",
                price=price,
                created_at=now,
                updated_at=now,
            )
        )
        session().execute(
            insert(Variant).values(
                id=variant_id,
                product_id=product_id,
                sku=f"SKU-{key}",
                position=1,
                price=price,
                currency="HKD",
            )
        )
        session().execute(insert(Stock).values(variant_id=variant_id, on_hand=stock))
    return variant_id


def make_address(customer_id: uuid.UUID, *, country: str = "HK") -> uuid.UUID:
    address_id = ids.uuid7()
    with transaction():
        session().execute(
            insert(Address).values(
                id=address_id,
                customer_id=customer_id,
                name="Test Person",
                line1="1 Harbour Road",
                city="Hong Kong",
                country=country,
                is_default=False,
                created_at=clock.now(),
            )
        )
    return address_id


def fill_cart(customer_id: uuid.UUID, quantities: dict[uuid.UUID, int]) -> None:
    """Replace the customer's cart with `quantities` (variant id -> units)."""
    now = clock.now()
    with transaction():
        cart_id = session().scalar(select(Cart.id).where(Cart.customer_id == customer_id))
        if cart_id is None:
            cart_id = ids.uuid7()
            session().execute(insert(Cart).values(id=cart_id, customer_id=customer_id, updated_at=now))
        for variant_id, quantity in quantities.items():
            line = upsert(CartLine).values(
                cart_id=cart_id, variant_id=variant_id, quantity=quantity, seen_price=0, added_at=now
            )
            session().execute(
                line.on_conflict_do_update(
                    index_elements=["cart_id", "variant_id"], set_={"quantity": quantity}
                )
            )


def stock_of(variant_id: uuid.UUID) -> tuple[int, int]:
    """(on hand, reserved)"""
    row = session().execute(select(Stock.on_hand, Stock.reserved).where(Stock.variant_id == variant_id)).one()
    return row.on_hand, row.reserved


def _shared(model: type, *, slug: str, **columns: str) -> uuid.UUID:
    session().execute(upsert(model).values(id=ids.uuid7(), slug=slug, **columns).on_conflict_do_nothing())
    return session().scalar(select(model.id).where(model.slug == slug))
