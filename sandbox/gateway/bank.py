"""The parts of the gateway put together, and what reads across all of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.gateway.cards import TOKENS
from sandbox.gateway.delivery import Delivery
from sandbox.gateway.errors import invalid, not_found
from sandbox.gateway.events import Events
from sandbox.gateway.payments import Payments
from sandbox.gateway.refunds import Refunds
from sandbox.gateway.settings import Settings
from sandbox.gateway.store import Store, rfc3339

FEE_BASIS_POINTS = 290
"""The gateway's fee in the report: 2.9 % of what is captured, rounded half up; refunds do not return it."""


class Bank:
    def __init__(
        self, store: Store, *, key: str, webhook_url: str, webhook_secrets: list[str], public_url: str
    ) -> None:
        self.store, self.key, self.public_url = store, key, public_url
        self.settings = Settings(store, url=webhook_url, secrets=webhook_secrets)
        self.events = Events(store, self.settings)
        self.payments = Payments(store, self.settings, self.events)
        self.refunds = Refunds(store, self.events, self.payments)
        actions = {
            "late_authorize": self.payments.late_authorize,
            "dispute": lambda payment_id: self.refunds.open_dispute(payment_id, "fraudulent"),
            "refund": lambda refund_id: self.refunds.settle(refund_id, "succeeded"),
        }
        self.delivery = Delivery(store, self.settings, actions)

    def changed(
        self, kind: str, *, after: int, limit: int, created_since: float = 0, updated_since: float = 0
    ) -> list[dict[str, Any]]:
        """Documents of one kind whose sequence is above `after`, in the order of their last change."""
        rows = self.store.all(
            "SELECT doc FROM objects WHERE kind = ? AND sequence > ? AND created >= ? AND updated >= ? "
            "ORDER BY sequence LIMIT ?",
            kind,
            after,
            created_since,
            updated_since,
            limit,
        )
        return [json.loads(row["doc"]) for row in rows]

    def children(self, parent: str, kind: str) -> list[dict[str, Any]]:
        """What belongs to a payment or a customer, oldest first."""
        rows = self.store.all(
            "SELECT doc FROM objects WHERE parent = ? AND kind = ? ORDER BY created", parent, kind
        )
        return [json.loads(row["doc"]) for row in rows]

    # saved cards
    def save_card(self, customer: str, token: str) -> dict[str, Any]:
        """The saved card; its id is good as a `payment_token`. Raises ApiError for an unknown token."""
        if token not in TOKENS:
            raise invalid("payment_token", "unknown token")
        number = len(self.children(customer, "card")) + 1
        card = {
            "id": self.store.derive("card", f"{customer}:{token}:{number}"),
            "object": "card",
            "customer": customer,
            "brand": TOKENS[token].brand,
            "last4": TOKENS[token].last4,
            "inner": {"token": token},
        }
        with self.store.transaction():
            self.store.execute("DELETE FROM objects WHERE id = ?", card["id"])
            self.store.insert(card, key=None, parent=customer, fingerprint=None)
        return card

    def forget_card(self, customer: str, card_id: str) -> None:
        with self.store.transaction():
            found = self.store.execute(
                "DELETE FROM objects WHERE id = ? AND parent = ? AND kind = 'card'", card_id, customer
            )
            if found.rowcount == 0:
                raise not_found("card")

    # settlement
    def report(self, day: date) -> dict[str, Any]:
        """What was booked on that day (UTC): captures, refunds, lost disputes; signed minor units. A refund that came
        back has moved nothing in the end."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        rows = self.store.all(
            "SELECT doc, booked FROM objects WHERE booked >= ? AND booked < ? ORDER BY booked, sequence",
            start.timestamp(),
            start.timestamp() + timedelta(days=1).total_seconds(),  # the calendar has a last day
        )
        docs = [(json.loads(row["doc"]), row["booked"]) for row in rows]
        booked = [
            self._report_row(doc, at)
            for doc, at in docs
            if (doc["object"], doc["status"]) != ("refund", "failed")
        ]
        totals: dict[str, dict[str, int]] = {}
        for row in booked:
            total = totals.setdefault(row["currency"], {"amount": 0, "fee": 0, "net": 0})
            for name in total:
                total[name] += row[name]
        return {"object": "report", "day": day.isoformat(), "rows": booked, "totals": totals}

    def _report_row(self, doc: dict[str, Any], booked: float) -> dict[str, Any]:
        payment = doc if doc["object"] == "payment" else self.payments.get(doc["payment"])
        amount = doc["amount_captured"] if doc is payment else -doc["amount"]
        fee = (amount * FEE_BASIS_POINTS + 5000) // 10000 if doc is payment else 0
        return {
            "type": doc["object"],
            "id": doc["id"],
            "payment": payment["id"],
            "reference": payment["reference"],
            "idempotency_key": doc.get("idempotency_key"),
            "currency": doc["currency"],
            "amount": amount,
            "fee": fee,
            "net": amount - fee,
            "booked_at": rfc3339(booked),
        }
