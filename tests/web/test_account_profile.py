"""What people change about themselves on the pages: profile, password, addresses."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

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


class TestProfile:
    def post(self, client: FlaskClient, **form: str) -> Any:
        return client.post(
            "/account/profile", data={"csrf_token": csrf_token(client, "/account/profile"), **form}
        )

    def test_name(self, visitor: FlaskClient, person: Caller) -> None:
        assert self.post(visitor, action="profile", name="Mei Ling").status_code == 302
        assert person.call("GET", "/me").json["data"]["name"] == "Mei Ling"
        refused = self.post(visitor, action="profile", name="x" * 101)
        assert refused.status_code == 422
        assert person.call("GET", "/me").json["data"]["name"] == "Mei Ling"

    def test_language_of_mails(self, visitor: FlaskClient, person: Caller) -> None:
        page = visitor.get("/account/profile").text
        assert '<option lang="en" selected value="en">English</option>' in page
        assert '<option lang="zh-Hant" value="zh-Hant">繁體中文</option>' in page
        assert self.post(visitor, action="profile", name="Mei", locale="zh-Hant").status_code == 302
        assert person.call("GET", "/me").json["data"]["locale"] == "zh-Hant"
        assert '<option lang="zh-Hant" selected value="zh-Hant">' in visitor.get("/account/profile").text
        refused = self.post(visitor, action="profile", name="Somebody", locale="tlh")
        assert (refused.status_code, "The language must be one of" in refused.text) == (422, True)
        assert self.post(visitor, action="profile", name="Mei").status_code == 302, "a form without it"
        customer = person.call("GET", "/me").json["data"]
        assert (customer["name"], customer["locale"]) == ("Mei", "zh-Hant")

    def test_password_ends_every_other_session(
        self, app: Flask, visitor: FlaskClient, person: Caller
    ) -> None:
        other = app.test_client()
        sign_in(other, person.email)
        form = {"action": "password", "pw-current": PASSWORD, "pw-new": "an entirely new lamp"}
        assert self.post(visitor, **form).status_code == 302
        assert is_signed_in(visitor)
        assert not is_signed_in(other)
        assert person.call("GET", "/me").status_code == 401
        assert sign_in(app.test_client(), person.email, "an entirely new lamp").status_code == 302

    @pytest.mark.parametrize(("current", "new"), [("wrong", "an entirely new lamp"), (PASSWORD, "short")])
    def test_password_refused(
        self, app: Flask, visitor: FlaskClient, person: Caller, current: str, new: str
    ) -> None:
        answer = self.post(visitor, **{"action": "password", "pw-current": current, "pw-new": new})
        assert (answer.status_code, "There is a problem" in answer.text) == (422, True)
        assert person.call("GET", "/me").status_code == 200
        assert sign_in(app.test_client(), person.email).status_code == 302


class TestAddresses:
    FORM = {"name": "Mei Chan", "line1": "1 Harbour View", "city": "Hong Kong", "country": "HK"}

    def post(self, client: FlaskClient, path: str, **form: str) -> Any:
        token = csrf_token(client, "/account/profile")
        return client.post(f"/account/addresses/{path}", data={"csrf_token": token, **form})

    def items(self, person: Caller) -> list[dict[str, Any]]:
        return person.call("GET", "/me/addresses").json["data"]["items"]

    def test_the_whole_life_of_one(self, visitor: FlaskClient, person: Caller) -> None:
        assert self.post(visitor, "new", **self.FORM, line2="Flat 2").status_code == 302
        (made,) = self.items(person)
        assert (made["line2"], made["is_default"]) == ("Flat 2", True)
        assert "Flat 2" in visitor.get(f"/account/addresses/{made['id']}/edit").text
        edited = {**self.FORM, "line1": "2 Harbour View"}
        assert self.post(visitor, f"{made['id']}/edit", **edited).status_code == 302
        assert self.items(person)[0]["line1"] == "2 Harbour View"
        assert "2 Harbour View" in visitor.get("/account/addresses").text
        assert self.post(visitor, f"{made['id']}/delete").status_code == 302
        assert self.items(person) == []

    def test_refused(self, visitor: FlaskClient, person: Caller) -> None:
        answer = self.post(visitor, "new", **{**self.FORM, "phone": "call me", "city": " "})
        assert answer.status_code == 422
        assert "Enter a phone number" in answer.text
        assert 'value="call me"' in answer.text
        assert self.items(person) == []

    def test_somebody_elses(self, app: Flask, visitor: FlaskClient, person: Caller) -> None:
        stranger = sign_up(app.test_client())
        address = stranger.call("POST", "/me/addresses", json=self.FORM).json["data"]
        assert visitor.get(f"/account/addresses/{address['id']}/edit").status_code == 404
        assert self.post(visitor, f"{address['id']}/edit", **self.FORM).status_code == 404
        assert self.post(visitor, f"{address['id']}/delete").status_code == 404
        assert self.items(stranger) == [address]
