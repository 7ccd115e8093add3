"""Every call to a gateway, counted and timed; every unclear answer, in the log at error level."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Histogram

from app.kernel.database import in_transaction
from app.payments.gateway import Unknown

CALLS = Counter("shop_gateway_calls", "Calls to the payment gateway", ["gateway", "verb", "outcome"])
SECONDS = Histogram(
    "shop_gateway_call_seconds",
    "How long the payment gateway took",
    ["gateway", "verb"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30),
)
log = structlog.get_logger("gateways")


@dataclass
class Call:
    """Set `answer` before the block ends."""

    answer: object = None


@contextmanager
def watched(gateway: str, verb: str, **about: str) -> Iterator[Call]:
    """Around one call. Raises RuntimeError inside a database transaction: nothing is held while we wait."""
    if in_transaction():
        raise RuntimeError(f"{gateway}.{verb} inside a database transaction")
    call, began = Call(), time.perf_counter()
    try:
        yield call
    finally:
        spent = time.perf_counter() - began
        SECONDS.labels(gateway, verb).observe(spent)
        CALLS.labels(gateway, verb, type(call.answer).__name__.lower()).inc()
        if isinstance(call.answer, Unknown):
            log.error(
                "gateway_unclear",
                gateway=gateway,
                verb=verb,
                reason=call.answer.reason,
                milliseconds=round(spent * 1000),
                **about,
            )
