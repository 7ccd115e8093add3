"""A stack of the shop's processes, and what a test may do to it: look into its database, steer its gateway,
let time pass, kill it at a named point.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask
from psycopg.rows import dict_row

from embedded import shelter, supervisor
from embedded.stack import Stack
from tests.conftest import ENVIRONMENT

GATEWAY_KEY, WEBHOOK_SECRET = "sk_sandbox_live", "whsec_live"


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `condition` returns once it is true; fails with `what` when that takes too long."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return found


class LiveShop:
    """`app` is the shop inside the test process, on the stack's database: for making people and goods."""

    def __init__(self, base: Path, **environ: str) -> None:
        self.base = base
        self.crashes = base / "crashes"
        self.crashes.mkdir()
        self.lines: list[tuple[float, str, str]] = []
        self.environ = {
            **ENVIRONMENT,
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "SANDBOX_GATEWAY_KEY": GATEWAY_KEY,
            "SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SHOP_CRASH_DIR": str(self.crashes),
            **environ,
        }
        self.stack = Stack(base, profile="test", environ=self.environ, seed=False, say=self._note)
        self.app: Flask
        self._gateway = requests.Session()
        self._gateway.headers["Authorization"] = f"Bearer {GATEWAY_KEY}"

    def start(self) -> None:
        self.stack.start()
        assert self.stack.endpoints is not None
        here = {
            **self.environ,
            **self.stack.endpoints.environment(),
            "SANDBOX_GATEWAY_URL": self.stack.gateway_url,
            "BASE_URL": self.stack.url,
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in here.items():
                patch.setenv(name, value)
            from app import create_app

            self.app = create_app({"CACHE_KEY_PREFIX": f"test:{uuid.uuid4().hex}:"})

    def stop(self) -> None:
        from app.kernel.database import db

        if hasattr(self, "app"):
            with self.app.app_context():
                db.session.remove()
                db.engine.dispose()
        self.stack.stop()
        shelter.discard(self.base)

    # the database
    def owner(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection as the owner of the tables, autocommit."""
        assert self.stack.endpoints is not None
        url = self.stack.endpoints.database_owner_url.replace("postgresql+psycopg", "postgresql")
        return psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with self.owner() as connection:
            return connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> dict[str, Any]:
        (row,) = self.rows(sql, *values)
        return row

    def let_pass(self, minutes: float, numbers: list[str] | None = None) -> None:
        """Time passes for orders (`numbers`, or all): their payments, refunds, leases and jobs become older."""
        span = f"{minutes} minutes"
        chosen = (
            numbers if numbers is not None else [r["number"] for r in self.rows("SELECT number FROM orders")]
        )
        with self.owner() as connection:
            connection.execute(
                "UPDATE payment SET created_at = created_at - %s::interval, "
                "next_check_at = next_check_at - %s::interval WHERE reference = ANY(%s)",
                (span, span, chosen),
            )
            connection.execute(
                "UPDATE card_refund r SET created_at = r.created_at - %s::interval, "
                "next_check_at = r.next_check_at - %s::interval "
                "FROM payment p WHERE p.id = r.payment_id AND p.reference = ANY(%s)",
                (span, span, chosen),
            )
            connection.execute(
                "UPDATE idempotency_key SET lease_until = lease_until - %s::interval, "
                "created_at = created_at - %s::interval WHERE subject = ANY(%s)",
                (span, span, chosen),
            )
            connection.execute(
                "UPDATE outbox SET run_at = run_at - %s::interval WHERE done_at IS NULL AND dead_at IS NULL",
                (span,),
            )

    def make_due(self, name: str) -> None:
        """The scheduler process takes this task up within a second."""
        self.rows("UPDATE job_run SET next_run_at = now() WHERE name = %s RETURNING name", name)

    def suspend_task(self, name: str) -> None:
        """The scheduler leaves this task alone until it is made due."""
        self.rows(
            "UPDATE job_run SET next_run_at = now() + interval '1 day' WHERE name = %s RETURNING name", name
        )

    def run_task(self, name: str, seconds: float = 180) -> None:
        """Make a scheduled task due; returns when the scheduler process has run it from start to end."""
        began = self.one("SELECT clock_timestamp() AS at")["at"]
        self.make_due(name)
        finished = (
            "SELECT name FROM job_run WHERE name = %s AND started_at >= %s AND finished_at >= started_at"
        )
        wait_for(lambda: self.rows(finished, name, began), seconds, f"a run of {name}")

    # the gateway
    def control(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self.try_control(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def try_control(self, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        """As `control`, where a refusal is an answer as well."""
        return self._gateway.post(f"{self.stack.gateway_url}/control/{path}", json=body or {}, timeout=30)

    def at_gateway(self, path: str) -> requests.Response:
        return self._gateway.get(f"{self.stack.gateway_url}/v1/{path}", timeout=30)

    def gateway_payments(self) -> list[dict[str, Any]]:
        """All that the gateway knows, each payment as it is now."""
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            page = self.at_gateway(f"payments?limit=200{after}").json()
            found.update({row["id"]: row for row in page["data"]})
            if not page["has_more"]:
                return list(found.values())
            after = f"&after={page['next']}"

    def events_of(self, gateway_ref: str) -> list[dict[str, Any]]:
        """The callbacks about a payment, sent or not, oldest first."""
        answer = self._gateway.get(
            f"{self.stack.gateway_url}/control/events?payment={gateway_ref}", timeout=30
        )
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def mails(self, recipient: str) -> list[dict[str, Any]]:
        """What the mailbox has for an address, newest first."""
        url = f"{self.stack.mailbox_url}/api/messages"
        found: list[dict[str, Any]] = requests.get(url, {"to": recipient}, timeout=30).json()["messages"]
        return found

    def payments_of(self, number: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM payment WHERE reference = %s ORDER BY created_at, id", number)

    # processes
    def arm(self, point: str) -> None:
        """The next process that passes `point` is killed there with SIGKILL."""
        (self.crashes / point).touch()

    def armed(self, point: str) -> bool:
        return (self.crashes / point).exists()

    def disarm(self, point: str) -> None:
        with suppress(FileNotFoundError):
            (self.crashes / point).unlink()

    def said(self, process: str) -> str:
        return "\n".join(line for _, name, line in self.lines if name == process)

    def log(self) -> str:
        return "\n".join(f"{at:.2f} {name} | {line}" for at, name, line in self.lines)

    def _note(self, process: str, line: str) -> None:
        self.lines.append((time.monotonic(), process, line))


@contextmanager
def running(base: Path, **environ: str) -> Iterator[LiveShop]:
    """A live shop for the length of the block. Its log stays in `SHOP_TEST_LOGS`, if that names a folder."""
    with pytest.MonkeyPatch.context() as patch:
        # Its processes are killed on purpose, more often than a sick process would die.
        patch.setattr(supervisor, "WITHIN", 0.0)
        shop = LiveShop(base.resolve(), **environ)
        try:
            shop.start()
            yield shop
        finally:
            shop.stop()
            if folder := os.environ.get("SHOP_TEST_LOGS"):
                Path(folder).mkdir(parents=True, exist_ok=True)
                Path(folder, f"{base.name}.log").write_text(shop.log())
