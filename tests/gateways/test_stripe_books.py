"""Stripe's balance transactions and disputes beyond the shared suite, in the shapes that Stripe publishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.gateways import stripe_booking as booking
from app.gateways.stripe import StripeGateway
from app.gateways.stripe_replies import decode
from app.kernel import clock, ids
from app.payments.bookkeeping import DayReport, DisputeSnapshot
from app.payments.gateway import Snapshot, Unknown
from tests.gateways.houses import AMOUNT, request_with
from tests.gateways.recorded import RecordedStripe
from tests.gateways.shapes import charged, hosted


def report(stripe_gateway: StripeGateway) -> DayReport:
    found = stripe_gateway.fetch_report(clock.now().date())
    assert isinstance(found, DayReport), found
    return found


def kinds(stripe_gateway: StripeGateway) -> list[str]:
    return [row.kind for row in report(stripe_gateway).rows]


def paid(stripe_gateway: StripeGateway) -> Snapshot:
    return charged(stripe_gateway, request_with("pm_card_visa"))


@pytest.mark.parametrize(
    ("status", "moved", "ours"),
    [
        ("warning_needs_response", [], "open"),
        ("warning_under_review", [], "open"),
        ("warning_closed", [], "won"),
        ("needs_response", [-AMOUNT], "open"),
        ("under_review", [-AMOUNT], "open"),
        ("appeal_needs_response", [-AMOUNT], "open"),
        ("appeal_under_review", [-AMOUNT], "open"),
        ("won", [-AMOUNT, AMOUNT], "won"),
        ("lost", [-AMOUNT], "lost"),
        ("prevented", [], "won"),
        ("prevented", [-AMOUNT, AMOUNT], "won"),
        ("prevented", [-AMOUNT], "lost"),
        ("lost_in_the_mail", [], None),
    ],
)
def test_every_state_of_a_dispute(status: str, moved: list[int], ours: str | None) -> None:
    body = {"id": "du_1", "object": "dispute", "amount": AMOUNT, "currency": "hkd", "created": 1}
    moves = [{"id": "txn", "amount": amount} for amount in moved]
    told = decode(
        json.dumps({**body, "charge": "ch_1", "status": status, "balance_transactions": moves}).encode(),
        booking.Dispute,
    )
    assert (told.outcome() if told else None) == ours


@pytest.mark.parametrize("due_by", [0, None])
def test_a_bank_that_takes_no_answer_names_no_time(
    stripe_gateway: StripeGateway, books: RecordedStripe, due_by: int | None
) -> None:
    paid(stripe_gateway)
    dispute = books.books.dispute(books.intents[0])
    dispute["evidence_details"]["due_by"] = due_by
    told = stripe_gateway.fetch_dispute(dispute["id"])
    assert isinstance(told, DisputeSnapshot)
    assert told.due_at is None


def test_a_hosted_payment_is_named_by_its_session(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    opened = charged(stripe_gateway, hosted())
    intent = books.pay(books.sessions[0])
    books._create_refund({"payment_intent": intent["id"], "amount": "45"})
    dispute = books.books.dispute(intent)
    books.books.decide(dispute, "lost")
    told = stripe_gateway.fetch_dispute(dispute["id"])
    assert isinstance(told, DisputeSnapshot)
    assert told.payment_ref == opened.gateway_ref
    rows = {row.kind: row for row in report(stripe_gateway).rows}
    assert rows["payment"].key == opened.key
    assert (rows["dispute"].payment_ref, rows["refund"].payment_ref) == (opened.gateway_ref,) * 2
    assert rows["refund"].key is None, "made in the dashboard: no key of ours"
    assert stripe_gateway.list_disputes(clock.now() - timedelta(minutes=1)) == (told,)


@pytest.mark.parametrize("status", ["pending", "requires_action", "failed", "canceled"])
def test_a_refund_that_did_not_arrive_is_not_told(
    stripe_gateway: StripeGateway, books: RecordedStripe, status: str
) -> None:
    """A failed one is booked twice, out and back in."""
    money = paid(stripe_gateway)
    stripe_gateway.refund(ids.uuid7(), money.gateway_ref, 100)
    assert kinds(stripe_gateway) == ["refund", "payment"]
    books.refunds[0]["status"] = status
    books.books.book("refund_failure", 100, books.refunds[0])
    told = report(stripe_gateway)
    assert [row.kind for row in told.rows] == ["payment"]
    assert told.net == {"HKD": told.rows[0].net}


def test_an_account_that_settles_in_another_currency(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    """12,345 HKD cents are booked as 1,578 US cents: what was charged is compared, and its fee left out."""
    money = paid(stripe_gateway)
    stripe_gateway.refund(ids.uuid7(), money.gateway_ref, 2_345)
    for entry, amount in zip(books.books.booked, (-300, 1_578), strict=True):
        entry.update(currency="usd", amount=amount, fee=50, net=amount - 50, exchange_rate=0.1278)
    told = report(stripe_gateway)
    assert [(row.amount, row.currency, row.fee, row.net) for row in told.rows] == [
        (-2_345, "HKD", 0, -2_345),
        (AMOUNT, "HKD", 0, AMOUNT),
    ]
    assert told.net == {"HKD": AMOUNT - 2_345}


def test_a_fee_that_does_not_fit_shows_in_the_sums(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    paid(stripe_gateway)
    books.books.booked[0]["net"] -= 7
    told = report(stripe_gateway)
    assert told.net["HKD"] == sum(row.amount - row.fee for row in told.rows) - 7


def test_every_page_is_read(stripe_gateway: StripeGateway, books: RecordedStripe) -> None:
    for number in range(205):
        charge = {"id": f"ch_{number}", "object": "charge", "amount": 1, "currency": "hkd"}
        books.books.book("charge", 1, {**charge, "payment_intent": f"pi_{number}", "metadata": {}})
    rows = report(stripe_gateway).rows
    assert len({row.gateway_ref for row in rows}) == 205
    assert rows[0].key is None, "nobody's: an orphan"
    sent = [form for _, path, form in books.seen if path == "/v1/balance_transactions"]
    assert len(sent) == 3
    assert sent[1]["starting_after"] != sent[2]["starting_after"]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("payout", {"id": "po_1", "object": "payout", "amount": "a lot"}),
        ("stripe_fee", {"id": "txn_1", "object": "something_new", "metadata": 5}),
        ("adjustment", {"id": "adj_1", "object": "reserve_transaction"}),
        ("not_invented_yet", {"id": "x_1", "object": "x"}),
    ],
)
def test_what_else_stripe_books_is_no_business_of_ours(
    stripe_gateway: StripeGateway, books: RecordedStripe, kind: str, source: dict[str, Any]
) -> None:
    books.books.book(kind, -1_000_000, source)
    assert report(stripe_gateway) == DayReport(clock.now().date(), (), {})


def _strange_charge(books: RecordedStripe) -> None:
    books.books.booked[0]["source"] = {"id": "ch_1", "object": "charge", "amount": "12"}


def _strange_refund(books: RecordedStripe) -> None:
    books.books.book("refund", -1, {"id": "re_1", "object": "refund", "status": "lost_in_thought"})


def _strange_dispute(books: RecordedStripe) -> None:
    books.books.dispute(books.intents[0])["status"] = "lost_in_the_mail"


def _dispute_of_nothing(books: RecordedStripe) -> None:
    dispute = books.books.dispute(books.intents[0])
    books.books.decide(dispute, "lost")
    books.intents.clear()


@pytest.mark.parametrize(
    "spoil",
    [_strange_charge, _strange_refund, _strange_dispute, _dispute_of_nothing],
    ids=lambda f: f.__name__,
)
def test_what_cannot_be_read_makes_the_whole_report_unknown(
    stripe_gateway: StripeGateway, books: RecordedStripe, spoil: Callable[[RecordedStripe], None]
) -> None:
    paid(stripe_gateway)
    spoil(books)
    assert isinstance(stripe_gateway.fetch_report(clock.now().date()), Unknown)


def test_another_dispute_than_asked_for_is_a_mismatch(
    stripe_gateway: StripeGateway, books: RecordedStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(stripe_gateway)
    other = books.books.dispute(books.intents[0])
    monkeypatch.setattr(books, "_one", lambda rows, ref: (200, other))
    assert stripe_gateway.fetch_dispute("du_mine") == Unknown("mismatch: the answer is about another dispute")


def test_disputes_that_cannot_be_read_are_no_list(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    paid(stripe_gateway)
    books.books.dispute(books.intents[0])["status"] = "lost_in_the_mail"
    assert isinstance(stripe_gateway.list_disputes(clock.now() - timedelta(minutes=1)), Unknown)
