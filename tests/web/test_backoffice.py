"""The back office: who gets in, and that every page of it opens for those who may."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from app.blueprints.backoffice.access import ANY_STAFF, StaffPage, allowed, list_needed, page
from tests.sandbox.peers import Gateway
from tests.web.desk import STAFF, Desk, audit_rows
from tests.web.desk_things import Things, make_things

# What each route needs, written down a second time on purpose: a route that is not here fails the test below.
NEEDED = {
    ("GET", "/admin/"): ANY_STAFF,
    ("GET", "/admin/orders/"): "orders.read",
    ("GET", "/admin/orders/<number>"): "orders.read",
    ("POST", "/admin/orders/<number>/move"): "orders.move",
    ("GET", "/admin/customers/"): "customers.read",
    ("GET", "/admin/customers/<uuid:customer_id>"): "customers.read",
    ("POST", "/admin/customers/<uuid:customer_id>/deactivate"): "users.edit",
    ("POST", "/admin/customers/<uuid:customer_id>/reactivate"): "users.edit",
    ("POST", "/admin/customers/<uuid:customer_id>/role"): "users.edit",
    ("GET", "/admin/products/"): "catalogue.read",
    ("GET", "/admin/products/<slug>"): "catalogue.read",
    ("POST", "/admin/products/<slug>"): "catalogue.edit",
    ("GET", "/admin/products/variants/<uuid:variant_id>"): "catalogue.read",
    ("POST", "/admin/products/variants/<uuid:variant_id>/price"): "catalogue.edit",
    ("POST", "/admin/products/variants/<uuid:variant_id>/stock"): "catalogue.edit",
    ("GET", "/admin/brands/"): "catalogue.read",
    ("GET", "/admin/brands/<uuid:thing_id>"): "catalogue.read",
    ("POST", "/admin/brands/<uuid:thing_id>"): "catalogue.edit",
    ("GET", "/admin/categories/"): "catalogue.read",
    ("GET", "/admin/categories/<uuid:thing_id>"): "catalogue.read",
    ("POST", "/admin/categories/<uuid:thing_id>"): "catalogue.edit",
    ("GET", "/admin/adjustments/"): "rewards.read",
    ("GET", "/admin/adjustments/<uuid:adjustment_id>"): "rewards.read",
    ("GET", "/admin/adjustments/new/<uuid:customer_id>"): "rewards.adjust",
    ("POST", "/admin/adjustments/new/<uuid:customer_id>"): "rewards.adjust",
    ("POST", "/admin/adjustments/<uuid:adjustment_id>/approve"): "rewards.approve",
    ("POST", "/admin/adjustments/<uuid:adjustment_id>/reject"): "rewards.approve",
    ("POST", "/admin/adjustments/<uuid:adjustment_id>/undo"): "rewards.adjust",
    ("GET", "/admin/adjustment-files/"): "rewards.read",
    ("GET", "/admin/adjustment-files/new"): "rewards.adjust",
    ("POST", "/admin/adjustment-files/new"): "rewards.adjust",
    ("GET", "/admin/adjustment-files/<uuid:batch_id>"): "rewards.read",
    ("GET", "/admin/adjustment-files/<uuid:batch_id>/result.csv"): "rewards.read",
    ("POST", "/admin/adjustment-files/<uuid:batch_id>/approve"): "rewards.approve",
    ("POST", "/admin/adjustment-files/<uuid:batch_id>/reject"): "rewards.approve",
    ("GET", "/admin/liability/"): "rewards.read",
    ("GET", "/admin/rules-draft/"): "rules.edit",
    ("POST", "/admin/rules-draft/"): "rules.edit",
    ("GET", "/admin/rules/"): "rules.read",
    ("GET", "/admin/rules/<int:version>"): "rules.read",
    ("GET", "/admin/payments/"): "payments.read",
    ("GET", "/admin/payments/<uuid:payment_id>"): "payments.read",
    ("GET", "/admin/failed-payments/"): "payments.read",
    ("GET", "/admin/disputes/"): "payments.read",
    ("GET", "/admin/disputes/<gateway>/<path:ref>"): "payments.read",
    ("GET", "/admin/reconciliation/"): "payments.read",
    ("GET", "/admin/reconciliation/<kind>/<path:ref>"): "payments.read",
    ("POST", "/admin/reconciliation/<kind>/<path:ref>"): "payments.settle",
    ("POST", "/admin/orders/<number>/refunds/<uuid:refund_id>/again"): "orders.refund",
    ("POST", "/admin/orders/<number>/refunds/<uuid:refund_id>/elsewhere"): "orders.refund",
    ("POST", "/admin/orders/<number>/cancel"): "orders.refund",
    ("POST", "/admin/payments/<uuid:payment_id>/ask"): "payments.ask",
    ("POST", "/admin/payments/<uuid:payment_id>/accept"): "payments.settle",
    ("POST", "/admin/payments/<uuid:payment_id>/outside"): "payments.settle",
    ("GET", "/admin/webhooks/"): "payments.read",
    ("GET", "/admin/webhooks/<gateway>/<event_id>"): "payments.read",
    ("GET", "/admin/dead-letters/"): "jobs.read",
    ("GET", "/admin/dead-letters/<uuid:row_id>"): "jobs.read",
    ("POST", "/admin/dead-letters/<uuid:row_id>/again"): "jobs.run",
    ("GET", "/admin/schedule/"): "jobs.read",
    ("GET", "/admin/audit/"): "audit.read",
    ("GET", "/admin/audit/<uuid:entry_id>"): "audit.read",
}
READ = sorted(rule for method, rule in NEEDED if method == "GET")
WRITE = sorted(rule for method, rule in NEEDED if method == "POST")


@pytest.fixture(scope="module")
def desks(app: Flask) -> dict[str, Desk]:
    return {role: Desk(app, role) for role in ("customer", *STAFF)}


_made: dict[Flask, Things] = {}


@pytest.fixture
def things(app: Flask, peer: Gateway) -> Things:
    """Once a module, but made with the gateway of a test."""
    if app not in _made:
        _made[app] = make_things(app)
    return _made[app]


def test_every_route_is_in_the_table(app: Flask) -> None:
    found = {
        (method, rule.rule): permission
        for rule, permission in list_needed(app)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert found == NEEDED


def test_a_page_without_a_permission_is_nobodys(app: Flask) -> None:
    class Forgotten(StaffPage):
        @page()
        def index(self) -> str:
            return "open"

    assert not any(allowed(role, Forgotten(endpoint="forgotten").permission) for role in STAFF)
    with pytest.raises(KeyError):
        page(permission="orders.reed")


@pytest.mark.parametrize("role", ["customer", *STAFF])
def test_reading(desks: dict[str, Desk], things: Things, role: str) -> None:
    for rule in READ:
        answer = desks[role].get(things.path(rule))
        expected = 200 if allowed(role, NEEDED["GET", rule]) else 403
        assert answer.status_code == expected, (rule, answer.status_code)
        assert answer.headers["Cache-Control"] == "no-store", rule
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("role", ["customer", *STAFF])
def test_writing_is_refused_to_roles_that_may_not(
    app: Flask, desks: dict[str, Desk], things: Things, role: str
) -> None:
    before = audit_rows(app)
    for rule in WRITE:
        if not allowed(role, NEEDED["POST", rule]):
            assert desks[role].post(things.path(rule), reason="a good reason").status_code == 403, rule
    assert audit_rows(app) == before


def test_strangers_are_sent_to_sign_in(app: Flask, things: Things) -> None:
    for rule in READ:
        answer = app.test_client().get(things.path(rule))
        assert answer.status_code == 302, rule
        assert answer.location.startswith("/account/sign-in?next="), rule


def test_without_a_csrf_token_nothing_happens(app: Flask, desks: dict[str, Desk], things: Things) -> None:
    before = audit_rows(app)
    for rule in WRITE:
        path = things.path(rule)
        assert desks["admin"].client.post(path, data={"reason": "a good reason"}).status_code == 400, rule
        assert desks["admin"].get(path + "?csrf_token=" + desks["admin"].token).status_code in {200, 405}, (
            rule
        )
    assert audit_rows(app) == before


def test_it_is_never_linked_from_the_shop(desks: dict[str, Desk]) -> None:
    for path in ("/", "/account/", "/account/profile"):
        for role in ("customer", "admin"):
            assert "/admin" not in desks[role].get(path).text, (role, path)


def test_a_deactivated_member_of_staff_is_out_at_once(app: Flask, desks: dict[str, Desk]) -> None:
    leaver = Desk(app, "support")
    assert leaver.get("/admin/").status_code == 200
    path = f"/admin/customers/{leaver.id}/deactivate"
    assert desks["admin"].post(path, reason="left the company").status_code == 303
    assert leaver.get("/admin/").status_code == 302


def test_what_people_wrote_is_never_markup(app: Flask, desks: dict[str, Desk]) -> None:
    nasty = "<script>alert(1)</script>"
    path = f"/admin/customers/{desks['customer'].id}/deactivate"
    answer = desks["admin"].post(path, reason=nasty)
    assert answer.status_code == 303
    desks["admin"].post(path.replace("deactivate", "reactivate"), reason="it was a test")
    for page_path in (
        "/admin/audit/",
        f"/admin/customers/{desks['customer'].id}",
        f"/admin/orders/?search={nasty}",
    ):
        text = desks["admin"].get(page_path).text
        assert "<script" not in text, page_path
        assert "&lt;script&gt;" in text, page_path


@pytest.mark.parametrize("rule", [rule for rule in READ if rule.endswith("/")])
def test_menu_and_pages_need_no_script_and_no_stranger(desks: dict[str, Desk], rule: str) -> None:
    text = desks["admin"].get(rule).text
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="https?:', text)
    assert not re.findall(r"\son\w+=|style=", text)
