"""The one clock. Everything that asks for the time asks here, so that tests can move it.

`SHOP_CLOCK_OFFSET` (seconds) shifts a whole process: a second process of the same test sees the same time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta(seconds=float(os.environ.get("SHOP_CLOCK_OFFSET", "0")))
_frozen: datetime | None = None


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return (_frozen or datetime.now(UTC)) + _offset


@contextmanager
def travel(**delta: float) -> Iterator[None]:
    """Shift the clock by `timedelta(**delta)` inside the block; blocks nest."""
    global _offset
    before = _offset
    _offset = before + timedelta(**delta)
    try:
        yield
    finally:
        _offset = before


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Stop the clock at `at` (aware) inside the block; `travel` inside it still moves it."""
    global _frozen
    before = _frozen
    _frozen = at.astimezone(UTC)
    try:
        yield
    finally:
        _frozen = before
