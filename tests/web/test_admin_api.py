"""The staff calls of the API: who may, what they do, and that each write leaves one row in the audit log."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask

from app.accounts import rules
from app.blueprints.api_v1.contract import contract_of
from app.kernel.database import transaction
from app.orders.queries import get_order_view
from app.payments.issues import record_issue
from app.rewards.queries import get_balance
from tests.factories.people import make_customer
from tests.web.desk import STAFF, audit_rows, caller, latest_audit, paid_order
from tests.web.people import Caller

# What each call needs, written down a second time on purpose: a call that is not here fails the test below.
NEEDED = {
    ("GET", "/admin/customers"): "customers.read",
    ("GET", "/admin/customers/<uuid:customer_id>"): "customers.read",
    ("POST", "/admin/rewards/adjustments"): "rewards.adjust",
    ("GET", "/admin/rewards/adjustments"): "rewards.read",
    ("POST", "/admin/rewards/adjustments/<uuid:adjustment_id>/approve"): "rewards.approve",
    ("POST", "/admin/rewards/adjustments/<uuid:adjustment_id>/reject"): "rewards.approve",
    ("GET", "/admin/rewards/rules"): "rules.read",
    ("POST", "/admin/rewards/rules"): "rules.edit",
    ("GET", "/admin/orders"): "orders.read",
    ("GET", "/admin/orders/<number>"): "orders.read",
    ("PATCH", "/admin/orders/<number>"): "orders.move",
    ("POST", "/admin/orders/<number>/refunds"): "orders.refund",
    ("GET", "/admin/payments"): "payments.read",
    ("GET", "/admin/reconciliation"): "payments.read",
    ("GET", "/admin/audit"): "audit.read",
}
NOBODY = str(uuid.uuid4())


def path_of(rule: str) -> str:
    for name in ("<uuid:customer_id>", "<uuid:adjustment_id>"):
        rule = rule.replace(name, NOBODY)
    return rule.replace("<number>", "MPC-AAAAA-AAAAA")


@pytest.fixture(scope="module")
def people(app: Flask) -> dict[str, Caller]:
    return {role: caller(app, role) for role in ("customer", *STAFF)}


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


class TestWhoMay:
    def test_every_staff_call_is_in_the_table(self, app: Flask) -> None:
        found = {
            (method, rule.rule.removeprefix("/api/v1")): contract.permission
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith("/api/v1/admin")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if (contract := contract_of(app.view_functions[rule.endpoint]))
        }
        assert found == NEEDED
        undeclared = [
            rule.rule
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith("/api/v1/admin") and not contract_of(app.view_functions[rule.endpoint])
        ]
        assert undeclared == []

    @pytest.mark.parametrize(("method", "rule"), sorted(NEEDED))
    def test_strangers(self, app: Flask, method: str, rule: str) -> None:
        answer = app.test_client().open(f"/api/v1{path_of(rule)}", method=method)
        assert (answer.status_code, answer.json["data"]["code"]) == (401, "TOKEN_INVALID")

    @pytest.mark.parametrize("role", ["customer", *STAFF])
    def test_roles(self, app: Flask, people: dict[str, Caller], role: str) -> None:
        before = audit_rows(app)
        for (method, rule), permission in NEEDED.items():
            body = {} if method in {"POST", "PATCH"} else None
            answer = people[role].call(method, path_of(rule), json=body)
            if rules.may(role, permission):
                assert answer.status_code in {200, 400, 404, 422}, (method, rule, answer.text)
            else:
                assert (answer.status_code, answer.json["data"]["code"]) == (403, "FORBIDDEN"), (method, rule)
        assert audit_rows(app) == before


@pytest.mark.usefixtures("peer")
class TestOrders:
    def test_found_moved_and_given_back(self, app: Flask, people: dict[str, Caller]) -> None:
        shopper, number = paid_order(app)
        support = people["support"]
        found = support.call("GET", f"/admin/orders?q={number.lower()}").json["data"]["items"]
        assert [(one["number"], one["status"]) for one in found] == [(number, "paid")]
        by_mail = support.call("GET", f"/admin/orders?status=paid&q={shopper.id.hex}&total=true").json["data"]
        assert by_mail["page"]["total"] == 1
        before = audit_rows(app)
        moved = support.call("PATCH", f"/admin/orders/{number}", json={"status": "packed"})
        assert (moved.status_code, moved.json["data"]["status"]) == (200, "packed")
        row = latest_audit(app)
        assert (row.action, row.target_id, row.after) == ("order.moved", number, {"status": "packed"})
        assert audit_rows(app) == before + 1

    @pytest.mark.parametrize("status", ["paid", "refunded", "cancelled", "delivered", "payment_pending"])
    def test_moves_that_the_table_does_not_have(
        self, app: Flask, people: dict[str, Caller], status: str
    ) -> None:
        _, number = paid_order(app)
        before = audit_rows(app)
        answer = people["support"].call("PATCH", f"/admin/orders/{number}", json={"status": status})
        assert (answer.status_code, answer.json["data"]["code"]) == (409, "TRANSITION_INVALID")
        assert answer.json["data"]["from"] == "paid"
        with app.app_context():
            assert get_order_view(number).status == "paid"
        assert audit_rows(app) == before

    def test_what_was_given_back_is_not_sent(
        self, app: Flask, people: dict[str, Caller], key: dict[str, str]
    ) -> None:
        _, number = paid_order(app)
        body = {"strategy": "proportional", "reason": "all of it was broken"}
        made = people["support"].call("POST", f"/admin/orders/{number}/refunds", json=body, headers=key)
        assert made.status_code == 201, made.text
        before = audit_rows(app)
        for status in ("packed", "shipped"):
            answer = people["support"].call("PATCH", f"/admin/orders/{number}", json={"status": status})
            told = answer.json
            assert (answer.status_code, told["status"], told["data"]["code"]) == (
                409,
                "error",
                "NOTHING_TO_SEND",
            )
            assert set(told) == {"status", "message", "data"}
            assert {"code", "errors", "request_id"} <= set(told["data"])
        with app.app_context():
            assert get_order_view(number).status == "paid"
        assert audit_rows(app) == before

    def test_a_preview_changes_nothing_and_the_refund_is_made_once(
        self, app: Flask, people: dict[str, Caller], key: dict[str, str]
    ) -> None:
        shopper, number = paid_order(app)
        path = f"/admin/orders/{number}/refunds"
        sku = people["support"].call("GET", f"/admin/orders/{number}").json["data"]["lines"][0]["sku"]
        body = {
            "lines": [{"sku": sku, "quantity": 1}],
            "strategy": "proportional",
            "reason": "one was broken",
        }
        before = audit_rows(app)
        preview = people["support"].call("POST", path, json={**body, "preview": True}, headers=key)
        assert preview.status_code == 200, preview.text
        with app.app_context():
            assert get_order_view(number).refunds == []
        assert audit_rows(app) == before
        made = [people["support"].call("POST", path, json=body, headers=key) for _ in range(2)]
        assert [one.status_code for one in made] == [201, 201]
        assert made[0].data == made[1].data
        promised, given = preview.json["data"], made[0].json["data"]
        for name in ("points", "points_value", "card", "clawback", "lines"):
            assert given[name] == promised[name]
        assert audit_rows(app) == before + 1
        with app.app_context():
            assert len(get_order_view(number).refunds) == 1
            assert get_balance(shopper.id).available == 4_000 + given["points"]

    def test_more_than_was_bought(self, app: Flask, people: dict[str, Caller], key: dict[str, str]) -> None:
        _, number = paid_order(app)
        sku = people["support"].call("GET", f"/admin/orders/{number}").json["data"]["lines"][0]["sku"]
        before = audit_rows(app)
        for preview in (True, False):
            body = {"lines": [{"sku": sku, "quantity": 3}], "reason": "all of it", "preview": preview}
            answer = people["support"].call("POST", f"/admin/orders/{number}/refunds", json=body, headers=key)
            assert (answer.status_code, answer.json["data"]["errors"][0]["field"]) == (422, "lines")
        assert audit_rows(app) == before

    def test_payments_are_listed(self, app: Flask, people: dict[str, Caller]) -> None:
        _, number = paid_order(app)
        listed = people["auditor"].call("GET", "/admin/payments?status=captured").json["data"]["items"]
        mine = next(one for one in listed if one["order_number"] == number)
        assert (mine["status"], mine["captured"]["amount"]) == ("captured", 13_000)


class TestReading:
    def test_customers(self, app: Flask, people: dict[str, Caller]) -> None:
        with app.app_context():
            customer_id = make_customer(points=700, name="Ngai Wing")
        found = people["support"].call("GET", "/admin/customers?q=ngai").json["data"]["items"]
        assert [one["id"] for one in found] == [str(customer_id)]
        one = people["support"].call("GET", f"/admin/customers/{customer_id}").json["data"]
        assert one["balance"]["available"] == 700
        assert [lot["available"] for lot in one["lots"]] == [700]
        assert "password" not in str(one)

    def test_the_audit_log_by_each_filter(self, app: Flask, people: dict[str, Caller]) -> None:
        with app.app_context():
            customer_id = make_customer()
        admin = caller(app, "admin")
        body = {
            "customer_id": str(customer_id),
            "points": 10,
            "reason_code": "goodwill",
            "note": "late parcel",
        }
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        made = admin.call("POST", "/admin/rewards/adjustments", json=body, headers=headers)
        assert made.status_code == 201
        for query in (
            f"object={customer_id}",
            f"object=customer:{customer_id}",
            f"actor={admin.id}&action=points",
            f"actor={admin.id}&action=points.adjustment_applied&from=2000-01-01&to=2999-01-01",
        ):
            found = people["auditor"].call("GET", f"/admin/audit?{query}").json["data"]["items"]
            assert [one["object_id"] for one in found] == [str(customer_id)], query
        for query in ("action=point", "to=2000-01-01", f"object=order:{customer_id}", "actor=nobody"):
            found = people["auditor"].call("GET", f"/admin/audit?{query}").json["data"]["items"]
            assert str(customer_id) not in [one["object_id"] for one in found], query

    def test_pages_and_wrong_cursors(self, people: dict[str, Caller]) -> None:
        first = people["auditor"].call("GET", "/admin/audit?limit=2").json["data"]
        cursor = first["page"]["next"]
        second = people["auditor"].call("GET", f"/admin/audit?limit=2&cursor={cursor}").json["data"]
        assert not {one["id"] for one in first["items"]} & {one["id"] for one in second["items"]}
        back = (
            people["auditor"]
            .call("GET", f"/admin/audit?limit=2&cursor={second['page']['prev']}")
            .json["data"]
        )
        assert back["items"] == first["items"]
        for path in ("/admin/audit", "/admin/orders", "/admin/payments", "/admin/customers"):
            answer = people["auditor"].call("GET", f"{path}?cursor=nonsense")
            assert (answer.status_code, answer.json["data"]["code"]) == (422, "CURSOR_INVALID"), path

    def test_open_differences(self, app: Flask, people: dict[str, Caller]) -> None:
        with app.app_context(), transaction():
            record_issue(
                kind="orphan_payment", ref="pay_1", detail={"amount": 5}, suggestion="Ask the gateway."
            )
        found = people["auditor"].call("GET", "/admin/reconciliation").json["data"]["items"]
        assert [(one["kind"], one["detail"]) for one in found] == [("orphan_payment", {"amount": 5})]
