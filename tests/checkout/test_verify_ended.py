"""The shop's own role can end an order, or spoil a row that verify adds up: neither goes unseen."""

from __future__ import annotations

from typing import Literal

import psycopg
import pytest
from psycopg.errors import CheckViolation

from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session
from app.payments.issues import find_issue
from jobs.handlers import rewards
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import bought, give_back, send
from tests.services.test_verify import found

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
@pytest.mark.parametrize("points", [0, 500, "max"])
def test_an_order_that_ends_gives_back_what_was_paid(
    gateway: SandboxGateway,
    web_role: psycopg.Connection,
    owner: psycopg.Connection,
    status: str,
    points: int | Literal["max"],
) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000)
    quote = shopper.quote(points)
    number = shopper.place(quote, "pm_card_visa" if quote.card_due else None)["number"]
    assert found() == {}

    def change(what: str) -> None:
        table = what.split()[0]
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        assert owner.execute(f"UPDATE {what}", (number,)).rowcount == 1
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    assert web_role.execute("UPDATE orders SET status = %s WHERE number = %s", (status, number)).rowcount == 1
    assert found()["ended_orders"] == 1
    change("orders SET status = 'paid' WHERE number = %s")
    assert found() == {}
    give_back(number)
    change(f"orders SET status = '{status}' WHERE number = %s")
    assert found() == {}, "also while the card's part is on its way"


def test_an_order_that_has_ended_earns_nothing(gateway: SandboxGateway, owner: psycopg.Connection) -> None:
    _, number = bought(gateway)
    give_back(number)
    send(number, gateway)
    assert found() == {}
    for by in (-1, 1):
        owner.execute("ALTER TABLE points_earning DISABLE TRIGGER USER")
        owner.execute(
            "UPDATE points_earning SET taken_back = taken_back + %s WHERE order_number = %s", (by, number)
        )
        owner.execute("ALTER TABLE points_earning ENABLE TRIGGER USER")
        assert ("ended_orders" in found()) == (by < 0)
    assert found() == {}


def test_lines_of_a_refund_are_a_list(gateway: SandboxGateway, web_role: psycopg.Connection) -> None:
    give_back(bought(gateway)[1])
    for spoilt in ("{}", "null", '"x"', "1"):
        with pytest.raises(CheckViolation, match="ck_order_refund_lines"):
            web_role.execute("UPDATE order_refund SET lines = %s::jsonb", (spoilt,))


def test_a_probe_that_fails_is_a_difference_and_the_others_are_asked(
    gateway: SandboxGateway, web_role: psycopg.Connection
) -> None:
    number = bought(gateway)[1]
    made = give_back(number)
    (kept,) = (
        web_role.execute("SELECT lines::text FROM order_refund WHERE id = %s", (made.id,)).fetchone() or ()
    )
    spoilt = kept.replace('"quantity": 2', '"quantity": "two"')
    assert spoilt != kept
    mend = "UPDATE order_refund SET lines = %s::jsonb WHERE id = %s"
    web_role.execute(mend, (spoilt, made.id))
    web_role.execute("UPDATE stock SET reserved = reserved + 1 WHERE reserved < on_hand")
    try:
        assert found().keys() == {"refunds", "refund_lines", "refund_points", "reserved"}
        assert (rewards.verify_books() or "").endswith("4 differ")
        issue = find_issue("books_differ", "refund_lines")
        assert issue is not None
        said = 'could not be asked: invalid input syntax for type bigint: "two"'
        assert issue.detail["samples"] == [said]
    finally:
        session().rollback()
        web_role.execute(mend, (kept, made.id))
        web_role.execute("UPDATE stock SET reserved = reserved - 1 WHERE reserved > 0")
    assert found() == {}
