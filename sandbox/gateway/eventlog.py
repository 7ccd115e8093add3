"""What the control API does with events: list, resend, duplicate, drop, flush in any order."""

from __future__ import annotations

import json
from typing import Any

from sandbox.gateway.bank import Bank
from sandbox.gateway.errors import invalid, not_found
from sandbox.gateway.events import signature_header
from sandbox.gateway.store import now, rfc3339


def listed(bank: Bank, *, payment: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Events as they happened, each with its raw body, a fresh signature and its delivery log."""
    rows = bank.store.all(
        "SELECT * FROM events WHERE (? IS NULL OR payment = ?) AND number > ? ORDER BY number LIMIT ?",
        payment,
        payment,
        after,
        limit,
    )
    return [_shown(bank, row) for row in rows]


def newest(bank: Bank, limit: int) -> list[dict[str, Any]]:
    return [
        _shown(bank, row)
        for row in bank.store.all("SELECT * FROM events ORDER BY number DESC LIMIT ?", limit)
    ]


def _shown(bank: Bank, row: Any) -> dict[str, Any]:
    log = bank.store.all(
        "SELECT d.id AS delivery, d.state, d.flaw, d.attempts, a.at, a.status, a.error, a.milliseconds "
        "FROM deliveries d LEFT JOIN attempts a ON a.delivery = d.id WHERE d.event = ? ORDER BY d.id, a.id",
        row["id"],
    )
    attempts = [dict(entry) | {"at": rfc3339(entry["at"]) if entry["at"] else None} for entry in log]
    signature = signature_header(row["body"].encode(), bank.settings.webhooks["secrets"], int(now()))
    return {
        "number": row["number"],
        "id": row["id"],
        "type": row["type"],
        "payment": row["payment"],
        "created_at": rfc3339(row["created"]),
        "raw": row["body"],
        "body": json.loads(row["body"]),
        "signature": signature,
        "deliveries": attempts,
    }


def act(bank: Bank, event_id: str, action: str) -> list[dict[str, Any]]:
    """`resend`, `duplicate` (three copies), `bad-signature`: send now; `drop`: do not send what waits."""
    if bank.store.one("SELECT 1 FROM events WHERE id = ?", event_id) is None:
        raise not_found("event")
    if action == "drop":
        bank.store.execute(
            "UPDATE deliveries SET state = 'dropped' WHERE event = ? AND state IN ('pending', 'held')",
            event_id,
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
    """Send waiting deliveries one by one: `oldest` or `newest` first, or just `events` in their order."""
    if order not in ("oldest", "newest"):
        raise invalid("order", "must be oldest or newest")
    if events is not None and not (isinstance(events, list) and all(isinstance(one, str) for one in events)):
        raise invalid("events", "must be a list of event ids")
    with bank.store.transaction():
        rows = bank.store.all(
            "SELECT id, event FROM deliveries WHERE state IN ('pending', 'held') ORDER BY id"
        )
        if order == "newest":
            rows.reverse()
        if events is not None:
            rows = [row for event in events for row in rows if row["event"] == event]
        for row in rows:
            bank.store.execute("UPDATE deliveries SET state = 'manual' WHERE id = ?", row["id"])
    return [done for row in rows if (done := bank.delivery.attempt(row["id"]))]
