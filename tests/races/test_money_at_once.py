"""Two who know better at the same instant: callback and reply, cancel and charge, thirty refunds, two clicks."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import update

from app.accounts.models import Customer
from app.accounts.passwords import hash_password
from app.accounts.queries import get_customer
from app.kernel.database import session, transaction
from tests.live.shop import LiveShop, wait_for
from tests.live.shopper import Call, Reply, Shopper, at_once, send, send_at_once
from tests.verify import assert_right
from tests.web.people import PASSWORD, sign_in
from tests.web.visitor import Visitor

pytestmark = pytest.mark.slow
FAULTS = ("webhook_duplicate", "timeout_after")


@pytest.fixture(autouse=True)
def books(shop: LiveShop) -> Iterator[None]:
    """The gateway as it was at first; and whatever a race did, everything adds up when its jobs have run."""
    shop.control("tuning", {"timeout_seconds": 0.3, "webhook_delay_seconds": 0, "latency_ms": 0})
    shop.control("webhooks", {"mode": "send"})
    yield
    for fault in FAULTS:
        shop.control("faults", {"fault": fault})
    assert_right(shop)


def is_final(shop: LiveShop, number: str) -> Callable[[], bool]:
    return lambda: (
        shop.one("SELECT status FROM orders WHERE number = %s", number)["status"] != "payment_pending"
    )


@pytest.mark.parametrize("withheld", [0.0, 0.05, 0.2, 0.4, 0.8])
def test_callbacks_before_while_and_after_the_reply_is_settled(shop: LiveShop, withheld: float) -> None:
    """The gateway tells three times at once, and answers `withheld` seconds later."""
    shop.control("tuning", {"timeout_seconds": withheld, "webhook_delay_seconds": 0})
    for fault in FAULTS:
        shop.control("faults", {"fault": fault, "probability": 1.0})
    paying = [Shopper(shop, points=1000) for _ in range(6)]
    declined = [Shopper(shop, points=1000) for _ in range(4)]
    calls = [one.placing(one.quote("max"), "pm_card_visa") for one in paying]
    calls += [one.placing(one.quote("max"), "pm_card_chargeDeclined") for one in declined]
    replies = send_at_once(shop.stack.url, calls)
    assert [reply.status for reply in replies] == [201] * 6 + [402] * 4
    for reply in replies:
        wait_for(is_final(shop, reply.order["number"]), 60, "the end of the order")
    assert [one.balances() for one in paying + declined] == [(0, 0)] * 6 + [(1000, 0)] * 4
    assert [one.stock_of() for one in paying + declined] == [(99, 0)] * 6 + [(100, 0)] * 4


@pytest.mark.parametrize("truth", ["paid", "declined"])
def test_cancelling_while_the_bank_decides(shop: LiveShop, truth: str) -> None:
    """Cancel three times, the bank's word, its callback: whoever comes first, nothing is kept that was not due."""
    for _ in range(5):
        shopper = Shopper(shop, points=1000)
        placed = shopper.place(shopper.quote("max"), "pm_sandbox_processing")
        assert (placed.status, placed.order["status"]) == (202, "payment_pending")
        number = placed.order["number"]
        (payment,) = shop.payments_of(number)

        def decide(wait: Callable[[], Any], ref: str = payment["gateway_ref"]) -> None:
            wait()
            shop.try_control(f"payments/{ref}/{truth}")

        cancels = [shopper.cancelling(number) for _ in range(3)]
        work: list[Callable[[Callable[[], Any]], Any]] = [decide]
        work += [lambda wait, call=call: send(shop.stack.url, call, wait) for call in cancels]
        replies = at_once(work)[1:]
        assert {reply.status for reply in replies} <= {200, 202, 409}, [reply.raw for reply in replies]
        wait_for(is_final(shop, number), 60, "the end of the order")
        assert shopper.order(number)["status"] in {"cancelled", "payment_failed"}
        assert shopper.balances() == (1000, 0)
        assert shopper.stock_of() == (100, 0)


@pytest.mark.parametrize(("units", "winners"), [(1, 10), (None, 1)])
def test_thirty_refunds_of_one_order_give_back_what_was_paid(
    shop: LiveShop, units: int | None, winners: int
) -> None:
    """Ten units were bought. Thirty members of staff each send back one of them, or all that is left."""
    shopper = Shopper(shop, points=5000, quantity=10)
    placed = shopper.place(shopper.quote("max"))
    assert placed.status == 201
    number, (line,) = placed.order["number"], placed.order["lines"]
    body: dict[str, Any] = {"strategy": "proportional", "reason": "Came back unused.", "preview": False}
    if units is not None:
        body["lines"] = [{"sku": line["sku"], "quantity": units}]
    staff = [Shopper(shop, role="support") for _ in range(30)]
    path = f"/admin/orders/{number}/refunds"
    calls = [one.call("POST", path, body, uuid.uuid4().hex) for one in staff]
    counted = Counter(reply.status for reply in send_at_once(shop.stack.url, calls))
    assert counted.pop(201) == winners, counted
    assert set(counted) <= {409, 422}, counted
    wait_for(lambda: shopper.order(number)["status"] == "refunded", 60, "the end of the order")
    after = shop.one("SELECT * FROM orders WHERE number = %s", number)
    assert (after["refunded_points"], after["refunded_card"]) == (after["points"], after["card_due"])
    assert shopper.balances() == (5000, 0)
    assert len(shopper.order(number)["refunds"]) == winners


def test_ten_clicks_on_pay_are_one_order(shop: LiveShop) -> None:
    """The page's own form, sent ten times at once by one browser."""
    shopper = Shopper(shop, points=1000)
    with shop.app.app_context(), transaction():
        email = get_customer(shopper.id).email
        session().execute(
            update(Customer).where(Customer.id == shopper.id).values(password_hash=hash_password(PASSWORD))
        )
    visitor = Visitor(shop.app.test_client())
    assert sign_in(visitor.client, email).status_code == 302
    visitor.go("/checkout/")
    visitor.press("Proceed to payment")
    form, (name, value, _) = visitor.page.form("Pay HK$130.00")
    cookies = "; ".join(f"{c.key}={c.value}" for c in visitor.client._cookies.values())
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    click = Call(
        "POST", form.action or visitor.page.path, urlencode({**form.values, str(name): value}), headers
    )
    replies = send_at_once(shop.stack.url, [click] * 10)
    assert [reply.status for reply in replies] == [303] * 10
    (order,) = shopper.orders()
    assert order["status"] == "paid"
    assert shopper.stock_of() == (99, 0)
    places = {urlsplit(reply.headers["location"]).path for reply in replies}
    assert places <= {f"/checkout/result/{order['number']}", "/account/orders"}


def test_a_web_server_that_is_told_to_stop_finishes_what_it_has_begun(shop: LiveShop) -> None:
    """As at a deployment: SIGTERM while eight charges are under way."""
    shop.control("tuning", {"timeout_seconds": 4.0, "webhook_delay_seconds": 0})
    shop.control("faults", {"fault": "timeout_after", "probability": 1.0})
    buyers = [Shopper(shop, points=1000) for _ in range(8)]
    ids = [buyer.id for buyer in buyers]
    calls = [buyer.placing(buyer.quote("max")) for buyer in buyers]
    web = shop.stack.process("web")

    def stop(wait: Callable[[], Any]) -> Reply | None:
        wait()
        begun = "SELECT 1 FROM orders WHERE customer_id = ANY(%s)"
        wait_for(lambda: len(shop.rows(begun, ids)) == len(buyers), 30, "the last order")
        assert shop.rows("SELECT 1 FROM payment WHERE state = 'submitting'"), (
            "all were over before the signal"
        )
        web.stop()
        return None

    work: list[Callable[[Callable[[], Any]], Reply | None]] = [stop]
    work += [lambda wait, call=call: send(shop.stack.url, call, wait) for call in calls]
    try:
        replies = at_once(work)[1:]
    finally:
        web.start()
    assert [reply.status for reply in replies if reply] == [201] * 8
    wait_for(
        lambda: send(shop.stack.url, Call("GET", "/readyz")).status == 200, 60, "the web server's return"
    )
