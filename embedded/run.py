"""`make run`: the whole shop on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from embedded.errors import CannotStart
from embedded.services import BASES
from embedded.stack import PROCESSES, Stack

PASSWORD = "miles-plus-cash-demo"  # noqa: S105 - printed for everybody: the demo people's
CARDS = (
    ("4242 4242 4242 4242", "pays"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "has no money"),
    ("4000 0025 0000 3155", "asks for 3-D Secure"),
)
_COLOURS = (36, 33, 32, 35, 34, 31, 96, 93)
_WIDTH = max(map(len, (*PROCESSES, "setup")))
_printing = threading.Lock()


def main() -> int:
    """Start, print the table, wait; 0 after Ctrl-C or SIGTERM, 1 with one sentence when it cannot go on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    stack = None
    try:
        began = time.monotonic()
        stack = Stack(BASES["run"], profile="run", port=_port(), say=say)
        stack.start()
        _print_table(stack, time.monotonic() - began)
        stack.wait()
    except KeyboardInterrupt:
        say("setup", "stopping")
        return 0
    except CannotStart as problem:
        sys.stdout.flush()
        print(problem, file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if stack is not None:
            stack.stop()
    return 0


def say(process: str, line: str) -> None:
    """One labelled line; coloured on a terminal. A terminal that went away is no reason to stop serving."""
    label = f"{process:<{_WIDTH}} |"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        names = [*PROCESSES, "setup"]
        label = f"\x1b[{_COLOURS[names.index(process) % len(_COLOURS)]}m{label}\x1b[0m"
    with _printing, suppress(OSError, ValueError):
        print(label, line, flush=True)


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise CannotStart(f"PORT is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _print_table(stack: Stack, seconds: float) -> None:
    rows = [
        ("Shop", f"{stack.url}/"),
        ("API docs", f"{stack.url}/api/docs"),
        ("Back office", f"{stack.url}/admin/"),
        ("Mailbox", f"{stack.mailbox_url}/  every mail that the shop sent"),
        ("Gateway", f"{stack.gateway_url}/  payments, events, faults"),
        ("Demo people", f"one click each on {stack.url}/account/sign-in, or the password {PASSWORD}"),
        ("Sandbox cards", ";  ".join(f"{number} {meaning}" for number, meaning in CARDS)),
        ("Stop, start over", "Ctrl-C;  make reset"),
    ]
    width = max(len(name) for name, _ in rows)
    text = "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
    with _printing:
        print(f"\nReady in {seconds:.0f} s.\n\n{text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
