"""The customer's cart: one per person, the same on the pages."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, current_app
from msgspec import UNSET, Meta, Struct, UnsetType

from app.blueprints.api_v1.answers import Answer, Money, answer
from app.blueprints.api_v1.catalogue_shapes import Availability
from app.blueprints.api_v1.contract import current, endpoint
from app.cart import queries, service
from app.cart.rules import MAX_QUANTITY, Line, Notice, NoticeCode
from app.cart.service import Owner
from app.kernel.database import run_atomically

bp = Blueprint("cart", __name__, url_prefix="/cart")


class CartNotice(Struct):
    """What changed since the line was put in; `old_price` or `available` where the code is about it."""

    code: NoticeCode
    message: str
    old_price: Money | UnsetType = UNSET
    available: int | UnsetType = UNSET

    @classmethod
    def of(cls, notice: Notice) -> CartNotice:
        return cls(
            notice.code,
            notice.message,
            Money.of(notice.old_price) if notice.old_price else UNSET,
            UNSET if notice.available is None else notice.available,
        )


class CartLine(Struct, kw_only=True):
    """A line that can no longer be bought costs nothing and says so in its notices."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money
    availability: Availability
    notices: list[CartNotice]
    slug: str
    options: dict[str, str]
    image_url: str | None

    @classmethod
    def of(cls, line: Line) -> CartLine:
        return cls(
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=Money.of(line.unit_price),
            line_total=Money.of(line.line_total),
            availability=line.availability,  # type: ignore[arg-type]
            notices=[CartNotice.of(notice) for notice in line.notices],
            slug=line.slug,
            options=line.options,
            image_url=line.image_url,
        )


class Cart(Struct):
    """`version` rises with every change of lines or quantities."""

    lines: list[CartLine]
    items_total: Money
    version: int


class QuantityBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """0 removes the line."""

    quantity: Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]


@bp.get("")
@endpoint("My cart", auth="customer", returns={200: Cart})
def show() -> Answer:
    return _cart("Your cart.")


@bp.put("/lines/<path:sku>")
@endpoint(
    "Set the quantity of a product",
    auth="customer",
    body=QuantityBody,
    returns={200: Cart},
    errors=("STOCK_INSUFFICIENT", "CART_FULL"),
)
def set_line(sku: str, body: QuantityBody) -> Answer:
    owner = _owner()
    run_atomically(lambda: service.set_quantity(owner=owner, sku=sku, quantity=body.quantity))
    return _cart("The cart was changed.")


@bp.delete("/lines/<path:sku>")
@endpoint("Remove a product", auth="customer", returns={200: Cart}, limit="write")
def remove_line(sku: str) -> Answer:
    owner = _owner()
    run_atomically(lambda: service.remove(owner=owner, sku=sku))
    return _cart("The product was removed.")


@bp.delete("")
@endpoint("Empty the cart", auth="customer", returns={200: Cart}, limit="write")
def clear() -> Answer:
    owner = _owner()
    run_atomically(lambda: service.clear(owner=owner))
    return _cart("The cart is empty.")


def _owner() -> Owner:
    return Owner(customer_id=current().id)


def _cart(message: str) -> Answer:
    cart = queries.view(customer_id=current().id, currency=current_app.config["CURRENCY"])
    lines = [CartLine.of(line) for line in cart.lines]
    return answer(Cart(lines, Money.of(cart.items_total), cart.version), message=message)
