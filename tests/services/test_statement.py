"""Statements by month, balances as of any instant, the way back from a spent point, and what the programme owes."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import transaction
from app.rewards import queries
from app.rewards.queries.liability import get_liability
from app.rewards.queries.lineage import trace
from app.rewards.queries.months import get_balance_at, get_month, month_as_csv
from app.rewards.rules import Rules
from app.rewards.service import earning, expiry, holds, refunds, transfers
from tests.factories.people import actor_of, give_points, make_customer
from tests.factories.spent import latest_first

RULES = Rules()
ACTOR = system("test")
JANUARY = datetime(2031, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("app_context")


def give(customer_id: uuid.UUID, points: int, at: datetime, expires_at: datetime | None = None) -> None:
    with clock.frozen(at), transaction():
        give_points(customer_id, points, expires_at=expires_at)


def spend(customer_id: uuid.UUID, points: int, at: datetime) -> None:
    order_id = ids.uuid7()
    with clock.frozen(at), transaction():
        holds.hold(
            customer_id=customer_id, order_id=order_id, order_number=f"=MPC-{points}", points=points, rules=RULES,
            actor=ACTOR,
        )  # fmt: skip
        holds.capture(order_id=order_id, actor=ACTOR)


def test_a_month_opens_where_the_last_one_closed_and_its_rows_add_up() -> None:
    customer_id = make_customer()
    moments = [JANUARY + timedelta(days=day) for day in (0, 10, 31, 32, 58, 59, 400)]
    for number, at in enumerate(moments, start=1):
        give(customer_id, 100 * number, at)
        spend(customer_id, 10 * number, at + timedelta(hours=1))
    months = [get_month(customer_id, year=2031, month=month) for month in range(1, 13)]
    for before, after in pairwise(months):
        assert (before.closing, before.end) == (after.opening, after.start)
    for month in months:
        opening = month.opening.available + month.opening.held
        assert opening + sum(row.points for row in month.rows) == month.closing.available + month.closing.held
        assert all(month.start <= row.created_at < month.end for row in month.rows)
    assert [len(month.rows) for month in months[:4]] == [4, 6, 2, 0]
    assert months[0].totals == {"adjust": 300, "redeem": -30}
    assert months[11].end == datetime(2032, 1, 1, tzinfo=UTC)


def test_the_balance_as_of_an_instant() -> None:
    customer_id = make_customer()
    give(customer_id, 500, JANUARY)
    spend(customer_id, 200, JANUARY + timedelta(days=1))
    assert get_balance_at(customer_id, JANUARY).available == 0, "just before the first one"
    tick = timedelta(microseconds=1)
    assert get_balance_at(customer_id, JANUARY + tick).available == 500
    assert get_balance_at(customer_id, JANUARY + timedelta(days=1)).available == 500
    after = get_balance_at(customer_id, JANUARY + timedelta(days=1) + tick)
    assert (after.available, after.held, after.version) == (300, 0, 3)


def test_the_month_as_csv_runs_no_formula() -> None:
    customer_id = make_customer()
    give(customer_id, 500, JANUARY)
    spend(customer_id, 200, JANUARY + timedelta(days=1))
    month = get_month(customer_id, year=2031, month=1)
    rows = list(csv.reader(io.StringIO(month_as_csv(month, link=lambda row: f"to {row.points}"))))
    assert rows[0] == ["date", "kind", "reason", "order_number", "points", "balance", "link"]
    assert rows[1] == ["2031-01-01", "opening", "", "", "", "0", ""]
    assert rows[-1] == ["2031-02-01", "closing", "", "", "", "300", ""]
    assert [row[4:] for row in rows[2:-1]] == [["500", "500", "to 500"], ["-200", "300", "to -200"]]
    assert not any(cell.startswith("=") for row in rows for cell in row[2:3])


def test_from_a_spent_point_back_to_the_order_rule_and_rate_across_a_transfer() -> None:
    sender, recipient, order_id = make_customer(), make_customer(), ids.uuid7()
    with transaction():
        earning.earn_pending(
            customer_id=sender, order_id=order_id, order_number="MPC-SOURCE", points=900, confirms_at=clock.now(),
            rules_version=1, breakdown={"card": 90_000, "currency": "HKD"}, actor=ACTOR,
        )  # fmt: skip
    with transaction():
        ((earning_id, _),) = earning.list_due_earnings()
        earning.confirm(earning_id=earning_id, rules=RULES, actor=ACTOR)
    with transaction():
        asked = transfers.request(
            sender_id=sender, recipient_email=get_customer(recipient).email, points=600, rules=RULES,
            actor=actor_of(sender),
        )  # fmt: skip
        transfers.confirm(transfer_id=asked.id, rules=RULES, actor=actor_of(sender))
    spend(recipient, 500, clock.now() + timedelta(days=2))
    (row,) = queries.list_transactions(recipient, kind="redeem", limit=5).items
    (found,) = trace(row.id)
    assert found.points == 500
    assert [step.customer_id for step in found.line] == [recipient, sender]
    source = found.source
    assert (source.order_number, source.rules_version, source.earned) == ("MPC-SOURCE", 1, 900)
    assert source.breakdown == {"card": 90_000, "currency": "HKD"}


def test_points_refunded_from_a_lot_that_has_expired_are_no_breakage() -> None:
    customer_id, order_id = make_customer(), ids.uuid7()
    give(customer_id, 1_000, clock.now(), clock.now() + timedelta(days=1))
    with transaction():
        holds.hold(
            customer_id=customer_id, order_id=order_id, order_number="MPC-BACK", points=1_000, rules=RULES,
            actor=ACTOR,
        )  # fmt: skip
        holds.capture(order_id=order_id, actor=ACTOR)
    with clock.travel(days=2):
        before = get_liability(RULES)
        with transaction():
            whose = {"customer_id": customer_id, "order_id": order_id, "order_number": "MPC-BACK"}
            lots = latest_first(**whose, points=1_000)
            refunds.return_points(**whose, lots=lots, idem_key="refund:back", rules=RULES, actor=ACTOR)
        after = get_liability(RULES)
    assert after.points == before.points + 1_000, "they live again"
    assert (before.breakage_permille, after.breakage_permille) == (0, 0)


def test_liability_by_month_of_expiry_with_breakage() -> None:
    before = get_liability(RULES)
    customer_id = make_customer()
    first, second = (datetime(2081, month, 1, tzinfo=UTC) for month in (1, 2))  # of nobody else
    soon, later = first + timedelta(days=5), second + timedelta(days=9)
    give(customer_id, 300, clock.now(), clock.now() + timedelta(hours=1))
    with clock.travel(hours=2), transaction():
        expiry.expire_batch(after=expiry.start(), actor=ACTOR)
    give(customer_id, 1_000, clock.now(), soon)
    spend(customer_id, 100, clock.now())
    give(customer_id, 500, clock.now(), later)
    give(customer_id, 250, clock.now(), None)
    liability = get_liability(RULES)
    assert liability.points == before.points + 1_650
    assert liability.value == before.value + 16_500, "10.00 for 100 points"
    by_month = {month.month: month.points for month in liability.months}
    assert by_month[first] == 900
    assert by_month[second] == 500
    assert 0 < liability.breakage_permille < 1_000
    january = next(month for month in liability.months if month.month == first)
    assert january.expected == 9_000 - 9_000 * liability.breakage_permille // 1_000
    never = next(month for month in liability.months if month.month is None)
    assert never.expected == never.value


def test_liability_puts_a_midnight_into_the_month_of_the_last_day() -> None:
    customer_id = make_customer()
    january, midnight, march = (datetime(2083, month, 1, tzinfo=UTC) for month in (1, 2, 3))  # of nobody else
    give(customer_id, 700, clock.now(), midnight)
    give(customer_id, 77, clock.now(), midnight - timedelta(microseconds=1))
    give(customer_id, 5, clock.now(), midnight + timedelta(microseconds=1))
    give(customer_id, 9, clock.now(), march)
    by_month = {month.month: month.points for month in get_liability(RULES).months}
    assert (by_month.get(january), by_month.get(midnight), by_month.get(march)) == (777, 14, None)
