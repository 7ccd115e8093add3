"""Staff at the back office in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.windows import DESK, PHONE, Open
from tests.live.shop import LiveShop
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


def test_a_customer_has_no_desk(shop: LiveShop, window: Open) -> None:
    _, customer = hire(shop.app, "customer")
    page = window(PHONE).page
    sign_in(page, shop, customer)
    for path in ("/admin/", "/admin/audit/", "/admin/customers/"):
        answer = page.goto(shop.stack.url + path)
        assert answer is not None
        assert answer.status == 403
        expect(page.locator("h1")).to_be_visible()
