"""From the cart to the paid order on pages alone, without any script."""

from __future__ import annotations

from collections.abc import Callable

from tests.web.conftest import Buyer


def to_pay(shopper: Buyer) -> None:
    shopper.go("/checkout/")
    shopper.press("Proceed to payment")
    assert shopper.page.heading == "Choose your mix and pay", shopper.page.text


def test_miles_and_card_pay_an_order(buyer: Callable[..., Buyer]) -> None:
    shopper = buyer(points=5_000)
    to_pay(shopper)
    assert "Pay HK$130.00" in shopper.page.text
    shopper.press("Update total", miles="1 000")
    shopper.press("Pay 1,000 miles + HK$30.00")
    assert shopper.page.heading == "Thank you, your order is paid"
