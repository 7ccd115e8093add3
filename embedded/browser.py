"""The Chromium that the browser tests drive: one on the machine, else one that can be had without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from embedded.errors import CannotStart

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)


def find() -> Path | None:
    """A Chromium that starts: BROWSER_EXECUTABLE, one on the PATH, or Playwright's download; else None."""
    on_path = [shutil.which(name) for name in NAMES]
    named = [os.environ.get("BROWSER_EXECUTABLE"), *on_path]
    for candidate in [*(Path(name) for name in named if name), *MAC, *_downloaded()]:
        if _starts(candidate):
            return candidate
    return None


def obtain() -> Path:
    """`find`, else apt-get as root on Debian, else Playwright's own download. Raises CannotStart."""
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("No Chromium on this machine: apt-get install -y chromium ...", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _try("apt-get", "update", "-qq", environment=quiet)
        _try("apt-get", "install", "-y", "-qq", "chromium", environment=quiet)
        found = find()
    if found is None:
        print("No Chromium on this machine: playwright install chromium ...", flush=True)
        _try(sys.executable, "-m", "playwright", "install", "chromium", environment=dict(os.environ))
        found = find()
    if found is None:
        raise CannotStart(
            "The browser tests need Chromium and it could not be installed: install Chromium or Chrome "
            "(Debian: apt-get install chromium) and run this again."
        )
    return found


def _starts(candidate: Path) -> bool:
    # Ubuntu's `chromium-browser` is only a sentence about snap; a download may lack system libraries.
    try:
        run = subprocess.run([str(candidate), "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and "Chrom" in run.stdout


def _downloaded() -> list[Path]:
    question = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True)
    path = Path(answer.stdout.strip() or "/nonexistent")
    return [path] if path.exists() else []


def _try(*command: str, environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
