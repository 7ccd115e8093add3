"""Staff at their desks: signed in through the door, and the things that they look at."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.accounts import service as accounts
from app.audit.models import AuditEntry
from app.kernel.actor import system
from app.kernel.database import session, transaction
from tests.checkout.conftest import Shopper
from tests.web.people import PASSWORD, Caller, csrf_token, sign_in

Test = TypeVar("Test")
SHOWN: set[str] = set()
STAFF = ("support", "approver", "catalogue_manager", "auditor", "admin")


def shows(rule: str) -> Callable[[Test], Test]:
    """The test below shows that this action works and leaves exactly one row in the audit log."""
    SHOWN.add(rule)
    return lambda test: test


def hire(app: Flask, role: str) -> tuple[uuid.UUID, str]:
    """A new person with the role, customers included: (id, e-mail)."""
    email = f"{role}-{uuid.uuid4().hex[:10]}@example.test"
    who: dict[str, Any] = {"actor": system("test"), "email": email, "password": PASSWORD}
    with app.app_context(), transaction():
        if role == "customer":
            person = accounts.register(**who, name="Casual Customer")
        else:
            person = accounts.create_staff(**who, name=f"{role.title()} Chan", role=role)
    return person.id, email


def caller(app: Flask, role: str) -> Caller:
    """Somebody with the role at the API."""
    person_id, email = hire(app, role)
    client = app.test_client()
    answer = client.post("/api/v1/auth/tokens", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    tokens = answer.json["data"]
    return Caller(client, person_id, email, tokens["access_token"], tokens["refresh_token"])


class Desk:
    """One member of staff in a browser."""

    def __init__(self, app: Flask, role: str) -> None:
        self.app, self.role = app, role
        self.id, self.email = hire(app, role)
        self.client: FlaskClient = app.test_client()
        assert sign_in(self.client, self.email).status_code == 302
        self.token = csrf_token(self.client, "/account/profile")

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token, **form})


def paid_order(
    app: Flask, *, points: int = 1_000, price: int = 10_000, quantity: int = 2
) -> tuple[Shopper, str]:
    """An order paid with points and card (needs the gateway behind the app); its shopper and number."""
    with app.app_context():
        shopper = Shopper(app.extensions["gateway"], points=5_000, price=price, quantity=quantity)
        placed = shopper.place(shopper.quote(points))
    assert placed["status"] == "paid"
    return shopper, placed["number"]


def audit_rows(app: Flask) -> int:
    with app.app_context():
        return session().scalar(select(func.count()).select_from(AuditEntry)) or 0


def latest_audit(app: Flask) -> AuditEntry:
    with app.app_context():
        return session().scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()


def text_of(answer: TestResponse) -> str:
    """What is read on the page, without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def hidden(answer: TestResponse, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, name
    return found[1]


def look(app: Flask, statement: Any) -> Any:
    """The one value that the statement finds."""
    with app.app_context():
        return session().execute(statement).scalar_one()
