"""The sandbox adapter against the real sandbox process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from tests.sandbox.peers import KEY, SECRET, Gateway

TIMEOUTS = Timeouts(connect=0.5, read=0.5, total=1.5)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    yield running
    running.end()


@pytest.fixture
def peer(process: Gateway) -> Gateway:
    """The gateway without payments and faults; its withheld answers come after the adapter has given up."""
    process.control("reset")
    process.control("tuning", {"timeout_seconds": 0.8, "late_seconds": 0.2, "webhook_delay_seconds": 0})
    return process


@pytest.fixture
def gateway(app: Flask, app_context: None, peer: Gateway) -> SandboxGateway:
    return SandboxGateway(url=peer.url, key=KEY, webhook_secrets=[SECRET, "whsec_old"], timeouts=TIMEOUTS)
