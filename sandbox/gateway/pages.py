"""What the shopper meets: the hosted payment page and the 3-D Secure challenge; forms without JavaScript."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.gateway.cards import NUMBERS
from sandbox.gateway.errors import ApiError
from sandbox.gateway.moves import OPEN
from sandbox.gateway.wire import bank

bp = Blueprint("pages", __name__)
NO_MINOR_UNITS = {"JPY", "KRW", "VND", "CLP", "ISK"}


def money(amount: int, currency: str | None) -> str:
    """12345, "HKD" -> "HKD 123.45"."""
    if currency in NO_MINOR_UNITS:
        return f"{currency} {amount:,}"
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 100)
    return f"{currency or ''} {sign}{whole:,}.{part:02d}".strip()


bp.add_app_template_filter(money)


def back_to_shop(payment: dict[str, Any]) -> str | None:
    """The return URL with the payment's id added to its query."""
    url = payment["inner"].get("return_url")
    if not url:
        return None
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("payment", payment["id"])])
    return urlunsplit(parts._replace(query=query))


@bp.app_errorhandler(ApiError)
def refuse(error: ApiError) -> tuple[str, int]:
    return render_template("message.html", title="Not possible", text=error.message), error.status


def ended(payment: dict[str, Any]) -> str:
    return render_template("ended.html", payment=payment, back=back_to_shop(payment))


def move_on(payment_id: str) -> Response | str:
    """After a decision: to the challenge if there is one, else back to the shop."""
    payment = bank().payments.get(payment_id)
    if payment["status"] == "requires_action":
        return redirect(f"/3ds/{payment_id}", 303)
    back = back_to_shop(payment)
    return redirect(back, 303) if back else ended(payment)


@bp.get("/pay/<payment_id>")
def pay(payment_id: str) -> str:
    payment = bank().payments.get(payment_id)
    if payment["status"] not in OPEN:
        return ended(payment)
    return render_template("pay.html", payment=payment, form={}, error=None, numbers=NUMBERS)


@bp.post("/pay/<payment_id>")
def pay_decided(payment_id: str) -> Response | str | tuple[str, int]:
    payments = bank().payments
    payment = payments.get(payment_id)
    if payment["status"] not in OPEN:
        return ended(payment)
    if request.form.get("decision") == "pay":
        number = request.form.get("number", "").replace(" ", "").replace("-", "")
        if number not in NUMBERS:
            error = "Enter one of the test card numbers below"
            page = render_template(
                "pay.html", payment=payment, form=request.form, error=error, numbers=NUMBERS
            )
            return page, 422
        payments.pay_with_number(payment_id, number)
        return move_on(payment_id)
    decide(payment_id)
    return move_on(payment_id)


@bp.get("/3ds/<payment_id>")
def challenge(payment_id: str) -> str:
    payment = bank().payments.get(payment_id)
    if payment["status"] not in OPEN:
        return ended(payment)
    return render_template("challenge.html", payment=payment)


@bp.post("/3ds/<payment_id>")
def challenge_decided(payment_id: str) -> Response | str:
    if bank().payments.get(payment_id)["status"] not in OPEN:
        return ended(bank().payments.get(payment_id))
    decide(payment_id)
    return move_on(payment_id)


def decide(payment_id: str) -> None:
    decision = request.form.get("decision")
    if decision == "cancel":
        bank().payments.cancel(payment_id)
    else:
        bank().payments.settle(payment_id, "paid" if decision == "pay" else "declined")
