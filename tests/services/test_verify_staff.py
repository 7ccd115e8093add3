"""Who asked for an adjustment, and who decided, cannot be changed unseen: the audit log has named them."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from app.kernel import clock, ids
from app.kernel.actor import Actor, system
from app.kernel.database import transaction
from app.rewards.rules import Rules
from app.rewards.service import adjustments, batches, given
from tests.factories.people import actor_of, make_customer
from tests.services.test_batches import file, submit
from tests.services.test_verify import found, without_guards
from tests.services.test_verify_sources import fresh

__all__ = ["fresh", "without_guards"]
RULES = Rules()
ABOVE = 40_000  # what nobody gives alone

pytestmark = pytest.mark.usefixtures("app_context", "fresh")


def person(role: str) -> Actor:
    return actor_of(make_customer(role=role), role=role)


def asked(customer_id: uuid.UUID, points: int, maker: Actor) -> uuid.UUID:
    with transaction():
        return adjustments.request(
            customer_id=customer_id,
            points=points,
            reason_code="goodwill",
            note="For a test",
            rules=RULES,
            actor=maker,
        ).id


@pytest.fixture
def decided() -> dict[str, uuid.UUID]:
    """An adjustment of each end, a file that was booked and one that waits, and a gift of the shop."""
    customer_id, maker, second = make_customer(), person("support"), person("approver")
    made = {"alone": asked(customer_id, 300, maker)}
    with clock.travel(days=-8):
        made["expired"] = asked(customer_id, ABOVE + 3, maker)
    with transaction():
        assert adjustments.expire_unapproved(actor=system("test")) == 1
    for number, end in enumerate((adjustments.approve, adjustments.reject)):
        made[end.__name__] = asked(customer_id, ABOVE + number, maker)
        more = {"rules": RULES} if end is adjustments.approve else {}
        with transaction():
            end(adjustment_id=made[end.__name__], note="For a test", actor=second, **more)
    made["waiting"] = asked(customer_id, ABOVE + 2, maker)
    made["file"] = submit(file(f"{customer_id},10,goodwill,Late parcel,"), maker).id
    waits = submit(file(f"{customer_id},{ABOVE + 4},goodwill,Late parcel,"), maker).id
    made["approved file"] = submit(file(f"{customer_id},{ABOVE + 5},goodwill,Late parcel,"), maker).id
    made["waiting file"] = waits
    with transaction():
        batches.approve(batch_id=made["approved file"], note="For a test", rules=RULES, actor=second)
    with transaction():
        made["gift"] = ids.uuid7()
        given.give(
            gift_id=made["gift"],
            customer_id=customer_id,
            points=5,
            description="A gift",
            expires_at=None,
            actor=system("test"),
        )
    assert found() == {}
    return made


NAMES = {"somebody": uuid.UUID(int=7), "nobody": given.NOBODY}
CHANGES = (
    "requested_by = %(somebody)s",
    "decided_by = %(somebody)s",
    "decided_by = NULL",
    "auto_approved = NOT auto_approved",
    "requested_by = %(nobody)s, decided_by = %(nobody)s, auto_approved = true",
)


@pytest.mark.parametrize("change", CHANGES)
def test_who_asked_and_who_decided_is_held_against_the_audit_log(
    decided: dict[str, uuid.UUID], without_guards: psycopg.Connection, change: str
) -> None:
    seen = set()
    for what, thing in decided.items():
        table = "points_adjustment_batch" if what.endswith("file") else "points_adjustment"
        of_it = f"FROM {table} WHERE id = %(id)s"
        columns = "requested_by, decided_by, auto_approved"
        row = without_guards.execute(f"SELECT {columns} {of_it}", {"id": thing}).fetchone()
        assert row is not None
        try:
            without_guards.execute(f"UPDATE {table} SET {change} WHERE id = %(id)s", {"id": thing, **NAMES})
        except psycopg.errors.CheckViolation:
            continue  # the database takes no second person who is the first
        if without_guards.execute(f"SELECT {columns} {of_it}", {"id": thing}).fetchone() != row:
            assert "asked_and_decided" in found(), what
            seen.add(what)
        without_guards.execute(f"UPDATE {table} SET ({columns}) = (%s, %s, %s) WHERE id = %s", (*row, thing))
        assert found() == {}
    assert len(seen) >= len(decided) / 2


@pytest.mark.parametrize(
    "change",
    [
        "points_adjustment SET points = points + 1",
        "points_adjustment SET created_at = created_at - interval '2 days'",
        "points_adjustment_batch SET created_at = created_at - interval '2 days'",
    ],
)
def test_nor_is_what_waits_or_when_it_was_asked_for(
    decided: dict[str, uuid.UUID], without_guards: psycopg.Connection, change: str
) -> None:
    """An amount that somebody is about to approve, and a day that counts against a limit no more."""
    things = [decided["waiting"], decided["waiting file"]]
    assert without_guards.execute(f"UPDATE {change} WHERE id = ANY(%s)", (things,)).rowcount == 1
    assert found() == {"asked_and_decided": 1}


def test_the_rows_of_a_file_have_its_people(
    decided: dict[str, uuid.UUID], without_guards: psycopg.Connection
) -> None:
    changed = without_guards.execute(
        "UPDATE points_adjustment SET requested_by = %s WHERE batch_id = %s",
        (NAMES["somebody"], decided["file"]),
    )
    assert changed.rowcount == 1
    assert found() == {"asked_and_decided": 1}
