"""Publish a version of the rules. Versions are never edited: a correction is another version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, insert, select, text

from app.audit.service import record
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import invalid
from app.outbox import service as outbox
from app.outbox.service import Job
from app.rewards.models import RewardsRules
from app.rewards.rules import check_draft

RULES_CHANGED = "rewards.rules_changed"
"""The job that looks at every tier again, once the version is in force."""

ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('rewards_rules', 0))")


def publish(*, body: Mapping[str, Any], effective_from: datetime | None, reason: str, actor: Actor) -> int:
    """Store `body` as the next version, in force from `effective_from` (aware; None: now); its number.

    The body is stored whole, defaults written out, so that it means the same for ever. When the start has come, a
    job looks at the tiers again. Raises RuleBroken
    `RULES_INVALID` naming what is wrong, or naming `effective_from` (past) or `reason`.
    """
    if len(reason.strip()) < 5:
        raise invalid("reason", "TOO_SHORT", "Say why, in at least five characters.")
    now = clock.now()
    if effective_from is not None and (effective_from.tzinfo is None or effective_from < now):
        raise invalid("effective_from", "IN_THE_PAST", "A version starts now or in the future.")
    rules = check_draft({key: value for key, value in body.items() if key != "version"})
    stored = msgspec.to_builtins(rules)
    del stored["version"]
    session().execute(ONE_AT_A_TIME)
    version = int(session().scalar(select(func.coalesce(func.max(RewardsRules.version), 0))) or 0) + 1
    session().execute(
        insert(RewardsRules).values(
            version=version,
            effective_from=effective_from or now,
            body=stored,
            created_at=now,
            created_by=actor.name,
        )
    )
    record(
        actor=actor,
        action="rewards_rules.publish",
        target_type="rewards_rules",
        target_id=str(version),
        after={"effective_from": (effective_from or now).isoformat(), "body": stored},
        reason=reason,
    )
    job = Job(RULES_CHANGED, f"{RULES_CHANGED}:{version}", {"version": version}, run_at=effective_from)
    outbox.add(job, request_id=actor.request_id)
    return version
