"""Brands and categories: how many products each has, and what it is called."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from app.blueprints.backoffice.access import action, page
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, perform, typed
from app.blueprints.backoffice.cells import link
from app.blueprints.backoffice.filters import Rows
from app.blueprints.backoffice.history import history_of
from app.blueprints.backoffice.lists import Column, StaffList, contains
from app.blueprints.common.actors import actor_from_request
from app.catalogue.models import Brand, Category, Product
from app.catalogue.queries import desk
from app.catalogue.service import editing


class Named(StaffList):
    """What the two lists share: a page with the one thing that can be changed, the name."""

    permission = "catalogue.read"
    hint = "Name"
    thing: str
    find: Callable[[uuid.UUID], Any]
    rename: Callable[..., None]

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where(func.lower(self.model.name).like(contains(term), escape="\\"))

    @page("/<uuid:thing_id>")
    def show(self, thing_id: uuid.UUID) -> str:
        return self._page(thing_id)

    @action("/<uuid:thing_id>", permission="catalogue.edit")
    def change(self, thing_id: uuid.UUID) -> Answer:
        return perform(
            lambda: type(self).rename(
                **{f"{self.thing}_id": thing_id}, name=typed("name"), actor=actor_from_request()
            ),
            form="name",
            done=f"The {self.thing} is saved.",
            back=self.get_url(".show", thing_id=thing_id),
            again=lambda tried: self._page(thing_id, tried),
        )

    def _page(self, thing_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        found = type(self).find(thing_id)
        audit = history_of(self.thing, str(thing_id))
        return self.render("admin/named.html", found=found, thing=self.thing, audit=audit, tried=tried)


class Brands(Named):
    title = "Brands"
    empty = "No brands match."
    thing = "brand"
    find = staticmethod(desk.get_brand)
    rename = staticmethod(editing.rename_brand)
    columns = {
        "name": Column("Brand", lambda row: link(row.name, "admin_brands.show", thing_id=row.id), Brand.name),
        "slug": Column("Slug", lambda row: row.slug, Brand.slug),
        "products": Column(
            "Products",
            lambda row: link(f"{row.products:,}", "admin_products.index_view", brand=row.slug),
            is_number=True,
        ),
    }
    order_by = (Brand.name, Brand.id)

    def statement(self) -> Rows:
        products = select(func.count()).where(Product.brand_id == Brand.id).scalar_subquery()
        return select(Brand.id, Brand.slug, Brand.name, products.label("products"))


class Categories(Named):
    title = "Categories"
    empty = "No categories match."
    thing = "category"
    find = staticmethod(desk.get_category)
    rename = staticmethod(editing.rename_category)
    columns = {
        "name": Column("Category", lambda row: link(row.name, "admin_categories.show", thing_id=row.id)),
        "path": Column("Path", lambda row: row.path, Category.path),
        "products": Column(
            "Products",
            lambda row: link(f"{row.products:,}", "admin_products.index_view", category=row.slug),
            is_number=True,
        ),
    }
    order_by = (Category.path, Category.id)

    def statement(self) -> Rows:
        products = select(func.count()).where(Product.category_id == Category.id).scalar_subquery()
        return select(Category.id, Category.slug, Category.name, Category.path, products.label("products"))
