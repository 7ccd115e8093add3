"""Orders as they were priced: what recomputing and simulating start from."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, exists, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from app.kernel.database import session
from app.orders.models import Order, OrderLine
from app.rewards.models import PointsEarning, PointsHold

BATCH = 500
ENDED = ("cancelled", "refunded")


@dataclass(frozen=True, slots=True)
class PricedLine:
    """As `OrderLine`; minor units and points."""

    slug: str
    brand: str
    category: str
    quantity: int
    total: int
    extras: int
    points: int
    points_value: int
    card: int
    earn_points: int


@dataclass(frozen=True, slots=True)
class PricedOrder:
    """As `Order`; `priced_at` is when the rules were applied to it, `held_at` when the points that it spent were held:
    later than `placed_at` where the first payment failed and another one paid.

    `is_first`: when it was paid, the customer had paid no other that still stood. `first_order_bonus`: the points
    that were booked for that, None where the booking is another order's by now or was never made.
    """

    id: uuid.UUID
    number: str
    customer_id: uuid.UUID
    placed_at: datetime
    held_at: datetime
    is_first: bool
    first_order_bonus: int | None
    tier: str
    priced_at: datetime
    rules_version: int
    total: int
    points: int
    points_value: int
    card_due: int
    earn_points: int
    lines: Sequence[PricedLine]


_other = aliased(Order)
# an order that has ended is moved no more: its last change is its end
_IS_FIRST = ~exists().where(
    _other.customer_id == Order.customer_id,
    _other.id != Order.id,
    _other.paid_at < Order.paid_at,
    or_(_other.status.not_in(ENDED), _other.updated_at > Order.paid_at),
)
_BONUS = (
    select(PointsEarning.points)
    .where(
        PointsEarning.source_type == "first_order",
        PointsEarning.source_id == cast(Order.customer_id, Text),
        PointsEarning.order_number == Order.number,
    )
    .scalar_subquery()
)
_HELD_AT = (
    select(func.max(PointsHold.created_at))
    .where(PointsHold.order_id == Order.id, PointsHold.state == "captured")
    .scalar_subquery()
)
_COLUMNS: tuple[Any, ...] = (
    Order.id,
    Order.number,
    Order.customer_id,
    Order.placed_at,
    func.coalesce(_HELD_AT, Order.placed_at).label("held_at"),
    _IS_FIRST.label("is_first"),
    _BONUS.label("first_order_bonus"),
    Order.tier,
    func.coalesce(Order.priced_at, Order.placed_at).label("priced_at"),
    Order.rules_version,
    Order.total,
    Order.points,
    Order.points_value,
    Order.card_due,
    Order.earn_points,
)


def iterate_paid(*, since: datetime, until: datetime | None = None) -> Iterator[PricedOrder]:
    """Orders placed since then (and before `until`) that were paid, oldest first, in batches of two statements."""
    paid = (Order.placed_at >= since) & Order.paid_at.is_not(None)
    if until is not None:
        paid &= Order.placed_at < until
    batch = _read(paid, limit=BATCH)
    while batch:
        yield from (order for _, order in batch)
        (placed_at, last), _ = batch[-1]
        batch = _read(paid & (tuple_(Order.placed_at, Order.id) > (placed_at, last)), limit=BATCH)


def is_first(order_id: uuid.UUID) -> bool:
    """The customer has paid no other order that still stands."""
    other = aliased(Order)
    others = exists().where(
        other.customer_id == Order.customer_id,
        other.id != Order.id,
        other.paid_at.is_not(None),
        other.status.not_in(ENDED),
    )
    return bool(session().scalar(select(~others).where(Order.id == order_id)))


def has_ordered(customer_id: uuid.UUID) -> bool:
    """The customer has paid an order that still stands: the next one is not the first."""
    standing = exists().where(
        Order.customer_id == customer_id, Order.paid_at.is_not(None), Order.status.not_in(ENDED)
    )
    return bool(session().scalar(select(standing)))


def _read(
    condition: ColumnElement[bool], *, limit: int
) -> list[tuple[tuple[datetime, uuid.UUID], PricedOrder]]:
    ordered = select(*_COLUMNS).where(condition).order_by(Order.placed_at, Order.id)
    rows = session().execute(ordered.limit(limit)).all()
    lines: dict[uuid.UUID, list[PricedLine]] = {row.id: [] for row in rows}
    columns = [getattr(OrderLine, name) for name in PricedLine.__dataclass_fields__]
    wanted = select(OrderLine.order_id, *columns).where(OrderLine.order_id.in_(list(lines)))
    for order_id, *parts in session().execute(wanted.order_by(OrderLine.order_id, OrderLine.position)):
        lines[order_id].append(PricedLine(*parts))
    return [((row.placed_at, row.id), _order(row, lines[row.id])) for row in rows]


def _order(row: Row[*tuple[Any, ...]], lines: Sequence[PricedLine]) -> PricedOrder:
    named = {column: getattr(row, column) for column in PricedOrder.__dataclass_fields__ if column != "lines"}
    return PricedOrder(**named, lines=lines)
