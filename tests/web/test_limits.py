"""Rate limits: told on every answer, kept, and kept without Redis as well."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.blueprints.common import limits
from app.extensions import limiter
from tests.conftest import ENVIRONMENT
from tests.web.people import PASSWORD, sign_up


@pytest.fixture(scope="module")
def limited(app: Flask) -> Iterator[Flask]:
    """The shop with its limits on; every run counts under names of its own."""
    from app import create_app

    assert ENVIRONMENT["RATE_LIMITS"] == "off"
    prefix, limiter._key_prefix = limiter._key_prefix, uuid.uuid4().hex
    patient = {"socket_connect_timeout": 5, "socket_timeout": 5}
    yield create_app({"RATELIMIT_ENABLED": True, "RATELIMIT_STORAGE_OPTIONS": patient})
    limiter._key_prefix, limiter.enabled = prefix, False


@pytest.fixture
def client(limited: Flask) -> FlaskClient:
    client = limited.test_client()
    client.environ_base["REMOTE_ADDR"] = str(ipaddress.IPv6Address(uuid.uuid4().int))
    return client


def test_told_on_every_answer(client: FlaskClient) -> None:
    caller = sign_up(client)
    first, second = caller.call("GET", "/me"), caller.call("GET", "/me")
    assert first.headers["X-RateLimit-Limit"] == limits.CLASSES["read"].split()[0]
    assert int(first.headers["X-RateLimit-Remaining"]) == int(second.headers["X-RateLimit-Remaining"]) + 1
    assert 0 < int(first.headers["X-RateLimit-Reset"]) <= 60
    for path in ("/api/v1/nowhere", "/api/v1/openapi.json"):
        assert "X-RateLimit-Remaining" in client.get(path).headers


def test_kept(client: FlaskClient) -> None:
    amount = int(limits.CLASSES["register"].split()[0])
    answers = [client.post("/api/v1/auth/register", json={}) for _ in range(amount + 1)]
    assert {answer.status_code for answer in answers[:amount]} == {422}
    refused = answers[-1]
    assert (refused.status_code, refused.json["data"]["code"]) == (429, "RATE_LIMITED")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_failed_sign_ins_count_and_right_ones_do_not(client: FlaskClient) -> None:
    caller = sign_up(client)
    right = {"email": caller.email, "password": PASSWORD}
    for _ in range(12):
        assert client.post("/api/v1/auth/tokens", json=right).status_code == 201
    wrong = {"email": caller.email.upper(), "password": "not the password"}
    statuses = [client.post("/api/v1/auth/tokens", json=wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert client.post("/api/v1/auth/tokens", json=right).status_code == 429
    other = sign_up(client)
    answer = client.post("/api/v1/auth/tokens", json={"email": other.email, "password": PASSWORD})
    assert answer.status_code == 201


def test_without_redis_each_process_counts(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from limits.storage import storage_from_string
    from limits.strategies import FixedWindowRateLimiter

    nowhere = storage_from_string("redis://127.0.0.1:9/0")
    monkeypatch.setattr(limiter, "_storage", nowhere)
    monkeypatch.setattr(limiter, "_limiter", FixedWindowRateLimiter(nowhere))
    monkeypatch.setattr(limiter, "_storage_dead", False)
    amount = int(limits.CLASSES["register"].split()[0])
    answers = [client.post("/api/v1/auth/register", json={}) for _ in range(amount + 1)]
    assert [answer.status_code for answer in answers] == [422] * amount + [429]
    assert answers[0].headers["X-RateLimit-Limit"] == str(amount)


def test_a_body_that_is_too_large_stays_so(client: FlaskClient) -> None:
    answer = client.post("/api/v1/auth/tokens", data=b"x" * 70_000, content_type="application/json")
    assert (answer.status_code, answer.json["data"]["code"]) == (413, "BODY_TOO_LARGE")
