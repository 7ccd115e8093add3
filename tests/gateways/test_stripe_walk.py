"""The hosted page of Stripe, and walks over its lists, in the shapes that Stripe publishes (recorded.py)."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from app.gateways.stripe import StripeGateway
from app.kernel import clock, ids
from app.payments.gateway import Absent, ListPage, RefundSnapshot, Snapshot, Unknown
from tests.gateways.houses import AMOUNT, request_with
from tests.gateways.recorded import RecordedStripe
from tests.gateways.shapes import BACK, charged, hosted, older


def test_the_hosted_page_from_its_address_to_its_refund(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    request = hosted()
    opened = charged(stripe_gateway, request)
    assert (opened.status, opened.amount, opened.currency) == ("requires_action", AMOUNT, "HKD")
    assert opened.next_action_url == "https://checkout.stripe.com/c/pay/cs_test"
    sent = books.seen[0][2]
    assert (sent["success_url"], sent["cancel_url"], sent["mode"]) == (BACK, BACK, "payment")
    intent = books.pay(books.sessions[0])
    paid = stripe_gateway.fetch(request.payment_id, opened.gateway_ref)
    assert isinstance(paid, Snapshot)
    assert (paid.status, paid.captured, paid.gateway_ref) == ("captured", AMOUNT, opened.gateway_ref)
    assert stripe_gateway.fetch(request.payment_id, None) == paid, (
        "under its session, also when found by our key"
    )
    refund_id = ids.uuid7()
    refund = stripe_gateway.refund(refund_id, opened.gateway_ref, 345)
    assert isinstance(refund, RefundSnapshot)
    assert (refund.payment_ref, refund.amount) == (opened.gateway_ref, 345)
    assert books.refunds[0]["payment_intent"] == intent["id"]
    assert stripe_gateway.fetch_refund(refund_id, None) == refund


def test_a_hosted_page_is_cancelled_by_closing_it(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    left, paid = charged(stripe_gateway, hosted()), charged(stripe_gateway, hosted())
    books.pay(books.sessions[0])
    closed = stripe_gateway.cancel(uuid.UUID(left.key), left.gateway_ref)
    too_late = stripe_gateway.cancel(uuid.UUID(paid.key), paid.gateway_ref)
    assert isinstance(closed, Snapshot)
    assert isinstance(too_late, Snapshot)
    assert (closed.status, closed.captured, closed.next_action_url) == ("canceled", 0, None)
    assert (too_late.status, too_late.captured) == ("captured", AMOUNT)


def test_a_declined_card_on_the_hosted_page_is_not_the_end(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    request = hosted()
    opened = charged(stripe_gateway, request)
    intent = books._new_intent(AMOUNT, "hkd", books.sessions[0]["_intent_metadata"])
    intent["last_payment_error"] = {"code": "card_declined"}
    books.sessions[0]["payment_intent"] = intent
    found = stripe_gateway.fetch(request.payment_id, opened.gateway_ref)
    assert isinstance(found, Snapshot)
    assert found.status == "requires_action"


def walk(stripe_gateway: StripeGateway, minutes: float) -> dict[str, Snapshot]:
    found: dict[str, Snapshot] = {}
    cursor, since = None, clock.now() - timedelta(minutes=minutes)
    while True:
        page = stripe_gateway.list_changed(cursor, since)
        assert isinstance(page, ListPage)
        found |= {snapshot.key: snapshot for snapshot in page.snapshots}
        cursor = page.cursor
        if not page.has_more:
            return found


def test_the_walk_meets_many_pages_hosted_pages_and_old_changes(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    old_paid = charged(stripe_gateway, request_with("pm_card_authenticationRequired"))
    old_quiet = charged(stripe_gateway, request_with("pm_card_visa"))
    old_refunded = charged(stripe_gateway, request_with("pm_card_visa"))
    books.events.clear()
    for intent in books.intents:
        intent["created"] -= 7200
    books.passed(books.intents[-1])
    stripe_gateway.refund(ids.uuid7(), old_refunded.gateway_ref, 7)
    hosted_paid, hosted_open = charged(stripe_gateway, hosted()), charged(stripe_gateway, hosted())
    books.pay(books.sessions[1])
    many = [books._new_intent(1, "hkd", {"payment_id": f"k{number}"}) for number in range(205)]
    found = walk(stripe_gateway, minutes=60)
    assert {intent["metadata"]["payment_id"] for intent in many} <= set(found)
    assert (found[hosted_paid.key].status, found[hosted_paid.key].gateway_ref) == (
        "captured", hosted_paid.gateway_ref,
    )  # fmt: skip
    assert found[old_paid.key].status == "captured"
    assert found[old_refunded.key].refunded == 7
    assert old_quiet.key not in found
    assert hosted_open.key not in found, "no money yet: asked about one by one while it is open"


def test_a_walk_that_is_cut_short_is_unknown(stripe_gateway: StripeGateway, books: RecordedStripe) -> None:
    charged(stripe_gateway, request_with("pm_card_visa"))
    books.intents[0]["status"] = "requires_patience"
    assert isinstance(stripe_gateway.list_changed(None, clock.now() - timedelta(minutes=1)), Unknown)


def test_a_key_is_looked_for_no_further_back_than_it_is_old(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    for _ in range(250):
        books._new_intent(1, "hkd", {})["created"] = int(time.time()) - 7200
    assert stripe_gateway.fetch(ids.uuid7(), None) == Absent()
    assert len(books.seen) == 1
    old = older(request_with("pm_card_visa"), timedelta(hours=3))
    assert stripe_gateway.fetch(old.payment_id, None) == Absent()
    assert len(books.seen) == 4, "three pages: to the end"


def test_money_is_found_behind_a_tombstone(stripe_gateway: StripeGateway, books: RecordedStripe) -> None:
    """Stripe may have forgotten the key: then a charge that came very late has its tombstone's id beside it."""
    request = request_with("pm_card_visa")
    paid = charged(stripe_gateway, request)
    books._answers.clear()
    books._new_intent(1, "hkd", {"payment_id": paid.key, "tombstone": "1"})["status"] = "canceled"
    assert stripe_gateway.fetch(request.payment_id, None) == paid
