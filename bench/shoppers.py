"""Shoppers who put one thing into the cart, ask for a quote and place it by card, over the API, one after another."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit


class Shopper:
    """One customer with an address, on one connection."""

    def __init__(self, url: str, sku: str) -> None:
        self._place = str(urlsplit(url).netloc)
        self._connection = http.client.HTTPConnection(self._place, timeout=60)
        self._headers = {"Content-Type": "application/json"}
        self.sku = sku
        made = self.call(
            "POST", "/auth/register",
            {"email": f"{uuid.uuid4().hex}@bench.example", "password": "a long enough sentence", "name": "Bench"},
        )  # fmt: skip
        self._headers["Authorization"] = f"Bearer {made['tokens']['access_token']}"
        where = {"name": "Bench", "line1": "1 Harbour Road", "city": "Hong Kong", "country": "HK"}
        self.address = self.call("POST", "/me/addresses", where)["id"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The data of a successful answer; anything else ends the benchmark."""
        headers = {**self._headers, "Idempotency-Key": uuid.uuid4().hex}
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1{path}", body=payload, headers=headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        assert answer.status in {200, 201}, (method, path, answer.status, raw)
        return json.loads(raw)["data"]

    def reconnect(self) -> None:
        """The server behind the address is another one now."""
        self._connection.close()

    def buy(self) -> float:
        """Cart, quote, placement; seconds of the placement."""
        self.call("PUT", f"/cart/lines/{self.sku}", {"quantity": 1})
        wanted = {"points": 0, "address_id": self.address, "shipping_method": "standard"}
        quote = self.call("POST", "/checkout/quotes", wanted)
        began = time.perf_counter()
        order = self.call(
            "POST", "/checkout/orders", {"quote_id": quote["id"], "payment": {"token": "pm_card_visa"}}
        )
        assert order["order"]["status"] == "paid", order
        return time.perf_counter() - began


def prepare(url: str, count: int) -> list[Shopper]:
    """Shoppers of one thing each, so that they meet in no row of stock."""
    slugs = [item["slug"] for item in _get(url, f"/products?in_stock=true&limit={count}")["items"]]
    return [Shopper(url, _sold_variant(_get(url, f"/products/{slug}"))) for slug in slugs]


def _sold_variant(product: Any) -> str:
    """The first that there is: another variant of a product in stock may be sold out."""
    return str(next(one["sku"] for one in product["variants"] if one["availability"] != "sold_out"))


def shop_for(people: list[Shopper], seconds: float) -> tuple[int, float, float]:
    """All at once: (orders, orders a second, 99th percentile of a placement in ms)."""
    until = time.monotonic() + seconds
    spent: list[float] = []
    failed: list[BaseException] = []

    def run(person: Shopper) -> None:
        person.reconnect()
        try:
            while time.monotonic() < until:
                spent.append(person.buy())
        except BaseException as problem:
            failed.append(problem)
            raise

    began = time.monotonic()
    threads = [threading.Thread(target=run, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    rate = len(spent) / (time.monotonic() - began)
    return len(spent), rate, statistics.quantiles(spent, n=100)[98] * 1000


def first_slug(url: str) -> str:
    return str(_get(url, "/products?limit=1")["items"][0]["slug"])


def wait_until_ready(url: str, seconds: float = 30.0) -> None:
    """Until /readyz answers 200."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"{url} did not become ready in {seconds:.0f} s")


def _get(url: str, path: str) -> Any:
    connection = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=30)
    connection.request("GET", f"/api/v1{path}")
    answer = connection.getresponse()
    raw = answer.read()
    assert answer.status == 200, raw
    return json.loads(raw)["data"]
