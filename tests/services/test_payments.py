"""Attempts, card refunds and issues in a real database: what it refuses, and what a race cannot do."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from app.kernel import clock, ids
from app.kernel.database import db, end_reading, session, transaction
from app.kernel.errors import Conflict, NotFound, RuleBroken
from app.outbox.models import OutboxRow
from app.payments import issues, queries, refunds, service
from app.payments.gateway import Absent, RefundRefused, RefundSnapshot, Snapshot, Unknown
from app.payments.models import ReconciliationIssue
from tests.factories.people import make_customer

pytestmark = pytest.mark.usefixtures("app_context")


def open_payment(*, amount: int = 5_000, reference: str | None = None) -> uuid.UUID:
    payment_id = ids.uuid7()
    customer_id = make_customer()
    with transaction():
        service.open_attempt(
            payment_id=payment_id,
            customer_id=customer_id,
            reference=reference or ids.order_number(),
            gateway="sandbox",
            amount=amount,
            currency="HKD",
            method="token",
            now=clock.now(),
        )
    return payment_id


def told(payment_id: uuid.UUID, status: str = "captured", **changes: Any) -> Snapshot:
    payment = queries.get_payment(payment_id)
    snapshot = Snapshot(
        key=str(payment_id),
        gateway_ref=f"pay_{payment_id.hex}",
        status="captured",
        amount=payment.amount,
        currency="HKD",
        reference=payment.reference,
        captured=payment.amount if status == "captured" else 0,
    )
    end_reading()
    return replace(snapshot, status=status, **changes)


def apply(payment_id: uuid.UUID, truth: Snapshot | Absent | Unknown) -> service.Applied:
    with transaction():
        return service.apply_snapshot(service.lock_payment(payment_id), truth)


def captured(amount: int = 5_000) -> uuid.UUID:
    payment_id = open_payment(amount=amount)
    assert apply(payment_id, told(payment_id)).became_captured
    return payment_id


def queue(payment_id: uuid.UUID, amount: int, refund_id: uuid.UUID | None = None) -> uuid.UUID:
    refund_id = refund_id or ids.uuid7()
    with transaction():
        refunds.queue_refund(refund_id=refund_id, payment_id=payment_id, amount=amount, reason="test")
    return refund_id


def numbers(payment_id: uuid.UUID) -> tuple[int, int]:
    end_reading()
    payment = queries.get_payment(payment_id)
    return payment.captured, payment.refunded


def test_what_an_answer_did_is_told() -> None:
    payment_id = open_payment()
    first = apply(payment_id, Unknown("no answer"))
    assert (first.before, first.after, first.is_open, first.changed) == ("submitting", "unknown", True, True)
    second = apply(payment_id, told(payment_id, "declined", decline_code="card_declined"))
    assert (second.became_ended, second.decline_code, second.is_open) == (True, "card_declined", False)
    again = apply(payment_id, told(payment_id, "declined", decline_code="card_declined"))
    assert not again.changed
    late = apply(payment_id, told(payment_id))
    assert (late.became_captured, late.before) == (True, "declined")
    assert numbers(payment_id) == (5_000, 0)


def test_a_doubled_answer_writes_nothing() -> None:
    payment_id = captured()
    before = queries.get_payment(payment_id).updated_at
    end_reading()
    with clock.travel(minutes=5):
        apply(payment_id, told(payment_id))
        apply(payment_id, Unknown("no answer"))
    assert queries.get_payment(payment_id).updated_at == before


def test_an_order_has_one_live_attempt_and_late_money_is_still_written_down() -> None:
    reference = ids.order_number()
    first = open_payment(reference=reference)
    with pytest.raises(Conflict) as refused:
        open_payment(reference=reference)
    assert refused.value.code == "PAYMENT_IN_PROGRESS"
    apply(first, told(first, "declined"))
    second = open_payment(reference=reference)
    apply(second, told(second))
    assert apply(first, told(first)).became_captured
    assert [p.state for p in queries.list_payments_of(reference)] == ["captured", "captured"]
    live = queries.find_live_payment(reference)
    assert live is not None
    assert live.id == second


def test_refunds_never_go_above_what_was_captured(owner: psycopg.Connection) -> None:
    payment_id = captured()
    queue(payment_id, 3_000)
    with pytest.raises(Conflict) as refused:
        queue(payment_id, 2_001)
    assert (refused.value.code, refused.value.details) == ("REFUND_EXCEEDS_PAID", {"left": 2_000})
    assert numbers(payment_id) == (5_000, 3_000)
    queue(payment_id, 2_000)
    assert numbers(payment_id) == (5_000, 5_000)
    behind_its_back = (
        f"UPDATE payment SET refunded = refunded + 1 WHERE id = '{payment_id}';"
        "INSERT INTO card_refund (id, payment_id, amount, reason, state, created_at, updated_at, checks)"
        f" VALUES (gen_random_uuid(), '{payment_id}', 1, 'one more', 'queued', now(), now(), 0)"
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(behind_its_back)
    assert numbers(payment_id) == (5_000, 5_000)


def test_racing_refunds_share_what_is_left(app: Flask) -> None:
    payment_id = captured()
    end_reading()
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def one() -> None:
        with app.app_context():
            barrier.wait(60)
            try:
                queue(payment_id, 2_000)
                outcomes.append("queued")
            except Conflict as error:
                outcomes.append(error.code)
            db.session.remove()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["REFUND_EXCEEDS_PAID"] * 6 + ["queued"] * 2
    assert numbers(payment_id) == (5_000, 4_000)


def test_the_same_refund_twice_is_one() -> None:
    payment_id = captured()
    refund_id = queue(payment_id, 1_000)
    queue(payment_id, 1_000, refund_id)
    assert numbers(payment_id) == (5_000, 1_000)
    keys = session().scalars(
        select(OutboxRow.dedupe_key).where(OutboxRow.payload["refund_id"].as_string() == str(refund_id))
    )
    assert list(keys) == [f"refund:{refund_id}:0"]


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_of_nothing_and_of_nobody(amount: int) -> None:
    payment_id = captured()
    with pytest.raises(RuleBroken):
        queue(payment_id, amount)
    with pytest.raises(NotFound):
        queue(ids.uuid7(), 1)
    waiting = open_payment()
    with pytest.raises(Conflict) as refused:
        queue(waiting, 1)
    assert refused.value.code == "PAYMENT_NOT_CAPTURED"
    assert queries.list_refunds_of(payment_id) == []


def test_a_refused_refund_gives_the_amount_back_and_can_be_tried_again() -> None:
    payment_id = captured()
    refund_id = queue(payment_id, 4_000)
    with transaction():
        failed = refunds.apply_refund(refund_id, RefundRefused("account closed"))
    assert (failed.before, failed.after, failed.reason) == ("queued", "failed", "account closed")
    assert numbers(payment_id) == (5_000, 0)
    with transaction():
        again = refunds.retry_refund(refund_id=refund_id)
    assert again != refund_id, "a gateway gives its first answer to a key again"
    assert numbers(payment_id) == (5_000, 4_000)
    refund_id = again
    payment = queries.get_payment(payment_id)
    truth = RefundSnapshot(str(refund_id), "re_1", "succeeded", 4_000, "HKD", str(payment.gateway_ref))
    end_reading()
    with transaction():
        assert refunds.apply_refund(refund_id, truth).after == "succeeded"
    with transaction():
        assert not refunds.apply_refund(refund_id, truth).changed
    assert numbers(payment_id) == (5_000, 4_000)
    with pytest.raises(Conflict), transaction():
        refunds.retry_refund(refund_id=refund_id)


def test_an_issue_is_opened_once_and_staff_are_told_once_each_time_it_opens() -> None:
    ref = str(uuid.uuid4())

    def record(**detail: Any) -> bool:
        with transaction():
            return issues.record_issue(kind="test", ref=ref, detail=detail, suggestion="Look.")

    def state() -> str:
        end_reading()
        return session().get_one(ReconciliationIssue, ("test", ref)).state

    def mails() -> list[str]:
        about = select(OutboxRow.topic).where(OutboxRow.dedupe_key.contains(ref))
        return list(session().scalars(about))

    assert record(n=1)
    assert not record(n=1)
    with transaction():
        assert issues.close_issue(kind="test", ref=ref, state="resolved", by="staff", resolution="Seen.")
    assert not record(n=1)
    assert state() == "resolved", "staff have seen this"
    assert mails() == ["mail.staff_alert"]
    assert not record(n=2)
    assert state() == "open", "this is something else"
    assert not record(n=2)
    assert mails() == ["mail.staff_alert"] * 2
