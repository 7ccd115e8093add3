"""Adapters in front of real processes: the sandbox's, localstripe, and a Stripe of recorded shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.gateways.stripe import StripeGateway
from tests.gateways.desks import Desk, SandboxDesk, StripeDesk
from tests.gateways.houses import House, SandboxHouse, StripeHouse
from tests.gateways.recorded import RecordedStripe
from tests.sandbox.peers import KEY, SECRET, Gateway

TIMEOUTS = Timeouts(connect=3.0, read=3.0, total=3.0)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    yield running
    running.end()


@pytest.fixture
def peer(process: Gateway) -> Gateway:
    """The gateway without payments and faults; what it withholds never comes, however patient the adapter is."""
    process.control("reset")
    tuning = {"timeout_seconds": 0.3, "hang_up": 1, "late_seconds": 0.2, "webhook_delay_seconds": 0}
    process.control("tuning", tuning)
    return process


@pytest.fixture
def gateway(app: Flask, app_context: None, peer: Gateway) -> SandboxGateway:
    return SandboxGateway(url=peer.url, key=KEY, webhook_secrets=[SECRET, "whsec_old"], timeouts=TIMEOUTS)


@pytest.fixture(scope="module", params=[SandboxHouse, StripeHouse], ids=["sandbox", "stripe"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = request.param(tmp_path_factory.mktemp("gateway"))
    yield house
    house.end()


@pytest.fixture
def house(app: Flask, app_context: None, running: House) -> House:
    return running


@pytest.fixture(scope="module", params=[SandboxDesk, StripeDesk], ids=["sandbox", "stripe"])
def open_desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    found = request.param(tmp_path_factory.mktemp("desk"))
    yield found
    found.end()


@pytest.fixture
def desk(app: Flask, app_context: None, open_desk: Desk) -> Desk:
    open_desk.begin()
    return open_desk


@pytest.fixture
def books() -> Iterator[RecordedStripe]:
    recorded = RecordedStripe()
    yield recorded
    recorded.end()


@pytest.fixture
def stripe_gateway(app: Flask, app_context: None, books: RecordedStripe) -> StripeGateway:
    return StripeGateway(
        url=books.url,
        key="sk_test_1",
        webhook_secrets=["whsec_1"],
        timeouts=TIMEOUTS,
        currency="HKD",
        orders_url="https://shop.example/account/orders",
    )
