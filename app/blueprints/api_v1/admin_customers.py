"""Customers, for staff."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from flask import Blueprint
from msgspec import Meta, Struct

from app.accounts import queries as accounts
from app.accounts.queries import Person
from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, Points, answer, listing
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.api_v1.order_shapes import Order
from app.orders import queries as orders
from app.rewards import queries as rewards
from app.rewards.models import PointsLot
from app.rewards.queries.lots import list_lots
from app.rewards.rules import last_day

bp = Blueprint("admin_customers", __name__, url_prefix="/admin/customers")
RECENT = 10
Term = Annotated[str, Meta(min_length=1, max_length=200)]


class CustomerQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """`q`: part of the e-mail address or the name, or the id."""

    q: Term | None = None


class CustomerRow(Struct):
    id: uuid.UUID
    email: str
    name: str
    role: str
    is_active: bool
    created_at: datetime

    @classmethod
    def of(cls, person: Person) -> CustomerRow:
        return cls(*(getattr(person, name) for name in cls.__struct_fields__))


class CustomerBalance(Struct):
    available: Points
    held: Points
    pending: Points
    owed: Points
    lifetime_earned: Points
    tier: str


class CustomerHold(Struct):
    order_number: str
    points: Points
    expires_at: datetime
    created_at: datetime


class Lot(Struct):
    """Points of one origin with one expiry; listed in the order in which they are spent."""

    origin: str
    granted: Points
    available: Points
    held: Points
    expires_on: date | None
    created_at: datetime

    @classmethod
    def of(cls, lot: PointsLot) -> Lot:
        expires_on = last_day(lot.expires_at) if lot.expires_at else None
        return cls(lot.origin_type, lot.granted, lot.available, lot.held, expires_on, lot.created_at)


class CustomerDetail(Struct):
    """`orders`: the latest ten, without timelines."""

    customer: CustomerRow
    balance: CustomerBalance
    holds: list[CustomerHold]
    lots: list[Lot]
    orders: list[Order]


@bp.get("")
@endpoint(
    "Find customers",
    query=CustomerQuery,
    returns={200: Listing[CustomerRow]},
    auth="staff",
    permission="customers.read",
    errors=["CURSOR_INVALID"],
)
def list_customers(query: CustomerQuery) -> Answer:
    page = accounts.list_customers(
        text=query.q or "", cursor=query.cursor, limit=query.size, with_total=query.total
    )
    return answer(listing(page, CustomerRow.of))


@bp.get("/<uuid:customer_id>")
@endpoint(
    "One customer: balance, holds, lots, recent orders",
    returns={200: CustomerDetail},
    auth="staff",
    permission="customers.read",
)
def show_customer(customer_id: uuid.UUID) -> Answer:
    person = accounts.get_customer(customer_id)
    balance = rewards.get_balance(customer_id)
    holds = rewards.list_holds(customer_id)
    return answer(
        CustomerDetail(
            customer=CustomerRow.of(person),
            balance=CustomerBalance(*(getattr(balance, name) for name in CustomerBalance.__struct_fields__)),
            holds=[CustomerHold(*(getattr(h, n) for n in CustomerHold.__struct_fields__)) for h in holds],
            lots=[Lot.of(lot) for lot in list_lots(customer_id)],
            orders=[Order.of(order) for order in orders.list_orders(customer_id, limit=RECENT).items],
        )
    )
