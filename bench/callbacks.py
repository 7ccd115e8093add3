"""`python -m bench callbacks`: signed callbacks of the gateway, over HTTP, until the shop's 200.

The whole shop as `make run` starts it, fsync on, its workers applying the callbacks meanwhile. Writes the table of
docs/performance.md; about half a minute on an idle machine of two cores.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import statistics
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from bench import shoppers
from bench.servers import ENVIRONMENT
from embedded import shelter
from embedded.services import ROOT
from embedded.stack import Stack
from sandbox.gateway.events import signature_header

SECRET = "whsec_bench"
ORDERS = 8
CLIENTS = (1, 8)
PATH = "/api/v1/webhooks/payments/sandbox"
PAID = "SELECT id::text, gateway_ref, amount, currency, reference FROM payment WHERE state = 'captured'"
BEGIN, END = "<!-- callbacks: written by python -m bench callbacks -->", "<!-- /callbacks -->"


class Figure(NamedTuple):
    """Callbacks of so many clients at once: how many, how many a second, and their milliseconds."""

    clients: int
    count: int
    rate: float
    middle: float
    tail: float
    longest: float


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench callbacks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number of clients")
    options = parser.parse_args(arguments)
    table = _table(measure(options.seconds), options.seconds)
    path = ROOT / "docs" / "performance.md"
    before, rest = path.read_text().split(BEGIN)
    path.write_text(before + BEGIN + "\n" + table + END + rest.split(END)[1])
    print(table)


def measure(seconds: float) -> list[Figure]:
    """One round for each of CLIENTS. Exits when one callback was answered otherwise, or is not stored once."""
    base = ROOT / "var" / "bench" / "callbacks"
    environ = {**ENVIRONMENT, "SANDBOX_WEBHOOK_SECRET": SECRET}
    stack = Stack(base, profile="run", environ=environ, seed=False, say=lambda *_: None)
    try:
        stack.start()
        payments = _paid(stack)
        _send(stack.url, payments, clients=2, seconds=1)  # warm: every worker has its connections
        before = _stored(stack)
        figures = [_send(stack.url, payments, clients=count, seconds=seconds) for count in CLIENTS]
        sent, stored = sum(one.count for one in figures), _stored(stack) - before
    finally:
        stack.stop()
        shelter.discard(base)
        shutil.rmtree(base, ignore_errors=True)
    if sent != stored:
        sys.exit(f"bench callbacks: {sent} callbacks were answered with 200, and {stored} are stored.")
    return figures


def _paid(stack: Stack) -> list[dict[str, Any]]:
    """Payments that the shop and its gateway both know."""
    stack.flask("catalogue", "import", str(ROOT / "demo" / "catalogue.csv"))
    for person in shoppers.prepare(stack.url, ORDERS):
        person.buy()
    with _database(stack) as connection:
        return connection.execute(PAID).fetchall()


def _stored(stack: Stack) -> int:
    with _database(stack) as connection:
        row = connection.execute("SELECT count(*) AS n FROM webhook_inbox WHERE event_id LIKE 'evt_bench_%'")
        return int(row.fetchall()[0]["n"])


def _database(stack: Stack) -> psycopg.Connection[dict[str, Any]]:
    assert stack.endpoints is not None
    url = stack.endpoints.database_owner_url.replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True, row_factory=dict_row)


def _send(url: str, payments: list[dict[str, Any]], *, clients: int, seconds: float) -> Figure:
    """Each client one callback after another, on a connection of its own; each callback another event."""
    until = time.monotonic() + seconds
    spent: list[float] = []
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            connection = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=30)
            while time.monotonic() < until:
                body = _event(payments[number % len(payments)])
                signature = signature_header(body, [SECRET], int(time.time()))
                headers = {"Content-Type": "application/json", "Sandbox-Signature": signature}
                began = time.perf_counter()
                connection.request("POST", PATH, body=body, headers=headers)
                answer = connection.getresponse()
                raw = answer.read()
                spent.append(time.perf_counter() - began)
                assert answer.status == 200, (answer.status, raw)
                number += clients
        except BaseException as problem:
            failed.append(problem)
            raise

    began = time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    rate = len(spent) / (time.monotonic() - began)
    parts = statistics.quantiles(spent, n=100)
    return Figure(clients, len(spent), rate, parts[49] * 1_000, parts[98] * 1_000, max(spent) * 1_000)


def _event(payment: dict[str, Any]) -> bytes:
    """`payment.captured`, as the sandbox gateway would tell it, under an id that it has not had before."""
    told = {
        "id": payment["gateway_ref"],
        "idempotency_key": payment["id"],
        "status": "captured",
        "amount": payment["amount"],
        "amount_captured": payment["amount"],
        "amount_refunded": 0,
        "currency": payment["currency"],
        "reference": payment["reference"],
    }
    body = {
        "id": f"evt_bench_{uuid.uuid4().hex}",
        "type": "payment.captured",
        "created_at": datetime.now(UTC).isoformat(),
        "data": {"payment": told},
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _table(figures: list[Figure], seconds: float) -> str:
    lines = [
        f"`python -m bench callbacks --seconds {seconds:g}` on {platform.machine()}, {os.cpu_count()} cores,",
        f"Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the end.",
        "",
        "| clients at once | callbacks | a second | median ms | 99th percentile ms | longest ms |",
        "|---|---|---|---|---|---|",
    ]
    for clients, count, rate, *times in figures:
        shown = " | ".join(f"{milliseconds:,.1f}" for milliseconds in times)
        lines += [f"| {clients} | {count:,} | {rate:,.0f} | {shown} |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
