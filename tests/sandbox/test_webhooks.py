"""Webhooks of the sandbox gateway: signed, retried, resent, and wrong on demand."""

from __future__ import annotations

import itertools
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.sandbox.peers import SECRET, Gateway, Shop, good_signature, wait_for


def test_a_webhook_is_signed_and_carries_the_payment(gateway: Gateway, shop: Shop) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()
    wait_for(lambda: shop.of(payment["id"]))
    header, body = shop.received[0]
    assert good_signature(header, body, SECRET)
    assert not good_signature(header, body + b" ", SECRET)
    event = json.loads(body)
    assert event["id"].startswith("evt_")
    assert (event["type"], event["data"]) == ("payment.captured", {"payment": payment})


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("pm_sandbox_timeout_paid", "payment.captured"),
        ("pm_sandbox_timeout_declined", "payment.declined"),
    ],
)
def test_whoever_waits_for_a_withheld_answer_hears_the_truth_only_afterwards(
    gateway: Gateway, shop: Shop, token: str, told: str
) -> None:
    gateway.control("tuning", {"timeout_seconds": 1.5})
    with pytest.raises(requests.ReadTimeout):
        gateway.pay(token, "k1", wait=0.3)
    truth = wait_for(lambda: (found := gateway.truth("k1")).get("status") and found)
    (delivery,) = gateway.events(truth["id"])[0]["deliveries"]
    assert (truth["status"], delivery["state"]) == (told.removeprefix("payment."), "pending")
    wait_for(lambda: shop.types(truth["id"]) == [told])


def test_two_secrets_sign_during_rotation(gateway: Gateway, shop: Shop) -> None:
    gateway.control("webhooks", {"secrets": ["whsec_new", SECRET]})
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    wait_for(lambda: shop.of(payment))
    gateway.control("webhooks", {"secrets": [SECRET]})
    header, body = shop.received[0]
    assert good_signature(header, body, SECRET)
    assert good_signature(header, body, "whsec_new")


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("pm_card_chargeDeclined", ["payment.declined"]),
        ("pm_card_authenticationRequired", ["payment.requires_action"]),
        ("pm_sandbox_duplicate_webhooks", ["payment.captured"] * 3),
        (
            "pm_sandbox_out_of_order_webhooks",
            ["payment.captured", "payment.authorized", "payment.processing"],
        ),
        ("pm_sandbox_late_webhook", ["payment.captured"]),
        ("pm_sandbox_disputed", ["payment.captured", "dispute.opened"]),
        ("pm_sandbox_late_authorization", ["payment.declined", "payment.captured"]),
    ],
)
def test_what_a_token_tells(gateway: Gateway, shop: Shop, token: str, expected: list[str]) -> None:
    body = gateway.pay(token, "k1").json()
    payment = body.get("payment", body)["id"]
    wait_for(lambda: len(shop.of(payment)) >= len(expected))
    told = shop.types(payment)
    assert told == expected if "out_of_order" in token else sorted(told) == sorted(expected)
    assert len({event["id"] for event in shop.of(payment)}) == len(set(expected))


def test_a_refund_is_told_with_its_payment(gateway: Gateway, shop: Shop) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    refund = gateway.refund(payment, 400, "r1").json()
    wait_for(lambda: "refund.succeeded" in shop.types(payment))
    told = next(event["data"] for event in shop.of(payment) if event["type"] == "refund.succeeded")
    assert told["refund"] == refund
    assert told["payment"]["amount_refunded"] == 400


def test_what_is_not_taken_is_sent_again_and_then_given_up(gateway: Gateway, shop: Shop) -> None:
    shop.answers[:] = [500, 302]
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    wait_for(lambda: gateway.events(payment)[0]["deliveries"][-1]["state"] == "delivered")
    assert [entry["status"] for entry in gateway.events(payment)[0]["deliveries"]] == [500, 302, 200]
    assert len({body for _, body in shop.received}) == 1
    shop.answers[:] = [503] * 9
    other = gateway.pay("pm_card_visa", "k2").json()["id"]
    wait_for(lambda: gateway.events(other)[0]["deliveries"][-1]["state"] == "failed")
    assert len(shop.of(other)) == 3


def test_resend_duplicate_drop_and_a_bad_signature(gateway: Gateway, shop: Shop) -> None:
    gateway.control("webhooks", {"mode": "hold"})
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    event = gateway.events(payment)[0]["id"]
    gateway.control(f"events/{event}/drop")
    assert gateway.control("webhooks/flush")["attempts"] == []
    assert shop.received == []
    assert [one["status"] for one in gateway.control(f"events/{event}/resend")["attempts"]] == [200]
    assert len(gateway.control(f"events/{event}/duplicate")["attempts"]) == 3
    assert len(shop.of(payment)) == 4
    gateway.control(f"events/{event}/bad-signature")
    assert [good_signature(*one, SECRET) for one in shop.received] == [True] * 4 + [False]


def test_held_webhooks_come_in_the_order_that_is_asked_for(gateway: Gateway, shop: Shop) -> None:
    gateway.control("webhooks", {"mode": "hold"})
    payment = gateway.pay("pm_card_visa", "k1", capture="manual").json()["id"]
    gateway.call("POST", f"/v1/payments/{payment}/capture")
    gateway.refund(payment, 100, "r1")
    events = [event["id"] for event in gateway.events(payment)]
    assert len(events) == 3
    assert shop.received == []
    wanted = [events[1], events[2], events[0]]
    done = gateway.control("webhooks/flush", {"events": wanted})["attempts"]
    assert [one["event"] for one in done] == wanted == [event["id"] for event in shop.of(payment)]
    assert gateway.control("webhooks/flush")["attempts"] == []


def test_a_token_signs_badly_every_time(gateway: Gateway, shop: Shop) -> None:
    shop.answers[:] = [400]
    assert gateway.pay("pm_sandbox_bad_signature_webhook", "k1").json()["status"] == "processing"
    wait_for(lambda: len(shop.received) == 2)
    assert [good_signature(*one, SECRET) for one in shop.received] == [False, False]
    assert gateway.truth("k1")["status"] == "captured"


@pytest.mark.parametrize(
    ("fault", "count"), [("webhook_duplicate", 3), ("webhook_lost", 0), ("webhook_bad_signature", 1)]
)
def test_a_webhook_fault_strikes_the_next_event_only(
    gateway: Gateway, shop: Shop, fault: str, count: int
) -> None:
    gateway.control("faults", {"fault": fault, "next": 1})
    struck = gateway.pay("pm_card_visa", "k1").json()["id"]
    spared = gateway.pay("pm_card_visa", "k2").json()["id"]
    wait_for(lambda: len(shop.of(struck)) >= count and shop.of(spared))
    assert (len(shop.of(struck)), len(shop.of(spared))) == (count, 1)


def test_a_gateway_killed_under_load_keeps_what_it_acknowledged(data: Path) -> None:
    gateway = Gateway(data)
    acknowledged: list[str] = []

    def charge(worker: int) -> None:
        for n in itertools.count():
            key = f"w{worker}-{n}"
            try:
                assert gateway.pay("pm_card_visa", key).status_code == 201
            except requests.ConnectionError:
                return
            acknowledged.append(key)

    try:
        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(charge, worker) for worker in range(4)]
            wait_for(lambda: len(acknowledged) > 60)
            gateway.end(signal.SIGKILL)
            for worker in workers:
                worker.result()
        gateway.start()
        assert {gateway.truth(key)["status"] for key in acknowledged} == {"captured"}
    finally:
        gateway.end()


def test_a_killed_gateway_forgets_nothing(data: Path, shop: Shop) -> None:
    gateway = Gateway(data, "--webhook-url", "http://127.0.0.1:9/nobody")
    try:
        gateway.control("tuning", {"retry_seconds": [0.2] * 50, "late_seconds": 0.5})
        paid = [gateway.pay("pm_card_visa", f"k{n}").json() for n in range(20)]
        declined = gateway.pay("pm_sandbox_late_authorization", "late").json()["payment"]
        gateway.end(signal.SIGKILL)
        gateway.start()
        assert [gateway.truth(f"k{n}") for n in range(20)] == paid
        assert gateway.call("GET", "/control").json()["tuning"]["late_seconds"] == 0.5
        assert gateway.pay("pm_card_visa", "k3").json() == paid[3]
        assert gateway.refund(paid[0]["id"], 10_000, "r1").status_code == 201
        wait_for(lambda: gateway.truth("late")["status"] == "captured")
        gateway.control("webhooks", {"url": shop.url})
        wait_for(lambda: all(shop.of(payment["id"]) for payment in [*paid, declined]))
    finally:
        gateway.end()
