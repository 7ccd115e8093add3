"""Differences planted by hand, one function a class: each answers with the issue's ref."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import psycopg

from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session
from app.payments import queries
from app.payments.bookkeeping import DayReport, ReportRow
from app.payments.gateway import Unknown
from tests.checkout.conftest import Shopper
from tests.factories.people import make_customer
from tests.sandbox.peers import Gateway


@contextmanager
def unguarded(owner: psycopg.Connection, *tables: str) -> Iterator[None]:
    """What no role of the shop can do: past triggers and state tables."""
    session().rollback()
    for table in tables:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for table in tables:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def broken(owner: psycopg.Connection, statement: str, *parameters: object) -> None:
    """One row, changed past every guard."""
    table = (
        statement.removeprefix("UPDATE ").removeprefix("DELETE FROM ").removeprefix("INSERT INTO ").split()[0]
    )
    with unguarded(owner, table):
        assert owner.execute(statement, parameters).rowcount == 1


class Paid:
    """A paid order of 500 points and a card charge."""

    def __init__(self, gateway: SandboxGateway, token: str = "pm_card_visa") -> None:
        self.shopper = Shopper(gateway, points=5_000)
        self.number = self.shopper.place(self.shopper.quote(500), token)["number"]
        payment = queries.list_payments_of(self.number)[0]
        self.payment, self.ref = str(payment.id), str(payment.gateway_ref)
        session().rollback()


Seed = Callable[[SandboxGateway, Gateway, psycopg.Connection], str]


def orphan(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    return str(peer.pay("pm_card_visa", f"stranger-{uuid.uuid4()}").json()["id"])


def only_here(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway, "pm_card_chargeDeclined")
    broken(owner, "UPDATE payment SET state = 'captured', captured = amount, refunded = amount"
                  " WHERE id = %s", paid.payment)  # fmt: skip
    return paid.payment


def other_amount(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    broken(owner, "UPDATE payment SET amount = 7000, captured = 7000 WHERE id = %s", paid.payment)
    return paid.payment


def other_currency(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    broken(owner, "UPDATE payment SET currency = 'USD' WHERE id = %s", paid.payment)
    return paid.payment


def refund_there(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    assert peer.refund(paid.ref, 100, f"by-hand-{uuid.uuid4()}").status_code == 201
    return paid.payment


def refund_here(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    refund_id = uuid.uuid4()
    broken(owner, "UPDATE payment SET refunded = 100 WHERE id = %s", paid.payment)
    broken(
        owner,
        "INSERT INTO card_refund (id, payment_id, amount, reason, state, created_at, updated_at)"
        " VALUES (%s, %s, 100, 'test', 'succeeded', now(), now())",
        refund_id,
        paid.payment,
    )
    return paid.payment


def hold_not_captured(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    broken(owner, "UPDATE points_hold SET state = 'active', resolved_at = NULL WHERE order_number = %s",
           paid.number)  # fmt: skip
    return paid.number


def declined_and_held(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway, "pm_card_chargeDeclined")
    broken(owner, "UPDATE orders SET status = 'payment_pending' WHERE number = %s", paid.number)
    broken(owner, "UPDATE points_hold SET state = 'active', resolved_at = NULL WHERE order_number = %s",
           paid.number)  # fmt: skip
    return paid.number


def without_receipt(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    broken(owner, "DELETE FROM outbox WHERE dedupe_key = %s", f"mail:order_paid:{paid.number}:1")
    return paid.number


def pending_long(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway, "pm_sandbox_processing")
    broken(owner, "UPDATE payment SET created_at = now() - interval '16 minutes' WHERE id = %s", paid.payment)
    return paid.number


def hold_for_nothing(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway, "pm_card_chargeDeclined")
    broken(owner, "UPDATE points_hold SET state = 'active', resolved_at = NULL WHERE order_number = %s",
           paid.number)  # fmt: skip
    found = owner.execute("SELECT id FROM points_hold WHERE order_number = %s", (paid.number,)).fetchone()
    assert found is not None
    return str(found[0])


def lots_differ(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    customer_id = make_customer(points=1_000)
    broken(owner, "UPDATE points_account SET available = 1001 WHERE customer_id = %s", customer_id)
    return str(customer_id)


def stock_differs(gateway: SandboxGateway, peer: Gateway, owner: psycopg.Connection) -> str:
    paid = Paid(gateway)
    broken(owner, "UPDATE stock SET reserved = 1 WHERE variant_id = %s", paid.shopper.variant_id)
    return str(paid.shopper.variant_id)


SEEDS: list[tuple[Seed, str]] = [
    (orphan, "orphan_payment"),
    (only_here, "missing_at_gateway"),
    (other_amount, "payment_mismatch"),
    (other_currency, "payment_mismatch"),
    (refund_there, "refund_differs"),
    (refund_here, "refund_differs"),
    (hold_not_captured, "captured_not_settled"),
    (declined_and_held, "ended_hold_active"),
    (without_receipt, "paid_without_receipt"),
    (pending_long, "pending_too_long"),
    (hold_for_nothing, "hold_without_order"),
    (lots_differ, "ledger_lots_differ"),
    (stock_differs, "stock_reserved_differs"),
]


class Miscounting(SandboxGateway):
    """Pays out a cent less than its rows add up to."""

    def fetch_report(self, day: date) -> DayReport | Unknown:
        report = super().fetch_report(day)
        assert isinstance(report, DayReport)
        return replace(report, net={currency: net - 1 for currency, net in report.net.items()})


class Large(SandboxGateway):
    """A gateway whose report of the day is ours, ten thousand payments long."""

    rows: tuple[ReportRow, ...] = ()

    def fetch_report(self, day: date) -> DayReport | Unknown:
        return DayReport(day, self.rows, {"HKD": sum(row.net for row in self.rows)})
