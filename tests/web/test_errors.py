"""What goes wrong, as JSON and as a page, and the headers of every answer."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.people import sign_in, sign_up

SHAPE = {"status", "message", "data"}


@pytest.fixture(scope="module")
def without_database(app: Flask) -> Flask:
    """The same shop, with nobody at its database's address."""
    from app import create_app

    return create_app({"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://shop:shop@127.0.0.1:9/shop"})


class TestJson:
    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/api/v1/nowhere", 404, "NOT_FOUND"),
            ("GET", "/api/v9/me", 404, "NOT_FOUND"),
            ("GET", "/api/v1/me/", 404, "NOT_FOUND"),
            ("GET", "/api//v1/me", 404, "NOT_FOUND"),
            ("GET", "/api/v1/me%00", 404, "NOT_FOUND"),
            ("GET", "/api/v1/me/addresses/not-a-uuid", 404, "NOT_FOUND"),
            ("PUT", "/api/v1/me", 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/api/v1/auth/register", 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/api/v1/me", 401, "TOKEN_INVALID"),
        ],
    )
    def test_envelope(self, client: FlaskClient, method: str, path: str, status: int, code: str) -> None:
        answer = client.open(path, method=method)
        assert answer.status_code == status
        assert answer.content_type == "application/json"
        assert set(answer.json) == SHAPE
        assert answer.json["data"]["code"] == code
        assert answer.json["data"]["request_id"] == answer.headers["X-Request-Id"]

    def test_database_down(self, without_database: Flask) -> None:
        client = without_database.test_client()
        answer = client.get("/api/v1/me", headers={"Authorization": "Bearer something"})
        assert (answer.status_code, answer.json["data"]["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0
        assert "127.0.0.1" not in answer.text
        ready = client.get("/readyz")
        assert (ready.status_code, "database" in ready.json["data"]["missing"]) == (503, True)
        assert client.get("/healthz").status_code == 200


class TestPages:
    def test_404(self, client: FlaskClient) -> None:
        answer = client.get("/no/such/page")
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert "Page not found" in answer.text
        assert answer.headers["X-Request-Id"] in answer.text

    def test_database_down(self, app: Flask, without_database: Flask) -> None:
        signed_in = app.test_client()
        sign_in(signed_in, sign_up(signed_in).email)
        cookie = signed_in.get_cookie("shop_session")
        assert cookie is not None
        client = without_database.test_client()
        client.set_cookie("shop_session", cookie.value)
        answer = client.get("/account/addresses")
        assert (answer.status_code, answer.mimetype) == (503, "text/html")
        assert "the service is unavailable" in answer.text
        for inside in ("Traceback", "psycopg", "127.0.0.1:9"):
            assert inside not in answer.text

    def test_a_broken_error_page_still_says_something(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(app.jinja_env.globals, "shop_name")
        monkeypatch.setattr(app.jinja_env, "undefined", __import__("jinja2").StrictUndefined)
        app.jinja_env.cache.clear()
        answer = client.get("/no/such/page")
        app.jinja_env.cache.clear()
        assert answer.status_code == 404
        assert answer.headers["X-Request-Id"] in answer.text


class TestHeaders:
    @pytest.mark.parametrize("path", ["/account/sign-in", "/no/such/page", "/api/v1/me", "/healthz"])
    def test_on_every_answer(self, client: FlaskClient, path: str) -> None:
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["form-action"] == "'self' http://127.0.0.1:9"
        assert "Strict-Transport-Security" not in headers

    def test_https_is_remembered(self, client: FlaskClient) -> None:
        headers = client.get("/healthz", base_url="https://localhost").headers
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000")

    @pytest.mark.parametrize("incoming", ["abcdef-123", "0199c1b2-7000-7000-8000-000000000000"])
    def test_a_sane_request_id_is_kept(self, client: FlaskClient, incoming: str) -> None:
        answer = client.get("/api/v1/me", headers={"X-Request-Id": incoming})
        assert answer.headers["X-Request-Id"] == incoming

    @pytest.mark.parametrize(
        "incoming", ["", "short", "x" * 129, "a b c d e f g", "<script>alert(1)</script>"]
    )
    def test_another_is_not(self, client: FlaskClient, incoming: str) -> None:
        answer = client.get("/api/v1/me", headers={"X-Request-Id": incoming})
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-Id"])


def test_no_secret_in_the_log(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    from app.blueprints.common import logs

    logs.configure("json", "INFO")
    logs.log.info("try", password="hunter", access_token="mpc_at_x", cookie="c", note="a\r\nb", order="MPC-1")
    logs.configure("text", "INFO")
    line = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (line["password"], line["access_token"], line["cookie"]) == ("***", "***", "***")
    assert (line["note"], line["order"], line["level"]) == ("a\\r\\nb", "MPC-1", "info")
