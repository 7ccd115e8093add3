"""The points programme's scheduled work: it runs, says what it did, and a difference becomes a row to repair."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from app.kernel import clock
from app.kernel.database import transaction
from app.rewards import queries
from jobs.handlers import rewards
from jobs.registry import RunningJob, handlers, tasks
from tests.factories.people import give_points, make_customer

pytestmark = pytest.mark.usefixtures("app_context")


def test_the_tasks_are_on_the_schedule() -> None:
    assert {task.name for task in rewards.TASKS} <= {task.name for task in tasks()}


def test_expiry_and_reminders(owner: psycopg.Connection) -> None:
    customer_id = make_customer()
    with transaction():
        give_points(customer_id, 100, expires_at=clock.now() + timedelta(days=29.5))
    rewards.remind_of_expiry()
    rewards.remind_of_expiry()
    mails = owner.execute(
        "SELECT topic, dedupe_key, payload FROM outbox WHERE payload ->> 'customer_id' = %s",
        (str(customer_id),),
    ).fetchall()
    assert [(topic, payload["days"], payload["points"]) for topic, _, payload in mails] == [
        ("mail.points_expiring", 30, 100)
    ]
    assert "mail.points_expiring" in handlers()
    with clock.travel(days=31):
        assert rewards.expire_points() == "1 lots with 100 points expired"
        assert rewards.expire_points() is None
    assert queries.get_balance(customer_id).available == 0


def test_the_reminder_reads_well() -> None:
    from jobs.letters import DRAFTS

    customer_id = make_customer(points=500, name="Ada")
    payload = {"customer_id": str(customer_id), "points": 100, "days": 30, "expires_on": "2027-03-01"}
    job = RunningJob(customer_id, "mail.points_expiring", "key", payload, "-", 0)
    draft = DRAFTS["points_expiring"](job.payload)
    assert (draft.context["points"], draft.context["balance"], draft.context["name"]) == (100, 500, "Ada")


def test_a_seal_and_a_clean_proof_then_a_difference_is_a_row_to_repair(owner: psycopg.Connection) -> None:
    customer_id = make_customer(points=70)
    assert (rewards.seal_chains() or "").startswith("seal 1: ")
    assert (rewards.verify_books() or "").endswith("all clean")
    assert owner.execute("SELECT count(*) FROM reconciliation_issue").fetchone() == (0,)
    owner.execute("ALTER TABLE points_account DISABLE TRIGGER USER")
    owner.execute(
        "UPDATE points_account SET available = available + 1 WHERE customer_id = %s", (customer_id,)
    )
    assert (rewards.verify_books() or "").endswith("2 differ")
    issues = owner.execute("SELECT kind, ref, detail FROM reconciliation_issue ORDER BY ref").fetchall()
    assert [(kind, ref) for kind, ref, _ in issues] == [
        ("books_differ", "balances"),
        ("books_differ", "lots_match"),
    ]
    assert issues[0][2]["samples"] == [str(customer_id)]
    mails = owner.execute("SELECT count(*) FROM outbox WHERE topic = 'mail.staff_alert'").fetchone()
    assert mails == (2,)
    repaired = "UPDATE points_account SET available = available - 1 WHERE customer_id = %s"
    for days, settled in ((1, False), (2, True)):
        if settled:
            owner.execute("UPDATE reconciliation_issue SET state = 'resolved'")
        with clock.travel(days=days):
            assert (rewards.verify_books() or "").endswith("2 differ")
        mails = owner.execute("SELECT count(*) FROM outbox WHERE topic = 'mail.staff_alert'").fetchone()
        assert mails == (2,), "it says nothing new, and staff have settled it"
    owner.execute("UPDATE reconciliation_issue SET state = 'open' WHERE ref = 'balances'")
    owner.execute(repaired, (customer_id,))
    owner.execute("ALTER TABLE points_account ENABLE TRIGGER USER")
    assert (rewards.verify_books() or "").endswith("all clean")
    states = owner.execute("SELECT ref, state, resolved_by FROM reconciliation_issue ORDER BY ref").fetchall()
    assert states == [("balances", "auto_fixed", "system:rewards.verify"), ("lots_match", "resolved", None)]


def test_what_nobody_decided_ends() -> None:
    assert rewards.end_undecided() is None
