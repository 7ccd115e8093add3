from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.peers import Gateway, Shop


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    server = Shop()
    yield server
    server.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[Gateway]:
    process = Gateway(tmp_path_factory.mktemp("gateway"), "--webhook-url", shop.url)
    yield process
    process.end()


@pytest.fixture
def gateway(running: Gateway, shop: Shop) -> Gateway:
    """A gateway without payments, faults and held webhooks; its waits are short."""
    running.control("reset")
    shop.received.clear()
    shop.answers.clear()
    running.control(
        "tuning",
        {
            "timeout_seconds": 0.8,
            "late_seconds": 0.3,
            "webhook_delay_seconds": 0,
            "retry_seconds": [0.05, 0.05],
        },
    )
    return running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "gateway"
