"""What a list of products may be narrowed by, as conditions that can be left out one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, String, func, literal, or_, select, union
from sqlalchemy.orm import aliased

from app.catalogue.models import Brand, Category, Product, Variant
from app.kernel.errors import invalid

Sort = Literal["relevance", "newest", "price", "-price", "name"]
MAX_BRANDS = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """`category` and `brands` are slugs; a category includes its descendants. Prices in minor units, inclusive."""

    q: str | None = None
    category: str | None = None
    brands: tuple[str, ...] = ()
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False

    def check(self) -> None:
        """Raises RuleBroken `VALIDATION_FAILED` naming the field."""
        if len(self.brands) > MAX_BRANDS:
            raise invalid("brand", "TOO_MANY", f"Choose at most {MAX_BRANDS} brands.")
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise invalid("price_max", "TOO_SMALL", "The highest price is below the lowest.")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def conditions(filters: Filters, *, without: str = "") -> Iterator[ColumnElement[bool]]:
    """The conditions on Product; `without` leaves out "category", "brands" or "prices"."""
    yield Product.is_published.is_(True)
    if filters.q is not None:
        yield Product.id.in_(_found(filters.q))
    if filters.category is not None and without != "category":
        yield Product.category_id.in_(_below(filters.category))
    if filters.brands and without != "brands":
        yield Product.brand_id.in_(select(Brand.id).where(Brand.slug.in_(filters.brands)))
    if without != "prices":
        if filters.price_min is not None:
            yield Product.price >= filters.price_min
        if filters.price_max is not None:
            yield Product.price <= filters.price_max
    if filters.in_stock:
        yield Product.availability != "sold_out"


def rank(q: str) -> ColumnElement[int]:
    """How well a product fits, in millionths: an integer, because cursors carry it exactly."""
    return func.floor(func.ts_rank_cd(Product.search, search_query(q), 32) * 1_000_000).cast(
        Product.price.type
    )


def search_query(q: str) -> ColumnElement[Any]:
    return func.search_query(literal(q, String))


def _found(q: str) -> Any:
    """Products with the words, and the product whose variant has exactly this sku or barcode."""
    by_words = select(Product.id).where(Product.search.op("@@")(search_query(q)))
    by_sku = select(Variant.product_id).where(Variant.is_active, Variant.sku == q.strip())
    return union(by_words, by_sku)


def _below(slug: str) -> Any:
    top = aliased(Category)
    return (
        select(Category.id)
        .join(top, or_(Category.id == top.id, Category.path.startswith(top.path + "/", autoescape=False)))
        .where(top.slug == slug)
    )
