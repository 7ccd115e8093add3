"""Products, variants, brands, categories and pictures."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base

AVAILABILITY = "availability IN ('in_stock','low_stock','sold_out')"


class Brand(Base):
    __tablename__ = "brand"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Category(Base):
    """`path` is the slugs from the top joined by `/`: a category's descendants share its prefix."""

    __tablename__ = "category"
    __table_args__ = (
        Index("ix_category_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
        Index("ix_category_parent_id", "parent_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("category.id"))
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    position: Mapped[int] = mapped_column(server_default="0")


class Product(Base):
    """`slug` is the Shopify handle. Prices are the lowest of its variants', copied for lists.

    `availability` is kept by the database from the stock of its variants (migration 0002).
    `options` are the option names in order; `source` keeps imported columns that the shop has no use for, so
    that an export gives back what an import took. `search` is kept by the database (migration 0003).
    """

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint(AVAILABILITY, name="availability"),
        CheckConstraint("price >= 0 AND (compare_at_price IS NULL OR compare_at_price >= 0)", name="price"),
        Index("ix_product_newest", "created_at", "id", postgresql_where=text("is_published")),
        Index("ix_product_price", "price", "id", postgresql_where=text("is_published")),
        Index("ix_product_name", "name", "id", postgresql_where=text("is_published")),
        Index("ix_product_category_id", "category_id", "created_at", "id"),
        Index("ix_product_brand_id", "brand_id", "created_at", "id"),
        Index("ix_product_search", "search", postgresql_using="gin"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    brand_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("brand.id"))
    category_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("category.id"))
    options: Mapped[list[str]] = mapped_column(server_default="[]")
    tags: Mapped[list[str]] = mapped_column(server_default="[]")
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    source: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    is_published: Mapped[bool] = mapped_column(server_default="true")
    currency: Mapped[str]
    price: Mapped[int]
    compare_at_price: Mapped[int | None]
    availability: Mapped[str] = mapped_column(server_default="sold_out")
    image_url: Mapped[str | None]
    image_alt: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=text("''::tsvector"), deferred=True)


class Variant(Base):
    """What is sold. `options` are the values in the order of the product's option names."""

    __tablename__ = "variant"
    __table_args__ = (
        CheckConstraint(AVAILABILITY, name="availability"),
        CheckConstraint("price >= 0 AND (compare_at_price IS NULL OR compare_at_price >= 0)", name="price"),
        Index("ix_variant_product_id", "product_id", "position"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    product_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("product.id"))
    sku: Mapped[str] = mapped_column(unique=True)
    options: Mapped[list[str]] = mapped_column(server_default="[]")
    position: Mapped[int]
    price: Mapped[int]
    compare_at_price: Mapped[int | None]
    currency: Mapped[str]
    barcode: Mapped[str | None]
    grams: Mapped[int] = mapped_column(server_default="0")
    availability: Mapped[str] = mapped_column(server_default="sold_out")
    image_url: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default="true")
    source: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class ProductImage(Base):
    __tablename__ = "product_image"
    __table_args__ = (Index("ix_product_image_product_id", "product_id", "position"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    product_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("product.id"))
    url: Mapped[str]
    alt: Mapped[str] = mapped_column(server_default="")
    position: Mapped[int]
