"""Write facts into the audit log, in the transaction of what they tell about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import insert

from app.audit.models import AuditEntry
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`action` is `thing.verb`. `before`/`after` are JSON-able and hold no secret."""

    action: str
    target_type: str
    target_id: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str | None = None


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
    """Write one Fact. Sequence and hash are the database's."""
    fact = Fact(
        action=action, target_type=target_type, target_id=target_id, before=before, after=after, reason=reason
    )
    record_all([fact], actor=actor)


def record_all(facts: Sequence[Fact], *, actor: Actor) -> None:
    """Write them in their order, in one go."""
    common = {
        "at": clock.now(),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "actor_role": actor.role,
        "request_id": actor.request_id,
        "ip": actor.ip,
        "user_agent": actor.user_agent,
        "seq": 0,
        "prev_hash": b"",
        "hash": b"",
    }
    rows = [{"id": ids.uuid7(), **common, **asdict(fact)} for fact in facts]
    session().connection().execute(
        insert(AuditEntry), rows
    )  # a thousand rows in one VALUES compile for a second
