"""What the details of an issue say to people: amounts as money, not as minor units; moments as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.kernel.money import Money, is_currency
from app.payments.queries import find_payment_by_key

AMOUNTS = frozenset({"amount", "captured", "gateway", "gateway_refunded", "rows", "shop", "shop_refunded"})
"""What details call them: minor units, or (minor units, currency). Some may be a word: what the gateway said."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
DAY_AND_CURRENCY = re.compile(r"\d{4}-\d\d-\d\d:([A-Z]{3})")


def spell(detail: Mapping[str, Any], *, ref: str) -> dict[str, Any]:
    """`detail` with its amounts and moments (UTC) as people write them, and without the currency that they are in then.

    That is the one that it names, or its payment's, or that of the sums which `ref` is about; an amount of none that is
    known stays a number.
    """
    currency = detail.get("currency") or _currency_about(detail, ref)
    shown = {
        name: _spell(value, currency) if name in AMOUNTS else _moment(value) for name, value in detail.items()
    }
    if any(shown[name] != detail[name] for name in AMOUNTS & detail.keys()):
        shown.pop("currency", None)
    return shown


def _currency_about(detail: Mapping[str, Any], ref: str) -> str | None:
    payment = find_payment_by_key(str(detail.get("payment"))) if AMOUNTS & detail.keys() else None
    sums = DAY_AND_CURRENCY.fullmatch(ref)
    return payment.currency if payment else sums[1] if sums else None


def _spell(value: Any, currency: str | None) -> Any:
    amount, code = value if isinstance(value, list) and len(value) == 2 else (value, currency)
    if not isinstance(amount, int) or not isinstance(code, str) or not is_currency(code):
        return value
    return Money(amount, code).display


def _moment(value: Any) -> Any:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return value
    at = datetime.fromisoformat(value).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
