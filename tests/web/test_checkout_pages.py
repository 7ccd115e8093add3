"""From the cart to the paid order on pages alone, without any script."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import Address
from app.kernel.database import session
from app.payments import queries as payments
from tests.factories.shop import fill_cart, make_address, make_variant
from tests.web.conftest import Buyer
from tests.web.people import PASSWORD, sign_up
from tests.web.visitor import Visitor

Make = Callable[..., Buyer]


def test_miles_and_card_pay_an_order(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    page = shopper.to_pay()
    assert "Pay HK$130.00" in page.text  # never points by default
    page = shopper.press("Update total", miles="1 000")
    assert page.status == 200
    assert shopper.moves == ["/checkout/pay"]  # reloading it sends nothing again
    assert "1,000 miles HK$30.00" not in page.text
    page = shopper.press("Pay 1,000 miles + HK$30.00")
    assert page.heading == "Thank you, your order is paid"
    assert shopper.moves == [f"/checkout/result/{shopper.number}"]
    assert "You paid 1,000 miles + HK$30.00." in page.text
    assert "This order earns 30 miles, yours to spend from" in page.text
    order = shopper.order(shopper.number)
    assert (order.status, order.points, order.card_charged.amount) == ("paid", 1_000, 3_000)
    assert (shopper.balance().available, shopper.balance().pending) == (4_000, 30)
    assert shopper.go(page.path).heading == "Thank you, your order is paid"
    assert len(shopper.orders()) == 1


def test_miles_alone_pay_an_order_without_a_card(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    page = shopper.press("Most: 1,300")
    assert 'name="card"' not in page.html
    page = shopper.press("Pay 1,300 miles")
    assert page.heading == "Thank you, your order is paid"
    with shopper.app.app_context():
        assert payments.list_payments_of(shopper.number) == []
    assert shopper.balance().available == 3_700


def test_a_guest_signs_in_and_comes_back_with_the_cart(app: Flask, buyer: Make) -> None:
    sku_owner = buyer()
    person = sign_up(app.test_client())
    with app.app_context():
        make_address(person.id)
        fill_cart(person.id, {sku_owner.variant_id: 2})
    guest = Visitor(app.test_client())
    page = guest.go("/checkout/")
    assert page.path == "/account/sign-in?next=/checkout/"
    page = guest.press("Sign in", email=person.email, password=PASSWORD)
    assert (page.path, page.heading) == ("/checkout/address", "Where should it go?")
    assert "2 × Test mug" in page.text


def test_a_new_shopper_types_the_address_once(app: Flask, buyer: Make) -> None:
    shopper = buyer()
    person = sign_up(app.test_client())
    with app.app_context():
        fill_cart(person.id, {shopper.variant_id: 1})
    visitor = Visitor(app.test_client())
    visitor.go("/checkout/")
    page = visitor.press("Sign in", email=person.email, password=PASSWORD)
    page = visitor.press("Proceed to payment", city="Hong Kong", line1="1 Harbour Road")
    assert page.status == 422
    assert page.title.startswith("Error: ")
    assert "Enter the name of the person who receives the parcel." in page.text
    assert 'value="1 Harbour Road"' in page.html  # nothing is cleared
    page = visitor.press("Proceed to payment", name="Mei Chan", phone="+852 5555 0100")
    assert page.heading == "Choose your mix and pay"
    assert "Mei Chan 1 Harbour Road Hong Kong Hong Kong SAR China" in page.text
    visitor.go("/checkout/address")
    page = visitor.press("Proceed to payment")
    with app.app_context():
        assert len(session().scalars(select(Address).where(Address.customer_id == person.id)).all()) == 1


def test_delivery_is_chosen_and_remembered(buyer: Make) -> None:
    shopper = buyer()
    shopper.go("/checkout/address")
    page = shopper.press("Proceed to payment", shipping_method="express")
    assert "Express delivery, next working day" in page.text
    assert "Pay HK$180.00" in page.text
    page = shopper.go("/checkout/address")
    assert shopper.page.form("Proceed")[0].values["shipping_method"] == "express"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"address_id": str(uuid.uuid4())}, "Choose one of your addresses."),
        ({"address_id": "x"}, "Choose one of your addresses."),
        ({"shipping_method": "teleport"}, "Choose one of the delivery methods offered."),
        ({"shipping_method": ""}, "Choose how we deliver."),
        ({"address_id": "new"}, "Enter the city."),
        (
            {"address_id": "new", "name": "A", "line1": "B", "city": "C", "country": "XX"},
            "Not a valid choice",
        ),
    ],
)
def test_wrong_delivery_is_refused_next_to_the_field(
    buyer: Make, changes: dict[str, str], message: str
) -> None:
    shopper = buyer()
    shopper.go("/checkout/address")
    before = shopper.everything()
    page = shopper.press("Proceed to payment", **changes)
    assert page.status == 422
    assert page.text.count(message) == 2, page.text  # in the summary, and beside the field
    assert shopper.everything() == before
    assert shopper.go("/checkout/pay").path == "/checkout/address"


def test_somebody_elses_address_is_not_there(buyer: Make) -> None:
    shopper, other = buyer(), buyer()
    with shopper.app.app_context():
        address_id = session().scalar(select(Address.id).where(Address.customer_id == other.id))
    shopper.go("/checkout/address")
    page = shopper.press("Proceed to payment", address_id=str(address_id))
    assert page.status == 422
    assert shopper.go("/checkout/pay").path == "/checkout/address"


def test_an_empty_cart_leads_back_to_the_cart(buyer: Make) -> None:
    shopper = buyer(quantity=0)
    assert shopper.go("/checkout/").path == "/cart"
    assert "Your cart is empty" in shopper.page.text


def test_a_card_that_is_not_offered_is_refused(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="500")
    before = shopper.everything()
    for card in ("pm_card_stolen", "", "4242424242424242"):
        page = shopper.press("Pay 500 miles", card=card)
        assert page.status == 422
        assert "Choose a card." in page.text
        assert shopper.page.form("Update total")[0].values["miles"] == "500"
    assert shopper.everything() == before


def test_production_takes_no_card_but_at_the_gateway(buyer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shopper = buyer()
    monkeypatch.setitem(shopper.app.config, "SHOP_ENV", "production")
    page = shopper.to_pay()
    assert "pm_card_visa" not in page.html
    before = shopper.everything()
    assert shopper.press("Pay HK$130.00", card="pm_card_visa").status == 422
    assert shopper.everything() == before
    page = shopper.press("Pay HK$130.00", page=page)
    assert page.leaves_for is not None
    assert "/pay/" in page.leaves_for


@pytest.mark.parametrize(
    "path", ["/checkout/", "/checkout/address", "/checkout/pay", "/account/orders", "/account/miles"]
)
def test_pages_around_money_are_never_stored_and_never_public(app: Flask, buyer: Make, path: str) -> None:
    shopper = buyer()
    shopper.to_pay()
    assert shopper.client.get(path).headers["Cache-Control"] == "no-store"
    answer = app.test_client().get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/sign-in?next=")


def test_every_form_needs_its_token(buyer: Make) -> None:
    shopper = buyer(points=1_000)
    shopper.to_pay()
    declined = shopper.press("Pay HK$130.00", card="pm_card_chargeDeclined")
    with shopper.app.app_context():
        fill_cart(shopper.id, {make_variant(): 1})
    pay = shopper.to_pay()
    number = declined.path.rpartition("/")[2]
    order = shopper.go(f"/account/orders/{number}?cancel=1")
    before = shopper.everything()
    for page, button in (
        (pay, "Pay HK$130.00"),
        (declined, "Pay HK$130.00"),
        (order, "Yes, cancel the order"),
        (shopper.go("/checkout/address"), "Proceed to payment"),
    ):
        assert shopper.press(button, page=page, csrf_token="").status == 400
        assert shopper.everything() == before
