"""Browser windows: their sizes, and what is looked at in every one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 800}
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
}


@dataclass
class Shown:
    """A browser window; `problems` is what the console complained about."""

    page: Page
    problems: list[str]

    def look(self) -> None:
        """What is shown now has no accessibility finding and does not overflow."""
        self.page.wait_for_load_state("load")  # the heading is there before the style sheets are
        found = Axe().run(self.page, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.page.viewport_size["width"]  # type: ignore[index]


Open = Callable[..., Shown]
