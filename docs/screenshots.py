"""The README's pictures, taken of the running demo shop: `python docs/screenshots.py http://127.0.0.1:8000`."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

PICTURES = Path(__file__).parent / "img"
PASSWORD = "miles-plus-cash-demo"  # noqa: S105 - printed for everybody
WIDTH = 960


def main(shop: str) -> None:
    chromium = os.environ.get("BROWSER_EXECUTABLE") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shopper = signed_in(browser, shop, "rich@demo.example")
        shopper.goto(f"{shop}/")
        keep(shopper, "home")
        shopper.goto(f"{shop}/p/glass-teapot-for-flowering-teas")
        keep(shopper, "product")
        shopper.click("button:has-text('Add')")
        shopper.wait_for_timeout(1000)
        shopper.goto(f"{shop}/checkout/address")
        shopper.click("main form button:not([type=button])")
        shopper.wait_for_url("**/checkout/pay")
        shopper.fill("#miles", "2,000")
        shopper.click("button:has-text('Update')")
        shopper.wait_for_timeout(1500)
        keep(shopper, "checkout")
        staff = signed_in(browser, shop, "admin@demo.example")
        staff.goto(f"{shop}/admin/customers/?q=rich@demo.example")
        staff.click("main a:has-text('Rika Rich')")
        keep(staff, "backoffice")
        browser.close()


def signed_in(browser: Browser, shop: str, email: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(f"{shop}/account/sign-in")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button:has-text('Sign in')")
    page.wait_for_load_state()
    return page


def keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture = picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS)
    picture.quantize(128).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
