"""Staff at the API: adjustments and versions of the rules."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask

from app.rewards.queries import get_balance
from tests.factories.people import make_customer
from tests.web.desk import STAFF, audit_rows, caller, latest_audit
from tests.web.people import Caller


@pytest.fixture(scope="module")
def people(app: Flask) -> dict[str, Caller]:
    return {role: caller(app, role) for role in ("customer", *STAFF)}


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


class TestAdjustments:
    PATH = "/admin/rewards/adjustments"

    def body(self, customer_id: uuid.UUID, points: int) -> dict[str, Any]:
        about = {"customer_id": str(customer_id), "points": points, "reason_code": "goodwill"}
        return {**about, "note": "late parcel, see case 12"}

    def test_within_the_limit_it_counts_at_once_and_once(
        self, app: Flask, people: dict[str, Caller], key: dict[str, str]
    ) -> None:
        with app.app_context():
            customer_id = make_customer(points=100)
        before = audit_rows(app)
        for attempt in range(3):
            body = self.body(customer_id, 250)
            answer = people["support"].call("POST", self.PATH, json=body, headers=key)
            assert answer.status_code == 201, answer.text
            assert answer.headers.get("Idempotent-Replayed") == ("true" if attempt else None)
        assert answer.json["data"]["status"] == "applied"
        with app.app_context():
            assert get_balance(customer_id).available == 350
        assert audit_rows(app) == before + 1
        row = latest_audit(app)
        assert (row.action, row.actor_id) == ("points.adjustment_applied", people["support"].id)
        assert (row.before["available"], row.after["available"]) == (100, 350)
        assert row.reason == "late parcel, see case 12"

    def test_above_the_limit_a_second_person_decides(
        self, app: Flask, people: dict[str, Caller], key: dict[str, str]
    ) -> None:
        with app.app_context():
            customer_id = make_customer()
        body = self.body(customer_id, 60_000)
        asked = people["approver"].call("POST", self.PATH, json=body, headers=key)
        assert (asked.status_code, asked.json["data"]["status"]) == (202, "awaiting_approval")
        path = f"{self.PATH}/{asked.json['data']['id']}/approve"
        own = people["approver"].call("POST", path, json={"note": "I say it is fine"})
        assert (own.status_code, own.json["data"]["code"]) == (403, "SELF_APPROVAL")
        waiting = people["admin"].call(
            "GET", f"{self.PATH}?status=awaiting_approval&customer_id={customer_id}"
        )
        assert [one["id"] for one in waiting.json["data"]["items"]] == [asked.json["data"]["id"]]
        with app.app_context():
            assert get_balance(customer_id).available == 0
        before = audit_rows(app)
        done = people["admin"].call("POST", path, json={"note": "checked with the airline"})
        assert (done.status_code, done.json["data"]["status"]) == (200, "applied")
        again = people["admin"].call("POST", path, json={"note": "checked with the airline"})
        assert (again.status_code, again.json["data"]["code"]) == (409, "TRANSITION_INVALID")
        with app.app_context():
            assert get_balance(customer_id).available == 60_000
        assert audit_rows(app) == before + 1

    def test_rejected_nothing_moves(self, app: Flask, people: dict[str, Caller], key: dict[str, str]) -> None:
        with app.app_context():
            customer_id = make_customer()
        body = self.body(customer_id, 6_000)
        asked = people["support"].call("POST", self.PATH, json=body, headers=key)
        path = f"{self.PATH}/{asked.json['data']['id']}/reject"
        short = people["approver"].call("POST", path, json={"note": "no"})
        assert (short.status_code, short.json["data"]["errors"][0]["field"]) == (422, "note")
        done = people["approver"].call("POST", path, json={"note": "not our parcel"})
        assert (done.status_code, done.json["data"]["status"]) == (200, "rejected")
        with app.app_context():
            assert get_balance(customer_id).available == 0

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"points": -101}, "points"),
            ({"points": 0}, "points"),
            ({"reason_code": "because"}, "reason_code"),
            ({"note": "hm"}, "note"),
            ({"points_expire_at": "2020-01-01T00:00:00Z"}, "points_expire_at"),
            ({"customer_id": "me"}, "customer_id"),
            ({"balance": 10**6}, "balance"),
        ],
    )
    def test_refused_nothing_changes(
        self, app: Flask, people: dict[str, Caller], key: dict[str, str], changes: dict[str, Any], field: str
    ) -> None:
        with app.app_context():
            customer_id = make_customer(points=100)
        before = audit_rows(app)
        body = {**self.body(customer_id, 10), **changes}
        answer = people["support"].call("POST", self.PATH, json=body, headers=key)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json["data"]["errors"]] == [field]
        with app.app_context():
            assert get_balance(customer_id).available == 100
        assert audit_rows(app) == before

    def test_nobody_there(self, people: dict[str, Caller], key: dict[str, str]) -> None:
        body = self.body(uuid.uuid4(), 10)
        answer = people["support"].call("POST", self.PATH, json=body, headers=key)
        assert answer.status_code == 404


class TestRules:
    PATH = "/admin/rewards/rules"

    def test_a_version_is_added_and_the_old_one_stays(self, app: Flask, people: dict[str, Caller]) -> None:
        before = people["auditor"].call("GET", self.PATH).json["data"]["items"]
        rows = audit_rows(app)
        start = "2999-01-01T00:00:00Z"
        body = {"rules": {"min_points": 700}, "effective_from": start, "reason": "spring programme"}
        made = people["admin"].call("POST", self.PATH, json=body)
        assert made.status_code == 201, made.text
        version = made.json["data"]
        assert (version["state"], version["rules"]["min_points"], version["rules"]["step"]) == (
            "future",
            700,
            100,
        )
        after = people["auditor"].call("GET", self.PATH).json["data"]["items"]
        assert [one for one in after if one["version"] != version["version"]] == before
        assert audit_rows(app) == rows + 1
        assert latest_audit(app).reason == "spring programme"

    @pytest.mark.parametrize(
        "changes",
        [
            {"rules": {"min_points": -1}},
            {"rules": {"minimum": 5}},
            {"effective_from": "2020-01-01T00:00:00Z"},
            {"reason": "x"},
        ],
    )
    def test_refused(self, app: Flask, people: dict[str, Caller], changes: dict[str, Any]) -> None:
        before, rows = people["auditor"].call("GET", self.PATH).json["data"], audit_rows(app)
        body = {"rules": {"min_points": 700}, "reason": "spring programme", **changes}
        answer = people["admin"].call("POST", self.PATH, json=body)
        assert answer.status_code == 422, answer.text
        assert people["auditor"].call("GET", self.PATH).json["data"] == before
        assert audit_rows(app) == rows
