"""The account calls of the API."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel import clock
from tests.web.people import PASSWORD, Caller, sign_up


@pytest.fixture
def caller(client: FlaskClient) -> Caller:
    return sign_up(client)


def refresh(client: FlaskClient, token: str):
    return client.post("/api/v1/auth/tokens/refresh", json={"refresh_token": token})


class TestRegister:
    def test_answer(self, client: FlaskClient) -> None:
        email = f"{uuid.uuid4().hex}@example.test"
        answer = client.post(
            "/api/v1/auth/register", json={"email": email.upper(), "password": PASSWORD, "name": "Mei Chan"}
        )
        assert answer.status_code == 201
        customer, tokens = answer.json["data"]["customer"], answer.json["data"]["tokens"]
        assert set(answer.json["data"]) == {"customer", "tokens"}
        assert set(customer) == {"id", "email", "name", "locale", "role", "created_at"}
        assert (customer["email"], customer["role"]) == (email, "customer")
        assert customer["created_at"].endswith("Z")
        assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
        assert "password" not in answer.text

    def test_in_use(self, client: FlaskClient, caller: Caller, owner: psycopg.Connection) -> None:
        before = owner.execute("SELECT count(*) FROM customer").fetchone()
        body = {"email": caller.email, "password": PASSWORD, "name": "Somebody Else"}
        answer = client.post("/api/v1/auth/register", json=body)
        assert (answer.status_code, answer.json["data"]["code"]) == (409, "EMAIL_IN_USE")
        assert owner.execute("SELECT count(*) FROM customer").fetchone() == before

    @pytest.mark.parametrize("field", ["role", "is_active", "id", "session_epoch", "points"])
    def test_nobody_chooses_more_than_is_asked(self, client: FlaskClient, field: str) -> None:
        email = f"{uuid.uuid4().hex}@example.test"
        body = {"email": email, "password": PASSWORD, "name": "Mei", field: "admin"}
        answer = client.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json["data"]["errors"]] == [field]
        signed_in = client.post("/api/v1/auth/tokens", json={"email": email, "password": PASSWORD})
        assert signed_in.status_code == 401

    @pytest.mark.parametrize(
        ("asked", "locale"), [("zh-HK, en;q=0.5", "zh-Hant"), ("zh-CN", "en"), ("fr", "en")]
    )
    def test_mails_are_in_the_language_of_the_request(
        self, client: FlaskClient, asked: str, locale: str
    ) -> None:
        body = {"email": f"{uuid.uuid4().hex}@example.test", "password": PASSWORD, "name": "Mei"}
        answer = client.post("/api/v1/auth/register", json=body, headers={"Accept-Language": asked})
        assert (answer.status_code, answer.json["data"]["customer"]["locale"]) == (201, locale)

    def test_the_same_address_at_once_is_one_account(self, app: Flask, owner: psycopg.Connection) -> None:
        email = f"{uuid.uuid4().hex}@example.test"
        body = {"email": email, "password": PASSWORD, "name": "Mei"}

        def attempt(_: int) -> int:
            return app.test_client().post("/api/v1/auth/register", json=body).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(attempt, range(8)))
        assert statuses == [201] + [409] * 7
        assert owner.execute("SELECT count(*) FROM customer WHERE email = %s", (email,)).fetchone() == (1,)


class TestTokens:
    def test_sign_in_and_out(self, client: FlaskClient, caller: Caller) -> None:
        answer = client.post(
            "/api/v1/auth/tokens", json={"email": caller.email.upper(), "password": PASSWORD}
        )
        assert answer.status_code == 201
        headers = {"Authorization": f"bearer {answer.json['data']['access_token']}"}
        assert client.get("/api/v1/me", headers=headers).status_code == 200
        assert client.delete("/api/v1/auth/tokens/current", headers=headers).status_code == 200
        gone = client.get("/api/v1/me", headers=headers)
        assert (gone.status_code, gone.json["data"]["code"]) == (401, "TOKEN_INVALID")
        assert refresh(client, answer.json["data"]["refresh_token"]).status_code == 401
        assert caller.call("GET", "/me").status_code == 200, "the other device stays signed in"

    def test_wrong_either_way_is_the_same(self, client: FlaskClient, caller: Caller) -> None:
        answers = [
            client.post("/api/v1/auth/tokens", json={"email": email, "password": password}).json
            for email, password in [(caller.email, "not the password"), ("nobody@example.test", PASSWORD)]
        ]
        for answer in answers:
            answer["data"].pop("request_id")
        assert answers[0] == answers[1]
        assert answers[0]["data"]["code"] == "CREDENTIALS_INVALID"

    def test_without_a_second_factor_its_code_does_not_matter(
        self, client: FlaskClient, caller: Caller
    ) -> None:
        """Apps that always send the field work before and after accounts can have a second factor."""
        body = {"email": caller.email, "password": PASSWORD}
        assert client.post("/api/v1/auth/tokens", json={**body, "totp": "123456"}).status_code == 201
        wrong = client.post("/api/v1/auth/tokens", json={**body, "password": "x" * 12, "totp": "123456"})
        assert (wrong.status_code, wrong.json["data"]["code"]) == (401, "CREDENTIALS_INVALID")
        for totp in ("12345", "1234567", "abcdef", 123456):
            refused = client.post("/api/v1/auth/tokens", json={**body, "totp": totp})
            assert refused.status_code == 422, totp
            assert [error["field"] for error in refused.json["data"]["errors"]] == ["totp"]
        schemas = client.get("/api/v1/openapi.json").json["components"]["schemas"]
        assert "nothing is compared" in str(schemas["SignInBody"]["properties"]["totp"])

    def test_expired(self, caller: Caller) -> None:
        with clock.travel(minutes=16):
            answer = caller.call("GET", "/me")
        assert (answer.status_code, answer.json["data"]["code"]) == (401, "TOKEN_EXPIRED")

    def test_refresh_turns_over_and_reuse_ends_the_family(self, client: FlaskClient, caller: Caller) -> None:
        first = refresh(client, caller.refresh_token)
        assert first.status_code == 201
        assert caller.call("GET", "/me").status_code == 401, "the old access token is dead"
        fresh = {"Authorization": f"Bearer {first.json['data']['access_token']}"}
        assert client.get("/api/v1/me", headers=fresh).status_code == 200
        reused = refresh(client, caller.refresh_token)
        assert (reused.status_code, reused.json["data"]["code"]) == (401, "TOKEN_INVALID")
        assert client.get("/api/v1/me", headers=fresh).status_code == 401
        assert refresh(client, first.json["data"]["refresh_token"]).status_code == 401

    def test_an_access_token_does_not_refresh(self, client: FlaskClient, caller: Caller) -> None:
        assert refresh(client, caller.access_token).status_code == 401
        assert caller.call("GET", "/me").status_code == 200

    def test_deactivated(self, client: FlaskClient, caller: Caller, owner: psycopg.Connection) -> None:
        owner.execute("UPDATE customer SET is_active = false WHERE id = %s", (caller.id,))
        assert caller.call("GET", "/me").status_code == 401
        assert refresh(client, caller.refresh_token).status_code == 401
        answer = client.post("/api/v1/auth/tokens", json={"email": caller.email, "password": PASSWORD})
        assert answer.json["data"]["code"] == "CREDENTIALS_INVALID"


class TestMe:
    def test_change(self, caller: Caller) -> None:
        answer = caller.call("PATCH", "/me", json={"name": "  Mei   Ling "})
        assert (answer.status_code, answer.json["data"]["name"]) == (200, "Mei Ling")
        assert caller.call("GET", "/me").json["data"]["name"] == "Mei Ling"
        assert caller.call("PATCH", "/me", json={}).json["data"]["name"] == "Mei Ling"

    def test_language(self, caller: Caller, owner: psycopg.Connection) -> None:
        assert caller.call("GET", "/me").json["data"]["locale"] == "en"
        for locale in ("zh-Hant", "en", "zh-Hant"):
            answer = caller.call("PATCH", "/me", json={"locale": locale})
            assert (answer.status_code, answer.json["data"]["locale"]) == (200, locale)
            assert caller.call("GET", "/me").json["data"] == answer.json["data"]
        noted = owner.execute(
            "SELECT before, after FROM audit_log WHERE target_id = %s AND action = 'customer.changed' ORDER BY seq",
            (str(caller.id),),
        ).fetchall()
        assert noted[0] == ({"locale": "en"}, {"locale": "zh-Hant"})
        assert len(noted) == 3
        for unknown in ("zh", "zh-TW", "zh-hant", "EN", "", None, 1):
            refused = caller.call("PATCH", "/me", json={"name": "Somebody", "locale": unknown})
            assert refused.status_code == 422, unknown
            assert [error["field"] for error in refused.json["data"]["errors"]] == ["locale"]
            assert caller.call("GET", "/me").json["data"] == answer.json["data"]

    @pytest.mark.parametrize(
        "body", [{"role": "admin"}, {"email": "x@y.example"}, {"name": "  "}, {"locale": "tlh"}]
    )
    def test_what_cannot_be_changed(self, caller: Caller, body: dict[str, str]) -> None:
        before = caller.call("GET", "/me").json["data"]
        answer = caller.call("PATCH", "/me", json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json["data"]["errors"]] == list(body)
        assert caller.call("GET", "/me").json["data"] == before


class TestAddresses:
    HOME = {"name": "Mei Chan", "line1": "1 Harbour View", "city": "Hong Kong", "country": "HK"}

    def test_the_whole_life_of_one(self, caller: Caller) -> None:
        made = caller.call("POST", "/me/addresses", json=self.HOME)
        assert made.status_code == 201
        address = made.json["data"]
        fields = {"line2": None, "region": None, "postcode": None, "phone": None, "is_default": True}
        assert address == {"id": address["id"], **self.HOME, **fields}
        changed = caller.call(
            "PATCH", f"/me/addresses/{address['id']}", json={"line2": "Flat 2", "phone": "+852 5555 0100"}
        )
        assert changed.json["data"] == {**address, "line2": "Flat 2", "phone": "+852 5555 0100"}
        emptied = caller.call("PATCH", f"/me/addresses/{address['id']}", json={"line2": None})
        assert emptied.json["data"]["line2"] is None
        assert emptied.json["data"]["phone"] == "+852 5555 0100"
        listed = caller.call("GET", "/me/addresses").json["data"]
        assert listed == {"items": [emptied.json["data"]], "page": {"limit": 24, "next": None, "prev": None}}
        assert caller.call("DELETE", f"/me/addresses/{address['id']}").status_code == 200
        assert caller.call("GET", "/me/addresses").json["data"]["items"] == []
        assert caller.call("DELETE", f"/me/addresses/{address['id']}").status_code == 404

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_somebody_elses_is_not_there(self, caller: Caller, method: str) -> None:
        made = caller.call("POST", "/me/addresses", json=self.HOME).json["data"]
        stranger = sign_up(caller.client)
        options = {"json": {"city": "Elsewhere"}} if method == "PATCH" else {}
        taken = stranger.call(method, f"/me/addresses/{made['id']}", **options)
        missing = stranger.call(method, f"/me/addresses/{uuid.uuid4()}", **options)
        assert (taken.status_code, taken.json["data"]["code"]) == (404, "NOT_FOUND")
        assert taken.json["message"] == missing.json["message"]
        assert caller.call("GET", "/me/addresses").json["data"]["items"] == [made]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"country": "KP"}, "COUNTRY_UNSUPPORTED"),
            ({"country": "hk"}, "FORMAT_INVALID"),
            ({"city": "   "}, "REQUIRED"),
            ({"line1": ""}, "LENGTH_INVALID"),
            ({"phone": "call me"}, "PHONE_INVALID"),
            ({"customer_id": "x"}, "UNKNOWN_FIELD"),
        ],
    )
    def test_wrong(self, caller: Caller, change: dict[str, str], code: str) -> None:
        answer = caller.call("POST", "/me/addresses", json={**self.HOME, **change})
        assert answer.status_code == 422
        errors = [(error["field"], error["code"]) for error in answer.json["data"]["errors"]]
        assert errors == [(next(iter(change)), code)]
        assert caller.call("GET", "/me/addresses").json["data"]["items"] == []

    def test_at_once_there_is_one_default(
        self, app: Flask, caller: Caller, owner: psycopg.Connection
    ) -> None:
        def add(_: int) -> int:
            mine = Caller(app.test_client(), caller.id, caller.email, caller.access_token, "")
            return mine.call("POST", "/me/addresses", json={**self.HOME, "is_default": True}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(add, range(8))) == {201}
        query = "SELECT count(*), count(*) FILTER (WHERE is_default) FROM address WHERE customer_id = %s"
        assert owner.execute(query, (caller.id,)).fetchone() == (8, 1)
