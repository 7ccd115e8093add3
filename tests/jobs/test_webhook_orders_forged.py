"""Callbacks bent in every way: none of them is an internal error, and only what the gateway signed leaves a row.

WEBHOOK_FUZZ says how many (3,000); SEED which.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import Connection
from sqlalchemy import select

from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from jobs.execute import run
from tests.checkout.conftest import Shopper
from tests.sandbox.peers import SECRET, Gateway

URL = "/api/v1/webhooks/payments/sandbox"
BLOCK = 100
COUNT = int(os.environ.get("WEBHOOK_FUZZ", "3000"))
TABLES = ("webhook_inbox", "outbox", "payment", "orders", "order_event", "points_tx", "reconciliation_issue")
pytestmark = pytest.mark.usefixtures("app_context")
Headers = list[tuple[str, str]]


def sign(raw: bytes, *, at: int, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()


def is_signed(raw: bytes, headers: Headers, now: int) -> bool:
    """The contract's words, apart from the code under test: one header, one time, some v1 that fits."""
    values = [value for name, value in headers if name == "Sandbox-Signature"]
    parts = [part.strip().split("=", 1) for part in ",".join(values).split(",")]
    times = [part[1] for part in parts if len(part) == 2 and part[0] == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or abs(now - int(times[0])) > 300:
        return False
    digests = [part[1] for part in parts if len(part) == 2 and part[0] == "v1"]
    return sign(raw, at=int(times[0])) in digests


class Forger:
    """Bodies and headers from one seed, around an order that is really there."""

    def __init__(self, rng: random.Random, payment: dict[str, Any]) -> None:
        self.rng, self.payment = rng, payment

    def body(self) -> bytes:
        bend = self.rng.choice(self.BODIES)
        return bend(self, self.event())

    def event(self) -> dict[str, Any]:
        """A callback about the payment that says what is not so."""
        lie = self.payment | self.rng.choice(
            (
                {"status": "captured"},
                {"status": "captured", "amount": 1, "amount_captured": 1},
                {"currency": "USD"},
                {"reference": "MPC-00000-00000"},
                {"amount_refunded": self.payment["amount"]},
                {"idempotency_key": "not-a-uuid"},
                {"idempotency_key": None},
                {"status": "paid!"},
                {"amount": 2**70},
                {"amount": -1},
            )
        )
        kind = self.rng.choice(
            ("payment.captured", "payment.declined", "refund.succeeded", "dispute.opened", "x", "")
        )
        return {
            "id": f"evt_{self.rng.getrandbits(48):x}",
            "type": kind,
            "created_at": self.rng.choice(["2026-01-01T00:00:00Z"] * 9 + ["yesterday", "", 5]),
            "data": {"payment": lie},
        }

    def _flipped(self, event: dict[str, Any]) -> bytes:
        raw = bytearray(json.dumps(event).encode())
        for _ in range(self.rng.randint(1, 5)):
            raw[self.rng.randrange(len(raw))] ^= 1 << self.rng.randrange(8)
        return bytes(raw)

    def _pruned(self, event: dict[str, Any]) -> bytes:
        where: Any = self.rng.choice((event, event["data"], event["data"]["payment"]))
        where.pop(self.rng.choice(list(where)))
        return json.dumps(event).encode()

    def _retyped(self, event: dict[str, Any]) -> bytes:
        where: Any = self.rng.choice((event, event["data"], event["data"]["payment"]))
        strange = (None, True, 1.5, "", [], {}, "\x00", "\ud800", 2**63, [[]] * 9)
        where[self.rng.choice(list(where))] = self.rng.choice(strange)
        return json.dumps(event).encode()

    BODIES: tuple[Callable[[Forger, dict[str, Any]], bytes], ...] = (
        lambda self, event: json.dumps(event).encode(),
        lambda self, event: json.dumps(event, indent=2, sort_keys=True).encode(),
        lambda self, event: b"\xef\xbb\xbf" + json.dumps(event).encode(),
        lambda self, event: json.dumps(event).encode("utf-16"),
        lambda self, event: json.dumps(event).encode()[: self.rng.randrange(200)],
        lambda self, event: json.dumps(event).encode().replace(b'"id"', b'"id": "evt_twice", "id"', 1),
        lambda self, event: b"[" * self.rng.choice((5, 20_000)),
        lambda self, event: self.rng.randbytes(self.rng.randrange(300)),
        lambda self, event: json.dumps(event).encode() + b" " * self.rng.choice((1, 200_000, 262_144)),
        lambda self, event: b"null",
        _flipped,
        _pruned,
        _retyped,
    )

    def headers(self, raw: bytes, now: int) -> Headers:
        rng, good = self.rng, sign(raw, at=now)
        flipped = good[:5] + ("0" if good[5] != "0" else "1") + good[6:]
        edge = now + rng.choice((-900, -310, -290, 290, 310, 900))
        value = rng.choice(
            (
                f"t={now},v1={good}",
                f"t={now},v1={good}",
                f"t={now},v1={flipped},v1={good}",
                f"t={edge},v1={sign(raw, at=edge)}",
                f"t={now},v1={sign(raw, at=now, secret='whsec_old')}",
                f"t={now},v0={good}",
                f"t={now},v1={flipped}",
                f"t={now},t={now},v1={good}",
                f"t={now},t=1,v1={good}",
                f"v1={good}",
                f"t={now}",
                f"t={now},v1=",
                f"t=-{now},v1={good}",
                f"t={now}.0,v1={good}",
                f"t=²{now},v1={good}",
                f"t={'9' * 400},v1={good}",
                f"t={now},v1={good.upper()}",
                f"t={now},v1={'é' * 64}",
                f"t={now + 1},v1={good}",
                "v1," * 500,
                "",
            )
        )
        if rng.random() < 0.05:
            return []
        return [("Sandbox-Signature", value)]


@dataclass(frozen=True)
class Sent:
    """`signed`: by the contract's word, this one may leave a row."""

    raw: bytes
    headers: Headers
    signed: bool

    @classmethod
    def made(cls, forger: Forger) -> Sent:
        raw, now = forger.body(), int(time.time())
        headers = forger.headers(raw, now)
        return cls(raw, headers, is_signed(raw, headers, now))


def counted(owner: Connection[Any]) -> list[tuple[Any, ...]]:
    """Rows and what they say, table by table."""
    return [
        owner.execute(
            f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {name} t"
        ).fetchone()
        for name in TABLES
    ]


def test_no_forged_callback_leaves_a_trace_and_none_is_an_internal_error(
    app: Flask, client: FlaskClient, owner: Connection[Any], gateway: SandboxGateway, peer: Gateway
) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_sandbox_processing")["number"]
    key = queries.list_payments_of(number)[0].id
    session().rollback()
    forger = Forger(random.Random(int(os.environ.get("SEED", "1"))), peer.truth(str(key)))
    answers: Counter[tuple[bool, int]] = Counter()
    for start in range(0, COUNT, BLOCK):
        block = [Sent.made(forger) for _ in range(min(BLOCK, COUNT - start))]
        before = counted(owner)
        for sent in sorted(block, key=lambda one: one.signed):
            if sent.signed and before:
                assert counted(owner) == before, [(one.raw[:300], one.headers) for one in block]
                before = []
            status = client.post(URL, data=sent.raw, headers=sent.headers).status_code
            answers[sent.signed, status] += 1
            assert status in ((200, 400, 413) if sent.signed else (400, 413)), (status, sent)
        assert not before or counted(owner) == before
    assert sum(n for (signed, _), n in answers.items() if signed) > COUNT // 20
    assert answers[True, 200] > COUNT // 60, answers
    what_was_signed_is_no_more_than_a_hint(app, number, key)


def what_was_signed_is_no_more_than_a_hint(app: Flask, number: str, key: Any) -> None:
    """Run every job that the signed lies have made: none fails, and the order is as it was."""
    session().rollback()
    rows = list(session().scalars(select(OutboxRow.id).where(OutboxRow.topic == "payments.webhook")))
    session().rollback()
    for row_id in rows[:500]:
        run(app, row_id)
    errors = session().scalars(select(OutboxRow.last_error).where(OutboxRow.last_error.is_not(None)))
    assert {error for error in errors if not error.startswith("Later: no payment of ours")} == set()
    assert get_order_view(number).status == "payment_pending"
    assert queries.get_payment(key).state == "unknown"
