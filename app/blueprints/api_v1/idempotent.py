"""The Idempotency-Key of a request, and the simple way to honour it (docs/adr/0003)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import request

from app.blueprints.api_v1.answers import Answer, refusal
from app.blueprints.common.errors import BadRequest
from app.idempotency import service as idempotency
from app.idempotency.service import Claim, Replay
from app.kernel import ids
from app.kernel.database import run_atomically, transaction
from app.kernel.errors import Conflict, FieldError, RuleBroken, ShopError

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """What `idempotency.service.claim` needs: `claim(**vars)` in the transaction of the effect."""

    customer_id: uuid.UUID
    route: str
    key: str
    fingerprint: bytes

    @classmethod
    def of(
        cls, customer_id: uuid.UUID, key: str, path: dict[str, Any], body: msgspec.Struct | None
    ) -> IdempotentRequest:
        """The fingerprint covers the route, its arguments and the body as it was understood."""
        route = f"{request.method} {request.url_rule}"
        canonical = msgspec.json.encode([route, path, body], order="sorted")
        return cls(customer_id, route, key, ids.fingerprint(canonical))

    def claim(self) -> Claim | Replay:
        """In the current transaction; raises as `idempotency.service.claim` does."""
        return idempotency.claim(
            customer_id=self.customer_id, route=self.route, key=self.key, fingerprint=self.fingerprint
        )


def read_key() -> str:
    """The header. Raises BadRequest `IDEMPOTENCY_KEY_MISSING`, RuleBroken `IDEMPOTENCY_KEY_INVALID`."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        message = "This call needs an Idempotency-Key header: a new random value for each new intention."
        raise BadRequest(message, code="IDEMPOTENCY_KEY_MISSING")
    if not _VISIBLE_ASCII.fullmatch(key):
        message = "The Idempotency-Key must be 1 to 255 visible ASCII characters."
        error = FieldError("Idempotency-Key", "IDEMPOTENCY_KEY_INVALID", message)
        raise RuleBroken(message, code="IDEMPOTENCY_KEY_INVALID", errors=(error,))
    return key


def once(key: IdempotentRequest, work: Callable[[], Answer]) -> Answer:
    """Claim, effect and stored answer in one transaction, for calls that talk to nobody else.

    A refusal is an answer too: it is stored after the effect was rolled back, and told again. A refusal that
    may pass (`retry_after`) is not stored.
    """

    def unit() -> Answer:
        claimed = key.claim()
        if isinstance(claimed, Replay):
            return Answer(claimed.status, claimed.body, headers=claimed.headers, replayed=True)
        result = work()
        _finish(claimed, result)
        return result

    try:
        return run_atomically(unit)
    except ShopError as error:
        if _is_final(error):
            _store_refusal(key, error)
        raise


def _is_final(error: ShopError) -> bool:
    own = error.code.startswith("IDEMPOTENCY_")
    return isinstance(error, RuleBroken | Conflict) and error.retry_after is None and not own


def _store_refusal(key: IdempotentRequest, error: ShopError) -> None:
    with transaction():
        claimed = key.claim()
        if isinstance(claimed, Claim):
            _finish(claimed, refusal(error))


def _finish(claimed: Claim, result: Answer) -> None:
    idempotency.finish(claim=claimed, status=result.status, headers=dict(result.headers), body=result.body)
