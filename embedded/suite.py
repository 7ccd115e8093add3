"""`make check`, `make test` and `make test-browser`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import NoReturn

from embedded import browser, services
from embedded.errors import CannotStart
from embedded.services import BASES, ROOT

_WALLS = "from importlinter.cli import lint_imports_command as lint; lint(['--no-logo'])"
CHECKS = (
    ("lint", "-m", "ruff", "check", "."),
    ("format", "-m", "ruff", "format", "--check", "--quiet", "."),
    ("types", "-m", "mypy"),
    ("walls", "-c", _WALLS),
)
# Two workers for two cores; one file stays on one worker, because whole stacks are started once a file.
PYTEST = ("-m", "pytest", "-n", "2", "--dist", "loadfile")


def main(target: str) -> int:
    """The exit code of the first thing that failed, or 0."""
    try:
        if target == "check":
            return check()
        os.environ["BROWSER_EXECUTABLE"] = str(browser.obtain())
        if target == "test":
            return check() or test()
        return test("tests/browser")
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1


def check() -> int:
    """Lint, format, types, walls; all of them, so that one run shows everything that is wrong."""
    failed = []
    for name, *command in CHECKS:
        print(f"-- {name}", flush=True)
        if _python(*command):
            failed.append(name)
    if failed:
        print(f"make check: {', '.join(failed)} failed", file=sys.stderr)
    return 1 if failed else 0


def test(*paths: str) -> int:
    """pytest against embedded servers of its own, which are stopped at the end."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        os.environ.update(services.start(BASES["test"], profile="test").environment())
        return _python(*PYTEST, *paths)
    except KeyboardInterrupt:
        return 130
    finally:
        services.stop(BASES["test"], profile="test")


def _python(*words: str) -> int:
    return subprocess.call([sys.executable, *words], cwd=ROOT, stdin=subprocess.DEVNULL)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
