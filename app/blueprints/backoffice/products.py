"""Products: what they are called and cost, whether they show, and how many there are."""

from __future__ import annotations

import uuid

from flask import current_app, request
from sqlalchemy import func, select

from app.blueprints.backoffice.access import action, page
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, perform, refused, typed
from app.blueprints.backoffice.cells import amount, badge, link, moment
from app.blueprints.backoffice.filters import Choice, Exactly, Rows
from app.blueprints.backoffice.history import history_of
from app.blueprints.backoffice.lists import Column, StaffList, contains
from app.blueprints.common.actors import actor_from_request
from app.catalogue.models import Brand, Category, Product, Variant
from app.catalogue.queries import desk
from app.catalogue.service import editing
from app.inventory import queries as stock_queries
from app.inventory.service import stock
from app.kernel.errors import RuleBroken, invalid
from app.kernel.money import format_plain, parse_amount

AVAILABILITY = {"in_stock": "In stock", "low_stock": "Low stock", "sold_out": "Sold out"}


class Products(StaffList):
    permission = "catalogue.read"
    title = "Products"
    hint = "Name, brand or sku"
    empty = "No products match. Take a filter away, or import a catalogue with “flask catalogue import”."
    columns = {
        "name": Column(
            "Product", lambda row: link(row.name, "admin_products.show", slug=row.slug), Product.name
        ),
        "brand": Column("Brand", lambda row: row.brand, Brand.name),
        "category": Column("Category", lambda row: row.category),
        "shown": Column("Shown", lambda row: badge("published" if row.is_published else "hidden")),
        "availability": Column("Stock", lambda row: badge(row.availability)),
        "price": Column("Price", lambda row: amount(row.price, row.currency), Product.price, is_number=True),
        "updated_at": Column("Changed (UTC)", lambda row: moment(row.updated_at), Product.updated_at),
    }
    order_by = (Product.updated_at.desc(), Product.id.desc())
    narrow = (
        Choice("status", "Stock", Product.availability, AVAILABILITY),
        Choice("shown", "Shown", Product.is_published, {"true": "Published", "false": "Hidden"}),
        Exactly("brand", "Brand (slug)", Brand.slug),
        Exactly("category", "Category (slug)", Category.slug),
    )

    def statement(self) -> Rows:
        return (
            select(
                Product.id,
                Product.slug,
                Product.name,
                Product.is_published,
                Product.availability,
                Product.price,
                Product.currency,
                Product.updated_at,
                Brand.name.label("brand"),
                Category.name.label("category"),
            )
            .join(Brand, Brand.id == Product.brand_id)
            .join(Category, Category.id == Product.category_id)
        )

    def search(self, statement: Rows, term: str) -> Rows:
        pattern = contains(term)
        by_sku = select(Variant.product_id).where(Variant.sku == term)
        return statement.where(
            func.lower(Product.name).like(pattern, escape="\\")
            | func.lower(Brand.name).like(pattern, escape="\\")
            | Product.id.in_(by_sku)
        )

    @page("/<slug>")
    def show(self, slug: str) -> str:
        return self._page(slug)

    @action("/<slug>", permission="catalogue.edit")
    def change(self, slug: str) -> Answer:
        product_id = desk.get_product_for_staff(slug).id
        return perform(
            lambda: editing.change_product(
                product_id=product_id,
                name=typed("name"),
                description=typed("description"),
                is_published=request.form.get("is_published") == "true",
                actor=actor_from_request(),
            ),
            form="product",
            done="The product is saved.",
            back=self.get_url(".show", slug=slug),
            again=lambda tried: self._page(slug, tried),
        )

    @page("/variants/<uuid:variant_id>")
    def show_variant(self, variant_id: uuid.UUID) -> str:
        return self._variant_page(variant_id)

    @action("/variants/<uuid:variant_id>/price", permission="catalogue.edit")
    def change_price(self, variant_id: uuid.UUID) -> Answer:
        again = lambda tried: self._variant_page(variant_id, tried)  # noqa: E731
        try:
            price, compare_at = _price("price"), _price("compare_at_price", optional=True)
        except RuleBroken as error:
            return refused(error, form="price", again=again)
        assert price is not None
        return perform(
            lambda: editing.change_price(
                variant_id=variant_id, price=price, compare_at_price=compare_at, actor=actor_from_request()
            ),
            form="price",
            done="The price is saved.",
            back=self.get_url(".show_variant", variant_id=variant_id),
            again=again,
        )

    @action("/variants/<uuid:variant_id>/stock", permission="catalogue.edit")
    def adjust_stock(self, variant_id: uuid.UUID) -> Answer:
        again = lambda tried: self._variant_page(variant_id, tried)  # noqa: E731
        try:
            by, reason = _units("by"), _reason("reason")
        except RuleBroken as error:
            return refused(error, form="stock", again=again)
        return perform(
            lambda: stock.adjust(variant_id=variant_id, by=by, reason=reason, actor=actor_from_request()),
            form="stock",
            done=f"Stock changed by {by:+,}.",
            back=self.get_url(".show_variant", variant_id=variant_id),
            again=again,
        )

    def _page(self, slug: str, tried: Attempt = NOTHING_TRIED) -> str:
        product = desk.get_product_for_staff(slug)
        variants = desk.list_variants(product.id)
        return self.render(
            "admin/product.html",
            product=product,
            variants=variants,
            stock=stock_queries.counts([variant.id for variant in variants]),
            audit=history_of("product", str(product.id)),
            tried=tried,
        )

    def _variant_page(self, variant_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        variant = desk.get_variant_for_staff(variant_id)
        on_hand, reserved = stock_queries.counts([variant_id])[variant_id]
        compare_at = variant.compare_at_price
        return self.render(
            "admin/variant.html",
            variant=variant,
            on_hand=on_hand,
            reserved=reserved,
            price=format_plain(variant.price, variant.currency),
            compare_at=format_plain(compare_at, variant.currency) if compare_at is not None else "",
            audit=history_of("variant", str(variant_id)),
            tried=tried,
        )


def _price(name: str, *, optional: bool = False) -> int | None:
    text = typed(name)
    if optional and not text:
        return None
    try:
        return parse_amount(text.replace(",", ""), current_app.config["CURRENCY"])
    except ValueError:
        raise invalid(name, "PRICE_INVALID", "Enter an amount like 1,299.00.") from None


def _units(name: str) -> int:
    text = typed(name).replace("−", "-").replace(",", "").replace(" ", "")
    try:
        units = int(text)
    except ValueError:
        units = 0
    if units == 0 or abs(units) > 1_000_000:
        raise invalid(name, "UNITS_INVALID", "Enter how many units come or go, like 12 or -3.")
    return units


def _reason(name: str) -> str:
    reason = typed(name)
    if not 3 <= len(reason) <= 500:
        raise invalid(name, "REASON_INVALID", "Say why, in 3 to 500 characters.")
    return reason
