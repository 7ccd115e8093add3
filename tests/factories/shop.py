"""Products with stock, addresses, carts: what an order starts from."""

from __future__ import annotations

import uuid

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.accounts.models import Address
from app.cart.models import Cart, CartLine
from app.catalogue.models import Brand, Category, Product, Variant
from app.checkout.rules import Terms
from app.inventory.models import Stock
from app.inventory.service import reservations
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session, transaction
from app.orders.models import Order, OrderLine
from app.orders.service import line_lots
from app.rewards.rules import Rules
from app.rewards.service import holds

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


def make_order(customer_id: uuid.UUID, *, points: int, number: str | None = None) -> tuple[uuid.UUID, str]:
    """A committed order that waits for `points` (to be held by the caller) to pay all of it; id and number."""
    order_id, number, now = ids.uuid7(), number or ids.order_number(), clock.now()
    value = points * 10
    variant_id = make_variant(price=value)
    parts = {"points": points, "points_value": value}
    with transaction():
        session().execute(
            insert(Order).values(
                id=order_id,
                number=number,
                customer_id=customer_id,
                checkout_key=f"test:{order_id}",
                status="payment_pending",
                currency="HKD",
                items_total=value,
                shipping=0,
                tax=0,
                total=value,
                card_due=0,
                earn_points=0,
                rules_version=1,
                priced_at=now,
                shipping_method="standard",
                email="test@example.test",
                address={},
                placed_at=now,
                updated_at=now,
                **parts,
            )
        )
        session().execute(
            insert(OrderLine).values(
                order_id=order_id,
                position=1,
                variant_id=variant_id,
                sku=f"SKU-{order_id.hex}",
                slug="thing",
                name="Test mug",
                quantity=1,
                unit_price=value,
                total=value,
                extras=0,
                card=0,
                **parts,
            )
        )
        reservations.reserve(order_id=order_id, attempt=1, quantities={variant_id: 1})
    return order_id, number


def hold_for(order: tuple[uuid.UUID, str], customer_id: uuid.UUID, *, points: int, actor: Actor) -> None:
    """Hold what an order of `make_order` waits for, and say of which lots; inside the caller's transaction."""
    order_id, number = order
    held = holds.hold(
        customer_id=customer_id,
        order_id=order_id,
        order_number=number,
        points=points,
        rules=Rules(),
        actor=actor,
    )
    line_lots.write(order_id=order_id, held=held, lines={1: points})


def end_order(order_id: uuid.UUID, *, paid: bool) -> None:
    """Say that it was paid, or not; its hold is the caller's, in the same transaction."""
    status, paid_at = ("paid", clock.now()) if paid else ("payment_failed", None)
    session().execute(update(Order).where(Order.id == order_id).values(status=status, paid_at=paid_at))
    (reservations.commit if paid else reservations.release)(order_id=order_id)


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
