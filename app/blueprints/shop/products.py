"""The product page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import nh3
from flask import current_app, render_template, request, url_for
from markupsafe import Markup

from app.blueprints.common.catalogue_cache import tree
from app.blueprints.common.products import ShownProduct, ShownVariant, show, show_variants
from app.blueprints.shop.blueprint import bp
from app.blueprints.shop.visitors import note_viewed
from app.cart.rules import MAX_QUANTITY
from app.catalogue.queries.detail import Detail, get_product
from app.catalogue.queries.taxonomy import find_path
from app.checkout.rules import SHIPPING_METHODS
from app.kernel.money import format_plain

AVAILABILITY = {
    "in_stock": "https://schema.org/InStock",
    "low_stock": "https://schema.org/LimitedAvailability",
    "sold_out": "https://schema.org/OutOfStock",
}


@bp.get("/p/<slug>")
def product(slug: str) -> str:
    return product_page(slug)


def product_page(slug: str, *, sku: str | None = None, errors: list[dict[str, str]] | None = None) -> str:
    """The page of a product. Raises NotFound."""
    detail = get_product(slug)
    shown, variants = show(detail.summary), show_variants(detail)
    fields = {name: getattr(shown, name) for name in ShownProduct.__slots__}
    return render_template(
        "pages/shop/product.html",
        product=SimpleNamespace(
            **fields,
            # Sanitised when it was imported; nothing else writes it.
            description=Markup(detail.description),  # noqa: S704
            images=detail.images,
            options=detail.options,
            variants=variants,
            attributes=detail.attributes,
        ),
        breadcrumbs=_breadcrumbs(detail),
        selected_sku=_selected(variants, sku or request.args.get("sku")),
        image_index=_image_index(len(detail.images)),
        old_price=note_viewed(slug, shown.price),
        delivery_estimate=SHIPPING_METHODS[0].name,
        json_ld=_json_ld(detail, shown, variants),
        canonical_url=_address(slug),
        max_quantity=MAX_QUANTITY,
        errors=errors or [],
    )


def _breadcrumbs(detail: Detail) -> list[dict[str, str | None]]:
    path = find_path(tree(), detail.summary.category.slug)
    trail: list[tuple[str, str | None]] = [("Home", url_for("shop.home"))]
    trail += [(node.name, url_for("shop.category", slug=node.slug)) for node in path]
    return [{"name": name, "url": link} for name, link in (*trail, (detail.summary.name, None))]


def _selected(variants: list[ShownVariant], wanted: str | None) -> str | None:
    """The variant asked for, else the first that can be bought."""
    if any(variant.sku == wanted for variant in variants):
        return wanted
    can_be_bought = (variant.sku for variant in variants if variant.availability != "sold_out")
    return next(can_be_bought, variants[0].sku if variants else None)


def _image_index(count: int) -> int:
    typed = request.args.get("image", "0")
    index = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 5 else 0
    return index if index < count else 0


def _address(slug: str) -> str:
    return str(current_app.config["BASE_URL"] + url_for("shop.product", slug=slug))


def _json_ld(detail: Detail, shown: ShownProduct, variants: list[ShownVariant]) -> dict[str, Any]:
    """schema.org Product. The price is the cash price."""
    base = current_app.config["BASE_URL"]
    pictures = [image.url if image.url.startswith("http") else base + image.url for image in detail.images]
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": shown.name,
        "description": nh3.clean(detail.description, tags=set()).strip(),
        "image": pictures,
        "brand": {"@type": "Brand", "name": shown.brand.name},
        "category": shown.category.name,
        "offers": [
            {
                "@type": "Offer",
                "sku": variant.sku,
                "price": format_plain(variant.price.amount, variant.price.currency),
                "priceCurrency": variant.price.currency,
                "availability": AVAILABILITY[variant.availability],
                "url": _address(shown.slug),
            }
            for variant in variants
        ],
    }
