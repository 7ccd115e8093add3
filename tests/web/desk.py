"""Staff at their desks: signed in through the door, and the things that they look at."""

from __future__ import annotations

import re
import uuid
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.accounts import service as accounts
from app.audit.models import AuditEntry
from app.kernel.actor import system
from app.kernel.database import session, transaction
from tests.web.people import PASSWORD, csrf_token, sign_in

STAFF = ("support", "approver", "catalogue_manager", "auditor", "admin")


class Desk:
    """One member of staff in a browser."""

    def __init__(self, app: Flask, role: str) -> None:
        self.app, self.role = app, role
        email = f"{role}-{uuid.uuid4().hex[:10]}@example.test"
        with app.app_context(), transaction():
            who: dict[str, Any] = {"actor": system("test"), "email": email, "password": PASSWORD}
            if role == "customer":
                person = accounts.register(**who, name="Casual Customer")
            else:
                person = accounts.create_staff(**who, name=f"{role.title()} Chan", role=role)
        self.id, self.email = person.id, email
        self.client: FlaskClient = app.test_client()
        assert sign_in(self.client, email).status_code == 302
        self.token = csrf_token(self.client, "/account/profile")

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **form: str) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token, **form})


def audit_rows() -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(AuditEntry)) or 0


def latest_audit() -> AuditEntry:
    session().rollback()
    return session().scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()


def text_of(answer: TestResponse) -> str:
    """What is read on the page, without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))
