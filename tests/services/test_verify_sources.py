"""Points from nowhere: whatever is posted without its source, by the verbs themselves or by hand, verify finds."""

from __future__ import annotations

import uuid
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import constraint_of, session, transaction
from app.rewards.models import CUSTOMER_ACCOUNTS, PROGRAMME_ACCOUNTS, TX_KINDS
from app.rewards.rules import Rules
from app.rewards.service import adjustments, bonuses, earning, expiry, holds, transfers
from app.rewards.service.earning import Earning
from app.rewards.service.posting import Leg, NewLot, Posting, post
from app.rewards.service.verify_moves import MOVES
from tests.factories.people import actor_of, give_points, make_customer
from tests.factories.shop import end_order, hold_for, make_order
from tests.services.test_verify import _lot_of, found, published_bonuses, without_guards

__all__ = ["without_guards"]
ACTOR = system("test")
RULES = Rules()

pytestmark = pytest.mark.usefixtures("app_context", "fresh")


@pytest.fixture
def fresh(app: Flask, owner: psycopg.Connection) -> None:
    """No points yet, so that what is found is of this test."""
    tables = owner.execute("SELECT relname FROM pg_class WHERE relname LIKE 'points\\_%' AND relkind = 'r'")
    names = [*(str(name) for (name,) in tables.fetchall()), "order_line_lot"]
    with owner.transaction():
        for name in names:
            owner.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        owner.execute(f"TRUNCATE {', '.join(names)}")
        for name in names:
            owner.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")


def forge(customer_id: uuid.UUID, kind: str, legs: list[Leg], *lots: NewLot, key: str = "forged:1") -> None:
    with transaction():
        earning.lock_account(customer_id=customer_id)
        post(Posting(customer_id, kind, key, "adjustment", "x", "Forged", legs, lots), actor=ACTOR)


def minted(kind: str, account: str) -> dict[str, int]:
    lot = NewLot(ids.uuid7(), "adjustment", "x", None)
    legs = [Leg(account, -1_000_000, lot.id), Leg("available", 1_000_000, lot.id)]
    forge(make_customer(), kind, legs, lot)
    return found()


def test_points_given_by_no_adjustment_are_found() -> None:
    assert minted("adjust", "adjusted") == {"from_adjustments": 1}


def test_points_received_by_no_transfer_are_found() -> None:
    assert set(minted("transfer_in", "transit")) == {"from_transfers", "lot_origins", "nothing_in_transit"}


def test_points_earned_with_nothing_are_found() -> None:
    customer_id = make_customer()
    forge(customer_id, "earn", [Leg("issued", -500), Leg("pending", 500)])
    assert set(found()) == {"earnings_match", "earnings_booked"}
    lot = NewLot(ids.uuid7(), "adjustment", "x", clock.now() + timedelta(days=1_095))
    legs = [Leg("pending", -500, lot.id), Leg("available", 500, lot.id)]
    forge(customer_id, "earn_confirm", legs, lot, key="forged:2")
    assert set(found()) == {"earnings_booked", "from_earnings"}


@pytest.mark.parametrize(
    ("kind", "account"), [("earn", "issued"), ("transfer_in", "adjusted"), ("refund", "issued")]
)
def test_a_kind_moves_no_points_between_accounts_of_another(
    kind: str, account: str, owner: psycopg.Connection
) -> None:
    with pytest.raises(IntegrityError) as refused:
        minted(kind, account)
    assert constraint_of(refused.value) == "points_tx_moves"
    session().rollback()
    customer_id = make_customer(points=5)
    assert found() == {}
    owner.execute("ALTER TABLE points_tx DISABLE TRIGGER USER")
    owner.execute("UPDATE points_tx SET kind = %s WHERE customer_id = %s", (kind, customer_id))
    owner.execute("ALTER TABLE points_tx ENABLE TRIGGER USER")
    assert "moves" in found()


def test_the_database_and_verify_allow_the_same_moves(owner: psycopg.Connection) -> None:
    assert set(MOVES) == set(TX_KINDS)
    for kind in TX_KINDS:
        for account in CUSTOMER_ACCOUNTS + PROGRAMME_ACCOUNTS:
            for amount, sign in ((-1, "-"), (1, "+")):
                allowed = owner.execute(
                    "SELECT points_may_move(%s, %s, %s)", (kind, account, amount)
                ).fetchone()
                assert allowed == (sign + account in MOVES[kind].split(),), (kind, account, sign)
    assert owner.execute("SELECT points_may_move('gift', 'available', 1)").fetchone() == (False,)


def test_points_that_were_spent_do_not_come_back_by_themselves() -> None:
    customer_id = make_customer(points=5_000)
    order = make_order(customer_id, points=3_000)
    with transaction():
        hold_for(order, customer_id, points=3_000, actor=ACTOR)
    assert found() == {}
    lot = _lot_of(customer_id)
    forge(customer_id, "release", [Leg("held", -1_000, lot), Leg("available", 1_000, lot)])
    assert set(found()) == {"from_holds", "holds_match"}
    forge(customer_id, "capture", [Leg("held", -2_000, lot), Leg("redeemed", 2_000, lot)], key="forged:2")
    forge(customer_id, "refund", [Leg("redeemed", -2_000, lot), Leg("available", 2_000, lot)], key="forged:3")
    assert found() == {"from_holds": 2, "holds_match": 1, "given_back": 1}
    with transaction():
        end_order(order[0], paid=False)


def test_points_are_held_for_orders_alone() -> None:
    customer_id, order_id = make_customer(points=900), ids.uuid7()
    with transaction():
        holds.hold(
            customer_id=customer_id,
            order_id=order_id,
            order_number="MPC-77",
            points=300,
            rules=RULES,
            actor=ACTOR,
        )
        holds.capture(order_id=order_id, actor=ACTOR)
    assert found() == {"held_for_orders": 1}


def test_points_do_not_expire_before_their_time() -> None:
    members = [make_customer() for _ in range(3)]
    with transaction():
        for customer_id, days in zip(members, (None, 3, -1), strict=True):
            expires_at = None if days is None else clock.now() + timedelta(days=days)
            give_points(customer_id, 70, expires_at=expires_at)
    with transaction():
        assert expiry.expire_batch(after=expiry.start(), actor=ACTOR).lots == 1
    assert found() == {}
    for customer_id in members[:2]:
        lot = _lot_of(customer_id)
        forge(customer_id, "expire", [Leg("available", -20, lot), Leg("expired", 20, lot)])
    assert found() == {"from_expiry": 2}


def test_a_debt_is_paid_with_what_came_and_with_all_of_it() -> None:
    customer_id = make_customer(points=900)
    lot = _lot_of(customer_id)
    owe = [Leg("debt", -150), Leg("clawback", 150)]
    forge(customer_id, "clawback", owe)
    assert found() == {"earnings_booked": 1, "taken_back": 1}
    forge(customer_id, "clawback", [Leg("clawback", -100), Leg("debt", 100)], key="debt:forged:1")
    assert found()["from_debts"] == 1, "points of nobody paid it"
    paid = [Leg("clawback", -20), Leg("debt", 20), Leg("available", -20, lot), Leg("clawback", 20, lot)]
    forge(customer_id, "clawback", paid, key="debt:nothing")
    assert found()["from_debts"] == 2, "nothing came"


def test_a_bonus_that_no_version_has_is_found() -> None:
    customer_id = make_customer()
    for number in range(3):
        with transaction():
            booking = Earning(
                customer_id, "sign_up", f"{customer_id}-{number}", None, 5_000, clock.now(), 1, {}, "Bonus"
            )
            earning.confirm(earning_id=earning.book(booking, actor=ACTOR), rules=RULES, actor=ACTOR)
    assert found() == {"bonuses": 3}


def test_a_bonus_is_as_large_as_its_version_says() -> None:
    rules, customer_id = published_bonuses(), make_customer()
    parts = {"parts": [{"rule": "sign_up", "label": "", "points": 71, "dry_run": False}]}
    with transaction():
        booking = Earning(
            customer_id, "sign_up", str(customer_id), None, 71, clock.now(), rules.version, parts, "Bonus"
        )
        earning.book(booking, actor=ACTOR)
    assert found() == {"bonuses": 1}


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


def test_the_shops_role_cannot_let_points_live_on_unseen(web_role: psycopg.Connection) -> None:
    customer_id = make_customer()
    with transaction():
        give_points(customer_id, 500, expires_at=clock.now() + timedelta(days=3))
    web_role.execute(
        "UPDATE points_lot SET expires_at = '2999-01-01Z' WHERE customer_id = %s", (customer_id,)
    )
    assert found() == {"lot_lives": 1}
