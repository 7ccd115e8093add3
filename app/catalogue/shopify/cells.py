"""One cell at a time: text to value, or BadCell that names the column."""

from __future__ import annotations

import re

from app.catalogue.markup import sanitised
from app.catalogue.shopify.columns import BODY
from app.catalogue.shopify.reader import Row
from app.kernel.money import divide_half_up, parse_amount

MAX_NAME = 500
MAX_TEXT = 100_000
MAX_KEY = 255
MAX_URL = 2048
MAX_STOCK = 1_000_000_000
_WHOLE = re.compile(r"-?\d{1,15}", re.ASCII)
_GRAMS = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_HANDLE = re.compile(r"[^\s/?#%\\]+")
_URL = re.compile(r"(https?://[^\s/]+/?|/(?!/))[^\s\"<>]*", re.IGNORECASE)


class BadCell(Exception):
    def __init__(self, column: str | None, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


def text(row: Row, column: str, *, longest: int = MAX_NAME) -> str:
    value = row.get(column, "")
    if len(value) > longest:
        raise BadCell(column, f"the text has {len(value)} characters, more than {longest}")
    return value


def handle(row: Row) -> str:
    value = text(row, "Handle", longest=MAX_KEY)
    if not value:
        raise BadCell("Handle", "the handle is missing")
    if not _HANDLE.fullmatch(value):
        raise BadCell("Handle", f"{value!r} cannot be part of an address (blank, slash, ? or #)")
    return value


def body(row: Row) -> str:
    """The description, sanitised: plain text passes, whatever could run does not."""
    value = text(row, BODY, longest=MAX_TEXT)
    return sanitised(value)


def amount(row: Row, column: str, currency: str) -> int | None:
    value = row.get(column, "")
    if not value:
        return None
    try:
        return parse_amount(value, currency)
    except ValueError:
        if value.startswith("-"):
            raise BadCell(column, f"{value!r} is negative") from None
        raise BadCell(column, f"{value!r} is not a price in {currency}") from None


def quantity(row: Row) -> int | None:
    column = "Variant Inventory Qty"
    value = row.get(column, "")
    if not value:
        return None
    if not _WHOLE.fullmatch(value):
        raise BadCell(column, f"{value!r} is not a whole number")
    number = int(value)
    if number < 0:
        raise BadCell(column, f"the stock is negative ({number})")
    if number > MAX_STOCK:
        raise BadCell(column, f"{number} is more than {MAX_STOCK}")
    return number


def grams(row: Row) -> int:
    """Whole grams, halves up."""
    value = row.get("Variant Grams", "")
    if not value:
        return 0
    match = _GRAMS.fullmatch(value)
    if not match:
        raise BadCell("Variant Grams", f"{value!r} is not a weight in grams")
    whole, fraction = match.group(1), match.group(2) or ""
    return divide_half_up(int(whole + fraction), 10 ** len(fraction))


def published(row: Row) -> bool:
    value = row.get("Published", "").lower()
    if value not in ("", "true", "false"):
        raise BadCell("Published", f"{value!r} is neither true nor false")
    return value != "false"


def url(row: Row, column: str) -> str | None:
    value = text(row, column, longest=MAX_URL)
    if value and not _URL.fullmatch(value):
        raise BadCell(column, f"{value[:80]!r} is not the address of a picture")
    return value or None


def position(row: Row) -> int | None:
    value = row.get("Image Position", "")
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 6:
        raise BadCell("Image Position", f"{value!r} is not a position")
    return int(value)
