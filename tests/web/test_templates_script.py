"""The scripts of the pages in a real browser, and the same roads without any script."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect
from werkzeug.serving import make_server

from embedded import browser as chromium
from tests.web.preview import create_preview


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_preview(), threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def chrome(playwright: Playwright) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=str(chromium.obtain()), args=["--no-sandbox"])
    yield started
    started.close()


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    context = chrome.new_context(viewport={"width": 360, "height": 740})
    fresh = context.new_page()
    errors: list[str] = []
    fresh.on("pageerror", lambda error: errors.append(str(error)))
    yield fresh
    context.close()
    assert errors == []


@pytest.fixture
def plain(chrome: Browser) -> Iterator[Page]:
    context = chrome.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_typed_miles_are_quoted_by_the_server(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/pay-none")
    expect(page.locator("#pay")).to_have_text("Pay HK$1,245.00")
    held: list[Route] = []
    page.route("**/*", lambda route: held.append(route))
    page.fill("#miles", "3050")
    expect(page.locator("[data-live=card]")).to_have_text("about HK$940.00")  # until the server has answered
    page.unroute("**/*")
    for route in held:
        route.continue_()
    expect(page.locator("#pay")).to_have_text("Pay 3,000 miles + HK$945.00")
    expect(page.locator("[data-live=card]")).to_have_text("HK$945.00")
    expect(page.locator("#mpc-live")).to_have_text("3,000 miles, HK$300.00 off, HK$945.00 on your card")
    expect(page.locator("#miles-r")).to_have_value("3000")
    assert page.input_value("#miles") == "3050"  # never rewritten while the caret is in it


def test_the_slider_by_keyboard_jumps_over_what_is_below_the_minimum(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/pay-none")
    slider = page.locator("#miles-r")
    expect(slider).to_be_visible()
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#miles")).to_have_value("500")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#miles")).to_have_value("0")
    page.keyboard.press("End")
    expect(page.locator("#pay")).to_have_text("Pay 12,400 miles + HK$5.00")
    expect(slider).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("#pay")).to_have_text("Pay HK$1,245.00")


def test_too_many_miles_are_refused_next_to_the_field_and_cannot_be_paid(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/pay")
    page.fill("#miles", "99999")
    expect(page.locator("#mpc-error")).to_contain_text("Use at most 12,400 miles for this order")
    expect(page.locator("#miles")).to_have_attribute("aria-invalid", "true")
    page.click("#pay")
    expect(page.locator("#mpc-error")).to_contain_text("Use at most")
    assert "PAID" not in page.content()
    page.click("text=Most: 12,400")
    expect(page.locator("#miles")).to_have_value("12,400")
    expect(page.locator("#mpc-error")).not_to_contain_text("Use at most")


def test_paying_with_an_unsettled_amount_asks_again_first(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/pay")
    page.check("text=Declined, expired")
    page.evaluate("document.getElementById('miles').value = '1,000'")
    page.evaluate(
        "document.getElementById('miles').dispatchEvent(new Event('input')); document.getElementById('pay').click()"
    )
    expect(page.locator("#pay")).to_have_text("Pay 1,000 miles + HK$1,145.00")
    assert page.url.endswith("/preview/pay")
    page.click("#pay")
    expect(page.locator("body")).to_have_text("PAID q_5f2c pm_card_chargeDeclinedExpiredCard")


def test_enter_updates_and_presets_work_without_script(plain: Page, base_url: str) -> None:
    plain.goto(f"{base_url}/preview/pay-none")
    expect(plain.locator("#miles-r")).to_be_hidden()
    plain.fill("#miles", "2,000")
    plain.press("#miles", "Enter")
    expect(plain.locator("#pay")).to_have_text("Pay 2,000 miles + HK$1,045.00")
    assert plain.url.endswith("#mpc-result")
    plain.click("text=Most: 12,400")
    expect(plain.locator("#pay")).to_have_text("Pay 12,400 miles + HK$5.00")
    plain.click("#pay")
    expect(plain.locator("body")).to_contain_text("PAID")


def test_a_pending_result_becomes_paid_by_itself(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/result-pending")
    expect(page.locator("h1")).to_have_text("We have your order, not yet your payment")
    expect(page.locator("h1")).to_have_text("Thank you, your order is paid")
    expect(page.locator("#status-live")).to_have_text("Thank you, your order is paid")


def test_adding_and_changing_quantities_update_the_count(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/product")
    page.click("text=Add to cart")
    expect(page.locator("#add-status")).to_contain_text("Added to your cart.")
    expect(page.locator(".cart-count")).to_have_text("4")
    page.goto(f"{base_url}/preview/cart")
    page.fill("#quantity-1", "5")
    page.press("#quantity-1", "Tab")
    expect(page.locator(".cart-count")).to_have_text("7")
    expect(page.locator("#quantity-1")).to_have_value("5")
    expect(page.locator("#cart-status")).to_have_text("Cart updated.")


def test_filters_apply_at_once_and_by_button_without_script(page: Page, plain: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/listing")
    page.click("#filters-panel > summary")
    page.check("#brand-2")
    expect(page.locator("#result-count")).to_have_text("2 products")
    assert "brand=b1" in page.url
    expect(page.locator("#brand-2")).to_be_focused()
    plain.goto(f"{base_url}/preview/listing")
    plain.click("#filters-panel > summary")
    plain.check("#brand-2")
    plain.click("text=Apply filters")
    expect(plain.locator("#result-count")).to_have_text("2 products")


def test_errors_take_the_focus_and_a_pay_button_acts_once(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/preview/pay-error")
    expect(page.locator("#error-summary")).to_be_focused()
    page.goto(f"{base_url}/preview/result-failed")
    went_out = page.evaluate(
        """() => {
            let count = 0;
            addEventListener("submit", (event) => { if (!event.defaultPrevented) count++; event.preventDefault(); });
            const button = document.querySelector("[data-once]");
            button.click();
            button.click();
            return count;
        }"""
    )
    assert went_out == 1
