"""Money and points are integers; what is rounded is rounded here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from babel.numbers import format_currency, get_currency_precision
from babel.numbers import is_currency as _is_code

MAX_AMOUNT = 2**53 - 1  # what a JSON client can hold exactly (RFC 8259, section 6)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`amount` in minor units of `currency` (ISO 4217)."""

    amount: int
    currency: str

    @property
    def display(self) -> str:
        """For people, English: `HK$1,234.50`."""
        return display_amount(self.amount, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + other._in(self.currency), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - other._in(self.currency), self.currency)

    def __mul__(self, factor: int) -> Money:
        return Money(self.amount * factor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __bool__(self) -> bool:
        return self.amount != 0

    def _in(self, currency: str) -> int:
        if self.currency != currency:
            raise ValueError(f"{self.currency} is not {currency}")
        return self.amount


@lru_cache(maxsize=65536)
def display_amount(amount: int, currency: str, locale: str = "en") -> str:
    """Minor units as people write them in `locale`."""
    exponent = int(get_currency_precision(currency))
    return format_currency(Decimal(amount).scaleb(-exponent), currency, locale=locale)


def is_currency(code: str) -> bool:
    """Whether ISO 4217 lists it as money; `XXX` and `XTS` are codes for none and for tests."""
    return _is_code(code) and code not in {"XXX", "XTS"}


def parse_amount(text: str, currency: str) -> int:
    """`"12.50"` to 1250 minor units. ValueError unless plain digits with the currency's decimals."""
    exponent = int(get_currency_precision(currency))
    whole, _, fraction = text.strip().partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit() or not whole:
        raise ValueError(f"{text!r} is not an amount")
    if len(fraction.rstrip("0")) > exponent:
        raise ValueError(f"{text!r} has more decimals than {currency} has")
    amount: int = int(whole) * 10**exponent + int(fraction[:exponent].ljust(exponent, "0") or "0")
    if amount > MAX_AMOUNT:
        raise ValueError(f"{text!r} is too large")
    return amount


def format_plain(amount: int, currency: str) -> str:
    """The inverse of `parse_amount`: `1250` to `"12.50"`."""
    exponent = int(get_currency_precision(currency))
    return f"{Decimal(amount).scaleb(-exponent):.{exponent}f}"


def divide_half_up(numerator: int, denominator: int) -> int:
    """Integer division of non-negative numbers, halves rounded up: the one rounding rule for money."""
    if numerator < 0 or denominator <= 0:
        raise ValueError("divide_half_up takes a non-negative numerator and a positive denominator")
    return (2 * numerator + denominator) // (2 * denominator)


def split(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in parts proportional to `weights`, summing to it exactly (largest remainder, Hamilton).

    Ties go to the earlier part. Weights that are all zero give everything to the first.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("split takes non-negative numbers")
    if not weights:
        if total:
            raise ValueError("nothing to split over")
        return []
    whole = sum(weights)
    if whole == 0:
        return [total] + [0] * (len(weights) - 1)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts
