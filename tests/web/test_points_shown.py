"""What people are told they have: what can be spent now, what cools off apart, and the last day of each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.kernel import clock
from app.kernel.database import transaction
from app.rewards import queries
from app.rewards.queries import Purse
from app.rewards.rules import Rules
from app.rewards.service import batches
from tests.factories.people import actor_of, give_points, make_customer, pass_on
from tests.web.people import Caller, sign_in, sign_up
from tests.web.visitor import Visitor

RULES = Rules()
MIDNIGHT = datetime(2031, 1, 1, tzinfo=UTC)


@dataclass
class Somebody:
    caller: Caller
    browser: Visitor

    @property
    def id(self) -> uuid.UUID:
        return self.caller.id

    def account(self) -> dict[str, Any]:
        answer = self.caller.call("GET", "/rewards/account")
        assert answer.status_code == 200, answer.text
        return answer.json["data"]

    def page(self) -> str:
        return self.browser.go("/account/miles").text


@pytest.fixture
def somebody(app: Flask, app_context: None) -> Somebody:
    caller = sign_up(app.test_client())
    browser = Visitor(app.test_client())
    assert sign_in(browser.client, caller.email).status_code == 302
    return Somebody(caller, browser)


def receive(recipient: uuid.UUID, points: int) -> None:
    pass_on(make_customer(points=points), recipient, points)


def give(customer_id: uuid.UUID, points: int, **more: Any) -> None:
    with transaction():
        give_points(customer_id, points, **more)


def test_points_that_cool_off_are_shown_apart_and_cannot_be_spent(somebody: Somebody) -> None:
    give(somebody.id, 300)
    receive(somebody.id, 1_000)
    assert queries.get_purse(somebody.id) == Purse(spendable=300, cooling=1_000)
    assert somebody.account()["available"] == queries.get_spendable(somebody.id) == 300
    page = somebody.page()
    assert "Available 300 worth" in page
    assert "Received 1,000 to spend after a short wait" in page
    with clock.travel(days=8):
        assert queries.get_purse(somebody.id) == Purse(spendable=1_300)


def test_points_that_have_expired_are_gone_before_the_job_has_come(somebody: Somebody) -> None:
    give(somebody.id, 300)
    give(somebody.id, 700, expires_at=clock.now())
    assert queries.get_balance(somebody.id).available == 1_000, "not booked yet"
    assert somebody.account()["available"] == 300
    assert "Available 300 worth" in somebody.page()


def test_every_date_of_expiry_is_told_however_far_away(somebody: Somebody) -> None:
    for days in (1, 89, 91, 1_000):
        give(somebody.id, days, expires_at=MIDNIGHT + timedelta(days=days))
    told = [(row["points"], row["expires_on"]) for row in somebody.account()["expiring"]]
    assert told == [(1, "2031-01-01"), (89, "2031-03-30"), (91, "2031-04-01"), (1_000, "2033-09-26")]


def test_a_last_day_is_the_same_everywhere(somebody: Somebody) -> None:
    staff = actor_of(make_customer(role="admin"), role="admin")
    content = (
        f"customer,points,reason_code,note,expires_at\n{somebody.id},500,goodwill,Hello there,2030-12-31\n"
    )
    with transaction():
        batches.submit(content=content.encode(), file_name="x.csv", rules=RULES, actor=staff)
    give(somebody.id, 40, expires_at=MIDNIGHT - timedelta(microseconds=1))
    give(somebody.id, 7, expires_at=MIDNIGHT + timedelta(hours=1))
    assert somebody.account()["expiring"] == [
        {"points": 540, "expires_on": "2030-12-31"},
        {"points": 7, "expires_on": "2031-01-01"},
    ]
    page = somebody.page()
    assert "31 December 2030 540 miles 1 January 2031 7 miles" in page
