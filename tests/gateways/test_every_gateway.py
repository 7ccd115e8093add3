"""The one suite that every adapter passes, each against a real process of its gateway."""

from __future__ import annotations

import socket
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.gateways.http import Timeouts
from app.kernel import clock, ids
from app.kernel.database import db, session
from app.payments.bookkeeping import Bookkeeper
from app.payments.gateway import (
    Absent,
    Gateway,
    ListPage,
    RefundRefused,
    RefundSnapshot,
    Snapshot,
    Unknown,
)
from tests.gateways.houses import AMOUNT, REFERENCE, House, request_with
from tests.gateways.silent import answering, silent

SHORT = Timeouts(connect=0.3, read=0.3, total=0.9)


def captured(house: House) -> Snapshot:
    answer = house.adapter.charge(request_with(house.token("approved")))
    assert isinstance(answer, Snapshot)
    return answer


def test_an_approved_card_is_a_complete_snapshot(house: House) -> None:
    request = request_with(house.token("approved"), metadata={"customer": "c1"})
    answer = house.adapter.charge(request)
    assert isinstance(answer, Snapshot)
    assert (answer.key, answer.status) == (str(request.payment_id), "captured")
    assert (answer.amount, answer.captured, answer.refunded) == (AMOUNT, AMOUNT, 0)
    assert (answer.currency, answer.reference) == ("HKD", REFERENCE)
    assert (answer.card_brand, answer.card_last4) == ("visa", "4242")
    assert (answer.decline_code, answer.next_action_url) == (None, None)
    assert house.adapter.fetch(request.payment_id, answer.gateway_ref) == answer
    assert house.adapter.fetch(request.payment_id, None) == answer, "our own key is enough"


def test_a_decline_is_a_snapshot_and_stays_one(house: House) -> None:
    request = request_with(house.token("declined"))
    answer = house.adapter.charge(request)
    assert isinstance(answer, Snapshot)
    assert (answer.status, answer.decline_code, answer.captured) == ("declined", "card_declined", 0)
    assert (answer.key, answer.reference) == (str(request.payment_id), REFERENCE)
    found = house.adapter.fetch(request.payment_id, answer.gateway_ref)
    assert isinstance(found, Snapshot)
    assert (found.status, found.decline_code) == ("declined", "card_declined")


@pytest.mark.parametrize(("passed", "status"), [(True, "captured"), (False, "declined")])
def test_a_challenge_is_open_until_the_shopper_has_answered(house: House, passed: bool, status: str) -> None:
    request = request_with(house.token("challenged"))
    answer = house.adapter.charge(request)
    assert isinstance(answer, Snapshot)
    assert (answer.status, answer.captured) == ("requires_action", 0)
    house.challenge(answer, passed)
    found = house.adapter.fetch(request.payment_id, answer.gateway_ref)
    assert isinstance(found, Snapshot)
    assert (found.status, found.captured) == (status, AMOUNT if passed else 0)


def test_a_key_never_seen_is_absent(house: House) -> None:
    captured(house)
    assert house.adapter.fetch(ids.uuid7(), None) == Absent()
    assert house.adapter.fetch_refund(ids.uuid7(), None) == Absent()


def test_another_payments_reference_is_not_believed(house: House) -> None:
    other = captured(house)
    mine = house.adapter.fetch(ids.uuid7(), other.gateway_ref)
    assert isinstance(mine, Absent | Unknown), "never the other one's snapshot"


def test_cancel_says_what_is_true_after_it(house: House) -> None:
    paid = captured(house)
    waiting = house.adapter.charge(request_with(house.token("challenged")))
    assert isinstance(waiting, Snapshot)
    too_late = house.adapter.cancel(uuid.UUID(paid.key), paid.gateway_ref)
    ended = house.adapter.cancel(uuid.UUID(waiting.key), waiting.gateway_ref)
    again = house.adapter.cancel(uuid.UUID(waiting.key), None)
    assert too_late == paid
    for answer in (ended, again):
        assert isinstance(answer, Snapshot)
        assert (answer.status, answer.captured, answer.gateway_ref) == ("canceled", 0, waiting.gateway_ref)


def test_a_cancelled_key_never_seen_is_over(house: House) -> None:
    payment_id = ids.uuid7()
    answer = house.adapter.cancel(payment_id, None)
    assert isinstance(answer, Snapshot)
    assert (answer.key, answer.status, answer.captured) == (str(payment_id), "canceled", 0)
    assert house.adapter.cancel(payment_id, None) == answer
    assert house.adapter.cancel(payment_id, answer.gateway_ref) == answer
    assert house.adapter.fetch(payment_id, answer.gateway_ref) == answer


def test_a_refused_request_is_cancelled_before_it_is_called_a_no(house: House) -> None:
    request = request_with("pm_no_such_token")
    answer = house.adapter.charge(request)
    assert isinstance(answer, Snapshot)
    assert (answer.key, answer.status, answer.captured) == (str(request.payment_id), "canceled", 0)


def test_a_partial_capture_is_told_as_what_is_kept(house: House) -> None:
    payment_id = ids.uuid7()
    gateway_ref = house.authorized(payment_id)
    held = house.adapter.fetch(payment_id, gateway_ref)
    assert isinstance(held, Snapshot)
    assert (held.status, held.captured) == ("authorized", 0)
    house.capture(gateway_ref, 10_000)
    kept = house.adapter.fetch(payment_id, gateway_ref)
    assert isinstance(kept, Snapshot)
    assert (kept.status, kept.amount, kept.captured - kept.refunded) == ("captured", AMOUNT, 10_000)


def test_partial_refunds_add_up(house: House) -> None:
    paid = captured(house)
    first, second = ids.uuid7(), ids.uuid7()
    sent = house.adapter.refund(first, paid.gateway_ref, 2_345)
    assert isinstance(sent, RefundSnapshot)
    assert (sent.key, sent.status, sent.amount) == (str(first), "succeeded", 2_345)
    assert (sent.currency, sent.payment_ref) == ("HKD", paid.gateway_ref)
    assert isinstance(house.adapter.refund(second, paid.gateway_ref, 10_000), RefundSnapshot)
    assert house.adapter.fetch_refund(first, sent.gateway_ref) == sent
    assert house.adapter.fetch_refund(first, None) == sent, "our own key is enough"
    after = house.adapter.fetch(uuid.UUID(paid.key), paid.gateway_ref)
    assert isinstance(after, Snapshot)
    assert (after.status, after.captured, after.refunded) == ("captured", AMOUNT, AMOUNT)


def test_what_was_not_paid_is_not_refunded(house: House) -> None:
    declined = house.adapter.charge(request_with(house.token("declined")))
    assert isinstance(declined, Snapshot)
    refund_id = ids.uuid7()
    assert isinstance(house.adapter.refund(refund_id, declined.gateway_ref, 100), RefundRefused)
    assert house.adapter.fetch_refund(refund_id, None) == Absent()


def booked_by(adapter: Gateway) -> list[object]:
    """What the books say (test_every_report.py has the rest of them)."""
    assert isinstance(adapter, Bookkeeper)
    today = clock.now()
    return [adapter.fetch_report(today.date()), adapter.fetch_dispute("dp_1"), adapter.list_disputes(today)]


def walked(house: House, since_minutes: int = 1) -> dict[str, Snapshot]:
    """Everything that a whole walk meets, by key."""
    found: dict[str, Snapshot] = {}
    cursor, since = None, clock.now() - timedelta(minutes=since_minutes)
    for _ in range(20):
        page = house.adapter.list_changed(cursor, since)
        assert isinstance(page, ListPage)
        found |= {snapshot.key: snapshot for snapshot in page.snapshots}
        cursor = page.cursor
        if not page.has_more:
            return found
    raise AssertionError("the walk has no end")


def test_the_walk_meets_everything_as_it_is_now(house: House) -> None:
    paid, declined = captured(house), house.adapter.charge(request_with(house.token("declined")))
    open_one = house.adapter.charge(request_with(house.token("challenged")))
    assert isinstance(declined, Snapshot)
    assert isinstance(open_one, Snapshot)
    house.adapter.refund(ids.uuid7(), paid.gateway_ref, 45)
    house.challenge(open_one, True)
    found = walked(house)
    assert (found[paid.key].status, found[paid.key].refunded) == ("captured", 45)
    assert found[declined.key].status == "declined"
    assert found[open_one.key].status == "captured"


def test_a_gateway_that_never_answers_is_unknown(house: House) -> None:
    with silent() as url:
        adapter = house.adapter_for(url, SHORT)
        answers = [
            adapter.charge(request_with("pm_card_visa")),
            adapter.fetch(ids.uuid7(), None),
            adapter.fetch(ids.uuid7(), "pi_1"),
            adapter.cancel(ids.uuid7(), None),
            adapter.refund(ids.uuid7(), "pi_1", 100),
            adapter.fetch_refund(ids.uuid7(), None),
            adapter.list_changed(None, clock.now()),
            *booked_by(adapter),
        ]
    assert [type(answer) for answer in answers] == [Unknown] * 10


def test_nobody_at_home_is_unknown(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    adapter = house.adapter_for(f"http://127.0.0.1:{port}", SHORT)
    assert adapter.charge(request_with("pm_card_visa")) == Unknown("connection refused")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>It works!</html>"),
        (200, b""),
        (200, b"null"),
        (200, b"[]"),
        (200, b'"yes"'),
        (200, b"{}"),
        (200, b'{"status": "succeeded"}'),
        (200, b'{"data": {}, "has_more": "no"}'),
        (200, b"\xff\xfe\x00"),
        (200, b"[" * 50_000),
        (301, b""),
        (302, b"{}"),
        (404, b"<h1>Not Found</h1>"),
        (404, b"{}"),
        (401, b'{"error": {"type": "invalid_request_error", "code": "key_invalid", "message": ""}}'),
        (403, b'{"error": {"type": "invalid_request_error", "code": "no", "message": ""}}'),
        (402, b"Payment required"),
        (409, b'{"error": {"type": "idempotency_error", "code": "in_use", "message": ""}}'),
        (429, b'{"error": {"type": "rate_limit", "code": "rate_limited", "message": ""}}'),
        (500, b'{"error": {"type": "api_error", "code": "internal_error", "message": ""}}'),
        (503, b"maintenance"),
    ],
)
def test_whatever_is_not_an_answer_is_unknown(house: House, status: int, body: bytes) -> None:
    with answering(status, body, {"Location": "http://127.0.0.1:9/"}) as url:
        adapter = house.adapter_for(url, SHORT)
        answers = [
            adapter.charge(request_with("pm_card_visa")),
            adapter.fetch(ids.uuid7(), None),
            adapter.fetch(ids.uuid7(), "pi_1"),
            adapter.cancel(ids.uuid7(), "pi_1"),
            adapter.refund(ids.uuid7(), "pi_1", 100),
            adapter.fetch_refund(ids.uuid7(), "re_1"),
            adapter.list_changed(None, clock.now()),
            *booked_by(adapter),
        ]
    assert [type(answer) for answer in answers] == [Unknown] * 10


def test_nothing_is_asked_inside_a_transaction(house: House) -> None:
    before = house.count()
    session().execute(text("SELECT 1"))
    with pytest.raises(RuntimeError, match="inside a database transaction"):
        house.adapter.charge(request_with(house.token("approved")))
    db.session.remove()
    assert house.count() == before
