"""How many products each category, brand and price range would show under the other filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from app.catalogue.models import Brand, Category, Product
from app.catalogue.queries.filters import Filters, conditions

# Lower ends of the price ranges, in minor units of a currency with two decimals.
PRICE_STEPS = (0, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000)


@dataclass(frozen=True, slots=True)
class Count:
    slug: str
    name: str
    count: int
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Minor units, both inclusive; `max` None is open."""

    min: int
    max: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    categories: list[Count]
    brands: list[Count]
    prices: list[PriceRange]


def columns(filters: Filters) -> dict[str, Any]:
    """Scalar subqueries, each a JSON array of arrays."""
    return {"categories": _categories(filters), "brands": _brands(filters), "prices": _prices(filters)}


def read(values: dict[str, Any]) -> Facets:
    ends = [*(step - 1 for step in PRICE_STEPS[1:]), None]
    return Facets(
        categories=[Count(*row) for row in values["categories"] or ()],
        brands=[Count(*row) for row in values["brands"] or ()],
        prices=[PriceRange(PRICE_STEPS[i - 1], ends[i - 1], count) for i, count in values["prices"] or ()],
    )


def _categories(filters: Filters) -> Any:
    """Every category above a product counts it. A product is in one category, so adding up counts none twice."""
    leaves = (
        select(Product.category_id, func.count().label("n"))
        .where(*conditions(filters, without="category"))
        .group_by(Product.category_id)
        .subquery()
    )
    own, above, parent = aliased(Category), aliased(Category), aliased(Category)
    counts = (
        select(
            above.slug,
            above.name,
            func.sum(leaves.c.n).label("n"),
            parent.slug.label("parent"),
            above.position,
        )
        .select_from(leaves)
        .join(own, own.id == leaves.c.category_id)
        .join(above, or_(above.id == own.id, own.path.startswith(above.path + "/", autoescape=False)))
        .outerjoin(parent, parent.id == above.parent_id)
        .group_by(above.id, parent.slug)
        .subquery()
    )
    row = func.json_build_array(counts.c.slug, counts.c.name, counts.c.n, counts.c.parent)
    return select(func.json_agg(aggregate_order_by(row, counts.c.position))).scalar_subquery()


def _brands(filters: Filters) -> Any:
    counted = (
        select(Product.brand_id, func.count().label("n"))
        .where(*conditions(filters, without="brands"))
        .group_by(Product.brand_id)
        .subquery()
    )
    row = func.json_build_array(Brand.slug, Brand.name, counted.c.n)
    return (
        select(func.json_agg(aggregate_order_by(row, Brand.name)))
        .select_from(counted)
        .join(Brand, Brand.id == counted.c.brand_id)
        .scalar_subquery()
    )


def _prices(filters: Filters) -> Any:
    steps = case(
        *((Product.price >= step, index) for index, step in reversed(list(enumerate(PRICE_STEPS, start=1)))),
        else_=literal(1),
    ).label("step")
    counted = (
        select(steps, func.count().label("n"))
        .where(*conditions(filters, without="prices"))
        .group_by(steps)
        .subquery()
    )
    row = func.json_build_array(counted.c.step, counted.c.n)
    return select(func.json_agg(aggregate_order_by(row, counted.c.step))).scalar_subquery()
