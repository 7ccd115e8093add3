"""Brands and categories by name, made when they are new. Few rows, so they are held in memory during an import."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import insert, select

from app.catalogue.models import Brand, Category
from app.catalogue.rules import name_key, slugify
from app.kernel import ids
from app.kernel.database import session


class Taxonomy:
    """Read once; `store_new` writes what was added since, parents first."""

    def __init__(self) -> None:
        self._brands: dict[str, uuid.UUID] = {}
        self._brand_slugs: set[str] = set()
        self._categories: dict[tuple[str, ...], tuple[uuid.UUID, str]] = {}
        self._category_slugs: set[str] = set()
        self._new_brands: list[dict[str, object]] = []
        self._new_categories: list[dict[str, object]] = []
        self._load()

    @property
    def new_brands(self) -> int:
        return len(self._new_brands)

    @property
    def new_categories(self) -> int:
        return len(self._new_categories)

    def brand(self, name: str) -> uuid.UUID:
        key = name_key(name)
        if key not in self._brands:
            slug = _free(slugify(name), self._brand_slugs)
            self._brands[key] = ids.uuid7()
            self._new_brands.append({"id": self._brands[key], "slug": slug, "name": name})
        return self._brands[key]

    def category(self, names: Sequence[str]) -> uuid.UUID:
        """The category at the end of `names`, with those above it."""
        parent: tuple[uuid.UUID, str] | None = None
        for depth in range(1, len(names) + 1):
            key = tuple(name_key(name) for name in names[:depth])
            if key not in self._categories:
                self._categories[key] = self._new_category(names[depth - 1], parent)
            parent = self._categories[key]
        assert parent is not None, "a category has at least one name"
        return parent[0]

    def store_new(self) -> None:
        if self._new_brands:
            session().execute(insert(Brand), self._new_brands)
        if self._new_categories:
            session().execute(insert(Category), self._new_categories)

    def _new_category(self, name: str, parent: tuple[uuid.UUID, str] | None) -> tuple[uuid.UUID, str]:
        own = slugify(name)
        wanted = (
            own
            if own not in self._category_slugs or parent is None
            else f"{parent[1]}/{own}".replace("/", "-")
        )
        slug = _free(wanted, self._category_slugs)
        path = f"{parent[1]}/{slug}" if parent else slug
        category_id = ids.uuid7()
        row: dict[str, object] = {
            "id": category_id,
            "parent_id": parent[0] if parent else None,
            "slug": slug,
            "name": name,
            "path": path,
            "position": len(self._categories),
        }
        self._new_categories.append(row)
        return category_id, path

    def _load(self) -> None:
        for brand_id, slug, name in session().execute(select(Brand.id, Brand.slug, Brand.name)):
            self._brands[name_key(name)] = brand_id
            self._brand_slugs.add(slug)
        keys: dict[uuid.UUID, tuple[str, ...]] = {}
        rows = session().execute(
            select(Category.id, Category.parent_id, Category.slug, Category.name, Category.path).order_by(
                Category.path
            )
        )
        for category_id, parent_id, slug, name, path in rows:
            above = keys[parent_id] if parent_id else ()
            keys[category_id] = (*above, name_key(name))
            self._categories[keys[category_id]] = (category_id, path)
            self._category_slugs.add(slug)


def _free(wanted: str, taken: set[str]) -> str:
    slug, number = wanted, 1
    while slug in taken:
        number += 1
        slug = f"{wanted}-{number}"
    taken.add(slug)
    return slug
