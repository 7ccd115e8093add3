"""`flask rewards review`: published with a rule, given once a review, told and audited."""

from __future__ import annotations

import threading
import time
import uuid

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.queries import get_customer
from app.accounts.service import people
from app.audit.models import AuditEntry
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.rewards.queries import get_balance
from app.rewards.service import bonuses
from tests.checkout.versions import publish
from tests.factories.people import make_customer

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")
WAITING = """SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
              WHERE datname = current_database() AND NOT granted"""
THANKS = {"earn": {"bonuses": [{"name": "thanks", "action": "review", "points": 40}]}}


def told(app: Flask, email: str, review: str) -> tuple[int, str]:
    """(exit code, what was said)"""
    session().rollback()
    done = app.test_cli_runner().invoke(args=["rewards", "review", email, review])
    return done.exit_code, done.output


def state(customer_id: uuid.UUID) -> tuple[int, list[object]]:
    """(spendable points, audited bonuses)"""
    session().rollback()
    rows = select(AuditEntry.after).where(
        AuditEntry.action == "rewards.review_bonus", AuditEntry.target_id == str(customer_id)
    )
    return get_balance(customer_id).available, list(session().scalars(rows.order_by(AuditEntry.seq)))


def test_each_review_gives_its_bonus_once(app: Flask) -> None:
    publish(THANKS)
    customer_id, other_id = make_customer(), make_customer()
    email, other = get_customer(customer_id).email, get_customer(other_id).email
    assert told(app, email, "shop/1") == (0, f"40 points for {email}\n")
    for again in (email, other):
        assert told(app, again, "shop/1") == (0, "Nothing given: this review has earned before.\n")
    assert told(app, email, "shop/2")[0] == 0
    expected = [{"review": f"shop/{number}", "points": 40} for number in (1, 2)]
    assert state(customer_id) == (80, expected)
    assert state(other_id) == (0, [])


def test_without_a_rule_or_a_customer_nothing_is_given(app: Flask) -> None:
    customer_id = make_customer()
    email = get_customer(customer_id).email
    nothing = "Nothing given: no rule in force gives points for a review.\n"
    assert told(app, email, "shop/3") == (0, nothing)
    publish(THANKS)
    assert told(app, "nobody@example.test", "shop/3") == (
        1,
        "Error: No customer has the address nobody@example.test.\n",
    )
    for bad in (" ", "a\u0000b", "x" * 201):
        code, text = told(app, email, bad)
        assert (code, "REVIEW takes 1 to 200" in text) == (1, True)
    assert state(customer_id) == (0, [])


def test_staff_and_who_is_gone_are_given_nothing(app: Flask) -> None:
    publish(THANKS)
    staff, gone = make_customer(role="support"), make_customer()
    with transaction():
        people.deactivate(actor=system("test"), customer_id=gone, reason="Asked for it")
    for customer_id, why in (
        (staff, "{} belongs to staff: the bonus is for reviews of customers."),
        (gone, "The account of {} is deactivated."),
    ):
        email = get_customer(customer_id).email
        assert told(app, email, "shop/4") == (1, f"Error: {why.format(email)}\n")
        assert state(customer_id) == (0, [])


def test_two_named_at_once_for_a_review_are_one_bonus(app: Flask, owner: psycopg.Connection) -> None:
    rules = publish(THANKS)
    first, second = make_customer(), make_customer()
    email = get_customer(second).email
    session().rollback()
    said: list[tuple[int, str]] = []

    def name_the_second() -> None:
        with app.app_context():
            said.append(told(app, email, "shop/5"))

    thread = threading.Thread(target=name_the_second)
    with transaction():
        bonuses.give(
            customer_id=first, action="review", source_id="shop/5", rules=rules, actor=system("test")
        )
        thread.start()
        while thread.is_alive() and owner.execute(WAITING).fetchone() == (0,):
            time.sleep(0.01)
    thread.join()
    assert said == [(0, "Nothing given: this review has earned before.\n")]
    assert (state(first)[0], state(second)[0]) == (40, 0)
