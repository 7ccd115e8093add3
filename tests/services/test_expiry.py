"""Points expire once, in batches that anything may stop, and reminders come in time and once."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, time, timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.rewards import queries
from app.rewards.policies import ExpiryRules
from app.rewards.queries.months import list_all_expiring
from app.rewards.rules import Rules
from app.rewards.service import activity, expiry, holds
from app.rewards.service.accounts import lock_account
from tests.factories.people import give_points, make_customer

RULES = Rules()
ACTOR = system("expiry")

pytestmark = pytest.mark.usefixtures("app_context")


def run(*, limit: int = 2) -> tuple[int, int]:
    """(lots, points) expired by a whole run in small batches."""
    lots = points = 0
    after: expiry.Place | None = expiry.start()
    while after is not None:
        with transaction():
            batch = expiry.expire_batch(after=after, actor=ACTOR, limit=limit)
        lots, points, after = lots + batch.lots, points + batch.points, batch.after
    return lots, points


def give(customer_id: uuid.UUID, points: int, *, days: float | None) -> None:
    with transaction():
        give_points(
            customer_id, points, expires_at=None if days is None else clock.now() + timedelta(days=days)
        )


def test_what_is_due_expires_once_and_nothing_else() -> None:
    people = [make_customer() for _ in range(5)]
    for person in people:
        give(person, 100, days=1)
        give(person, 30, days=2)
        give(person, 7, days=400)
        give(person, 1, days=None)
    with clock.travel(days=3):
        with transaction():
            assert expiry.count_due() == 10
        assert run(limit=3) == (10, 650)
        assert run() == (0, 0)
    for person in people:
        assert queries.get_balance(person).available == 8
        rows = queries.list_transactions(person, limit=10, kind="expire").items
        assert sum(row.points for row in rows) == -130


def test_a_held_point_does_not_expire_and_comes_back_with_grace() -> None:
    customer_id, order_id = make_customer(), ids.uuid7()
    give(customer_id, 1_000, days=1)
    with transaction():
        holds.hold(
            customer_id=customer_id,
            order_id=order_id,
            order_number="MPC-1",
            points=600,
            rules=RULES,
            actor=ACTOR,
        )
    with clock.travel(days=2):
        assert run() == (1, 400)
        with transaction():
            holds.release(order_id=order_id, rules=RULES, actor=ACTOR)
        assert run() == (0, 0)
        assert queries.get_spendable(customer_id) == 600
    with clock.travel(days=17):
        assert run() == (1, 600)
    balance = queries.get_balance(customer_id)
    assert (balance.available, balance.held) == (0, 0)


def test_only_the_batch_commits_without_waiting_for_the_disk() -> None:
    """What customers do in the same connection before and afterwards is durable."""
    waits, person = text("SHOW synchronous_commit"), make_customer()
    with transaction():
        session().execute(text("SET synchronous_commit TO on"))  # the tests' own server does not wait
    give(person, 100, days=1)
    try:
        with clock.travel(days=2), transaction():
            assert session().scalar(waits) == "on"
            expiry.expire_batch(after=expiry.start(), actor=ACTOR)
            assert session().scalar(waits) == "off"
        with transaction():
            assert session().scalar(waits) == "on"
    finally:
        with transaction():
            session().execute(text("RESET synchronous_commit"))
    assert queries.get_balance(person).available == 0


def test_an_instant_decides() -> None:
    customer_id = make_customer()
    at = clock.now().replace(microsecond=500) + timedelta(days=1)
    with transaction():
        give_points(customer_id, 100, expires_at=at)
    with clock.frozen(at - timedelta(microseconds=1)):
        assert queries.get_spendable(customer_id) == 100
        assert run() == (0, 0)
    with clock.frozen(at):
        assert queries.get_spendable(customer_id) == 0
        assert run() == (1, 100)


def test_who_is_busy_is_left_out_and_nobody_waits(app: Flask) -> None:
    busy, idle = make_customer(), make_customer()
    give(busy, 100, days=1)
    give(idle, 100, days=1)
    locked, done = threading.Event(), threading.Event()

    def block() -> None:
        with app.app_context(), transaction():
            lock_account(customer_id=busy)
            locked.set()
            done.wait(60)

    thread = threading.Thread(target=block)
    thread.start()
    assert locked.wait(60)
    with clock.travel(days=2):
        with transaction():
            batch = expiry.expire_batch(after=expiry.start(), actor=ACTOR)
        assert (batch.lots, batch.busy) == (1, 1)
        done.set()
        thread.join()
        assert run() == (1, 100)
    assert queries.get_balance(busy).available == 0


def test_two_runs_at_once_expire_each_lot_once(app: Flask, owner: psycopg.Connection) -> None:
    people = [make_customer() for _ in range(12)]
    for person in people:
        give(person, 10, days=1)
    results = []

    def attempt() -> None:
        with app.app_context():
            results.append(run(limit=3))

    with clock.travel(days=2):
        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results.append(run())
    assert sum(points for _, points in results) == 120
    row = owner.execute(
        "SELECT count(*), sum(amount) FROM points_entry WHERE account = 'expired' AND customer_id = ANY(%s)",
        (people,),
    ).fetchone()
    assert row == (12, 120)


def test_activity_extends_every_lot_that_has_not_expired_at_once() -> None:
    active, asleep, order_id = make_customer(), make_customer(), ids.uuid7()
    for person in (active, asleep):
        give(person, 100, days=10)
        give(person, 40, days=2)
    rules = ExpiryRules(activity_extends_days=30)
    with transaction():
        holds.hold(
            customer_id=active, order_id=order_id, order_number="MPC-1", points=50, rules=RULES, actor=ACTOR
        )
        holds.capture(order_id=order_id, actor=ACTOR)
    active_at = clock.now() + timedelta(days=9)
    with clock.frozen(active_at), transaction():
        lock_account(customer_id=active)
        before = list_all_expiring(active)
        activity.extend(customer_id=active, rules=ExpiryRules())
        assert list_all_expiring(active) == before != []
        activity.extend(customer_id=active, rules=rules)
        assert list_all_expiring(active) == [(90, active_at + timedelta(days=30))]
        activity.extend(customer_id=active, rules=ExpiryRules(activity_extends_days=1))
        assert list_all_expiring(active) == [(90, active_at + timedelta(days=30))]
    with clock.frozen(active_at + timedelta(days=2)):
        assert (queries.get_spendable(active), queries.get_spendable(asleep)) == (90, 0)
        assert run() == (2, 140), "of who did nothing"
    with clock.frozen(active_at + timedelta(days=30)):
        assert run() == (1, 90)


def sent(owner: psycopg.Connection, customer_id: uuid.UUID) -> list[tuple[str, str, int]]:
    """(days, last day, points) of the mails, in the order in which they were queued."""
    rows = owner.execute(
        """SELECT payload ->> 'days', payload ->> 'expires_on', (payload ->> 'points')::int FROM outbox
            WHERE topic = 'mail.points_expiring' AND payload ->> 'customer_id' = %s ORDER BY created_at""",
        (str(customer_id),),
    )
    return rows.fetchall()


def remind(at: datetime) -> None:
    with clock.frozen(at), transaction():
        for days in ExpiryRules().remind_days:
            assert expiry.remind(days=days) is None


def test_reminders_come_on_their_days_once(owner: psycopg.Connection) -> None:
    """A day's mail tells of all that the day ends, at whatever hour, the midnight after it included."""
    customer_id, never = make_customer(), make_customer(points=50)
    noon = datetime.combine(clock.now().date(), time(12), UTC)
    day = noon.replace(hour=0) + timedelta(days=70)
    with transaction():
        for points, hours in ((100, 9), (11, 21), (1_000, 24), (7, 24.01)):
            give_points(customer_id, points, expires_at=day + timedelta(hours=hours))
    give(never, 5, days=None)
    seen = {}
    for n in range(1, 71):
        remind(noon + timedelta(days=n))
        seen[n] = len(sent(owner, customer_id))
    on, after = day.date().isoformat(), (day + timedelta(days=1)).date().isoformat()
    assert sent(owner, customer_id) == [
        (days, at, points) for days in ("60", "30", "7") for at, points in ((on, 1_111), (after, 7))
    ]
    assert [seen[n] for n in (9, 10, 11, 39, 40, 41, 62, 63, 64)] == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    assert sent(owner, never) == []
    session().rollback()


def test_a_reminder_that_was_missed_comes_up_to_three_days_later(owner: psycopg.Connection) -> None:
    late, too_late = make_customer(), make_customer()
    noon = datetime.combine(clock.now().date(), time(12), UTC)
    with transaction():
        give_points(late, 8, expires_at=noon + timedelta(days=4, hours=-11))
        give_points(too_late, 9, expires_at=noon + timedelta(days=3, hours=11))
    remind(noon)
    assert [(days, points) for days, _, points in sent(owner, late)] == [("7", 8)]
    assert sent(owner, too_late) == []


def test_no_reminder_of_what_is_gone(owner: psycopg.Connection) -> None:
    customer_id = make_customer()
    noon = datetime.combine(clock.now().date(), time(12), UTC) + timedelta(days=1)
    with transaction():
        give_points(customer_id, 8, expires_at=noon - timedelta(hours=1))
        give_points(customer_id, 30, expires_at=noon + timedelta(hours=1))
    with clock.frozen(noon), transaction():
        assert expiry.remind(days=1) is None
    assert [(days, points) for days, _, points in sent(owner, customer_id)] == [("1", 30)]


def test_reminders_page_over_customers(owner: psycopg.Connection) -> None:
    people = sorted(make_customer() for _ in range(5))
    for person in people:
        give(person, 9, days=5.5)
    after, pages = None, 0
    while True:
        with transaction():
            after = expiry.remind(days=7, after=after, limit=2)
        pages += 1
        if after is None:
            break
    assert pages >= 3
    row = owner.execute(
        "SELECT count(*) FROM outbox WHERE topic = 'mail.points_expiring' AND payload ->> 'customer_id' = ANY(%s)",
        ([str(person) for person in people],),
    ).fetchone()
    assert row == (5,)
