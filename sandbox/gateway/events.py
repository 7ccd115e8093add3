"""Webhook events: written, with their planned deliveries, in the transaction of the change they tell of."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from sandbox.gateway.settings import Settings
from sandbox.gateway.store import Store, now, rfc3339


def public(doc: dict[str, Any]) -> dict[str, Any]:
    """The document as the API shows it."""
    return {name: value for name, value in doc.items() if name != "inner"}


def signature_header(body: bytes, secrets: list[str], timestamp: int) -> str:
    """`t=<unix>,v1=<hex>` with one v1 a secret: HMAC-SHA256 over "<t>.<raw body>" (Stripe's scheme)."""
    signed = f"{timestamp}.".encode() + body
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])


class Events:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings

    def emit(
        self,
        kind: str,
        payment: dict[str, Any],
        *,
        fate: str = "send",
        wait: float = 0,
        **more: dict[str, Any],
    ) -> None:
        """Record `kind` for `payment` (and `refund=`, `dispute=`); `wait`: seconds on top of the usual."""
        what = (
            more["refund"]["id"] if "refund" in more else more["dispute"]["id"] if "dispute" in more else ""
        )
        page = payment["next_action"]["url"].split("/")[-2] if payment["next_action"] else ""
        event_id = self._store.derive("evt", f"{payment['id']}:{kind}:{what}{page}")
        data = {name: public(doc) for name, doc in {"payment": payment, **more}.items()}
        created = now()
        body = {"id": event_id, "type": kind, "created_at": rfc3339(created), "data": data}
        self._store.execute(
            "INSERT INTO events(id, type, payment, created, body) VALUES (?, ?, ?, ?, ?)",
            event_id,
            kind,
            payment["id"],
            created,
            json.dumps(body, separators=(",", ":")),
        )
        if fate == "send":
            fate = self._settings.pick_webhook(event_id) or "send"
        self._plan(event_id, fate, created + self._settings.tuning["webhook_delay_seconds"] + wait)

    def _plan(self, event_id: str, fate: str, due: float) -> None:
        late = self._settings.tuning["late_seconds"]
        mode = self._settings.webhooks["mode"]
        times = {"duplicate": [due, due, due + 0.3], "late": [due + late], "reordered": [due + 1.5]}
        state = {"send": "pending", "hold": "held", "drop": "dropped"}[mode]
        for at in times.get(fate, [due]):
            self.plan_delivery(
                event_id,
                state="dropped" if fate == "lost" else state,
                due=at,
                flaw="bad_signature" if fate == "bad_signature" else None,
            )

    def plan_delivery(self, event_id: str, *, state: str, due: float, flaw: str | None) -> int:
        """Returns the delivery's id."""
        cursor = self._store.execute(
            "INSERT INTO deliveries(event, state, due, flaw) VALUES (?, ?, ?, ?)", event_id, state, due, flaw
        )
        return int(cursor.lastrowid or 0)
