"""The hosted payment page, the 3-D Secure challenge and the control page, as a browser without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.peers import Gateway

RETURN = "https://shop.example/return?order=A1"


def press(url: str, **fields: str) -> requests.Response:
    return requests.post(url, data=fields, allow_redirects=False, timeout=30)


def hosted(gateway: Gateway, **more: Any) -> dict[str, Any]:
    payment = gateway.hosted("k1", return_url=RETURN, **more)
    assert (payment["status"], payment["next_action"]["type"]) == ("requires_action", "redirect")
    return payment


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"decision": "pay", "number": "4242 4242 4242 4242"}, "captured", None),
        ({"decision": "pay", "number": "4000-0000-0000-0002"}, "declined", "card_declined"),
        ({"decision": "pay", "number": "4000000000009995"}, "declined", "insufficient_funds"),
        ({"decision": "pay", "number": "4000000000000069"}, "declined", "expired_card"),
        ({"decision": "decline"}, "declined", "card_declined"),
        ({"decision": "cancel"}, "canceled", None),
    ],
)
def test_the_hosted_page_decides(
    gateway: Gateway, fields: dict[str, str], status: str, code: str | None
) -> None:
    payment = hosted(gateway)
    page = requests.get(payment["next_action"]["url"], timeout=30)
    assert page.status_code == 200
    assert "HKD 100.00" in page.text
    assert "<script" not in page.text
    back = press(payment["next_action"]["url"], **fields)
    assert (back.status_code, back.headers["Location"]) == (303, f"{RETURN}&payment={payment['id']}")
    truth = gateway.truth("k1")
    assert (truth["status"], truth["decline_code"], truth["next_action"]) == (status, code, None)
    pressed_again = press(payment["next_action"]["url"], decision="pay", number="4242424242424242")
    assert pressed_again.status_code == 200
    shown = requests.get(payment["next_action"]["url"], timeout=30).text
    assert "<form" not in shown
    assert f"payment={payment['id']}" in shown
    assert gateway.truth("k1") == truth


def test_a_card_number_that_is_none_keeps_what_was_typed(gateway: Gateway) -> None:
    payment = hosted(gateway)
    page = press(payment["next_action"]["url"], decision="pay", number="1234", expiry="12/30")
    assert page.status_code == 422
    assert 'value="1234"' in page.text
    assert 'value="12/30"' in page.text
    assert gateway.truth("k1") == payment


@pytest.mark.parametrize(
    ("decision", "status", "code"),
    [
        ("pay", "captured", None),
        ("decline", "declined", "authentication_failed"),
        ("cancel", "canceled", None),
    ],
)
def test_the_challenge_decides(gateway: Gateway, decision: str, status: str, code: str | None) -> None:
    payment = gateway.pay("pm_card_authenticationRequired", "k1", return_url=RETURN).json()
    assert "/3ds/" in payment["next_action"]["url"]
    assert requests.get(payment["next_action"]["url"], timeout=30).status_code == 200
    back = press(payment["next_action"]["url"], decision=decision)
    assert (back.status_code, back.headers["Location"]) == (303, f"{RETURN}&payment={payment['id']}")
    assert (gateway.truth("k1")["status"], gateway.truth("k1")["decline_code"]) == (status, code)


def test_a_challenge_after_the_hosted_page(gateway: Gateway) -> None:
    payment = hosted(gateway)
    step = press(payment["next_action"]["url"], decision="pay", number="4000002500003155")
    assert step.headers["Location"] == f"/3ds/{payment['id']}"
    assert gateway.truth("k1")["status"] == "requires_action"
    press(gateway.url + step.headers["Location"], decision="pay")
    assert gateway.truth("k1")["status"] == "captured"


def test_manual_capture_after_a_challenge(gateway: Gateway) -> None:
    payment = gateway.pay("pm_card_authenticationRequired", "k1", capture="manual").json()
    assert press(payment["next_action"]["url"], decision="pay").status_code == 200
    assert gateway.truth("k1")["status"] == "authorized"


def test_a_reference_is_shown_as_text(gateway: Gateway) -> None:
    body = {"amount": 100, "currency": "HKD", "reference": "<script>x</script>", "method": "hosted"}
    payment = gateway.call("POST", "/v1/payments", body, "k1").json()
    page = requests.get(payment["next_action"]["url"], timeout=30).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("token", "action", "status"),
    [
        ("pm_sandbox_processing", "paid", "captured"),
        ("pm_sandbox_processing", "declined", "declined"),
        ("pm_card_chargeDeclined", "late-authorize", "captured"),
    ],
)
def test_the_control_page_settles(gateway: Gateway, token: str, action: str, status: str) -> None:
    gateway.pay(token, "k1")
    payment = gateway.truth("k1")["id"]
    do = f"payment/{payment}/{action}"
    assert f'value="{do}"' in requests.get(gateway.url + "/", timeout=30).text
    assert press(gateway.url + "/", do=do).status_code == 303
    assert gateway.truth("k1")["status"] == status
    assert press(gateway.url + "/", do=do).status_code == 409


def test_the_control_page_sets_faults_and_times(gateway: Gateway) -> None:
    press(gateway.url + "/", do="fault//", fault="reset", next="2", probability="", on="any")
    press(gateway.url + "/", do="tuning//", latency_ms="5", timeout_seconds="2")
    press(gateway.url + "/", do="mode//hold")
    state = gateway.call("GET", "/control").json()
    assert state["faults"] == {"reset": {"probability": 0, "next": 2, "on": "any"}}
    assert (state["tuning"]["latency_ms"], state["webhooks"]["mode"]) == (5, "hold")
    press(gateway.url + "/", do="clear//")
    assert gateway.call("GET", "/control").json()["faults"] == {}


@pytest.mark.parametrize(("amount", "disputed"), [("", 10_000), ("2500", 2_500), (" 2500 ", 2_500)])
def test_the_control_page_disputes_all_of_it_or_a_part(gateway: Gateway, amount: str, disputed: int) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    do = f"payment/{payment}/dispute"
    assert f'value="{do}"' in requests.get(gateway.url + "/", timeout=30).text
    for wrong in ("0", "10001", "12.50", "all", "-1"):
        assert press(gateway.url + "/", do=do, amount=wrong).status_code in (400, 409)
        assert not gateway.truth("k1")["disputed"]
    assert press(gateway.url + "/", do=do, amount=amount).status_code == 303
    found = gateway.call("GET", "/v1/disputes").json()["data"]
    assert [(one["payment"], one["amount"]) for one in found] == [(payment, disputed)]


@pytest.mark.parametrize(
    ("outcome", "amount", "ends"), [("won", "", 2_500), ("lost", "", 2_500), ("lost", "1000", 1_000)]
)
def test_the_control_page_decides_disputes(gateway: Gateway, outcome: str, amount: str, ends: int) -> None:
    payment = gateway.pay("pm_card_visa", "k1").json()["id"]
    assert "Open disputes" not in requests.get(gateway.url + "/", timeout=30).text
    dispute = gateway.control(f"payments/{payment}/dispute", {"amount": 2_500})["id"]
    do = f"dispute/{dispute}/{outcome}"
    assert f'value="{do}"' in requests.get(gateway.url + "/", timeout=30).text
    assert press(gateway.url + "/", do=do, amount="2501").status_code in (400, 409)
    assert press(gateway.url + "/", do=do, amount=amount).status_code == 303
    found = gateway.call("GET", f"/v1/disputes/{dispute}").json()
    assert (found["status"], found["amount"]) == (outcome, ends)
    assert "Open disputes" not in requests.get(gateway.url + "/", timeout=30).text
