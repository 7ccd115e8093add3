"""Buying with miles and card in Chromium, with JavaScript and without, on a phone and at a desk."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

import pytest
import requests
from playwright.sync_api import Page, ViewportSize, expect

from app.kernel.database import transaction
from tests.browser.windows import DESK, PHONE, Open
from tests.factories.people import give_points
from tests.factories.shop import fill_cart, make_address, make_variant
from tests.live.shop import LiveShop
from tests.web.people import PASSWORD

pytestmark = pytest.mark.browser


@dataclass
class Person:
    email: str
    id: uuid.UUID
    variant_id: uuid.UUID


def make_person(shop: LiveShop, points: int = 5_000) -> Person:
    """Registered, with points, an address, and a cart of 100.00."""
    email = f"{uuid.uuid4().hex}@example.test"
    body = {"email": email, "password": PASSWORD, "name": "Mei Chan"}
    answer = requests.post(f"{shop.stack.url}/api/v1/auth/register", json=body, timeout=30)
    person_id = uuid.UUID(answer.json()["data"]["customer"]["id"])
    with shop.app.app_context():
        with transaction():
            give_points(person_id, points)
        make_address(person_id)
        variant_id = make_variant()
        fill_cart(person_id, {variant_id: 1})
    return Person(email, person_id, variant_id)


def sign_in_at_checkout(page: Page, shop: LiveShop, person: Person) -> None:
    page.goto(f"{shop.stack.url}/checkout/")
    page.fill("#email", person.email)
    page.fill("#password", PASSWORD)
    page.click("main button:has-text('Sign in')")
    expect(page.locator("h1")).to_have_text("Where should it go?")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_mix_is_chosen_declined_checked_and_paid(
    shop: LiveShop, window: Open, size: ViewportSize, script: bool
) -> None:
    person = make_person(shop)
    shown = window(size, script=script)
    page = shown.page
    sign_in_at_checkout(page, shop, person)
    page.click("text=Proceed to payment")
    expect(page.locator("#pay")).to_have_text("Pay HK$130.00")
    page.fill("#miles", "1 050")
    page.press("#miles", "Enter")
    expect(page.locator("#pay")).to_have_text("Pay 1,000 miles + HK$30.00")
    expect(page.locator("#mpc-error")).to_have_text(
        "Lowered from 1,050 to 1,000: miles are used in steps of 100."
    )
    page.fill("#miles", "abc")
    page.click("text=Update total")
    expect(page.locator("#mpc-error")).to_contain_text("Enter a whole number of miles")
    expect(page.locator("#miles")).to_have_value("abc")
    page.click("text=50 %: 600")
    expect(page.locator("#miles")).to_have_value("600")
    page.check("input[value=pm_card_chargeDeclined]")
    page.click("#pay")
    expect(page.locator("h1")).to_have_text("Your payment did not go through")
    page.check("input[value=pm_card_authenticationRequired]")
    page.click("button:has-text('Pay 600 miles + HK$70.00')")
    expect(page).to_have_url(re.compile(f"^{shop.stack.gateway_url}/3ds/"))
    page.click("text=Pay: yes, it is me")
    expect(page.locator("h1")).to_have_text("Thank you, your order is paid")
    page.click("text=See the order")
    expect(page.locator("h1")).to_contain_text("Order MPC-")
    page.click("text=Cancel this order")
    page.click("text=Yes, cancel the order")
    expect(page.locator(".flashes")).to_contain_text("was cancelled.")
    page.goto(f"{shop.stack.url}/account/miles")
    expect(page.locator(".tile--main dd")).to_contain_text("5,000")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_around_money_is_accessible(shop: LiveShop, window: Open, size: ViewportSize) -> None:
    person = make_person(shop)
    shown = window(size)
    page = shown.page
    sign_in_at_checkout(page, shop, person)
    shown.look()
    page.click("text=Proceed to payment")
    shown.look()
    page.fill("#miles", "300")
    expect(page.locator("#mpc-error")).to_contain_text("Use 0 or at least 500 miles.")
    shown.look()
    page.click("text=Most: 1,300")
    expect(page.locator("#pay")).to_have_text("Pay 1,300 miles")
    shown.look()
    page.click("text=No miles")
    expect(page.locator("#pay")).to_have_text("Pay HK$130.00")
    page.check("input[value=pm_card_chargeDeclinedExpiredCard]")
    page.click("#pay")
    expect(page.locator("h1")).to_have_text("Your payment did not go through")
    shown.look()
    page.check("input[value=pm_card_visa]")
    page.click("main form button:has-text('Pay ')")
    expect(page.locator("h1")).to_have_text("Thank you, your order is paid")
    shown.look()
    page.click("text=See the order")
    expect(page.locator("h1")).to_contain_text("Order MPC-")
    shown.look()
    page.click("text=Cancel this order")
    expect(page.locator("text=Yes, cancel the order")).to_be_visible()
    shown.look()
    for path in ("/account/orders", "/account/miles"):
        page.goto(shop.stack.url + path)
        shown.look()


def test_the_slider_is_priced_by_the_server_and_paid_as_shown(shop: LiveShop, window: Open) -> None:
    person = make_person(shop)
    page = window(PHONE).page
    sign_in_at_checkout(page, shop, person)
    page.click("text=Proceed to payment")
    expect(page.locator("#miles-r")).to_be_visible()  # once the script runs
    page.focus("#miles-r")
    page.keyboard.press("End")
    expect(page.locator("#pay")).to_have_text("Pay 1,300 miles")
    expect(page.locator("#mpc-live")).to_have_text("1,300 miles, HK$130.00 off, HK$0.00 on your card")
    expect(page.locator("input[name=card]")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#pay")).to_have_text("Pay 1,200 miles + HK$10.00")
    page.click("#pay")
    expect(page.locator("h1")).to_have_text("Thank you, your order is paid")
    expect(page.locator(".balance-chip")).to_contain_text("3,800")


@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_pending_payment_becomes_paid_on_the_open_page(shop: LiveShop, window: Open, script: bool) -> None:
    """The gateway's callback is lost; reconciliation finds out while the page is open, and the page follows."""
    person = make_person(shop)
    page = window(DESK, script=script).page
    sign_in_at_checkout(page, shop, person)
    page.click("text=Proceed to payment")
    page.click("text=More cards, for what can go wrong")
    page.check("input[value=pm_sandbox_lost_webhook_paid]")
    page.click("#pay")
    expect(page.locator("h1")).to_have_text("We have your order, not yet your payment")
    number = page.url.rpartition("/")[2]
    shop.let_pass(1, [number])
    shop.run_task("payments.reconcile")
    expect(page.locator("h1")).to_have_text("Thank you, your order is paid", timeout=60_000)
    assert page.url == f"{shop.stack.url}/checkout/result/{number}"


def test_back_after_paying_orders_nothing_again(shop: LiveShop, window: Open) -> None:
    person = make_person(shop)
    page = window(PHONE).page
    sign_in_at_checkout(page, shop, person)
    page.click("text=Proceed to payment")
    page.dblclick("#pay")
    expect(page.locator("h1")).to_have_text("Thank you, your order is paid")
    page.go_back()
    if page.locator("#pay").count():
        page.click("#pay")
    expect(page.locator("h1")).to_have_text(re.compile("Thank you, your order is paid|Your cart"))
    rows = shop.rows("SELECT number FROM orders WHERE customer_id = %s", person.id)
    assert len(rows) == 1


def test_whoever_waits_for_a_silent_bank_reads_why(shop: LiveShop, window: Open) -> None:
    person = make_person(shop)
    page = window(PHONE).page
    sign_in_at_checkout(page, shop, person)
    page.click("text=Proceed to payment")
    expect(page.locator("[data-waiting]")).to_have_text("")
    # The form stays on its way for ever: nothing can be asked of a page that Chromium is about to leave.
    page.wait_for_load_state("domcontentloaded")
    page.evaluate("window.addEventListener('submit', event => event.preventDefault())")
    page.click("#pay")
    page.evaluate(
        "window.dispatchEvent(new PageTransitionEvent('pageshow'))"
    )  # its pictures have come only now
    expect(page.locator("[data-waiting]")).to_contain_text("Please stay on this page")
    expect(page.locator("#pay")).to_have_attribute("aria-disabled", "true")
