"""What the control API can change, kept in the store so that a restart goes on with it; the choice of faults.

A fault strikes the next N matching requests, or each with a probability drawn from the seed, the key of the
request and how often that was seen: the same seed and the same requests meet the same faults, in whatever
order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sandbox.gateway.errors import invalid
from sandbox.gateway.store import Store

ANSWERS = (
    "timeout_before",  # withheld, nothing charged
    "delayed",  # withheld, charged only when the time is over (unless its key was canceled meanwhile)
    "timeout_after",  # charged, answer withheld
    "error_500",
    "error_500_after",
    "reset",
    "reset_after",
    "truncated",  # charged, half of the answer, then a reset
    "garbage",  # charged, 200 with a body that is not JSON
    "rate_limited",
)
WEBHOOKS = ("lost", "duplicate", "late", "reordered", "bad_signature")
FAULTS = (*ANSWERS, *(f"webhook_{name}" for name in WEBHOOKS))
TUNING: dict[str, Any] = {
    "latency_ms": 0,
    "timeout_seconds": 30.0,
    "hang_up": 0,  # 1: what was withheld never comes, the connection is closed when the time is over
    "late_seconds": 5.0,
    "webhook_delay_seconds": 0.2,
    "retry_seconds": [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600],
}
DEAD = (False, "reset", "503")
MODES = ("send", "hold", "drop")


class Settings:
    def __init__(self, store: Store, *, url: str, secrets: list[str]) -> None:
        self._store = store
        self._seen: Counter[str] = Counter()
        self.tuning: dict[str, Any] = {**TUNING, **store.setting("tuning", {})}
        self.faults: dict[str, dict[str, Any]] = store.setting("faults", {})
        self.dead: str | bool = store.setting("dead", False)
        self.webhooks: dict[str, Any] = {"mode": "send", **store.setting("webhooks", {})}
        self.webhooks |= {"url": url or self.webhooks.get("url", ""), "secrets": secrets}

    def tune(self, changes: dict[str, Any]) -> None:
        """Seconds and milliseconds. Raises ApiError for an unknown name or a value below 0."""
        for name, value in changes.items():
            if name not in TUNING:
                raise invalid(name, f"must be one of {', '.join(TUNING)}")
            numbers = value if name == "retry_seconds" and isinstance(value, list) else [value]
            if not all(isinstance(n, int | float) and not isinstance(n, bool) and n >= 0 for n in numbers):
                raise invalid(name, "must be a number of 0 or more")
        self.tuning |= changes
        self._store.set_setting("tuning", self.tuning)

    def set_fault(self, name: object, **changes: Any) -> None:
        """`probability` 0 to 1, `next` (how many), `on` (writes, reads, any); neither: off. Raises ApiError."""
        fault = {"probability": 0, "next": 0, "on": "writes", **changes}
        probability, count = fault["probability"], fault["next"]
        if name not in FAULTS:
            raise invalid("fault", f"must be one of {', '.join(FAULTS)}")
        if (
            isinstance(probability, bool)
            or not isinstance(probability, int | float)
            or not 0 <= probability <= 1
        ):
            raise invalid("probability", "must be a number from 0 to 1")
        if type(count) is not int or count < 0:
            raise invalid("next", "must be a whole number of 0 or more")
        if fault["on"] not in ("writes", "reads", "any"):
            raise invalid("on", "must be writes, reads or any")
        with self._store.lock:
            faults = {other: value for other, value in self.faults.items() if other != name}
            self.faults = {**faults, str(name): fault} if probability or count else faults
            self._store.set_setting("faults", self.faults)

    def clear_faults(self) -> None:
        self.faults, self._seen = {}, Counter()
        self.tuning = dict(TUNING)
        self._store.set_setting("faults", {})
        self._store.set_setting("tuning", {})
        self.set_dead(False)

    def set_dead(self, dead: str | bool) -> None:
        if dead not in DEAD:
            raise invalid("dead", 'must be false, "reset" or "503"')
        self.dead = dead
        self._store.set_setting("dead", dead)

    def set_webhooks(self, changes: dict[str, Any]) -> None:
        """Keys `mode`, `url`, `secrets` (one or two, the first is the new one). Raises ApiError."""
        if changes.get("mode", "send") not in MODES:
            raise invalid("mode", f"must be one of {', '.join(MODES)}")
        secrets = changes.get("secrets", ["-"])
        if not isinstance(secrets, list) or not secrets or not all(isinstance(s, str) and s for s in secrets):
            raise invalid("secrets", "must be a list of strings")
        if not isinstance(changes.get("url", ""), str):
            raise invalid("url", "must be a string")
        self.webhooks |= changes
        self._store.set_setting("webhooks", self.webhooks)

    def pick_answer(self, request: str, *, write: bool) -> str | None:
        """The fault that strikes this request, or None."""
        return self._pick(request, ANSWERS, ("writes", "any") if write else ("reads", "any"))

    def pick_webhook(self, event_id: str) -> str | None:
        """One of WEBHOOKS, or None."""
        picked = self._pick(event_id, [f"webhook_{name}" for name in WEBHOOKS], ("writes", "reads", "any"))
        return picked.removeprefix("webhook_") if picked else None

    def _pick(self, subject: str, names: Sequence[str], scopes: tuple[str, ...]) -> str | None:
        if not self.faults:
            return None
        with self._store.lock:
            self._seen[subject] += 1
            for name in names:
                fault = self.faults.get(name)
                if fault is None or fault["on"] not in scopes:
                    continue
                if fault["next"] > 0:
                    self.set_fault(name, **{**fault, "next": fault["next"] - 1})
                    return name
                if self._store.chance(f"{name}:{subject}:{self._seen[subject]}") < fault["probability"]:
                    return name
        return None
