"""Staff at the back office in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.windows import DESK, PHONE, Open
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import give_back, sku_of
from tests.live.shop import LiveShop, wait_for
from tests.web.desk import hire
from tests.web.people import PASSWORD

pytestmark = pytest.mark.browser


def sign_in(page: Page, shop: LiveShop, email: str) -> None:
    page.goto(f"{shop.stack.url}/account/sign-in")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("main button:has-text('Sign in')")
    expect(page.locator("h1")).to_contain_text("Hello")


def test_support_adjusts_points_and_an_auditor_finds_it_in_the_log(shop: LiveShop, window: Open) -> None:
    customer_id, customer = hire(shop.app, "customer")
    _, support = hire(shop.app, "support")
    _, auditor = hire(shop.app, "auditor")
    shown = window(PHONE)
    page = shown.page
    sign_in(page, shop, support)
    page.goto(f"{shop.stack.url}/admin/customers/?search={customer}")
    page.click("main tbody a")
    page.click("text=Adjust miles")
    page.fill("[name=points]", "250")
    page.select_option("[name=reason_code]", index=1)
    page.fill("[name=note]", "The parcel came late <b>")
    page.click("text=Show what would happen")
    expect(page.locator("main")).to_contain_text("0 before, 250 after")
    shown.look()
    page.click("text=Book +250 miles")
    expect(page.locator(".flashes")).to_contain_text("Done: +250 miles.")
    expect(page.locator(".tile--main dd")).to_have_text("250")
    shown.look()

    shown = window(DESK)
    sign_in(shown.page, shop, auditor)
    shown.page.goto(f"{shop.stack.url}/admin/audit/?target=customer:{customer_id}")
    shown.page.locator("main tbody tr", has_text="points.adjustment_applied").locator("a").first.click()
    expect(shown.page.locator("main")).to_contain_text("The parcel came late <b>")
    expect(shown.page.locator("main")).to_contain_text(support)
    shown.look()


def test_a_refund_that_no_card_takes_is_paid_another_way(shop: LiveShop, window: Open) -> None:
    """The forms of two stuck refunds, refused and carried out, on a phone and on a desk."""
    with shop.app.app_context():
        buyer = Shopper(shop.app.extensions["gateway"], quantity=2)
        number = buyer.place(buyer.quote(), "pm_sandbox_refund_fails")["number"]
        for key in ("a", "b"):
            give_back(number, lines=[(sku_of(number), 1)], key=key)
    stuck = "SELECT 1 FROM order_refund r JOIN orders o ON o.id = r.order_id WHERE o.number = %s AND r.state = 'stuck'"
    wait_for(lambda: len(shop.rows(stuck, number)) == 2, 60, "the bank's refusal")
    _, support = hire(shop.app, "support")
    for size, reference in ((PHONE, "FT2026" * 16), (DESK, "FT-2")):
        shown = window(size)
        page = shown.page
        sign_in(page, shop, support)
        page.goto(f"{shop.stack.url}/admin/orders/{number}")
        shown.look()
        form = page.locator("form[action$=elsewhere]").first
        form.locator("[name=reference]").fill("x" * 101)
        form.locator("[name=note]").fill("The card is closed")
        form.locator("button").click()
        expect(page.locator(".error-summary")).to_contain_text("3 to 100 characters")
        shown.look()
        form = page.locator("form[action$=elsewhere]").first
        expect(form.locator("[name=note]")).to_have_value("The card is closed")
        form.locator("[name=reference]").fill(reference)
        form.locator("button").click()
        expect(page.locator(".flashes")).to_contain_text("was paid another way")
        expect(page.locator("main")).to_contain_text(reference)
        shown.look()
    expect(page.locator("form[action$=elsewhere]")).to_have_count(0)


def test_a_customer_has_no_desk(shop: LiveShop, window: Open) -> None:
    _, customer = hire(shop.app, "customer")
    page = window(PHONE).page
    sign_in(page, shop, customer)
    for path in ("/admin/", "/admin/audit/", "/admin/customers/"):
        answer = page.goto(shop.stack.url + path)
        assert answer is not None
        assert answer.status == 403
        expect(page.locator("h1")).to_be_visible()
