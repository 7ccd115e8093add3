"""Adjustments by file: the dry run changes nothing, the file is booked whole or not at all."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.accounts.queries import get_customer
from app.kernel import clock
from app.kernel.actor import Actor, system
from app.kernel.database import transaction
from app.kernel.errors import Conflict, Forbidden, RuleBroken
from app.rewards import queries
from app.rewards.errors import AdjustmentDuplicate, BelowZero, SelfApproval
from app.rewards.policies import AdjustmentRules, MakerLimit
from app.rewards.rules import Rules
from app.rewards.service import adjustments, batches
from tests.factories.people import actor_of, make_customer
from tests.web.statements import statements

RULES = Rules(adjustments=AdjustmentRules(limits={"support": MakerLimit(each=1_000, day=1_500)}))
HEADER = "customer,points,reason_code,note,expires_at"

pytestmark = pytest.mark.usefixtures("app_context")


def staff(role: str = "support") -> Actor:
    return actor_of(make_customer(role=role, name="Staff"), role=role)


def email(customer_id: uuid.UUID) -> str:
    return get_customer(customer_id).email


def file(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join((header, *rows, "")).encode()


def submit(content: bytes, actor: Actor) -> queries.Batch:
    with transaction():
        return batches.submit(content=content, file_name="may.csv", rules=RULES, actor=actor)


def everything(owner: psycopg.Connection) -> Any:
    return owner.execute(
        """SELECT (SELECT count(*) FROM points_tx), (SELECT count(*) FROM points_adjustment),
                  (SELECT count(*) FROM points_adjustment_batch), (SELECT count(*) FROM audit_log),
                  (SELECT count(*) FROM outbox), (SELECT sum(available) FROM points_account),
                  (SELECT count(*) FROM points_adjustment WHERE state = 'applied')"""
    ).fetchone()


def test_a_dry_run_shows_the_differences_and_changes_nothing(owner: psycopg.Connection) -> None:
    rich, poor, twice, odd = (make_customer(points=points) for points in (900, 10, 10, 10))
    maker = staff()
    content = file(
        f"{email(rich).upper()},-400,correction,Counted twice,",
        f"{poor},+50,goodwill,Late parcel,2099-12-31",
        "nobody@example.test,10,goodwill,Late parcel,",
        f"{email(twice)},10,goodwill,Late parcel,",
        f"{twice},10,goodwill,Late parcel,",
        f"{email(odd)},1.5,goodwill,Late parcel,",
        f"{email(odd)},5,goodwill,Late parcel,tomorrow",
    )
    before = everything(owner)
    with transaction():
        preview = batches.dry_run(content=content, rules=RULES, actor=maker)
    assert everything(owner) == before
    assert [(row.before, row.after, row.problem) for row in preview.rows[:2]] == [
        (900, 500, None),
        (10, 60, None),
    ]
    assert (preview.credit, preview.debit, preview.problems) == (85, 400, 5)
    problems = [row.problem or "" for row in preview.rows]
    assert problems[2] == "No customer has this e-mail address or id."
    assert problems[3] == problems[4] == "This customer is in the file more than once."
    assert "whole number" in problems[5]
    assert "expiry is a date" in problems[6]


@pytest.mark.parametrize(
    "expires", ["9999-12-31", "9999-12-31T23:59:59-12:00", "2101-01-02", "0001-01-01T00:00:00+12:00"]
)
def test_an_expiry_that_nobody_could_read_again_is_no_row(owner: psycopg.Connection, expires: str) -> None:
    customer_id, maker = make_customer(points=5), staff()
    before = everything(owner)
    with pytest.raises(RuleBroken) as refused:
        submit(file(f"{customer_id},10,goodwill,Late parcel,{expires}"), maker)
    assert refused.value.code == "BATCH_REFUSED"
    assert "expiry" in refused.value.errors[0].message
    assert everything(owner) == before


def test_within_the_limit_the_whole_file_is_applied_at_once(owner: psycopg.Connection) -> None:
    people = [make_customer(points=100) for _ in range(3)]
    maker = staff()
    content = file(
        *[
            f"{email(person)},{points},goodwill,Late parcel,"
            for person, points in zip(people, (500, -100, 7), strict=True)
        ]
    )
    batch = submit(content, maker)
    assert (batch.state, batch.rows, batch.credit, batch.debit) == ("applied", 3, 507, 100)
    assert [queries.get_balance(person).available for person in people] == [600, 0, 107]
    result = list(csv.reader(io.StringIO(batches.result_file(batch_id=batch.id))))
    assert result[0] == ["row", "customer", "points", "before", "after", "result", "adjustment_id"]
    assert [row[:6] for row in result[1:]] == [
        ["1", email(people[0]), "500", "100", "600", "applied"],
        ["2", email(people[1]), "-100", "100", "0", "applied"],
        ["3", email(people[2]), "7", "100", "107", "applied"],
    ]
    rows = owner.execute(
        "SELECT action FROM audit_log WHERE target_id = ANY(%s)",
        ([str(batch.id), *map(str, people)],),
    ).fetchall()
    assert sorted(rows) == [("points.adjustment_applied",)] * 3 + [("points.batch_applied",)]
    before = everything(owner)
    with pytest.raises(AdjustmentDuplicate):
        submit(content, maker)
    assert everything(owner) == before


def test_one_bad_row_stops_the_file(owner: psycopg.Connection) -> None:
    good, poor = make_customer(points=100), make_customer(points=100)
    maker = staff()
    content = file(f"{email(good)},50,goodwill,Late parcel,", f"{email(poor)},-101,correction,Counted twice,")
    before = everything(owner)
    with pytest.raises(RuleBroken) as refused:
        submit(content, maker)
    assert everything(owner) == before
    assert refused.value.code == "BATCH_REFUSED"
    assert [error.field for error in refused.value.errors] == ["line 3"]


def test_above_the_limit_by_its_total_it_waits_for_a_second_person(owner: psycopg.Connection) -> None:
    people = [make_customer() for _ in range(3)]
    maker, checker = staff("approver"), staff("approver")
    content = file(*[f"{email(person)},400,campaign,Double week," for person in people])
    assert submit(content, staff("support")).state == "awaiting_approval", (
        "1,200 in all is above 1,000 each time"
    )
    with pytest.raises(RuleBroken):
        submit(
            file(f"{email(people[0])},400,campaign,Another week,"), maker
        )  # such an adjustment waits already
    (batch,) = queries.list_batches(state="awaiting_approval", limit=1).items
    before = everything(owner)
    for actor, refusal in (
        (actor_of(batch.requested_by, role="approver"), SelfApproval),
        (actor_of(people[0], role="approver"), SelfApproval),
        (staff("auditor"), Forbidden),
        (system("test"), Forbidden),
    ):
        with pytest.raises(refusal), transaction():
            batches.approve(batch_id=batch.id, note="Looks right", rules=RULES, actor=actor)
    (single, *_) = queries.list_adjustments(batch_id=batch.id, limit=1).items
    with pytest.raises(Conflict), transaction():
        adjustments.approve(adjustment_id=single.id, note="Only this", rules=RULES, actor=checker)
    assert everything(owner) == before
    with transaction():
        done = batches.approve(batch_id=batch.id, note="Looks right", rules=RULES, actor=checker)
    assert done.state == "applied"
    assert [queries.get_balance(person).available for person in people] == [400, 400, 400]
    with pytest.raises(Conflict), transaction():
        batches.reject(batch_id=batch.id, note="Too late", actor=checker)


def test_approval_is_all_or_nothing_too(owner: psycopg.Connection) -> None:
    rich, poor = make_customer(points=2_000), make_customer(points=2_000)
    content = file(
        f"{email(rich)},-1500,fraud,Bought with a stolen card,", f"{email(poor)},-1500,fraud,Bought so too,"
    )
    batch, checker, other = submit(content, staff()), staff("approver"), staff("admin")
    with transaction():
        waiting = adjustments.request(
            customer_id=poor, points=-600, reason_code="fraud", note="Found first", rules=RULES, actor=other
        )
        adjustments.approve(adjustment_id=waiting.id, note="Looks right", rules=RULES, actor=checker)
    before = everything(owner)
    with pytest.raises(BelowZero) as refused, transaction():
        batches.approve(batch_id=batch.id, note="Looks right", rules=RULES, actor=checker)
    assert [error.field for error in refused.value.errors] == ["row 2"]
    assert f"1 of 2 rows cannot be booked, so none was. Row 2, {email(poor)}: " in refused.value.message
    assert "1,400 points available" in refused.value.message
    assert everything(owner) == before
    with transaction():
        batches.reject(batch_id=batch.id, note="Balance changed", actor=checker)
    assert {row.state for row in queries.list_adjustments(batch_id=batch.id).items} == {"rejected"}


def test_a_file_that_nobody_decides_expires() -> None:
    customer_id = make_customer()
    batch = submit(file(f"{email(customer_id)},1001,campaign,Double week,"), staff())
    with clock.travel(days=7, minutes=1), transaction():
        assert batches.expire_unapproved(actor=system("adjustments")) >= 1
    assert queries.get_batch(batch.id).state == "expired"
    assert queries.get_balance(customer_id).available == 0


def test_a_file_whose_points_would_be_dead_on_arrival_is_not_approved(owner: psycopg.Connection) -> None:
    people = [make_customer(points=5) for _ in range(2)]
    in_two_days = (clock.now() + timedelta(days=2)).isoformat()
    rows = [f"{people[0]},600,campaign,Double week,", f"{people[1]},600,campaign,Double week,{in_two_days}"]
    batch, checker = submit(file(*rows), staff()), staff("approver")
    before = everything(owner)
    with clock.travel(days=3), pytest.raises(Conflict) as late, transaction():
        batches.approve(batch_id=batch.id, note="At last", rules=RULES, actor=checker)
    assert late.value.code == "ADJUSTMENT_EXPIRED"
    assert everything(owner) == before
    with clock.travel(days=1), transaction():
        assert (
            batches.approve(batch_id=batch.id, note="In time", rules=RULES, actor=checker).state == "applied"
        )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "FILE_HEADER"),
        (b"customer,points\n", "FILE_HEADER"),
        (f"{HEADER},more\n".encode(), "FILE_HEADER"),
        (file(), "FILE_ROWS"),
        (file(*["a@example.test,1,goodwill,Late parcel,"] * 1_001), "FILE_ROWS"),
        (b"\xff\xfe\x00", "FILE_UNREADABLE"),
        (file('a@example.test,1,goodwill,"never closed'), "FILE_UNREADABLE"),
        (b"x" * 1_000_001, "FILE_TOO_LARGE"),
    ],
)
def test_what_is_no_such_file_is_refused_by_name(
    owner: psycopg.Connection, content: bytes, code: str
) -> None:
    maker = staff()
    before = everything(owner)
    with pytest.raises(RuleBroken) as refused:
        submit(content, maker)
    assert refused.value.errors[0].field == "file"
    assert refused.value.errors[0].code == code
    assert everything(owner) == before


def test_the_result_file_runs_no_formula() -> None:
    from app.rewards.batch_file import write_result

    assert (
        write_result([(1, "=cmd()", -5, None, None, "applied", "x")]).splitlines()[1]
        == "1,'=cmd(),-5,,,applied,x"
    )


def test_a_row_with_a_nul_character_is_refused_and_says_so(owner: psycopg.Connection) -> None:
    good, person = make_customer(), make_customer()
    maker = staff()
    before = everything(owner)
    for row in (f"{email(person)},10,goodwill,A no\0te here,", f"{email(person)}\0,10,goodwill,A note,"):
        content = file(f"{email(good)},10,goodwill,A note here,", row)
        with transaction():
            preview = batches.dry_run(content=content, rules=RULES, actor=maker)
        problems = [shown.problem for shown in preview.rows]
        assert problems == [None, "The row has a character that is none (NUL)."]
        with pytest.raises(RuleBroken) as refused:
            submit(content, maker)
        assert [error.field for error in refused.value.errors] == ["line 3"]
    assert everything(owner) == before


def test_a_large_file_takes_as_many_statements_as_a_small_one(app: Flask, owner: psycopg.Connection) -> None:
    taken = []
    for rows in (4, 60):
        people = [make_customer(points=100) for _ in range(rows)]
        content = file(
            *(f"{person},{(-1) ** n * (1 + n % 5)},goodwill,A note here," for n, person in enumerate(people))
        )
        maker = staff()
        with statements(app) as sent:
            assert submit(content, maker).state == "applied"
        taken.append(len(sent))
        balances = [queries.get_balance(person).available for person in people]
        assert balances == [100 + (-1) ** n * (1 + n % 5) for n in range(rows)]
        counted = owner.execute(
            """SELECT (SELECT count(*) FROM audit_log WHERE target_id = ANY(%(p)s)),
                      (SELECT count(*) FROM outbox WHERE payload ->> 'customer_id' = ANY(%(p)s)),
                      (SELECT count(*) FROM points_adjustment a JOIN points_tx t ON t.id = a.tx_id
                        WHERE a.customer_id::text = ANY(%(p)s) AND t.ref_id = a.id::text AND a.auto_approved
                          AND a.reason_code = 'goodwill')""",
            {"p": [str(person) for person in people]},
        ).fetchone()
        assert counted == (rows, rows, rows)
    assert taken[0] == taken[1]
