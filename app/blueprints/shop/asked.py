"""What a list's address asks for: typed filters in, the shop's filters out, and addresses with one part changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode

from flask import current_app, request

from app.catalogue.queries.facets import Count
from app.catalogue.queries.filters import MAX_BRANDS, Filters, Sort
from app.kernel.money import parse_amount

SORTS: list[tuple[str, str]] = [
    ("newest", "Newest"),
    ("price", "Price, low to high"),
    ("-price", "Price, high to low"),
    ("name", "Name"),
]
BEST = ("relevance", "Best match")


@dataclass(frozen=True, slots=True)
class Asked:
    """`shown` is the filters as typed; `chips` are the (parameter, value) pairs that can be taken off."""

    filters: Filters
    sort: Sort
    sort_options: list[tuple[str, str]]
    shown: dict[str, Any]
    chips: list[tuple[str, str]]
    is_brand_page: bool = False
    errors: list[dict[str, str]] = field(default_factory=list)

    def url(
        self,
        base: str,
        *,
        without: tuple[str, str] | None = None,
        bare: bool = False,
        cursor: str | None = None,
    ) -> str:
        """The list's address with its filters: all, all but one, or none; page one unless there is a cursor."""
        pairs: list[tuple[str, str]] = [("q", self.filters.q)] if self.filters.q else []
        if not bare:
            pairs += [chip for chip in self.chips if chip != without]
            if self.sort != self.sort_options[0][0]:
                pairs.append(("sort", self.sort))
        if cursor:
            pairs.append(("cursor", cursor))
        return f"{base}?{urlencode(pairs)}" if pairs else base

    def applied(self, base: str, brands: Sequence[Count]) -> list[dict[str, str]]:
        """The overview of filters in use, each with the address that takes it off."""
        names: dict[str, str] = {brand.slug: brand.name for brand in brands}
        currency = current_app.config["CURRENCY"]
        labels: dict[str, Callable[[str], str]] = {
            "price_min": lambda value: f"From {currency} {value}",
            "price_max": lambda value: f"Up to {currency} {value}",
            "in_stock": lambda _: "In stock",
            "brand": lambda value: names.get(value, value),
        }
        return [
            {"label": labels[name](value), "remove_url": self.url(base, without=(name, value))}
            for name, value in self.chips
        ]


def read(*, q: str | None = None, category: str | None = None, brand: str | None = None) -> Asked:
    """The filters of this request; what cannot be read is left out and named in `errors`."""
    args = request.args
    errors: list[dict[str, str]] = []
    chips: list[tuple[str, str]] = []
    chosen = [] if brand else list(dict.fromkeys(slug for slug in args.getlist("brand") if slug))[:MAX_BRANDS]
    chips += [("brand", slug) for slug in chosen]
    prices = {name: _price(name, chips, errors) for name in ("price_min", "price_max")}
    in_stock = args.get("in_stock") == "true"
    if in_stock:
        chips.append(("in_stock", "true"))
    options = [BEST, *SORTS] if q else SORTS
    sort = args.get("sort") or options[0][0]
    if sort not in dict(options):
        errors.append({"field": "sort", "message": "Choose one of the orders in the list."})
        sort = options[0][0]
    return Asked(
        filters=Filters(
            q=q, category=category, brands=(brand,) if brand else tuple(chosen), in_stock=in_stock, **prices
        ),
        sort=cast(Sort, sort),
        sort_options=options,
        shown={
            "brand": chosen,
            "price_min": args.get("price_min") or None,
            "price_max": args.get("price_max") or None,
            "in_stock": in_stock,
        },
        chips=chips,
        is_brand_page=brand is not None,
        errors=errors,
    )


def _price(name: str, chips: list[tuple[str, str]], errors: list[dict[str, str]]) -> int | None:
    typed = request.args.get(name, "").strip()
    if not typed:
        return None
    currency = current_app.config["CURRENCY"]
    try:
        amount = parse_amount(typed.replace(",", ""), currency)
    except ValueError:
        errors.append({"field": name, "message": "Enter a price in digits, such as 250."})
        return None
    chips.append((name, typed))
    return amount
