"""Money of an order that has ended is no difference while staff have its refund on their list; and is one after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from app.gateways.asking import ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import session
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_cancelling import cancel_order
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_disputes_decided import differences
from tests.checkout.test_stuck_refunds import REFUSES, bounce, issues_of, states
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


@contextmanager
def forgotten(number: str, owner: psycopg.Connection) -> Iterator[None]:
    """Its newest card refund is off the staff's list, and nobody has sent it again."""
    ref = str(card_refunds_of(number)[-1].id)
    session().rollback()
    change = "UPDATE reconciliation_issue SET state = %s WHERE ref = %s"
    owner.execute(change, ("resolved", ref))
    yield
    owner.execute(change, ("open", ref))


def accused() -> list[str]:
    found = [
        number for name, numbers in differences() if name == "captured_for_nothing" for number in numbers
    ]
    session().rollback()
    return found


def test_a_refund_that_had_arrived_and_bounced(
    gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection
) -> None:
    _, number = bought(gateway, points=0)
    give_back(number)
    send(number, gateway)
    ask_refund(refund_id=bounce(number, peer), gateway=gateway, actor=system("test"))
    assert states(number) == ("refunded", ["stuck"], ["failed"])
    assert issues_of(number) == [("refund_stuck", "open")]
    assert differences() == []
    with forgotten(number, owner):
        assert accused() == [number]


def test_a_refund_that_waits_for_a_bank(gateway: SandboxGateway, owner: psycopg.Connection) -> None:
    shopper = Shopper(gateway, points=0, price=10_000)
    number = shopper.place(shopper.quote())["number"]
    cancel_order(shopper, number)
    told(number, "open")
    send(number, gateway)
    assert states(number) == ("cancelled", ["stuck"], ["failed"])
    assert ("refund_waits", "open") in issues_of(number)
    assert differences() == []
    with forgotten(number, owner):
        assert accused() == [number]


def test_a_part_that_is_with_staff_excuses_no_more_than_itself(
    gateway: SandboxGateway, owner: psycopg.Connection
) -> None:
    buyer = Shopper(gateway, points=0, price=10_000, quantity=2)
    number = buyer.place(buyer.quote(), REFUSES)["number"]
    give_back(number, lines=[(sku_of(number), 1)])
    send(number, gateway)
    assert (states(number), differences()) == (("paid", ["stuck"], ["failed"]), [])
    for status, expected in (("cancelled", [number]), ("paid", [])):
        owner.execute("ALTER TABLE orders DISABLE TRIGGER USER")
        owner.execute("UPDATE orders SET status = %s WHERE number = %s", (status, number))
        owner.execute("ALTER TABLE orders ENABLE TRIGGER USER")
        assert accused() == expected
