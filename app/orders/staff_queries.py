"""Orders as staff look for them: everybody's, by status, number or address."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_

from app.accounts.models import Customer
from app.kernel.database import count_up_to, session
from app.kernel.pagination import MAX_TOTAL, Page, decode_cursor, id_in, moment_in, page_of
from app.orders.models import Order

_LIKE = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One line of a list. Amounts in minor units of `currency`."""

    id: uuid.UUID
    number: str
    customer_id: uuid.UUID
    email: str
    status: str
    currency: str
    total: int
    points: int
    points_value: int
    card_due: int
    placed_at: datetime


_COLUMNS = [getattr(Order, field.name) for field in fields(OrderRow)]


def select_orders() -> Select[Any]:
    """All orders with the columns of OrderRow."""
    return select(*_COLUMNS)


def is_found_by(term: str) -> ColumnElement[bool]:
    """The order's number, or the beginning of its customer's e-mail address."""
    pattern = f"{term.lower().translate(_LIKE)}%"
    people = select(Customer.id).where(func.lower(Customer.email).like(pattern, escape="\\"))
    return or_(Order.number == term.upper(), Order.customer_id.in_(people))


def list_for_staff(
    *,
    status: str | None = None,
    q: str | None = None,
    cursor: str | None = None,
    limit: int,
    with_total: bool = False,
) -> Page[OrderRow]:
    """Newest first. Raises RuleBroken `CURSOR_INVALID`."""
    filters = {"orders": "all", "status": status, "q": q}
    statement = select_orders()
    if status:
        statement = statement.where(Order.status == status)
    if q:
        statement = statement.where(is_found_by(q))
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    key = tuple_(Order.placed_at, Order.id)
    backwards = False
    if cursor is not None:
        (placed_at, order_id), backwards = decode_cursor(cursor, filters=filters, width=2)
        edge = tuple_(moment_in(placed_at), id_in(order_id))
        statement = statement.where(key > edge if backwards else key < edge)
    order_by = (Order.placed_at, Order.id) if backwards else (Order.placed_at.desc(), Order.id.desc())
    rows = session().execute(statement.order_by(*order_by).limit(limit + 1)).all()
    page = page_of(
        rows,
        limit=limit,
        key=lambda row: [row.placed_at.isoformat(), str(row.id)],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
        total=total,
    )
    return page.showing(lambda row: OrderRow(*row))
