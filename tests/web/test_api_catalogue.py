"""The catalogue's calls, as a client sees them."""

from __future__ import annotations

import time

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.blueprints.ops.commands_catalogue import import_file
from app.extensions import cache
from tests.catalogue.files import SHOPIFY
from tests.web.statements import statements

API = "/api/v1"
SUMMARY = {
    *("id", "slug", "name", "brand", "category", "price", "compare_at_price"),
    *("points_price", "earn_points", "availability", "image"),
}


@pytest.fixture(scope="module", autouse=True)
def filled(app: Flask) -> None:
    with app.app_context():
        for name in ("apparel", "home-and-garden", "jewelery"):
            import_file(SHOPIFY / f"{name}.csv")


@pytest.fixture(autouse=True)
def cold(app: Flask) -> None:
    with app.app_context():
        cache.clear()


def get(client: FlaskClient, path: str) -> dict:
    answer = client.get(API + path)
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"status", "message", "data"}
    return answer.json["data"]


def refused(client: FlaskClient, path: str) -> tuple[str, list[str]]:
    answer = client.get(API + path)
    assert answer.status_code == 422, answer.text
    return answer.json["data"]["code"], [error["field"] for error in answer.json["data"]["errors"]]


def test_a_list(client: FlaskClient) -> None:
    data = get(client, "/products?limit=5")
    assert set(data) == {"items", "page"}
    assert len(data["items"]) == 5
    assert set(data["page"]) == {"limit", "next", "prev"}
    assert (data["page"]["limit"], data["page"]["prev"]) == (5, None)
    item = data["items"][0]
    assert set(item) == SUMMARY
    assert set(item["price"]) == {"amount", "currency", "display"}
    assert set(item["brand"]) == set(item["category"]) == {"slug", "name"}
    assert set(item["image"]) == {"url", "alt"}


def test_points_follow_the_price(client: FlaskClient) -> None:
    product = get(client, "/products/cream-sofa")
    assert product["price"] == {"amount": 50_000, "currency": "HKD", "display": "HK$500.00"}
    assert product["compare_at_price"]["amount"] == 75_000
    assert (product["points_price"], product["earn_points"]) == (5000, 500)
    assert get(client, "/products/vanilla-candle")["points_price"] == 160, "15.99 takes 160 whole points"


def test_a_product(client: FlaskClient) -> None:
    product = get(client, "/products/leather-anchor")
    assert set(product) == SUMMARY | {"description", "images", "options", "variants", "attributes"}
    assert product["options"] == ["Color"]
    assert product["variants"] == [
        {
            "sku": "leather-anchor.gold",
            "options": {"Color": "Gold"},
            "price": {"amount": 6999, "currency": "HKD", "display": "HK$69.99"},
            "availability": "low_stock",
        },
        {
            "sku": "leather-anchor.silver",
            "options": {"Color": "Silver"},
            "price": {"amount": 5500, "currency": "HKD", "display": "HK$55.00"},
            "availability": "sold_out",
        },
    ]
    missing = client.get(f"{API}/products/no-such-thing")
    assert (missing.status_code, missing.json["data"]["code"]) == (404, "NOT_FOUND")


def test_pages(client: FlaskClient) -> None:
    slugs: list[str] = []
    path = "/products?sort=price&limit=25"
    cursor = ""
    while True:
        data = get(client, path + cursor)
        slugs += [item["slug"] for item in data["items"]]
        if data["page"]["next"] is None:
            break
        cursor = f"&cursor={data['page']['next']}"
    assert len(slugs) == len(set(slugs)) == 60
    other = client.get(f"{API}/products?sort=name{cursor}")
    assert (other.status_code, other.json["data"]["code"]) == (422, "CURSOR_INVALID")


def test_fields_facets_total(client: FlaskClient) -> None:
    data = get(client, "/products?fields=id,slug,price&limit=2&facets=true&total=true&brand=rustic-ltd")
    assert [set(item) for item in data["items"]] == [{"id", "slug", "price"}] * 2
    assert data["page"]["total"] == 9
    assert "total_is_lower_bound" not in data["page"]
    assert set(data["facets"]) == {"categories", "brands", "prices"}
    assert {"slug": "rustic-ltd", "name": "Rustic LTD", "count": 9} in data["facets"]["brands"]
    assert sum(brand["count"] for brand in data["facets"]["brands"]) == 60
    assert {c["slug"]: c["count"] for c in data["facets"]["categories"]} == {"outdoor": 6, "indoor": 3}


def test_filters(client: FlaskClient) -> None:
    two = get(client, "/products?brand=rustic-ltd&brand=sterling-ltd&limit=100")["items"]
    assert {item["brand"]["slug"] for item in two} == {"rustic-ltd", "sterling-ltd"}
    prices = [
        i["price"]["amount"]
        for i in get(client, "/products?price_min=3000&price_max=6000&sort=-price")["items"]
    ]
    assert prices == sorted(prices, reverse=True)
    assert all(3000 <= price <= 6000 for price in prices)
    in_stock = get(client, "/products?in_stock=true&limit=100")["items"]
    assert "sold_out" not in {item["availability"] for item in in_stock}
    assert {i["category"]["slug"] for i in get(client, "/products?category=men")["items"]} == {"men"}
    names = [item["name"] for item in get(client, "/products?q=sofa&sort=name")["items"]]
    assert names == ["Cream Sofa", "Grey Sofa", "Yellow Sofa"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=blue", "colour"),
        ("sort=best", "sort"),
        ("sort=relevance", "sort"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("price_min=-1", "price_min"),
        ("price_min=1.5", "price_min"),
        ("price_min=5&price_max=4", "price_max"),
        ("in_stock=maybe", "in_stock"),
        ("category=nowhere", "category"),
        ("brand=nobody", "brand"),
        ("fields=id,password", "fields"),
        ("fields=", "fields"),
        ("sort=name&sort=price", "sort"),
        ("q=" + "x" * 301, "q"),
    ],
)
def test_what_cannot_be_asked_is_named(client: FlaskClient, query: str, field: str) -> None:
    assert refused(client, f"/products?{query}") == ("VALIDATION_FAILED", [field])


def test_limit_is_lowered(client: FlaskClient) -> None:
    data = get(client, "/products?limit=1000")
    assert (data["page"]["limit"], len(data["items"])) == (100, 60)


def test_categories_and_brands(client: FlaskClient) -> None:
    categories = get(client, "/categories")["items"]
    assert {"slug": "men", "name": "men", "count": 6, "children": []} in categories
    brands = get(client, "/brands")["items"]
    assert {"slug": "rustic-ltd", "name": "Rustic LTD", "count": 9} in brands
    assert sum(brand["count"] for brand in brands) == 60


def test_suggestions(client: FlaskClient) -> None:
    data = get(client, "/search/suggestions?q=neckl")
    assert 1 <= len(data["items"]) <= 8
    assert set(data["items"][0]) == {"slug", "name"}
    assert data["did_you_mean"] is None
    assert get(client, "/search/suggestions?q=neckalce")["did_you_mean"] == "necklace"
    assert refused(client, "/search/suggestions") == ("VALIDATION_FAILED", ["q"])
    assert refused(client, "/search/suggestions?q=") == ("VALIDATION_FAILED", ["q"])


@pytest.mark.parametrize("path", ["/products", "/products/cream-sofa", "/categories", "/brands"])
def test_not_modified(client: FlaskClient, path: str) -> None:
    first = client.get(API + path)
    tag = first.headers["ETag"]
    again = client.get(API + path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(API + path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.data) == (200, first.data)


def test_a_change_shows_within_a_second(client: FlaskClient, owner: psycopg.Connection) -> None:
    before = get(client, "/products/clay-plant-pot")
    owner.execute(
        "UPDATE stock SET on_hand = 0 WHERE variant_id = (SELECT id FROM variant WHERE sku = 'clay-plant-pot.large')"
    )
    owner.execute("UPDATE product SET price = 777 WHERE slug = 'clay-plant-pot'")
    time.sleep(1.1)
    after = get(client, "/products/clay-plant-pot")
    assert (before["price"]["amount"], after["price"]["amount"]) == (999, 777)
    assert [v["availability"] for v in after["variants"]] == ["low_stock", "sold_out"]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/products", 2),
        ("/products?q=gold&category=necklace&brand=company-123&facets=true&total=true", 2),
        ("/products/leather-anchor", 2),
        ("/categories", 1),
        ("/brands", 1),
        ("/search/suggestions?q=gold", 2),
    ],
)
def test_statements_are_few_cold_and_none_warm(app: Flask, client: FlaskClient, path: str, most: int) -> None:
    with statements(app) as cold_ones:
        client.get(API + path)
    assert len(cold_ones) <= most, cold_ones
    for _ in range(20):  # what is kept for a second may be over in the meantime, and is then made again
        with statements(app) as warm_ones:
            assert client.get(API + path).status_code == 200
        if not warm_ones:
            break
    assert warm_ones == []


def test_without_redis_the_catalogue_still_answers(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    """The cache points at a port where nobody listens."""
    from redis import Redis

    with app.app_context():
        backend = cache.cache
    monkeypatch.setattr(backend, "_read_client", Redis(port=9, socket_connect_timeout=0.2))
    monkeypatch.setattr(backend, "_write_client", Redis(port=9, socket_connect_timeout=0.2))
    assert len(get(client, "/products?limit=3")["items"]) == 3
    assert client.get("/p/cream-sofa").status_code == 200
