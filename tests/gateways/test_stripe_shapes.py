"""The Stripe adapter on what localstripe cannot do, in the shapes that Stripe publishes (recorded.py)."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.gateways import stripe_wire as wire
from app.gateways.stripe import IN_FLIGHT, StripeGateway
from app.gateways.stripe_replies import decode
from app.kernel import clock, ids
from app.payments.gateway import (
    PaymentMethod,
    RefundRefused,
    RefundSnapshot,
    Snapshot,
    Unknown,
)
from tests.gateways.houses import AMOUNT, REFERENCE, hmac_of, request_with
from tests.gateways.recorded import RecordedStripe
from tests.gateways.shapes import BACK, charged, hosted, older


def test_the_same_payment_never_charges_twice(stripe_gateway: StripeGateway, books: RecordedStripe) -> None:
    request = request_with("pm_card_visa")
    first = charged(stripe_gateway, request)
    assert stripe_gateway.charge(request) == first
    assert len(books.intents) == 1
    answer = stripe_gateway.charge(replace(request, amount=AMOUNT + 1))
    assert answer == Unknown("HTTP 400 idempotency_error"), (
        "the key belongs to another request: ask, never guess"
    )
    assert len(books.intents) == 1


def test_a_lost_answer_is_unknown_and_found_by_our_key(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    request = request_with("pm_card_visa")
    books.lose_next_answer = True
    assert isinstance(stripe_gateway.charge(request), Unknown)
    found = stripe_gateway.fetch(request.payment_id, None)
    assert isinstance(found, Snapshot)
    assert (found.status, found.captured) == ("captured", AMOUNT)
    assert (found.card_brand, found.card_last4) == ("mastercard", "4444")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
    ],
)
def test_a_decline_carries_its_payment(
    stripe_gateway: StripeGateway, books: RecordedStripe, token: str, code: str
) -> None:
    request = request_with(token)
    answer = charged(stripe_gateway, request)
    assert (answer.status, answer.decline_code, answer.captured) == ("declined", code, 0)
    assert answer.card_last4 == "4444"
    assert [path for _, path, _ in books.seen] == ["/v1/payment_intents"], "nothing had to be asked again"
    assert stripe_gateway.fetch(request.payment_id, answer.gateway_ref) == answer


def test_a_challenge_leads_to_the_bank_and_back(stripe_gateway: StripeGateway, books: RecordedStripe) -> None:
    request = request_with("pm_card_authenticationRequired")
    answer = charged(stripe_gateway, request)
    assert answer.status == "requires_action"
    assert answer.next_action_url == f"https://hooks.stripe.com/3d_secure_2/{answer.gateway_ref}"
    sent = books.seen[0][2]
    assert sent["return_url"] == f"https://shop.example/account/orders/{REFERENCE}"
    assert (sent["confirm"], sent["payment_method_types[0]"]) == ("true", "card")
    books.passed(books.intents[0])
    after = stripe_gateway.fetch(request.payment_id, answer.gateway_ref)
    assert isinstance(after, Snapshot)
    assert (after.status, after.next_action_url) == ("captured", None)


def test_a_request_with_an_address_of_its_own_comes_back_there(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    method = PaymentMethod("token", token="pm_card_visa", return_url=BACK)
    charged(stripe_gateway, request_with("", method=method))
    assert books.seen[0][2]["return_url"] == BACK


def test_the_tombstone_takes_the_key_of_a_charge_that_comes_late(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    request = request_with("pm_card_visa")
    ended = stripe_gateway.cancel(request.payment_id, None)
    assert isinstance(ended, Snapshot)
    assert (ended.status, ended.captured) == ("canceled", 0)
    assert stripe_gateway.charge(request) == Unknown("HTTP 400 idempotency_error")
    assert [intent["status"] for intent in books.intents] == ["canceled"], "the late request charged nothing"


def test_a_charge_that_was_faster_than_the_tombstone_is_ended_itself(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    request = request_with("pm_card_authenticationRequired")
    books.lose_next_answer = True
    assert isinstance(stripe_gateway.charge(request), Unknown)
    ended = stripe_gateway.cancel(request.payment_id, None)
    assert isinstance(ended, Snapshot)
    assert (ended.status, ended.gateway_ref) == ("canceled", books.intents[0]["id"])
    assert len(books.intents) == 1


def test_a_captured_payment_cannot_be_cancelled(stripe_gateway: StripeGateway) -> None:
    paid = charged(stripe_gateway, request_with("pm_card_visa"))
    assert stripe_gateway.cancel(uuid.UUID(paid.key), paid.gateway_ref) == paid


def test_a_refused_token_is_no_payment(stripe_gateway: StripeGateway, books: RecordedStripe) -> None:
    answer = charged(stripe_gateway, request_with("pm_gone"))
    assert (answer.status, answer.captured, answer.gateway_ref) == ("canceled", 0, "")
    assert books.intents == []


@pytest.mark.parametrize(
    ("waited", "over"), [(timedelta(0), False), (IN_FLIGHT + timedelta(minutes=1), True)]
)
def test_a_taken_key_without_a_payment_is_over_when_nothing_can_be_on_its_way(
    stripe_gateway: StripeGateway, waited: timedelta, over: bool
) -> None:
    """A hosted page that was made, but whose answer was lost: nobody has its address."""
    request = older(hosted(), waited)
    charged(stripe_gateway, request)
    answer = stripe_gateway.cancel(request.payment_id, None)
    if over:
        assert isinstance(answer, Snapshot)
        assert (answer.status, answer.gateway_ref) == ("canceled", "")
    else:
        assert answer == Unknown("Stripe has no payment, but one may be on its way")


def test_a_refund_of_more_than_was_paid_is_refused(
    stripe_gateway: StripeGateway, books: RecordedStripe
) -> None:
    paid = charged(stripe_gateway, request_with("pm_card_visa"))
    first = ids.uuid7()
    assert isinstance(stripe_gateway.refund(first, paid.gateway_ref, 10_000), RefundSnapshot)
    assert isinstance(stripe_gateway.refund(first, paid.gateway_ref, 10_000), RefundSnapshot)
    assert stripe_gateway.refund(ids.uuid7(), paid.gateway_ref, 2_346) == RefundRefused("amount_too_large")
    assert books.intents[0]["latest_charge"]["amount_refunded"] == 10_000, "and never twice"


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("failed", "failed"),
        ("canceled", "failed"),
        ("lost_in_thought", None),
    ],
)
def test_every_state_of_a_refund(
    stripe_gateway: StripeGateway, books: RecordedStripe, status: str, ours: str | None
) -> None:
    paid = charged(stripe_gateway, request_with("pm_card_visa"))
    refund_id = ids.uuid7()
    sent = stripe_gateway.refund(refund_id, paid.gateway_ref, 100)
    assert isinstance(sent, RefundSnapshot)
    books.refunds[0]["status"] = status
    found = stripe_gateway.fetch_refund(refund_id, sent.gateway_ref)
    if ours is None:
        assert isinstance(found, Unknown)
    else:
        assert isinstance(found, RefundSnapshot)
        assert found.status == ours


@pytest.mark.parametrize(
    ("status", "changes", "ours"),
    [
        ("succeeded", {"amount_received": AMOUNT}, "captured"),
        ("requires_capture", {}, "authorized"),
        ("processing", {}, "processing"),
        ("requires_confirmation", {}, "processing"),
        ("requires_payment_method", {}, "processing"),
        ("requires_payment_method", {"last_payment_error": {"code": "card_declined"}}, "declined"),
        ("requires_action", {}, "requires_action"),
        ("canceled", {}, "canceled"),
        ("requires_patience", {}, None),
        ("succeeded", {"amount": "12345"}, None),
        ("succeeded", {"metadata": None}, None),
        ("succeeded", {"currency": 344}, None),
        ("succeeded", {"created": 10**15}, None),
        ("succeeded", {"created": -1}, None),
    ],
)
def test_every_state_of_a_payment(status: str, changes: dict[str, Any], ours: str | None) -> None:
    body = {"id": "pi_1", "object": "payment_intent", "amount": AMOUNT, "currency": "hkd", "created": 1}
    told = decode(json.dumps({**body, "status": status, **changes}).encode(), wire.Intent)
    assert (told.snapshot().status if told else None) == ours


@pytest.mark.parametrize(
    "change", [{"amount": 1}, {"currency": "usd"}, {"metadata": {}}, {"metadata": {"payment_id": "x"}}]
)
def test_other_money_than_asked_is_a_mismatch(
    stripe_gateway: StripeGateway, books: RecordedStripe, change: dict[str, Any]
) -> None:
    request = request_with("pm_card_visa")
    charged(stripe_gateway, request)
    _, _, (status, body) = books._answers[str(request.payment_id)]
    body.update(change)
    answer = stripe_gateway.charge(request)
    assert status == 200
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith("mismatch")


@pytest.mark.parametrize(
    ("about", "subject", "object_key", "payment_key"),
    [
        (
            {"object": "charge", "payment_intent": "pi_1", "metadata": {"payment_id": "k"}},
            "payment",
            "k",
            "k",
        ),
        ({"object": "checkout.session", "metadata": {"payment_id": "k"}}, "payment", "k", "k"),
        ({"object": "refund", "payment_intent": "pi_1", "metadata": {"refund_id": "r"}}, "refund", "r", ""),
        ({"object": "refund", "metadata": {}}, "refund", None, ""),
        ({"object": "dispute", "payment_intent": "pi_1", "metadata": {}}, "dispute", "", ""),
        ({"object": "payment_intent", "metadata": None}, "payment", "", ""),
    ],
)
def test_what_a_callback_is_about(
    stripe_gateway: StripeGateway,
    about: dict[str, Any],
    subject: str,
    object_key: str | None,
    payment_key: str,
) -> None:
    event = {
        "id": "evt_1",
        "type": "any",
        "created": 1,
        "data": {"object": {"id": "x_1", "created": 1, **about}},
    }
    body, now = json.dumps(event).encode(), clock.now()
    header = f"t={int(now.timestamp())},v1={hmac_of('whsec_1', int(now.timestamp()), body)}"
    told = stripe_gateway.parse_webhook(body, {"Stripe-Signature": header}, now)
    assert (told.subject, told.object_ref, told.object_key) == (subject, "x_1", object_key)
    assert told.payment_key == payment_key
