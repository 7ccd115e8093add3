"""Lists that are short are lists like any other: limited, counted, read forwards and back, always in one order."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.factories.shop import make_variant
from tests.web.people import Caller, sign_up

HOME = {"name": "Mei Chan", "line1": "1 Harbour View", "city": "Hong Kong", "country": "HK"}
ROWS = 5


@pytest.fixture(scope="module")
def somebody(app: Flask) -> Caller:
    """With some addresses, in a shop with some brands."""
    caller = sign_up(app.test_client())
    for number in range(ROWS):
        body = {**HOME, "line1": f"{number} Harbour View", "is_default": number == 2}
        assert caller.call("POST", "/me/addresses", json=body).status_code == 201
        with app.app_context():
            make_variant(brand=f"Brand {'zyxwv'[number]}")
    return caller


def page(caller: Caller, path: str, query: str = "") -> dict[str, Any]:
    answer = caller.call("GET", f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["data"]


@pytest.mark.parametrize("path", ["/me/addresses", "/brands"])
class TestShortLists:
    def test_forwards_and_back(self, somebody: Caller, path: str) -> None:
        whole = page(somebody, path, "limit=100&total=true")
        assert whole["page"] == {"limit": 100, "next": None, "prev": None, "total": len(whole["items"])}
        assert len(whole["items"]) >= ROWS
        seen: list[Any] = []
        cursor = ""
        while True:
            found = page(somebody, path, f"limit=2{cursor}")
            assert len(found["items"]) <= 2
            seen += found["items"]
            if found["page"]["next"] is None:
                break
            cursor = f"&cursor={found['page']['next']}"
        assert seen == whole["items"]
        before = page(somebody, path, f"limit=2&cursor={found['page']['prev']}")
        assert before["items"] == whole["items"][-2 - len(found["items"]) : -len(found["items"])]

    def test_twenty_four_unless_asked(self, somebody: Caller, path: str) -> None:
        assert page(somebody, path)["page"]["limit"] == 24

    def test_what_is_no_page(self, somebody: Caller, path: str) -> None:
        other = {"/me/addresses": "/brands", "/brands": "/me/addresses"}[path]
        foreign = page(somebody, other, "limit=1")["page"]["next"]
        for query, code in (
            ("limit=0", "VALIDATION_FAILED"),
            ("cursor=bm9wZQ", "CURSOR_INVALID"),
            (f"cursor={foreign}", "CURSOR_INVALID"),
        ):
            answer = somebody.call("GET", f"{path}?{query}")
            assert (answer.status_code, answer.json["data"]["code"]) == (422, code), query


def test_the_default_address_comes_first_then_the_newest(somebody: Caller) -> None:
    lines = [address["line1"][0] for address in page(somebody, "/me/addresses")["items"]]
    assert lines == ["2", "4", "3", "1", "0"]


def test_brands_come_by_name(somebody: Caller) -> None:
    names = [brand["name"] for brand in page(somebody, "/brands")["items"]]
    assert [name for name in names if name.startswith("Brand ")] == [f"Brand {letter}" for letter in "vwxyz"]


def test_the_tree_of_categories_is_given_whole(client: FlaskClient) -> None:
    assert client.get("/api/v1/categories").status_code == 200
    assert client.get("/api/v1/categories?limit=1").status_code == 422
