"""Failed payments and disputes in Chromium: readable at 360 and 1280 pixels, without an accessibility finding."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from playwright.sync_api import Page

from tests.checkout.conftest import Shopper
from tests.sandbox.peers import Gateway
from tests.web.desk import paid_order
from tests.web.desk_things import bank_says
from tests.web.test_backoffice_programme_seen import look, page

__all__ = ["page"]
TOKENS = (
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedExpiredCard",
)


def test_failed_payments(app: Flask, peer: Gateway, page: Page) -> None:
    page.goto("/admin/failed-payments/?to=2020-01-01")
    look(page)
    with app.app_context():
        for token in TOKENS:
            shopper = Shopper(app.extensions["gateway"])
            shopper.place(shopper.quote(), token)
    page.goto("/admin/failed-payments/")
    assert page.locator("tbody tr").count() >= len(TOKENS)
    look(page)


def test_disputes_from_the_first_page(app: Flask, peer: Gateway, page: Page) -> None:
    page.goto("/admin/disputes/?to=2020-01-01")
    look(page)
    for status in ("open", "won", "lost"):
        _, number = paid_order(app)
        with app.app_context():
            bank_says(number, "open", due_in=timedelta(days=5))
            ref = bank_says(number, status, due_in=timedelta(days=5))
        page.goto(f"/admin/disputes/sandbox/{ref}")
        look(page)
    page.goto("/admin/")
    look(page)
    with page.expect_navigation(wait_until="load"):
        page.click("a:has-text('Disputes to answer')")
    assert page.locator("tbody tr").count() >= 1
    look(page)
    page.goto("/admin/disputes/")
    look(page)
