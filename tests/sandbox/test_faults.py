"""Roads that hurt: each fault by token and by control API, and what is true behind it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.peers import Gateway, wait_for

QUICK = 0.3


@pytest.mark.parametrize(
    ("token", "truth"),
    [
        ("pm_sandbox_timeout_paid", "captured"),
        ("pm_sandbox_timeout_declined", "declined"),
        ("pm_sandbox_timeout_before", None),
    ],
)
def test_a_withheld_answer(gateway: Gateway, token: str, truth: str | None) -> None:
    with pytest.raises(requests.ReadTimeout):
        gateway.pay(token, "k1", wait=QUICK)
    wait_for(lambda: gateway.truth("k1").get("status") == truth)


@pytest.mark.parametrize(
    ("token", "truth"),
    [
        ("pm_sandbox_timeout_paid", "captured"),
        ("pm_sandbox_timeout_before", None),
        ("pm_sandbox_delayed_charge", "captured"),
    ],
)
def test_a_withheld_answer_may_never_come(gateway: Gateway, token: str, truth: str | None) -> None:
    gateway.control("tuning", {"hang_up": 1, "timeout_seconds": 0.1})
    with pytest.raises(requests.ConnectionError):
        gateway.pay(token, "k1")
    assert gateway.truth("k1").get("status") == truth


def test_a_delayed_charge_happens_unless_its_key_was_canceled(gateway: Gateway) -> None:
    gateway.control("tuning", {"timeout_seconds": 2})
    for key in ("kept", "canceled"):
        with pytest.raises(requests.ReadTimeout):
            gateway.pay("pm_sandbox_delayed_charge", key, wait=0.1)
    assert gateway.truth("kept").get("status") is None
    gateway.call("POST", "/v1/payments/by-key/canceled/cancel")
    wait_for(lambda: gateway.truth("kept").get("status") == "captured")
    time.sleep(0.5)
    assert gateway.truth("canceled")["status"] == "canceled"


@pytest.mark.parametrize(
    ("token", "status", "truth"),
    [
        ("pm_sandbox_error_500", 500, None),
        ("pm_sandbox_error_500_paid", 500, "captured"),
        ("pm_sandbox_rate_limited", 429, None),
    ],
)
def test_an_error_answer(gateway: Gateway, token: str, status: int, truth: str | None) -> None:
    answer = gateway.pay(token, "k1")
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (status == 429)
    assert gateway.truth("k1").get("status") == truth


@pytest.mark.parametrize(
    ("token", "truth"),
    [
        ("pm_sandbox_reset", None),
        ("pm_sandbox_reset_paid", "captured"),
        ("pm_sandbox_truncated_paid", "captured"),
    ],
)
def test_a_connection_that_breaks(gateway: Gateway, token: str, truth: str | None) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        gateway.pay(token, "k1")
    assert gateway.truth("k1").get("status") == truth


def test_garbage_with_status_200(gateway: Gateway) -> None:
    answer = gateway.pay("pm_sandbox_garbage_paid", "k1")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert gateway.truth("k1")["status"] == "captured"
    assert gateway.pay("pm_sandbox_garbage_paid", "k1").json()["status"] == "captured"


def test_a_wrong_amount_is_really_charged(gateway: Gateway) -> None:
    assert gateway.pay("pm_sandbox_wrong_amount", "k1").json()["amount_captured"] == 10_001


def test_the_next_requests_are_struck_and_then_none(gateway: Gateway) -> None:
    gateway.control("faults", {"fault": "error_500_after", "next": 2})
    assert [gateway.pay("pm_card_visa", f"k{n}").status_code for n in range(4)] == [500, 500, 201, 201]
    assert [gateway.truth(f"k{n}")["status"] for n in range(4)] == ["captured"] * 4
    assert gateway.call("GET", "/control").json()["faults"] == {}


def test_requests_at_once_share_the_count(gateway: Gateway) -> None:
    gateway.control("faults", {"fault": "rate_limited", "next": 5})
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda n: gateway.pay("pm_card_visa", f"k{n}").status_code, range(40)))
    assert sorted(statuses) == [201] * 35 + [429] * 5


def test_latency_comes_before_the_work(gateway: Gateway) -> None:
    gateway.control("tuning", {"latency_ms": 1_000})
    with pytest.raises(requests.ReadTimeout):
        gateway.pay("pm_card_visa", "k1", wait=0.1)
    gateway.control("tuning", {"latency_ms": 0})
    assert gateway.call("GET", "/v1/payments/by-key/k1").status_code == 404
    wait_for(lambda: gateway.truth("k1").get("status") == "captured")


def test_reads_are_struck_only_when_asked(gateway: Gateway) -> None:
    gateway.pay("pm_card_visa", "k1")
    gateway.control("faults", {"fault": "rate_limited", "next": 1, "on": "reads"})
    assert gateway.pay("pm_card_visa", "k2").status_code == 201
    assert gateway.call("GET", "/v1/payments/by-key/k1").status_code == 429
    assert gateway.call("GET", "/v1/payments/by-key/k1").status_code == 200


def test_refunds_meet_faults_too_and_happen_once(gateway: Gateway) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    gateway.control("faults", {"fault": "error_500_after", "next": 1})
    assert gateway.refund(payment, 600, "r1").status_code == 500
    assert gateway.refund(payment, 600, "r1").json()["status"] == "succeeded"
    assert gateway.truth("k1")["amount_refunded"] == 600


@pytest.mark.parametrize("dead", ["reset", "503"])
def test_a_dead_gateway_refuses_everything_but_control(gateway: Gateway, dead: str) -> None:
    gateway.control("dead", {"dead": dead})
    if dead == "503":
        assert gateway.pay("pm_card_visa", "k1").status_code == 503
    else:
        with pytest.raises(requests.ConnectionError):
            gateway.pay("pm_card_visa", "k1")
    gateway.control("dead", {"dead": False})
    assert gateway.call("GET", "/v1/payments/by-key/k1").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"fault": "earthquake", "next": 1}),
        ("faults", {"fault": "reset", "probability": 2}),
        ("faults", {"fault": "reset", "next": "many"}),
        ("tuning", {"timeout_seconds": -1}),
        ("tuning", {"colour": 1}),
        ("webhooks", {"mode": "sometimes"}),
        ("dead", {"dead": "maybe"}),
    ],
)
def test_a_wrong_control_request_changes_nothing(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    before = gateway.call("GET", "/control").json()
    assert gateway.call("POST", f"/control/{path}", body).status_code == 400
    assert gateway.call("GET", "/control").json() == before


def test_another_site_cannot_press_the_buttons(gateway: Gateway) -> None:
    gateway.pay("pm_card_visa", "k1")
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = requests.post(gateway.url + "/", data={"do": "reset//"}, headers=headers, timeout=30)
    assert answer.status_code == 403
    assert gateway.truth("k1")["status"] == "captured"


def test_the_same_seed_meets_the_same_faults_in_any_order(tmp_path: Path) -> None:
    def run(folder: str, keys: list[int]) -> tuple[dict[int, int], set[str]]:
        gateway = Gateway(tmp_path / folder)
        try:
            gateway.control("faults", {"fault": "error_500", "probability": 0.4})
            statuses = {n: gateway.pay("pm_card_visa", f"k{n}").status_code for n in keys}
            events = gateway.call("GET", "/control/events").json()["data"]
            return statuses, {event["id"] for event in events}
        finally:
            gateway.end()

    one, other = run("one", list(range(30))), run("other", list(range(29, -1, -1)))
    assert one == other
    assert 3 < list(one[0].values()).count(500) < 27
