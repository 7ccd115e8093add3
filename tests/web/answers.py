"""What the preview answers to the requests that the pages' scripts make: enough of a shop to drive them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace as Obj
from typing import Any

from flask import render_template, request
from werkzeug.wrappers import Response

from tests.web import samples
from tests.web.states_checkout import cart, pay, result
from tests.web.states_shop import listing

Answer = str | Response
TOO_MANY = [{"field": "miles", "message": "Use at most 12,400 miles for this order"}]


def frame(signed_in: bool, cart_count: int = 3) -> dict[str, Any]:
    """The context that every page has."""
    return {
        "current_user": Obj(is_authenticated=signed_in, name="Mei Chan", email="mei@demo.example"),
        "balance": 18240 if signed_in else None,
        "cart_count": cart_count,
        "categories": samples.tree(),
    }


def checkout_pay() -> Answer:
    """Quotes like the real page: rounds down to the step, refuses too many; says PAID only to action=pay."""
    if request.form.get("action") == "pay":
        return f"PAID {request.form['quote_id']} {request.form['card']}"
    wanted = request.form.get("preset") or request.form["miles"].replace(",", "")
    points = 12400 if wanted == "max" else int(wanted) // 100 * 100
    context = pay(0, miles_value=wanted, errors=TOO_MANY) if points > 12400 else pay(points)
    context["card_choice"] = request.form.get("card", "pm_card_visa")
    return render_template("pages/checkout/pay.html", **frame(True), **context)


def checkout_status(number: str) -> Answer:
    return render_template("components/order_result.html", **result("paid"))


def shop_cart_add() -> Answer:
    return render_template("pages/shop/cart.html", **frame(True, cart_count=4), **cart())


def shop_cart_update() -> Answer:
    changed = samples.cart(1)
    changed.lines[0].quantity = int(request.form["quantity"])
    return render_template("pages/shop/cart.html", **frame(True, cart_count=7), **cart(cart=changed))


def shop_listing() -> Answer:
    count = 2 if request.args.getlist("brand") == ["b1"] else 24
    return render_template("pages/shop/listing.html", **frame(False), **listing(count))


ANSWERS: dict[str, Callable[..., Answer]] = {
    "checkout.pay": checkout_pay,
    "checkout.status": checkout_status,
    "shop.cart_add": shop_cart_add,
    "shop.cart_update": shop_cart_update,
    "shop.listing": shop_listing,
}
