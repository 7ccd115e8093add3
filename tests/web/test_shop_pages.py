"""The shop's pages without a browser: every state renders, every form works without JavaScript."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.blueprints.ops.commands_catalogue import import_file
from app.extensions import cache
from app.kernel.database import transaction
from tests.catalogue.files import SHOPIFY, row, write
from tests.factories.people import give_points
from tests.web.people import csrf_token, sign_in, sign_up
from tests.web.statements import statements

XSS = "<script>alert(1)</script>"


@pytest.fixture(scope="module", autouse=True)
def filled(app: Flask, tmp_path_factory: pytest.TempPathFactory) -> None:
    odd = [
        row("no-image", Title="x" * 120),
        row("xss", Title=XSS, Vendor=XSS, Type=f"Odd > {XSS}", **{"Image Src": "https://a.example/1"}),
        *[row(f"page-{n}", Title=f"Paged {n:02}", Type="Paged > Deep") for n in range(30)],
    ]
    with app.app_context():
        for name in ("apparel", "home-and-garden", "jewelery"):
            import_file(SHOPIFY / f"{name}.csv")
        import_file(write(tmp_path_factory.mktemp("f") / "odd.csv", odd))


@pytest.fixture(autouse=True)
def cold(app: Flask) -> None:
    with app.app_context():
        cache.clear()


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert XSS not in answer.text
    return answer.text


def post(client: FlaskClient, path: str, **fields: object):
    token = csrf_token(client, "/p/no-image")
    return client.post(path, data={"csrf_token": token, **fields}, follow_redirects=False)


def links(html: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', html)
    return found[1].replace("&amp;", "&") if found else None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "New in the shop"),
        ("/products", "All products"),
        ("/c/men", "Ocean Blue Shirt"),
        ("/c/paged", "Paged 29"),
        ("/b/rustic-ltd", "Wooden Fence"),
        ("/p/leather-anchor", "Anchor Bracelet Mens"),
        ("/p/no-image", "No picture yet"),
        ("/p/pink-armchair", "Sold out"),
        ("/p/xss", "&lt;script&gt;"),
        ("/p/boho-earrings?image=2", 'aria-current="true"'),
        ("/p/boho-earrings?image=99&sku=nope", "Boho Earrings"),
        ("/search", "What are you looking for?"),
        ("/search?q=sofa", "Grey Sofa"),
        ("/search?q=neckalce", "Did you mean"),
        ("/search?q=zzzzzzzz", "Nothing found"),
        ("/search?q=%3Cscript%3Ealert(1)%3C/script%3E", "&lt;script&gt;"),
        ("/search?q=" + "x" * 300, "Nothing found"),
        ("/products?in_stock=true&price_min=5000", "No products match"),
        ("/cart", "Your cart is empty"),
        ("/help/how-miles-work", "1,000 miles pay"),
        ("/help/returns", "Returns and refunds"),
        ("/help/contact", "mailto:"),
    ],
)
def test_every_state_renders(client: FlaskClient, path: str, words: str) -> None:
    assert words in page(client, path)


@pytest.mark.parametrize("path", ["/c/nowhere", "/b/nobody", "/p/nothing", "/help/nothing"])
def test_what_is_not_there(client: FlaskClient, path: str) -> None:
    assert "Page not found" in page(client, path, 404)


def test_a_shop_without_products(app: Flask, client: FlaskClient, owner: psycopg.Connection) -> None:
    owner.execute("UPDATE product SET is_published = false")
    try:
        assert "New products arrive soon" in page(client, "/")
        assert "Nothing here yet" in page(client, "/products")
    finally:
        owner.execute("UPDATE product SET is_published = true")


def test_pages_of_a_list(client: FlaskClient) -> None:
    first = page(client, "/c/paged?sort=name")
    assert "Paged 23" in first
    assert "Paged 24" not in first
    assert links(first, "prev") is None
    following = links(first, "next")
    assert following is not None
    second = page(client, following)
    assert "Paged 24" in second
    assert links(second, "next") is None
    back = links(second, "prev")
    assert back is not None
    assert "Paged 00" in page(client, back)
    stale = client.get(following.replace("sort=name", "sort=price"))
    assert (stale.status_code, stale.location) == (302, "/c/paged?sort=price")


def test_filters_in_use_can_be_taken_off(client: FlaskClient) -> None:
    html = page(client, "/products?brand=rustic-ltd&brand=company-123&in_stock=true&price_max=100")
    chips = re.findall(r'class="chip" href="([^"]+)"><span[^>]*>Remove filter: </span>([^<]+)', html)
    labels = [label.strip() for _, label in chips]
    assert labels == ["Rustic LTD", "Company 123", "Up to HKD 100", "In stock"]
    without = chips[0][0].replace("&amp;", "&")
    assert "brand=rustic-ltd" not in without
    assert "brand=company-123" in without
    assert "Remove filter" in page(client, without)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("price_min=abc", "price_min"),
        ("price_min=9&price_max=1", "price_max"),
        ("sort=x", "sort"),
        ("brand=zz", "brand"),
    ],
)
def test_filters_that_make_no_sense_are_named_at_the_field(
    client: FlaskClient, query: str, field: str
) -> None:
    html = page(client, f"/products?{query}", 422)
    assert "<title>Error: " in html
    assert f'href="#{field}"' in html
    assert "product-card" in html


def test_structured_data(client: FlaskClient) -> None:
    html = page(client, "/p/leather-anchor")
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)
    assert found is not None
    data = json.loads(found[1])
    assert (data["@type"], data["name"]) == ("Product", "Anchor Bracelet Mens")
    assert [(o["price"], o["priceCurrency"], o["availability"].rsplit("/")[-1]) for o in data["offers"]] == [
        ("69.99", "HKD", "LimitedAvailability"),
        ("55.00", "HKD", "OutOfStock"),
    ]


def test_a_guest_fills_and_empties_a_cart(client: FlaskClient) -> None:
    added = post(client, "/cart/add", sku="grey-sofa", quantity="2")
    assert (added.status_code, added.location) == (303, "/cart")
    html = page(client, "/cart")
    assert "Grey Sofa" in html
    assert "HK$59.98" in html
    assert '<span class="cart-count">2</span>' in html
    assert "Added to your cart." in html
    post(client, "/cart/add", sku="grey-sofa", quantity="1")
    post(client, "/cart/update", sku="grey-sofa", quantity="4")
    assert 'value="4"' in page(client, "/cart")
    removed = post(client, "/cart/remove", sku="grey-sofa")
    assert removed.status_code == 303
    html = page(client, "/cart")
    assert "Removed Grey Sofa." in html
    assert "Undo" in html
    assert "Your cart is empty" in html
    assert "Removed Grey Sofa." not in page(client, "/cart")
    late = post(client, "/cart/update", sku="grey-sofa", quantity="3")
    assert late.status_code == 303
    html = page(client, "/cart")
    assert "no longer in your cart" in html
    assert "Your cart is empty" in html, "what was sent before it was removed does not bring it back"
    post(client, "/cart/add", sku="grey-sofa", quantity="4")
    assert 'value="4"' in page(client, "/cart"), "undone"
    post(client, "/cart/update", sku="grey-sofa", quantity="２")
    assert 'value="2"' in page(client, "/cart"), "as Chinese keyboards write it"
    post(client, "/cart/update", sku="grey-sofa", quantity="0")
    assert "Removed Grey Sofa." in page(client, "/cart")


@pytest.mark.parametrize(
    ("quantity", "status", "words"),
    [
        ("7", 409, "Only 6 left."),
        ("0", 422, "from 1 to 99"),
        ("x", 422, "whole number"),
        ("", 422, "whole number"),
    ],
)
def test_what_cannot_be_added_is_said_on_the_product(
    app: Flask, quantity: str, status: int, words: str
) -> None:
    client = app.test_client()
    answer = post(client, "/cart/add", sku="grey-sofa", quantity=quantity)
    assert answer.status_code == status
    assert "<title>Error: " in answer.text
    assert words in answer.text
    assert "Grey Sofa" in answer.text
    assert "Your cart is empty" in page(client, "/cart")


def test_what_cannot_be_updated_is_said_at_the_line(app: Flask) -> None:
    client = app.test_client()
    post(client, "/cart/add", sku="grey-sofa", quantity="2")
    for quantity, status in (("7", 409), ("100", 422), ("-1", 422)):
        answer = post(client, "/cart/update", sku="grey-sofa", quantity=quantity)
        assert answer.status_code == status
        assert 'href="#quantity-1"' in answer.text
        assert 'id="quantity-1-error"' in answer.text
        assert f'value="{quantity}"' in answer.text, "as it was typed"
        assert 'value="2"' in page(client, "/cart")
    assert post(client, "/cart/add", sku="nothing", quantity="1").status_code == 404
    assert post(client, "/cart/remove", sku="").status_code == 422


def test_notices_of_a_cart(app: Flask, owner: psycopg.Connection, tmp_path: Path) -> None:
    names = ("dearer", "scarcer", "out", "gone")
    with app.app_context():
        import_file(
            write(tmp_path / "a.csv", [row(n, Title=n, **{"Variant Inventory Qty": "9"}) for n in names])
        )
    client = app.test_client()
    for name in names:
        post(client, "/cart/add", sku=f"{name}-1", quantity="5")
    owner.execute("UPDATE variant SET price = 1500 WHERE sku = 'dearer-1'")
    owner.execute(
        "UPDATE stock SET on_hand = 2 WHERE variant_id = (SELECT id FROM variant WHERE sku = 'scarcer-1')"
    )
    owner.execute(
        "UPDATE stock SET on_hand = 0 WHERE variant_id = (SELECT id FROM variant WHERE sku = 'out-1')"
    )
    owner.execute("UPDATE variant SET is_active = false WHERE sku = 'gone-1'")
    html = page(client, "/cart")
    assert "The price changed from HK$10.00 to HK$15.00." in html
    assert "Only 2 left. You asked for 5." in html
    assert "Sold out since you added it." in html
    assert "We no longer sell this." in html


def test_a_changed_price_is_pointed_out_on_the_product(app: Flask, owner: psycopg.Connection) -> None:
    client = app.test_client()
    page(client, "/p/bedside-table")
    owner.execute("UPDATE product SET price = 5000 WHERE slug = 'bedside-table'")
    html = page(client, "/p/bedside-table")
    assert "The price changed from HK$69.99 to HK$50.00" in html
    assert "since you last looked" not in page(client, "/p/bedside-table")


def test_the_guests_cart_comes_along_at_sign_in(app: Flask) -> None:
    client = app.test_client()
    person = sign_up(app.test_client())
    person.call("PUT", "/cart/lines/grey-sofa", json={"quantity": 1})
    post(client, "/cart/add", sku="grey-sofa", quantity="3")
    post(client, "/cart/add", sku="yellow-sofa", quantity="1")
    assert sign_in(client, person.email).status_code in (302, 303)
    lines = person.call("GET", "/cart").json["data"]["lines"]
    assert {line["sku"]: line["quantity"] for line in lines} == {"grey-sofa": 3, "yellow-sofa": 1}
    assert "Yellow Sofa" in page(client, "/cart")


def test_members_see_what_their_points_buy(app: Flask) -> None:
    client = app.test_client()
    person = sign_up(app.test_client())
    with app.app_context(), transaction():
        give_points(person.id, 3000)
    sign_in(client, person.email)
    html = page(client, "/")
    assert "3,000" in html
    assert "Yours for miles alone" in html
    assert "Worth " in html
    post(client, "/cart/add", sku="grey-sofa", quantity="1")
    assert "You can use up to" in page(client, "/cart")


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/", 3),
        ("/products", 3),
        ("/c/men", 3),
        ("/search?q=gold", 3),
        ("/p/leather-anchor", 3),
        ("/help/returns", 2),
    ],
)
def test_statements_of_a_page_are_few(app: Flask, path: str, most: int) -> None:
    with statements(app) as sent:
        page(app.test_client(), path)
    assert len(sent) <= most, sent


def test_nothing_is_changed_without_a_token(app: Flask) -> None:
    client = app.test_client()
    for path in ("/cart/add", "/cart/update", "/cart/remove"):
        assert client.post(path, data={"sku": "grey-sofa", "quantity": "1"}).status_code == 400
    assert "Your cart is empty" in page(client, "/cart")
