"""Orders, cancelling one, and the statement, as the shopper sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.blueprints.common.pages import day
from app.kernel import clock
from app.kernel.database import transaction
from app.orders.queries import get_order_view
from app.orders.service import moving
from tests.checkout.conftest import Shopper
from tests.checkout.elsewhere import note
from tests.checkout.refunding import give_back, send, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.factories.people import actor_of, give_points
from tests.factories.shop import fill_cart
from tests.web.conftest import Buyer
from tests.web.desk import Desk
from tests.web.visitor import Page

Make = Callable[..., Buyer]


def buy(shopper: Buyer, *, miles: str = "0", card: str = "pm_card_visa") -> str:
    with shopper.app.app_context():
        fill_cart(shopper.id, {shopper.variant_id: 1})
    shopper.to_pay()
    if miles != "0":
        shopper.press("Update total", miles=miles)
    shopper.press("Pay ", card=card)
    return shopper.number


def rows_of(page: Page) -> list[str]:
    """The words of each row of the page's table."""
    body = re.findall(r"<tbody>(.*?)</tbody>", page.html, re.S)
    return [
        " ".join(re.sub(r"<[^>]+>", " ", row).split())
        for row in re.findall(r"<tr>(.*?)</tr>", body[0] if body else "", re.S)
    ]


def test_nobody_has_orders_or_miles_at_first(buyer: Make) -> None:
    shopper = buyer()
    assert "No orders yet" in shopper.go("/account/orders").text
    page = shopper.go("/account/miles")
    assert "No miles yet" in page.text
    assert "Available 0 worth HK$0.00" in page.text


def test_an_order_shows_what_paid_it_and_what_happened(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    number = buy(shopper, miles="500")
    page = shopper.go(f"/account/orders/{number}")
    assert page.heading == f"Order {number}"
    assert "Test mug 1 × HK$100.00 500 HK$80.00 HK$130.00 incl. HK$30.00 delivery" in page.text
    assert "500 miles − HK$50.00" in page.text
    assert "On your card HK$80.00" in page.text
    assert "Your payment is complete." in page.text
    assert "Earns 80 miles, yours to spend from" in page.text
    assert "Cancel this order" in page.text


def test_many_orders_are_cut_into_pages(buyer: Make) -> None:
    shopper = buyer()
    with shopper.app.app_context():
        numbers = [place(shopper) for _ in range(23)][::-1]
    page = shopper.go("/account/orders")
    assert [row.split()[0] for row in rows_of(page)] == numbers[:20]
    assert 'rel="prev"' not in page.html
    page = shopper.go(link(page, "next"))
    assert [row.split()[0] for row in rows_of(page)] == numbers[20:]
    assert 'rel="next"' not in page.html
    page = shopper.go(link(page, "prev"))
    assert [row.split()[0] for row in rows_of(page)] == numbers[:20]
    assert shopper.go("/account/orders?cursor=nonsense").status == 422


def place(shopper: Buyer, card: str = "pm_card_visa", *, units: int = 1) -> str:
    """An order by the services: 23 walks through the pages would take a minute."""
    made = Shopper.__new__(Shopper)
    made.gateway, made.id, made.variant_id = shopper.app.extensions["gateway"], shopper.id, shopper.variant_id
    made.address_id = shopper.address_id
    fill_cart(shopper.id, {shopper.variant_id: units})
    return str(made.place(made.quote(), card)["number"])


def link(page: Page, rel: str) -> str:
    return re.findall(rf'rel="{rel}" href="([^"]+)"', page.html)[0].replace("&amp;", "&")


def test_cancelling_asks_first_and_gives_everything_back(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    number = buy(shopper, miles="500")
    page = shopper.go(f"/account/orders/{number}")
    before = shopper.everything()
    page = shopper.go(f"/account/orders/{number}?cancel=1")
    assert "You get back 500 miles and HK$80.00 on your card." in page.text
    assert shopper.everything() == before
    form = page
    page = shopper.press("Yes, cancel the order", page=form)
    assert page.path == f"/account/orders/{number}"
    assert f"Order {number} was cancelled." in page.text
    assert "500 miles back to your account and HK$80.00 back to your card." in page.text
    assert "yours to spend from" not in page.text
    assert "It had earned 80 miles, which were taken back." in page.text
    assert shopper.balance().available == 5_000
    assert shopper.order(number).status == "cancelled"
    before = shopper.everything()
    again = shopper.press("Yes, cancel the order", page=form)
    assert f"Order {number} was cancelled." in again.text
    shopper.press("Yes, cancel the order", page=form, idempotency_key="another-key-000000")
    assert "it cannot be cancelled" in shopper.page.text
    assert shopper.everything() == before
    assert "Cancel this order" not in shopper.page.text


def test_an_order_that_was_given_back_in_part_says_what_it_still_earns(buyer: Make) -> None:
    shopper = buyer()
    with shopper.app.app_context():
        number = place(shopper, units=2)
        give_back(number, lines=[(sku_of(number), 1)])
    page = shopper.go(f"/account/orders/{number}")
    assert re.search(
        r"Earns 115 miles, yours to spend from .* It had earned 230 miles ?; the rest", page.text
    )
    desk = Desk(shopper.app, "support").get(f"/admin/orders/{number}").text
    assert "230 miles earned, 115 of them taken back" in " ".join(desk.split())


def test_pages_call_points_what_the_shop_calls_them(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    number = buy(shopper, miles="500")
    with shopper.app.app_context():
        give_back(number)
        stored = [event.text for event in get_order_view(number).timeline if event.event == "refund"]
    assert stored == ["We are giving back 500 points to your account and HK$80.00 to your card."]
    said = stored[0].replace("points", "miles")
    assert said in shopper.go(f"/account/orders/{number}").text
    assert said in Desk(shopper.app, "support").get(f"/admin/orders/{number}").text


def test_cancelling_what_is_left_names_what_is_left(buyer: Make) -> None:
    """Of two things one was given back before, then the bank decides about the rest."""
    shopper = buyer()
    with shopper.app.app_context():
        number = place(shopper, units=2)
        give_back(number, lines=[(sku_of(number), 1)])
    page = shopper.go(f"/account/orders/{number}?cancel=1")
    assert "You get back HK$130.00 on your card." in page.text
    with shopper.app.app_context():
        told(number, "lost", amount=3_000, ref="dp_before")
    page = shopper.go(f"/account/orders/{number}?cancel=1")
    assert "You get back HK$100.00 on your card. HK$30.00 had gone back to your card before." in page.text
    with shopper.app.app_context():
        told(number, "open", amount=100)
    page = shopper.go(f"/account/orders/{number}?cancel=1")
    assert "This order cannot be cancelled now The bank is deciding about a dispute" in page.text
    assert "Yes, cancel" not in page.text


def test_cancelling_a_failed_order_promises_nothing(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    number = buy(shopper, miles="500", card="pm_card_chargeDeclined")
    page = shopper.go(f"/account/orders/{number}?cancel=1")
    assert "Nothing is left to give back." in page.text
    assert shopper.balance().available == 5_000
    shopper.press("Yes, cancel the order", page=page)
    assert shopper.order(number).status == "cancelled"


def test_a_refund_that_was_paid_another_way_is_not_said_to_be_on_the_card(buyer: Make) -> None:
    shopper = buyer()
    with shopper.app.app_context():
        number = place(shopper, "pm_sandbox_refund_fails")
        give_back(number)
        send(number, shopper.app.extensions["gateway"])
        note(number, get_order_view(number).refunds[0].id, "FT-42 &")
    page = shopper.go(f"/account/orders/{number}")
    assert "HK$130.00 back to you another way, reference FT-42 &" in page.text
    assert "FT-42 &amp;" in page.html
    assert "HK$130.00 back to your card" not in page.text
    assert "Your card could not take HK$130.00, so we paid it to you another way." in page.text
    assert shopper.order(number).status == "refunded"


def test_an_order_that_has_left_cannot_be_cancelled(buyer: Make) -> None:
    shopper = buyer()
    number = buy(shopper)
    form = shopper.go(f"/account/orders/{number}?cancel=1")
    with shopper.app.app_context(), transaction():
        moving.move_by_staff(number=number, to="shipped", actor=actor_of(shopper.id, role="support"))
    before = shopper.everything()
    page = shopper.press("Yes, cancel the order", page=form)
    assert "it cannot be cancelled" in page.text
    assert shopper.everything() == before
    assert "Yes, cancel" not in shopper.go(f"/account/orders/{number}?cancel=1").text


def test_a_pending_order_is_cancelled_at_the_gateway(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="500")
    shopper.press("Pay 500 miles", card="pm_card_authenticationRequired")
    number = shopper.orders()[0].number
    shopper.go(f"/account/orders/{number}?cancel=1")
    assert "See where it stands" in shopper.page.text
    page = shopper.press("Yes, cancel the order")
    assert f"Order {number} was cancelled." in page.text
    assert (shopper.balance().available, shopper.balance().held) == (5_000, 0)
    assert shopper.go(f"/checkout/result/{number}").heading == "This order was cancelled"


def test_the_statement_has_every_movement_with_its_balance(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    number = buy(shopper, miles="500")
    page = shopper.go("/account/miles")
    rows = rows_of(page)
    assert [row.split(" ", 3)[3] for row in rows] == [
        f"Spent on order {number} where from : 500 miles of {day(clock.now())} minus − 500 miles 4,500",
        "Given for a test plus + 5,000 miles 5,000",
    ]
    assert "Available 4,500 worth HK$450.00" in page.text
    assert "Pending 80" in page.text
    assert f'href="/account/orders/{number}"' in page.html


def test_held_miles_are_listed_with_their_order_and_their_end(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    number = buy(shopper, miles="500", card="pm_sandbox_timeout_paid")
    page = shopper.go("/account/miles")
    assert "Held 500 for payments under way" in page.text
    assert f"500 miles for order {number}, usually settled by" in page.text
    assert "(about 15 minutes left)" in page.text
    with clock.travel(minutes=16):
        page = shopper.go("/account/miles")
        assert f"500 miles for order {number}, still waiting for the answer about your card" in page.text
        assert "minutes left" not in page.text


def test_miles_that_expire_are_said_with_their_day(buyer: Make) -> None:
    shopper = buyer()
    day = clock.now() + timedelta(days=20)
    with shopper.app.app_context(), transaction():
        give_points(shopper.id, 700, expires_at=day)
        give_points(shopper.id, 900, expires_at=day + timedelta(days=30))
    page = shopper.go("/account/miles")
    assert f"Expire next 700 on {day.day} {day:%B %Y}" in page.text
    assert "What expires when" in page.text
    assert "900 miles" in page.text


def test_the_statement_is_filtered_and_cut_into_pages(buyer: Make) -> None:
    shopper = buyer()
    with shopper.app.app_context(), transaction():
        for _ in range(45):
            give_points(shopper.id, 100)
    number = buy(shopper, miles="500")
    assert [number in row for row in rows_of(shopper.go("/account/miles?kind=redeem"))] == [True]
    page, seen = shopper.go("/account/miles?kind=adjust"), []
    while True:
        seen.append(len(rows_of(page)))
        if 'rel="next"' not in page.html:
            break
        page = shopper.go(link(page, "next"))
        assert "kind=adjust" in page.path
    assert seen == [20, 20, 5]
    assert len(rows_of(shopper.go(link(page, "prev")))) == 20


def test_the_statement_takes_days_and_says_what_it_cannot_read(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    today = datetime.now(UTC).date()
    assert len(rows_of(shopper.go(f"/account/miles?from={today}&to={today}"))) == 1
    page = shopper.go(f"/account/miles?to={today - timedelta(days=1)}")
    assert "Nothing in this period." in page.text
    for query, field in (("from=32.13.2026", "from"), ("to=soon", "to"), ("kind=magic", "kind")):
        page = shopper.go(f"/account/miles?{query}")
        assert page.status == 422
        assert f'href="#{field}"' in page.html
        assert rows_of(page) == []


@pytest.mark.parametrize("path", ["/account/orders", "/account/miles", "/account/"])
def test_the_frame_shows_the_balance(buyer: Make, path: str) -> None:
    shopper = buyer(points=12_345)
    assert "12,345 miles" in shopper.go(path).text
