"""The cart's calls, as a client sees them."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.catalogue.models import Variant
from app.kernel.database import session
from tests.factories.shop import make_variant
from tests.web.people import Caller, sign_up
from tests.web.statements import statements


@pytest.fixture
def caller(client: FlaskClient) -> Caller:
    return sign_up(client)


def make_sku(app: Flask, **values: object) -> str:
    with app.app_context():
        variant = session().get(Variant, make_variant(**values))
        assert variant is not None
        return variant.sku


def test_an_empty_cart(caller: Caller) -> None:
    answer = caller.call("GET", "/cart")
    assert answer.status_code == 200
    assert answer.json["data"] == {
        "lines": [],
        "items_total": {"amount": 0, "currency": "HKD", "display": "HK$0.00"},
        "version": 0,
    }


def test_setting_and_removing(app: Flask, caller: Caller) -> None:
    cup, pot = make_sku(app, price=1250, name="Cup"), make_sku(app, price=300, name="Pot")
    assert caller.call("PUT", f"/cart/lines/{cup}", json={"quantity": 3}).status_code == 200
    data = caller.call("PUT", f"/cart/lines/{pot}", json={"quantity": 1}).json["data"]
    assert set(data) == {"lines", "items_total", "version"}
    wanted = {"sku", "name", "quantity", "unit_price", "line_total", "availability", "notices"}
    assert wanted <= set(data["lines"][0])
    assert [(line["sku"], line["quantity"], line["line_total"]["amount"]) for line in data["lines"]] == [
        (cup, 3, 3750),
        (pot, 1, 300),
    ]
    assert (data["items_total"]["amount"], data["version"]) == (4050, 2)
    left = caller.call("PUT", f"/cart/lines/{cup}", json={"quantity": 0}).json["data"]
    assert [line["sku"] for line in left["lines"]] == [pot]
    gone = caller.call("DELETE", f"/cart/lines/{pot}")
    assert (gone.status_code, gone.json["data"]["lines"]) == (200, [])
    again = caller.call("DELETE", f"/cart/lines/{pot}")
    assert (again.status_code, again.json["data"]) == (200, gone.json["data"])
    caller.call("PUT", f"/cart/lines/{pot}", json={"quantity": 2})
    assert caller.call("DELETE", "/cart").json["data"]["lines"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"quantity": -1}, "quantity"),
        ({"quantity": 100}, "quantity"),
        ({"quantity": "2"}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({}, "quantity"),
        ({"quantity": 1, "unit_price": 1}, "unit_price"),
    ],
)
def test_bad_bodies_change_nothing(app: Flask, caller: Caller, body: dict, field: str) -> None:
    sku = make_sku(app)
    caller.call("PUT", f"/cart/lines/{sku}", json={"quantity": 2})
    before = caller.call("GET", "/cart").json["data"]
    answer = caller.call("PUT", f"/cart/lines/{sku}", json=body)
    assert (answer.status_code, [e["field"] for e in answer.json["data"]["errors"]]) == (422, [field])
    assert caller.call("GET", "/cart").json["data"] == before


def test_more_than_there_is(app: Flask, caller: Caller) -> None:
    sku = make_sku(app, stock=2)
    answer = caller.call("PUT", f"/cart/lines/{sku}", json={"quantity": 3})
    assert answer.status_code == 409
    assert (answer.json["data"]["code"], answer.json["data"]["available"]) == ("STOCK_INSUFFICIENT", 2)
    assert caller.call("GET", "/cart").json["data"]["lines"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_was_never_sold(caller: Caller, method: str) -> None:
    options = {"json": {"quantity": 1}} if method == "PUT" else {}
    answer = caller.call(method, "/cart/lines/no-such-sku", **options)
    assert (answer.status_code, answer.json["data"]["code"]) == (404, "NOT_FOUND")


def test_carts_are_ones_own(app: Flask, client: FlaskClient, caller: Caller) -> None:
    sku = make_sku(app)
    caller.call("PUT", f"/cart/lines/{sku}", json={"quantity": 2})
    assert sign_up(client).call("GET", "/cart").json["data"]["lines"] == []
    nobody = client.get("/api/v1/cart")
    assert (nobody.status_code, nobody.json["data"]["code"]) == (401, "TOKEN_INVALID")
    assert client.put(f"/api/v1/cart/lines/{sku}", json={"quantity": 1}).status_code == 401


def test_statements(app: Flask, caller: Caller) -> None:
    sku = make_sku(app)
    caller.call("PUT", f"/cart/lines/{sku}", json={"quantity": 2})
    with statements(app) as sent:
        caller.call("GET", "/cart")
    assert len(sent) <= 2, sent
    with statements(app) as sent:
        caller.call("PUT", f"/cart/lines/{sku}", json={"quantity": 3})
    assert len(sent) <= 7, sent
