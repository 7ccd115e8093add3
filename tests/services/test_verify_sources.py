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
from app.rewards.service import earning, expiry, holds
from app.rewards.service.earning import Earning
from app.rewards.service.posting import Leg, NewLot, Posting, post
from app.rewards.service.verify_moves import MOVES
from tests.factories.bonuses import published_bonuses
from tests.factories.people import give_points, make_customer
from tests.factories.shop import end_order, hold_for, make_order
from tests.services.test_verify import _lot_of, found

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


def test_the_shops_role_cannot_let_points_live_on_unseen(web_role: psycopg.Connection) -> None:
    customer_id = make_customer()
    with transaction():
        give_points(customer_id, 500, expires_at=clock.now() + timedelta(days=3))
    web_role.execute(
        "UPDATE points_lot SET expires_at = '2999-01-01Z' WHERE customer_id = %s", (customer_id,)
    )
    assert found() == {"lot_lives": 1}
