"""Named places where a test may kill the process, as a power cut would: SIGKILL, no cleanup.

Armed by a file of the point's name in SHOP_CRASH_DIR; it is used up, so that the restarted process passes.
Production refuses to start with SHOP_CRASH_DIR set (config.py).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

_directory = os.environ.get("SHOP_CRASH_DIR")
strike: Callable[[str], None] | None = None
"""Set by a test that plays many deaths within one process: it raises where the work is to be abandoned."""


def crashpoint(name: str) -> None:
    """Die here if a test has asked for it."""
    if strike is not None:
        strike(name)
    if _directory is None:
        return
    try:
        Path(_directory, name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
