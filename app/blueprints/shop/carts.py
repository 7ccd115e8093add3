"""The cart's page and its forms. Guests fill a cart as well; checkout asks them to sign in."""

from __future__ import annotations

import unicodedata
from types import SimpleNamespace
from typing import Any

from flask import current_app, flash, redirect, render_template, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.blueprints.common.errors import status_of
from app.blueprints.common.products import current_rules, show_all
from app.blueprints.shop.blueprint import bp
from app.blueprints.shop.products import product_page
from app.blueprints.shop.visitors import cart_view, keep_guest_cart, owner, viewed_slugs
from app.cart import service
from app.cart.rules import CartView, Line
from app.catalogue.queries.detail import find_slug
from app.catalogue.queries.products import Image, summaries_by_slug
from app.checkout.quote import limits_of_cart
from app.checkout.rules import SHIPPING_METHODS
from app.kernel.database import run_atomically
from app.kernel.errors import Conflict, RuleBroken, ShopError, invalid
from app.kernel.money import Money
from app.rewards.queries import get_spendable
from app.rewards.rules import Limits, Rules, SpendRules, limits_for, value_of

REMOVED = "removed"


@bp.get("/cart")
def cart() -> str:
    return _page(removed=session.pop(REMOVED, None))


@bp.post("/cart/add")
def cart_add() -> Response | tuple[str, int]:
    sku, whose = _sku(), owner()
    try:
        quantity = _quantity()
        cart_id = run_atomically(lambda: service.add(owner=whose, sku=sku, quantity=quantity))
    except (RuleBroken, Conflict) as refusal:
        slug = find_slug(sku)
        errors = [{"field": "quantity", "message": refusal.message}]
        page = product_page(slug, sku=sku, errors=errors) if slug else _page(errors=errors)
        return page, status_of(refusal)
    keep_guest_cart(cart_id)
    flash("Added to your cart.", "success")
    return redirect(url_for("shop.cart"), 303)


@bp.post("/cart/update")
def cart_update() -> Response | tuple[str, int]:
    sku, whose = _sku(), owner()
    try:
        quantity = _quantity()
        line = None if quantity else _line_of(sku)
        is_there = run_atomically(lambda: service.change_quantity(owner=whose, sku=sku, quantity=quantity))
    except (RuleBroken, Conflict) as refusal:
        return _page(refused=(sku, refusal)), status_of(refusal)
    if not is_there:
        flash("That product is no longer in your cart.", "info")
    _offer_undo(line)
    return redirect(url_for("shop.cart"), 303)


@bp.post("/cart/remove")
def cart_remove() -> Response:
    sku, whose = _sku(), owner()
    line = _line_of(sku)
    run_atomically(lambda: service.remove(owner=whose, sku=sku))
    _offer_undo(line)
    return redirect(url_for("shop.cart"), 303)


def _line_of(sku: str) -> Line | None:
    return next((line for line in cart_view().lines if line.sku == sku), None)


def _offer_undo(line: Line | None) -> None:
    if line is not None:
        session[REMOVED] = {"sku": line.sku, "name": line.name, "quantity": line.quantity}


def _sku() -> str:
    sku = request.form.get("sku", "").strip()
    if not sku or "\0" in sku:
        raise invalid("sku", "REQUIRED", "Choose a product first.")
    return sku


def _quantity() -> int:
    typed = _typed()
    if not typed.isascii() or not typed.isdigit() or len(typed) > 6:
        raise invalid("quantity", "TYPE_INVALID", "Enter the quantity as a whole number, such as 2.")
    return int(typed)


def _typed() -> str:
    """Digits of Chinese and Japanese keyboards are digits."""
    return unicodedata.normalize("NFKC", request.form.get("quantity", "")).strip()


def _page(
    *,
    removed: dict[str, Any] | None = None,
    errors: list[dict[str, str]] | None = None,
    refused: tuple[str, ShopError] | None = None,
) -> str:
    view = cart_view()
    lines = [_line(line) for line in view.lines]
    if refused is not None:
        errors = [_mark(lines, *refused)]
    shown = SimpleNamespace(lines=lines, items_total=view.items_total, version=view.version)
    delivery = Money(min(method.price for method in SHIPPING_METHODS), current_app.config["CURRENCY"])
    return render_template(
        "pages/shop/cart.html",
        cart=shown,
        delivery_from=delivery if view.lines else None,
        preview=_preview(view, delivery),
        removed=removed,
        last_viewed=[] if view.lines else show_all(summaries_by_slug(viewed_slugs()[:4])),
        errors=errors or [],
    )


def _mark(lines: list[SimpleNamespace], sku: str, refusal: ShopError) -> dict[str, str]:
    """The line says why its quantity was refused, and shows it as it was typed; what the page's summary says of it."""
    for place, line in enumerate(lines, start=1):
        if line.sku == sku:
            line.typed, line.error = _typed(), refusal.message
            return {"field": f"quantity-{place}", "message": f"{line.name}: {refusal.message}"}
    return {"field": "", "message": refusal.message}


def _line(line: Line) -> SimpleNamespace:
    fields = {name: getattr(line, name) for name in Line.__slots__}
    image = Image(line.image_url, line.image_alt or line.name) if line.image_url else None
    return SimpleNamespace(**fields, image=image)


def _limits(view: CartView, delivery: Money, rules: Rules) -> Limits | None:
    """Rules that limit what may be paid with points need every line's category; most have none."""
    customer_id, card_minimum = current_user.person.id, current_app.config["CARD_MINIMUM"]
    if rules.spend != SpendRules():
        return limits_of_cart(
            customer_id=customer_id, delivery=delivery.amount, card_minimum=card_minimum, rules=rules
        )
    total = view.items_total.amount + delivery.amount
    return limits_for(
        total=total,
        eligible=total,
        available=get_spendable(customer_id),
        card_minimum=card_minimum,
        rules=rules,
    )


def _preview(view: CartView, delivery: Money) -> SimpleNamespace | None:
    """The most points that this order could take, as the checkout will say."""
    if not current_user.is_authenticated or not view.lines:
        return None
    rules = current_rules()
    limits = _limits(view, delivery, rules)
    if limits is None or limits.max == 0:
        return None
    return SimpleNamespace(usable=limits.max, value=Money(value_of(limits.max, rules), rules.currency))
