"""What a cart says about its lines. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from app.kernel.errors import invalid
from app.kernel.money import Money

MAX_QUANTITY = 99
MAX_LINES = 100
NoticeCode = Literal["PRICE_CHANGED", "STOCK_INSUFFICIENT", "SOLD_OUT", "GONE"]


@dataclass(frozen=True, slots=True)
class Notice:
    """`code` with what it is about: the old price, or the units that can be sold."""

    code: NoticeCode
    message: str
    old_price: Money | None = None
    available: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """`available`: units that can be sold now. A line that is `gone` costs nothing and cannot be bought."""

    sku: str
    slug: str
    name: str
    options: dict[str, str]
    image_url: str | None
    image_alt: str | None
    quantity: int
    unit_price: Money
    line_total: Money
    availability: str
    available: int
    gone: bool
    notices: list[Notice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CartView:
    """`version` rises with every change; 0 and no lines where nobody has a cart yet."""

    lines: list[Line]
    items_total: Money
    version: int

    @property
    def can_be_ordered(self) -> bool:
        return bool(self.lines) and all(line.available >= line.quantity for line in self.lines)


def check_quantity(quantity: int, *, smallest: int = 0) -> None:
    """Raises RuleBroken naming `quantity`."""
    if not smallest <= quantity <= MAX_QUANTITY:
        code = "TOO_SMALL" if quantity < smallest else "TOO_LARGE"
        raise invalid("quantity", code, f"The quantity is a whole number from {smallest} to {MAX_QUANTITY}.")


def notices(*, quantity: int, available: int, gone: bool, price: Money, seen_price: Money) -> list[Notice]:
    """What the shopper should know before going on, the worst first."""
    found: list[Notice] = []
    if gone:
        return [Notice("GONE", "We no longer sell this. Remove it to go on.", available=0)]
    if available == 0:
        found.append(Notice("SOLD_OUT", "Sold out since you added it. Remove it to go on.", available=0))
    elif available < quantity:
        message = f"Only {available} left. You asked for {quantity}."
        found.append(Notice("STOCK_INSUFFICIENT", message, available=available))
    if price != seen_price:
        message = f"The price changed from {seen_price.display} to {price.display}."
        found.append(Notice("PRICE_CHANGED", message, old_price=seen_price))
    return found


def total(lines: Iterable[Line], currency: str) -> Money:
    return sum((line.line_total for line in lines), Money(0, currency))
