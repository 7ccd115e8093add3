"""Quotes for the pay page: what the shopper wished, what the rules made of it, and what to say about it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Literal

from flask import current_app, flash, redirect, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response

from app.blueprints.checkout import choices
from app.blueprints.checkout.choices import Delivery
from app.blueprints.common.checkout import terms
from app.blueprints.common.typed import read_points
from app.checkout import quote
from app.checkout.errors import CartEmpty
from app.checkout.rules import Quote
from app.inventory.errors import StockInsufficient
from app.kernel.database import run_atomically
from app.kernel.errors import RuleBroken, ShopError

Wanted = int | Literal["max"]
MILES = "miles"  # the field that the points are typed in


@dataclass(frozen=True, slots=True)
class PageError:
    """`field` is the id of what it is about."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """`typed`: what to show again in the field, when it could not be used; `note`: what was made of it."""

    quote: Quote
    typed: str | None = None
    note: str | None = None
    errors: list[PageError] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        return bool(self.errors)


def current(delivery: Delivery) -> Quoted:
    """For the points chosen before, lowered when they are no longer possible."""
    wanted = choices.points()
    try:
        return Quoted(_make(delivery, wanted))
    except RuleBroken as error:
        if not _is_about_points(error):
            raise
        limits = error.details["limits"]
        usable = limits["max"] if wanted >= limits["min"] else 0
        note = f"You chose {wanted:,} {_unit()}. That is no longer possible, so we changed it."
        return Quoted(_make(delivery, usable), note=note)


def for_preset(delivery: Delivery, text: str) -> Quoted:
    """A quick choice: a number of points, or `max`."""
    return _wished(delivery, "max" if text == "max" else read_points(text), text)


def for_typed(delivery: Delivery, text: str) -> Quoted:
    return _wished(delivery, read_points(text), text)


def elsewhere(error: ShopError) -> Response | None:
    """Where the shopper can put right what keeps the cart from being quoted; None if it is not that."""
    if isinstance(error, CartEmpty):
        words = Markup(
            "Your cart is empty, so nothing was ordered or charged. "
            'If you have just ordered, <a href="{}">see your orders</a>.'
        )
        flash(words.format(url_for("account.orders")))
        return redirect(url_for("shop.cart"), 303)
    if isinstance(error, StockInsufficient):
        flash(f"{error.message} Nothing was charged.", "warning")
        return redirect(url_for("shop.cart"), 303)
    if any(one.field in {"address_id", "shipping_method"} for one in error.errors):
        choices.forget_delivery()
        flash(f"{error.message} Nothing was charged.", "warning")
        return redirect(url_for("checkout.address"), 303)
    return None


def _wished(delivery: Delivery, wanted: Wanted | None, text: str) -> Quoted:
    if wanted is None:
        message = f"Enter a whole number of {_unit()}, such as 6,000, or 0 for none."
        return _refused(delivery, text, message)
    try:
        made = _make(delivery, wanted)
    except RuleBroken as error:
        if not _is_about_points(error):
            raise
        return _refused(delivery, text, _sentence(error))
    return Quoted(made, note=_lowered(wanted, made))


def _refused(delivery: Delivery, text: str, message: str) -> Quoted:
    """What was typed stays, beside the quote that was good before."""
    return Quoted(current(delivery).quote, typed=text, errors=[PageError(MILES, message)])


def _make(delivery: Delivery, wanted: Wanted) -> Quote:
    customer_id: uuid.UUID = current_user.person.id
    return run_atomically(
        lambda: quote.make(
            customer_id=customer_id,
            points=wanted,
            address_id=delivery.address_id,
            shipping_method_code=delivery.shipping_method,
            terms=terms(),
        )
    )


def _is_about_points(error: RuleBroken) -> bool:
    return any(one.field == "points" for one in error.errors)


def _sentence(error: RuleBroken) -> str:
    limits = error.details["limits"]
    if error.code == "POINTS_BELOW_MIN":
        return f"Use 0 or at least {limits['min']:,} {_unit()}."
    if error.code == "POINTS_INSUFFICIENT":
        return f"You do not have that many {_unit()}: use at most {limits['max']:,} for this order."
    return f"Use at most {limits['max']:,} {_unit()} for this order."


def _lowered(wanted: Wanted, made: Quote) -> str | None:
    if wanted == "max" or wanted == made.points:
        return None
    unit = _unit()
    return f"Lowered from {wanted:,} to {made.points:,}: {unit} are used in steps of {made.limit_step:,}."


def _unit() -> str:
    return str(current_app.config["POINTS_NAME"])
