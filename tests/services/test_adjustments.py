"""Adjustments by staff: limits, a second person, undo once, and nothing changed after a refusal."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.kernel import clock
from app.kernel.actor import Actor, system
from app.kernel.database import run_atomically, transaction
from app.kernel.errors import Conflict, Forbidden, RuleBroken
from app.rewards import queries
from app.rewards.errors import AdjustmentDuplicate, BelowZero, SelfApproval
from app.rewards.policies import AdjustmentRules, MakerLimit
from app.rewards.rules import Rules
from app.rewards.service import adjustments, holds
from tests.factories.people import actor_of, make_customer

RULES = Rules(adjustments=AdjustmentRules(limits={"support": MakerLimit(each=500, day=1_200)}))
NOTE = "Because of a late parcel"

pytestmark = pytest.mark.usefixtures("app_context")


def staff(role: str = "support") -> Actor:
    return actor_of(make_customer(role=role, name="Staff"), role=role)


def ask(customer_id: uuid.UUID, points: int, actor: Actor, **changes: Any) -> queries.Adjustment:
    wish = {"reason_code": "goodwill", "note": NOTE, "rules": RULES, **changes}
    with transaction():
        return adjustments.request(customer_id=customer_id, points=points, actor=actor, **wish)


def footprint(owner: psycopg.Connection, customer_id: uuid.UUID) -> tuple[Any, ...]:
    row = owner.execute(
        """SELECT (SELECT row(available, held, version) FROM points_account WHERE customer_id = %(c)s)::text,
                  (SELECT count(*) FROM points_adjustment WHERE customer_id = %(c)s),
                  (SELECT array_agg(state ORDER BY id) FROM points_adjustment WHERE customer_id = %(c)s),
                  (SELECT count(*) FROM audit_log WHERE target_id = %(c)s::text),
                  (SELECT count(*) FROM outbox WHERE payload ->> 'customer_id' = %(c)s::text)""",
        {"c": customer_id},
    ).fetchone()
    assert row is not None
    return row


def audit_rows(owner: psycopg.Connection, customer_id: uuid.UUID) -> list[tuple[Any, ...]]:
    return owner.execute(
        """SELECT action, actor_id, reason, before ->> 'available', after ->> 'available' FROM audit_log
            WHERE target_type = 'customer' AND target_id = %s ORDER BY seq""",
        (str(customer_id),),
    ).fetchall()


def test_within_the_limit_it_is_applied_at_once_with_one_audit_row_and_one_mail(
    owner: psycopg.Connection,
) -> None:
    customer_id, maker = make_customer(points=100), staff()
    made = ask(customer_id, 500, maker, points_expire_at=clock.now() + timedelta(days=30))
    assert (made.state, made.auto_approved, made.decided_by) == ("applied", True, maker.id)
    assert queries.get_balance(customer_id).available == 600
    assert audit_rows(owner, customer_id) == [
        ("points.adjustment_applied", maker.id, NOTE, "100", "600"),
    ]
    jobs = owner.execute("SELECT topic FROM outbox WHERE payload ->> 'adjustment_id' = %s", (str(made.id),))
    assert jobs.fetchall() == [("mail.points_adjusted",)]
    taken = ask(customer_id, -200, maker)
    assert taken.state == "applied"
    assert queries.get_balance(customer_id).available == 400


def test_above_the_limit_of_one_or_of_the_day_it_waits(owner: psycopg.Connection) -> None:
    customer_id, maker = make_customer(points=5_000), staff()
    assert ask(customer_id, 501, maker).state == "awaiting_approval"
    assert ask(customer_id, 500, maker).state == "applied"
    assert ask(customer_id, -500, maker).state == "applied"
    assert ask(customer_id, 201, maker).state == "awaiting_approval", "1,000 of 1,200 are used"
    assert ask(customer_id, 200, maker).state == "applied"
    assert queries.get_balance(customer_id).available == 5_200
    with clock.travel(hours=25):
        assert ask(customer_id, 300, maker).state == "applied", "a new day"


def test_two_requests_at_once_do_not_pass_the_daily_limit_together(app: Flask) -> None:
    maker, people = staff(), [make_customer() for _ in range(4)]
    barrier, states = threading.Barrier(4), []

    def attempt(customer_id: uuid.UUID) -> None:
        with app.app_context():
            barrier.wait()
            made = run_atomically(
                lambda: adjustments.request(
                    customer_id=customer_id,
                    points=400,
                    reason_code="goodwill",
                    note=NOTE,
                    rules=RULES,
                    actor=maker,
                )
            )
            states.append(made.state)

    threads = [threading.Thread(target=attempt, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["applied"] * 3 + ["awaiting_approval"]


def test_a_second_person_approves_never_the_first_and_never_the_one_who_receives(
    owner: psycopg.Connection,
) -> None:
    customer_id, maker, checker = make_customer(points=100), staff("approver"), staff("approver")
    waiting = ask(customer_id, 900, maker)
    before = footprint(owner, customer_id)
    for actor, refusal in (
        (maker, SelfApproval),
        (actor_of(customer_id, role="approver"), SelfApproval),
        (staff("support"), Forbidden),
        (staff("auditor"), Forbidden),
        (system("test"), Forbidden),
    ):
        with pytest.raises(refusal), transaction():
            adjustments.approve(adjustment_id=waiting.id, note="Looks right", rules=RULES, actor=actor)
        with pytest.raises(refusal), transaction():
            adjustments.reject(adjustment_id=waiting.id, note="Looks wrong", actor=actor)
    with pytest.raises(RuleBroken) as refused, transaction():
        adjustments.approve(adjustment_id=waiting.id, note="ok", rules=RULES, actor=checker)
    assert refused.value.errors[0].field == "note"
    assert footprint(owner, customer_id) == before
    with transaction():
        done = adjustments.approve(adjustment_id=waiting.id, note="Looks right", rules=RULES, actor=checker)
    assert (done.state, done.decided_by, done.decision_note) == ("applied", checker.id, "Looks right")
    assert queries.get_balance(customer_id).available == 1_000
    assert [row[:3] for row in audit_rows(owner, customer_id)] == [
        ("points.adjustment_requested", maker.id, NOTE),
        ("points.adjustment_approved", checker.id, "Looks right"),
    ]
    after = footprint(owner, customer_id)
    with pytest.raises(Conflict, match="This adjustment is applied and cannot become"), transaction():
        adjustments.approve(adjustment_id=waiting.id, note="Once more", rules=RULES, actor=checker)
    assert footprint(owner, customer_id) == after


def test_rejected_moves_nothing_and_is_final(owner: psycopg.Connection) -> None:
    customer_id, checker = make_customer(points=100), staff("approver")
    waiting = ask(customer_id, -90, staff("admin"))
    assert waiting.state == "awaiting_approval", "the role has no limit"
    with transaction():
        assert (
            adjustments.reject(adjustment_id=waiting.id, note="No reason", actor=checker).state == "rejected"
        )
    assert queries.get_balance(customer_id).available == 100
    with pytest.raises(Conflict), transaction():
        adjustments.approve(adjustment_id=waiting.id, note="Still yes", rules=RULES, actor=checker)


def test_ones_own_account_always_waits() -> None:
    maker = staff()
    assert maker.id is not None
    assert ask(maker.id, 10, maker).state == "awaiting_approval"
    assert queries.get_balance(maker.id).available == 0


def test_a_result_below_zero_is_refused_and_held_points_are_out_of_reach(owner: psycopg.Connection) -> None:
    customer_id, maker, checker = make_customer(points=1_000), staff(), staff("approver")
    with transaction():
        holds.hold(
            customer_id=customer_id,
            order_id=uuid.uuid4(),
            order_number="MPC-X",
            points=700,
            rules=RULES,
            actor=maker,
        )
    before = footprint(owner, customer_id)
    for points in (-301, -700):
        with pytest.raises(BelowZero) as refused:
            ask(customer_id, points, maker)
        assert refused.value.details == {"available": 300}
        assert refused.value.errors[0].field == "points"
    assert footprint(owner, customer_id) == before
    waiting = ask(customer_id, -300, maker, rules=Rules(adjustments=AdjustmentRules(limits={})))
    assert ask(customer_id, -10, maker).state == "applied"
    before = footprint(owner, customer_id)
    with pytest.raises(BelowZero), transaction():
        adjustments.approve(adjustment_id=waiting.id, note="Looks right", rules=RULES, actor=checker)
    assert footprint(owner, customer_id) == before


@pytest.mark.parametrize(
    ("points", "changes", "field"),
    [
        (0, {}, "points"),
        (10_000_001, {}, "points"),
        (10, {"reason_code": "because"}, "reason_code"),
        (10, {"note": " abc "}, "note"),
        (10, {"note": "Because\x00of a late parcel"}, "note"),
        (-10, {"points_expire_at": clock.now() + timedelta(days=1)}, "points_expire_at"),
        (10, {"points_expire_at": clock.now() - timedelta(days=1)}, "points_expire_at"),
        (10, {"points_expire_at": datetime.fromisoformat("9999-12-31T23:59:59-12:00")}, "points_expire_at"),
        (10, {"points_expire_at": datetime(2101, 1, 2, tzinfo=UTC)}, "points_expire_at"),
    ],
)
def test_bad_input_names_its_field(
    owner: psycopg.Connection, points: int, changes: dict[str, Any], field: str
) -> None:
    customer_id, maker = make_customer(points=100), staff()
    before = footprint(owner, customer_id)
    with pytest.raises(RuleBroken) as refused:
        ask(customer_id, points, maker, **changes)
    assert refused.value.errors[0].field == field
    assert footprint(owner, customer_id) == before


def test_the_same_request_does_not_wait_twice(owner: psycopg.Connection) -> None:
    customer_id = make_customer()
    waiting = ask(customer_id, 900, staff())
    before = footprint(owner, customer_id)
    with pytest.raises(AdjustmentDuplicate):
        ask(customer_id, 900, staff())
    assert footprint(owner, customer_id) == before
    checker = staff("approver")
    with transaction():
        adjustments.reject(adjustment_id=waiting.id, note="Not this one", actor=checker)
    assert ask(customer_id, 900, staff()).state == "awaiting_approval"


def test_a_customer_cannot_adjust(owner: psycopg.Connection) -> None:
    customer_id = make_customer(points=100)
    before = footprint(owner, customer_id)
    for actor in (actor_of(make_customer()), system("test"), staff("auditor")):
        with pytest.raises(Forbidden):
            ask(customer_id, 10, actor)
    assert footprint(owner, customer_id) == before


def test_lists_page_by_state() -> None:
    maker = staff()
    made = [ask(make_customer(), 600 + step, maker) for step in range(3)]
    first = queries.list_adjustments(requested_by=maker.id, state="awaiting_approval", limit=2)
    assert [row.id for row in first.items] == [made[2].id, made[1].id]
    second = queries.list_adjustments(
        requested_by=maker.id, state="awaiting_approval", limit=2, cursor=first.next
    )
    assert [row.id for row in second.items] == [made[0].id]
    assert second.next is None
    with pytest.raises(RuleBroken):
        queries.list_adjustments(cursor="bm9wZQ", limit=2)
