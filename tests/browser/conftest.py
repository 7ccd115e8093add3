"""The whole shop as real processes, and Chromium in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Playwright, ViewportSize

from embedded import browser as chromium
from tests.browser.windows import Open, Shown
from tests.live.shop import LiveShop, running


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveShop]:
    with running(tmp_path_factory.mktemp("browser")) as live:
        yield live


@pytest.fixture(scope="package")
def chrome(playwright: Playwright) -> Iterator[Browser]:
    started = playwright.chromium.launch(executable_path=str(chromium.obtain()), args=["--no-sandbox"])
    yield started
    started.close()


@pytest.fixture
def window(chrome: Browser) -> Iterator[Open]:
    opened: list[tuple[BrowserContext, list[str]]] = []

    def make(size: ViewportSize, *, script: bool = True) -> Shown:
        context = chrome.new_context(viewport=size, java_script_enabled=script)
        context.set_default_timeout(30_000)
        problems: list[str] = []
        page = context.new_page()

        def note(message: ConsoleMessage) -> None:
            # A refused quote is a 422, and Chromium reports that as an error of the page.
            if message.type == "error" and "status of 4" not in message.text:
                problems.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: problems.append(str(error)))
        opened.append((context, problems))
        return Shown(page, problems)

    yield make
    for context, problems in opened:
        context.close()
        assert problems == []
