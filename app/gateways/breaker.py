"""A circuit breaker around a gateway: a checkout that cannot be paid is refused before anything is held.

Only news of new charges is held back. Questions, cancels and refunds go on: what is open must be decided, they
are what notices that the gateway is back, and whoever asks has waiting rules of its own.

Counted per process. A gateway that is down is found by each on its own within a few calls, and a breaker that all
share would have to be reachable when other things are not.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TypeVar

import structlog
from prometheus_client import Gauge

from app.payments.bookkeeping import Bookkeeper, DayReport, DisputeSnapshot
from app.payments.gateway import (
    Absent,
    ChargeRequest,
    Gateway,
    GatewayEvent,
    ListPage,
    RefundRefused,
    RefundSnapshot,
    Snapshot,
    Unknown,
)

STATE = Gauge(
    "shop_gateway_breaker_open",
    "1 while charges are refused because the gateway does not answer",
    ["gateway"],
    multiprocess_mode="livemax",
)
Answer = TypeVar("Answer")
log = structlog.get_logger("gateways")


class Breaker:
    """Opens after `failures` silences in a row; then one caller in `seconds` may try, until one is answered.

    Safe to share between threads. `now` is a monotonic clock in seconds.
    """

    def __init__(
        self, name: str, *, failures: int, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._failures, self._seconds, self._now = name, failures, seconds, now
        self._silences = 0
        self._closed_until: float | None = None
        self._lock = threading.Lock()
        STATE.labels(name).set(0)

    def closed_for(self) -> int:
        """Seconds until a charge may be tried; 0: now. While open, a 0 is handed to one caller in `seconds`."""
        with self._lock:
            if self._closed_until is None:
                return 0
            left = self._closed_until - self._now()
            if left > 0:
                return math.ceil(left)
            self._closed_until = self._now() + self._seconds
            return 0

    def heard(self) -> None:
        """The gateway has answered something that makes sense."""
        with self._lock:
            was_open = self._closed_until is not None
            self._silences, self._closed_until = 0, None
        if was_open:
            STATE.labels(self._name).set(0)
            log.warning("gateway_breaker_closed", gateway=self._name)

    def not_heard(self) -> None:
        """The gateway has not answered, or nothing that could be read."""
        with self._lock:
            self._silences += 1
            opens = self._silences >= self._failures and self._closed_until is None
            if self._silences >= self._failures:
                self._closed_until = self._now() + self._seconds
        if opens:
            STATE.labels(self._name).set(1)
            log.error("gateway_breaker_open", gateway=self._name, silences=self._failures)


class BreakingGateway:
    """Implements `app.payments.gateway.Gateway` by another one, and listens to whether it answers."""

    def __init__(self, gateway: Gateway, *, failures: int, seconds: float) -> None:
        self.name = gateway.name
        self._gateway = gateway
        self._breaker = Breaker(gateway.name, failures=failures, seconds=seconds)

    def closed_for(self) -> int:
        return self._breaker.closed_for()

    def charge(self, request: ChargeRequest) -> Snapshot | Unknown:
        return self._noted(self._gateway.charge(request))

    def fetch(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Absent | Unknown:
        return self._noted(self._gateway.fetch(payment_id, gateway_ref))

    def cancel(self, payment_id: uuid.UUID, gateway_ref: str | None) -> Snapshot | Unknown:
        return self._noted(self._gateway.cancel(payment_id, gateway_ref))

    def refund(
        self, refund_id: uuid.UUID, gateway_ref: str, amount: int
    ) -> RefundSnapshot | RefundRefused | Unknown:
        return self._noted(self._gateway.refund(refund_id, gateway_ref, amount))

    def fetch_refund(
        self, refund_id: uuid.UUID, gateway_ref: str | None
    ) -> RefundSnapshot | Absent | Unknown:
        return self._noted(self._gateway.fetch_refund(refund_id, gateway_ref))

    def list_changed(self, cursor: str | None, since: datetime) -> ListPage | Unknown:
        return self._noted(self._gateway.list_changed(cursor, since))

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> GatewayEvent:
        return self._gateway.parse_webhook(body, headers, now)

    def _noted(self, answer: Answer) -> Answer:
        if not isinstance(answer, Unknown):
            self._breaker.heard()
        elif not answer.reason.startswith("mismatch"):  # an answer about other money is an answer
            self._breaker.not_heard()
        return answer


class BreakingBookkeeper(BreakingGateway):
    """The same for a gateway that has a report and disputes; callers ask with `isinstance`."""

    def __init__(self, gateway: Gateway, books: Bookkeeper, *, failures: int, seconds: float) -> None:
        super().__init__(gateway, failures=failures, seconds=seconds)
        self._books = books

    def fetch_report(self, day: date) -> DayReport | Unknown:
        return self._noted(self._books.fetch_report(day))

    def fetch_dispute(self, gateway_ref: str) -> DisputeSnapshot | Absent | Unknown:
        return self._noted(self._books.fetch_dispute(gateway_ref))

    def list_disputes(self, since: datetime) -> tuple[DisputeSnapshot, ...] | Unknown:
        return self._noted(self._books.list_disputes(since))


def guarded(gateway: Gateway, *, failures: int, seconds: float) -> BreakingGateway:
    """`gateway` behind a breaker, with all that it can do."""
    if isinstance(gateway, Bookkeeper):
        return BreakingBookkeeper(gateway, gateway, failures=failures, seconds=seconds)
    return BreakingGateway(gateway, failures=failures, seconds=seconds)
