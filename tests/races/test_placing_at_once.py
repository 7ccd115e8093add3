"""Many placements in the same instant: one winner, a clear word for everybody else, and the books right after."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.live.shop import LiveShop
from tests.live.shopper import Reply, Shopper, send_at_once
from tests.verify import assert_right

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def books(shop: LiveShop) -> Iterator[None]:
    """Whatever a race did, everything adds up when its jobs have run."""
    yield
    assert_right(shop)


def outcomes(replies: list[Reply]) -> Counter[tuple[int, str]]:
    """How often each (status, code) was answered; a word about what must never be among them."""
    counted = Counter((reply.status, reply.code) for reply in replies)
    broken = [key for key in counted if key[0] == 0 or key[0] >= 500 or key[1] == "BUSY"]
    assert not broken, counted
    return counted


def one_winner(replies: list[Reply], refusals: set[str]) -> Reply:
    counted = outcomes(replies)
    assert counted.pop((201, "")) == 1, counted
    assert {status for status, _ in counted} == {409}, counted
    assert {code for _, code in counted} <= refusals, counted
    return next(reply for reply in replies if reply.status == 201)


def test_fifty_keys_for_one_quote_are_one_order(shop: LiveShop) -> None:
    shopper = Shopper(shop, points=1000)
    quote = shopper.quote("max")
    assert quote["points"] == 1000
    replies = send_at_once(shop.stack.url, [shopper.placing(quote) for _ in range(50)])
    winner = one_winner(replies, {"QUOTE_STALE", "POINTS_INSUFFICIENT"})
    assert [order["number"] for order in shopper.orders()] == [winner.order["number"]]
    assert winner.order["status"] == "paid"
    assert shopper.balances() == (0, 0)
    assert shopper.stock_of() == (99, 0)


def test_ten_quotes_of_one_cart_and_points_for_one_are_one_order(shop: LiveShop) -> None:
    shopper = Shopper(shop, points=900)
    quotes = [shopper.quote(points) for points in (500, 600, 700, 800, 900) for _ in range(2)]
    calls = [shopper.placing(quote) for quote in quotes for _ in range(5)]
    winner = one_winner(send_at_once(shop.stack.url, calls), {"QUOTE_STALE", "POINTS_INSUFFICIENT"})
    assert shopper.balances() == (900 - winner.order["points"], 0)
    assert shopper.stock_of() == (99, 0)


def test_ten_failed_orders_paid_again_with_points_for_one(shop: LiveShop) -> None:
    """Nothing but the points account stands between these: ten orders, ten carts, one balance."""
    shopper = Shopper(shop, points=1000)
    numbers = []
    for _ in range(10):
        shopper.fill_cart()
        declined = shopper.place(shopper.quote(1000), "pm_card_chargeDeclined")
        assert (declined.status, declined.code) == (402, "CARD_DECLINED")
        numbers.append(declined.order["number"])
    assert shopper.balances() == (1000, 0)
    assert shopper.stock_of() == (100, 0)

    body = {"payment": {"token": "pm_card_visa"}}
    paths = [f"/orders/{number}/payments" for number in numbers for _ in range(5)]
    calls = [shopper.call("POST", path, body, uuid.uuid4().hex) for path in paths]
    winner = one_winner(send_at_once(shop.stack.url, calls), {"POINTS_INSUFFICIENT", "ORDER_NOT_PAYABLE"})
    assert shopper.balances() == (0, 0)
    assert shopper.stock_of() == (99, 0)
    statuses = {order["number"]: order["status"] for order in shopper.orders()}
    assert statuses.pop(winner.order["number"]) == "paid"
    assert set(statuses.values()) == {"payment_failed"}


def test_a_hundred_buyers_for_the_last_unit(shop: LiveShop) -> None:
    first = Shopper(shop, points=1000, stock=1)
    others = [Shopper(shop, points=1000, variant_id=first.variant_id) for _ in range(99)]
    buyers = [first, *others]
    calls = [buyer.placing(buyer.quote("max")) for buyer in buyers]
    replies = send_at_once(shop.stack.url, calls)
    winner = one_winner(replies, {"STOCK_INSUFFICIENT"})
    assert first.stock_of() == (0, 0)
    bought = [buyer for buyer, reply in zip(buyers, replies, strict=True) if reply is winner]
    assert [buyer.balances() for buyer in bought] == [(0, 0)]
    assert {buyer.balances() for buyer in buyers if buyer not in bought} == {(1000, 0)}
    assert [buyer.orders() for buyer in buyers if buyer not in bought] == [[]] * 99


def test_one_key_forty_times_is_one_order_and_one_answer(shop: LiveShop) -> None:
    shopper = Shopper(shop, points=1000)
    call = shopper.placing(shopper.quote("max"), key=uuid.uuid4().hex)
    replies = send_at_once(shop.stack.url, [call] * 40)
    counted = outcomes(replies)
    assert set(counted) <= {(201, ""), (409, "IDEMPOTENCY_IN_FLIGHT")}, counted
    answers = [reply for reply in replies if reply.status == 201]
    assert sum(not reply.replayed for reply in answers) == 1
    assert len({reply.raw for reply in answers}) == 1
    assert all("retry-after" in reply.headers for reply in replies if reply.status == 409)
    assert [order["status"] for order in shopper.orders()] == ["paid"]
    again = shopper.send(call.method, "/checkout/orders", call.body, call.headers["Idempotency-Key"])
    assert (again.status, again.replayed, again.raw) == (201, True, answers[0].raw)


def test_one_key_with_two_bodies_serves_one_of_them(shop: LiveShop) -> None:
    shopper = Shopper(shop, points=2000)
    key = uuid.uuid4().hex
    bodies = [shopper.placing(shopper.quote(points), key=key) for points in (500, 1000)]
    replies = send_at_once(shop.stack.url, bodies * 20)
    counted = outcomes(replies)
    assert set(counted) <= {
        (201, ""),
        (409, "IDEMPOTENCY_IN_FLIGHT"),
        (422, "IDEMPOTENCY_KEY_REUSED"),
    }, counted
    assert counted[422, "IDEMPOTENCY_KEY_REUSED"] == 20, counted
    assert len({reply.raw for reply in replies if reply.status == 201}) == 1
    (order,) = shopper.orders()
    assert shopper.balances() == (2000 - order["points"], 0)


@pytest.mark.parametrize("points", [0, 1000])
def test_two_tabs_with_the_same_cart_are_one_order(shop: LiveShop, points: int) -> None:
    """Without points, nothing but the cart stands between the tabs."""
    for _ in range(10):
        shopper = Shopper(shop, points=4000)
        tabs = [shopper.placing(shopper.quote(points)) for _ in range(6)]
        one_winner(send_at_once(shop.stack.url, tabs), {"QUOTE_STALE"})
        assert len(shopper.orders()) == 1
        assert shopper.balances() == (4000 - points, 0)
