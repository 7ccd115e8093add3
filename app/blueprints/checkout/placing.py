"""The pay button: one order for one page, however often it is sent."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from flask import flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.blueprints.checkout import cards, choices, outcome, quoting
from app.blueprints.checkout.choices import Delivery
from app.blueprints.checkout.quoting import MILES, PageError, Quoted
from app.blueprints.checkout.shapes import Change, changes_between
from app.blueprints.common import limits
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway, terms
from app.blueprints.common.typed import read_points
from app.checkout import flow, queries, quote
from app.checkout.errors import CardsUnavailable, QuoteExpired, QuoteNotFound, QuoteStale
from app.checkout.rules import Quote
from app.inventory.errors import StockInsufficient
from app.kernel.database import run_atomically
from app.kernel.errors import Conflict, RuleBroken, invalid
from app.kernel.ids import fingerprint
from app.orders.queries import find_number
from app.payments.gateway import PaymentMethod
from app.rewards.errors import PointsInsufficient

ROUTE = "page:checkout"
CHANGED = "Something changed, so nothing was charged. Check the new total, then pay."
UNCHANGED = (
    "This page was open for a while, so we checked everything again. Nothing was charged: please pay now."
)


class Refused(Exception):
    """Nothing was ordered: show the pay page again with `quoted`, and what is new in it."""

    def __init__(self, quoted: Quoted, status: int, changes: Sequence[Change] = ()) -> None:
        super().__init__()
        self.quoted, self.status, self.changes = quoted, status, changes


def place(key: str) -> Response:
    """Order and pay what the posted quote says, then lead on.

    Raises Refused, and the errors that `quoting.elsewhere` knows.
    """
    agreed = _agreed()
    _check_points(agreed)
    try:
        answer = _placed(key, agreed, _method(key, agreed))
    except (QuoteExpired, QuoteStale) as error:
        raise _stale(agreed, error) from error
    except PointsInsufficient as error:
        raise _too_few(agreed) from error
    except StockInsufficient:
        raise
    except CardsUnavailable as error:
        message = f"{error.message} Please try again in a minute."
        raise Refused(Quoted(agreed, errors=[PageError("card", message)]), 503) from error
    except Conflict as error:
        if error.code == "IDEMPOTENCY_IN_FLIGHT":
            return _to_the_first(key)
        raise Refused(Quoted(agreed, errors=[PageError("pay", error.message)]), 409) from error
    choices.forget_mix()
    return outcome.lead_on(answer)


def _agreed() -> Quote:
    """The quote that the form was about."""
    try:
        return queries.get_quote(current_user.person.id, uuid.UUID(request.form.get("quote_id", "")))
    except (ValueError, QuoteNotFound):
        pass
    delivery = choices.delivery()
    if delivery is None:
        raise invalid("address_id", "REQUIRED", "Choose where your order goes.")
    fresh = quoting.current(delivery)
    raise Refused(Quoted(fresh.quote, errors=[PageError("pay", UNCHANGED)]), 409)


def _check_points(agreed: Quote) -> None:
    """Raises Refused when the field says something else than the quote: what was not quoted is not charged."""
    text = request.form.get(MILES)
    points = None if text is None else read_points(text)
    if text is None or (points is not None and points - points % agreed.limit_step == agreed.points):
        return
    fresh = quoting.for_typed(_delivery_of(agreed), text)
    if fresh.refused:
        raise Refused(fresh, 422)
    raise Refused(fresh, 409, changes_between(agreed, fresh.quote))


def _method(key: str, agreed: Quote) -> PaymentMethod | None:
    if not agreed.card_due:
        return None
    back = url_for("checkout.returned", key=key)
    try:
        return cards.method_of(cards.posted(), return_path=back)
    except RuleBroken as error:
        raise Refused(Quoted(agreed, errors=[PageError("card", error.message)]), 422) from error


def _place(key: str, agreed: Quote, method: PaymentMethod | None) -> flow.Answer:
    person = current_user.person
    # The key alone is the fingerprint: Back and another card is still this page, and must find its first order.
    wish = fingerprint(f"{ROUTE}:{key}")
    return flow.place(
        request=flow.Request(person.id, person.email, ROUTE, key, wish),
        quote_id=agreed.id,
        method=method,
        gateway=gateway(),
        terms=terms(),
        present=outcome.present,
        actor=actor_from_request(),
    )


_placed = limits.limited(_place, "checkout")


def _stale(agreed: Quote, error: Conflict) -> Refused:
    """With the fresh quote that came with the error. Without one the cart cannot be quoted: asking says why."""
    fresh = error.details.get("quote")
    if not isinstance(fresh, Quote):
        fresh = quoting.current(_delivery_of(agreed)).quote
    changes = changes_between(agreed, fresh)
    message = CHANGED if changes else UNCHANGED
    return Refused(Quoted(fresh, errors=[PageError("pay", message)]), 409, changes)


def _too_few(agreed: Quote) -> Refused:
    fresh = run_atomically(lambda: quote.refresh(agreed, terms=terms()))
    message = f"You no longer have that many to spend. {CHANGED}"
    return Refused(Quoted(fresh, errors=[PageError(MILES, message)]), 409, changes_between(agreed, fresh))


def _to_the_first(key: str) -> Response:
    """The same form is being worked on: its order shows how that ends."""
    number = find_number(current_user.person.id, checkout_key=f"{ROUTE}:{key}")
    if number is None:
        flash("Your order is being placed. Please do not pay again.")
        return redirect(url_for("account.orders"), 303)
    return redirect(url_for("checkout.result", number=number), 303)


def _delivery_of(agreed: Quote) -> Delivery:
    return Delivery(agreed.address_id, agreed.shipping_method)
