"""A wrong clock refuses every callback of the gateway: that is an alarm, and a few old ones are none."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from app.blueprints.webhooks import punctuality
from app.blueprints.webhooks.punctuality import Punctuality
from app.kernel import clock
from tests.jobs.test_webhooks import URL, event, sign, stored

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    punctuality._seen.clear()
    punctuality.DIFFERS.labels("sandbox").set(0)
    yield
    punctuality._seen.clear()


def alarm() -> float | None:
    return REGISTRY.get_sample_value("shop_clock_differs", {"gateway": "sandbox"})


def send(client: FlaskClient) -> int:
    """A callback that the gateway signs now."""
    body = event(uuid.uuid4().int)
    return client.post(URL, data=body, headers=sign(body, at=time.time())).status_code


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_wrong_is_an_alarm_until_it_is_right(client: FlaskClient, minutes: int) -> None:
    before = stored()
    with clock.travel(minutes=minutes):
        assert [(send(client), alarm()) for _ in range(3)] == [(400, 0), (400, 0), (400, 1)]
    assert stored() == before
    assert {send(client) for _ in range(60)} == {200}
    assert alarm() == 0


def test_forged_callbacks_say_nothing_about_the_clock(client: FlaskClient) -> None:
    body = event(1)
    for _ in range(5):
        forged = sign(body, at=time.time() - 900, secret="whsec_other")
        assert client.post(URL, data=body, headers=forged).status_code == 400
    assert alarm() == 0


def test_up_to_one_in_twenty_is_no_matter_of_the_clock() -> None:
    seen = Punctuality()
    assert not any(seen.note(late=False) for _ in range(95))
    assert [seen.note(late=True) for _ in range(6)] == [False] * 5 + [True]
