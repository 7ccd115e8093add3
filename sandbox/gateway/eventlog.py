"""What the control API shows of events and does with them: list, resend, duplicate, drop, flush in any order."""

from __future__ import annotations

import json
from typing import Any

from sandbox.gateway.bank import Bank
from sandbox.gateway.errors import invalid, not_found
from sandbox.gateway.events import signature_header
from sandbox.gateway.store import now, rfc3339

WAITING = "('pending', 'held')"


def listed(bank: Bank, *, payment: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Events in the order in which they happened, each with raw body, a fresh signature and its delivery log."""
    where, values = ("payment = ? AND", [payment]) if payment else ("", [])
    rows = bank.store.all(
        f"SELECT * FROM events WHERE {where} number > ? ORDER BY number LIMIT ?", *values, after, limit
    )
    return [_shown(bank, row) for row in rows]


def newest(bank: Bank, limit: int) -> list[dict[str, Any]]:
    return [_shown(bank, row) for row in bank.store.all("SELECT * FROM events ORDER BY number DESC LIMIT ?", limit)]


def _shown(bank: Bank, row: Any) -> dict[str, Any]:
    log = bank.store.all(
        "SELECT d.id AS delivery, d.state, d.flaw, d.attempts, a.at, a.status, a.error, a.milliseconds "
        "FROM deliveries d LEFT JOIN attempts a ON a.delivery = d.id WHERE d.event = ? ORDER BY d.id, a.id",
        row["id"],
    )
    attempts = [dict(entry) | {"at": rfc3339(entry["at"]) if entry["at"] else None} for entry in log]
    signature = signature_header(row["body"].encode(), bank.settings.webhooks["secrets"], int(now()))
    return {
        "number": row["number"], "id": row["id"], "type": row["type"], "payment": row["payment"],
        "created_at": rfc3339(row["created"]), "raw": row["body"], "body": json.loads(row["body"]),
        "signature": signature, "deliveries": attempts,
    }  # fmt: skip


def act(bank: Bank, event_id: str, action: str) -> list[dict[str, Any]]:
    """`resend`, `duplicate` (three more at once) and `bad-signature` send now; `drop` stops what is not sent yet."""
    if bank.store.one("SELECT 1 FROM events WHERE id = ?", event_id) is None:
        raise not_found("event")
    if action == "drop":
        bank.store.execute(
            f"UPDATE deliveries SET state = 'dropped' WHERE event = ? AND state IN {WAITING}", event_id
        )
        return []
    copies = {"resend": 1, "duplicate": 3, "bad-signature": 1}
    if action not in copies:
        raise not_found("action")
    flaw = "bad_signature" if action == "bad-signature" else None
    return [_send(bank, event_id, flaw) for _ in range(copies[action])]


def _send(bank: Bank, event_id: str, flaw: str | None) -> dict[str, Any]:
    # "manual" until sent: the background must not send it as well.
    delivery_id = bank.events.plan_delivery(event_id, state="manual", due=now(), flaw=flaw)
    return bank.delivery.attempt(delivery_id) or {}


def flush(bank: Bank, events: Any, order: str) -> list[dict[str, Any]]:
    """Send waiting deliveries one after the other: `oldest` or `newest` first, or exactly `events` in their order."""
    orders = {"oldest": "id", "newest": "id DESC"}
    if order not in orders:
        raise invalid("order", "must be oldest or newest")
    if events is not None and not (isinstance(events, list) and all(isinstance(event, str) for event in events)):
        raise invalid("events", "must be a list of event ids")
    with bank.store.transaction():
        rows = bank.store.all(
            f"SELECT id, event FROM deliveries WHERE state IN {WAITING} ORDER BY {orders[order]}"
        )
        if events is not None:
            rows = sorted((row for row in rows if row["event"] in events), key=lambda row: events.index(row["event"]))
        for row in rows:
            bank.store.execute("UPDATE deliveries SET state = 'manual' WHERE id = ?", row["id"])
    return [done for row in rows if (done := bank.delivery.attempt(row["id"]))]
