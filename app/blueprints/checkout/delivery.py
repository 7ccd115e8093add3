"""First step: where the order goes, and how."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app, flash, redirect, render_template, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.accounts import queries as accounts
from app.accounts.models import Address
from app.accounts.service import create_address
from app.blueprints.checkout import choices
from app.blueprints.checkout.blueprint import bp
from app.blueprints.checkout.choices import Delivery
from app.blueprints.checkout.forms import NEW, DeliveryForm
from app.blueprints.common.checkout import terms
from app.blueprints.common.forms import show_refusal
from app.cart import queries as carts
from app.cart.rules import CartView
from app.checkout.rules import SHIPPING_METHODS, shipping_method
from app.kernel.database import transaction
from app.kernel.errors import RuleBroken, invalid
from app.kernel.money import Money

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class ShippingView:
    code: str
    name: str
    price: Money


def shipping_views() -> list[ShippingView]:
    currency = current_app.config["CURRENCY"]
    return [ShippingView(one.code, one.name, Money(one.price, currency)) for one in SHIPPING_METHODS]


@bp.get("/")
@login_required
def start() -> Response:
    return redirect(url_for("checkout.address"), 303)


@bp.route("/address", methods=["GET", "POST"])
@login_required
def address() -> Answer:
    customer_id = current_user.person.id
    cart = carts.view(customer_id=customer_id, currency=current_app.config["CURRENCY"])
    if not cart.can_be_ordered:
        flash(
            "Some items cannot be ordered. Please check your cart." if cart.lines else "Your cart is empty."
        )
        return redirect(url_for("shop.cart"), 303)
    addresses = accounts.list_addresses(customer_id)
    form = DeliveryForm()
    if not form.is_submitted():
        _prefill(form, addresses)
        return _page(form, addresses, cart, 200)
    chosen = _chosen(form, addresses) if form.validate() else None
    if chosen is None:
        return _page(form, addresses, cart, 422)
    choices.keep_delivery(chosen)
    return redirect(url_for("checkout.pay"), 303)


def _prefill(form: DeliveryForm, addresses: Sequence[Address]) -> None:
    """What was chosen before, else the address used first."""
    before = choices.delivery()
    known = [str(one.id) for one in addresses]
    form.address_id.data = known[0] if known else NEW
    form.shipping_method.data = SHIPPING_METHODS[0].code
    if before is not None:
        form.shipping_method.data = before.shipping_method
        if str(before.address_id) in known:
            form.address_id.data = str(before.address_id)


def _chosen(form: DeliveryForm, addresses: Sequence[Address]) -> Delivery | None:
    """None: refused, and the form says why. A new address joins the address book."""
    try:
        method = shipping_method(form.shipping_method.data)
        address_id = _new_address(form) if form.wants_new else _known_address(form, addresses)
    except RuleBroken as error:
        if error.code == "ADDRESS_LIMIT":
            form.address_id.errors = [error.message]
        elif not show_refusal(form, error):
            raise
        return None
    return Delivery(address_id, method.code)


def _new_address(form: DeliveryForm) -> uuid.UUID:
    with transaction():
        made = create_address(
            customer_id=current_user.person.id,
            data=form.to_data(),
            countries=current_app.config["COUNTRIES"],
        )
        return made.id


def _known_address(form: DeliveryForm, addresses: Sequence[Address]) -> uuid.UUID:
    for one in addresses:
        if str(one.id) == form.address_id.data:
            if one.country not in terms().countries:
                raise invalid("address_id", "COUNTRY_NOT_SERVED", "We do not deliver to this country.")
            return one.id
    raise invalid("address_id", "UNKNOWN", "Choose one of your addresses.")


def _page(form: DeliveryForm, addresses: Sequence[Address], cart: CartView, status: int) -> tuple[str, int]:
    page = render_template(
        "pages/checkout/address.html",
        form=form,
        addresses=addresses,
        shipping_methods=shipping_views(),
        cart=cart,
    )
    return page, status
