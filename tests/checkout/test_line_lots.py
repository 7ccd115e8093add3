"""Which lots each line's points came from: stored with the hold, kept by the database, followed by refunds."""

from __future__ import annotations

import uuid
from datetime import timedelta

import flask_migrate
import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import db, session, transaction
from app.orders.models import Order, OrderLine, OrderLineLot
from app.orders.queries import get_order_view
from app.orders.rules import STRATEGIES
from app.rewards.models import PointsHold, PointsLot
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import give_back
from tests.conftest import ROOT
from tests.factories.people import give_points, make_customer
from tests.factories.shop import fill_cart, make_variant
from tests.services.test_verify import found

pytestmark = pytest.mark.usefixtures("app_context")
DAYS = (30, 200, 400)


def with_lots(gateway: SandboxGateway) -> Shopper:
    """Two things, one of two units, and three lots of points."""
    shopper = Shopper(gateway, price=10_000, quantity=2)
    fill_cart(shopper.id, {shopper.variant_id: 2, make_variant(price=5_000): 1})
    with transaction():
        for points, days in zip((500, 300, 900), DAYS, strict=True):
            give_points(shopper.id, points, expires_at=clock.now() + timedelta(days=days))
    return shopper


def bought(gateway: SandboxGateway, points: int = 1_000) -> tuple[Shopper, str]:
    shopper = with_lots(gateway)
    placed = shopper.place(shopper.quote(points))
    assert placed["status"] == "paid"
    return shopper, placed["number"]


def shares(number: str) -> dict[tuple[int, int], tuple[int, int]]:
    """(line, which lot) -> (points, returned), of the hold that counts."""
    session().rollback()
    rows = (
        session()
        .execute(
            select(OrderLineLot.position, PointsLot.id, OrderLineLot.points, OrderLineLot.returned)
            .join(PointsHold, PointsHold.id == OrderLineLot.hold_id)
            .join(PointsLot, PointsLot.id == OrderLineLot.lot_id)
            .where(PointsHold.order_number == number, PointsHold.state != "released")
            .order_by(OrderLineLot.position, PointsLot.expires_at)
        )
        .all()
    )
    owner = session().scalar(select(Order.customer_id).where(Order.number == number))
    lots = list(
        session().scalars(select(PointsLot.id).filter_by(customer_id=owner).order_by(PointsLot.expires_at))
    )
    session().rollback()
    return {(row.position, lots.index(row.id)): (row.points, row.returned) for row in rows}


def test_each_line_has_its_part_of_every_lot(gateway: SandboxGateway) -> None:
    _, number = bought(gateway)
    first, second = (line.points for line in get_order_view(number).lines)
    stored = shares(number)
    assert first + second == 1_000
    for position, points in ((1, first), (2, second)):
        assert sum(part for (line, _), (part, _) in stored.items() if line == position) == points
    for lot, points in enumerate((500, 300, 200)):
        assert sum(part for (_, one), (part, _) in stored.items() if one == lot) == points
        assert stored[1, lot][0] > stored[2, lot][0] > 0, "by what the lines cost"
    assert found() == {}


def test_a_line_goes_back_to_its_own_lots_the_latest_expiry_first(gateway: SandboxGateway) -> None:
    shopper, number = bought(gateway)
    small = get_order_view(number).lines[1]
    session().rollback()
    before = shares(number)
    give_back(number, lines=[(small.sku, 1)])
    after = shares(number)
    back = sum(returned for _, returned in after.values())
    assert 0 < back < small.points, "its share of delivery comes with the last line"
    assert all(returned == 0 for (line, _), (_, returned) in after.items() if line == 1)
    assert after[2, 2] == (before[2, 2][0], before[2, 2][0]), "the latest lot has all of the line's back"
    assert after[2, 1][1] == before[2, 1][0]
    assert after[2, 0][1] == back - before[2, 1][0] - before[2, 2][0]
    with transaction():
        lots = session().scalars(
            select(PointsLot).filter_by(customer_id=shopper.id).order_by(PointsLot.expires_at)
        )
        assert [lot.spent for lot in lots if lot.spent] == [
            points - after[2, n][1] for n, points in enumerate((500, 300, 200))
        ]
    give_back(number, key="rest")
    assert all(points == returned for points, returned in shares(number).values())
    assert found() == {}


@pytest.mark.parametrize("first", STRATEGIES)
@pytest.mark.parametrize("second", STRATEGIES)
def test_every_lot_is_whole_after_any_refunds(gateway: SandboxGateway, first: str, second: str) -> None:
    _, number = bought(gateway, points=1_300)
    small, large = (get_order_view(number).lines[n].sku for n in (1, 0))
    session().rollback()
    for key, (sku, strategy) in enumerate(((small, first), (large, second), (large, first))):
        give_back(number, lines=[(sku, 1)], strategy=strategy, key=str(key))
        assert found() == {}
    assert all(points == returned for points, returned in shares(number).values())


def test_another_attempt_has_lots_of_its_own(gateway: SandboxGateway) -> None:
    shopper = with_lots(gateway)
    declined = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")
    number = declined["number"]
    assert shares(number) == {}, "nothing is held"
    with clock.travel(days=1), transaction():
        give_points(shopper.id, 1_000, expires_at=clock.now() + timedelta(days=5))
    with clock.travel(days=2):
        assert shopper.pay_again(number, "pm_card_visa")["status"] == "paid"
        assert {lot for _, lot in shares(number)} == {0}, "from the lot that expires sooner"
        assert session().scalars(select(OrderLineLot.hold_id).distinct()).all()
        give_back(number)
        assert found() == {}


TAMPERING = {
    "a line's parts": "UPDATE order_line SET points_value = points_value + 100, card = card - 100",
    "a line's points": "UPDATE order_line SET points = points + 10",
    "what a line earns": "UPDATE order_line SET earn_points = earn_points + 7",
    "an order's points": "UPDATE orders SET points = points + 10",
    "an order's price": "UPDATE orders SET total = total + 1, card_due = card_due + 1, items_total = items_total + 1",
    "a line gone": "DELETE FROM order_line",
    "a lot's points": "UPDATE order_line_lot SET points = points + 1",
    "another lot": "UPDATE order_line_lot SET lot_id = uuidv7()",
    "a lot gone": "DELETE FROM order_line_lot",
    "returned without a refund": "UPDATE order_line_lot SET returned = 1",
    "one more line": (
        "INSERT INTO order_line (order_id, position, variant_id, sku, slug, name, quantity, unit_price, total, extras,"
        " points, points_value, card) SELECT order_id, 9, %(other)s, 'X', 'x', 'X', 1, 5, 5, 0, 0, 0, 5"
        " FROM order_line"
    ),
    "brand of a line": "UPDATE order_line SET brand = brand || 'x'",
    "category of a line": "UPDATE order_line SET category = category || 'x'",
    "page of a line": "UPDATE order_line SET slug = slug || 'x'",
    "one more lot": (
        "INSERT INTO order_line_lot (hold_id, order_id, position, lot_id, points) SELECT hold_id, order_id, position,"
        " (SELECT min(id::text)::uuid FROM points_lot l WHERE l.id <> x.lot_id), 1 FROM order_line_lot x"
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_the_shops_role_changes_nothing_of_what_was_agreed(
    gateway: SandboxGateway, web_role: psycopg.Connection, what: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    make_customer(points=1)  # whose lot is the other one
    number = shopper.place(shopper.quote(500))["number"]
    order_id = session().scalar(select(Order.id).where(Order.number == number))
    parameters = {"order": order_id, "other": make_variant(price=5)}
    session().rollback()
    before = _state(order_id)
    key = "id" if "UPDATE orders" in what or " orders SET" in TAMPERING[what] else "order_id"
    refused = (
        psycopg.errors.CheckViolation,
        psycopg.errors.RestrictViolation,
        psycopg.errors.InsufficientPrivilege,
    )
    with pytest.raises(refused):
        web_role.execute(f"{TAMPERING[what]} WHERE {key} = %(order)s", parameters)
    assert _state(order_id) == before


def _state(order_id: uuid.UUID | None) -> object:
    session().rollback()
    state = [
        session().execute(select(table.__table__).where(column == order_id)).all()
        for table, column in (
            (Order, Order.id),
            (OrderLine, OrderLine.order_id),
            (OrderLineLot, OrderLineLot.order_id),
        )
    ]
    session().rollback()
    return state


def test_no_hold_of_an_order_goes_without_its_lots(
    gateway: SandboxGateway, web_role: psycopg.Connection
) -> None:
    shopper = Shopper(gateway, points=5_000)
    placed = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")
    order_id = session().scalar(select(Order.id).where(Order.number == placed["number"]))
    session().rollback()
    with pytest.raises(psycopg.errors.CheckViolation, match=r"the lots of order .* do not add up"):
        web_role.execute(
            "SELECT points_hold(%s, %s, %s, 500, uuidv7(), uuidv7(), 'test', now(), now() + interval '1 hour')",
            (shopper.id, order_id, placed["number"]),
        )


def test_orders_from_before_get_their_lots(app: Flask, gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=1_300)
    small = get_order_view(number).lines[1].sku
    session().rollback()
    give_back(number, lines=[(small, 1)])
    back = sum(returned for _, returned in shares(number).values())
    db.session.remove()
    db.engine.dispose()
    flask_migrate.downgrade(directory=str(ROOT / "migrations"), revision="0053")
    flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    db.engine.dispose()
    assert found() == {}
    assert sum(returned for _, returned in shares(number).values()) == back > 0
    give_back(number, key="rest")
    assert all(points == returned for points, returned in shares(number).values())
    assert found() == {}
