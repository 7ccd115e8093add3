"""Alive, ready, measured."""

from __future__ import annotations

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.kernel.database import db


def test_alive_touches_nothing(app: Flask, client: FlaskClient) -> None:
    sent: list[str] = []
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    assert client.get("/healthz").status_code == 200
    assert sent == []


def test_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["data"]) == (200, {"missing": []})


def test_ready_names_missing_migrations(client: FlaskClient, owner: psycopg.Connection) -> None:
    (head,) = owner.execute("SELECT version_num FROM alembic_version").fetchone()
    owner.execute("UPDATE alembic_version SET version_num = '0001'")
    try:
        answer = client.get("/readyz")
    finally:
        owner.execute("UPDATE alembic_version SET version_num = %s", (head,))
    assert (answer.status_code, answer.json["data"]["missing"]) == (503, ["migrations"])
    assert set(answer.json) == {"status", "message", "data"}
    assert {"code": "NOT_READY", "errors": []}.items() <= answer.json["data"].items()
    assert answer.json["data"]["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["Retry-After"] == "5"


def test_ready_names_redis(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "REDIS_URL", "redis://127.0.0.1:9/0")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["data"]["missing"]) == (503, ["redis"])


def test_metrics_count_requests_and_hide_behind_a_proxy(client: FlaskClient) -> None:
    client.get("/api/v1/nowhere")
    client.open("/api/v1/nowhere", method="MADEUP")
    text = client.get("/metrics").text
    assert 'shop_http_requests_total{endpoint="none",method="GET",status="404"}' in text
    assert "shop_http_request_seconds_bucket" in text
    assert "/api/v1/nowhere" not in text
    assert "MADEUP" not in text
    proxied = client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
    assert proxied.status_code == 404
    assert "shop_http" not in proxied.text


def test_first_admin_from_the_command_line(app: Flask, owner: psycopg.Connection) -> None:
    arguments = ["customers", "create-staff", "--email", "First@Shop.example", "--name", "First Admin"]
    arguments += ["--role", "admin", "--password", "a long enough secret"]
    made = app.test_cli_runner().invoke(args=arguments)
    assert made.exit_code == 0, made.output
    row = owner.execute("SELECT role, name FROM customer WHERE email = 'first@shop.example'").fetchone()
    assert row == ("admin", "First Admin")
    again = app.test_cli_runner().invoke(args=arguments)
    assert again.exit_code == 1
    assert "already has an account" in again.output
