"""Lists of products: one statement for a page, with facets and total in the same when they are wanted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, select, true, tuple_

from app.catalogue.models import Brand, Category, Product
from app.catalogue.queries import facets as facet_queries
from app.catalogue.queries.filters import Filters, Sort, conditions, rank
from app.kernel.database import session
from app.kernel.errors import invalid
from app.kernel.pagination import MAX_TOTAL, Page, decode_cursor, id_in, moment_in, number_in, page_of


@dataclass(frozen=True, slots=True)
class Named:
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Image:
    url: str
    alt: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Prices in minor units of `currency`; `price` is the lowest of the variants'."""

    id: uuid.UUID
    slug: str
    name: str
    brand: Named
    category: Named
    price: int
    compare_at_price: int | None
    currency: str
    availability: str
    image: Image | None
    category_path: str


@dataclass(frozen=True, slots=True)
class ProductPage:
    page: Page[Summary]
    facets: facet_queries.Facets | None = None


# sort -> (column, whether it descends); the id breaks ties in the same direction
ORDERS: dict[str, tuple[Any, bool]] = {
    "newest": (Product.created_at, True),
    "price": (Product.price, False),
    "-price": (Product.price, True),
    "name": (Product.name, False),
}


def list_products(
    filters: Filters,
    *,
    sort: Sort | None = None,
    cursor: str | None = None,
    limit: int,
    with_facets: bool = False,
    with_total: bool = False,
) -> ProductPage:
    """Published products. `sort` is by relevance with `q` and newest without, unless it is given.

    Raises RuleBroken naming the field: a category or brand that is not there, a sort that needs `q`,
    a cursor of other filters.
    """
    filters.check()
    order = sort or ("relevance" if filters.q else "newest")
    if order == "relevance" and filters.q is None:
        raise invalid("sort", "NEEDS_Q", "Sorting by relevance needs a search.")
    key, descending = (rank(filters.q), True) if order == "relevance" and filters.q else ORDERS[order]
    digest = {"sort": order, **filters.as_json()}
    statement = _summaries(key).where(*conditions(filters))
    backwards = False
    if cursor is not None:
        (value, row_id), backwards = decode_cursor(cursor, filters=digest, width=2)
        statement = statement.where(_after(key, _typed(order, value), row_id, descending != backwards))
    rows, extras = _fetch(statement, descending != backwards, limit, filters, with_facets, with_total)
    _check_names(filters, extras)
    page = page_of(
        rows,
        limit=limit,
        key=_key,
        filters=digest,
        backwards=backwards,
        first=cursor is None,
        total=extras["total"] if with_total else None,
    ).showing(summary_of)
    return ProductPage(page, facet_queries.read(extras) if with_facets else None)


def summaries_by_slug(slugs: Sequence[str]) -> list[Summary]:
    """Published products in the order of `slugs`; what is gone is left out."""
    rows = session().execute(_summaries(Product.price).where(Product.slug.in_(slugs), Product.is_published))
    found = {row.slug: summary_of(row) for row in rows}
    return [found[slug] for slug in slugs if slug in found]


def summary_of(row: Any) -> Summary:
    return Summary(
        id=row.id,
        slug=row.slug,
        name=row.name,
        brand=Named(row.brand_slug, row.brand_name),
        category=Named(row.category_slug, row.category_name),
        price=row.price,
        compare_at_price=row.compare_at_price,
        currency=row.currency,
        availability=row.availability,
        image=Image(row.image_url, row.image_alt or row.name) if row.image_url else None,
        category_path=row.category_path,
    )


def _summaries(key: Any) -> Any:
    return (
        select(
            Product.id,
            Product.slug,
            Product.name,
            Brand.slug.label("brand_slug"),
            Brand.name.label("brand_name"),
            Category.slug.label("category_slug"),
            Category.name.label("category_name"),
            Category.path.label("category_path"),
            Product.price,
            Product.compare_at_price,
            Product.currency,
            Product.availability,
            Product.image_url,
            Product.image_alt,
            key.label("sort_key"),
        )
        .join(Brand, Brand.id == Product.brand_id)
        .join(Category, Category.id == Product.category_id)
    )


def _after(key: ColumnElement[Any], value: Any, row_id: Any, descending: bool) -> ColumnElement[bool]:
    boundary = tuple_(literal(value, key.type), literal(id_in(row_id), Product.id.type))
    return tuple_(key, Product.id) < boundary if descending else tuple_(key, Product.id) > boundary


def _typed(order: str, value: Any) -> Any:
    """A cursor comes from outside: its key is checked like any input."""
    if order == "newest":
        return moment_in(value)
    return str(value) if order == "name" else number_in(value)


def _fetch(
    statement: Any,
    descending: bool,
    limit: int,
    filters: Filters,
    with_facets: bool,
    with_total: bool,
) -> tuple[list[Any], dict[str, Any]]:
    """Rows and the values beside them. The left join keeps the values when there is no row."""
    key = statement.selected_columns.sort_key
    order = (key.desc(), Product.id.desc()) if descending else (key, Product.id)
    items = statement.order_by(*order).limit(limit + 1).subquery("items")
    extras = _extras(filters, with_facets, with_total)
    one = select(literal(1)).subquery("one")
    outer = select(items, *(column.label(f"x_{name}") for name, column in extras.items())).select_from(
        one.outerjoin(items, true())
    )
    outer = outer.order_by(
        *((items.c.sort_key.desc(), items.c.id.desc()) if descending else (items.c.sort_key, items.c.id))
    )
    rows = list(session().execute(outer).all())
    values = {name: getattr(rows[0], f"x_{name}") for name in extras}
    return [row for row in rows if row.id is not None], values


def _extras(filters: Filters, with_facets: bool, with_total: bool) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if filters.category is not None:
        extras["category_known"] = exists().where(Category.slug == filters.category)
    if filters.brands:
        extras["brands_known"] = (
            select(func.count()).select_from(Brand).where(Brand.slug.in_(filters.brands)).scalar_subquery()
        )
    if with_total:
        found = select(literal(1)).select_from(Product).where(*conditions(filters)).limit(MAX_TOTAL + 1)
        extras["total"] = select(func.count()).select_from(found.subquery()).scalar_subquery()
    if with_facets:
        extras |= facet_queries.columns(filters)
    return extras


def _check_names(filters: Filters, extras: dict[str, Any]) -> None:
    if filters.category is not None and not extras["category_known"]:
        raise invalid("category", "UNKNOWN", "There is no such category.")
    if filters.brands and extras["brands_known"] != len(set(filters.brands)):
        raise invalid("brand", "UNKNOWN", "There is no such brand.")


def _key(row: Any) -> list[Any]:
    key = row.sort_key
    return [key.isoformat() if isinstance(key, datetime) else key, str(row.id)]
