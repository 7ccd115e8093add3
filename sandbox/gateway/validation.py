"""Request bodies and parameters: known fields only, each with its type; nothing is coerced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.gateway.errors import invalid

MOST = 10**12
"""The largest amount, in minor units."""
PAYMENT_FIELDS = {
    "amount",
    "currency",
    "reference",
    "payment_token",
    "method",
    "return_url",
    "capture",
    "metadata",
}


def known(body: Mapping[str, Any], fields: set[str]) -> None:
    for name in body:
        if name not in fields:
            raise invalid(name, "unknown field")


def amount_of(body: Mapping[str, Any]) -> int:
    amount = body.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int) or not 1 <= amount <= MOST:
        raise invalid("amount", f"must be a whole number of minor units from 1 to {MOST}")
    return amount


def read_payment(body: dict[str, Any]) -> dict[str, Any]:
    """The body with its defaults filled in. Raises ApiError."""
    known(body, PAYMENT_FIELDS)
    amount_of(body)
    if not re.fullmatch(r"[A-Z]{3}", _text(body, "currency")):
        raise invalid("currency", "must be three capital letters")
    if not 1 <= len(_text(body, "reference")) <= 200:
        raise invalid("reference", "must be 1 to 200 characters")
    if (body.get("method") == "hosted") == ("payment_token" in body) or body.get("method") not in (
        None,
        "hosted",
    ):
        raise invalid("payment_token", 'send either payment_token or method "hosted"')
    if "payment_token" in body and not re.fullmatch(r"\w{1,100}", _text(body, "payment_token"), re.ASCII):
        raise invalid("payment_token", "unknown token")
    url = body.get("return_url")
    if url is not None and (not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https")):
        raise invalid("return_url", "must be an absolute http or https URL")
    if body.get("capture", "automatic") not in ("automatic", "manual"):
        raise invalid("capture", "must be automatic or manual")
    if not isinstance(body.get("metadata", {}), dict):
        raise invalid("metadata", "must be an object")
    return {"capture": "automatic", "metadata": {}, "return_url": None, **body}


def read_refund(body: dict[str, Any]) -> dict[str, Any]:
    """`amount` (None: all that is left) and `reason`. Raises ApiError."""
    known(body, {"amount", "reason"})
    if body.get("reason") is not None:
        _text(body, "reason")
    return {"amount": amount_of(body) if "amount" in body else None, "reason": body.get("reason")}


def read_amount(body: dict[str, Any]) -> int | None:
    known(body, {"amount"})
    return amount_of(body) if "amount" in body else None


def read_card(body: dict[str, Any]) -> str:
    known(body, {"payment_token"})
    return _text(body, "payment_token")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(name, "must be a text")
    return value


def whole_number(args: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = args.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise invalid(name, f"must be a whole number from {least} to {most}")
    return int(text)
