"""Signing up, in and out on the pages, and what belongs to a session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.accounts.queries import Person
from app.blueprints.common import sessions
from app.kernel import clock
from app.kernel.database import db, in_transaction
from app.kernel.errors import Conflict
from tests.web.people import PASSWORD, Caller, csrf_token, is_signed_in, sign_in, sign_up


@pytest.fixture
def person(client: FlaskClient) -> Caller:
    return sign_up(client)


@pytest.fixture
def visitor(app: Flask, person: Caller) -> FlaskClient:
    """A browser in which `person` is signed in."""
    client = app.test_client()
    assert sign_in(client, person.email).status_code == 302
    return client


class TestRegister:
    def post(self, client: FlaskClient, **changes: str) -> Any:
        form = {
            "email": f"{uuid.uuid4().hex}@example.test",
            "password": PASSWORD,
            "name": "Mei Chan",
            **changes,
        }
        return client.post("/account/register", data={"csrf_token": csrf_token(client), **form})

    def test_signs_in_and_goes_on(self, client: FlaskClient) -> None:
        answer = self.post(client, next="/account/addresses?from=cart")
        assert (answer.status_code, answer.location) == (302, "/account/addresses?from=cart")
        page = client.get("/account/addresses")
        assert (page.status_code, "Welcome, Mei Chan" in page.text) == (200, True)

    def test_mails_are_in_the_language_of_the_browser(
        self, client: FlaskClient, owner: psycopg.Connection
    ) -> None:
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7"
        email = f"{uuid.uuid4().hex}@example.test"
        assert self.post(client, email=email).status_code == 302
        assert owner.execute("SELECT locale FROM customer WHERE email = %s", (email,)).fetchone() == (
            "zh-Hant",
        )

    def test_a_refused_form_keeps_what_was_typed(self, client: FlaskClient, person: Caller) -> None:
        answer = self.post(client, email=person.email, name="Typed Name")
        assert answer.status_code == 422
        for part in ("<title>Error: ", "There is a problem", "already has an account", 'value="Typed Name"'):
            assert part in answer.text
        assert PASSWORD not in answer.text
        assert not is_signed_in(client)

    def test_every_missing_field_is_named(self, client: FlaskClient) -> None:
        answer = self.post(client, email="", password="", name="")
        assert answer.status_code == 422
        for text in ("Enter your name.", "Enter your e-mail address.", "Choose a password."):
            assert text in answer.text

    def test_the_password_rules_are_the_apis(self, client: FlaskClient) -> None:
        answer = self.post(client, password="password1234")
        assert (answer.status_code, "easy to guess" in answer.text) == (422, True)


class TestSignIn:
    def test_wrong_either_way_is_the_same(self, client: FlaskClient, person: Caller) -> None:
        texts = []
        for email, password in [(person.email, "not the password"), ("nobody@example.test", PASSWORD)]:
            answer = sign_in(client, email, password)
            assert answer.status_code == 401
            assert not is_signed_in(client)
            texts.append("The e-mail address or the password is wrong." in answer.text)
        assert texts == [True, True]

    def test_a_page_that_needs_it_asks_for_it_and_comes_back(
        self, client: FlaskClient, person: Caller
    ) -> None:
        asked = client.get("/account/profile")
        assert (asked.status_code, asked.location) == (302, "/account/sign-in?next=/account/profile")
        answer = sign_in(client, person.email, next="/account/profile")
        assert answer.location == "/account/profile"

    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example/",
            "//evil.example/",
            "///account/profile",
            "/\\evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/account/profile\n",
            " /account/profile",
            "/no/such/page",
            "account/profile",
            "/account/sign-out",
            "http:/x",
        ],
    )
    def test_only_to_pages_of_ours(self, client: FlaskClient, person: Caller, target: str) -> None:
        answer = sign_in(client, person.email, next=target)
        assert (answer.status_code, answer.location) == (302, "/account/")
        page = client.get("/account/sign-in", query_string={"next": target})
        assert page.location == "/account/"

    def test_the_session_is_a_new_one(self, client: FlaskClient, person: Caller) -> None:
        with client.session_transaction() as session:
            session["planted"] = "by somebody else"
        token = csrf_token(client)
        sign_in(client, person.email)
        with client.session_transaction() as session:
            assert "planted" not in session
            assert session["_user_id"] == str(person.id)
        refused = client.post("/account/sign-out", data={"csrf_token": token})
        assert refused.status_code == 400, "a form token of before does not count"

    def test_the_cookie(self, client: FlaskClient, person: Caller) -> None:
        answer = sign_in(client, person.email)
        (cookie,) = answer.headers.getlist("Set-Cookie")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie

    def test_sign_out(self, visitor: FlaskClient) -> None:
        assert visitor.get("/account/sign-out").status_code == 405
        answer = visitor.post(
            "/account/sign-out", data={"csrf_token": csrf_token(visitor, "/account/profile")}
        )
        assert answer.status_code == 302
        assert not is_signed_in(visitor)


class TestSessions:
    @pytest.mark.parametrize(
        "change",
        ["is_active = false", "session_epoch = session_epoch + 1"],
        ids=["deactivated", "epoch raised"],
    )
    def test_end_at_once(
        self, visitor: FlaskClient, person: Caller, owner: psycopg.Connection, change: str
    ) -> None:
        assert is_signed_in(visitor)
        owner.execute(f"UPDATE customer SET {change} WHERE id = %s", (person.id,))
        assert not is_signed_in(visitor)

    def test_idle(self, visitor: FlaskClient) -> None:
        with clock.travel(days=13):
            assert is_signed_in(visitor)
        with clock.travel(days=26):
            assert is_signed_in(visitor), "being here counts"
        with clock.travel(days=41):
            assert not is_signed_in(visitor)

    def test_absolute(self, visitor: FlaskClient) -> None:
        for days in range(10, 90, 10):
            with clock.travel(days=days):
                assert is_signed_in(visitor)
        with clock.travel(days=91):
            assert not is_signed_in(visitor)

    def test_staff_are_asked_sooner(self, app: Flask, person: Caller, owner: psycopg.Connection) -> None:
        owner.execute("UPDATE customer SET role = 'support' WHERE id = %s", (person.id,))
        client = app.test_client()
        sign_in(client, person.email)
        with clock.travel(minutes=29):
            assert is_signed_in(client)
        with clock.travel(minutes=60):
            assert not is_signed_in(client)

    def test_a_forged_cookie_is_nobody(self, client: FlaskClient, person: Caller) -> None:
        client.set_cookie("shop_session", "eyJfdXNlcl9pZCI6IjEifQ.forged.forged")
        assert not is_signed_in(client)

    def test_the_person_costs_one_statement(self, app: Flask, visitor: FlaskClient) -> None:
        sent: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            sent.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        visitor.get("/account/profile")
        event.remove(engine, "before_cursor_execute", note)
        assert len([statement for statement in sent if "FROM customer" in statement]) == 1, sent
        assert len(sent) <= 4, sent


class TestSignInHooks:
    @pytest.fixture
    def hooks(self, app: Flask) -> Iterator[list[Any]]:
        before = list(app.extensions["sign_in_hooks"])
        yield app.extensions["sign_in_hooks"]
        app.extensions["sign_in_hooks"][:] = before

    def test_run_in_the_transaction_with_the_guests_session(
        self, app: Flask, client: FlaskClient, person: Caller, hooks: list[Any]
    ) -> None:
        seen: list[Any] = []

        def hook(who: Person, guest: Mapping[str, Any]) -> None:
            seen.append((who.id, guest["cart_id"], in_transaction() or db.session().info["transaction_open"]))

        sessions.on_sign_in(app, hook)
        with client.session_transaction() as session:
            session["cart_id"] = "c1"
        sign_in(client, person.email)
        assert seen == [(person.id, "c1", True)]

    def test_one_that_fails_signs_nobody_in(
        self, app: Flask, client: FlaskClient, person: Caller, hooks: list[Any]
    ) -> None:
        def hook(_who: Person, _guest: Mapping[str, Any]) -> None:
            raise Conflict("Not now.")

        sessions.on_sign_in(app, hook)
        with client.session_transaction() as session:
            session["cart_id"] = "c1"
        assert sign_in(client, person.email).status_code == 409
        assert not is_signed_in(client)
        with client.session_transaction() as session:
            assert session["cart_id"] == "c1"


def test_private_pages_are_not_kept(visitor: FlaskClient) -> None:
    assert visitor.get("/account/addresses").headers["Cache-Control"] == "no-store"


def test_the_overview(visitor: FlaskClient) -> None:
    page = visitor.get("/account/")
    assert page.status_code == 200
    assert "No orders yet" in page.text
