"""Every template in every state: complete (StrictUndefined), correct, and without an accessibility finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import ConsoleMessage, Page, Playwright, ViewportSize
from werkzeug.serving import make_server

from embedded import browser
from tests.web.preview import create_preview
from tests.web.states import STATES

PAGES = [name for name in STATES if not name.startswith("mail-")]
MAILS = [name for name in STATES if name.startswith("mail-")]
SAME = {f"error-{code}" for code in (400, 405, 409, 413, 415, 422, 429, 500)}  # one template, other words
SEEN = [name for name in STATES if name not in SAME]
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 320, "height": 740}  # WCAG 2.2, 1.4.10
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
}


@pytest.fixture(scope="module")
def preview() -> Flask:
    return create_preview()


@pytest.fixture(scope="module")
def base_url(preview: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, preview, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def page(playwright: Playwright) -> Iterator[Page]:
    chromium = playwright.chromium.launch(executable_path=str(browser.obtain()), args=["--no-sandbox"])
    yield chromium.new_page()
    chromium.close()


def html_of(preview: Flask, state: str) -> str:
    answer = preview.test_client().get(f"/preview/{state}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("state", PAGES)
def test_markup_obeys_the_house_rules(preview: Flask, state: str) -> None:
    html = html_of(preview, state)
    assert html.count("<h1") == 1
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|href=.javascript:", html), (
        "the policy forbids inline code"
    )
    assert all(re.search(r"\ssrc=|application/ld\+json", tag) for tag in re.findall(r"<script[^>]*>", html))
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)), sorted({i for i in ids if ids.count(i) > 1})
    for form in re.findall(r"<form[^>]*method=.post.*?</form>", html, re.S):
        assert 'name="csrf_token"' in form
    for image in re.findall(r"<img[^>]*>", html):
        assert "alt=" in image
        assert "width=" in image
        assert "height=" in image


@pytest.mark.parametrize(
    "state", [s for s in PAGES if "error" in s.split("-")[1:] or s.endswith(("errors", "wrong"))]
)
def test_errors_lead_the_page(preview: Flask, state: str) -> None:
    html = html_of(preview, state)
    assert "<title>Error: " in html
    assert html.index("There is a problem") < html.index("<h1")
    for target in re.findall(
        r'<li><a href="#([^"]+)"', html[html.index("error-summary") : html.index("<h1")]
    ):
        assert f'id="{target}"' in html


def test_text_of_people_is_never_markup(preview: Flask) -> None:
    assert "<script>alert" not in html_of(preview, "search-long")
    assert "</script><b>" not in html_of(preview, "product")
    assert "<b>Chan" not in html_of(preview, "mail-welcome")


def test_enter_in_the_miles_field_updates_and_never_pays(preview: Flask) -> None:
    html = html_of(preview, "pay")
    form = html[html.index('id="pay-form"') :]
    first = re.search(r"<button[^>]*>", form)
    assert first is not None
    assert 'value="quote"' in first.group()
    slider = re.search(r'<input[^>]*type="range"[^>]*>', form)
    assert slider is not None
    assert " name=" not in slider.group()
    assert " hidden" in slider.group()
    assert "Pay 6,000 miles + HK$645.00" in form


def test_the_card_step_is_absent_when_miles_pay_everything(preview: Flask) -> None:
    html = html_of(preview, "pay-all")
    assert 'name="card"' not in html
    assert "Pay 12,450 miles</button>" in html
    assert "earns 0 miles" in html


def test_a_pending_payment_refreshes_without_script_and_only_then(preview: Flask) -> None:
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in html_of(
        preview, "result-pending"
    )
    for state in ("result-pending-long", "result-paid", "result-failed", "result-3ds"):
        assert "http-equiv" not in html_of(preview, state)
    assert "data-status-url" not in html_of(preview, "result-pending-long")


@pytest.mark.parametrize("state", MAILS)
def test_mails_are_small_and_say_the_same_in_text(preview: Flask, state: str) -> None:
    template, context, _ = STATES[state]
    html = html_of(preview, state)
    assert len(html.encode()) < 100_000
    assert '<html lang="en">' in html
    assert "<h1>" in html
    with preview.app_context():
        env = preview.jinja_env
        subject = env.get_template(template.replace("body.html", "subject.txt")).render(context())
        text = env.get_template(template.replace("body.html", "body.txt")).render(context())
    assert subject.strip()
    assert "\n" not in subject.strip()
    assert "&lt;" not in text
    assert "<h1" not in text
    for amount in re.findall(r"HK\$[\d,.]+\d", html):
        assert amount in text


@pytest.mark.parametrize("state", SEEN)
def test_axe_finds_nothing_and_nothing_overflows(page: Page, base_url: str, state: str) -> None:
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.location["url"]:
            problems.append(message.text)

    page.on("console", note)
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto(f"{base_url}/preview/{state}")
    for size, scheme in ((PHONE, "dark"), (DESK, "light")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.remove_listener("console", note)
    assert not problems
