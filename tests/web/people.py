"""Signing people up and in, through the door that clients use."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "four quiet harbour lamps"


@dataclass
class Caller:
    """An API client of one person; `call("GET", "/me")`."""

    client: FlaskClient
    id: uuid.UUID
    email: str
    access_token: str
    refresh_token: str

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.access_token}", **options.pop("headers", {})}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)


def sign_up(client: FlaskClient, **changes: str) -> Caller:
    body = {"email": f"{uuid.uuid4().hex}@example.test", "password": PASSWORD, "name": "Mei Chan"} | changes
    answer = client.post("/api/v1/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    data = answer.json["data"]
    tokens = data["tokens"]
    person = data["customer"]
    return Caller(
        client, uuid.UUID(person["id"]), person["email"], tokens["access_token"], tokens["refresh_token"]
    )


def csrf_token(client: FlaskClient, path: str = "/account/sign-in") -> str:
    """The token of a form on the page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    """On the page, as a browser does it."""
    form = {"csrf_token": csrf_token(client), "email": email, "password": password, **fields}
    return client.post("/account/sign-in", data=form)


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/addresses").status_code == 200
