"""Is it the clock? Correctly signed callbacks that come too late, or too early, are counted apart from forged ones.

A few are late callbacks, or somebody who sends one again. More than one in twenty: this machine's clock is wrong, and
every callback of its gateway is being refused. Counted per process; an error in the log and a gauge, and nothing
stored, because who sends copies of old callbacks must not be able to write anything.
"""

from __future__ import annotations

import threading
from collections import deque

import structlog
from prometheus_client import Gauge

WINDOW = 100
MOST = 0.05
AT_LEAST = 3
DIFFERS = Gauge(
    "shop_clock_differs",
    "1 while more than 5 % of the correctly signed callbacks are refused for their time",
    ["gateway"],
    multiprocess_mode="livemax",
)
log = structlog.get_logger("webhooks")


class Punctuality:
    """Of the last callbacks with a right signature. Safe to share between threads."""

    def __init__(self) -> None:
        self._late: deque[bool] = deque(maxlen=WINDOW)
        self._lock = threading.Lock()

    def note(self, *, late: bool) -> bool:
        """Whether too many have been late, with this one."""
        with self._lock:
            self._late.append(late)
            count = sum(self._late)
            return count >= AT_LEAST and count > MOST * len(self._late)


_seen: dict[str, Punctuality] = {}


def note(gateway: str, *, late: bool) -> None:
    """`gateway` is one that the shop has."""
    differs = _seen.setdefault(gateway, Punctuality()).note(late=late)
    DIFFERS.labels(gateway).set(differs)
    if differs and late:
        log.error("callbacks are refused for their time: is the clock right?", gateway=gateway)
