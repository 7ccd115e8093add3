"""Payments: what the bank knows. Every verb is one transaction, and says the truth that it left behind.

States: processing -> requires_action | authorized | captured | declined | canceled; requires_action -> the same;
authorized -> captured | canceled; and declined | canceled -> captured, the late authorization.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sandbox.gateway.cards import MESSAGES, NUMBERS, TOKENS, Card
from sandbox.gateway.errors import ApiError, conflict, invalid, not_found
from sandbox.gateway.events import Events, public
from sandbox.gateway.settings import Settings
from sandbox.gateway.store import Store, now

OPEN = ("processing", "requires_action")
Answer = tuple[int, dict[str, Any]]


def card_of(payment: dict[str, Any]) -> Card:
    return Card(**payment["inner"]["card"])


def mismatch() -> ApiError:
    return conflict("idempotency_mismatch", "This Idempotency-Key was used with another body.")


class Payments:
    def __init__(self, store: Store, settings: Settings, events: Events) -> None:
        self._store, self._settings, self._events = store, settings, events

    # reading --------------------------------------------------------------------------------------------------
    def get(self, payment_id: str) -> dict[str, Any]:
        payment = self._store.find("payment", payment_id)
        if payment is None:
            raise not_found("payment")
        return payment

    def get_by_key(self, key: str) -> dict[str, Any]:
        row = self._store.find_by_key("payment", key)
        if row is None:
            raise not_found("payment")
        return dict(json.loads(row["doc"]))

    def replay(self, key: str, fingerprint: str) -> Answer | None:
        """The first answer to this key, or None if it is new. Raises ApiError for another body."""
        row = self._store.find_by_key("payment", key)
        if row is None:
            return None
        if row["fingerprint"] is None:  # its key was canceled before the request came
            raise conflict("payment_canceled", "This key was canceled.", public(json.loads(row["doc"])))
        if row["fingerprint"] != fingerprint:
            raise mismatch()
        status, body = json.loads(row["answer"])
        return status, body

    # creating -------------------------------------------------------------------------------------------------
    def create(self, body: dict[str, Any], *, key: str, fingerprint: str, base_url: str) -> Answer:
        """`body` is validated. Raises ApiError for a key that was used otherwise, or canceled."""
        with self._store.transaction():
            replayed = self.replay(key, fingerprint)
            if replayed is not None:
                return replayed
            card = self.find_card(body)
            payment = self._new(key, amount=body["amount"], currency=body["currency"], reference=body["reference"])
            payment["metadata"] = body["metadata"]
            payment["inner"] = {
                "card": asdict(card), "capture": body["capture"], "return_url": body["return_url"], "base": base_url
            }  # fmt: skip
            if body.get("method") != "hosted":
                payment["card"] = {"brand": card.brand, "last4": card.last4}
            payment["amount"] += card.extra
            self._store.insert(payment, key=key, parent=None, fingerprint=fingerprint)
            early = public(payment)
            if body.get("method") == "hosted":
                self._ask(payment, "pay")
            else:
                self.run_card(payment, card)
            answer = (201, early) if card.answer == "hidden" else self.answer(payment)
            self._store.remember_answer(payment["id"], *answer)
        return answer

    def find_card(self, body: dict[str, Any]) -> Card:
        if body.get("method") == "hosted":
            return Card()
        token = body["payment_token"]
        saved = self._store.find("card", token)
        token = saved["inner"]["token"] if saved else token
        if token not in TOKENS:
            raise invalid("payment_token", "unknown token")
        return TOKENS[token]

    def _new(self, key: str, *, amount: int, currency: str | None, reference: str | None) -> dict[str, Any]:
        return {
            "id": self._store.derive("pay", key), "object": "payment", "status": "processing", "amount": amount,
            "amount_captured": 0, "amount_refunded": 0, "currency": currency, "reference": reference,
            "idempotency_key": key, "decline_code": None, "next_action": None, "card": None, "disputed": False,
            "tombstone": False, "metadata": {}, "inner": {},
        }  # fmt: skip

    def answer(self, payment: dict[str, Any]) -> Answer:
        if payment["status"] != "declined":
            return 201, public(payment)
        code = payment["decline_code"]
        error = {"type": "card_error", "code": code, "message": MESSAGES[code]}
        return 402, {"error": error, "payment": public(payment)}

    # what happens to them (inside a transaction) ----------------------------------------------------------------
    def run_card(self, payment: dict[str, Any], card: Card) -> None:
        """Let the bank decide about `card`."""
        payment["inner"]["card"] = asdict(card)
        payment["card"] = {"brand": card.brand, "last4": card.last4}
        if card.outcome == "requires_action":
            self._ask(payment, "3ds")
        elif card.outcome == "declined":
            self.decline(payment, card.decline_code or "card_declined")
        elif card.outcome == "captured":
            self.approve(payment)
        else:
            self._store.save(payment)

    def _ask(self, payment: dict[str, Any], page: str) -> None:
        payment["status"] = "requires_action"
        url = f"{payment['inner']['base']}/{page}/{payment['id']}"
        payment["next_action"] = {"type": "redirect", "url": url}
        self._tell("payment.requires_action", payment)

    def approve(self, payment: dict[str, Any]) -> None:
        """Authorize, and capture unless the creator wants to do that later."""
        if payment["inner"].get("capture") == "manual":
            payment |= {"status": "authorized", "next_action": None}
            self._tell("payment.authorized", payment)
        elif card_of(payment).webhooks == "reordered":
            self._approve_reordered(payment)
        else:
            self.take(payment, payment["amount"])

    def take(self, payment: dict[str, Any], amount: int, wait: float = 0) -> None:
        payment |= {"status": "captured", "amount_captured": amount, "next_action": None, "decline_code": None}
        self._tell("payment.captured", payment, wait=wait, booked=now())
        if card_of(payment).disputed:
            self.schedule("dispute", payment["id"])

    def _approve_reordered(self, payment: dict[str, Any]) -> None:
        # Told in the order captured, authorized, processing: each with the state of its own moment.
        self._events.emit("payment.processing", payment, wait=1.0)
        self._events.emit("payment.authorized", {**payment, "status": "authorized"}, wait=0.5)
        self.take(payment, payment["amount"])

    def decline(self, payment: dict[str, Any], code: str) -> None:
        payment |= {"status": "declined", "decline_code": code, "next_action": None}
        self._tell("payment.declined", payment)
        self._late(payment)

    def _late(self, payment: dict[str, Any]) -> None:
        if card_of(payment).late_capture == payment["status"]:
            self.schedule("late_authorize", payment["id"])

    def _tell(
        self, event: str, payment: dict[str, Any], *, wait: float = 0, booked: float | None = None
    ) -> None:
        self._store.save(payment, booked=booked)
        fate = card_of(payment).webhooks
        self._events.emit(event, payment, wait=wait, fate="send" if fate == "reordered" else fate)

    def schedule(self, action: str, target: str) -> None:
        """Let `action` happen after `late_seconds`, restart or not."""
        due = now() + self._settings.tuning["late_seconds"]
        self._store.execute("INSERT INTO timers(due, action, target) VALUES (?, ?, ?)", due, action, target)

    # what others do to them -------------------------------------------------------------------------------------
    def cancel(self, payment_id: str) -> dict[str, Any]:
        """Returns the payment: canceled, or declined already. Raises ApiError with the payment if it is captured."""
        with self._store.transaction():
            return self._cancel(self.get(payment_id))

    def cancel_by_key(self, key: str) -> dict[str, Any]:
        """As `cancel`; a key never seen becomes a canceled payment, so that a create on its way cannot charge."""
        with self._store.transaction():
            if self._store.find_by_key("payment", key) is not None:
                return self._cancel(self.get_by_key(key))
            payment = self._new(key, amount=0, currency=None, reference=None)
            payment |= {"status": "canceled", "tombstone": True}
            payment["inner"] = {"card": asdict(Card())}
            self._store.insert(payment, key=key, parent=None, fingerprint=None)
            self._events.emit("payment.canceled", payment)
            return public(payment)

    def _cancel(self, payment: dict[str, Any]) -> dict[str, Any]:
        if payment["status"] == "captured":
            raise conflict("payment_captured", "The payment was captured: refund it instead.", public(payment))
        if payment["status"] in (*OPEN, "authorized"):
            payment |= {"status": "canceled", "next_action": None}
            self._tell("payment.canceled", payment)
            self._late(payment)
        return public(payment)

    def capture(self, payment_id: str, amount: int | None) -> dict[str, Any]:
        """Take up to the authorized amount, once; what is left over is released. The same again is no error."""
        with self._store.transaction():
            payment = self.get(payment_id)
            wanted = payment["amount"] if amount is None else amount
            if payment["status"] == "captured" and payment["amount_captured"] == wanted:
                return public(payment)
            if payment["status"] != "authorized":
                raise conflict("payment_not_authorized", "Only an authorized payment can be captured.", public(payment))
            if wanted > payment["amount"]:
                raise conflict("capture_exceeds_amount", "More than was authorized.", public(payment))
            self.take(payment, wanted)
            return public(payment)

    def settle(self, payment_id: str, outcome: str) -> dict[str, Any]:
        """End a payment that waits (bank or shopper) as `paid` or `declined`; raises ApiError if it does not wait."""
        with self._store.transaction():
            payment = self._waiting(payment_id)
            if outcome == "paid":
                self.approve(payment)
            else:
                challenged = payment["next_action"] and "/3ds/" in payment["next_action"]["url"]
                self.decline(payment, "authentication_failed" if challenged else "card_declined")
            return public(payment)

    def pay_with_number(self, payment_id: str, number: str) -> dict[str, Any]:
        """The shopper's card on the hosted page. Raises ApiError for an unknown test number."""
        card = NUMBERS.get(number)
        if card is None:
            raise invalid("number", "not one of the test card numbers")
        with self._store.transaction():
            payment = self._waiting(payment_id)
            self.run_card(payment, card)
            return public(payment)

    def _waiting(self, payment_id: str) -> dict[str, Any]:
        payment = self.get(payment_id)
        if payment["status"] not in OPEN:
            raise conflict("payment_final", f"The payment is {payment['status']} already.", public(payment))
        return payment

    def late_authorize(self, payment_id: str) -> dict[str, Any]:
        """The bank takes the money after it was declined or canceled."""
        with self._store.transaction():
            payment = self.get(payment_id)
            if payment["status"] not in ("declined", "canceled") or payment["tombstone"]:
                raise conflict("payment_not_closed", "Only a declined or canceled payment.", public(payment))
            self.take(payment, payment["amount"])
            return public(payment)
