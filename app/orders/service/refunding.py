"""Record a refund of an order, and close it when the card side is done."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, insert, select, update

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.orders.errors import OrderNotFound
from app.orders.models import Order, OrderLine, OrderRefund
from app.orders.rules import LinePaid, RefundPlan, Tenders

UNWANTED = "unwanted:"
CANCEL = "cancel"
"""The key of the refund that a cancel makes: one an order."""
ANEW = "anew:"
"""Of the key of a refund that gives back nothing more of the order, but again what an earlier one had counted on."""


def record(
    *,
    order_id: uuid.UUID,
    idem_key: str,
    reason: str,
    strategy: str,
    points: int,
    points_value: int,
    card: int,
    lines: list[dict[str, Any]],
    card_refund_id: uuid.UUID | None,
    actor: Actor,
    clawback: int = 0,
) -> uuid.UUID:
    """Store it as running while the card part is on its way, as done without one; its id."""
    now = clock.now()
    refund_id = ids.uuid7()
    session().execute(
        insert(OrderRefund).values(
            id=refund_id,
            order_id=order_id,
            idem_key=idem_key,
            reason=reason,
            strategy=strategy,
            points=points,
            points_value=points_value,
            card=card,
            clawback=clawback,
            lines=lines,
            card_refund_id=card_refund_id,
            state="running" if card_refund_id else "done",
            requested_by=actor.name,
            created_at=now,
            done_at=None if card_refund_id else now,
        )
    )
    return refund_id


def count_back(*, order_id: uuid.UUID, plan: RefundPlan) -> None:
    """Add a refund's parts to what has come back of the order and its lines.

    The database refuses more than was paid, and three sums that differ (migration 0010).
    """
    for part in plan.lines:
        session().execute(
            update(OrderLine)
            .where(OrderLine.order_id == order_id, OrderLine.sku == part.sku)
            .values(
                refunded_quantity=OrderLine.refunded_quantity + part.quantity,
                refunded_points=OrderLine.refunded_points + part.give.points,
                refunded_points_value=OrderLine.refunded_points_value + part.give.points_value,
                refunded_card=OrderLine.refunded_card + part.give.card,
                refunded_earned=OrderLine.refunded_earned + part.clawback,
            )
        )
    session().execute(
        update(Order)
        .where(Order.id == order_id)
        .values(
            refunded_points=Order.refunded_points + plan.give.points,
            refunded_points_value=Order.refunded_points_value + plan.give.points_value,
            refunded_card=Order.refunded_card + plan.give.card,
            updated_at=clock.now(),
        )
    )


def list_lines_paid(order_id: uuid.UUID) -> Sequence[LinePaid]:
    """The lines as they were paid and what has come back of them; lock the order first to act on it."""
    rows = session().execute(
        select(OrderLine.__table__).where(OrderLine.order_id == order_id).order_by(OrderLine.position)
    )
    return [
        LinePaid(
            sku=row.sku,
            quantity=row.quantity,
            unit_price=row.unit_price,
            extras=row.extras,
            paid=Tenders(row.points, row.points_value, row.card),
            earn_points=row.earn_points,
            back_quantity=row.refunded_quantity,
            back=Tenders(row.refunded_points, row.refunded_points_value, row.refunded_card),
            back_earned=row.refunded_earned,
        )
        for row in rows
    ]


def find_by_key(order_id: uuid.UUID, idem_key: str) -> OrderRefund | None:
    """The refund that this key made before."""
    statement = select(OrderRefund).where(OrderRefund.order_id == order_id, OrderRefund.idem_key == idem_key)
    return session().scalars(statement.execution_options(populate_existing=True)).one_or_none()


def unwanted_key(payment_id: uuid.UUID) -> str:
    """The key of the refund of a payment that the order did not want."""
    return f"{UNWANTED}{payment_id}"


def list_unwanted_payments(order_id: uuid.UUID) -> Collection[uuid.UUID]:
    """Payments that came without an order to pay for; their money goes back by itself."""
    statement = select(OrderRefund.idem_key).where(
        OrderRefund.order_id == order_id, OrderRefund.idem_key.startswith(UNWANTED)
    )
    return {uuid.UUID(key.removeprefix(UNWANTED)) for key in session().scalars(statement)}


def count_units_left(order_id: uuid.UUID) -> int:
    """How much of what was bought has not been given back."""
    left = func.sum(OrderLine.quantity - OrderLine.refunded_quantity)
    return session().scalar(select(left).where(OrderLine.order_id == order_id)) or 0


def list_refunds(order_id: uuid.UUID) -> Sequence[OrderRefund]:
    """All of an order as they are now, oldest first; lock the order first to act on it."""
    statement = select(OrderRefund).where(OrderRefund.order_id == order_id)
    ordered = statement.order_by(OrderRefund.created_at, OrderRefund.id)
    return session().scalars(ordered.execution_options(populate_existing=True)).all()


def is_all_done(order_id: uuid.UUID) -> bool:
    """No refund of the order is still on its way, or stuck."""
    waiting = select(OrderRefund.id).where(OrderRefund.order_id == order_id, OrderRefund.state != "done")
    return session().scalar(waiting.limit(1)) is None


def is_settled(order_id: uuid.UUID) -> bool:
    """Everything of the order has come back, and no card refund is still on its way."""
    return count_units_left(order_id) == 0 and is_all_done(order_id)


def lock_refund(order_id: uuid.UUID, refund_id: uuid.UUID) -> OrderRefund:
    """The refund of this order, its row locked; the order's lock comes first. Raises OrderNotFound."""
    statement = select(OrderRefund).where(OrderRefund.order_id == order_id, OrderRefund.id == refund_id)
    locked = statement.with_for_update().execution_options(populate_existing=True)
    refund = session().scalars(locked).one_or_none()
    if refund is None:
        raise OrderNotFound("The order has no such refund.")
    return refund


def lock_by_card_refund(card_refund_id: uuid.UUID) -> OrderRefund | None:
    """The refund whose card part this is, its row locked; the order's lock comes first."""
    statement = select(OrderRefund).where(OrderRefund.card_refund_id == card_refund_id).with_for_update()
    return session().scalars(statement.execution_options(populate_existing=True)).one_or_none()
