"""How points are typed, refused and re-quoted; and that nothing is charged that was not shown."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import update

from app.blueprints.common.typed import read_points
from app.catalogue.models import Variant
from app.inventory.models import Stock
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.rewards.service import grants
from tests.factories.shop import fill_cart, make_variant
from tests.web.conftest import Buyer

Make = Callable[..., Buyer]


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("6000", 6_000), ("6,000", 6_000), ("6 000", 6_000), ("6.000", 6_000), ("6’000", 6_000), ("6\u00a0000", 6_000),
        ("６，０００", 6_000), (" 500 ", 500), ("", 0), ("0", 0), ("1,234,567", 1_234_567), ("1000000000000", 10**12),
        ("abc", None), ("-1", None), ("1.5", None), ("0.500", None), ("1,23", None), ("1,234.567", None), ("1e3", None),
        ("²", None), ("9" * 16, None), ("6,000 miles", None), ("+5", None), ("٣٠٠", None),
    ],
)  # fmt: skip
def test_points_are_read_as_people_type_them(text: str, points: int | None) -> None:
    assert read_points(text) == points


def test_points_are_lowered_to_the_step_and_it_is_said(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    page = shopper.press("Update total", miles="1,050")
    assert "Lowered from 1,050 to 1,000: miles are used in steps of 100." in page.text
    assert "Pay 1,000 miles + HK$30.00" in page.text
    assert "Lowered from" not in shopper.go("/checkout/pay").text  # said once
    assert "Pay 1,000 miles + HK$30.00" in shopper.page.text  # and still chosen


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("abc", "Enter a whole number of miles, such as 6,000, or 0 for none."),
        ("-1", "Enter a whole number of miles, such as 6,000, or 0 for none."),
        ("300", "Use 0 or at least 500 miles."),
        ("1,400", "Use at most 1,300 miles for this order."),
        ("9,900", "You do not have that many miles: use at most 1,300 for this order."),
        ("1000000000000", "You do not have that many miles: use at most 1,300 for this order."),
    ],
)
@pytest.mark.parametrize("button", ["Update total", "Pay 1,000 miles"])
def test_points_that_cannot_be_used_are_refused_and_nothing_is_cleared(
    buyer: Make, button: str, typed: str, message: str
) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="1,000")
    before = shopper.everything()
    page = shopper.press(button, miles=typed, card="pm_card_authenticationRequired")
    assert page.status == 422
    assert page.title.startswith("Error: ")
    assert page.text.count(message) == 2, page.text  # in the summary, and beside the field
    form, _ = page.form("Update total")
    assert (form.values["miles"], form.values["card"]) == (typed, "pm_card_authenticationRequired")
    assert "Pay 1,000 miles + HK$30.00" in page.text  # what was good before is still offered
    assert shopper.everything() == before


def test_a_quick_choice_that_is_no_longer_possible_is_refused(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    page = shopper.to_pay()
    take(shopper, 4_000)
    before = shopper.everything()
    form, _ = page.form("50 %")
    page = shopper.press("50 %: 600", page=page)
    assert "Pay 600 miles + HK$70.00" in page.text
    answer = shopper.client.post("/checkout/pay", data={**form.values, "preset": "1200"})
    assert answer.status_code == 422
    assert "use at most 1,000 for this order" in answer.text
    assert shopper.everything() == before


def test_points_that_were_typed_but_not_quoted_are_never_charged(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    before = shopper.everything()
    page = shopper.press("Pay HK$130.00", miles="1,000")
    assert page.status == 409
    assert "Something changed since you last looked. Nothing was charged." in page.text
    assert "On your card HK$130.00 HK$30.00" in page.text
    assert shopper.everything() == before
    page = shopper.press("Pay 1,000 miles + HK$30.00")
    assert page.heading == "Thank you, your order is paid"


def change_price(shopper: Buyer) -> None:
    statement = update(Variant).where(Variant.id == shopper.variant_id).values(price=12_000)
    session().execute(statement)


def test_a_price_that_changed_is_shown_before_and_after(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="1,000")
    with shopper.app.app_context(), transaction():
        change_price(shopper)
    before = shopper.everything()
    page = shopper.press("Pay 1,000 miles + HK$30.00", card="pm_card_authenticationRequired")
    assert page.status == 409
    assert "Test mug 1 × HK$100.00 1 × HK$120.00" in page.text
    assert "Total HK$130.00 HK$150.00" in page.text
    assert "On your card HK$30.00 HK$50.00" in page.text
    assert shopper.everything() == before
    assert page.form("Pay")[0].values["card"] == "pm_card_authenticationRequired"
    page = shopper.press("Pay 1,000 miles + HK$50.00", card="pm_card_visa")
    assert page.heading == "Thank you, your order is paid"
    assert shopper.order(shopper.number).card_charged.amount == 5_000


def test_a_cart_that_changed_in_another_tab_is_shown_before_and_after(buyer: Make) -> None:
    shopper = buyer()
    page = shopper.to_pay()
    with shopper.app.app_context():
        fill_cart(shopper.id, {make_variant(price=2_000, name="Tea towel"): 2})
    before = shopper.everything()
    page = shopper.press("Pay HK$130.00", page=page)
    assert page.status == 409
    assert "Tea towel not in your order 2 × HK$20.00" in page.text
    assert shopper.everything() == before


def test_an_expired_quote_is_renewed_and_nothing_is_charged(buyer: Make) -> None:
    shopper = buyer()
    shopper.to_pay()
    before = shopper.everything()
    with clock.travel(seconds=601):
        page = shopper.press("Pay HK$130.00")
        assert page.status == 409
        assert "This page was open for a while" in page.text
        assert shopper.everything() == before
        assert shopper.press("Pay HK$130.00").heading == "Thank you, your order is paid"


def take(shopper: Buyer, points: int) -> None:
    with shopper.app.app_context(), transaction():
        grants.debit(
            customer_id=shopper.id,
            points=points,
            idem_key=uuid.uuid4().hex,
            ref_type="adjustment",
            ref_id="x",
            description="Taken",
            actor=system("test"),
        )


def test_points_that_went_away_are_said_beside_the_field(buyer: Make) -> None:
    shopper = buyer(points=1_200)
    shopper.to_pay()
    shopper.press("Update total", miles="1,200")
    take(shopper, 300)
    before = shopper.everything()
    page = shopper.press("Pay 1,200 miles + HK$10.00")
    assert page.status == 409
    assert page.text.count("You no longer have that many to spend.") == 2
    assert "Miles used 1,200 900" in page.text
    assert shopper.everything() == before
    assert shopper.press("Pay 900 miles + HK$40.00").heading == "Thank you, your order is paid"


def test_points_that_went_away_before_the_page_is_opened_again(buyer: Make) -> None:
    shopper = buyer(points=1_200)
    shopper.to_pay()
    shopper.press("Update total", miles="1,200")
    take(shopper, 900)
    page = shopper.go("/checkout/pay")
    assert page.status == 200
    assert "You chose 1,200 miles. That is no longer possible, so we changed it." in page.text
    assert "Pay HK$130.00" in page.text


def test_stock_that_went_away_leads_to_the_cart(buyer: Make) -> None:
    shopper = buyer(points=1_000, stock=2, quantity=2)
    shopper.to_pay()
    with shopper.app.app_context(), transaction():
        statement = update(Stock).where(Stock.variant_id == shopper.variant_id).values(on_hand=1)
        session().execute(statement)
    before = shopper.everything()
    page = shopper.press("Pay HK$230.00")
    assert page.path == "/cart"
    assert "Not enough stock: Test mug. Nothing was charged." in page.text
    assert "Only 1 left. You asked for 2." in page.text
    assert shopper.everything() == before


def test_somebody_elses_quote_is_not_paid(buyer: Make) -> None:
    shopper, other = buyer(points=1_000, price=5_000), buyer()
    theirs = other.to_pay().form("Pay")[0].values["quote_id"]
    shopper.to_pay()
    before = (shopper.everything(), other.everything())
    for quote_id in (theirs, str(uuid.uuid4()), "", "x"):
        page = shopper.press("Pay HK$80.00", quote_id=quote_id)
        assert page.status == 409
        assert "Pay HK$80.00" in page.text
        assert (shopper.everything(), other.everything()) == before
