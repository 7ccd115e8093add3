"""A cart filled, changed and emptied from the pages, before anybody has signed in."""

from __future__ import annotations

import pytest
from playwright.sync_api import ViewportSize, expect

from app.catalogue.models import Product, Variant
from app.kernel.database import end_reading, session
from tests.browser.windows import DESK, PHONE, Open
from tests.factories.shop import make_variant
from tests.live.shop import LiveShop

pytestmark = pytest.mark.browser


def product_path(shop: LiveShop, *, stock: int = 100) -> str:
    """Of a new product at 100.00."""
    with shop.app.app_context():
        variant = session().get_one(Variant, make_variant(stock=stock))
        slug = session().get_one(Product, variant.product_id).slug
        end_reading()
    return f"/p/{slug}"


@pytest.mark.parametrize(("size", "script"), [(PHONE, True), (DESK, False)], ids=["script", "plain"])
def test_a_guest_fills_changes_empties_and_restores_a_cart(
    shop: LiveShop, window: Open, size: ViewportSize, script: bool
) -> None:
    page = window(size, script=script).page
    page.goto(shop.stack.url + product_path(shop))
    page.fill("#quantity", "2")
    page.click("text=Add to cart")
    if script:
        expect(page.locator("#add-status")).to_contain_text("Added to your cart.")
        page.click("#add-status >> text=View cart")
    expect(page.locator("h1")).to_have_text("Your cart")
    expect(page.locator(".is-total dd")).to_have_text("HK$230.00")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.fill("#quantity-1", "3")
    page.press("#quantity-1", "Enter")
    expect(page.locator(".is-total dd")).to_have_text("HK$330.00")
    assert [url.rpartition("/cart/")[2] for url in sent if "/cart/" in url] == ["update"], "once"
    page.click(".cart-line >> text=Remove")
    expect(page.locator("#cart")).to_contain_text("Your cart is empty")
    page.click("button:has-text('Undo')")
    expect(page.locator("#quantity-1")).to_have_value("3")
    page.click("text=Go to checkout")
    expect(page.locator("h1")).to_have_text("Sign in")


def test_more_than_there_is_cannot_be_added(shop: LiveShop, window: Open) -> None:
    page = window(PHONE, script=False).page
    page.goto(shop.stack.url + product_path(shop, stock=1))
    page.fill("#quantity", "2")
    page.click("text=Add to cart")
    expect(page.locator("main")).to_contain_text("There is a problem")
    page.goto(f"{shop.stack.url}/cart")
    expect(page.locator("#cart")).to_contain_text("Your cart is empty")
