"""The books between orders, refunds and earnings: clean after whole lives of orders, and each break is found."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session
from app.rewards.queries import get_balance
from tests.checkout.refunding import bought, confirm_earning, give_back, sku_of
from tests.services.test_verify import found

TABLES = ("orders", "order_line", "order_line_lot", "order_refund", "points_earning", "points_account")
OF_IT = "order_id = (SELECT id FROM orders WHERE number = %(n)s)"
IT = "number = %(n)s"
BREAKS = {
    # check: of what: (what breaks it, what mends it); %(n)s is the order's number
    "earnings_booked": (
        "UPDATE points_earning SET points = points + 50000 WHERE order_number = %(n)s",
        "UPDATE points_earning SET points = points - 50000 WHERE order_number = %(n)s",
    ),
    "earned_once: what was promised": (
        f"UPDATE orders SET earn_points = earn_points + 5 WHERE {IT}",
        f"UPDATE orders SET earn_points = earn_points - 5 WHERE {IT}",
    ),
    "earned_once: another order's": (
        "UPDATE points_earning SET source_id = 'x' || source_id WHERE order_number = %(n)s",
        "UPDATE points_earning SET source_id = substr(source_id, 2) WHERE order_number = %(n)s",
    ),
    "earned_once: never paid": (
        f"UPDATE orders SET updated_at = paid_at, paid_at = NULL WHERE {IT}",
        f"UPDATE orders SET paid_at = updated_at WHERE {IT}",
    ),
    "order_lines": (
        f"UPDATE order_line SET earn_points = earn_points + 5 WHERE {OF_IT}",
        f"UPDATE order_line SET earn_points = earn_points - 5 WHERE {OF_IT}",
    ),
    "line_lots: a line": (
        f"UPDATE order_line_lot SET points = points + 1 WHERE {OF_IT}",
        f"UPDATE order_line_lot SET points = points - 1 WHERE {OF_IT}",
    ),
    "line_lots: another lot": (
        f"""UPDATE order_line_lot x SET lot_id = l.id FROM points_lot l WHERE x.{OF_IT} AND l.id <> x.lot_id
             AND l.customer_id = (SELECT customer_id FROM orders WHERE number = %(n)s)""",
        f"""UPDATE order_line_lot x SET lot_id = e.lot_id FROM points_hold h JOIN points_entry e USING (tx_id)
             WHERE x.{OF_IT} AND x.hold_id = h.id AND e.account = 'held'""",
    ),
    "lots_returned": (
        f"UPDATE order_line_lot SET returned = returned + 1 WHERE {OF_IT}",
        f"UPDATE order_line_lot SET returned = returned - 1 WHERE {OF_IT}",
    ),
    "refunds": (
        f"UPDATE orders SET refunded_card = refunded_card + 100 WHERE {IT}",
        f"UPDATE orders SET refunded_card = refunded_card - 100 WHERE {IT}",
    ),
    "refunds: a refund": (
        f"UPDATE order_refund SET card = card + 100 WHERE {OF_IT}",
        f"UPDATE order_refund SET card = card - 100 WHERE {OF_IT}",
    ),
    "refund_lines": (
        f"UPDATE order_line SET refunded_points = refunded_points + 7 WHERE {OF_IT}",
        f"UPDATE order_line SET refunded_points = refunded_points - 7 WHERE {OF_IT}",
    ),
    "refund_lines: units": (
        f"UPDATE order_line SET refunded_quantity = refunded_quantity + 1 WHERE {OF_IT}",
        f"UPDATE order_line SET refunded_quantity = refunded_quantity - 1 WHERE {OF_IT}",
    ),
    "refund_points": (
        f"UPDATE order_refund SET clawback = clawback + 1 WHERE {OF_IT}",
        f"UPDATE order_refund SET clawback = clawback - 1 WHERE {OF_IT}",
    ),
}

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def without_guards(owner: psycopg.Connection) -> Iterator[psycopg.Connection]:
    for table in TABLES:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield owner
    for table in TABLES:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_each_break_between_orders_refunds_and_earnings_is_found(
    gateway: SandboxGateway, without_guards: psycopg.Connection
) -> None:
    shopper, number = bought(gateway)
    with clock.travel(days=31):
        confirm_earning(number)
        give_back(number, lines=[(sku_of(number), 1)])
    assert get_balance(shopper.id).lifetime_earned > 0
    session().rollback()
    assert found() == {}
    for name, (breaks, mends) in BREAKS.items():
        assert without_guards.execute(breaks, {"n": number}).rowcount == 1
        assert name.partition(":")[0] in found(), name
        without_guards.execute(mends, {"n": number})
        assert found() == {}, f"{name}: mended"
