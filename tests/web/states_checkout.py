"""The states of cart, checkout, result and error pages."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace as Obj
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import RadioField, SelectField, StringField
from wtforms.validators import InputRequired

from tests.web import samples
from tests.web.samples import hkd, summary
from tests.web.states_shop import Context, State

CARDS = [
    ("pm_card_visa", "Approved"),
    ("pm_card_chargeDeclined", "Declined"),
    ("pm_card_chargeDeclinedInsufficientFunds", "Declined, not enough money"),
    ("pm_card_chargeDeclinedExpiredCard", "Declined, expired"),
    ("pm_card_authenticationRequired", "Asks for 3-D Secure"),
    ("pm_sandbox_timeout_paid", "No answer in time, in truth paid"),
    ("pm_sandbox_error_500", "The gateway fails"),
]
METHODS = [
    Obj(
        code="standard",
        name="Standard, 3 to 5 working days",
        price=hkd(4500),
        text="Left with a neighbour if nobody is in",
    ),
    Obj(code="express", name="Express, next working day", price=hkd(9000), text=None),
]


class DeliveryForm(FlaskForm):  # type: ignore[misc]
    address_id = RadioField(
        "Address", choices={"a1": "", "new": ""}, validators=[InputRequired("Choose an address")]
    )
    shipping_method = RadioField(
        "Delivery",
        choices={"standard": "", "express": ""},
        validators=[InputRequired("Choose how we deliver")],
    )
    name = StringField("Full name", [InputRequired("Enter a name")])
    line1 = StringField("Address line 1", [InputRequired("Enter the first line of the address")])
    line2 = StringField("Address line 2")
    city = StringField("Town or city", [InputRequired("Enter a town or city")])
    region = StringField("Region")
    postcode = StringField("Postcode")
    country = SelectField("Country", choices={"HK": "Hong Kong", "SG": "Singapore"})
    phone = StringField("Phone", [InputRequired("Enter a phone number")])


def delivery(addresses: int = 2, data: dict[str, str] | None = None) -> Context:
    typed = {"address_id": "a1", "shipping_method": "standard"} if data is None else data
    form = DeliveryForm(formdata=MultiDict(typed))
    if data is not None:
        form.validate()
    return {
        "form": form,
        "addresses": [samples.address(n + 1) for n in range(addresses)],
        "shipping_methods": METHODS,
        "cart": samples.cart(),
    }


def cart(**changes: Any) -> Context:
    return {
        "cart": samples.cart(),
        "delivery_from": hkd(4500),
        "preview": Obj(usable=18200, value=hkd(182000)),
        "removed": None,
        "last_viewed": [],
    } | changes


def pay(points: int = 6000, limits: Context | None = None, **changes: Any) -> Context:
    return {
        "quote": samples.quote(points, **(limits or {})),
        "account": samples.account(),
        "rules": samples.RULES,
        "value_per_1000": hkd(10000),
        "earn_all_by_card": 1245,
        "address": samples.address(),
        "shipping_method": METHODS[0],
        "miles_value": None,
        "miles_note": None,
        "sandbox_cards": CARDS,
        "card_choice": "pm_card_visa",
        "changes": [],
        "idempotency_key": "k-1",
        "errors": [],
    } | changes


def result(status: str, **changes: Any) -> Context:
    return {
        "order": samples.order(status),
        "decline_code": None,
        "next_action": None,
        "hold_expires_at": samples.NOW,
        "poll": True,
        "too_old": False,
        "sandbox_cards": CARDS,
        "card_choice": "pm_card_visa",
        "idempotency_key": "k-2",
        "earn_confirmed_on": date(2026, 12, 22),
    } | changes


def error(status: int, **changes: Any) -> Context:
    return {
        "status": status,
        "request_id": "0199c1f7-6f3e",
        "message": None,
        "money_note": None,
        "retry_after": None,
    } | changes


STALE = [
    {"label": "Delivery", "before": "HK$45.00", "after": "HK$60.00"},
    {"label": "On your card", "before": "HK$645.00", "after": "HK$660.00"},
]
TOO_MANY = [{"field": "miles", "message": "Use at most 12,400 miles for this order"}]
POOR: Context = {"max": 0, "bound_by": "balance"}
PAY, RESULT, CART, ADDRESS = (
    f"pages/{p}.html" for p in ("checkout/pay", "checkout/result", "shop/cart", "checkout/address")
)
CHECKOUT: dict[str, State] = {
    "cart": (CART, cart, True),
    "cart-signed-out": (CART, lambda: cart(preview=None), False),
    "cart-empty": (
        CART,
        lambda: cart(cart=samples.cart(0), last_viewed=[summary(n) for n in range(4)]),
        True,
    ),
    "cart-notices": (
        CART,
        lambda: cart(
            cart=samples.cart(3, notices=True), removed=Obj(sku="X", name="Folding weekend bag", quantity=1)
        ),
        True,
    ),
    "cart-50": (CART, lambda: cart(cart=samples.cart(50)), True),
    "address": (ADDRESS, delivery, True),
    "address-first": (ADDRESS, lambda: delivery(0), True),
    "address-errors": (
        ADDRESS,
        lambda: delivery(0, {"name": "Mei Chan", "city": "", "country": "HK", "address_id": "new"}),
        True,
    ),
    "pay": (PAY, pay, True),
    "pay-none": (PAY, lambda: pay(0), True),
    "pay-all": (PAY, lambda: pay(12450, {"max": 12450, "bound_by": "balance", "step": 50}), True),
    "pay-error": (PAY, lambda: pay(0, miles_value="99,999", errors=TOO_MANY), True),
    "pay-note": (
        PAY,
        lambda: pay(6000, miles_note="Lowered from 6,050: miles are used in steps of 100."),
        True,
    ),
    "pay-stale": (PAY, lambda: pay(changes=STALE), True),
    "pay-share": (
        PAY,
        lambda: pay(
            500,
            {"max": 900, "bound_by": "share"},
            account=samples.account(
                holds=[], held=0, pending=0, expiring=[Obj(points=300, expires_on=date(2026, 12, 31))]
            ),
        ),
        True,
    ),
    "pay-balance-0": (
        PAY,
        lambda: pay(0, POOR, account=samples.account(0, held=0, pending=0, holds=[], expiring=[])),
        True,
    ),
    "pay-no-sandbox": (PAY, lambda: pay(sandbox_cards=[], card_choice="hosted"), True),
    "result-paid": (RESULT, lambda: result("paid"), True),
    "result-pending": (RESULT, lambda: result("payment_pending"), True),
    "result-pending-long": (RESULT, lambda: result("payment_pending", poll=False), True),
    "result-3ds": (
        RESULT,
        lambda: result("payment_pending", next_action=Obj(type="redirect", url="/3ds")),
        True,
    ),
    "result-failed-too-old": (RESULT, lambda: result("payment_failed", too_old=True), True),
    "result-failed": (RESULT, lambda: result("payment_failed", decline_code="CARD_INSUFFICIENT_FUNDS"), True),
    "result-cancelled": (RESULT, lambda: result("cancelled"), True),
    "result-review": (RESULT, lambda: result("needs_review"), True),
}
for code in (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503):
    CHECKOUT[f"error-{code}"] = (
        "errors/error.html",
        lambda code=code: error(code, retry_after=30 if code in (429, 503) else None),
        False,
    )
CHECKOUT["error-500-checkout"] = (
    "errors/error.html",
    lambda: error(500, money_note="Nothing was charged and no miles were used."),
    True,
)
