"""Balance transactions and disputes as Stripe's published OpenAPI has them; what `recorded.py` answers with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

Form = dict[str, str]
FEE = 340
DISPUTE_FEE = 12_000


class RecordedBooks:
    """`booked` and `disputes`, newest first. What a call does not ask to be expanded is told as an id."""

    def __init__(self, numbers: Iterator[int], happened: Callable[[str, dict[str, Any]], None]) -> None:
        self.booked: list[dict[str, Any]] = []
        self.disputes: list[dict[str, Any]] = []
        self._numbers, self._happened = numbers, happened

    def book(self, kind: str, amount: int, source: dict[str, Any], fee: int | None = None) -> dict[str, Any]:
        fee = FEE if fee is None and kind == "charge" else fee or 0
        entry = {
            "id": f"txn_{next(self._numbers)}",
            "object": "balance_transaction",
            "type": kind,
            "created": int(time.time()),
            "amount": amount,
            "currency": source.get("currency", "hkd"),
            "exchange_rate": None,
            "fee": fee,
            "net": amount - fee,
            "reporting_category": kind,
            "status": "pending",
            "source": source,
        }
        self.booked.insert(0, entry)
        return entry

    def dispute(
        self, intent: dict[str, Any], reason: str = "fraudulent", *, amount: int | None = None
    ) -> dict[str, Any]:
        """The card holder calls the bank: the money leaves the account at once."""
        dispute = {
            "id": f"du_{next(self._numbers)}",
            "object": "dispute",
            "created": int(time.time()),
            "status": "needs_response",
            "amount": intent["amount"] if amount is None else amount,
            "currency": intent["currency"],
            "charge": intent["latest_charge"]["id"],
            "payment_intent": intent,
            "reason": reason,
            "metadata": {},
            "is_charge_refundable": False,
            "evidence_details": {"due_by": int(time.time()) + 7 * 86_400, "past_due": False},
            "balance_transactions": [],
        }
        self.disputes.insert(0, dispute)
        self._move(dispute, -dispute["amount"], DISPUTE_FEE)
        self._tell("charge.dispute.created", dispute)
        return dispute

    def is_disputed(self, intent: dict[str, Any]) -> bool:
        return any(one["payment_intent"] is intent and one["status"] != "won" for one in self.disputes)

    def decide(self, dispute: dict[str, Any], outcome: str) -> None:
        dispute["status"] = outcome
        if outcome == "won":
            self._move(dispute, dispute["amount"], -DISPUTE_FEE)
        self._tell("charge.dispute.closed", dispute)

    def in_time(self, form: Form) -> list[dict[str, Any]]:
        """The entries of the time that was asked for."""
        first, last = int(form["created[gte]"]), int(form["created[lt]"])
        found = [entry for entry in self.booked if first <= entry["created"] < last]
        if form.get("expand[0]") != "data.source":
            return [{**entry, "source": entry["source"]["id"]} for entry in found]
        return [{**entry, "source": _with_id(entry["source"])} for entry in found]

    def told(self, form: Form) -> list[dict[str, Any]]:
        """The disputes since the time that was asked for."""
        found = [one for one in self.disputes if one["created"] >= int(form.get("created[gte]", 0))]
        is_expanded = form.get("expand[0]") in ("payment_intent", "data.payment_intent")
        return found if is_expanded else [_with_id(one) for one in found]

    def _move(self, dispute: dict[str, Any], amount: int, fee: int) -> None:
        entry = self.book("adjustment", amount, dispute, fee)
        dispute["balance_transactions"].append({"id": entry["id"], "amount": amount})

    def _tell(self, kind: str, dispute: dict[str, Any]) -> None:
        self._happened(kind, {**_with_id(dispute), "balance_transactions": []})


def _with_id(source: dict[str, Any]) -> dict[str, Any]:
    about = source.get("payment_intent")
    return {**source, "payment_intent": about["id"]} if isinstance(about, dict) else source
