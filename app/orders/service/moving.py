"""Move an order along its state table: one setter, and the row lock that every mover takes first."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update

from app.audit import service as audit
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import Conflict
from app.orders.errors import NothingToSend, OrderNotFound
from app.orders.models import Order
from app.orders.service.refunding import count_units_left
from app.orders.service.story import tell
from app.orders.states import ORDER, SENDS, STAFF_MOVES
from app.outbox import service as outbox
from app.outbox.service import MAIL_QUEUE, Job
from app.rewards.queries import rules_of_version
from app.rewards.service import earning


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """What deciding needs, read under the row lock. Amounts in minor units."""

    id: uuid.UUID
    number: str
    customer_id: uuid.UUID
    status: str
    placed_at: datetime
    currency: str
    items_total: int
    total: int
    points: int
    points_value: int
    card_due: int
    earn_points: int
    rules_version: int
    attempt: int
    email: str
    earn_breakdown: list[dict[str, Any]]
    tier: str
    priced_at: datetime | None


_COLUMNS = [getattr(Order, name) for name in LockedOrder.__dataclass_fields__]


def lock_order(*, number: str, customer_id: uuid.UUID | None = None) -> LockedOrder:
    """The order, its row locked. With `customer_id`, somebody else's is not found. Raises OrderNotFound."""
    statement = select(*_COLUMNS).where(Order.number == number).with_for_update()
    if customer_id is not None:
        statement = statement.where(Order.customer_id == customer_id)
    return _order(statement)


def look_at_order(*, number: str) -> LockedOrder:
    """The same without the lock: to say what would be done, not to do it. Raises OrderNotFound."""
    return _order(select(*_COLUMNS).where(Order.number == number))


def _order(statement: Select[*tuple[Any, ...]]) -> LockedOrder:
    row = session().execute(statement).first()
    if row is None:
        raise OrderNotFound("There is no such order.")
    return LockedOrder(*row)


def move(
    *,
    order: LockedOrder,
    to: str,
    event: str,
    text: str,
    actor: Actor,
    data: dict[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Set the status of a locked order and tell its story. Raises Conflict `TRANSITION_INVALID`."""
    ORDER.check(order.status, to)
    now = clock.now()
    if to == "paid":
        columns["paid_at"] = now
    if to == "delivered":
        columns["delivered_at"] = now
    session().execute(update(Order).where(Order.id == order.id).values(status=to, updated_at=now, **columns))
    if to == "delivered":
        earning.restart_window(order_number=order.number, rules=rules_of_version(order.rules_version))
    tell(order_id=order.id, event=event, text=text, actor=actor, data=data)


def move_by_staff(*, number: str, to: str, actor: Actor) -> None:
    """Packed, shipped or delivered, in the audit log. Raises OrderNotFound, NothingToSend, and Conflict
    `TRANSITION_INVALID` for every other move."""
    order = lock_order(number=number)
    if to not in STAFF_MOVES:
        raise Conflict(
            f"This order is {order.status.replace('_', ' ')} and cannot become {to.replace('_', ' ')} by hand.",
            code="TRANSITION_INVALID",
            details={"from": order.status, "to": to},
        )
    ORDER.check(order.status, to)
    if to in SENDS and count_units_left(order.id) == 0:
        raise NothingToSend("Everything in this order has been given back: nothing is left to send.")
    move(order=order, to=to, event=to, text=f"Your order was {to}.", actor=actor)
    if to == "shipped":
        payload = {"order_number": number}
        job = Job("mail.order_shipped", f"mail:order_shipped:{number}", payload, queue=MAIL_QUEUE)
        outbox.add(job, request_id=actor.request_id)
    audit.record(
        actor=actor,
        action="order.moved",
        target_type="order",
        target_id=number,
        before={"status": order.status},
        after={"status": to},
    )
