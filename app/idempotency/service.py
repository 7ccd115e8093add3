"""Claim, finish, replay (IETF draft-ietf-httpapi-idempotency-key-header; docs/adr/0003).

A claim is a row with a lease. Whoever holds the lease may act; when it runs out (a crash), the next request
with the same key takes over. The answer is stored in the transaction of the effect, guarded by the lease.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.idempotency.models import IdempotencyKey
from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import Conflict, FieldError, RuleBroken

LEASE = timedelta(seconds=60)
KEY_MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Claim:
    """Ours to act on. `taken_over`: an earlier holder's lease ran out; `subject` is what it had begun, and
    `begun_at` when, to the microsecond: what it wrote then carries this instant."""

    customer_id: uuid.UUID
    route: str
    key: str
    lease_token: uuid.UUID
    taken_over: bool
    subject: str | None
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """The first answer, byte for byte."""

    status: int
    headers: dict[str, Any]
    body: bytes


def claim(
    *, customer_id: uuid.UUID, route: str, key: str, fingerprint: bytes, subject: str | None = None
) -> Claim | Replay:
    """Own the key, or get the stored answer. Writes in the current transaction.

    `subject` is what the holder is about to make (an order number); whoever takes over gets the first holder's.

    Raises RuleBroken `IDEMPOTENCY_KEY_REUSED` (same key, other body), Conflict `IDEMPOTENCY_IN_FLIGHT` with
    retry_after (the first request still runs).
    """
    now = clock.now()
    token = uuid.uuid4()
    row = IdempotencyKey.__table__
    fresh = insert(IdempotencyKey).values(
        customer_id=customer_id,
        route=route,
        key=key,
        fingerprint=fingerprint,
        state="in_progress",
        lease_token=token,
        lease_until=now + LEASE,
        subject=subject,
        created_at=now,
    )
    owned = (
        session()
        .execute(
            fresh.on_conflict_do_update(
                index_elements=["customer_id", "route", "key"],
                set_={"lease_token": token, "lease_until": now + LEASE},
                where=and_(
                    row.c.state == "in_progress",
                    row.c.lease_until < now,
                    row.c.fingerprint == fresh.excluded.fingerprint,
                ),
            ).returning(row.c.subject, row.c.created_at)
        )
        .first()
    )
    if owned is not None:
        return Claim(customer_id, route, key, token, owned.created_at != now, owned.subject, owned.created_at)
    return _stored_answer(customer_id, route, key, fingerprint)


def _stored_answer(customer_id: uuid.UUID, route: str, key: str, fingerprint: bytes) -> Replay:
    row = (
        session()
        .execute(
            select(
                IdempotencyKey.fingerprint,
                IdempotencyKey.state,
                IdempotencyKey.lease_until,
                IdempotencyKey.status,
                IdempotencyKey.headers,
                IdempotencyKey.body,
            ).where(
                IdempotencyKey.customer_id == customer_id,
                IdempotencyKey.route == route,
                IdempotencyKey.key == key,
            )
        )
        .one()
    )
    if row.fingerprint != fingerprint:
        message = "This Idempotency-Key was used with another request. Use a new key for a new request."
        error = FieldError("Idempotency-Key", "IDEMPOTENCY_KEY_REUSED", message)
        raise RuleBroken(message, code="IDEMPOTENCY_KEY_REUSED", errors=(error,))
    if row.state == "in_progress":
        seconds = max(1, int((row.lease_until - clock.now()).total_seconds()))
        raise Conflict(
            "The first request with this Idempotency-Key is still running.",
            code="IDEMPOTENCY_IN_FLIGHT",
            retry_after=min(seconds, 5),
        )
    return Replay(row.status, row.headers or {}, row.body or b"")


def end_leases(*, subject: str) -> None:
    """The fate of `subject` is known: a client that asks again need not wait for a lease to run out."""
    session().execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.subject == subject, IdempotencyKey.state == "in_progress")
        .values(lease_until=clock.now())
    )


def finish(*, claim: Claim, status: int, headers: dict[str, Any], body: bytes) -> bool:
    """Store the definitive answer. False when the lease was lost: somebody else answers."""
    done = session().execute(
        update(IdempotencyKey)
        .where(_mine(claim), IdempotencyKey.state == "in_progress")
        .values(state="finished", status=status, headers=headers, body=body)
        .returning(IdempotencyKey.key)
    )
    return done.first() is not None


def _mine(claim: Claim) -> Any:
    return and_(
        IdempotencyKey.customer_id == claim.customer_id,
        IdempotencyKey.route == claim.route,
        IdempotencyKey.key == claim.key,
        IdempotencyKey.lease_token == claim.lease_token,
    )
