"""What a client does with an idempotency key: asks, hears nothing, asks again, and compares."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from app.checkout import flow
from app.kernel.ids import fingerprint


@dataclass
class Asked:
    """A request with its key. `answer` is the first one that came back; `what` says it to people."""

    what: str
    customer_id: uuid.UUID
    route: str
    key: str
    body: str
    call: Callable[[flow.Request], flow.Answer]
    answer: flow.Answer | None = None

    def request(self, body: str | None = None) -> flow.Request:
        return flow.Request(
            customer_id=self.customer_id,
            email="shopper@example.test",
            route=self.route,
            key=self.key,
            fingerprint=fingerprint(self.body if body is None else body),
        )

    def heard(self, answer: flow.Answer) -> str | None:
        """What is wrong with a further answer (I11), or None."""
        first = self.answer
        if first is None:
            self.answer = answer
            return None
        if not answer.replayed:
            return f"{self.what}: answered anew, not replayed"
        if (answer.status, answer.body) != (first.status, first.body):
            return f"{self.what}: first {first.status} {first.body!r}, then {answer.status} {answer.body!r}"
        return None


def present(outcome: flow.Outcome) -> flow.Answer:
    """What an edge would answer."""
    order = outcome.order
    status = {"paid": 201, "payment_failed": 402}.get(order.status, 202)
    body = {"number": order.number, "status": order.status, "next": outcome.next_action_url}
    return flow.Answer(status, {}, json.dumps(body).encode())
