"""People who talk to a live shop over HTTP, one by one or all at the same instant."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from app.accounts.queries import get_customer
from app.accounts.service.tokens import Lifetimes, issue_tokens
from app.kernel.database import transaction
from tests.factories.people import make_customer
from tests.factories.shop import fill_cart, make_address, make_variant
from tests.live.shop import LiveShop

T = TypeVar("T")
PATIENCE = 60.0
IDLE = 4.0
"""Seconds; the web server closes a connection that was idle for five: fifty threads on a busy machine take that."""


@dataclass(frozen=True)
class Reply:
    """`status` 0: the connection broke, as it does when the server is killed."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""

    @property
    def data(self) -> Any:
        return json.loads(self.raw)["data"]

    @property
    def code(self) -> str:
        """The error code, or "" for an answer that is none."""
        is_json = self.headers.get("content-type", "").startswith("application/json")
        body = json.loads(self.raw) if is_json else {}
        return (body.get("data") or {}).get("code", "") if body.get("status") == "error" else ""

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def order(self) -> dict[str, Any]:
        """The order in the answer of a placement, also of a declined one."""
        data = self.data
        found: dict[str, Any] = data.get("order", data)
        return found


@dataclass(frozen=True)
class Call:
    """A request ready to be sent. `body`: text as it is, anything else as JSON."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def send(url: str, call: Call, before_sending: Callable[[], Any] = lambda: None) -> Reply:
    """Connect, then `before_sending`, then send and read."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE)
    text = call.body if isinstance(call.body, str) else json.dumps(call.body)
    payload = None if call.body is None else text.encode()
    headers = {"Content-Type": "application/json", **call.headers}
    try:
        connection.connect()
        opened = time.monotonic()
        before_sending()
        if time.monotonic() - opened > IDLE:
            connection.close()
            connection.connect()
        connection.request(call.method, call.path, body=payload, headers=headers)
        response = connection.getresponse()
        raw = response.read()
    except (OSError, http.client.HTTPException):
        return Reply(0)
    finally:
        connection.close()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, raw)


def at_once(work: Sequence[Callable[[Callable[[], Any]], T]]) -> list[T]:
    """Each in a thread of its own, given a barrier to wait at; the results in order."""
    barrier = threading.Barrier(len(work))
    results: list[Any] = [None] * len(work)

    def run(index: int) -> None:
        results[index] = work[index](barrier.wait)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def send_at_once(url: str, calls: Sequence[Call]) -> list[Reply]:
    """All connections are open before the first request is sent."""
    return at_once([lambda wait, call=call: send(url, call, wait) for call in calls])


@dataclass
class Shopper:
    """A customer with a token, an address and, if asked for, a cart of `quantity` of one variant."""

    shop: LiveShop
    points: int = 0
    price: int = 10_000
    stock: int = 100
    quantity: int = 1
    variant_id: uuid.UUID | None = None
    role: str = "customer"
    id: uuid.UUID = field(init=False)
    token: str = field(init=False)
    address_id: uuid.UUID = field(init=False)

    def __post_init__(self) -> None:
        with self.shop.app.app_context():
            self.id = make_customer(points=self.points, role=self.role)
            self.address_id = make_address(self.id)
            if self.variant_id is None:
                self.variant_id = make_variant(price=self.price, stock=self.stock)
            fill_cart(self.id, {self.variant_id: self.quantity})
            with transaction():
                person = get_customer(self.id)
                week = 7 * 24 * 3600
                issued = issue_tokens(person=person, lifetimes=Lifetimes(week, week), user_agent=None)
            self.token = issued.access_token

    def fill_cart(self) -> None:
        assert self.variant_id is not None
        with self.shop.app.app_context():
            fill_cart(self.id, {self.variant_id: self.quantity})

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> Call:
        headers = {"Authorization": f"Bearer {self.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return Call(method, f"/api/v1{path}", body, headers)

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        return send(self.shop.stack.url, self.call(method, path, body, key))

    def quote(self, points: int | str = 0) -> dict[str, Any]:
        body = {"points": points, "address_id": str(self.address_id), "shipping_method": "standard"}
        reply = self.send("POST", "/checkout/quotes", body)
        assert reply.status == 201, reply.raw
        made: dict[str, Any] = reply.data
        return made

    def placing(self, quote: Mapping[str, Any], token: str | None = "pm_card_visa", key: str = "") -> Call:
        body: dict[str, Any] = {"quote_id": quote["id"]}
        if token is not None:
            body["payment"] = {"token": token}
        return self.call("POST", "/checkout/orders", body, key or uuid.uuid4().hex)

    def place(self, quote: Mapping[str, Any], token: str | None = "pm_card_visa", key: str = "") -> Reply:
        return send(self.shop.stack.url, self.placing(quote, token, key))

    def cancelling(self, number: str, key: str = "") -> Call:
        return self.call("POST", f"/orders/{number}/cancel", key=key or uuid.uuid4().hex)

    def order(self, number: str) -> dict[str, Any]:
        reply = self.send("GET", f"/orders/{number}")
        assert reply.status == 200, reply.raw
        found: dict[str, Any] = reply.data
        return found

    def balances(self) -> tuple[int, int]:
        """(available, held)"""
        row = self.shop.one("SELECT available, held FROM points_account WHERE customer_id = %s", self.id)
        return row["available"], row["held"]

    def stock_of(self) -> tuple[int, int]:
        """(on hand, reserved)"""
        row = self.shop.one("SELECT on_hand, reserved FROM stock WHERE variant_id = %s", self.variant_id)
        return row["on_hand"], row["reserved"]

    def orders(self) -> list[dict[str, Any]]:
        return self.shop.rows("SELECT * FROM orders WHERE customer_id = %s ORDER BY placed_at", self.id)
