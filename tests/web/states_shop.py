"""The states of the shop pages: name -> (template, context builder, signed in)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.web import samples
from tests.web.samples import hkd, summary

Context = dict[str, Any]
State = tuple[str, Callable[[], Context], bool]


def home(**changes: Any) -> Context:
    tops = samples.tree()
    return {
        "new_products": [summary(n) for n in range(8)],
        "affordable": [],
        "balance_value": hkd(182400),
        "expiring": samples.account().expiring[0],
        "tiles": tops,
        "hero_image": "/static/demo/hero.svg",
    } | changes


def listing(count: int = 24, **changes: Any) -> Context:
    return {
        "heading": "Cabin cases",
        "intro": "Cases that fit the overhead locker of every airline we fly with.",
        "breadcrumbs": [
            {"name": "Home", "url": "/"},
            {"name": "Travel & Luggage", "url": "/"},
            {"name": "Cabin cases", "url": None},
        ],
        "products": [summary(n) for n in range(count)],
        "total": count,
        "total_is_lower_bound": False,
        "facets": {
            "categories": [
                {"slug": f"c{n}", "name": name, "count": 12 - n}
                for n, name in enumerate(["Cabin cases", "Backpacks", "Organisers"])
            ],
            "brands": [{"slug": f"b{n}", "name": f"Brand number {n}", "count": 20 - n} for n in range(12)],
        },
        "filters": {"brand": [], "price_min": None, "price_max": None, "in_stock": False},
        "applied": [],
        "clear_url": "/shop/listing",
        "action_url": "/shop/listing",
        "sort": "newest",
        "sort_options": [
            ("newest", "Newest"),
            ("price", "Price, low to high"),
            ("-price", "Price, high to low"),
            ("name", "Name"),
        ],
        "prev_url": None,
        "next_url": "/shop/listing?cursor=abc",
        "currency": "HKD",
        "canonical_url": "https://shop.example/category/cabin-cases",
    } | changes


FILTERED: Context = {
    "filters": {"brand": ["b1", "b2", "b3"], "price_min": "100", "price_max": "2000", "in_stock": True},
    "applied": [
        {"label": label, "remove_url": "/"}
        for label in [
            "Brand number 1",
            "Brand number 2",
            "Brand number 3",
            "HK$100 to HK$2,000",
            "In stock only",
        ]
    ],
}


def search(q: str, count: int = 8, **changes: Any) -> Context:
    return listing(count) | {"q": q, "did_you_mean": None, "suggestions": []} | changes


def product(**changes: Any) -> Context:
    return {
        "product": samples.detail(),
        "breadcrumbs": [
            {"name": "Home", "url": "/"},
            {"name": "Headphones", "url": "/"},
            {"name": "Quiet Hours", "url": None},
        ],
        "selected_sku": "QH-0",
        "image_index": 0,
        "old_price": None,
        "delivery_estimate": "Delivery by 27 November 2026",
        "json_ld": {"@context": "https://schema.org", "@type": "Product", "name": "</script><b>x</b>"},
        "canonical_url": "https://shop.example/product/quiet-hours",
    } | changes


def help_page(topic: str) -> Context:
    return {
        "topic": topic,
        "rules": samples.RULES,
        "value_per_1000": hkd(10000),
        "contact_email": "care@shop.example",
        "breadcrumbs": [{"name": "Home", "url": "/"}, {"name": "Help", "url": None}],
    }


LONG = [summary(n, name=samples.LONG_NAME, image=None) for n in range(5)]
SHOP: dict[str, State] = {
    "home": ("pages/shop/home.html", home, False),
    "home-signed-in": ("pages/shop/home.html", lambda: home(affordable=[summary(n) for n in (2, 5)]), True),
    "home-empty": (
        "pages/shop/home.html",
        lambda: home(new_products=[], expiring=None, balance_value=None),
        True,
    ),
    "listing": ("pages/shop/listing.html", listing, False),
    "listing-none": ("pages/shop/listing.html", lambda: listing(0, next_url=None, **FILTERED), False),
    "listing-one": ("pages/shop/listing.html", lambda: listing(1, next_url=None, intro=None), False),
    "listing-filtered": ("pages/shop/listing.html", lambda: listing(6, prev_url="/", **FILTERED), True),
    "listing-long-names": (
        "pages/shop/listing.html",
        lambda: listing(products=LONG, total=10000, total_is_lower_bound=True),
        False,
    ),
    "search": ("pages/shop/search.html", lambda: search("headphones"), False),
    "search-empty-query": ("pages/shop/search.html", lambda: search("", 0), False),
    "search-typo": ("pages/shop/search.html", lambda: search("hedphones", did_you_mean="headphones"), False),
    "search-none": (
        "pages/shop/search.html",
        lambda: search("zzzz", 0, suggestions=[summary(n) for n in range(4)]),
        False,
    ),
    "search-long": ("pages/shop/search.html", lambda: search("<script>alert(1)</script>" * 12, 0), False),
    "product": ("pages/shop/product.html", product, True),
    "product-sold-out": (
        "pages/shop/product.html",
        lambda: product(product=samples.detail(availability="sold_out")),
        False,
    ),
    "product-no-image": (
        "pages/shop/product.html",
        lambda: product(product=samples.detail(1, 0, name=samples.LONG_NAME), delivery_estimate=None),
        False,
    ),
    "product-many": (
        "pages/shop/product.html",
        lambda: product(product=samples.detail(12, 12), old_price=hkd(119000), selected_sku=None),
        True,
    ),
    "help-miles": ("pages/shop/help.html", lambda: help_page("how-miles-work"), False),
    "help-returns": ("pages/shop/help.html", lambda: help_page("returns"), True),
    "help-contact": ("pages/shop/help.html", lambda: help_page("contact"), False),
}
