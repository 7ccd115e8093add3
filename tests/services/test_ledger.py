"""The points ledger: what moves, what adds up, and what both code and database refuse."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.rewards import queries
from app.rewards.errors import AlreadyPosted, HoldNotFound, PointsInsufficient
from app.rewards.models import PointsHold, PointsLot
from app.rewards.rules import Rules
from app.rewards.service import earning, grants, holds, refunds
from app.rewards.service.posting import Leg, Posting, post
from tests.factories.people import give_points, make_customer
from tests.factories.spent import latest_first

RULES = Rules()
ACTOR = system("test")

pytestmark = pytest.mark.usefixtures("app_context")


def hold(customer_id: uuid.UUID, points: int) -> uuid.UUID:
    order_id = ids.uuid7()
    with transaction():
        holds.hold(
            customer_id=customer_id,
            order_id=order_id,
            order_number=ids.order_number(),
            points=points,
            rules=RULES,
            actor=ACTOR,
        )
    return order_id


def lots_of(customer_id: uuid.UUID) -> list[PointsLot]:
    session().expire_all()
    return list(
        session().scalars(select(PointsLot).filter_by(customer_id=customer_id).order_by(PointsLot.id))
    )


def test_hold_then_capture_spends_exactly_once() -> None:
    customer_id = make_customer(points=10_000)
    order_id = hold(customer_id, 3_000)
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.held) == (7_000, 3_000)
    with transaction():
        assert holds.capture(order_id=order_id, actor=ACTOR) == 3_000
    with pytest.raises(HoldNotFound), transaction():
        holds.capture(order_id=order_id, actor=ACTOR)
    with pytest.raises(HoldNotFound), transaction():
        holds.release(order_id=order_id, rules=RULES, actor=ACTOR)
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.held) == (7_000, 0)
    page = queries.list_transactions(customer_id, limit=10)
    assert [(row.kind, row.points, row.balance_after) for row in page.items] == [
        ("redeem", -3_000, 7_000),
        ("adjust", 10_000, 10_000),
    ]


def test_release_gives_back_to_the_same_lots_or_with_grace() -> None:
    customer_id = make_customer()
    soon = clock.now() + timedelta(days=2)
    with transaction():
        give_points(customer_id, 700, expires_at=soon)
        give_points(customer_id, 900, expires_at=None)
    order_id = hold(customer_id, 1_000)
    first, second = lots_of(customer_id)
    assert (first.held, second.held) == (700, 300), "soonest-expiring first, never-expiring last"
    with transaction():
        holds.release(order_id=order_id, rules=RULES, actor=ACTOR)
    first, second, grace = lots_of(customer_id)
    assert (first.available, first.held, first.taken, second.available, second.held) == (0, 0, 700, 900, 0)
    assert (grace.available, grace.parent_lot_id) == (700, first.id)
    assert grace.expires_at is not None
    assert grace.expires_at >= clock.now() + timedelta(days=13, hours=23)
    assert second.expires_at is None


def test_giving_back_a_few_points_does_not_prolong_the_rest_of_their_lot() -> None:
    customer_id, now = make_customer(), clock.now()
    with clock.frozen(now):
        with transaction():
            give_points(customer_id, 100_000, expires_at=now + timedelta(days=1))
        released, spent = hold(customer_id, 500), hold(customer_id, 400)
        number = session().scalar(select(PointsHold.order_number).filter_by(order_id=spent))
        session().rollback()
        with transaction():
            holds.release(order_id=released, rules=RULES, actor=ACTOR)
            holds.capture(order_id=spent, actor=ACTOR)
            whose = {"customer_id": customer_id, "order_id": spent, "order_number": number}
            lots = latest_first(**whose, points=300)
            refunds.return_points(**whose, lots=lots, idem_key="back", rules=RULES, actor=ACTOR)
    lots = [(lot.available, lot.expires_at) for lot in lots_of(customer_id)]
    grace = now + timedelta(days=RULES.release_grace_days)
    assert sorted(lots) == [(300, grace), (500, grace), (99_100, now + timedelta(days=1))]
    with clock.frozen(now + timedelta(days=2)):
        assert queries.get_spendable(customer_id) == 800


def test_too_many_points_are_refused_and_nothing_moves() -> None:
    customer_id = make_customer(points=600)
    before = queries.get_balance(customer_id)
    with pytest.raises(PointsInsufficient) as refused:
        hold(customer_id, 700)
    assert refused.value.details == {"available": 600}
    assert queries.get_balance(customer_id) == before
    assert queries.list_holds(customer_id) == []


def test_expired_points_cannot_be_held() -> None:
    customer_id = make_customer()
    with transaction():
        give_points(customer_id, 1_000, expires_at=clock.now() + timedelta(days=1))
    with clock.travel(days=2), pytest.raises(PointsInsufficient):
        hold(customer_id, 500)


def test_the_same_effect_is_booked_once() -> None:
    customer_id = make_customer()
    booking = {
        "customer_id": customer_id,
        "points": 100,
        "idem_key": "bonus:1",
        "ref_type": "rule",
        "ref_id": "1",
        "description": "Bonus",
        "expires_at": None,
        "actor": ACTOR,
    }
    with transaction():
        grants.credit(**booking)
    with pytest.raises(AlreadyPosted), transaction():
        grants.credit(**booking)
    assert queries.get_balance(customer_id).available == 100


def test_twelve_holds_at_once_where_one_is_affordable(app: Flask) -> None:
    customer_id = make_customer(points=1_500)
    barrier = threading.Barrier(12)
    results: list[str] = []

    def attempt() -> None:
        with app.app_context():
            barrier.wait()
            try:
                run_atomically(
                    lambda: holds.hold(
                        customer_id=customer_id,
                        order_id=ids.uuid7(),
                        order_number=ids.order_number(),
                        points=1_000,
                        rules=RULES,
                        actor=ACTOR,
                    )
                )
                results.append("held")
            except PointsInsufficient:
                results.append("refused")

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["held"] + ["refused"] * 11
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.held) == (500, 1_000)


def test_earned_points_wait_then_pay_a_debt_first() -> None:
    customer_id = make_customer()
    order_id, number = ids.uuid7(), ids.order_number()
    due = clock.now() + timedelta(days=30)
    with transaction():
        earning.earn_pending(
            customer_id=customer_id,
            order_id=order_id,
            order_number=number,
            points=900,
            confirms_at=due,
            rules_version=1,
            breakdown={},
            actor=ACTOR,
        )
        post(
            Posting(
                customer_id,
                "clawback",
                "debt:1",
                "order",
                number,
                "Owed",
                [Leg("debt", -200), Leg("clawback", 200)],
            ),
            actor=ACTOR,
        )
    with transaction():
        assert earning.list_due_earnings() == []
    with clock.travel(days=31):
        with transaction():
            ((earning_id, _),) = earning.list_due_earnings()
            assert earning.confirm(earning_id=earning_id, rules=RULES, actor=ACTOR) == 900
        with transaction():
            assert earning.confirm(earning_id=earning_id, rules=RULES, actor=ACTOR) == 0
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.pending, balance.owed, balance.lifetime_earned) == (700, 0, 0, 900)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE points_account SET available = available + 1", psycopg.errors.InsufficientPrivilege),
        ("UPDATE points_lot SET available = available + 1", psycopg.errors.InsufficientPrivilege),
        ("DELETE FROM points_lot", psycopg.errors.InsufficientPrivilege),
        (
            "INSERT INTO points_chain SELECT customer_id, 999, tx_id, 1, 1, 1, 1, 0, hash FROM points_chain",
            psycopg.errors.InsufficientPrivilege,
        ),
        ("UPDATE points_lot SET expires_at = now() - interval '1 day'", psycopg.errors.RestrictViolation),
        (
            "INSERT INTO points_entry SELECT tx_id, 99, customer_id, 'issued', NULL, 5 FROM points_entry LIMIT 1",
            psycopg.errors.CheckViolation,
        ),
        (
            (
                "INSERT INTO points_account (customer_id, available) SELECT id, 5 FROM customer"
                " WHERE id NOT IN (SELECT customer_id FROM points_account) LIMIT 1"
            ),
            psycopg.errors.CheckViolation,
        ),
        (
            (
                "INSERT INTO points_tx SELECT gen_random_uuid(), customer_id, 'adjust', 'x', 'x', 'x', 'x', 'x', '{}',"
                " now() FROM points_account LIMIT 1"
            ),
            psycopg.errors.CheckViolation,
        ),
        (
            (
                "INSERT INTO points_lot (id, customer_id, origin_type, origin_id, created_at, granted, available)"
                " SELECT gen_random_uuid(), customer_id, 'x', 'x', now(), 5, 5 FROM points_account LIMIT 1"
            ),
            psycopg.errors.CheckViolation,
        ),
    ],
)
def test_the_database_refuses_the_shops_own_role(
    web_role: psycopg.Connection, statement: str, refusal: type[Exception]
) -> None:
    make_customer()
    with_points = make_customer()
    with transaction():
        give_points(with_points, 100, expires_at=clock.now() + timedelta(days=5))
    with pytest.raises(refusal):
        web_role.execute(statement)


def test_a_posting_that_overdraws_or_does_not_balance_is_refused_by_the_database(
    owner: psycopg.Connection,
) -> None:
    customer_id = make_customer(points=100)
    (lot,) = lots_of(customer_id)
    overdraw = [Leg("available", -101, lot.id), Leg("expired", 101, lot.id)]
    with pytest.raises(PointsInsufficient), transaction():
        post(Posting(customer_id, "expire", "o:1", "lot", "x", "Too much", overdraw), actor=ACTOR)
    lopsided = [Leg("available", -10, lot.id), Leg("expired", 11, lot.id)]
    with pytest.raises(Exception, match="does not balance"), transaction():
        post(Posting(customer_id, "expire", "o:2", "lot", "x", "Lopsided", lopsided), actor=ACTOR)
    late = """INSERT INTO points_entry SELECT tx_id, line + 10, customer_id, account, lot_id, amount
              FROM points_entry WHERE customer_id = %s"""
    with pytest.raises(psycopg.errors.RestrictViolation, match="is closed"):
        owner.execute(late, (customer_id,))
    assert queries.get_balance(customer_id).available == 100
