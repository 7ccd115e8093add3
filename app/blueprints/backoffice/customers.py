"""Customers: found by mail, name or order, and then one screen that answers "where are my points?"."""

from __future__ import annotations

import uuid

from sqlalchemy import func, or_, select

from app.accounts import queries, rules
from app.accounts import service as accounts
from app.accounts.models import Customer
from app.blueprints.backoffice.access import action, page, reader_may
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, perform, refused, typed
from app.blueprints.backoffice.cells import badge, link, moment, points, words
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.lists import Column, StaffList, begins, contains
from app.blueprints.backoffice.one_customer import everything_about
from app.blueprints.common.actors import actor_from_request, current_person
from app.kernel.errors import RuleBroken, invalid
from app.orders.models import Order
from app.payments.models import Payment
from app.rewards.models import PointsAccount

ROLES = {role: words(role) for role in rules.ROLES}


class Customers(StaffList):
    permission = "customers.read"
    title = "Customers"
    hint = "E-mail, name, order number or gateway reference"
    empty = "Nobody matches. Try the beginning of the e-mail address, or an order number."
    columns = {
        "name": Column("Name", lambda row: link(row.name, "admin_customers.show", customer_id=row.id)),
        "email": Column("E-mail", lambda row: row.email),
        "role": Column("Role", lambda row: words(row.role)),
        "is_active": Column("Account", lambda row: badge("active" if row.is_active else "deactivated")),
        "available": Column("{points}", lambda row: points(row.available), is_number=True),
        "created_at": Column("Since (UTC)", lambda row: moment(row.created_at), Customer.id),
    }
    order_by = (Customer.id.desc(),)
    narrow = (
        Choice("role", "Role", Customer.role, ROLES),
        Choice("active", "Account", Customer.is_active, {"true": "Active", "false": "Deactivated"}),
        *days(Customer.created_at),
    )

    def statement(self) -> Rows:
        available = select(PointsAccount.available).where(PointsAccount.customer_id == Customer.id)
        return select(
            Customer.id,
            Customer.name,
            Customer.email,
            Customer.role,
            Customer.is_active,
            Customer.created_at,
            func.coalesce(available.scalar_subquery(), 0).label("available"),
        )

    def search(self, statement: Rows, term: str) -> Rows:
        ordered = select(Order.customer_id).where(Order.number == term.upper())
        paid = select(Payment.customer_id).where(Payment.gateway_ref == term)
        found = [
            func.lower(Customer.email).like(begins(term), escape="\\"),
            func.lower(Customer.name).like(contains(term), escape="\\"),
            Customer.id.in_(ordered),
            Customer.id.in_(paid),
        ]
        return statement.where(or_(*found))

    @page("/<uuid:customer_id>")
    def show(self, customer_id: uuid.UUID) -> str:
        return self._page(customer_id)

    @action("/<uuid:customer_id>/deactivate", permission="users.edit")
    def deactivate(self, customer_id: uuid.UUID) -> Answer:
        return self._switch(
            customer_id, "deactivate", "The account is deactivated and signed out everywhere."
        )

    @action("/<uuid:customer_id>/reactivate", permission="users.edit")
    def reactivate(self, customer_id: uuid.UUID) -> Answer:
        return self._switch(customer_id, "reactivate", "The account is active again.")

    @action("/<uuid:customer_id>/role", permission="users.edit")
    def change_role(self, customer_id: uuid.UUID) -> Answer:
        again = lambda tried: self._page(customer_id, tried)  # noqa: E731
        try:
            reason = _reason()
        except RuleBroken as error:
            return refused(error, form="role", again=again)
        role = typed("role")
        return perform(
            lambda: accounts.change_role(
                actor=actor_from_request(), customer_id=customer_id, role=role, reason=reason
            ),
            form="role",
            done=f"The role is {words(role).lower()} now. Whoever it is has to sign in again.",
            back=self.get_url(".show", customer_id=customer_id),
            again=again,
        )

    def _switch(self, customer_id: uuid.UUID, verb: str, done: str) -> Answer:
        again = lambda tried: self._page(customer_id, tried)  # noqa: E731
        try:
            reason = _reason()
        except RuleBroken as error:
            return refused(error, form=verb, again=again)
        act = accounts.deactivate if verb == "deactivate" else accounts.reactivate
        return perform(
            lambda: act(actor=actor_from_request(), customer_id=customer_id, reason=reason),
            form=verb,
            done=done,
            back=self.get_url(".show", customer_id=customer_id),
            again=again,
        )

    def _page(self, customer_id: uuid.UUID, tried: Attempt = NOTHING_TRIED) -> str:
        reader = current_person()
        assert reader is not None
        about = everything_about(queries.get_customer(customer_id), reader_may)
        is_self = reader.id == customer_id
        return self.render("admin/customer.html", about=about, roles=ROLES, tried=tried, is_self=is_self)


def _reason() -> str:
    reason = typed("reason")
    if not 5 <= len(reason) <= 500:
        raise invalid("reason", "REASON_INVALID", "Say why, in 5 to 500 characters.")
    return reason
