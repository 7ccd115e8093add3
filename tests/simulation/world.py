"""One simulated shop: its services in this process, the real gateway and mailbox beside it, a real database.

Time, ids and chance are the seed's, so that a history replays exactly: the clock stands still within a step, and the
gateway's clock goes with it.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
import string
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask
from psycopg.rows import dict_row

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock, ids
from app.outbox.service import QUEUES
from embedded import services
from embedded.state import State
from jobs.process import queue_of, redis_from
from sandbox.mailbox.store import parse
from tests.conftest import ENVIRONMENT
from tests.sandbox.peers import KEY, SECRET, Gateway, Process
from tests.simulation.faults import Faults
from tests.simulation.wiping import Wiper

EPOCH = datetime(2028, 1, 1, tzinfo=UTC)
NEVER = 10**7
GATEWAY_SECONDS = {"connect": "1", "read": "1", "total": "1"}  # a 429 asks for a second: it is not sent again
WAITS = {"timeout_seconds": 0.1, "hang_up": 1, "late_seconds": NEVER, "webhook_delay_seconds": 0}


class _SeededSecrets:
    """What `app.kernel.ids` takes from `secrets`, from the seed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def randbits(self, bits: int) -> int:
        return self._rng.getrandbits(bits)

    def choice(self, letters: str) -> str:
        return self._rng.choice(letters)

    def token_urlsafe(self, size: int) -> str:
        return "".join(self._rng.choices(string.ascii_letters, k=size))


class _SeededTime:
    """Ids are ordered as they are made: each is a millisecond after the one before."""

    def __init__(self) -> None:
        self._last = 0

    def time_ns(self) -> int:
        now = int(clock.now().timestamp() * 1000)
        self._last = max(self._last + 1, now)
        return self._last * 1_000_000


class World:
    """On a database that is this world's alone. `through` may lead its connections another way. Close it at the end."""

    def __init__(
        self, database: services.Endpoints, folder: Path, through: Callable[[str], str] = lambda url: url
    ) -> None:
        self._closing = ExitStack()
        self.peer = Gateway(folder / "gateway")
        self._closing.callback(self.peer.end)
        self._gateway_store = sqlite3.connect(folder / "gateway" / "gateway.sqlite3", isolation_level=None)
        self._gateway_store.row_factory = sqlite3.Row
        self._closing.callback(self._gateway_store.close)
        smtp_port = State(folder).port("smtp")
        self._mails = folder / "mailbox"
        flags = ("--smtp-port", str(smtp_port), "--http-port", "0", "--data", str(self._mails))
        self._mailbox = Process("sandbox.mailbox", *flags)
        self._closing.callback(self._mailbox.end)
        environ = {
            **ENVIRONMENT,
            **{name: through(url) for name, url in database.environment().items()},
            "LOG_LEVEL": "CRITICAL",
            "SANDBOX_GATEWAY_URL": through(self.peer.url),
            "SANDBOX_GATEWAY_KEY": KEY,
            "SANDBOX_WEBHOOK_SECRET": SECRET,
            "MAIL_PORT": str(smtp_port),
            "BASE_URL": "http://shop.test",
            **{f"GATEWAY_{name.upper()}_SECONDS": value for name, value in GATEWAY_SECONDS.items()},
        }
        self.app = _app(environ)
        self.gateway: SandboxGateway = self.app.extensions["gateway"]
        redis = redis_from(self.app.config)
        self._closing.callback(redis.close)
        mine = uuid.uuid4().hex  # other worlds use the same Redis
        self.queues = {name: queue_of(f"simulated:{mine}:{name}", redis) for name in QUEUES}
        self._owner = self._connection(database.database_owner_url)
        self._wiper = Wiper(self._owner)
        with self.app.app_context():
            from app.kernel.database import db

            self.faults = Faults(db.engine, self._connection(database.database_url))
            self._closing.callback(db.engine.dispose)
        self._closing.callback(self.faults.close)
        self._times: ExitStack | None = None
        self._ahead = 0.0

    def close(self) -> None:
        self._closing.close()

    @contextmanager
    def history(self, rng: random.Random) -> Iterator[None]:
        """An empty shop at a moment of the seed's choice."""
        self._wiper.wipe()
        self.take_queued()
        requests.delete(f"{self._mailbox.url}/api/messages", timeout=10).raise_for_status()
        self.peer.control("reset")
        self.peer.control("webhooks", {"mode": "hold"})
        self.peer.control("tuning", WAITS)
        start = EPOCH + timedelta(seconds=rng.randrange(0, 400 * 24 * 3600))
        with ExitStack() as times, pytest.MonkeyPatch.context() as patch:
            self._times = times
            times.enter_context(clock.frozen(start))
            patch.setattr(ids, "secrets", _SeededSecrets(random.Random(rng.getrandbits(64))))
            patch.setattr(ids, "time", _SeededTime())
            self._set_gateway_clock()
            yield
        self._times = None

    def forward(self, **delta: float) -> None:
        """Time passes, here and at the gateway; a second or less only here, as clocks differ."""
        assert self._times is not None
        self._times.enter_context(clock.travel(**delta))
        if timedelta(**delta) > timedelta(seconds=1):
            self._set_gateway_clock()

    def rows(self, sql: str, *values: Any, **named: Any) -> list[dict[str, Any]]:
        """As the owner sees it, outside of every transaction of the shop."""
        return self._owner.execute(sql, named or values).fetchall()

    def gateway_payments(self) -> list[dict[str, Any]]:
        """All that the gateway knows, each payment as it is now."""
        return self._listed("payment")

    def gateway_refunds(self) -> list[dict[str, Any]]:
        return self._listed("refund")

    def gateway_disputes(self) -> list[dict[str, Any]]:
        return self._listed("dispute")

    def take_queued(self) -> list[str]:
        """The outbox rows that Redis has, taken out of it, in their order."""
        found = [job_id.removeprefix("obx-") for queue in self.queues.values() for job_id in queue.job_ids]
        for queue in self.queues.values():
            queue.delete(delete_jobs=True)
        return found

    def mails(self) -> Counter[str]:
        """How often the mailbox has each Message-ID."""
        return Counter(str(parse(path.read_bytes())["Message-ID"]) for path in self._mails.glob("*.eml"))

    def gateway_events(self, after: int) -> list[dict[str, Any]]:
        """`number`, `type` and `raw` body of what it would like to tell."""
        sql = "SELECT number, type, body AS raw FROM events WHERE number > ? ORDER BY number"
        return [dict(row) for row in self._gateway_store.execute(sql, (after,))]

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        """From its own storage: the faults of its API must not strike who only looks."""
        sql = "SELECT doc FROM objects WHERE kind = ? ORDER BY created, id"
        return [json.loads(row["doc"]) for row in self._gateway_store.execute(sql, (kind,))]

    def _set_gateway_clock(self) -> None:
        ahead = math.floor((clock.now() - datetime.now(UTC)).total_seconds())
        self.peer.control("clock", {"ahead_seconds": ahead})

    def _connection(self, url: str) -> psycopg.Connection[Any]:
        plain = url.replace("postgresql+psycopg", "postgresql")
        connection = psycopg.connect(plain, autocommit=True, row_factory=dict_row)
        self._closing.callback(connection.close)
        return connection


def _app(environ: dict[str, str]) -> Flask:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        from app import create_app

        return create_app({"CACHE_KEY_PREFIX": f"test:{uuid.uuid4().hex}:"})
