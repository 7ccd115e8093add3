"""Everything there is, product by product, for an export: bounded memory, a few statements a batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, union

from app.catalogue.models import Brand, Category, Product, ProductImage, Variant
from app.kernel.database import session

BATCH = 500


@dataclass(slots=True)
class WholeProduct:
    """`category` is the names from the top; `variants` are the active ones."""

    product: Any
    brand: str
    category: list[str]
    variants: list[Any]
    images: list[Any]


def count_products() -> int:
    return int(session().scalar(select(func.count()).select_from(Product)) or 0)


def source_columns() -> list[str]:
    """Names of the imported columns that the shop has no use for, sorted."""
    keys = union(
        select(func.jsonb_object_keys(Product.source)), select(func.jsonb_object_keys(Variant.source))
    )
    return sorted(session().scalars(keys))


def whole_products() -> Iterator[list[WholeProduct]]:
    """In the order in which they were made, `BATCH` at a time."""
    categories = _category_names()
    last: uuid.UUID | None = None
    while True:
        statement = select(*Product.__table__.columns, Brand.name.label("brand")).join(
            Brand, Brand.id == Product.brand_id
        )
        if last is not None:
            statement = statement.where(Product.id > last)
        rows = session().execute(statement.order_by(Product.id).limit(BATCH)).all()
        if not rows:
            return
        last = rows[-1].id
        product_ids = [row.id for row in rows]
        variants = _by_product(
            select(*Variant.__table__.columns)
            .where(Variant.product_id.in_(product_ids), Variant.is_active)
            .order_by(Variant.product_id, Variant.position)
        )
        images = _by_product(
            select(*ProductImage.__table__.columns)
            .where(ProductImage.product_id.in_(product_ids))
            .order_by(ProductImage.product_id, ProductImage.position)
        )
        yield [
            WholeProduct(
                row, row.brand, categories[row.category_id], variants.get(row.id, []), images.get(row.id, [])
            )
            for row in rows
        ]


def _by_product(statement: Any) -> dict[uuid.UUID, list[Any]]:
    grouped: dict[uuid.UUID, list[Any]] = {}
    for row in session().execute(statement):
        grouped.setdefault(row.product_id, []).append(row)
    return grouped


def _category_names() -> dict[uuid.UUID, list[str]]:
    names: dict[uuid.UUID, list[str]] = {}
    rows = session().execute(select(Category.id, Category.parent_id, Category.name).order_by(Category.path))
    for category_id, parent_id, name in rows:
        names[category_id] = [*(names[parent_id] if parent_id else []), name]
    return names
