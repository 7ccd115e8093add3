"""Every button of the back office: what it does, its one row in the audit log, and that a refusal changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts.queries import get_customer
from app.catalogue.models import Brand, Category, Product, Variant
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments.models import ReconciliationIssue
from app.rewards.models import PointsAdjustment
from app.rewards.queries import get_adjustment, get_balance
from tests.factories.shop import stock_of
from tests.sandbox.peers import Gateway
from tests.web import (  # noqa: F401 (they show actions too)
    test_backoffice_cards,
    test_backoffice_decisions,
    test_backoffice_programme,
)
from tests.web.desk import SHOWN, Desk, audit_rows, hidden, latest_audit, look, shows, text_of
from tests.web.desk_things import Things, make_things
from tests.web.test_backoffice import WRITE


@pytest.fixture(scope="module")
def admin(app: Flask) -> Desk:
    return Desk(app, "admin")


@pytest.fixture
def things(app: Flask, peer: Gateway) -> Things:
    return make_things(app)


@pytest.fixture
def one_row(app: Flask) -> Iterator[None]:
    """Whatever the test does leaves exactly one more row in the audit log."""
    before = audit_rows(app)
    yield
    assert audit_rows(app) == before + 1


def everything(app: Flask, things: Things) -> dict[str, Any]:
    """What a refused action must not have touched."""
    with app.app_context():
        person = get_customer(things.customer_id)
        product = session().execute(select(Product).where(Product.slug == things.slug)).scalar_one()
        variant = session().get(Variant, things.variant_id)
        assert variant is not None
        return {
            "audit": audit_rows(app),
            "order": get_order_view(things.number).status,
            "person": person,
            "product": (product.name, product.description, product.is_published, product.price),
            "variant": (variant.price, variant.compare_at_price),
            "stock": stock_of(things.variant_id),
            "balance": get_balance(things.customer_id),
            "adjustment": get_adjustment(things.adjustment_id),
            "adjustments": session().scalar(select(func.count()).select_from(PointsAdjustment)),
            "outbox": session().scalar(select(func.count()).select_from(OutboxRow)),
        }


def done(desk: Desk, things: Things, rule: str, **form: str) -> None:
    answer = desk.post(things.path(rule), **form)
    assert answer.status_code == 303, text_of(answer)
    assert "notice--good" in desk.get(answer.location).text


class TestDone:
    @pytest.fixture(autouse=True)
    def _things_first(self, things: Things, one_row: None) -> None:
        """The things are made before the audit rows are counted."""

    @shows("/admin/orders/<number>/move")
    def test_an_order_is_packed(self, app: Flask, admin: Desk, things: Things) -> None:
        done(admin, things, "/admin/orders/<number>/move", to="packed")
        with app.app_context():
            order = get_order_view(things.number)
        assert (order.status, order.timeline[-1].event) == ("packed", "packed")
        row = latest_audit(app)
        assert (row.action, row.actor_id, row.actor_role, row.before, row.after) == (
            "order.moved", admin.id, "admin", {"status": "paid"}, {"status": "packed"},
        )  # fmt: skip
        shown = admin.get(f"/admin/orders/{things.number}").text
        assert "Mark as shipped" in shown
        assert "Mark as packed" not in shown

    @shows("/admin/customers/<uuid:customer_id>/deactivate")
    def test_a_customer_is_deactivated(self, app: Flask, admin: Desk, things: Things) -> None:
        path = "/admin/customers/<uuid:customer_id>/deactivate"
        done(admin, things, path, reason="asked for it by mail")
        with app.app_context():
            person = get_customer(things.customer_id)
        assert (person.is_active, person.session_epoch) == (False, 1)
        assert latest_audit(app).reason == "asked for it by mail"

    @shows("/admin/customers/<uuid:customer_id>/role")
    def test_a_role_is_changed(self, app: Flask, admin: Desk, things: Things) -> None:
        done(
            admin, things, "/admin/customers/<uuid:customer_id>/role", role="support", reason="new colleague"
        )
        with app.app_context():
            assert get_customer(things.customer_id).role == "support"
        assert latest_audit(app).after == {"role": "support"}

    @shows("/admin/products/<slug>")
    def test_a_product_is_changed(self, app: Flask, admin: Desk, things: Things) -> None:
        text = "<p onclick=x()>Fine <script>bad()</script></p>"
        done(admin, things, "/admin/products/<slug>", name="  New   name ", description=text)
        product = look(app, select(Product).where(Product.slug == things.slug))
        assert (product.name, product.description, product.is_published) == (
            "New name",
            "<p>Fine </p>",
            False,
        )
        assert latest_audit(app).before == {"name": "Test mug", "description": "", "is_published": True}

    @shows("/admin/products/variants/<uuid:variant_id>/price")
    def test_a_price_is_changed(self, app: Flask, admin: Desk, things: Things) -> None:
        path = "/admin/products/variants/<uuid:variant_id>/price"
        done(admin, things, path, price="1,234.50", compare_at_price="2000")
        variant = look(app, select(Variant).where(Variant.id == things.variant_id))
        assert (variant.price, variant.compare_at_price) == (123_450, 200_000)
        product = look(app, select(Product).where(Product.slug == things.slug))
        assert (product.price, product.compare_at_price) == (123_450, 200_000)
        assert latest_audit(app).before == {"price": 10_000, "compare_at_price": None}

    @shows("/admin/products/variants/<uuid:variant_id>/stock")
    def test_stock_is_adjusted(self, app: Flask, admin: Desk, things: Things) -> None:
        with app.app_context():
            on_hand, _ = stock_of(things.variant_id)
        path = "/admin/products/variants/<uuid:variant_id>/stock"
        done(admin, things, path, by="−3", reason="broken in the store room")
        with app.app_context():
            assert stock_of(things.variant_id) == (on_hand - 3, 0)
        assert latest_audit(app).reason == "broken in the store room"

    @shows("/admin/brands/<uuid:thing_id>")
    @shows("/admin/categories/<uuid:thing_id>")
    @pytest.mark.parametrize(("room", "model"), [("brands", Brand), ("categories", Category)])
    def test_a_brand_or_category_is_renamed(
        self, app: Flask, admin: Desk, things: Things, room: str, model: Any
    ) -> None:
        name = f"Renamed {uuid.uuid4().hex[:6]}"
        done(admin, things, f"/admin/{room}/<uuid:thing_id>", name=name)
        found = look(app, select(model).where(model.name == name))
        assert found.slug in {"test-brand", "test-things"}

    @shows("/admin/adjustments/new/<uuid:customer_id>")
    def test_points_are_adjusted_after_a_look(self, app: Flask, admin: Desk, things: Things) -> None:
        form = {"points": "1,500", "reason_code": "goodwill", "note": "late parcel", "key": "k1"}
        path = things.path("/admin/adjustments/new/<uuid:customer_id>")
        before = everything(app, things)
        shown = admin.post(path, step="preview", **form)
        assert shown.status_code == 200
        assert "Available: 4,000 before, 5,500 after (+1,500)." in text_of(shown)
        assert everything(app, things) == before
        form |= {"step": "apply", "seen": hidden(shown, "seen")}
        done(admin, things, "/admin/adjustments/new/<uuid:customer_id>", **form)
        again = admin.post(path, **form)
        assert (again.status_code, "sent already" in again.text) == (409, True)
        with app.app_context():
            assert get_balance(things.customer_id).available == 5_500
        mails = select(func.count()).where(OutboxRow.topic == "mail.points_adjusted")
        assert look(app, mails.where(OutboxRow.payload["customer_id"].astext == str(things.customer_id))) == 1

    @shows("/admin/reconciliation/<kind>/<path:ref>")
    def test_a_difference_is_resolved(self, app: Flask, admin: Desk, things: Things) -> None:
        done(admin, things, "/admin/reconciliation/<kind>/<path:ref>", note="refunded by hand, case 9")
        issue = look(app, select(ReconciliationIssue).filter_by(kind=things.kind, ref=things.ref))
        assert (issue.state, issue.resolution) == ("resolved", "refunded by hand, case 9")
        shown = text_of(admin.get(f"/admin/reconciliation/{things.kind}/{things.ref}"))
        assert f"refunded by hand, case 9 ({admin.email}, " in shown
        assert latest_audit(app).target_id == f"{things.kind}:{things.ref}"

    @shows("/admin/dead-letters/<uuid:row_id>/again")
    def test_a_dead_job_runs_again(self, app: Flask, admin: Desk, things: Things) -> None:
        done(admin, things, "/admin/dead-letters/<uuid:row_id>/again")
        job = look(app, select(OutboxRow).where(OutboxRow.id == things.row_id))
        assert (job.dead_at, job.attempts) == (None, 0)
        assert latest_audit(app).target_id == str(things.row_id)


REFUSED = [
    ("/admin/orders/<number>/move", {"to": "delivered"}, 409, None),
    ("/admin/orders/<number>/move", {"to": "refunded"}, 409, None),
    ("/admin/orders/<number>/move", {}, 409, None),
    ("/admin/customers/<uuid:customer_id>/deactivate", {"reason": "no"}, 422, "deactivate-reason"),
    ("/admin/customers/<uuid:customer_id>/role", {"role": "king", "reason": "a new title"}, 422, "role-role"),
    ("/admin/products/<slug>", {"name": "   ", "description": "kept <b>text</b>"}, 422, "product-name"),
    ("/admin/products/<slug>", {"name": "x" * 501, "description": ""}, 422, "product-name"),
    ("/admin/products/variants/<uuid:variant_id>/price", {"price": "abc"}, 422, "price-price"),
    ("/admin/products/variants/<uuid:variant_id>/price", {"price": "-1"}, 422, "price-price"),
    (
        "/admin/products/variants/<uuid:variant_id>/price",
        {"price": "20", "compare_at_price": "20"},
        422,
        "price-compare_at_price",
    ),
    ("/admin/products/variants/<uuid:variant_id>/stock", {"by": "0", "reason": "counted"}, 422, "stock-by"),
    ("/admin/products/variants/<uuid:variant_id>/stock", {"by": "-5", "reason": ""}, 422, "stock-reason"),
    ("/admin/products/variants/<uuid:variant_id>/stock", {"by": "-999999", "reason": "counted"}, 409, None),
    ("/admin/brands/<uuid:thing_id>", {"name": ""}, 422, "name-name"),
    ("/admin/adjustments/<uuid:adjustment_id>/approve", {"note": "ok"}, 422, "approve-note"),
    ("/admin/reconciliation/<kind>/<path:ref>", {"note": "x"}, 422, "resolve-note"),
]
WISH = {"points": "10", "reason_code": "goodwill", "note": "late parcel", "key": "kk", "step": "apply"}
REFUSED += [
    ("/admin/adjustments/new/<uuid:customer_id>", {**WISH, **changes}, 422, f"adjust-{field}")
    for field, changes in [
        ("points", {"points": "abc"}),
        ("points", {"points": "0"}),
        ("points", {"points": "1.5"}),
        ("points", {"points": "-4001"}),
        ("points", {"points": "99999999999999999999"}),
        ("reason_code", {"reason_code": ""}),
        ("note", {"note": "  "}),
        ("points_expire_at", {"points_expire_at": "tomorrow"}),
        ("points_expire_at", {"points_expire_at": "2020-01-01"}),
    ]
]


class TestRefused:
    """One set of things for all: nothing may change it."""

    made: Things | None = None

    @pytest.fixture
    def things(self, app: Flask, peer: Gateway) -> Things:
        if TestRefused.made is None:
            TestRefused.made = make_things(app)
        return TestRefused.made

    @pytest.mark.parametrize(("rule", "form", "status", "field"), REFUSED)
    def test_nothing_changes_and_nothing_typed_is_lost(
        self,
        app: Flask,
        admin: Desk,
        things: Things,
        rule: str,
        form: dict[str, str],
        status: int,
        field: str | None,
    ) -> None:
        before = everything(app, things)
        answer = admin.post(things.path(rule), **form)
        assert answer.status_code == status, text_of(answer)
        assert everything(app, things) == before
        assert "There is a problem" in answer.text
        assert "<title>Error: " in answer.text
        if field is not None:
            assert f'<a href="#{field}">' in answer.text
            assert f'id="{field}-error"' in answer.text
        for name in set(form) - {"to", "step", "key", "reason_code", "role"}:
            assert form[name].strip() in answer.text.replace("&lt;", "<").replace("&gt;", ">"), name

    def test_what_has_not_been_applied_is_not_undone(self, app: Flask, admin: Desk, things: Things) -> None:
        before = everything(app, things)
        path = f"/admin/adjustments/{things.adjustment_id}/undo"
        answer = admin.post(path, note="it is wrong")
        assert (answer.status_code, "There is a problem" in answer.text) == (409, True)
        assert everything(app, things) == before

    def test_nobody_changes_their_own_role(self, app: Flask, admin: Desk) -> None:
        before = audit_rows(app)
        path = f"/admin/customers/{admin.id}/role"
        assert admin.post(path, role="customer", reason="I am tired").status_code == 422
        assert "Change the role" not in admin.get(f"/admin/customers/{admin.id}").text
        assert audit_rows(app) == before

    def test_a_job_that_is_not_dead(self, app: Flask, admin: Desk) -> None:
        before = audit_rows(app)
        assert admin.post(f"/admin/dead-letters/{uuid.uuid4()}/again").status_code == 404
        assert audit_rows(app) == before


def test_the_same_again_leaves_no_trace(app: Flask, admin: Desk, things: Things) -> None:
    """Saving what is there already is no change."""
    name = look(app, select(Product.name).where(Product.slug == things.slug))
    before = everything(app, things)
    path = f"/admin/products/{things.slug}"
    assert admin.post(path, name=name, description="", is_published="true").status_code == 303
    path = f"/admin/products/variants/{things.variant_id}/price"
    assert admin.post(path, price="100.00", compare_at_price="").status_code == 303
    assert everything(app, things) == before


def test_every_action_is_shown_here() -> None:
    """An action without a test that shows its one audit row fails here."""
    assert sorted(SHOWN) == WRITE
