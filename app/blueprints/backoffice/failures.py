"""Payments that failed, or that nobody knows about: whose, and why in plain words."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sqlalchemy import or_, select

from app.accounts.models import Customer
from app.blueprints.backoffice.cells import NOTHING, amount, link, moment, order_link
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.lists import Column, StaffList
from app.payments import failures
from app.payments.models import Payment

REASONS = {
    "CARD_DECLINED": "The bank declined the card",
    "CARD_INSUFFICIENT_FUNDS": "Not enough money on the card",
    "CARD_EXPIRED": "The card has expired",
    "PAYMENT_CANCELED": "Cancelled, or given up at the bank’s page",
    "PAYMENT_UNCLEAR": "Nobody knows yet; the gateway is being asked",
}


def _look(row: Any) -> Markup:
    """Said in full to whoever hears the links one after the other."""
    return Markup('Look<span class="visually-hidden"> at the payment of {}</span>').format(row.reference)


class Failures(StaffList):
    permission = "payments.read"
    title = "Failed payments"
    hint = "Order number, e-mail or gateway reference"
    empty = "No payment has failed."
    columns = {
        "reference": Column("Order", lambda row: order_link(row.reference)),
        "at": Column("When (UTC)", lambda row: moment(row.updated_at), Payment.updated_at),
        "customer": Column(
            "Customer",
            lambda row: link(row.name or row.email, "admin_customers.show", customer_id=row.customer_id),
        ),
        "reason": Column("Reason", lambda row: REASONS[row.reason]),
        "code": Column("In the gateway’s words", lambda row: row.decline_code or row.last_error or NOTHING),
        "amount": Column(
            "Amount", lambda row: amount(row.amount, row.currency), Payment.amount, is_number=True
        ),
        "payment": Column("Payment", lambda row: link(_look(row), "admin_payments.show", payment_id=row.id)),
    }
    order_by = (Payment.updated_at.desc(), Payment.id.desc())
    narrow = (Choice("reason", "Reason", failures.REASON, REASONS), *days(Payment.updated_at))

    def statement(self) -> Rows:
        names = "id reference updated_at customer_id decline_code last_error amount currency"
        columns = [getattr(Payment, name) for name in names.split()]
        statement = select(*columns, failures.REASON.label("reason"), Customer.name, Customer.email)
        joined = statement.join(Customer, Customer.id == Payment.customer_id)
        return joined.where(Payment.state.in_(failures.FAILED))

    def search(self, statement: Rows, term: str) -> Rows:
        found = (
            Payment.reference == term.upper(),
            Payment.gateway_ref == term,
            Customer.email == term.lower(),
        )
        return statement.where(or_(*found))
