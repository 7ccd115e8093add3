"""One damaged account keeps nobody else's points waiting: jobs go past it, staff hear of it, it is tried again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from rq.timeouts import JobTimeoutException
from sqlalchemy import create_engine, delete, text
from sqlalchemy.exc import DBAPIError

from app.blueprints.common import expiring
from app.blueprints.common.damaged import FAILED, Damaged
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import is_outage, session, transaction
from app.outbox.models import OutboxRow
from app.payments.issues import find_issue
from app.payments.models import ReconciliationIssue
from app.rewards import queries
from app.rewards.service import earning
from app.rewards.service.earning import Earning
from jobs.handlers import earnings, rewards
from tests.factories.people import give_points, make_customer

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def untold(app_context: None) -> None:
    with transaction():
        session().execute(delete(ReconciliationIssue))


def damage(owner: psycopg.Connection, customer_id: uuid.UUID, by: int) -> None:
    """Behind the guards: the balance is not the sum of the lots any more, which each posting is refused for."""
    owner.execute("ALTER TABLE points_account DISABLE TRIGGER USER")
    owner.execute(
        "UPDATE points_account SET available = available + %s WHERE customer_id = %s", (by, customer_id)
    )
    owner.execute("ALTER TABLE points_account ENABLE TRIGGER USER")


def earn(customer_id: uuid.UUID, points: int, *, days: float) -> None:
    booking = Earning(
        customer_id,
        "review",
        uuid.uuid4().hex,
        None,
        points,
        clock.now() + timedelta(days=days),
        1,
        {},
        "Test",
    )
    with transaction():
        earning.book(booking, actor=system("test"))


def lot(customer_id: uuid.UUID, points: int, *, days: float) -> None:
    with transaction():
        give_points(customer_id, points, expires_at=clock.now() + timedelta(days=days))


def available(*people: uuid.UUID) -> list[int]:
    session().rollback()
    balances = [queries.get_balance(person).available for person in people]
    session().rollback()
    return balances


def told(task: str) -> tuple[str, list[str]] | None:
    """(state of the issue, whom it names)"""
    session().rollback()
    issue = find_issue(FAILED, task)
    session().rollback()
    return None if issue is None else (issue.state, issue.detail["customers"])


def alerts() -> int:
    session().rollback()
    mails = session().query(OutboxRow).filter_by(topic="mail.staff_alert").count()
    session().rollback()
    return mails


def test_points_of_others_are_confirmed(owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind a whole batch of the damaged one's."""
    monkeypatch.setattr(earnings, "BATCH", 2)
    bad, good = make_customer(points=10), make_customer(points=10)
    for person, days in ((bad, 1), (bad, 2), (good, 3), (bad, 4), (good, 5)):
        earn(person, 100, days=days)
    damage(owner, bad, 1)
    before = alerts()
    with clock.travel(days=40):
        assert earnings.confirm_due() == "2 earnings confirmed; 1 accounts failed"
        assert available(bad, good) == [11, 210]
        assert told("rewards.confirm") == ("open", [str(bad)])
        assert earnings.confirm_due() == "0 earnings confirmed; 1 accounts failed"
        assert alerts() == before + 1
        damage(owner, bad, -1)
        assert earnings.confirm_due() == "3 earnings confirmed"
    assert available(bad, good) == [310, 210]
    assert told("rewards.confirm") == ("auto_fixed", [str(bad)])


def test_points_of_others_expire(owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the damaged one's, in the same batch, and in all the batches after."""
    monkeypatch.setattr(rewards.expire_next, "__kwdefaults__", {"limit": 3})
    bad, *good = (make_customer() for _ in range(4))
    for days in range(1, 4):
        for person in (good[0], bad, *good[1:]):
            lot(person, 10, days=days)
    damage(owner, bad, 1)
    with clock.travel(days=40):
        assert rewards.expire_points() == "9 lots with 90 points expired; 1 accounts failed"
        assert available(bad, *good) == [31, 0, 0, 0]
        assert told("rewards.expire") == ("open", [str(bad)])
        damage(owner, bad, -1)
        assert rewards.expire_points() == "3 lots with 30 points expired"
        assert rewards.expire_points() is None
    assert available(bad) == [0]
    assert told("rewards.expire") == ("auto_fixed", [str(bad)])


def test_tiers_of_others_move(owner: psycopg.Connection) -> None:
    bad, good = sorted((make_customer(points=1), make_customer(points=1)))
    owner.execute("ALTER TABLE points_account DISABLE TRIGGER USER")
    owner.execute("UPDATE points_account SET tier = 'gold' WHERE customer_id = ANY(%s)", ([bad, good],))
    owner.execute("ALTER TABLE points_account ENABLE TRIGGER USER")
    owner.execute(f"ALTER TABLE points_account ADD CHECK (tier_until IS NULL OR customer_id <> '{bad}')")

    def falls() -> list[bool]:
        session().rollback()
        found = [queries.get_tier_status(person).until is not None for person in (bad, good)]
        session().rollback()
        return found

    try:
        assert str(earnings.reassess_tiers()).endswith(" tiers looked at; 1 accounts failed")
        assert falls() == [False, True]
        assert told("rewards.tiers") == ("open", [str(bad)])
    finally:
        owner.execute("ALTER TABLE points_account DROP CONSTRAINT points_account_check")
    assert str(earnings.reassess_tiers()).endswith(" tiers looked at")
    assert falls() == [True, True]
    assert told("rewards.tiers") == ("auto_fixed", [str(bad)])


@pytest.mark.parametrize("run", [earnings.confirm_due, rewards.expire_points])
def test_a_database_that_is_away_is_nobody_s_fault(
    owner: psycopg.Connection, run: Callable[[], str | None]
) -> None:
    person = make_customer()
    earn(person, 100, days=1)
    lot(person, 10, days=1)
    owner.execute(
        "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    owner.execute("CREATE TRIGGER hang_up BEFORE INSERT ON points_tx FOR EACH ROW EXECUTE FUNCTION hang_up()")
    try:
        with clock.travel(days=2), pytest.raises(Exception, match=r"terminat|closed"):
            run()
    finally:
        session().rollback()
        owner.execute("DROP TRIGGER hang_up ON points_tx")
        owner.execute("DROP FUNCTION hang_up()")
    assert told("rewards.confirm") is None
    assert told("rewards.expire") is None
    assert available(person) == [10]


def test_a_server_that_nobody_reaches_is_away() -> None:
    engine = create_engine(
        "postgresql+psycopg://nobody@127.0.0.1:1/nothing", connect_args={"connect_timeout": 2}
    )
    with pytest.raises(DBAPIError) as failed:
        engine.connect()
    assert failed.value.connection_invalidated is False
    assert is_outage(failed.value)


@pytest.mark.parametrize(
    ("state", "away"),
    [
        ("08006", True),
        ("53100", True),
        ("53300", True),
        ("57P01", True),
        ("57P03", True),
        ("57014", False),
        ("55P03", False),
        ("40001", False),
        ("23514", False),
        ("P0001", False),
    ],
)
def test_which_of_the_server_s_errors_are_nobody_s_fault(state: str, away: bool) -> None:
    with pytest.raises(DBAPIError) as failed:
        session().execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))
    session().rollback()
    assert is_outage(failed.value) is away


def test_a_job_whose_time_is_up_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the fault of the account that was worked on just then."""

    def late(point: str = "expire.before_commit") -> None:
        if point == "expire.before_commit":
            raise JobTimeoutException("time is up")

    damaged, person = Damaged("rewards.expire"), make_customer()
    with pytest.raises(JobTimeoutException):
        damaged.go_past(person, late)
    assert damaged.customers == frozenset()
    lot(person, 10, days=1)
    monkeypatch.setattr(expiring, "crashpoint", late)
    with clock.travel(days=2), pytest.raises(JobTimeoutException):
        rewards.expire_points()
    assert available(person) == [10]


def test_by_hand_points_of_others_expire_as_well(app: Flask, owner: psycopg.Connection) -> None:
    """The command goes on, names who failed, tells staff, and its exit code says so."""
    with clock.travel(days=40):
        rewards.expire_points()  # what other tests left
    bad, *good = (make_customer() for _ in range(3))
    for days in range(1, 3):
        for person in (good[0], bad, good[1]):
            lot(person, 10, days=days)
    damage(owner, bad, 1)

    def expire() -> tuple[int, str, str]:
        result = app.test_cli_runner().invoke(args=["rewards", "expire", "--batch", "2"])
        return result.exit_code, result.stdout, result.stderr

    with clock.travel(days=40):
        code, said, failed = expire()
        assert (code, said) == (
            1,
            "4 lots with 40 points expired; 0 were busy and stay for the next run; 1 accounts failed.\n",
        )
        assert f"failed: {bad}: " in failed
        assert available(bad, *good) == [21, 0, 0]
        assert told("rewards.expire") == ("open", [str(bad)])
        damage(owner, bad, -1)
        assert expire()[:2] == (
            0,
            "2 lots with 20 points expired; 0 were busy and stay for the next run.\n",
        )
    assert available(bad) == [0]
    assert told("rewards.expire") == ("auto_fixed", [str(bad)])
