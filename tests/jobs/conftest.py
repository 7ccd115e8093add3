"""The shop with everything that jobs need: the sandbox gateway, a mailbox, and a Redis database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from flask import Flask
from redis import Redis

from app.gateways.breaker import BreakingGateway
from embedded import services
from embedded.state import State
from tests.conftest import ENVIRONMENT, ROOT
from tests.sandbox.peers import KEY, SECRET, Gateway, Process

# Databases of the one Redis server: tests of other rooms use 0.
REDIS_DATABASES = {"main": 7, "gw0": 8, "gw1": 9}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    yield running
    running.end()


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`smtp_port` and `url`, of a mailbox process."""
    folder = tmp_path_factory.mktemp("mailbox")
    port = State(folder).port("smtp")
    running = Process(
        "sandbox.mailbox",
        *("--smtp-port", str(port), "--http-port", "0"),
        *("--data", str(folder / "mails")),
    )
    running.smtp_port = port  # type: ignore[attr-defined]
    yield running
    running.end()


@pytest.fixture(scope="module")
def redis_url(endpoints: services.Endpoints) -> Iterator[str]:
    number = REDIS_DATABASES[os.environ.get("PYTEST_XDIST_WORKER", "main")]
    url = urlunsplit(urlsplit(endpoints.redis_url)._replace(path=f"/{number}"))
    with Redis.from_url(url) as connection:
        connection.flushdb()
        yield url
        connection.flushdb()


@pytest.fixture(scope="module")
def surroundings(
    database: services.Endpoints, process: Gateway, mailbox: Process, redis_url: str
) -> dict[str, str]:
    """The environment of every process of this module's shop."""
    return {
        **ENVIRONMENT,
        **database.environment(),
        "REDIS_URL": redis_url,
        "SANDBOX_GATEWAY_URL": process.url,
        "SANDBOX_GATEWAY_KEY": KEY,
        "SANDBOX_WEBHOOK_SECRET": SECRET,
        "GATEWAY_CONNECT_SECONDS": "3",
        "GATEWAY_READ_SECONDS": "3",
        "GATEWAY_TOTAL_SECONDS": "3",
        "MAIL_PORT": str(mailbox.smtp_port),  # type: ignore[attr-defined]
        "BASE_URL": "http://shop.test",
    }


@pytest.fixture(scope="module")
def app(surroundings: dict[str, str]) -> Iterator[Flask]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in surroundings.items():
            patch.setenv(name, value)
        from app import create_app
        from app.kernel.database import db

        flask_app = create_app({"CACHE_KEY_PREFIX": f"test:{uuid.uuid4().hex}:"})
        yield flask_app
        with flask_app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def peer(process: Gateway) -> Gateway:
    """The gateway, empty and without faults, keeping its callbacks to itself."""
    process.control("reset")
    tuning = {"timeout_seconds": 0.3, "hang_up": 1, "late_seconds": 0.1, "webhook_delay_seconds": 0}
    process.control("tuning", tuning)
    process.control("webhooks", {"mode": "hold"})
    return process


@pytest.fixture
def gateway(app: Flask, app_context: None, peer: Gateway) -> BreakingGateway:
    found = app.extensions["gateway"]
    assert isinstance(found, BreakingGateway)
    return found


@pytest.fixture
def start(surroundings: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start("-m", "jobs.relay", NAME="value")`: a process of the shop, killed at the end of the test."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **changes: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **surroundings, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def crashes(tmp_path: Path) -> Path:
    """The folder of armed crash points: `(crashes / "relay.before_mark").touch()`."""
    return tmp_path
