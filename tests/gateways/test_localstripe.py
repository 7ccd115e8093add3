"""What only localstripe shows: callbacks that it signs itself, and a payment that changes after it was old."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flask import Flask

from app.kernel import clock
from app.payments.gateway import ListPage, SignatureInvalid, Snapshot
from tests.gateways.houses import SECRETS, StripeHouse, request_with
from tests.sandbox.peers import wait_for


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeHouse]:
    running = StripeHouse(tmp_path_factory.mktemp("localstripe"))
    yield running
    running.end()


@pytest.fixture
def received() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The address of a shop, and what was posted to it: (signature, body)."""
    posts: list[tuple[str, bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.append((self.headers["Stripe-Signature"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hooks", posts
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("card", "kind"),
    [("approved", "payment_intent.succeeded"), ("declined", "payment_intent.payment_failed")],
)
def test_a_callback_that_localstripe_signed(
    app: Flask,
    app_context: None,
    house: StripeHouse,
    received: tuple[str, list[tuple[str, bytes]]],
    card: str,
    kind: str,
) -> None:
    url, posts = received
    house.process.send_webhooks_to(url, SECRETS[1])
    request = request_with(house.token(card))  # type: ignore[arg-type]
    answer = house.adapter.charge(request)
    assert isinstance(answer, Snapshot)
    wait_for(lambda: posts)
    header, body = posts[0]
    event = house.adapter.parse_webhook(body, {"Stripe-Signature": header}, clock.now())
    assert (event.type, event.subject) == (kind, "payment")
    assert (event.object_ref, event.payment_key) == (answer.gateway_ref, str(request.payment_id))
    with pytest.raises(SignatureInvalid):
        house.adapter.parse_webhook(body + b"\n", {"Stripe-Signature": header}, clock.now())


def test_money_of_a_payment_from_before_the_walk(app: Flask, app_context: None, house: StripeHouse) -> None:
    opened = house.adapter.charge(request_with(house.token("challenged")))
    assert isinstance(opened, Snapshot)
    since = datetime.fromtimestamp(int(time.time()) + 1, UTC)
    wait_for(lambda: clock.now() > since)
    house.challenge(opened, True)
    found: list[Snapshot] = []
    cursor: str | None = None
    while True:
        page = house.adapter.list_changed(cursor, since)
        assert isinstance(page, ListPage)
        found += page.snapshots
        cursor = page.cursor
        if not page.has_more:
            break
    assert [(one.key, one.status) for one in found] == [(opened.key, "captured")]
