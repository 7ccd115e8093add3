"""T1: from a quote to an order that holds its points and its stock. Called inside one transaction.

Lock order, here and everywhere: idempotency row, order, payment, points account, stock (by variant id, last).
A new order's rows are nobody else's yet; what two checkouts can fight over is the cart, the account, the stock.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete, update

from app.cart.models import Cart, CartLine
from app.checkout import quote as quotes
from app.checkout.errors import QuoteExpired, QuoteStale
from app.checkout.rules import Quote, Terms, compute
from app.inventory.errors import StockInsufficient
from app.inventory.service import reservations
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import RuleBroken
from app.orders.service import line_lots, placing
from app.payments import service as payments
from app.rewards.errors import PointsInsufficient
from app.rewards.queries import rules_in_force
from app.rewards.service import holds
from app.rewards.service.accounts import lock_account


@dataclass(frozen=True, slots=True)
class Reserved:
    """An order on its way: `payment_id` is None when nothing is due on the card."""

    order_id: uuid.UUID
    number: str
    payment_id: uuid.UUID | None


def reserve(
    *,
    quote: Quote,
    number: str,
    email: str,
    checkout_key: str,
    method: str,
    gateway: str,
    terms: Terms,
    begun_at: datetime,
    actor: Actor,
) -> Reserved:
    """Check that the quote still holds, then write the order, hold the points, reserve the stock.

    `begun_at`: of the claim; the payment is created at this very instant, by which the claim knows it again.

    Raises QuoteExpired, QuoteStale, PointsInsufficient, StockInsufficient: nothing is to be kept then.
    """
    if quote.expires_at <= clock.now():
        raise QuoteExpired("This quote has expired. Here is a fresh one.")
    _check_still_true(quote, terms)
    order_id = ids.uuid7()
    payment_id = ids.uuid7() if quote.card_due else None
    placing.create(
        order=_order_row(quote, order_id=order_id, number=number, email=email, checkout_key=checkout_key),
        lines=_line_rows(quote),
        actor=actor,
        text="We have your order.",
    )
    if payment_id is not None:
        payments.open_attempt(
            payment_id=payment_id,
            customer_id=quote.customer_id,
            reference=number,
            gateway=gateway,
            amount=quote.card_due,
            currency=quote.currency,
            method=method,
            now=begun_at,
        )
    _empty_cart(quote)
    if quote.points:
        held = holds.hold(
            customer_id=quote.customer_id,
            order_id=order_id,
            order_number=number,
            points=quote.points,
            rules=rules_in_force(),
            actor=actor,
        )
        points = {position: line.points for position, line in enumerate(quote.lines, start=1)}
        line_lots.write(order_id=order_id, held=held, lines=points)
    _reserve_stock(quote, order_id)
    return Reserved(order_id, number, payment_id)


def _check_still_true(quote: Quote, terms: Terms) -> None:
    """Recompute under the locks of cart and account; any difference that the shopper would notice is stale."""
    if quote.points:
        lock_account(customer_id=quote.customer_id)
    try:
        basis = quotes.read_basis(
            customer_id=quote.customer_id,
            address_id=quote.address_id,
            shipping_method_code=quote.shipping_method,
            terms=terms,
            for_order=True,
        )
        if basis.available < quote.points:
            raise PointsInsufficient(
                f"You have {basis.available:,} points available.", details={"available": basis.available}
            )
        # priced at the quote's moment: a campaign that was promised holds as long as the quote does
        today = compute(
            basis, quote.points, quote_id=quote.id, now=quote.created_at, expires_at=quote.expires_at
        )
    except RuleBroken as error:
        raise QuoteStale(
            "Your order has changed since this quote.", details={"because": error.code}
        ) from error
    if basis.cart_version != quote.cart_version or today.digest != quote.digest:
        raise QuoteStale("Cart, price or rate changed since this quote. Here is a fresh one.")


def _reserve_stock(quote: Quote, order_id: uuid.UUID) -> None:
    quantities = {line.variant_id: line.quantity for line in quote.lines}
    try:
        reservations.reserve(order_id=order_id, attempt=1, quantities=quantities)
    except StockInsufficient as error:
        available = error.details["available"]
        lines = [
            {"sku": line.sku, "available": max(0, available[line.variant_id])}
            for line in quote.lines
            if line.variant_id in available
        ]
        names = ", ".join(line.name for line in quote.lines if line.variant_id in available)
        raise StockInsufficient(f"Not enough stock: {names}.", details={"lines": lines}) from error


def _empty_cart(quote: Quote) -> None:
    """The cart has become the order: a second tab with the same cart finds it changed."""
    session().execute(delete(CartLine).where(CartLine.cart_id == quote.cart_id))
    session().execute(
        update(Cart).where(Cart.id == quote.cart_id).values(version=Cart.version + 1, updated_at=clock.now())
    )


def _order_row(
    quote: Quote, *, order_id: uuid.UUID, number: str, email: str, checkout_key: str
) -> dict[str, Any]:
    names = (
        "customer_id",
        "currency",
        "items_total",
        "shipping",
        "tax",
        "total",
        "points",
        "points_value",
        "card_due",
        "earn_points",
        "rules_version",
        "shipping_method",
        "address",
        "tier",
    )
    copied = {name: getattr(quote, name) for name in names}
    return copied | {
        "id": order_id,
        "number": number,
        "quote_id": quote.id,
        "checkout_key": checkout_key,
        "status": "payment_pending",
        "priced_at": quote.created_at,
        "earn_breakdown": msgspec.to_builtins(quote.earn_breakdown),
        "email": email,
    }


def _line_rows(quote: Quote) -> list[dict[str, Any]]:
    rows = [msgspec.structs.asdict(line) for line in quote.lines]
    return [row | {"position": position} for position, row in enumerate(rows, start=1)]
