"""What a posting stands on cannot be changed unseen: transfers, lots, rules, earnings, adjustments, tiers."""

from __future__ import annotations

import uuid
from datetime import timedelta

import psycopg
import pytest

from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import transaction
from app.rewards.rules import Rules
from app.rewards.service import adjustments, bonuses, transfers
from tests.factories.bonuses import published_bonuses
from tests.factories.people import actor_of, give_points, make_customer
from tests.services.test_verify import found, without_guards
from tests.services.test_verify_sources import fresh

__all__ = ["fresh", "without_guards"]
ACTOR = system("test")
RULES = Rules()

pytestmark = pytest.mark.usefixtures("app_context", "fresh")


@pytest.fixture
def members(fresh: None) -> tuple[uuid.UUID, uuid.UUID]:
    """One gave the other points; they have an adjustment, a bonus, a lot that was given back, and a tier."""
    rules = published_bonuses()
    sender, recipient = make_customer(), make_customer()
    staff = actor_of(make_customer(role="support"), role="support")
    with transaction():
        give_points(sender, 2_000, expires_at=clock.now() + timedelta(days=9))
        given = adjustments.request(
            customer_id=sender,
            points=300,
            reason_code="goodwill",
            note="For a test",
            rules=RULES,
            actor=staff,
        )
        bonuses.give(customer_id=sender, action="sign_up", source_id=str(sender), rules=rules, actor=ACTOR)
    with transaction():
        taken = adjustments.request(
            customer_id=sender,
            points=-40,
            reason_code="correction",
            note="For a test",
            rules=RULES,
            actor=staff,
        )
    for done in (given, taken):
        with transaction():
            adjustments.undo(adjustment_id=done.id, note="For a test", rules=RULES, actor=staff)
    with transaction():
        asked = transfers.request(
            sender_id=sender, recipient_email=f"{recipient.hex}@example.test", points=600, rules=RULES,
            actor=actor_of(sender),
        )  # fmt: skip
    with transaction():
        transfers.confirm(transfer_id=asked.id, rules=RULES, actor=actor_of(sender))
    assert found() == {}
    return sender, recipient


TAMPERING = {
    "points of a transfer": ("UPDATE points_transfer SET points = 7", "from_transfers"),
    "a transfer that was not": (
        "UPDATE points_transfer SET state = 'cancelled', spendable_from = NULL",
        "from_transfers",
    ),
    "another recipient": (
        "UPDATE points_transfer SET sender_id = recipient_id, recipient_id = sender_id",
        "from_transfers",
    ),
    "cool-off": ("UPDATE points_lot SET spendable_from = NULL WHERE customer_id = %(r)s", "lot_origins"),
    "parent": ("UPDATE points_lot SET parent_lot_id = NULL WHERE customer_id = %(r)s", "lot_origins"),
    "another parent": ("UPDATE points_lot SET parent_lot_id = id WHERE customer_id = %(r)s", "lot_origins"),
    "origin": ("UPDATE points_lot SET origin_type = 'order' WHERE customer_id = %(r)s", "lot_origins"),
    "origin of a gift": (
        "UPDATE points_lot SET origin_id = 'x' WHERE customer_id = %(s)s AND parent_lot_id IS NULL",
        "lot_origins",
    ),
    "origin of an undo": (
        "UPDATE points_lot SET parent_lot_id = id WHERE customer_id = %(s)s AND parent_lot_id IS NOT NULL",
        "lot_origins",
    ),
    "life of a gift": (
        "UPDATE points_lot SET expires_at = '2999-01-01Z' WHERE customer_id = %(s)s",
        "lot_lives",
    ),
    "life of what was received": (
        "UPDATE points_lot SET expires_at = '2999-01-01Z' WHERE customer_id = %(r)s",
        "lot_lives",
    ),
    "life without end": ("UPDATE points_lot SET expires_at = NULL WHERE customer_id = %(r)s", "lot_lives"),
    "too short a life": (
        "UPDATE points_lot SET expires_at = now() WHERE customer_id = %(s)s AND origin_type = 'sign_up'",
        "lot_lives",
    ),
    "rate": (
        "UPDATE rewards_rules SET body = jsonb_set(body, '{minor_units_per_100_points}', '100000')",
        "rules_published",
    ),
    "limit of a published version": (
        """UPDATE rewards_rules SET body = jsonb_set(body, '{adjustments,limits,support,each}', '1000000000')
            WHERE version = (SELECT max(version) FROM rewards_rules)""",
        "rules_published",
    ),
    "start": (
        "UPDATE rewards_rules SET effective_from = effective_from - interval '1 day' WHERE version > 1",
        "rules_published",
    ),
    "a version from nowhere": (
        """INSERT INTO rewards_rules SELECT 999, now(), body, now(), created_by FROM rewards_rules
            WHERE version = 1""",
        "rules_published",
    ),
    "breakdown": (
        """UPDATE points_earning SET breakdown = breakdown || '{"x": 1}' WHERE customer_id = %(s)s""",
        "earned_as_booked",
    ),
    "version of an earning": (
        "UPDATE points_earning SET rules_version = 1 WHERE customer_id = %(s)s",
        "earned_as_booked",
    ),
    "whose bonus": (
        "UPDATE points_earning SET source_id = 'x' WHERE customer_id = %(s)s",
        "earned_as_booked",
    ),
    "time of confirmation": (
        "UPDATE points_earning SET confirms_at = confirms_at + interval '1 day' WHERE customer_id = %(s)s",
        "from_earnings",
    ),
    "lot of an earning": (
        "UPDATE points_earning SET lot_id = NULL WHERE customer_id = %(s)s",
        "lot_origins",
    ),
    "another lot of an earning": (
        """UPDATE points_earning SET lot_id = (SELECT id FROM points_lot WHERE customer_id = %(s)s
                                                AND origin_type <> 'sign_up' LIMIT 1) WHERE customer_id = %(s)s""",
        "lot_origins",
    ),
    "when a transfer was done": (
        "UPDATE points_transfer SET resolved_at = resolved_at - interval '2 days'",
        "from_transfers",
    ),
    "a tier that there is not": (
        "UPDATE points_account SET tier = 'emperor' WHERE customer_id = %(s)s",
        "tiers",
    ),
    "grace of a tier": (
        "UPDATE points_account SET tier_until = '2999-01-01Z' WHERE customer_id = %(s)s",
        "tier_grace",
    ),
    "adjustment of another": (
        "UPDATE points_adjustment SET customer_id = %(r)s WHERE customer_id = %(s)s",
        "from_adjustments",
    ),
    "a hold under another name": (
        "UPDATE points_tx SET ref_id = 'x' WHERE customer_id = %(s)s AND kind = 'adjust'",
        "from_adjustments",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_what_a_posting_stands_on_cannot_be_changed_unseen(
    members: tuple[uuid.UUID, uuid.UUID], without_guards: psycopg.Connection, what: str
) -> None:
    statement, check = TAMPERING[what]
    with psycopg.ClientCursor(without_guards) as cursor:
        try:
            cursor.execute(
                "BEGIN; CREATE TEMP TABLE kept ON COMMIT PRESERVE ROWS AS TABLE rewards_rules; COMMIT"
            )
            cursor.execute(statement, {"s": members[0], "r": members[1]})
            assert cursor.rowcount > 0
            assert check in found()
        finally:
            cursor.execute("DELETE FROM rewards_rules; INSERT INTO rewards_rules TABLE kept; DROP TABLE kept")
