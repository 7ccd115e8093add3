"""How a payment moves, inside a transaction of the caller: the new state is saved and told by an event.

States: processing -> requires_action | authorized | captured | declined | canceled; requires_action -> the
same; authorized -> captured | canceled; and declined | canceled -> captured, the late authorization.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sandbox.gateway.cards import Card
from sandbox.gateway.events import Events
from sandbox.gateway.settings import Settings
from sandbox.gateway.store import Store, now

OPEN = ("processing", "requires_action")


def card_of(payment: dict[str, Any]) -> Card:
    return Card(**payment["inner"]["card"])


class Moves:
    def __init__(self, store: Store, settings: Settings, events: Events) -> None:
        self._store, self._settings, self._events = store, settings, events

    def run_card(self, payment: dict[str, Any], card: Card) -> None:
        """Let the bank decide about `card`."""
        payment["inner"]["card"] = asdict(card)
        payment["card"] = {"brand": card.brand, "last4": card.last4}
        if card.outcome == "requires_action":
            self.ask(payment, "3ds")
        elif card.outcome == "declined":
            self.decline(payment, card.decline_code or "card_declined")
        elif card.outcome == "captured":
            self.approve(payment)
        else:
            self._store.save(payment)

    def ask(self, payment: dict[str, Any], page: str) -> None:
        payment["status"] = "requires_action"
        url = f"{payment['inner']['base']}/{page}/{payment['id']}"
        payment["next_action"] = {"type": "redirect", "url": url}
        self.tell("payment.requires_action", payment)

    def approve(self, payment: dict[str, Any]) -> None:
        """Authorize, and capture unless the creator wants to do that later."""
        if payment["inner"].get("capture") == "manual":
            payment |= {"status": "authorized", "next_action": None}
            self.tell("payment.authorized", payment)
        elif card_of(payment).webhooks == "reordered":
            self._approve_reordered(payment)
        else:
            self.take(payment, payment["amount"])

    def take(self, payment: dict[str, Any], amount: int, wait: float = 0) -> None:
        payment |= {
            "status": "captured",
            "amount_captured": amount,
            "next_action": None,
            "decline_code": None,
        }
        self.tell("payment.captured", payment, wait=wait, booked=now())
        if card_of(payment).disputed:
            self.schedule("dispute", payment["id"])

    def _approve_reordered(self, payment: dict[str, Any]) -> None:
        # Told in the order captured, authorized, processing: each with the state of its own moment.
        self._events.emit("payment.processing", payment, wait=1.0)
        self._events.emit("payment.authorized", {**payment, "status": "authorized"}, wait=0.5)
        self.take(payment, payment["amount"])

    def decline(self, payment: dict[str, Any], code: str) -> None:
        payment |= {"status": "declined", "decline_code": code, "next_action": None}
        self.tell("payment.declined", payment)
        self.late(payment)

    def late(self, payment: dict[str, Any]) -> None:
        if card_of(payment).late_capture == payment["status"]:
            self.schedule("late_authorize", payment["id"])

    def tell(
        self, event: str, payment: dict[str, Any], *, wait: float = 0, booked: float | None = None
    ) -> None:
        self._store.save(payment, booked=booked)
        card = card_of(payment)
        if card.answer == "timeout_after":  # told sooner, whoever waits would know before the wait is over
            wait += self._settings.tuning["timeout_seconds"]
        fate = "send" if card.webhooks == "reordered" else card.webhooks
        self._events.emit(event, payment, wait=wait, fate=fate)

    def schedule(self, action: str, target: str) -> None:
        """Let `action` happen after `late_seconds`, restart or not."""
        due = now() + self._settings.tuning["late_seconds"]
        self._store.execute("INSERT INTO timers(due, action, target) VALUES (?, ?, ?)", due, action, target)
