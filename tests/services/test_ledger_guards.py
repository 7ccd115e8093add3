"""The second wall: what the database refuses when the code forgets, and what belongs to one commit."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from app.kernel import ids
from app.kernel.actor import system
from app.kernel.database import run_atomically, transaction
from app.rewards import queries
from app.rewards.errors import PointsInsufficient
from app.rewards.rules import Rules
from app.rewards.service import adjustments, holds
from tests.factories.people import actor_of, give_points, make_customer

RULES = Rules()
ACTOR = system("test")

pytestmark = pytest.mark.usefixtures("app_context")


def hold(customer_id: uuid.UUID, order_id: uuid.UUID, points: int) -> None:
    holds.hold(
        customer_id=customer_id,
        order_id=order_id,
        order_number="MPC-1",
        points=points,
        rules=RULES,
        actor=ACTOR,
    )


def test_an_order_holds_points_once() -> None:
    customer_id, order_id = make_customer(points=1_000), ids.uuid7()
    with transaction():
        hold(customer_id, order_id, 300)
    with pytest.raises(IntegrityError, match="uq_points_hold_one_live_per_order"), transaction():
        hold(customer_id, order_id, 300)
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.held) == (700, 300)
    with transaction():
        holds.release(order_id=order_id, rules=RULES, actor=ACTOR)
    with transaction():
        hold(customer_id, order_id, 400)
    assert queries.get_balance(customer_id).held == 400


@pytest.mark.parametrize("expires_at", ["10000-01-01 11:59:59Z", "infinity", "3000-01-01Z"])
def test_no_lot_expires_in_years_that_cannot_be_read(owner: psycopg.Connection, expires_at: str) -> None:
    customer_id = make_customer()
    with transaction():
        give_points(customer_id, 5, expires_at=datetime(2999, 12, 31, tzinfo=UTC))
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_points_lot_expiry"):
        owner.execute(
            "UPDATE points_lot SET expires_at = %s WHERE customer_id = %s", (expires_at, customer_id)
        )
    with pytest.raises(IntegrityError, match="ck_points_lot_expiry"), transaction():
        give_points(customer_id, 5, expires_at=datetime(1999, 12, 31, tzinfo=UTC))
    assert queries.get_balance(customer_id).available == 5


def test_holds_at_once_share_the_lots_and_refuse_nobody(app: Flask) -> None:
    """There is enough for all: whoever reads lots that another hold is about to take would be refused wrongly."""
    customer_id = make_customer()
    with transaction():
        for _ in range(40):
            give_points(customer_id, 100)
    barrier, results = threading.Barrier(8), []

    def attempt() -> None:
        with app.app_context():
            barrier.wait()
            for _ in range(5):
                try:
                    run_atomically(lambda: hold(customer_id, ids.uuid7(), 100))
                    results.append("held")
                except PointsInsufficient:
                    results.append("refused")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["held"] * 40
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.held) == (0, 4_000)


def test_lots_and_balance_agree_at_commit(owner: psycopg.Connection) -> None:
    customer_id = make_customer(points=1_000)
    for statement in (
        "UPDATE points_account SET available = available - 1 WHERE customer_id = %s",
        "UPDATE points_lot SET available = available - 1, spent = spent + 1 WHERE customer_id = %s",
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match="do not match the balance"):
            owner.execute(statement, (customer_id,))
    assert queries.get_balance(customer_id).available == 1_000


def test_lots_and_balance_are_compared_once_however_many_lots_move(owner: psycopg.Connection) -> None:
    customer_id, tx_id = make_customer(), ids.uuid7()
    with transaction():
        for _ in range(30):
            give_points(customer_id, 100)
    with owner.transaction(force_rollback=True):
        owner.execute("CREATE TEMP SEQUENCE compared")
        owner.execute(
            """CREATE OR REPLACE FUNCTION points_compare(p_customer uuid) RETURNS void LANGUAGE plpgsql AS
               $$ BEGIN PERFORM nextval('compared'); END $$"""
        )
        owner.execute(
            """INSERT INTO points_tx (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, created_at)
               VALUES (%s, %s, 'expire', 'all', 'lot', 'all', 'test', 'Expired', now())""",
            (tx_id, customer_id),
        )
        owner.execute(
            """INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
               SELECT %s, row_number() OVER (), customer_id, leg.account, id, leg.sign * available
                 FROM points_lot CROSS JOIN (VALUES ('available', -1), ('expired', 1)) AS leg(account, sign)
                WHERE customer_id = %s""",
            (tx_id, customer_id),
        )
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        times = owner.execute("SELECT last_value FROM compared").fetchone()
    assert times == (2,), "once when the lots move, once when the transaction ends"


class Stop(Exception):
    """Something that fails later in the same unit of work."""


def test_what_fails_after_the_audit_row_leaves_neither(owner: psycopg.Connection) -> None:
    customer_id = make_customer(points=1_000)
    staff = actor_of(make_customer(role="support"), role="support")
    with pytest.raises(Stop), transaction():
        _adjust_then_stop(customer_id, staff)
    rows = owner.execute(
        """SELECT (SELECT count(*) FROM audit_log WHERE target_id = %(c)s::text),
                  (SELECT count(*) FROM points_adjustment WHERE customer_id = %(c)s AND reason_code = 'goodwill'),
                  (SELECT available FROM points_account WHERE customer_id = %(c)s)""",
        {"c": customer_id},
    ).fetchone()
    assert rows == (0, 0, 1_000)


def _adjust_then_stop(customer_id: uuid.UUID, staff: object) -> None:
    adjustments.request(
        customer_id=customer_id, points=50, reason_code="goodwill", note="A test", rules=RULES, actor=staff
    )
    raise Stop
