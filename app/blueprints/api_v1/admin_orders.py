"""Everybody's orders, for staff: find them, move them, give them back."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from flask import Blueprint
from msgspec import Meta, Struct

from app.blueprints.api_v1.answers import Answer, Listing, Money, PageQuery, Points, answer, listing
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.api_v1.idempotent import IdempotentRequest, once
from app.blueprints.api_v1.order_shapes import Order, Status
from app.blueprints.common.actors import actor_from_request
from app.checkout import refund as refunds
from app.kernel.database import run_atomically
from app.kernel.money import Money as KernelMoney
from app.orders import queries
from app.orders.rules import RefundPlan
from app.orders.service import moving
from app.orders.staff_queries import OrderRow, list_for_staff

bp = Blueprint("admin_orders", __name__, url_prefix="/admin/orders")

Strategy = Literal["proportional", "card_first", "points_first"]


class OrderQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """`q`: an order number, or the beginning of an e-mail address."""

    status: Status | None = None
    q: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class StaffOrder(Struct):
    """One line of the list; `GET /admin/orders/{number}` has everything."""

    number: str
    status: Status
    customer_id: uuid.UUID
    email: str
    placed_at: datetime
    total: Money
    points: Points
    points_value: Money
    card_due: Money

    @classmethod
    def of(cls, row: OrderRow) -> StaffOrder:
        def money(amount: int) -> Money:
            return Money.of(KernelMoney(amount, row.currency))

        return cls(
            number=row.number,
            status=row.status,  # type: ignore[arg-type]
            customer_id=row.customer_id,
            email=row.email,
            placed_at=row.placed_at,
            total=money(row.total),
            points=row.points,
            points_value=money(row.points_value),
            card_due=money(row.card_due),
        )


class StatusBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`packed`, `shipped` or `delivered`; every other status follows from money or points."""

    status: Status


class RefundLine(Struct, kw_only=True, forbid_unknown_fields=True):
    sku: Annotated[str, Meta(min_length=1, max_length=255)]
    quantity: Annotated[int, Meta(ge=1, le=10_000)]


class RefundBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`lines` left out: all that is left of the order, delivery included. `preview`: compute, change nothing."""

    lines: Annotated[list[RefundLine], Meta(min_length=1, max_length=500)] | None = None
    strategy: Strategy = "proportional"
    reason: Annotated[str, Meta(max_length=500)]
    preview: bool = False


class RefundedLine(Struct):
    sku: str
    quantity: int
    points: Points
    points_value: Money
    card: Money
    clawback: Points


class RefundOut(Struct):
    """What goes back, and `clawback`, the earned points that the customer loses, the bonus of a first order included.
    A line's own `clawback` is what it has earned no longer, expired points included. `id` and `state` (`done`,
    `running` while the card part is on its way, `stuck`) are null in a preview."""

    order_number: str
    strategy: Strategy
    points: Points
    points_value: Money
    card: Money
    clawback: Points
    lines: list[RefundedLine]
    id: uuid.UUID | None = None
    state: str | None = None


@bp.get("")
@endpoint(
    "Orders, newest first",
    query=OrderQuery,
    returns={200: Listing[StaffOrder]},
    auth="staff",
    permission="orders.read",
    errors=["CURSOR_INVALID"],
)
def list_orders(query: OrderQuery) -> Answer:
    page = list_for_staff(
        status=query.status, q=query.q, cursor=query.cursor, limit=query.size, with_total=query.total
    )
    return answer(listing(page, StaffOrder.of))


@bp.get("/<number>")
@endpoint("Any order", returns={200: Order}, auth="staff", permission="orders.read")
def show_order(number: str) -> Answer:
    return answer(Order.of(queries.get_order_view(number)))


@bp.patch("/<number>")
@endpoint(
    "Move an order along",
    body=StatusBody,
    returns={200: Order},
    auth="staff",
    permission="orders.move",
    errors=["NOTHING_TO_SEND", "TRANSITION_INVALID"],
)
def move_order(number: str, body: StatusBody) -> Answer:
    actor = actor_from_request()
    run_atomically(lambda: moving.move_by_staff(number=number, to=body.status, actor=actor))
    return answer(Order.of(queries.get_order_view(number)), message=f"The order is {body.status}.")


@bp.post("/<number>/refunds")
@endpoint(
    "Give an order back, whole or in part",
    body=RefundBody,
    returns={200: RefundOut, 201: RefundOut},
    auth="staff",
    permission="orders.refund",
    idempotent=True,
    errors=["ORDER_NOT_REFUNDABLE", "NOTHING_TO_REFUND", "PAYMENT_DISPUTED"],
)
def refund_order(number: str, body: RefundBody, key: IdempotentRequest) -> Answer:
    """200: a preview, whatever its key. 201: the refund was made."""
    lines = None if body.lines is None else [(line.sku, line.quantity) for line in body.lines]
    if body.preview:
        plan = refunds.preview(number=number, lines=lines, strategy=body.strategy)
        currency = queries.get_order_view(number).total.currency
        return answer(_of_plan(number, plan, currency), message="Nothing was changed.")
    actor = actor_from_request()

    def work() -> Answer:
        made = refunds.refund(
            number=number,
            lines=lines,
            strategy=body.strategy,
            reason=body.reason,
            idem_key=f"api:{key.customer_id}:{key.key}",
            actor=actor,
        )
        return answer(_of_refund(made), status=201, message="The refund was made.")

    return once(key, work)


def _of_plan(number: str, plan: RefundPlan, currency: str) -> RefundOut:
    def money(amount: int) -> Money:
        return Money.of(KernelMoney(amount, currency))

    lines = [
        RefundedLine(
            sku=line.sku,
            quantity=line.quantity,
            points=line.give.points,
            points_value=money(line.give.points_value),
            card=money(line.give.card),
            clawback=line.clawback,
        )
        for line in plan.lines
    ]
    give = plan.give
    value, card = money(give.points_value), money(give.card)
    return RefundOut(number, plan.strategy, give.points, value, card, plan.clawback, lines)


def _of_refund(made: refunds.Refunded) -> RefundOut:
    return RefundOut(
        order_number=made.order_number,
        strategy=made.strategy,  # type: ignore[arg-type]
        points=made.points,
        points_value=Money.of(made.points_value),
        card=Money.of(made.card),
        clawback=made.clawback,
        lines=_refunded_lines(made),
        id=made.id,
        state=made.state,
    )


def _refunded_lines(made: refunds.Refunded) -> list[RefundedLine]:
    def money(amount: int) -> Money:
        return Money.of(KernelMoney(amount, made.card.currency))

    return [
        RefundedLine(
            sku=line["sku"],
            quantity=line["quantity"],
            points=line["points"],
            points_value=money(line["points_value"]),
            card=money(line["card"]),
            clawback=line["clawback"],
        )
        for line in made.lines
    ]
