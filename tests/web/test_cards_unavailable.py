"""The gateway is down: the pay page says so at once, the API answers 503 with Retry-After, points go on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.gateways.breaker import BreakingGateway
from app.kernel import ids
from tests.factories.shop import fill_cart, make_address, make_variant, stock_of
from tests.sandbox.peers import Gateway
from tests.web.conftest import Buyer
from tests.web.people import sign_up

Make = Callable[..., Buyer]
SENTENCE = "Card payments do not work at the moment. Nothing was ordered or charged."


@pytest.fixture
def breaking(app: Flask, peer: Gateway) -> Iterator[BreakingGateway]:
    """The app's gateway behind a breaker that one silence opens."""
    before = app.extensions["gateway"]
    app.extensions["gateway"] = BreakingGateway(before, failures=1, seconds=60)
    yield app.extensions["gateway"]
    app.extensions["gateway"] = before


def goes_down(app: Flask, breaking: BreakingGateway, peer: Gateway) -> None:
    peer.control("dead", {"dead": "503"})
    with app.app_context():
        breaking.fetch(ids.uuid7(), None)


def comes_back(app: Flask, breaking: BreakingGateway, peer: Gateway) -> None:
    peer.control("dead", {"dead": False})
    with app.app_context():
        breaking.fetch(ids.uuid7(), None)


def test_the_pay_page_says_so_and_the_same_form_works_later(
    app: Flask, breaking: BreakingGateway, peer: Gateway, buyer: Make
) -> None:
    shopper = buyer(points=5_000)
    form = shopper.to_pay()
    goes_down(app, breaking, peer)
    before = shopper.everything()
    page = shopper.press("Pay HK$130.00", page=form)
    assert page.status == 503
    assert page.heading == "Choose your mix and pay"
    assert SENTENCE in page.text
    assert shopper.everything() == before
    comes_back(app, breaking, peer)
    assert shopper.press("Pay HK$130.00", page=page).heading == "Thank you, your order is paid"


def test_another_card_waits_as_well(
    app: Flask, breaking: BreakingGateway, peer: Gateway, buyer: Make
) -> None:
    shopper = buyer(points=5_000)
    failed = shopper.press("Pay HK$130.00", page=shopper.to_pay(), card="pm_card_chargeDeclined")
    goes_down(app, breaking, peer)
    before = shopper.everything()
    page = shopper.press("Pay", page=failed, card="pm_card_visa")
    assert page.status == 503
    assert SENTENCE in page.text
    assert shopper.everything() == before


def test_the_api_says_so(app: Flask, breaking: BreakingGateway, peer: Gateway) -> None:
    caller = sign_up(app.test_client())
    with app.app_context():
        address_id, variant_id = make_address(caller.id), make_variant(price=10_000, stock=5)
        fill_cart(caller.id, {variant_id: 1})
    wish = {"address_id": str(address_id), "shipping_method": "standard", "points": 0}
    quote = caller.call("POST", "/checkout/quotes", json=wish).json["data"]
    order = {"quote_id": quote["id"], "payment": {"token": "pm_card_visa"}}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    goes_down(app, breaking, peer)
    answer = caller.call("POST", "/checkout/orders", json=order, headers=key)
    assert answer.status_code == 503
    assert (answer.json["data"]["code"], answer.json["message"]) == ("CARDS_UNAVAILABLE", SENTENCE)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert caller.call("GET", "/orders").json["data"]["items"] == []
    with app.app_context():
        assert stock_of(variant_id) == (5, 0)
    comes_back(app, breaking, peer)
    assert caller.call("POST", "/checkout/orders", json=order, headers=key).status_code == 201
