"""What people and staff look one thing up by is found through an index, however many rows there are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.accounts import queries
from app.kernel.database import db
from tests.web.desk import Desk
from tests.web.people import PASSWORD, sign_up

MANY = 5_000
CROWD = """
  INSERT INTO customer (id, email, name, password_hash, role, created_at)
  SELECT gen_random_uuid(), 'someone-' || number || '@example.test', 'Someone', '!', 'customer', now()
    FROM generate_series(1, %s) number
"""
HISTORY = """
  INSERT INTO audit_log (id, at, actor_kind, actor_name, action, target_type, target_id, request_id, seq,
                         prev_hash, hash)
  SELECT gen_random_uuid(), now(), 'system', 'system:test', 'thing.done', 'thing', 'thing-' || number,
         'request-' || number, 0, '', ''
    FROM generate_series(1, %s) number
"""


@pytest.fixture(scope="module")
def crowd(app: Flask, owner: psycopg.Connection) -> None:
    """So many rows that the planner reads a whole table only when it has to."""
    owner.execute(CROWD, [MANY])
    owner.execute(HISTORY, [MANY])
    owner.execute("ANALYZE customer, audit_log")


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Desk:
    return Desk(app, "auditor")


@contextmanager
def plans(app: Flask, owner: psycopg.Connection, table: str) -> Iterator[list[str]]:
    """How the database carries out the statements that read `table` first, sent inside the block."""
    sent: list[tuple[str, Any]] = []
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if f"FROM {table}" in statement and statement.startswith("SELECT"):
            sent.append((statement, parameters))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
    for statement, parameters in sent:
        lines = owner.execute(f"EXPLAIN {statement}", parameters).fetchall()
        found.append("\n".join(line for (line,) in lines))


@pytest.mark.usefixtures("crowd")
class TestAnAddress:
    def test_signing_in(self, app: Flask, owner: psycopg.Connection, client: FlaskClient) -> None:
        person = sign_up(app.test_client())
        with plans(app, owner, "customer") as found:
            typed = f"  {person.email.upper()} "
            answer = client.post("/api/v1/auth/tokens", json={"email": typed, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        assert "uq_customer_email" in found[0]
        assert not [plan for plan in found if "Seq Scan" in plan]

    def test_finding_a_person(self, app: Flask, owner: psycopg.Connection) -> None:
        with plans(app, owner, "customer") as found, app.app_context():
            person = queries.find_customer_by_email("Someone-17@Example.TEST")
        assert person is not None
        assert person.email == "someone-17@example.test"
        (plan,) = found
        assert "uq_customer_email" in plan


@pytest.mark.usefixtures("crowd")
class TestTheAuditLog:
    @pytest.mark.parametrize(
        ("query", "index"),
        [
            ("search=request-17", "ix_audit_log_request_id"),
            ("search=thing-17", "ix_audit_log_target_id"),
            ("target=thing-17", "ix_audit_log_target_id"),
            ("target=thing:thing-17", "audit_log_target"),  # either index names one row
        ],
    )
    def test_of_a_request_and_of_an_object(
        self, app: Flask, owner: psycopg.Connection, auditor: Desk, query: str, index: str
    ) -> None:
        with plans(app, owner, "audit_log") as found:
            assert "thing-17" in auditor.get(f"/admin/audit/?{query}").text
        assert found
        for plan in found:
            assert index in plan
            assert "Seq Scan on audit_log" not in plan

    def test_what_else_a_request_did(self, app: Flask, owner: psycopg.Connection, auditor: Desk) -> None:
        (entry_id,) = owner.execute("SELECT id FROM audit_log WHERE target_id = 'thing-17'").fetchone() or ()
        with plans(app, owner, "audit_log") as found:
            assert "thing-17" in auditor.get(f"/admin/audit/{uuid.UUID(str(entry_id))}").text
        assert [plan for plan in found if "ix_audit_log_request_id" in plan]
        assert not [plan for plan in found if "Seq Scan on audit_log" in plan]
