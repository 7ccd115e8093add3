"""Products and variants as staff see them: unpublished and retired ones too."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.catalogue.models import Brand, Category, Product, Variant
from app.kernel.database import session
from app.kernel.errors import NotFound

_VARIANT = (
    Variant.id,
    Variant.product_id,
    Variant.sku,
    Variant.options,
    Variant.price,
    Variant.compare_at_price,
    Variant.currency,
    Variant.availability,
    Variant.is_active,
)


def get_product_for_staff(slug: str) -> Any:
    """A row: id, slug, name, description, is_published, updated_at, brand, category. Raises NotFound."""
    statement = (
        select(
            Product.id,
            Product.slug,
            Product.name,
            Product.description,
            Product.is_published,
            Product.updated_at,
            Brand.name.label("brand"),
            Category.name.label("category"),
        )
        .join(Brand, Brand.id == Product.brand_id)
        .join(Category, Category.id == Product.category_id)
        .where(Product.slug == slug)
    )
    row = session().execute(statement).first()
    if row is None:
        raise NotFound("There is no such product.")
    return row


def list_variants(product_id: uuid.UUID) -> Sequence[Any]:
    """Rows: id, sku, options, price, compare_at_price, currency, availability, is_active; in shop order."""
    statement = select(*_VARIANT).where(Variant.product_id == product_id).order_by(Variant.position)
    return session().execute(statement).all()


def get_variant_for_staff(variant_id: uuid.UUID) -> Any:
    """A row like those of `list_variants`, with the product's `slug` and `name`. Raises NotFound."""
    statement = select(*_VARIANT, Product.slug, Product.name)
    statement = statement.join(Product, Product.id == Variant.product_id).where(Variant.id == variant_id)
    row = session().execute(statement).first()
    if row is None:
        raise NotFound("There is no such variant.")
    return row


def get_brand(brand_id: uuid.UUID) -> Any:
    """A row: id, slug, name. Raises NotFound."""
    return _named(Brand, brand_id, "brand")


def get_category(category_id: uuid.UUID) -> Any:
    """A row: id, slug, name. Raises NotFound."""
    return _named(Category, category_id, "category")


def _named(model: Any, row_id: uuid.UUID, thing: str) -> Any:
    row = session().execute(select(model.id, model.slug, model.name).where(model.id == row_id)).first()
    if row is None:
        raise NotFound(f"There is no such {thing}.")
    return row
