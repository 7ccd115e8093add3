"""`flask rewards verify`: clean on clean books, and every check is shown a break made by hand that it must find."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import InternalError

from app.audit import service as audit
from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.rewards.models import PointsLot
from app.rewards.rules import Rules
from app.rewards.service import adjustments, bonuses, expiry, holds, transfers
from app.rewards.service.posting import Leg, Posting, post
from tests.factories.bonuses import published_bonuses
from tests.factories.people import actor_of, give_points, make_customer
from tests.factories.shop import end_order, hold_for, make_order

ACTOR = system("test")
RULES = Rules()

pytestmark = pytest.mark.usefixtures("app_context")


def found() -> dict[str, int]:
    session().rollback()
    with transaction():
        report = verification.run(PROBES)
    return {check.name: check.found for check in report.differences}


@pytest.fixture(scope="module")
def books(app: Flask) -> uuid.UUID:
    """A customer with every kind of row that the ledger's checks look at."""
    with app.app_context():
        customer_id = make_customer()
        staff = actor_of(make_customer(role="support"), role="support")
        friend = make_customer()
        rules = published_bonuses()
        orders = [make_order(customer_id, points=1_000, number=f'MPC-{n} – ⚑\n\t\\"\x7f') for n in range(3)]
        with transaction():
            give_points(customer_id, 10_000)
            give_points(customer_id, 500, expires_at=clock.now())
            adjustments.request(
                customer_id=customer_id, points=300, reason_code="goodwill", note="for 'a' test – ⚑\n\t\\\"",
                rules=RULES, actor=staff,
            )  # fmt: skip
            bonuses.give(
                customer_id=customer_id,
                action="sign_up",
                source_id=str(customer_id),
                rules=rules,
                actor=ACTOR,
            )
            bonuses.give(
                customer_id=customer_id, action="review", source_id="a:1", rules=rules, actor=ACTOR,
                confirms_at=clock.now() + timedelta(seconds=1),
            )  # fmt: skip
            expiry.expire_batch(after=expiry.start(), actor=ACTOR)
        for order, end in zip(orders, (holds.capture, holds.release, None), strict=True):
            order_id = order[0]
            with transaction():
                hold_for(order, customer_id, points=1_000, actor=ACTOR)
                if end is holds.capture:
                    holds.capture(order_id=order_id, actor=ACTOR)
                elif end is holds.release:
                    holds.release(order_id=order_id, rules=RULES, actor=ACTOR)
                if end is not None:
                    end_order(order_id, paid=end is holds.capture)
        sender = actor_of(customer_id)
        with transaction():
            asked = transfers.request(
                sender_id=customer_id, recipient_email=f"{friend.hex}@example.test", points=600, rules=RULES,
                actor=sender,
            )  # fmt: skip
        with transaction():
            transfers.confirm(transfer_id=asked.id, rules=RULES, actor=sender)
        with transaction():
            audit.record(actor=ACTOR, action="test.done", target_type="test", target_id="1", reason="one")
            audit.record(
                actor=ACTOR, action="test.done", target_type="test", target_id="1", after={"x": [1, "é"]}
            )
        return customer_id


def test_clean_books_are_clean(books: uuid.UUID) -> None:
    assert found() == {}
    with transaction():
        report = verification.run(PROBES)
    assert report.ok
    examined = {check.name: check.examined for check in report.checks}
    assert len(examined) == sum(len(probe.checks) for probe in PROBES) >= 25
    for name in ("entries_balance", "balances", "lots", "hold_ends", "adjustments_booked", "audit_hashes"):
        assert examined[name] > 0, f"{name} looked at nothing"


@pytest.fixture
def without_guards(owner: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The owner of the tables, with triggers off, in a transaction that is undone at the end."""
    tables = owner.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
    ).fetchall()
    for (table,) in tables:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield owner
    for (table,) in tables:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


BREAKS: dict[str, tuple[str, str]] = {
    # check, or check: of what: (what breaks it, what mends it); %(c)s is the customer
    "entries_balance": (
        "UPDATE points_entry SET amount = amount + 1 WHERE customer_id = %(c)s AND account = 'redeemed'",
        "UPDATE points_entry SET amount = amount - 1 WHERE customer_id = %(c)s AND account = 'redeemed'",
    ),
    "balances": (
        "UPDATE points_account SET available = available + 1 WHERE customer_id = %(c)s",
        "UPDATE points_account SET available = available - 1 WHERE customer_id = %(c)s",
    ),
    "versions": (
        "UPDATE points_account SET version = version + 1 WHERE customer_id = %(c)s",
        "UPDATE points_account SET version = version - 1 WHERE customer_id = %(c)s",
    ),
    "chain_hashes": (
        "UPDATE points_tx SET actor = actor || '!' WHERE customer_id = %(c)s AND kind = 'capture'",
        "UPDATE points_tx SET actor = left(actor, -1) WHERE customer_id = %(c)s AND kind = 'capture'",
    ),
    "chain_hashes: what the shopper reads": (
        "UPDATE points_tx SET description = description || '!' WHERE customer_id = %(c)s AND kind = 'capture'",
        "UPDATE points_tx SET description = left(description, -1) WHERE customer_id = %(c)s AND kind = 'capture'",
    ),
    "chain_hashes: what is beside it": (
        """UPDATE points_tx SET meta = '{"reverses": "x"}' WHERE customer_id = %(c)s AND kind = 'capture'""",
        "UPDATE points_tx SET meta = '{}' WHERE customer_id = %(c)s AND kind = 'capture'",
    ),
    "chain_balances": (
        "UPDATE points_chain SET held_after = held_after + 1 WHERE customer_id = %(c)s AND seq = 3",
        "UPDATE points_chain SET held_after = held_after - 1 WHERE customer_id = %(c)s AND seq = 3",
    ),
    "chain_complete": (
        "UPDATE points_chain SET seq = 99 WHERE customer_id = %(c)s AND seq = 2",
        "UPDATE points_chain SET seq = 2 WHERE customer_id = %(c)s AND seq = 99",
    ),
    "lots": (
        "UPDATE points_lot SET spent = spent + 1, granted = granted + 1 WHERE customer_id = %(c)s",
        "UPDATE points_lot SET spent = spent - 1, granted = granted - 1 WHERE customer_id = %(c)s",
    ),
    "holds_match": (
        "UPDATE points_hold SET amount = amount + 1 WHERE customer_id = %(c)s AND state = 'active'",
        "UPDATE points_hold SET amount = amount - 1 WHERE customer_id = %(c)s AND state = 'active'",
    ),
    "hold_entries": (
        "UPDATE points_hold SET amount = amount + 1 WHERE customer_id = %(c)s AND state = 'captured'",
        "UPDATE points_hold SET amount = amount - 1 WHERE customer_id = %(c)s AND state = 'captured'",
    ),
    "hold_ends": (
        "UPDATE points_hold SET state = 'released' WHERE customer_id = %(c)s AND state = 'captured'",
        """UPDATE points_hold h SET state = 'captured' WHERE customer_id = %(c)s
              AND EXISTS (SELECT FROM points_tx t WHERE t.idem_key = 'capture:' || h.id)""",
    ),
    "earnings_match": (
        "UPDATE points_earning SET points = points + 1 WHERE customer_id = %(c)s",
        "UPDATE points_earning SET points = points - 1 WHERE customer_id = %(c)s",
    ),
    "earnings_booked": (
        "UPDATE points_earning SET points = points + 1 WHERE customer_id = %(c)s AND state = 'confirmed'",
        "UPDATE points_earning SET points = points - 1 WHERE customer_id = %(c)s AND state = 'confirmed'",
    ),
    "earnings_booked: gone": (
        "UPDATE points_earning SET state = 'cancelled' WHERE customer_id = %(c)s AND state = 'confirmed'",
        "UPDATE points_earning SET state = 'confirmed' WHERE customer_id = %(c)s AND state = 'cancelled'",
    ),
    "earnings_confirmed": (
        "UPDATE points_earning SET resolved_at = resolved_at + interval '1 day' WHERE state = 'confirmed'",
        "UPDATE points_earning SET resolved_at = resolved_at - interval '1 day' WHERE state = 'confirmed'",
    ),
    "lifetime": (
        "UPDATE points_account SET lifetime_earned = lifetime_earned + 1 WHERE customer_id = %(c)s",
        "UPDATE points_account SET lifetime_earned = lifetime_earned - 1 WHERE customer_id = %(c)s",
    ),
    "tiers": (
        "UPDATE points_account SET tier = 'silver' WHERE customer_id = %(c)s",
        "UPDATE points_account SET tier = 'member' WHERE customer_id = %(c)s",
    ),
    "adjustments_booked": (
        "UPDATE points_adjustment SET points = points + 1 WHERE customer_id = %(c)s",
        "UPDATE points_adjustment SET points = points - 1 WHERE customer_id = %(c)s",
    ),
    "two_people": (
        "UPDATE points_adjustment SET auto_approved = false, decided_by = requested_by WHERE customer_id = %(c)s",
        "UPDATE points_adjustment SET auto_approved = true WHERE customer_id = %(c)s",
    ),
    "audit_hashes": (
        "UPDATE audit_log SET reason = 'two' WHERE target_type = 'test' AND seq = 1",
        "UPDATE audit_log SET reason = 'one' WHERE target_type = 'test' AND seq = 1",
    ),
    "audit_gapless": (
        "UPDATE audit_log SET seq = 7 WHERE target_type = 'test' AND seq = 2",
        "UPDATE audit_log SET seq = 2 WHERE target_type = 'test' AND seq = 7",
    ),
    "lots_match": (
        "UPDATE points_lot SET available = available + 1, granted = granted + 1 WHERE customer_id = %(c)s",
        "UPDATE points_lot SET available = available - 1, granted = granted - 1 WHERE customer_id = %(c)s",
    ),
}  # fmt: skip
CONSTRAINTS = (("points_adjustment", "ck_points_adjustment_two_people"),)


@pytest.mark.parametrize("check", BREAKS)
def test_a_break_made_by_hand_is_found(
    books: uuid.UUID, without_guards: psycopg.Connection, check: str
) -> None:
    breaks, mends = BREAKS[check]
    definitions = [(t, c, _definition(without_guards, c)) for t, c in CONSTRAINTS]
    for table, name, _ in definitions:
        without_guards.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    broken = without_guards.execute(breaks, {"c": books})
    try:
        assert broken.rowcount > 0
        assert check.partition(":")[0] in found()
    finally:
        without_guards.execute(mends, {"c": books})
        for table, name, definition in definitions:
            without_guards.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    assert found() == {}, "mended"


def _definition(owner: psycopg.Connection, name: str) -> str:
    row = owner.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", (name,)
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_command_prints_a_table_and_json_and_exits_with_the_verdict(
    app: Flask, books: uuid.UUID, without_guards: psycopg.Connection
) -> None:
    runner = app.test_cli_runner()
    clean = runner.invoke(args=["rewards", "verify"])
    assert clean.exit_code == 0, clean.output
    assert "all clean" in clean.output
    document: dict[str, Any] = json.loads(runner.invoke(args=["rewards", "verify", "--json"]).output)
    assert document["ok"] is True
    without_guards.execute(BREAKS["balances"][0], {"c": books})
    try:
        broken = runner.invoke(args=["rewards", "verify"])
        assert broken.exit_code == 1
        assert str(books) in broken.output
        document = json.loads(runner.invoke(args=["rewards", "verify", "--json"]).output)
    finally:
        without_guards.execute(BREAKS["balances"][1], {"c": books})
    wrong = {check["name"]: check for check in document["checks"] if check["found"]}
    assert set(wrong) == {"balances", "lots_match"}
    assert wrong["balances"]["samples"] == [str(books)]


def test_points_between_two_members_are_seen_until_they_arrive() -> None:
    customer_id = make_customer(points=100)
    lot = _lot_of(customer_id)
    legs = [Leg("available", -40, lot), Leg("transit", 40, lot)]
    with transaction():
        post(Posting(customer_id, "transfer_out", "t:1", "transfer", "1", "Sent", legs), actor=ACTOR)
    assert found() == {"nothing_in_transit": 1, "from_transfers": 1}
    legs = [Leg("transit", -40, lot), Leg("available", 40, lot)]
    with transaction():
        post(Posting(customer_id, "transfer_in", "t:2", "transfer", "1", "Back", legs), actor=ACTOR)
    assert found() == {"from_transfers": 2}, "there is no such transfer"


def _lot_of(customer_id: uuid.UUID) -> uuid.UUID:
    lot = session().scalar(select(PointsLot.id).filter_by(customer_id=customer_id))
    session().rollback()
    assert lot is not None
    return lot


def test_a_snapshot_writes_nothing(books: uuid.UUID) -> None:
    with transaction():
        verification.run(())
        with pytest.raises(InternalError, match="read-only"):
            session().execute(text("UPDATE job_run SET every_seconds = 1"))
        session().rollback()
