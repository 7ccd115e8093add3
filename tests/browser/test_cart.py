"""A cart filled, changed and emptied from the pages, before anybody has signed in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect

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


def cart_of(shop: LiveShop, window: Open, *, stock: int) -> Page:
    """The cart page, with one of a product in it."""
    page = window(DESK).page
    page.goto(shop.stack.url + product_path(shop, stock=stock))
    page.click("text=Add to cart")
    expect(page.locator("#add-status")).to_contain_text("Added to your cart.")
    page.goto(f"{shop.stack.url}/cart")
    return page


@pytest.mark.parametrize("how", ["Enter", "Update", "Tab"])
def test_a_quantity_that_is_refused_says_why(shop: LiveShop, window: Open, how: str) -> None:
    page = cart_of(shop, window, stock=3)
    page.fill("#quantity-1", "9")
    if how == "Update":
        page.click("#update-1")
    else:
        page.press("#quantity-1", how)
    summary = page.locator("#error-summary")
    expect(summary).to_contain_text(re.compile(r"\w: Only 3 left\."))
    expect(summary).to_be_focused()
    expect(page.locator("#quantity-1")).to_have_value("9")
    expect(page.locator("#quantity-1-error")).to_contain_text("Only 3 left.")
    expect(page.locator("#cart-status")).to_be_empty()
    page.fill("#quantity-1", "2")
    page.press("#quantity-1", "Enter")
    expect(page.locator("#cart-status")).to_have_text("Cart updated.")
    expect(summary).to_have_count(0)
    expect(page).to_have_title(re.compile("^Cart"))


def test_what_was_typed_last_is_kept_and_shown_whatever_is_answered_first(
    shop: LiveShop, window: Open
) -> None:
    page = cart_of(shop, window, stock=50)
    page.evaluate(
        """() => { const real = fetch; let asked = 0, answered = 0; window.fetch = async (...all) => {
        const late = asked++ === 0, answer = await real(...all);
        if (late) await new Promise((done) => setTimeout(done, 1000));
        document.body.dataset.answered = ++answered;
        return answer; }; }"""
    )
    for quantity in ("3", "4"):
        page.fill("#quantity-1", quantity)
        page.press("#quantity-1", "Enter")
    expect(page.locator("body")).to_have_attribute("data-answered", "2")
    page.wait_for_timeout(300)  # for one that is late and would be shown
    expect(page.locator("#cart-status")).to_have_text("Cart updated.")
    expect(page.locator(".is-total dd")).to_have_text("HK$430.00")
    page.reload()
    expect(page.locator("#quantity-1")).to_have_value("4")


def test_after_a_failure_the_same_quantity_can_be_sent_again(shop: LiveShop, window: Open) -> None:
    page = cart_of(shop, window, stock=50)
    broken = "**/cart/update"
    page.route(broken, lambda route: route.fulfill(status=204))  # no page, and the form stays
    page.fill("#quantity-1", "3")
    with page.expect_request(lambda request: request.resource_type == "document"):
        page.press("#quantity-1", "Enter")
    page.unroute(broken)
    page.click("#update-1")
    expect(page.locator("#cart-status")).to_have_text("Cart updated.")
    expect(page.locator("#update-1")).to_be_focused()
    expect(page.locator(".is-total dd")).to_have_text("HK$330.00")


def test_who_changes_what_is_gone_reads_that_it_is_gone(shop: LiveShop, window: Open) -> None:
    page = cart_of(shop, window, stock=50)
    other = page.context.new_page()
    other.goto(f"{shop.stack.url}/cart")
    other.click(".cart-line >> text=Remove")
    expect(other.locator("#cart")).to_contain_text("Your cart is empty")
    page.fill("#quantity-1", "3")
    page.press("#quantity-1", "Enter")
    expect(page.locator("#flashes")).to_contain_text("no longer in your cart")
    expect(page.locator("#cart-status")).to_be_empty()


def slow(page: Page) -> None:
    """Every answer comes most of a second late."""
    page.evaluate(
        """() => { const real = fetch; window.fetch = async (...all) => {
        const answer = await real(...all);
        await new Promise((done) => setTimeout(done, 700));
        return answer; }; }"""
    )


def three_lines(shop: LiveShop, window: Open) -> Page:
    page = cart_of(shop, window, stock=3)
    for _ in range(2):
        page.goto(shop.stack.url + product_path(shop))
        page.click("text=Add to cart")
        expect(page.locator("#add-status")).to_contain_text("Added to your cart.")
    page.goto(f"{shop.stack.url}/cart")
    slow(page)
    return page


def test_a_quantity_that_is_being_typed_is_not_lost_when_another_is_saved(
    shop: LiveShop, window: Open
) -> None:
    page = three_lines(shop, window)
    page.fill("#quantity-2", "2")
    page.press("#quantity-2", "Enter")
    page.focus("#quantity-3")
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    page.evaluate("document.activeElement.dataset.mine = 1")
    page.wait_for_timeout(1_500)  # the answer has come
    expect(page.locator("#quantity-3[data-mine]")).to_have_value("3")
    page.press("#quantity-3", "Enter")
    expect(page.locator(".is-total dd")).to_have_text("HK$630.00")
    page.reload()
    expect(page.locator("#quantity-2")).to_have_value("2")
    expect(page.locator("#quantity-3")).to_have_value("3")


def test_one_that_is_refused_takes_nothing_with_it_that_was_typed_after_it(
    shop: LiveShop, window: Open
) -> None:
    page = three_lines(shop, window)
    for number, quantity in ((1, "9"), (2, "4"), (3, "5")):
        page.fill(f"#quantity-{number}", quantity)
        page.press(f"#quantity-{number}", "Enter")
    expect(page.locator("#error-summary")).to_contain_text("Only 3 left")
    expect(page.locator(".is-total dd")).to_have_text("HK$1,030.00")
    page.reload()
    for number, quantity in ((1, "1"), (2, "4"), (3, "5")):
        expect(page.locator(f"#quantity-{number}")).to_have_value(quantity)


def test_two_that_are_refused_are_told_together_and_sent_once(shop: LiveShop, window: Open) -> None:
    page = three_lines(shop, window)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    for number, quantity in ((1, "9"), (2, "x"), (3, "2")):
        page.fill(f"#quantity-{number}", quantity)
        page.press(f"#quantity-{number}", "Enter")
    expect(page.locator("#error-summary li")).to_have_count(2)
    expect(page.locator("#error-summary")).to_contain_text("Only 3 left")
    expect(page.locator("#error-summary")).to_contain_text("as a whole number")
    expect(page.locator(".is-total dd")).to_have_text("HK$430.00")
    page.wait_for_timeout(1_000)
    assert len(sent) == 3, "each once"
    page.fill("#quantity-3", "1")
    page.press("#quantity-3", "Enter")
    expect(page.locator(".is-total dd")).to_have_text("HK$330.00")
    expect(page.locator("#error-summary")).to_have_count(0)


def test_what_was_refused_while_another_was_typed_is_told_after_it(shop: LiveShop, window: Open) -> None:
    page = three_lines(shop, window)
    page.fill("#quantity-1", "9")
    page.press("#quantity-1", "Enter")
    page.focus("#quantity-2")
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    page.wait_for_timeout(1_500)  # the answer has come
    expect(page.locator("#error-summary")).to_have_count(0)
    page.keyboard.press("Tab")
    expect(page.locator("#error-summary")).to_contain_text("Only 3 left")
    expect(page.locator(".is-total dd")).to_have_text("HK$430.00")
    page.wait_for_timeout(1_000)
    expect(page.locator("#error-summary")).to_contain_text("Only 3 left")


def test_an_older_answer_never_comes_under_what_was_typed_after_it(shop: LiveShop, window: Open) -> None:
    page = three_lines(shop, window)
    page.fill("#quantity-2", "5")
    page.press("#quantity-2", "Enter")
    page.keyboard.press("Control+A")
    page.keyboard.type("6")
    page.wait_for_timeout(1_500)  # the answer to 5 has come
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".is-total dd")).to_have_text("HK$830.00")
    page.wait_for_timeout(1_000)
    page.reload()
    expect(page.locator("#quantity-2")).to_have_value("6")
