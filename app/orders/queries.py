"""Orders as shoppers, clients and mails see them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_

from app.kernel.database import count_up_to, session
from app.kernel.money import Money
from app.kernel.pagination import MAX_TOTAL, Page, decode_cursor, id_in, moment_in, page_of
from app.orders.errors import OrderNotFound
from app.orders.models import Order, OrderEvent, OrderLine, OrderRefund
from app.orders.refund_views import RefundRow, RefundView, list_rows, views_of
from app.orders.states import CANCELLABLE, PAYMENT_STATUS


@dataclass(frozen=True, slots=True)
class LineView:
    """`points` and `card` are the line's parts of what was paid, its share of delivery included."""

    sku: str
    slug: str
    name: str
    options: list[str]
    image_url: str | None
    quantity: int
    unit_price: Money
    total: Money
    points: int
    points_value: Money
    card: Money
    refunded_quantity: int

    @property
    def paid(self) -> Money:
        """What points and card paid for the line together."""
        return self.points_value + self.card

    @property
    def extras(self) -> Money:
        """Its share of delivery and tax."""
        return self.paid - self.total


@dataclass(frozen=True, slots=True)
class EventView:
    at: datetime
    event: str
    text: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order, complete (api.md, Orders). `failure_code`: why its payment failed, while that is how it stands."""

    id: uuid.UUID
    customer_id: uuid.UUID
    number: str
    status: str
    payment_status: str
    placed_at: datetime
    updated_at: datetime
    items_total: Money
    shipping: Money
    tax: Money
    total: Money
    points: int
    points_value: Money
    card_charged: Money
    card_due: Money
    points_earned: int
    rules_version: int
    shipping_method: str
    email: str
    address: dict[str, Any]
    failure_code: str | None
    can_cancel: bool
    attempt: int
    lines: Sequence[LineView] = field(default_factory=list)
    refunds: Sequence[RefundView] = field(default_factory=list)
    timeline: Sequence[EventView] = field(default_factory=list)


def get_order_view(number: str, *, customer_id: uuid.UUID | None = None) -> OrderView:
    """Four statements. With `customer_id`, somebody else's order is not found. Raises OrderNotFound."""
    statement = select(Order).where(Order.number == number)
    if customer_id is not None:
        statement = statement.where(Order.customer_id == customer_id)
    order = session().scalars(statement.execution_options(populate_existing=True)).first()
    if order is None:
        raise OrderNotFound("There is no such order.")
    return _view(order, _lines([order.id]), list_rows([order.id]), _events(order.id))


def list_orders(
    customer_id: uuid.UUID, *, cursor: str | None = None, limit: int, with_total: bool = False
) -> Page[OrderView]:
    """A customer's orders, newest first, with lines and refunds but without timelines; three statements.

    Raises RuleBroken `CURSOR_INVALID`.
    """
    filters = {"customer": str(customer_id)}
    statement = select(Order).where(Order.customer_id == customer_id)
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    key = tuple_(Order.placed_at, Order.id)
    if cursor is not None:
        (placed_at, order_id), backwards = decode_cursor(cursor, filters=filters, width=2)
        edge = tuple_(moment_in(placed_at), id_in(order_id))
        statement = statement.where(key > edge if backwards else key < edge)
    order_by = (Order.placed_at, Order.id) if backwards else (Order.placed_at.desc(), Order.id.desc())
    rows = list(session().scalars(statement.order_by(*order_by).limit(limit + 1)))
    page = page_of(
        rows, limit=limit, key=_key, filters=filters, backwards=backwards, first=cursor is None, total=total
    )
    ids_ = [order.id for order in page.items]
    lines, refunds = _lines(ids_), list_rows(ids_)
    return page.showing(lambda order: _view(order, lines, refunds, []))


def get_refund(refund_id: uuid.UUID) -> OrderRefund:
    """One refund in both tenders. Raises OrderNotFound."""
    refund = session().get(OrderRefund, refund_id, populate_existing=True)
    if refund is None:
        raise OrderNotFound("There is no such refund.")
    return refund


def newest_refund(order_id: uuid.UUID) -> OrderRefund:
    """Raises OrderNotFound when the order has none."""
    statement = select(OrderRefund).where(OrderRefund.order_id == order_id)
    refund = session().scalars(statement.order_by(OrderRefund.created_at.desc()).limit(1)).first()
    if refund is None:
        raise OrderNotFound("The order has no refund.")
    return refund


def find_number(customer_id: uuid.UUID, *, checkout_key: str) -> str | None:
    """The number of the order that a checkout became."""
    return session().scalar(
        select(Order.number).where(Order.customer_id == customer_id, Order.checkout_key == checkout_key)
    )


def _key(order: Order) -> list[str]:
    return [order.placed_at.isoformat(), str(order.id)]


def _lines(order_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[OrderLine]]:
    grouped: dict[uuid.UUID, list[OrderLine]] = {order_id: [] for order_id in order_ids}
    if order_ids:
        statement = select(OrderLine).where(OrderLine.order_id.in_(order_ids))
        ordered = statement.order_by(OrderLine.order_id, OrderLine.position)
        for line in session().scalars(ordered.execution_options(populate_existing=True)):
            grouped[line.order_id].append(line)
    return grouped


def _events(order_id: uuid.UUID) -> list[EventView]:
    rows = session().execute(
        select(OrderEvent.at, OrderEvent.event, OrderEvent.text)
        .where(OrderEvent.order_id == order_id)
        .order_by(OrderEvent.at, OrderEvent.id)
    )
    return [EventView(*row) for row in rows]


def _view(
    order: Order,
    lines: dict[uuid.UUID, list[OrderLine]],
    refunds: dict[uuid.UUID, list[RefundRow]],
    timeline: list[EventView],
) -> OrderView:
    def money(amount: int) -> Money:
        return Money(amount, order.currency)

    charged = order.card_due if order.paid_at is not None else 0
    return OrderView(
        id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        status=order.status,
        payment_status=PAYMENT_STATUS[order.status],
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        items_total=money(order.items_total),
        shipping=money(order.shipping),
        tax=money(order.tax),
        total=money(order.total),
        points=order.points,
        points_value=money(order.points_value),
        card_charged=money(charged),
        card_due=money(order.card_due),
        points_earned=order.earn_points if order.paid_at is not None else 0,
        rules_version=order.rules_version,
        shipping_method=order.shipping_method,
        email=order.email,
        address=order.address,
        failure_code=order.failure_code if order.status == "payment_failed" else None,
        can_cancel=order.status in CANCELLABLE,
        attempt=order.attempt,
        lines=[_line(line, order.currency) for line in lines[order.id]],
        refunds=views_of(refunds[order.id], order.currency),
        timeline=timeline,
    )


def _line(line: OrderLine, currency: str) -> LineView:
    return LineView(
        sku=line.sku,
        slug=line.slug,
        name=line.name,
        options=line.options,
        image_url=line.image_url,
        quantity=line.quantity,
        unit_price=Money(line.unit_price, currency),
        total=Money(line.total, currency),
        points=line.points,
        points_value=Money(line.points_value, currency),
        card=Money(line.card, currency),
        refunded_quantity=line.refunded_quantity,
    )
