"""Who is shopping: the signed-in customer, or a guest known by the signed session."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from flask import current_app, session
from flask_login import current_user

from app.accounts.queries import Person
from app.cart import queries, service
from app.cart.rules import CartView
from app.cart.service import Owner
from app.kernel.money import Money

GUEST_CART = "cart"
VIEWED = "viewed"
MAX_VIEWED = 8


def owner() -> Owner:
    if current_user.is_authenticated:
        return Owner(customer_id=current_user.person.id)
    return Owner(cart_id=_guest_cart(session))


def keep_guest_cart(cart_id: uuid.UUID | None) -> None:
    """A guest finds the cart again for as long as the session lives."""
    if cart_id is not None and not current_user.is_authenticated:
        session.permanent = True
        session[GUEST_CART] = str(cart_id)


def cart_view() -> CartView:
    whose, currency = owner(), current_app.config["CURRENCY"]
    if whose.customer_id is None and whose.cart_id is None:
        return CartView([], Money(0, currency), 0)
    return queries.view(customer_id=whose.customer_id, cart_id=whose.cart_id, currency=currency)


def cart_count() -> int:
    """No statement for somebody who never put anything in."""
    whose = owner()
    if whose.customer_id is None and whose.cart_id is None:
        return 0
    return queries.count_items(customer_id=whose.customer_id, cart_id=whose.cart_id)


def merge_guest_cart(person: Person, guest_session: Mapping[str, Any]) -> None:
    """Runs in the transaction that signs the person in."""
    cart_id = _guest_cart(guest_session)
    if cart_id is not None:
        service.merge_guest(guest_cart_id=cart_id, customer_id=person.id)


def note_viewed(slug: str, price: Money) -> Money | None:
    """Remember the product as looked at; the price it had then, when that was another one."""
    viewed: dict[str, int] = dict(session.get(VIEWED) or {})
    before = viewed.pop(slug, None)
    viewed[slug] = price.amount
    while len(viewed) > MAX_VIEWED:
        viewed.pop(next(iter(viewed)))
    if viewed != session.get(VIEWED) or list(viewed) != list(session[VIEWED]):
        session[VIEWED] = viewed
    return Money(before, price.currency) if before is not None and before != price.amount else None


def viewed_slugs() -> list[str]:
    """The last looked at first."""
    return list(reversed(session.get(VIEWED) or {}))


def _guest_cart(values: Mapping[str, Any]) -> uuid.UUID | None:
    try:
        return uuid.UUID(values[GUEST_CART])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
