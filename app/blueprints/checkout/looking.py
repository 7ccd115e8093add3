"""Asking the gateway from a page: never twice at once about a payment, and not soon again when it did not answer.

Counted per process, as the breaker is: a dead gateway holds one thread of each for as long as one call may take,
however often the page is loaded.
"""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway
from app.gateways.asking import ask_payment
from app.kernel import clock
from app.kernel.database import end_reading
from app.payments import queries as payments
from app.payments.gateway import Unknown

AFTER_SILENCE = timedelta(seconds=10)


class Turns:
    """Who may ask about what. Safe to share between threads."""

    def __init__(self) -> None:
        self._asking: set[uuid.UUID] = set()
        self._silent_until: dict[uuid.UUID, datetime] = {}
        self._lock = threading.Lock()

    def begin(self, payment_id: uuid.UUID) -> bool:
        """Whether the caller may ask; then it calls `end`."""
        now = clock.now()
        with self._lock:
            self._silent_until = {one: until for one, until in self._silent_until.items() if until > now}
            if payment_id in self._asking or payment_id in self._silent_until:
                return False
            self._asking.add(payment_id)
            return True

    def end(self, payment_id: uuid.UUID, *, heard: bool) -> None:
        with self._lock:
            self._asking.discard(payment_id)
            if not heard:
                self._silent_until[payment_id] = clock.now() + AFTER_SILENCE


_turns = Turns()


def look(number: str) -> bool:
    """Whoever comes back from the gateway's page sees the truth at once. Whether anything was asked.

    Only then: a payment without an answer is asked about by jobs, and a dead gateway must not hold up this page.
    """
    payment = payments.find_live_payment(number)
    if payment is None or payment.state != "requires_action":
        return False
    payment_id = payment.id
    end_reading()
    if not _turns.begin(payment_id):
        return False
    heard = False
    try:
        if gateway().closed_for():
            return False
        truth, _ = ask_payment(payment_id=payment_id, gateway=gateway(), actor=actor_from_request())
        heard = not isinstance(truth, Unknown)
        return True
    finally:
        _turns.end(payment_id, heard=heard)
