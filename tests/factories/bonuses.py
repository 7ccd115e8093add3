"""Versions of the rules with bonuses."""

from __future__ import annotations

from app.kernel.actor import system
from app.kernel.database import transaction
from app.rewards.queries import get_rules_version
from app.rewards.rules import Rules
from app.rewards.service import rules_versions

ACTOR = system("test")


def published_bonuses() -> Rules:
    """The rules in force, with a bonus for signing up and for a review."""
    bonus = [{"name": action, "action": action, "points": 70} for action in ("sign_up", "review")]
    with transaction():
        version = rules_versions.publish(
            body={"earn": {"bonuses": bonus}}, effective_from=None, reason="For a test", actor=ACTOR
        )
    return get_rules_version(version).rules
