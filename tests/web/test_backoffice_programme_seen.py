"""The programme's desks in Chromium: readable at 360 and 1280 pixels, without an accessibility finding."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page, Playwright
from werkzeug.serving import make_server

from app.kernel import clock
from app.kernel.database import transaction
from embedded import browser
from tests.factories.people import give_points, make_customer
from tests.sandbox.peers import Gateway
from tests.web.desk import Desk, hire, paid_order
from tests.web.desk_things import file_of, waiting_batch
from tests.web.people import PASSWORD

RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
}
SIZES = (360, 1280)


@pytest.fixture
def page(app: Flask, playwright: Playwright) -> Iterator[Page]:
    """An admin, signed in at the running shop."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    chromium = playwright.chromium.launch(executable_path=str(browser.obtain()), args=["--no-sandbox"])
    shown = chromium.new_context(base_url=f"http://127.0.0.1:{server.port}").new_page()
    shown.goto("/account/sign-in")
    shown.fill("input[name=email]", Desk(app, "admin").email)
    shown.fill("input[name=password]", PASSWORD)
    shown.click("main button:has-text('Sign in')")
    shown.wait_for_url("**/account/")
    yield shown
    chromium.close()
    server.shutdown()
    thread.join()


def look(page: Page) -> None:
    for width in SIZES:
        page.set_viewport_size({"width": width, "height": 800})
        found = Axe().run(page, options=RULES)
        assert found.violations_count == 0, (page.url, width, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)


def press(page: Page, words: str) -> None:
    """Click, and be there when all of the next page is: half a page has findings of its own."""
    with page.expect_navigation(wait_until="load"):
        page.click(f"button:has-text('{words}')")


def test_liability(app: Flask, page: Page) -> None:
    with app.app_context():
        customer_id = make_customer(points=900)
        for months in range(1, 30):
            with transaction():
                give_points(customer_id, 100 * months, expires_at=clock.now() + timedelta(days=30 * months))
    page.goto("/admin/liability/")
    look(page)


def test_a_file_from_the_look_to_its_page(app: Flask, page: Page) -> None:
    with app.app_context():
        people = {make_customer(points=10): 500 for _ in range(3)}
        batch_id = waiting_batch(hire(app, "support")[0], {make_customer(): 7_000})
    page.goto("/admin/adjustment-files/new")
    look(page)
    content = file_of(people)
    for name, sent in (
        ("bad.csv", content + b"nobody@example.test,many,campaign,x\n"),
        ("good.csv", content),
    ):
        page.set_input_files(
            "#file-file", {"name": name, "mimeType": "text/csv", "buffer": io.BytesIO(sent).read()}
        )
        press(page, "Show what would happen")
        look(page)
    press(page, "Book 3 rows")
    assert "The file is booked" in page.inner_text("main")
    look(page)
    page.goto(f"/admin/adjustment-files/{batch_id}")
    look(page)
    page.goto("/admin/adjustment-files/")
    look(page)


def test_a_draft_from_the_text_to_its_version(app: Flask, peer: Gateway, page: Page) -> None:
    paid_order(app)
    page.goto("/admin/rules-draft/")
    look(page)
    text = page.input_value("#rules-draft").replace(
        '"points_per_100_minor_units": 1', '"points_per_100_minor_units": 2'
    )
    page.fill("#rules-draft", text)
    press(page, "Simulate")
    look(page)
    press(page, "Publish")
    assert page.title().startswith("Error: ")
    look(page)
    page.fill("#rules-reason", "spring campaign")
    page.fill("#rules-effective_from", "2099-01-01T08:30")
    press(page, "Publish")
    assert "is published." in page.inner_text("main")
