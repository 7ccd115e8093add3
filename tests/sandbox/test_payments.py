"""Tokens, idempotency, cancel, capture and refunds of the sandbox gateway, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.peers import Gateway, wait_for


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("pm_card_visa", "captured", None),
        ("pm_card_mastercard", "captured", None),
        ("pm_card_chargeDeclined", "declined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "declined", "expired_card"),
        ("pm_card_authenticationRequired", "requires_action", None),
        ("pm_sandbox_duplicate_webhooks", "captured", None),
        ("pm_sandbox_out_of_order_webhooks", "captured", None),
        ("pm_sandbox_processing", "processing", None),
    ],
)
def test_a_token_decides_the_answer(gateway: Gateway, token: str, status: str, code: str | None) -> None:
    answer = gateway.pay(token, "k1", metadata={"order": "A1"})
    body = answer.json()
    payment = body["payment"] if status == "declined" else body
    assert answer.status_code == (402 if status == "declined" else 201)
    assert (payment["status"], payment["decline_code"]) == (status, code)
    assert (payment["amount"], payment["currency"], payment["reference"]) == (10_000, "HKD", "order-k1")
    assert payment["amount_captured"] == (10_000 if status == "captured" else 0)
    assert payment["metadata"] == {"order": "A1"}
    assert gateway.truth("k1") == payment == gateway.call("GET", f"/v1/payments/{payment['id']}").json()
    if status == "declined":
        assert body["error"]["code"] == code


@pytest.mark.parametrize("outcome", ["paid", "declined"])
def test_a_lost_webhook_leaves_only_asking(gateway: Gateway, outcome: str) -> None:
    answer = gateway.pay(f"pm_sandbox_lost_webhook_{outcome}", "k1")
    assert (answer.status_code, answer.json()["status"]) == (201, "processing")
    assert gateway.truth("k1")["status"] == {"paid": "captured", "declined": "declined"}[outcome]
    assert [
        entry["state"] for event in gateway.events(answer.json()["id"]) for entry in event["deliveries"]
    ] == ["dropped"]


def test_the_same_key_and_body_get_the_same_answer(gateway: Gateway) -> None:
    first = gateway.pay("pm_card_visa", "k1")
    gateway.refund(first.json()["id"], 1, "r1")
    again = gateway.pay("pm_card_visa", "k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_body_is_refused(gateway: Gateway) -> None:
    first = gateway.pay("pm_card_visa", "k1")
    other = gateway.pay("pm_card_visa", "k1", amount=9)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")
    assert gateway.truth("k1") == first.json()


def test_forty_at_once_with_one_key_make_one_payment(gateway: Gateway) -> None:
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: gateway.pay("pm_card_visa", "k1").json(), range(40)))
    assert all(answer == answers[0] for answer in answers)
    assert len(gateway.call("GET", "/v1/payments").json()["data"]) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": "100"}, "amount"),
        ({"amount": True}, "amount"),
        ({"currency": "hkd"}, "currency"),
        ({"reference": ""}, "reference"),
        ({"payment_token": "pm_unknown"}, "payment_token"),
        ({"method": "hosted"}, "payment_token"),
        ({"return_url": "javascript:alert(1)"}, "return_url"),
        ({"capture": "later"}, "capture"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_made(
    gateway: Gateway, change: dict[str, Any], field: str
) -> None:
    answer = gateway.pay(**{"token": "pm_card_visa", "key": "k1", **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parameter_invalid")
    assert answer.json()["error"]["message"].startswith(field)
    assert gateway.call("GET", "/v1/payments/by-key/k1").status_code == 404


def test_who_has_no_key_gets_nothing(gateway: Gateway) -> None:
    answer = gateway.session.get(gateway.url + "/v1/payments", headers={"Authorization": "Bearer sk_wrong"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "key_invalid")


def test_a_canceled_key_never_charges(gateway: Gateway) -> None:
    tombstone = gateway.call("POST", "/v1/payments/by-key/k1/cancel").json()
    assert (tombstone["status"], tombstone["tombstone"]) == ("canceled", True)
    late = gateway.pay("pm_card_visa", "k1")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "payment_canceled")
    assert late.json()["payment"] == tombstone == gateway.truth("k1")


def test_cancel_tells_the_truth_it_found(gateway: Gateway) -> None:
    waiting = gateway.pay("pm_sandbox_processing", "waiting").json()
    assert gateway.call("POST", f"/v1/payments/{waiting['id']}/cancel").json()["status"] == "canceled"
    assert gateway.call("POST", "/v1/payments/by-key/waiting/cancel").json()["status"] == "canceled"
    gateway.pay("pm_card_chargeDeclined", "no")
    assert gateway.call("POST", "/v1/payments/by-key/no/cancel").json()["status"] == "declined"
    paid = gateway.pay("pm_card_visa", "paid").json()
    refused = gateway.call("POST", "/v1/payments/by-key/paid/cancel")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "payment_captured")
    assert refused.json()["payment"] == paid == gateway.truth("paid")


def test_manual_capture_takes_part_once(gateway: Gateway) -> None:
    payment = gateway.pay("pm_card_visa", "k1", capture="manual").json()
    path = f"/v1/payments/{payment['id']}/capture"
    assert (payment["status"], payment["amount_captured"]) == ("authorized", 0)
    assert gateway.call("POST", path, {"amount": 10_001}).json()["error"]["code"] == "capture_exceeds_amount"
    assert gateway.truth("k1") == payment
    taken = gateway.call("POST", path, {"amount": 7_000}).json()
    assert (taken["status"], taken["amount_captured"]) == ("captured", 7_000)
    assert gateway.call("POST", path, {"amount": 7_000}).json() == taken
    assert gateway.call("POST", path, {"amount": 3_000}).status_code == 409
    assert gateway.truth("k1") == taken


def test_refunds_never_exceed_what_was_captured(gateway: Gateway) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: gateway.refund(payment, 3_000, f"r{n}").status_code, range(8)))
    assert sorted(answers) == [201] * 3 + [409] * 5
    assert gateway.truth("k1")["amount_refunded"] == 9_000
    assert gateway.refund(payment, 1_001, "more").json()["error"]["code"] == "refund_exceeds_captured"
    assert gateway.call("GET", "/v1/refunds/by-key/more").status_code == 404
    rest = gateway.refund(payment, None, "rest").json()
    assert (rest["amount"], rest["status"]) == (1_000, "succeeded")
    assert gateway.refund(payment, None, "rest").json() == rest
    assert gateway.call("GET", "/v1/refunds/by-key/rest").json() == rest
    assert len(gateway.call("GET", f"/v1/payments/{payment}/refunds").json()["data"]) == 4


def test_refunds_that_fail_or_wait(gateway: Gateway) -> None:
    failing = gateway.pay("pm_sandbox_refund_fails", "fails").json()["id"]
    failed = gateway.refund(failing, 500, "r1").json()
    assert (failed["status"], failed["failure_code"]) == ("failed", "refund_rejected")
    assert gateway.truth("fails")["amount_refunded"] == 0
    waiting = gateway.pay("pm_sandbox_refund_pending", "waits").json()["id"]
    refund = gateway.refund(waiting, 500, "r2").json()
    assert refund["status"] == "pending"
    path = f"/v1/refunds/{refund['id']}"
    wait_for(lambda: gateway.call("GET", path).json()["status"] == "succeeded")
    assert gateway.truth("waits")["amount_refunded"] == 500


def test_only_captured_money_can_be_refunded(gateway: Gateway) -> None:
    payment = gateway.pay("pm_card_chargeDeclined", "k1").json()["payment"]
    refused = gateway.refund(payment["id"], 1, "r1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "payment_not_captured")
    assert gateway.truth("k1") == payment


def test_a_walk_over_the_list_finds_late_changes(gateway: Gateway) -> None:
    ids = [gateway.pay("pm_sandbox_processing", f"k{n}").json()["id"] for n in range(5)]
    first = gateway.call("GET", "/v1/payments?limit=3").json()
    assert [payment["id"] for payment in first["data"]] == ids[:3]
    assert first["has_more"] is True
    rest = gateway.call("GET", f"/v1/payments?after={first['next']}").json()
    assert ([payment["id"] for payment in rest["data"]], rest["has_more"]) == (ids[3:], False)
    gateway.control(f"payments/{ids[0]}/paid")
    news = gateway.call("GET", f"/v1/payments?after={rest['next']}").json()["data"]
    assert [(payment["id"], payment["status"]) for payment in news] == [(ids[0], "captured")]
    assert gateway.call("GET", "/v1/payments?created_since=2200-01-01T00:00:00Z").json()["data"] == []


def test_a_late_authorization_takes_the_money_after_a_decline(gateway: Gateway) -> None:
    declined = gateway.pay("pm_sandbox_late_authorization", "k1").json()["payment"]
    assert declined["status"] == "declined"
    wait_for(lambda: gateway.truth("k1")["status"] == "captured")
    gateway.pay("pm_sandbox_late_after_cancel", "k2")
    assert gateway.call("POST", "/v1/payments/by-key/k2/cancel").json()["status"] == "canceled"
    wait_for(lambda: gateway.truth("k2")["status"] == "captured")


def test_time_can_be_brought_forward(gateway: Gateway) -> None:
    gateway.control("tuning", {"late_seconds": 3600})
    gateway.pay("pm_sandbox_late_authorization_lost_webhook", "k1")
    gateway.control("advance", {"seconds": 3500})
    assert gateway.truth("k1")["status"] == "declined"
    gateway.control("advance", {"seconds": 101})
    wait_for(lambda: gateway.truth("k1")["status"] == "captured")
    assert {
        entry["state"] for event in gateway.events(gateway.truth("k1")["id"]) for entry in event["deliveries"]
    } == {"dropped"}


def test_a_reset_leaves_no_payment_and_old_cursors_good(gateway: Gateway) -> None:
    before = gateway.pay("pm_card_visa", "k1").json()
    gateway.control("reset")
    assert gateway.call("GET", "/v1/payments/by-key/k1").status_code == 404
    after = gateway.pay("pm_card_visa", "k1").json()
    assert (after["id"], after["sequence"] > before["sequence"]) == (before["id"], True)


def test_disputes(gateway: Gateway) -> None:
    payment = gateway.pay("pm_sandbox_disputed", "k1").json()["id"]
    wait_for(lambda: gateway.truth("k1")["disputed"])
    dispute = gateway.call("GET", "/v1/disputes").json()["data"][0]
    assert (dispute["payment"], dispute["status"], dispute["amount"]) == (payment, "open", 10_000)
    assert gateway.control(f"disputes/{dispute['id']}/lost")["status"] == "lost"
    assert gateway.call("GET", f"/v1/disputes/{dispute['id']}").json()["status"] == "lost"


def test_a_dispute_about_a_part(gateway: Gateway) -> None:
    """Nothing is refunded while it is open, and what the bank took never; the rest is."""
    payment = gateway.pay("pm_card_visa", "k1").json()
    assert gateway.refund(payment["id"], 1_000, "r1").status_code == 201
    too_much = gateway.call("POST", f"/control/payments/{payment['id']}/dispute", {"amount": 9_001})
    assert (too_much.status_code, too_much.json()["error"]["code"]) == (409, "dispute_exceeds_captured")
    for amount in (0, -1, "1", 1.5):
        refused = gateway.call("POST", f"/control/payments/{payment['id']}/dispute", {"amount": amount})
        assert refused.status_code == 400
    assert not gateway.truth("k1")["disputed"]
    dispute = gateway.control(f"payments/{payment['id']}/dispute", {"amount": 4_000})
    assert (dispute["amount"], dispute["status"]) == (4_000, "open")
    assert gateway.refund(payment["id"], 100, "r2").json()["error"]["code"] == "payment_disputed"
    for outcome, amount in (("won", 1), ("lost", 4_001)):
        refused = gateway.call("POST", f"/control/disputes/{dispute['id']}/{outcome}", {"amount": amount})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "dispute_amount")
    lost = gateway.control(f"disputes/{dispute['id']}/lost", {"amount": 3_000})
    assert (lost["amount"], lost["status"]) == (3_000, "lost")
    assert gateway.refund(payment["id"], 6_001, "r3").json()["error"]["code"] == "payment_disputed"
    assert gateway.refund(payment["id"], 9_001, "r4").json()["error"]["code"] == "refund_exceeds_captured"
    assert gateway.refund(payment["id"], 6_000, "r5").status_code == 201
    assert gateway.truth("k1")["amount_refunded"] == 7_000
    report = gateway.call("GET", f"/v1/report?day={payment['created_at'][:10]}").json()
    assert sorted(row["amount"] for row in report["rows"]) == [-6_000, -3_000, -1_000, 10_000]


def test_the_report_adds_up(gateway: Gateway) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()
    refund = gateway.refund(payment["id"], 2_500, "r1").json()
    gateway.pay("pm_card_chargeDeclined", "k2")
    report = gateway.call("GET", f"/v1/report?day={payment['created_at'][:10]}").json()
    rows = {row["id"]: (row["type"], row["amount"], row["fee"], row["net"]) for row in report["rows"]}
    expected = {payment["id"]: ("payment", 10_000, 290, 9_710), refund["id"]: ("refund", -2_500, 0, -2_500)}
    assert rows == expected
    assert report["totals"] == {"HKD": {"amount": 7_500, "fee": 290, "net": 7_210}}
    gateway.control(f"refunds/{refund['id']}/failed")
    came_back = gateway.call("GET", f"/v1/report?day={payment['created_at'][:10]}").json()
    assert [row["id"] for row in came_back["rows"]] == [payment["id"]]
    assert came_back["totals"] == {"HKD": {"amount": 10_000, "fee": 290, "net": 9_710}}
    assert gateway.call("GET", "/v1/report?day=1999-01-01").json()["rows"] == []


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_of_the_calendar_have_a_report(gateway: Gateway, day: str) -> None:
    answer = gateway.call("GET", f"/v1/report?day={day}")
    assert (answer.status_code, answer.json()["rows"]) == (200, [])


def test_a_saved_card_pays_again(gateway: Gateway) -> None:
    card = gateway.call("POST", "/v1/customers/c1/cards", {"payment_token": "pm_card_mastercard"}).json()
    assert gateway.call("GET", "/v1/customers/c1/cards").json()["data"] == [card]
    assert gateway.pay(card["id"], "k1").json()["card"] == {"brand": "mastercard", "last4": "4444"}
    assert gateway.call("DELETE", f"/v1/customers/c2/cards/{card['id']}").status_code == 404
    assert gateway.call("DELETE", f"/v1/customers/c1/cards/{card['id']}").status_code == 200
    assert gateway.pay(card["id"], "k2").status_code == 400


def test_its_clock_runs_as_far_ahead_as_it_is_told(gateway: Gateway) -> None:
    gateway.control("tuning", {"late_seconds": 3_000})
    gateway.pay("pm_sandbox_late_authorization", "clock-1")
    gateway.control("clock", {"ahead_seconds": 3_600})
    wait_for(lambda: gateway.truth("clock-1")["status"] == "captured")
    told = datetime.fromisoformat(gateway.truth("clock-1")["updated_at"])
    assert timedelta(minutes=59) < told - datetime.now(UTC) < timedelta(minutes=61)
    gateway.control("reset")
    gateway.pay("pm_card_visa", "clock-2")
    told = datetime.fromisoformat(gateway.truth("clock-2")["created_at"])
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)
