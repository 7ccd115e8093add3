"""Payments: what the bank knows. Every verb is one transaction, and says the truth that it left behind.

A payment that is cancelled by its key before it came is a canceled payment without amount, a tombstone.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sandbox.gateway.cards import MESSAGES, NUMBERS, TOKENS, Card
from sandbox.gateway.errors import ApiError, conflict, invalid, not_found
from sandbox.gateway.events import Events, public
from sandbox.gateway.moves import OPEN, Moves
from sandbox.gateway.settings import Settings
from sandbox.gateway.store import Store

Answer = tuple[int, dict[str, Any]]


def mismatch() -> ApiError:
    return conflict("idempotency_mismatch", "This Idempotency-Key was used with another body.")


class Payments:
    def __init__(self, store: Store, settings: Settings, events: Events) -> None:
        self._store, self._events = store, events
        self.moves = Moves(store, settings, events)

    # reading
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

    # creating
    def create(self, body: dict[str, Any], *, key: str, fingerprint: str, base_url: str) -> Answer:
        """`body` is validated. Raises ApiError for a key that was used otherwise, or canceled."""
        with self._store.transaction():
            replayed = self.replay(key, fingerprint)
            if replayed is not None:
                return replayed
            card = self.find_card(body)
            payment = self._new(
                key, amount=body["amount"], currency=body["currency"], reference=body["reference"]
            )
            payment["metadata"] = body["metadata"]
            payment["inner"] = {
                "card": asdict(card),
                "capture": body["capture"],
                "return_url": body["return_url"],
                "base": base_url,
            }
            if body.get("method") != "hosted":
                payment["card"] = {"brand": card.brand, "last4": card.last4}
            payment["amount"] += card.extra
            self._store.insert(payment, key=key, parent=None, fingerprint=fingerprint)
            early = public(payment)
            if body.get("method") == "hosted":
                self.moves.ask(payment, "pay")
            else:
                self.moves.run_card(payment, card)
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
            "id": self._store.derive("pay", key),
            "object": "payment",
            "status": "processing",
            "amount": amount,
            "amount_captured": 0,
            "amount_refunded": 0,
            "currency": currency,
            "reference": reference,
            "idempotency_key": key,
            "decline_code": None,
            "next_action": None,
            "card": None,
            "disputed": False,
            "tombstone": False,
            "metadata": {},
            "inner": {},
        }

    def answer(self, payment: dict[str, Any]) -> Answer:
        if payment["status"] != "declined":
            return 201, public(payment)
        code = payment["decline_code"]
        error = {"type": "card_error", "code": code, "message": MESSAGES[code]}
        return 402, {"error": error, "payment": public(payment)}

    # what others do to them
    def cancel(self, payment_id: str) -> dict[str, Any]:
        """The payment: canceled, or declined already. Raises ApiError with the payment if it is captured."""
        with self._store.transaction():
            return self._cancel(self.get(payment_id))

    def cancel_by_key(self, key: str) -> dict[str, Any]:
        """As `cancel`; a key never seen becomes a canceled payment: a create on its way cannot charge."""
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
            raise conflict(
                "payment_captured", "The payment was captured: refund it instead.", public(payment)
            )
        if payment["status"] in (*OPEN, "authorized"):
            payment |= {"status": "canceled", "next_action": None}
            self.moves.tell("payment.canceled", payment)
            self.moves.late(payment)
        return public(payment)

    def capture(self, payment_id: str, amount: int | None) -> dict[str, Any]:
        """Take up to the authorized amount, once; the rest is released. The same again is no error."""
        with self._store.transaction():
            payment = self.get(payment_id)
            wanted = payment["amount"] if amount is None else amount
            if payment["status"] == "captured" and payment["amount_captured"] == wanted:
                return public(payment)
            if payment["status"] != "authorized":
                raise conflict(
                    "payment_not_authorized", "Only an authorized payment can be captured.", public(payment)
                )
            if wanted > payment["amount"]:
                raise conflict("capture_exceeds_amount", "More than was authorized.", public(payment))
            self.moves.take(payment, wanted)
            return public(payment)

    def settle(self, payment_id: str, outcome: str) -> dict[str, Any]:
        """End a payment that waits (bank or shopper) as `paid` or `declined`, else raises ApiError."""
        with self._store.transaction():
            payment = self._waiting(payment_id)
            if outcome == "paid":
                self.moves.approve(payment)
            else:
                challenged = payment["next_action"] and "/3ds/" in payment["next_action"]["url"]
                self.moves.decline(payment, "authentication_failed" if challenged else "card_declined")
            return public(payment)

    def pay_with_number(self, payment_id: str, number: str) -> dict[str, Any]:
        """The shopper's card on the hosted page. Raises ApiError for an unknown test number."""
        card = NUMBERS.get(number)
        if card is None:
            raise invalid("number", "not one of the test card numbers")
        with self._store.transaction():
            payment = self._waiting(payment_id)
            self.moves.run_card(payment, card)
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
            self.moves.take(payment, payment["amount"])
            return public(payment)
