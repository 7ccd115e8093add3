"""The result page asks the gateway for who comes back from it, and is not held up by one that does not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from app.blueprints.checkout.looking import Turns
from app.gateways.breaker import guarded
from app.kernel import clock
from app.kernel.ids import uuid7
from tests.sandbox.peers import Gateway
from tests.web.conftest import Buyer
from tests.web.test_checkout_pages_outcomes import PAID, PENDING, at_the_bank
from tests.web.visitor import Page

Make = Callable[..., Buyer]


def asked(outcome: str) -> float:
    labels = {"gateway": "sandbox", "verb": "fetch", "outcome": outcome}
    return REGISTRY.get_sample_value("shop_gateway_calls_total", labels) or 0.0


@pytest.fixture
def waiting(buyer: Make) -> tuple[Buyer, Page, str]:
    """A shopper whose bank asks for 3-D Secure, that page, and the path of the result."""
    shopper = buyer()
    shopper.to_pay()
    page = shopper.press("Pay HK$130.00", card="pm_card_authenticationRequired")
    return shopper, page, f"/checkout/result/{shopper.orders()[0].number}"


def test_a_silent_gateway_is_not_asked_again_for_ten_seconds(
    waiting: tuple[Buyer, Page, str], peer: Gateway
) -> None:
    shopper, page, path = waiting
    peer.control("dead", {"dead": "503"})
    before = asked("unknown")
    for _ in range(4):
        assert shopper.go(path).heading == PENDING
    assert asked("unknown") - before == 1
    peer.control("dead", {"dead": False})
    at_the_bank(page, "pay")
    assert shopper.go(path).heading == PENDING
    with clock.travel(seconds=11):
        assert shopper.go(path).heading == PAID


def test_while_cards_are_refused_nothing_is_asked(waiting: tuple[Buyer, Page, str], peer: Gateway) -> None:
    shopper, _, path = waiting
    extensions = shopper.app.extensions
    extensions["gateway"] = guarded(extensions["gateway"], failures=1, seconds=60)
    peer.control("dead", {"dead": "503"})
    with shopper.app.app_context():
        extensions["gateway"].fetch(uuid7(), None)
    before = asked("unknown")
    assert shopper.go(path).heading == PENDING
    assert asked("unknown") == before


def test_one_asks_at_a_time() -> None:
    turns, one, other = Turns(), uuid7(), uuid7()
    assert turns.begin(one)
    assert not turns.begin(one)
    assert turns.begin(other)
    turns.end(one, heard=True)
    assert turns.begin(one)
    turns.end(one, heard=False)
    assert not turns.begin(one)
    with clock.travel(seconds=11):
        assert turns.begin(one)
