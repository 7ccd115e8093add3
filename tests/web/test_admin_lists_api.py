"""Every list of the staff API is the same list: counted where asked for, read forwards and back."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask

from app.kernel.database import transaction
from app.payments.issues import record_issue
from tests.factories.people import make_customer
from tests.web.desk import caller, paid_order
from tests.web.people import Caller

LISTS = (
    "customers",
    "rewards/adjustments",
    "rewards/rules",
    "orders",
    "payments",
    "reconciliation",
    "audit",
)
ROWS = 2


@pytest.fixture(scope="module")
def admin(app: Flask) -> Caller:
    return caller(app, "admin")


def make_rows(app: Flask, admin: Caller) -> None:
    """At least ROWS rows of everything."""
    for number in range(ROWS):
        paid_order(app)
        with app.app_context(), transaction():
            record_issue(kind="test", ref=f"test-{number}", detail={}, suggestion="Look.")
        later = {
            "rules": {},
            "reason": "a list of several",
            "effective_from": f"21{number:02}-01-01T00:00:00Z",
        }
        published = admin.call("POST", "/admin/rewards/rules", json=later)
        assert published.status_code == 201, published.text
        with app.app_context():
            customer_id = make_customer()
        body = {
            "customer_id": str(customer_id),
            "points": 10,
            "reason_code": "goodwill",
            "note": "late parcel",
        }
        key = {"Idempotency-Key": uuid.uuid4().hex}
        made = admin.call("POST", "/admin/rewards/adjustments", json=body, headers=key)
        assert made.status_code == 201, made.text


@pytest.mark.usefixtures("peer")
def test_counted_and_read_forwards_and_back(app: Flask, admin: Caller) -> None:
    make_rows(app, admin)
    for name in LISTS:
        first = admin.call("GET", f"/admin/{name}?limit=1&total=true").json["data"]
        whole = admin.call("GET", f"/admin/{name}?limit=100").json["data"]
        assert first["page"].get("total") == len(whole["items"]) >= ROWS, name
        assert "total" not in whole["page"]
        second = admin.call("GET", f"/admin/{name}?limit=1&cursor={first['page']['next']}").json["data"]
        assert [first["page"]["prev"], second["items"]] == [None, whole["items"][1:2]], name
        back = admin.call("GET", f"/admin/{name}?limit=1&cursor={second['page']['prev']}").json["data"]
        assert back["items"] == first["items"], name


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_that_is_not_ours(admin: Caller, name: str) -> None:
    answer = admin.call("GET", f"/admin/{name}?cursor=bm9wZQ")
    assert (answer.status_code, answer.json["data"]["code"]) == (422, "CURSOR_INVALID")
