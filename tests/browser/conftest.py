"""The whole shop as real processes, and Chromium in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright

from embedded import browser as chromium
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
