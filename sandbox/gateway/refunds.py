"""Money that goes back: refunds (never more than was captured) and disputes."""

from __future__ import annotations

import json
from typing import Any

from sandbox.gateway.errors import conflict, not_found
from sandbox.gateway.events import Events, public
from sandbox.gateway.moves import card_of
from sandbox.gateway.payments import Answer, Payments, mismatch
from sandbox.gateway.store import Store, now, rfc3339

DAYS_TO_ANSWER = 7
ENDS = {("pending", "succeeded"), ("pending", "failed"), ("succeeded", "failed")}
"""A refund that has succeeded comes back when the card's account is gone."""


class Refunds:
    def __init__(self, store: Store, events: Events, payments: Payments) -> None:
        self._store, self._events, self._payments = store, events, payments

    def get(self, refund_id: str) -> dict[str, Any]:
        refund = self._store.find("refund", refund_id)
        if refund is None:
            raise not_found("refund")
        return refund

    def get_dispute(self, dispute_id: str) -> dict[str, Any]:
        dispute = self._store.find("dispute", dispute_id)
        if dispute is None:
            raise not_found("dispute")
        return dispute

    def get_by_key(self, key: str) -> dict[str, Any]:
        row = self._store.find_by_key("refund", key)
        if row is None:
            raise not_found("refund")
        return dict(json.loads(row["doc"]))

    def replay(self, key: str, fingerprint: str) -> Answer | None:
        row = self._store.find_by_key("refund", key)
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise mismatch()
        status, body = json.loads(row["answer"])
        return status, body

    def create(
        self, payment_id: str, *, amount: int | None, reason: str | None, key: str, fingerprint: str
    ) -> Answer:
        """`amount` None: all that is left. Raises ApiError: more than is left, not captured, or disputed."""
        with self._store.transaction():
            replayed = self.replay(key, fingerprint)
            if replayed is not None:
                return replayed
            payment = self._payments.get(payment_id)
            left = payment["amount_captured"] - payment["amount_refunded"]
            wanted = left if amount is None else amount
            if payment["status"] != "captured":
                raise conflict("payment_not_captured", "A refund needs a captured payment.", public(payment))
            if self._is_disputed(payment_id, left, wanted):
                raise conflict("payment_disputed", "The bank decides about it, or has.", public(payment))
            if wanted > left or wanted < 1:
                raise conflict("refund_exceeds_captured", f"Only {left} can be refunded.", public(payment))
            refund = {
                "id": self._store.derive("re", key),
                "object": "refund",
                "status": "pending",
                "payment": payment_id,
                "amount": wanted,
                "currency": payment["currency"],
                "reason": reason,
                "idempotency_key": key,
                "failure_code": None,
            }
            payment["amount_refunded"] += wanted
            self._store.insert(refund, key=key, parent=payment_id, fingerprint=fingerprint)
            self._finish(refund, payment, card_of(payment).refunds)
            answer = 201, public(refund)
            self._store.remember_answer(str(refund["id"]), *answer)
        return answer

    def _is_disputed(self, payment_id: str, left: int, wanted: int) -> bool:
        """Nothing can be refunded while the bank decides, and never what it took back."""
        dispute = self._store.find("dispute", self._store.derive("dp", payment_id))
        if dispute is None or dispute["status"] == "won":
            return False
        return dispute["status"] == "open" or left - int(dispute["amount"]) < wanted <= left

    def _finish(self, refund: dict[str, Any], payment: dict[str, Any], outcome: str) -> None:
        self._store.save(payment)
        if outcome == "pending":
            self._events.emit("refund.pending", payment, refund=refund)
            self._payments.moves.schedule("refund", refund["id"])
            return
        refund["status"] = outcome
        if outcome == "failed":
            refund["failure_code"] = "refund_rejected"
            payment["amount_refunded"] -= refund["amount"]
            self._store.save(payment)
        self._store.save(refund, booked=now() if outcome == "succeeded" else None)
        fate = card_of(payment).webhooks
        fate = "send" if fate == "reordered" else fate
        self._events.emit(f"refund.{outcome}", payment, refund=refund, fate=fate)

    def settle(self, refund_id: str, outcome: str) -> dict[str, Any]:
        """End a pending refund as `succeeded` or `failed`; one that has succeeded may become `failed` later."""
        with self._store.transaction():
            refund = self.get(refund_id)
            if (refund["status"], outcome) not in ENDS:
                raise conflict("refund_final", f"The refund is {refund['status']} already.")
            self._finish(refund, self._payments.get(refund["payment"]), outcome)
            return public(refund)

    def open_dispute(self, payment_id: str, reason: str, *, amount: int | None = None) -> dict[str, Any]:
        """The card holder wants the money back; one dispute a payment. `amount` None: all that is left of it."""
        with self._store.transaction():
            payment = self._payments.get(payment_id)
            if payment["status"] != "captured" or payment["disputed"]:
                raise conflict("payment_not_disputable", "Only a captured payment, once.", public(payment))
            left = payment["amount_captured"] - payment["amount_refunded"]
            if amount is not None and amount > left:
                raise conflict("dispute_exceeds_captured", f"Only {left} can be disputed.", public(payment))
            dispute = {
                "id": self._store.derive("dp", payment_id),
                "object": "dispute",
                "status": "open",
                "payment": payment_id,
                "amount": left if amount is None else amount,
                "currency": payment["currency"],
                "reason": reason,
                "respond_by": rfc3339(now() + DAYS_TO_ANSWER * 86_400),
            }
            payment["disputed"] = True
            self._store.save(payment)
            self._store.insert(dispute, key=None, parent=payment_id, fingerprint=None)
            self._events.emit("dispute.opened", payment, dispute=dispute)
            return public(dispute)

    def close_dispute(self, dispute_id: str, outcome: str, *, amount: int | None = None) -> dict[str, Any]:
        """`won`: the shop keeps the money; `lost`: it is taken from the shop and shown in the report. `amount`: the
        bank takes less than was disputed."""
        with self._store.transaction():
            dispute = self.get_dispute(dispute_id)
            if dispute["status"] != "open":
                raise conflict("dispute_final", f"The dispute is {dispute['status']} already.")
            if amount is not None and (outcome != "lost" or amount > dispute["amount"]):
                raise conflict("dispute_amount", "A lost dispute takes what was disputed, or less.")
            payment = self._payments.get(dispute["payment"])
            dispute |= {"status": outcome, "amount": amount or dispute["amount"]}
            self._store.save(payment)
            self._store.save(dispute, booked=now() if outcome == "lost" else None)
            self._events.emit(f"dispute.{outcome}", payment, dispute=dispute)
            return public(dispute)
