"""The category tree and the brands, with how many products each shows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from sqlalchemy import func, select

from app.catalogue.models import Brand, Category, Product
from app.catalogue.queries.facets import Count
from app.kernel.database import session


@dataclass(slots=True)
class CategoryNode:
    """`count` includes the products of the categories below."""

    slug: str
    name: str
    path: str
    count: int = 0
    children: list[CategoryNode] = field(default_factory=list)


def category_tree() -> list[CategoryNode]:
    """The top categories in their order, with what is below them. One statement."""
    counted = (
        select(Product.category_id, func.count().label("n"))
        .where(Product.is_published)
        .group_by(Product.category_id)
        .subquery()
    )
    rows = session().execute(
        select(Category.id, Category.parent_id, Category.slug, Category.name, Category.path, counted.c.n)
        .outerjoin(counted, counted.c.category_id == Category.id)
        .order_by(Category.position, Category.name)
    )
    nodes: dict[uuid.UUID, CategoryNode] = {}
    parents: dict[uuid.UUID, uuid.UUID | None] = {}
    for row in rows:
        nodes[row.id] = CategoryNode(row.slug, row.name, row.path, row.n or 0)
        parents[row.id] = row.parent_id
    tops = []
    for node_id, node in nodes.items():
        above = parents[node_id]
        if above is None:
            tops.append(node)
        else:
            nodes[above].children.append(node)
    for top in tops:
        _add_up(top)
    return tops


def find_path(tree: list[CategoryNode], slug: str) -> list[CategoryNode]:
    """The categories from the top down to `slug`; empty when it is not there."""
    for node in tree:
        if node.slug == slug:
            return [node]
        if below := find_path(node.children, slug):
            return [node, *below]
    return []


def list_brands() -> list[Count]:
    """Brands that have something to show, by name."""
    rows = session().execute(
        select(Brand.slug, Brand.name, func.count().label("n"))
        .join(Product, Product.brand_id == Brand.id)
        .where(Product.is_published)
        .group_by(Brand.id)
        .order_by(Brand.name)
    )
    return [Count(row.slug, row.name, row.n) for row in rows]


def _add_up(node: CategoryNode) -> int:
    node.count += sum(_add_up(child) for child in node.children)
    return node.count
