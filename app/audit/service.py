"""Write one fact into the audit log, in the transaction of what it tells about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from app.audit.models import AuditEntry
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session


def record(
    *,
    actor: Actor,
    action: str,
    target_type: str,
    target_id: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """`action` is `thing.verb`. `before`/`after` are JSON-able and hold no secret.

    Sequence and hash are the database's.
    """
    session().execute(
        insert(AuditEntry).values(
            id=ids.uuid7(),
            at=clock.now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name,
            actor_role=actor.role,
            action=action,
            target_type=target_type,
            target_id=target_id,
            before=before,
            after=after,
            reason=reason,
            request_id=actor.request_id,
            ip=actor.ip,
            user_agent=actor.user_agent,
            seq=0,
            prev_hash=b"",
            hash=b"",
        )
    )
