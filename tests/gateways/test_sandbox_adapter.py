"""The adapter tells the truth or says that it does not know it; it never takes the one for the other."""

from __future__ import annotations

import signal
import socket
import threading
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock, ids
from app.kernel.database import db, session
from app.payments.gateway import (
    Absent,
    ChargeRequest,
    ListPage,
    PaymentMethod,
    RefundRefused,
    RefundSnapshot,
    Snapshot,
    Unknown,
)
from tests.gateways.conftest import TIMEOUTS
from tests.sandbox.peers import Gateway


def request_for(token: str = "pm_card_visa", **more: object) -> ChargeRequest:
    fields: dict[str, object] = {
        "payment_id": ids.uuid7(),
        "amount": 12_345,
        "currency": "HKD",
        "reference": "MPC-AAAAA-00001",
        "method": PaymentMethod("token", token=token),
    }
    return ChargeRequest(**{**fields, **more})  # type: ignore[arg-type]


def test_an_approved_card_is_a_complete_snapshot(gateway: SandboxGateway) -> None:
    request = request_for(metadata={"customer": "c1"})
    answer = gateway.charge(request)
    assert isinstance(answer, Snapshot)
    assert (answer.key, answer.status, answer.amount, answer.captured, answer.refunded) == (
        str(request.payment_id), "captured", 12_345, 12_345, 0,
    )  # fmt: skip
    assert (answer.currency, answer.reference) == ("HKD", "MPC-AAAAA-00001")
    assert (answer.card_brand, answer.card_last4) == ("visa", "4242")
    assert gateway.fetch(request.payment_id, answer.gateway_ref) == answer
    assert gateway.charge(request) == answer, "the same payment never charges twice"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
    ],
)
def test_a_decline_is_a_snapshot(gateway: SandboxGateway, token: str, code: str) -> None:
    answer = gateway.charge(request_for(token))
    assert isinstance(answer, Snapshot)
    assert (answer.status, answer.decline_code, answer.captured) == ("declined", code, 0)


def test_a_challenge_and_a_hosted_page_have_a_url(gateway: SandboxGateway) -> None:
    challenge = gateway.charge(request_for("pm_card_authenticationRequired"))
    hosted = gateway.charge(
        request_for(method=PaymentMethod("hosted", return_url="http://127.0.0.1:1/orders/x"))
    )
    for answer in (challenge, hosted):
        assert isinstance(answer, Snapshot)
        assert answer.status == "requires_action"
        assert answer.next_action_url is not None


@pytest.mark.parametrize(
    ("token", "reason", "truth"),
    [
        ("pm_sandbox_timeout_paid", "no answer", "captured"),
        ("pm_sandbox_timeout_declined", "no answer", "declined"),
        ("pm_sandbox_timeout_before", "no answer", None),
        ("pm_sandbox_error_500", "HTTP 500", None),
        ("pm_sandbox_error_500_paid", "HTTP 500", "captured"),
        ("pm_sandbox_reset", "no answer", None),
        ("pm_sandbox_reset_paid", "no answer", "captured"),
        ("pm_sandbox_truncated_paid", "cut off", "captured"),
        ("pm_sandbox_garbage_paid", "unreadable", "captured"),
        ("pm_sandbox_rate_limited", "HTTP 429", None),
    ],
)
def test_whatever_is_not_an_answer_is_unknown(
    gateway: SandboxGateway, token: str, reason: str, truth: str | None
) -> None:
    request = request_for(token)
    answer = gateway.charge(request)
    assert isinstance(answer, Unknown)
    assert reason in answer.reason
    found = gateway.fetch(request.payment_id, None)
    if truth is None:
        assert found == Absent()
    else:
        assert isinstance(found, Snapshot)
        assert found.status == truth


def test_other_money_than_asked_is_a_mismatch(gateway: SandboxGateway) -> None:
    answer = gateway.charge(request_for("pm_sandbox_wrong_amount"))
    assert answer == Unknown("mismatch: amount, currency or reference differs from what was asked")


def test_a_key_used_for_another_charge_is_unknown(gateway: SandboxGateway) -> None:
    request = request_for()
    assert isinstance(gateway.charge(request), Snapshot)
    assert gateway.charge(replace(request, amount=1)) == Unknown("HTTP 409 with an unreadable body")


def test_a_rate_limit_that_passes_is_not_noticed(gateway: SandboxGateway, peer: Gateway) -> None:
    peer.control("faults", {"fault": "rate_limited", "next": 1})
    patient = SandboxGateway(
        url=peer.url,
        key="sk_test_sandbox",
        webhook_secrets=[],
        timeouts=Timeouts(connect=3, read=3, total=9),
    )
    answer = patient.charge(request_for())
    assert isinstance(answer, Snapshot)
    assert answer.status == "captured"


def test_a_refused_request_is_cancelled_before_it_is_called_a_no(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    request = request_for("pm_no_such_token")
    answer = gateway.charge(request)
    assert isinstance(answer, Snapshot)
    assert (answer.status, answer.captured) == ("canceled", 0)
    assert peer.truth(str(request.payment_id))["tombstone"] is True
    late = gateway.charge(replace(request, method=PaymentMethod("token", token="pm_card_visa")))
    assert isinstance(late, Snapshot)
    assert late.status == "canceled", "a request that was still on its way cannot charge"


def test_cancel_says_what_is_true_after_it(gateway: SandboxGateway) -> None:
    paid, waiting = request_for(), request_for("pm_sandbox_processing")
    gateway.charge(paid)
    gateway.charge(waiting)
    for payment_id, status in (
        (paid.payment_id, "captured"),
        (waiting.payment_id, "canceled"),
        (ids.uuid7(), "canceled"),
    ):
        answer = gateway.cancel(payment_id, None)
        assert isinstance(answer, Snapshot)
        assert answer.status == status


def test_refunds(gateway: SandboxGateway) -> None:
    charged = gateway.charge(request_for())
    assert isinstance(charged, Snapshot)
    refund_id = uuid.uuid4()
    assert gateway.fetch_refund(refund_id, None) == Absent()
    sent = gateway.refund(refund_id, charged.gateway_ref, 2_345)
    assert isinstance(sent, RefundSnapshot)
    assert (sent.key, sent.status, sent.amount, sent.payment_ref) == (
        str(refund_id), "succeeded", 2_345, charged.gateway_ref,
    )  # fmt: skip
    assert gateway.refund(refund_id, charged.gateway_ref, 2_345) == sent
    assert gateway.fetch_refund(refund_id, sent.gateway_ref) == sent
    assert isinstance(gateway.refund(uuid.uuid4(), charged.gateway_ref, 10_001), RefundRefused)
    after = gateway.fetch(uuid.UUID(charged.key), charged.gateway_ref)
    assert isinstance(after, Snapshot)
    assert after.refunded == 2_345


def test_a_refund_without_an_answer_is_unknown(gateway: SandboxGateway, peer: Gateway) -> None:
    charged = gateway.charge(request_for())
    assert isinstance(charged, Snapshot)
    peer.control("faults", {"fault": "timeout_after", "next": 1})
    refund_id = uuid.uuid4()
    assert isinstance(gateway.refund(refund_id, charged.gateway_ref, 100), Unknown)
    found = gateway.fetch_refund(refund_id, None)
    assert isinstance(found, RefundSnapshot)
    assert found.status == "succeeded"


def test_the_walk_meets_everything_once_and_changes_again(gateway: SandboxGateway, peer: Gateway) -> None:
    since = clock.now() - timedelta(minutes=1)
    requests = [request_for() for _ in range(3)]
    for request in requests:
        gateway.charge(request)
    page = gateway.list_changed(None, since)
    assert isinstance(page, ListPage)
    assert [snapshot.key for snapshot in page.snapshots] == [str(r.payment_id) for r in requests]
    assert not page.has_more
    assert gateway.list_changed(page.cursor, since) == ListPage((), page.cursor, False)
    gateway.refund(uuid.uuid4(), page.snapshots[0].gateway_ref, 1)
    changed = gateway.list_changed(page.cursor, since)
    assert isinstance(changed, ListPage)
    assert [(s.key, s.refunded) for s in changed.snapshots] == [(str(requests[0].payment_id), 1)]


def test_nothing_is_asked_inside_a_transaction(gateway: SandboxGateway, peer: Gateway) -> None:
    request = request_for()
    session().execute(text("SELECT 1"))
    with pytest.raises(RuntimeError, match="inside a database transaction"):
        gateway.charge(request)
    assert peer.call("GET", f"/v1/payments/by-key/{request.payment_id}").status_code == 404
    db.session.remove()


def test_a_dead_gateway_is_unknown_and_its_return_is_noticed(
    app: Flask, app_context: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    peer = Gateway(tmp_path_factory.mktemp("dying"))
    port = peer.url.rsplit(":", 1)[1]
    adapter = SandboxGateway(url=peer.url, key="sk_test_sandbox", webhook_secrets=[], timeouts=TIMEOUTS)
    assert isinstance(adapter.charge(request_for()), Snapshot)
    peer.end(signal.SIGKILL)
    assert isinstance(adapter.charge(request_for()), Unknown)
    peer._command[peer._command.index("--port") + 1] = port
    peer.start()
    assert isinstance(adapter.charge(request_for()), Snapshot)
    peer.end()


def serve_once(answer: bytes, pause: float = 0.0) -> str:
    """A peer that accepts one connection and sends `answer` byte group by byte group."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            connection.recv(65536)
            for start in range(0, len(answer), 200_000 if not pause else 1):
                try:
                    connection.sendall(answer[start : start + (200_000 if not pause else 1)])
                except OSError:
                    return
                time.sleep(pause)

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "pause", "reason"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0, "HTTP 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, 0, "too large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500, 0.02, "too slow"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n" + b"x" * 500, 0.02, "too slow"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 500, 0.02, "too slow"),
        (b"\x16\x03\x01 not http at all", 0, "no answer"),
    ],
)
def test_redirects_floods_and_trickles_are_no_answer(
    app: Flask, app_context: None, answer: bytes, pause: float, reason: str
) -> None:
    timeouts = Timeouts(connect=1.0, read=1.0, total=1.0) if pause else TIMEOUTS
    adapter = SandboxGateway(url=serve_once(answer, pause), key="k", webhook_secrets=[], timeouts=timeouts)
    began = time.monotonic()
    answered = adapter.fetch(uuid.uuid4(), None)
    assert isinstance(answered, Unknown)
    assert reason in answered.reason
    assert time.monotonic() - began < 9, "each trickle would last more than ten seconds"


def test_a_404_of_somebody_else_is_not_absent(app: Flask, app_context: None) -> None:
    page = b"<h1>Not Found</h1>"
    head = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    adapter = SandboxGateway(url=serve_once(head + page), key="k", webhook_secrets=[], timeouts=TIMEOUTS)
    assert isinstance(adapter.fetch(uuid.uuid4(), None), Unknown)
