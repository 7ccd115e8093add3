"""The contract layer: what every call of the API promises, whatever it is about."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.blueprints.api_v1.contract import contract_of, endpoint
from app.extensions import csrf
from tests.web.people import Caller, sign_up
from tests.web.probe import bp, codes
from tests.web.statements import statements as counted


@pytest.fixture(scope="module", autouse=True)
def _probe(app: Flask) -> None:
    csrf.exempt(bp)
    app.register_blueprint(bp)


@pytest.fixture
def caller(client: FlaskClient, _probe: None) -> Caller:
    return sign_up(client)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """Every SQL statement sent while the test runs."""
    with counted(app) as sent:
        yield sent


def things(caller: Caller, body: Any) -> Any:
    return caller.call("POST", "/probe/things", json=body)


class TestBody:
    def test_right(self, caller: Caller) -> None:
        answer = things(caller, {"points": 5, "lines": [{"sku": "A", "quantity": 2}]})
        assert answer.status_code == 201
        assert answer.json["status"] == "success"
        price = {"amount": 12345, "currency": "HKD", "display": "HK$123.45"}
        assert answer.json["data"] == {"points": 5, "price": price}

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({}, {"points": "REQUIRED"}),
            ({"points": "5"}, {"points": "TYPE_INVALID"}),
            ({"points": 5.0}, {"points": "TYPE_INVALID"}),
            ({"points": True}, {"points": "TYPE_INVALID"}),
            ({"points": None}, {"points": "TYPE_INVALID"}),
            ({"points": -1}, {"points": "TOO_SMALL"}),
            ({"points": 2**53}, {"points": "TOO_LARGE"}),
            ({"points": 10**15, "price": 1}, {"price": "UNKNOWN_FIELD"}),
            ({"points": "x", "price": 1}, {"price": "UNKNOWN_FIELD", "points": "TYPE_INVALID"}),
            ({"points": 1, "lines": [{"sku": "A", "quantity": 0}]}, {"lines[0].quantity": "TOO_SMALL"}),
            ({"points": 1, "lines": [{"quantity": 1}]}, {"lines[0].sku": "REQUIRED"}),
            ({"points": 1, "lines": [{"sku": "A", "quantity": 1, "x": 1}]}, {"lines[0].x": "UNKNOWN_FIELD"}),
            ({"points": 1, "lines": [{"sku": "x" * 41, "quantity": 1}]}, {"lines[0].sku": "LENGTH_INVALID"}),
            ({"points": 1, "note": "a\x00b"}, {"note": "CHARACTER_INVALID"}),
            ([1], {"": "TYPE_INVALID"}),
            (None, {"": "TYPE_INVALID"}),
        ],
    )
    def test_wrong_fields_are_named(self, caller: Caller, body: Any, expected: dict[str, str]) -> None:
        answer = caller.call("POST", "/probe/things", data=json.dumps(body), content_type="application/json")
        assert answer.status_code == 422
        assert answer.json["data"]["code"] == "VALIDATION_FAILED"
        assert codes(answer) == expected

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b'{"points": 1',
            b"NaN",
            b'{"note": "\xff"}',
            b'{"note": "\\ud800"}',
            b"[" * 20000,
            b"\xef\xbb\xbf{}",
            b'{"points": 1e999}',
            b"9" * 5000,
        ],
    )
    def test_no_json(self, caller: Caller, raw: bytes) -> None:
        answer = caller.call("POST", "/probe/things", data=raw, content_type="application/json")
        assert (answer.status_code, answer.json["data"]["code"]) == (400, "BODY_INVALID")
        assert codes(answer) == {}

    @pytest.mark.parametrize(
        "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
    )
    def test_another_content_type(self, caller: Caller, kind: str | None) -> None:
        answer = caller.call("POST", "/probe/things", data=b'{"points": 1}', content_type=kind)
        assert (answer.status_code, answer.json["data"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")

    def test_64_kib(self, caller: Caller) -> None:
        frame = len(json.dumps({"points": 1, "note": ""}))
        fits = json.dumps({"points": 1, "note": "x" * (64 * 1024 - frame)})
        for raw, status in [(fits, 201), (fits.replace("x", "xx", 1), 413)]:
            answer = caller.call("POST", "/probe/things", data=raw, content_type="application/json")
            assert answer.status_code == status
        assert answer.json["data"]["code"] == "BODY_TOO_LARGE"

    @pytest.mark.parametrize("size", [64 * 1024 + 1, 200_000])
    def test_64_kib_in_chunks(self, caller: Caller, size: int) -> None:
        answer = caller.call(
            "POST",
            "/probe/things",
            input_stream=io.BytesIO(b"x" * size),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )
        assert (answer.status_code, answer.json["data"]["code"]) == (413, "BODY_TOO_LARGE")


class TestQuery:
    def test_right(self, client: FlaskClient) -> None:
        answer = client.get("/api/v1/probe/list?q=null&brand=a&brand=b&in_stock=true&limit=5000")
        assert answer.json["data"]["items"] == ["null", "a", "b", "True", "100"]
        assert answer.json["data"]["page"] == {"limit": 100, "next": None, "prev": None}

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("x=1", {"x": "UNKNOWN_FIELD"}),
            ("limit=0", {"limit": "TOO_SMALL"}),
            ("limit=-1", {"limit": "TOO_SMALL"}),
            ("limit=ten", {"limit": "TYPE_INVALID"}),
            ("limit=", {"limit": "TYPE_INVALID"}),
            ("total=maybe", {"total": "TYPE_INVALID"}),
            ("q=a&q=b", {"q": "REPEATED"}),
            ("q=%00", {"q": "CHARACTER_INVALID"}),
            ("q=%ff", {"q": "CHARACTER_INVALID"}),
            ("cursor=", {"cursor": "LENGTH_INVALID"}),
        ],
    )
    def test_wrong(self, client: FlaskClient, query: str, expected: dict[str, str]) -> None:
        answer = client.get(f"/api/v1/probe/list?{query}")
        assert answer.status_code == 422
        assert codes(answer) == expected

    def test_none_declared_none_taken(self, caller: Caller) -> None:
        answer = caller.call("GET", "/me?expand=1")
        assert (answer.status_code, codes(answer)) == (422, {"expand": "UNKNOWN_FIELD"})


class TestWho:
    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic abc", "nonsense"]
    )
    def test_strangers_come_before_everything(self, client: FlaskClient, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        answer = client.post("/api/v1/probe/things?x=1", data=b"{", headers=headers)
        assert (answer.status_code, answer.json["data"]["code"]) == (401, "TOKEN_INVALID")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_staff_only(self, caller: Caller, owner: psycopg.Connection) -> None:
        expected = {"customer": 403, "support": 403, "catalogue_manager": 403, "auditor": 200, "admin": 200}
        seen = {}
        for role in expected:
            owner.execute("UPDATE customer SET role = %s WHERE id = %s", (role, caller.id))
            seen[role] = caller.call("GET", "/probe/staff").status_code
        assert seen == expected

    def test_cookies_count_for_nothing(self, client: FlaskClient, caller: Caller) -> None:
        with client.session_transaction() as session:
            session.update(_user_id=str(caller.id), epoch=0, began=10**10, seen=10**10)
        assert client.get("/api/v1/me").status_code == 401

    def test_a_staff_call_must_name_a_permission(self) -> None:
        with pytest.raises(TypeError):
            endpoint("x", auth="staff", returns={200: None})
        with pytest.raises(TypeError):
            endpoint("x", auth="staff", permission="no.such", returns={200: None})
        with pytest.raises(TypeError):
            endpoint("x", auth="customer", permission="audit.read", returns={200: None})

    def test_what_is_public_is_listed_here(self, app: Flask) -> None:
        public = {
            str(rule)
            for rule in app.url_map.iter_rules()
            if (contract := contract_of(app.view_functions[rule.endpoint])) and contract.auth == "public"
        }
        accounts = {"/api/v1/auth/register", "/api/v1/auth/tokens", "/api/v1/auth/tokens/refresh"}
        catalogue = {"/api/v1/products", "/api/v1/products/<slug>", "/api/v1/categories", "/api/v1/brands"}
        others = {"/api/v1/search/suggestions", "/api/v1/rewards/rules"}
        probes = {"/api/v1/probe/list", "/api/v1/probe/wrong", "/api/v1/probe/broken"}
        assert public <= accounts | catalogue | others | probes
        assert accounts <= public


class TestIdempotency:
    def count(self, owner: psycopg.Connection, name: str) -> int:
        return owner.execute(
            "SELECT count(*) FROM effect_done WHERE dedupe_key LIKE %s", (f"{name}:%",)
        ).fetchone()[0]

    def post(self, caller: Caller, name: str, key: str | None, **body: Any) -> Any:
        headers = {} if key is None else {"Idempotency-Key": key}
        return caller.call("POST", f"/probe/count/{name}", json={"points": 1, **body}, headers=headers)

    def test_missing_and_malformed(self, caller: Caller, owner: psycopg.Connection) -> None:
        name = uuid.uuid4().hex
        answer = self.post(caller, name, None)
        assert (answer.status_code, answer.json["data"]["code"]) == (400, "IDEMPOTENCY_KEY_MISSING")
        for key in ("a b", "x" * 256, "é"):
            answer = self.post(caller, name, key)
            assert (answer.status_code, answer.json["data"]["code"]) == (422, "IDEMPOTENCY_KEY_INVALID")
        assert self.count(owner, name) == 0

    def test_once(self, caller: Caller, owner: psycopg.Connection) -> None:
        name = uuid.uuid4().hex
        first = self.post(caller, name, "~" * 255)
        again = self.post(caller, name, "~" * 255)
        assert (first.status_code, "Idempotent-Replayed" in first.headers) == (201, False)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert again.data == first.data
        assert self.count(owner, name) == 1

    def test_another_body_or_path_is_another_request(self, caller: Caller, owner: psycopg.Connection) -> None:
        name, other = uuid.uuid4().hex, uuid.uuid4().hex
        self.post(caller, name, "k")
        for refused in (self.post(caller, name, "k", points=2), self.post(caller, other, "k")):
            assert (refused.status_code, refused.json["data"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert (self.count(owner, name), self.count(owner, other)) == (1, 0)

    def test_keys_are_each_customers_own(self, caller: Caller, owner: psycopg.Connection) -> None:
        name = uuid.uuid4().hex
        self.post(caller, name, "k")
        answer = self.post(sign_up(caller.client), name, "k")
        assert "Idempotent-Replayed" not in answer.headers
        assert self.count(owner, name) == 2

    def test_a_refusal_is_the_first_answer_too(self, caller: Caller, owner: psycopg.Connection) -> None:
        name = uuid.uuid4().hex
        first = self.post(caller, name, "k", note="refuse")
        again = self.post(caller, name, "k", note="refuse")
        assert (first.status_code, again.status_code) == (409, 409)
        assert again.data == first.data
        assert again.json["data"]["available"] == 1
        assert again.headers["Idempotent-Replayed"] == "true"
        assert self.count(owner, name) == 0

    def test_a_refusal_that_may_pass_is_not_kept(self, caller: Caller, owner: psycopg.Connection) -> None:
        name = uuid.uuid4().hex
        first = self.post(caller, name, "k", note="later")
        assert (first.status_code, first.headers["Retry-After"]) == (409, "1")
        again = self.post(caller, name, "k", note="later")
        assert "Idempotent-Replayed" not in again.headers
        assert self.count(owner, name) == 0


class TestAnswers:
    def test_unchanged_is_304(self, client: FlaskClient) -> None:
        first = client.get("/api/v1/probe/list")
        assert first.headers["Cache-Control"] == "public, max-age=60"
        again = client.get("/api/v1/probe/list", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        other = client.get("/api/v1/probe/list?q=x", headers={"If-None-Match": first.headers["ETag"]})
        assert other.status_code == 200

    def test_what_is_not_public_is_not_stored(self, caller: Caller) -> None:
        assert caller.call("GET", "/me").headers["Cache-Control"] == "no-store"

    def test_head_options_and_405(self, caller: Caller) -> None:
        head = caller.call("HEAD", "/me")
        assert (head.status_code, head.data) == (200, b"")
        options = caller.client.options("/api/v1/me")
        assert options.json["data"] == {"methods": ["GET", "HEAD", "OPTIONS", "PATCH"]}
        wrong = caller.call("DELETE", "/me")
        assert (wrong.status_code, wrong.json["data"]["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert set(wrong.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PATCH"}

    def test_an_undeclared_answer_is_a_bug(self, client: FlaskClient) -> None:
        answer = client.get("/api/v1/probe/wrong")
        assert (answer.status_code, answer.json["data"]["code"]) == (500, "INTERNAL_ERROR")

    def test_a_bug_tells_nothing(self, client: FlaskClient) -> None:
        answer = client.get("/api/v1/probe/broken")
        assert (answer.status_code, answer.json["data"]["code"]) == (500, "INTERNAL_ERROR")
        for inside in ("secret_column", "SELECT", "Traceback", "psycopg"):
            assert inside not in answer.text

    def test_signing_in_costs_one_statement(self, caller: Caller, statements: list[str]) -> None:
        assert caller.call("GET", "/me").status_code == 200
        assert len(statements) == 1, statements
