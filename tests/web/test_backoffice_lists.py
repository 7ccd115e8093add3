"""Lists and screens of the back office: they find, narrow, sort and page, in a fixed number of statements."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import event, insert

from app.audit import service as audit
from app.blueprints.backoffice.cells import breakable
from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import db, session, transaction
from app.orders.models import Order, OrderLine
from app.payments import issues
from tests.factories.people import make_customer
from tests.factories.shop import make_variant
from tests.sandbox.peers import Gateway
from tests.web.desk import Desk, paid_order, text_of

ORDERS = 60


@pytest.fixture(scope="module")
def admin(app: Flask) -> Desk:
    return Desk(app, "admin")


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def shopper_id(app: Flask) -> uuid.UUID:
    """Somebody with 60 orders that failed, one a day, the dearest first."""
    with app.app_context():
        customer_id = make_customer(points=900, name="Many Orders")
        variant_id = make_variant()
        with clock.travel(days=-ORDERS), transaction():
            for number in range(ORDERS):
                with clock.travel(days=number):
                    order = _order(customer_id, number)
                session().execute(insert(Order).values(**order))
                session().execute(insert(OrderLine).values(**_line(order, variant_id)))
    return customer_id


def _order(customer_id: uuid.UUID, number: int) -> dict[str, object]:
    price, now = 100_000 - number * 1_000, clock.now()
    amounts = {"items_total": price, "shipping": 0, "tax": 0, "total": price, "points": 0, "points_value": 0}
    about = {
        "id": ids.uuid7(),
        "number": f"MPC-TEST{number:02}",
        "customer_id": customer_id,
        "currency": "HKD",
    }
    rest = {
        "status": "payment_pending",
        "shipping_method": "standard",
        "email": f"{customer_id.hex}@example.test",
    }
    more = {"address": {}, "placed_at": now, "updated_at": now, "checkout_key": uuid.uuid4().hex}
    return {**about, **amounts, **rest, **more, "card_due": price, "earn_points": 0, "rules_version": 1}


def _line(order: dict[str, object], variant_id: uuid.UUID) -> dict[str, object]:
    price = order["total"]
    about = {
        "order_id": order["id"],
        "position": 1,
        "variant_id": variant_id,
        "sku": "S",
        "slug": "s",
        "name": "N",
    }
    amounts = {"quantity": 1, "unit_price": price, "total": price, "extras": 0, "card": price}
    return {**about, **amounts, "points": 0, "points_value": 0, "options": []}


def numbers(desk: Desk, query: str) -> list[str]:
    text = text_of(desk.get(f"/admin/orders/?{query}"))
    return [word for word in text.split() if word.startswith("MPC-TEST")]


class TestFinding:
    def test_pages_cover_everything_once(self, admin: Desk, shopper_id: uuid.UUID) -> None:
        found = [
            number for page in range(3) for number in numbers(admin, f"search={shopper_id.hex}&page={page}")
        ]
        assert found == [f"MPC-TEST{number:02}" for number in reversed(range(ORDERS))]
        assert numbers(admin, f"search={shopper_id.hex}&page=999999999999") == found[-12:]
        assert numbers(admin, f"search={shopper_id.hex}&page=-5") == found[:24]

    def test_sorted_by_a_heading(self, admin: Desk, shopper_id: uuid.UUID) -> None:
        cheapest = numbers(admin, f"search={shopper_id.hex}&sort=6")
        assert cheapest[0] == f"MPC-TEST{ORDERS - 1:02}"
        assert numbers(admin, f"search={shopper_id.hex}&sort=6&desc=1")[0] == "MPC-TEST00"
        assert numbers(admin, f"search={shopper_id.hex}&sort=99") == numbers(
            admin, f"search={shopper_id.hex}"
        )

    def test_narrowed(self, admin: Desk, shopper_id: uuid.UUID) -> None:
        about = f"search={shopper_id.hex}"
        assert numbers(admin, f"{about}&status=paid") == []
        day = (clock.now()).date().isoformat()
        assert numbers(admin, f"{about}&from={day}") == []
        assert len(numbers(admin, f"{about}&to={day}&status=payment_pending")) == 24
        assert numbers(admin, "search=mpc-test07") == ["MPC-TEST07"]

    @pytest.mark.parametrize("query", ["status=lost", "from=yesterday", "to=2026-13-01"])
    def test_a_filter_that_cannot_be(self, admin: Desk, query: str) -> None:
        assert admin.get(f"/admin/orders/?{query}").status_code == 422

    @pytest.mark.parametrize("term", ["%", "_", "\\", "'", '"', "\x00", "💥", "x" * 5_000, "NULL"])
    def test_any_search_is_only_text(self, admin: Desk, shopper_id: uuid.UUID, term: str) -> None:
        for room in ("orders", "customers", "products", "payments", "audit", "adjustments", "brands"):
            answer = admin.client.get(f"/admin/{room}/", query_string={"search": term})
            assert answer.status_code == 200, (room, term)
        assert numbers(admin, "search=%25") == []

    def test_a_customer_by_mail_name_and_order(self, admin: Desk, shopper_id: uuid.UUID) -> None:
        for term in (shopper_id.hex, f"{shopper_id.hex[:20].upper()}", "many ord", "mpc-test33"):
            text = admin.client.get("/admin/customers/", query_string={"search": term}).text
            assert f"/admin/customers/{shopper_id}" in text, term

    def test_empty_says_what_to_do(self, admin: Desk) -> None:
        text = text_of(admin.get("/admin/orders/?search=nobody"))
        assert "Nothing found No orders match. Take a filter away" in text

    def test_audit_by_person_action_and_object(self, app: Flask, admin: Desk) -> None:
        target = uuid.uuid4().hex
        with app.app_context(), transaction():
            audit.record(
                actor=system("test"), action="probe.made", target_type="probe", target_id=target, reason="why"
            )
        for query in (
            f"target={target}",
            f"target=probe:{target}",
            "action=probe",
            "actor=system:test&action=probe.made",
        ):
            assert target in admin.get(f"/admin/audit/?{query}").text, query
        for query in (f"target=order:{target}", "action=prob", f"actor={admin.email}"):
            assert target not in text_of(admin.get(f"/admin/audit/?{query}")).replace(query, ""), query


class TestStatements:
    """Signing in is one of them. A page that needs more with more rows fails here."""

    @pytest.mark.parametrize(
        ("path", "most"),
        [
            ("/admin/", 3),
            ("/admin/orders/", 3),
            ("/admin/customers/", 3),
            ("/admin/products/", 3),
            ("/admin/brands/", 3),
            ("/admin/adjustments/", 3),
            ("/admin/payments/", 3),
            ("/admin/failed-payments/", 3),
            ("/admin/disputes/", 3),
            ("/admin/audit/", 3),
            ("/admin/schedule/", 3),
        ],
    )
    def test_lists(
        self, app: Flask, admin: Desk, shopper_id: uuid.UUID, statements: list[str], path: str, most: int
    ) -> None:
        with app.app_context():
            for _ in range(3):
                make_variant()
                make_customer(points=5)
        admin.get(path)
        statements.clear()
        assert admin.get(path).status_code == 200
        assert len(statements) <= most, statements

    def test_one_customer(
        self, app: Flask, admin: Desk, shopper_id: uuid.UUID, statements: list[str]
    ) -> None:
        statements.clear()
        many = admin.get(f"/admin/customers/{shopper_id}")
        with_sixty = len(statements)
        statements.clear()
        assert admin.get(f"/admin/customers/{admin.id}").status_code == many.status_code == 200
        assert len(statements) <= with_sixty <= 14

    def test_one_order(self, app: Flask, peer: Gateway, admin: Desk, statements: list[str]) -> None:
        _, number = paid_order(app)
        statements.clear()
        assert admin.get(f"/admin/orders/{number}").status_code == 200
        assert len(statements) <= 11, statements

    def test_a_count_stops(self, app: Flask, admin: Desk, statements: list[str]) -> None:
        admin.get("/admin/orders/")
        counting = [sent for sent in statements if "count(" in sent]
        assert counting
        assert all("LIMIT" in sent for sent in counting)


def test_a_machines_name_is_broken_between_its_words_only() -> None:
    shown = breakable("points.adjustment_approved")
    assert shown == '<span class="words">points.<wbr>adjustment_<wbr>approved</span>'
    assert breakable("<b>:x") == '<span class="words">&lt;b&gt;:<wbr>x</span>'
    assert breakable("") == '<span class="words"></span>'


@pytest.mark.parametrize("version", [0, 2**31, 10**30])
def test_a_version_that_there_cannot_be_is_not_found(admin: Desk, version: int) -> None:
    missing = admin.get(f"/admin/rules/{version}")
    assert missing.status_code == 404
    assert "There is no such version" in text_of(missing)


def test_what_is_open_is_at_the_top_of_reconciliation(app: Flask, admin: Desk) -> None:
    names = {state: f"{state}-{uuid.uuid4().hex[:8]}" for state in ("over", "older", "newer")}
    with app.app_context():
        for days, name in zip((3, 2, 1), names.values(), strict=True):
            with clock.travel(days=-days), transaction():
                issues.record_issue(kind="books_differ", ref=name, detail={}, suggestion="Look.")
        with transaction():
            issues.close_issue(
                kind="books_differ", ref=names["over"], state="auto_fixed", by="test", resolution="Over."
            )
    shown = text_of(admin.get("/admin/reconciliation/"))
    assert shown.index(names["older"]) < shown.index(names["newer"]) < shown.index(names["over"])
