"""Filling and emptying carts. Every change locks the cart first, so that two tabs take turns."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.cart import rules
from app.cart.errors import CartFull, NotEnoughStock, SkuUnknown
from app.cart.models import Cart, CartLine
from app.catalogue.models import Product, Variant
from app.inventory.models import Stock
from app.kernel import clock, ids
from app.kernel.database import session


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose cart: a customer's, or a guest's by the id in the signed session."""

    customer_id: uuid.UUID | None = None
    cart_id: uuid.UUID | None = None


def set_quantity(*, owner: Owner, sku: str, quantity: int) -> uuid.UUID | None:
    """Put `quantity` (0 to 99; 0 removes) of `sku` into the cart, made if there is none; the cart's id.

    Raises RuleBroken naming `quantity`, SkuUnknown, NotEnoughStock with `available`, CartFull.
    """
    rules.check_quantity(quantity)
    if quantity == 0:
        return remove(owner=owner, sku=sku)
    cart_id = _lock_or_make(owner)
    _put(cart_id, sku, quantity)
    return cart_id


def change_quantity(*, owner: Owner, sku: str, quantity: int) -> bool:
    """As `set_quantity`, of a line that is there; False, and nothing is changed, where it was taken out meanwhile."""
    cart_id = lock_cart(owner=owner)
    there = (
        select(CartLine.cart_id)
        .join(Variant, Variant.id == CartLine.variant_id)
        .where(CartLine.cart_id == cart_id, Variant.sku == sku)
    )
    if cart_id is None or session().scalar(there) is None:
        return False
    set_quantity(owner=owner, sku=sku, quantity=quantity)
    return True


def add(*, owner: Owner, sku: str, quantity: int) -> uuid.UUID:
    """Put `quantity` (1 to 99) more of `sku` into the cart. Raises as `set_quantity`."""
    rules.check_quantity(quantity, smallest=1)
    cart_id = _lock_or_make(owner)
    line = (
        select(CartLine.quantity)
        .join(Variant, Variant.id == CartLine.variant_id)
        .where(CartLine.cart_id == cart_id, Variant.sku == sku)
    )
    _put(cart_id, sku, min(rules.MAX_QUANTITY, (session().scalar(line) or 0) + quantity))
    return cart_id


def remove(*, owner: Owner, sku: str) -> uuid.UUID | None:
    """Take the line out; whoever asks twice gets the same cart. Raises SkuUnknown for what was never sold."""
    variant_id = session().scalar(select(Variant.id).where(Variant.sku == sku))
    if variant_id is None:
        raise SkuUnknown("There is no such product.")
    cart_id = lock_cart(owner=owner)
    if cart_id is not None:
        line = (CartLine.cart_id == cart_id) & (CartLine.variant_id == variant_id)
        if session().execute(delete(CartLine).where(line).returning(CartLine.quantity)).first():
            _changed(cart_id)
    return cart_id


def clear(*, owner: Owner) -> None:
    cart_id = lock_cart(owner=owner)
    if cart_id is not None:
        gone = session().execute(
            delete(CartLine).where(CartLine.cart_id == cart_id).returning(CartLine.quantity)
        )
        if gone.first():
            _changed(cart_id)


def merge_guest(*, guest_cart_id: uuid.UUID, customer_id: uuid.UUID) -> None:
    """What a guest collected joins the customer's cart at signing in; of one product the larger quantity stays.

    Adding both would double what people put in twice because they had forgotten to sign in.
    """
    guest = lock_cart(owner=Owner(cart_id=guest_cart_id))
    if guest is None:
        return
    own = _lock_or_make(Owner(customer_id=customer_id))
    room = rules.MAX_LINES - _count_lines(own)
    lines = (
        select(CartLine.variant_id, CartLine.quantity, CartLine.seen_price, CartLine.added_at)
        .where(CartLine.cart_id == guest)
        .order_by(CartLine.added_at, CartLine.variant_id)
        .limit(max(0, room))
    )
    rows = [{"cart_id": own, **row} for row in session().execute(lines).mappings()]
    if rows:
        statement = insert(CartLine).values(rows)
        larger = func.greatest(CartLine.quantity, statement.excluded.quantity)
        session().execute(
            statement.on_conflict_do_update(
                index_elements=["cart_id", "variant_id"], set_={"quantity": larger}
            )
        )
        _changed(own)
    session().execute(delete(Cart).where(Cart.id == guest))


def lock_cart(*, owner: Owner) -> uuid.UUID | None:
    """The cart's id with its row locked; None when there is none."""
    statement = select(Cart.id).with_for_update()
    if owner.customer_id is not None:
        return session().scalar(statement.where(Cart.customer_id == owner.customer_id))
    if owner.cart_id is None:
        return None
    return session().scalar(statement.where(Cart.id == owner.cart_id, Cart.customer_id.is_(None)))


def _lock_or_make(owner: Owner) -> uuid.UUID:
    found = lock_cart(owner=owner)
    if found is not None:
        return found
    new = insert(Cart).values(
        id=ids.uuid7() if owner.customer_id else uuid.uuid4(),  # a guest's id is a secret: no time in it
        customer_id=owner.customer_id,
        version=0,
        updated_at=clock.now(),
    )
    made = session().scalar(new.on_conflict_do_nothing(index_elements=["customer_id"]).returning(Cart.id))
    if made is None:  # another tab was quicker
        made = lock_cart(owner=owner)
    assert made is not None
    return made


def _put(cart_id: uuid.UUID, sku: str, quantity: int) -> None:
    row = (
        session()
        .execute(
            select(
                Variant.id,
                Variant.price,
                (Variant.is_active & Product.is_published).label("sold"),
                func.coalesce(Stock.on_hand - Stock.reserved, 0).label("available"),
            )
            .join(Product, Product.id == Variant.product_id)
            .outerjoin(Stock, Stock.variant_id == Variant.id)
            .where(Variant.sku == sku)
        )
        .first()
    )
    if row is None:
        raise SkuUnknown("There is no such product.")
    available = max(0, int(row.available)) if row.sold else 0
    if available < quantity:
        message = f"Only {available} left." if available else "This is sold out."
        raise NotEnoughStock(message, details={"available": available})
    statement = insert(CartLine).values(
        cart_id=cart_id, variant_id=row.id, quantity=quantity, seen_price=row.price, added_at=clock.now()
    )
    new_values = {"quantity": quantity, "seen_price": row.price}
    session().execute(
        statement.on_conflict_do_update(index_elements=["cart_id", "variant_id"], set_=new_values)
    )
    if _count_lines(cart_id) > rules.MAX_LINES:
        raise CartFull(f"A cart holds at most {rules.MAX_LINES} different products.")
    _changed(cart_id)


def _count_lines(cart_id: uuid.UUID) -> int:
    count = select(func.count()).select_from(CartLine).where(CartLine.cart_id == cart_id)
    return int(session().scalar(count) or 0)


def _changed(cart_id: uuid.UUID) -> None:
    session().execute(
        update(Cart).where(Cart.id == cart_id).values(version=Cart.version + 1, updated_at=clock.now())
    )
