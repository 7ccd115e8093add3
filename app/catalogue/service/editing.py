"""What staff change by hand: texts, prices, names. Each verb locks its row and writes one audit row.

A change to what is there already changes nothing and leaves no trace.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select, update

from app.audit import service as audit
from app.catalogue import rules
from app.catalogue.markup import sanitised
from app.catalogue.models import Brand, Category, Product, Variant
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import NotFound


def change_product(
    *, product_id: uuid.UUID, name: str, description: str, is_published: bool, actor: Actor
) -> None:
    """`description` is HTML and is sanitised. Raises NotFound, RuleBroken naming `name` or `description`."""
    columns = (Product.name, Product.description, Product.is_published)
    before = _lock(Product, product_id, *columns)
    after = {
        "name": rules.clean_name(name),
        "description": sanitised(rules.clean_description(description)),
        "is_published": is_published,
    }
    _store(Product, product_id, before, after, "product.changed", actor, updated_at=clock.now())


def change_price(*, variant_id: uuid.UUID, price: int, compare_at_price: int | None, actor: Actor) -> None:
    """Minor units of the variant's currency; the product's list price follows its cheapest variant.

    Raises NotFound, RuleBroken naming `price` or `compare_at_price`.
    """
    rules.check_prices(price, compare_at_price)
    product_id = session().scalar(select(Variant.product_id).where(Variant.id == variant_id))
    if product_id is None:
        raise NotFound("There is no such variant.")
    # The product first: two people who change two of its variants would else both read an old cheapest one.
    _lock(Product, product_id, Product.id)
    before = _lock(Variant, variant_id, Variant.price, Variant.compare_at_price)
    after = {"price": price, "compare_at_price": compare_at_price}
    if _store(Variant, variant_id, before, after, "variant.price_changed", actor):
        _follow_cheapest(product_id)


def rename_brand(*, brand_id: uuid.UUID, name: str, actor: Actor) -> None:
    """The slug stays, so that links stay. Raises NotFound, RuleBroken naming `name`."""
    before = _lock(Brand, brand_id, Brand.name)
    _store(Brand, brand_id, before, {"name": rules.clean_name(name)}, "brand.renamed", actor)


def rename_category(*, category_id: uuid.UUID, name: str, actor: Actor) -> None:
    """The slug and the path stay. Raises NotFound, RuleBroken naming `name`."""
    before = _lock(Category, category_id, Category.name)
    _store(Category, category_id, before, {"name": rules.clean_name(name)}, "category.renamed", actor)


def _lock(model: Any, row_id: uuid.UUID, *columns: Any) -> dict[str, Any]:
    row = session().execute(select(*columns).where(model.id == row_id).with_for_update(of=model)).first()
    if row is None:
        raise NotFound(f"There is no such {model.__tablename__}.")
    return dict(row._mapping)


def _store(
    model: Any,
    row_id: uuid.UUID,
    before: dict[str, Any],
    after: dict[str, Any],
    action: str,
    actor: Actor,
    **stamps: Any,
) -> bool:
    changed = {name: value for name, value in after.items() if before[name] != value}
    if not changed:
        return False
    session().execute(update(model).where(model.id == row_id).values(**changed, **stamps))
    audit.record(
        actor=actor,
        action=action,
        target_type=model.__tablename__,
        target_id=str(row_id),
        before={name: before[name] for name in changed},
        after=changed,
    )
    return True


def _follow_cheapest(product_id: uuid.UUID) -> None:
    cheapest = (
        select(Variant.price, Variant.compare_at_price)
        .where(Variant.product_id == product_id, Variant.is_active)
        .order_by(Variant.price, Variant.position)
        .limit(1)
    )
    row = session().execute(cheapest).first()
    if row is not None:
        values = {"price": row.price, "compare_at_price": row.compare_at_price, "updated_at": clock.now()}
        session().execute(update(Product).where(Product.id == product_id).values(values))
