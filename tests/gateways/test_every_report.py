"""The part of the shared suite about a gateway's books: its report of a day, and what card holders dispute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.kernel import clock, ids
from app.payments.bookkeeping import Bookkeeper, DayReport, DisputeSnapshot
from app.payments.gateway import DISPUTED, Absent, RefundRefused, RefundSnapshot, Snapshot
from tests.gateways.desks import Desk, Outcome
from tests.gateways.houses import AMOUNT, REFERENCE, request_with
from tests.sandbox.peers import wait_for


def captured(desk: Desk) -> Snapshot:
    answer = desk.adapter.charge(request_with("pm_card_visa"))
    assert isinstance(answer, Snapshot)
    return answer


def report(desk: Desk) -> DayReport:
    found = desk.adapter.fetch_report(clock.now().date())
    assert isinstance(found, DayReport)
    return found


PARTS = pytest.mark.parametrize("part", [None, 4_321])


def dispute(desk: Desk, ref: str) -> DisputeSnapshot:
    found = desk.adapter.fetch_dispute(ref)
    assert isinstance(found, DisputeSnapshot)
    return found


def test_it_is_a_bookkeeper(desk: Desk) -> None:
    assert isinstance(desk.adapter, Bookkeeper)


def test_the_report_has_what_was_captured_and_what_went_back(desk: Desk) -> None:
    paid, refund_id = captured(desk), ids.uuid7()
    desk.adapter.charge(request_with("pm_card_chargeDeclined"))
    refund = desk.adapter.refund(refund_id, paid.gateway_ref, 2_345)
    assert isinstance(refund, RefundSnapshot)
    told = report(desk)
    rows = {row.kind: row for row in told.rows}
    assert (told.day, set(rows), len(told.rows)) == (clock.now().date(), {"payment", "refund"}, 2)
    taken, given = rows["payment"], rows["refund"]
    assert (taken.key, taken.gateway_ref, taken.reference) == (paid.key, paid.gateway_ref, REFERENCE)
    assert (taken.amount, taken.currency, taken.payment_ref) == (AMOUNT, "HKD", paid.gateway_ref)
    assert taken.fee > 0
    assert (given.key, given.gateway_ref, given.payment_ref) == (
        str(refund_id), refund.gateway_ref, paid.gateway_ref,
    )  # fmt: skip
    assert (given.amount, given.currency, given.fee) == (-2_345, "HKD", 0)
    assert told.net == {"HKD": sum(row.amount - row.fee for row in told.rows)}


def test_another_day_is_empty(desk: Desk) -> None:
    captured(desk)
    for days in (-1, 1):
        found = desk.adapter.fetch_report(clock.now().date() + timedelta(days=days))
        assert isinstance(found, DayReport)
        assert (found.rows, found.net) == ((), {})


@PARTS
def test_a_dispute_is_told_as_it_is_now(desk: Desk, part: int | None) -> None:
    paid = captured(desk)
    ref = desk.dispute(paid, part)
    found = dispute(desk, ref)
    assert (found.gateway_ref, found.payment_ref, found.status) == (ref, paid.gateway_ref, "open")
    assert (found.amount, found.currency, found.reason) == (part or AMOUNT, "HKD", "fraudulent")
    assert found.due_at is not None
    assert timedelta(days=6) < found.due_at - clock.now() <= timedelta(days=7)
    assert desk.adapter.list_disputes(clock.now() - timedelta(minutes=1)) == (found,)
    assert [row.kind for row in report(desk).rows] == ["payment"], "nothing is decided"


@PARTS
@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_that_was_decided(desk: Desk, outcome: Outcome, part: int | None) -> None:
    paid = captured(desk)
    ref = desk.dispute(paid, part)
    desk.decide(ref, outcome)
    assert dispute(desk, ref).status == outcome
    rows = [row for row in report(desk).rows if row.kind == "dispute"]
    assert [row.amount for row in rows] == ([] if outcome == "won" else [-(part or AMOUNT)])
    for row in rows:
        assert (row.gateway_ref, row.payment_ref, row.key, row.currency) == (
            ref, paid.gateway_ref, None, "HKD",
        )  # fmt: skip


@PARTS
@pytest.mark.parametrize("outcome", [None, "lost", "won"])
def test_a_disputed_payment_is_not_refunded_unless_the_shop_has_won(
    desk: Desk, outcome: Outcome | None, part: int | None
) -> None:
    paid, refund_id = captured(desk), ids.uuid7()
    ref = desk.dispute(paid, part)
    if outcome is not None:
        desk.decide(ref, outcome)
    answer = desk.adapter.refund(refund_id, paid.gateway_ref, AMOUNT)
    if outcome == "won":
        assert isinstance(answer, RefundSnapshot)
    else:
        assert answer == RefundRefused(DISPUTED)
        assert desk.adapter.fetch_refund(refund_id, None) == Absent()


def test_a_dispute_never_heard_of_is_absent(desk: Desk) -> None:
    assert desk.adapter.fetch_dispute("dp_none") == Absent()


def test_a_dispute_that_was_old_when_it_was_decided_is_listed(desk: Desk) -> None:
    quiet, decided = desk.dispute(captured(desk)), desk.dispute(captured(desk))
    since = datetime.fromtimestamp(int(clock.now().timestamp()) + 1, UTC)
    wait_for(lambda: clock.now() > since)
    desk.decide(decided, "lost")
    found = desk.adapter.list_disputes(since)
    assert isinstance(found, tuple)
    assert [(one.gateway_ref, one.status) for one in found] == [(decided, "lost")]
    assert dispute(desk, quiet).status == "open"
