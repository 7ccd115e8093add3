"""The background: sends webhooks (at least once, with backoff, restartable) and does what is due later."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import urllib3

from sandbox.gateway.events import signature_header
from sandbox.gateway.settings import Settings
from sandbox.gateway.store import Store, now, rfc3339

SENDERS = 8
BATCH = 200


class Delivery:
    """`actions` maps a timer's action to what does it."""

    def __init__(self, store: Store, settings: Settings, actions: dict[str, Callable[[str], Any]]) -> None:
        self._store, self._settings, self._actions = store, settings, actions
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=SENDERS, retries=False)
        self._ready: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._under_way: set[int] = set()
        self._wake = threading.Event()

    def start(self) -> None:
        # Sent by hand when the process died: nobody knows whether they arrived, so they are sent again.
        self._store.execute("UPDATE deliveries SET state = 'pending' WHERE state = 'manual'")
        self._store.on_work = self._wake.set
        threading.Thread(target=self._dispatch, daemon=True, name="dispatch").start()
        for number in range(SENDERS):
            threading.Thread(target=self._send_forever, daemon=True, name=f"send-{number}").start()

    def advance(self, seconds: int) -> None:
        """Bring everything that waits for its time forward."""
        with self._store.transaction():
            self._store.execute("UPDATE timers SET due = due - ?", seconds)
            self._store.execute("UPDATE deliveries SET due = due - ? WHERE state = 'pending'", seconds)

    def calm(self, seconds: float) -> None:
        """Wait until nothing is being sent, but not longer than `seconds`."""
        end = time.monotonic() + seconds
        while self._under_way and time.monotonic() < end:
            time.sleep(0.005)

    def _dispatch(self) -> None:
        while True:
            self._wake.clear()
            self._run_timers()
            for row in self._due():
                self._under_way.add(row["id"])
                self._ready.put(row["id"])
            self._wake.wait(self._seconds_until_next())
            time.sleep(0.005)  # a busy gateway commits all the time: look once for several commits

    def _due(self) -> list[Any]:
        room = BATCH - len(self._under_way)
        if room <= 0 or self._settings.dead or not self._settings.webhooks["url"]:
            return []
        rows = self._store.all(
            "SELECT id FROM deliveries WHERE state = 'pending' AND due <= ? ORDER BY due LIMIT ?",
            now(),
            BATCH,
        )
        return [row for row in rows if row["id"] not in self._under_way][:room]

    def _seconds_until_next(self) -> float:
        rows = self._store.all("SELECT min(due) AS due FROM timers")
        rows += self._store.all(
            "SELECT min(due) AS due FROM deliveries WHERE state = 'pending' AND due > ?", now()
        )
        dues = [row["due"] for row in rows if row["due"] is not None]
        return max(0.0, min(dues) - now()) if dues else 5.0

    def _run_timers(self) -> None:
        for timer in self._store.all("SELECT * FROM timers WHERE due <= ? ORDER BY id LIMIT 100", now()):
            try:
                self._actions[timer["action"]](timer["target"])
            except Exception as error:  # the object moved on, or was reset: what was due is not due any more
                print(f"gateway: timer {timer['action']} {timer['target']}: {error}", flush=True)
            self._store.execute("DELETE FROM timers WHERE id = ?", timer["id"])

    def _send_forever(self) -> None:
        while True:
            delivery_id = self._ready.get()
            try:
                self.attempt(delivery_id)
            except Exception as error:  # a sender must not die: the delivery stays pending
                print(f"gateway: delivery {delivery_id}: {error!r}", flush=True)
                time.sleep(1)
            self._under_way.discard(delivery_id)
            self._wake.set()

    def attempt(self, delivery_id: int) -> dict[str, Any] | None:
        """Send one delivery now, log it and plan what follows; None if it is gone. 2xx means taken."""
        row = self._store.one(
            "SELECT d.*, e.body FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = ?", delivery_id
        )
        if row is None or row["state"] == "dropped":
            return None
        started, began = now(), time.monotonic()
        status, error = self._post(row["body"].encode(), row["flaw"])
        taken = status is not None and 200 <= status < 300
        delays = self._settings.tuning["retry_seconds"]
        attempts = row["attempts"] + 1
        state = "delivered" if taken else "failed" if attempts > len(delays) else "pending"
        due = now() + delays[attempts - 1] if state == "pending" else row["due"]
        spent = round((time.monotonic() - began) * 1000, 1)
        with self._store.transaction():
            self._store.execute(
                "UPDATE deliveries SET state = ?, due = ?, attempts = ? WHERE id = ? AND state != 'dropped'",
                state,
                due,
                attempts,
                delivery_id,
            )
            self._store.execute(
                "INSERT INTO attempts(delivery, at, status, error, milliseconds) VALUES (?, ?, ?, ?, ?)",
                delivery_id,
                started,
                status,
                error,
                spent,
            )
        return {
            "delivery": delivery_id,
            "event": row["event"],
            "status": status,
            "error": error,
            "state": state,
            "at": rfc3339(started),
            "milliseconds": spent,
        }

    def _post(self, body: bytes, flaw: str | None) -> tuple[int | None, str | None]:
        secrets = self._settings.webhooks["secrets"]
        header = signature_header(
            body, ["not-the-secret"] if flaw == "bad_signature" else secrets, int(now())
        )
        headers = {
            "Content-Type": "application/json",
            "Sandbox-Signature": header,
            "User-Agent": "sandbox-gateway",
        }
        try:
            reply = self._pool.request(
                "POST",
                self._settings.webhooks["url"],
                body=body,
                headers=headers,
                redirect=False,
                timeout=urllib3.Timeout(connect=3, read=10),
            )
        except urllib3.exceptions.HTTPError as error:
            return None, f"{type(error).__name__}: {error}"[:300]
        return int(reply.status), None
