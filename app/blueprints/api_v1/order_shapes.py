"""Orders and quotes as the API shows them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from msgspec import Struct

from app.blueprints.api_v1.answers import Money, Points
from app.checkout.rules import Quote
from app.kernel.money import Money as KernelMoney
from app.orders.queries import EventView, LineView, OrderView, RefundView

Status = Literal[
    "payment_pending",
    "paid",
    "packed",
    "shipped",
    "delivered",
    "payment_failed",
    "cancelled",
    "refunded",
    "needs_review",
]


class OrderLine(Struct):
    """`points` and `card` are the line's parts of what was paid, delivery included; they sum to the order's."""

    sku: str
    slug: str
    name: str
    options: list[str]
    quantity: int
    unit_price: Money
    total: Money
    points: Points
    card: Money
    refunded_quantity: int

    @classmethod
    def of(cls, line: LineView) -> OrderLine:
        return cls(
            sku=line.sku,
            slug=line.slug,
            name=line.name,
            options=line.options,
            quantity=line.quantity,
            unit_price=Money.of(line.unit_price),
            total=Money.of(line.total),
            points=line.points,
            card=Money.of(line.card),
            refunded_quantity=line.refunded_quantity,
        )


class Refund(Struct):
    points: Points
    card: Money
    state: str
    reason: str
    created_at: datetime

    @classmethod
    def of(cls, refund: RefundView) -> Refund:
        return cls(refund.points, Money.of(refund.card), refund.state, refund.reason, refund.created_at)


class Event(Struct):
    at: datetime
    event: str
    text: str

    @classmethod
    def of(cls, event: EventView) -> Event:
        return cls(event.at, event.event, event.text)


class ShippedTo(Struct):
    name: str
    line1: str
    line2: str | None
    city: str
    region: str | None
    postcode: str | None
    country: str
    phone: str | None


class Order(Struct):
    """`card_charged` is zero until the card was charged. `timeline` is empty in lists."""

    number: str
    status: Status
    payment_status: str
    placed_at: datetime
    lines: list[OrderLine]
    items_total: Money
    shipping: Money
    tax: Money
    total: Money
    points: Points
    points_value: Money
    card_due: Money
    card_charged: Money
    points_earned: Points
    rules_version: int
    shipping_method: str
    failure_code: str | None
    can_cancel: bool
    refunds: list[Refund]
    timeline: list[Event]
    address: ShippedTo

    @classmethod
    def of(cls, order: OrderView) -> Order:
        return cls(
            number=order.number,
            status=order.status,  # type: ignore[arg-type]
            payment_status=order.payment_status,
            placed_at=order.placed_at,
            lines=[OrderLine.of(line) for line in order.lines],
            items_total=Money.of(order.items_total),
            shipping=Money.of(order.shipping),
            tax=Money.of(order.tax),
            total=Money.of(order.total),
            points=order.points,
            points_value=Money.of(order.points_value),
            card_due=Money.of(order.card_due),
            card_charged=Money.of(order.card_charged),
            points_earned=order.points_earned,
            rules_version=order.rules_version,
            shipping_method=order.shipping_method,
            failure_code=order.failure_code,
            can_cancel=order.can_cancel,
            refunds=[Refund.of(refund) for refund in order.refunds],
            timeline=[Event.of(event) for event in order.timeline],
            address=ShippedTo(**order.address),
        )


class NextAction(Struct):
    """Send the shopper to `url`; the gateway sends them back to `return_url`."""

    type: Literal["redirect"]
    url: str


class Placed(Struct):
    order: Order
    next_action: NextAction | None


class QuoteLine(Struct):
    sku: str
    name: str
    options: list[str]
    quantity: int
    unit_price: Money
    line_total: Money
    points: Points
    card: Money


class Limits(Struct):
    """Points for this order: 0, or a multiple of `step` from `min` to `max`. `bound_by` says what binds `max`."""

    min: Points
    max: Points
    step: Points
    bound_by: Literal["balance", "share", "order_cap", "excluded_items", "card_minimum", "daily_cap"]


class QuoteOut(Struct):
    """Always `points_value.amount + card_due.amount == total.amount`."""

    id: uuid.UUID
    lines: list[QuoteLine]
    items_total: Money
    shipping: Money
    tax: Money
    total: Money
    points: Points
    points_value: Money
    card_due: Money
    earn_points: Points
    rules_version: int
    limits: Limits
    expires_at: datetime
    cart_version: int
    address_id: uuid.UUID
    shipping_method: str

    @classmethod
    def of(cls, quote: Quote) -> QuoteOut:
        def money(amount: int) -> Money:
            return Money.of(KernelMoney(amount, quote.currency))

        return cls(
            id=quote.id,
            lines=[
                QuoteLine(
                    sku=line.sku,
                    name=line.name,
                    options=line.options,
                    quantity=line.quantity,
                    unit_price=money(line.unit_price),
                    line_total=money(line.total),
                    points=line.points,
                    card=money(line.card),
                )
                for line in quote.lines
            ],
            items_total=money(quote.items_total),
            shipping=money(quote.shipping),
            tax=money(quote.tax),
            total=money(quote.total),
            points=quote.points,
            points_value=money(quote.points_value),
            card_due=money(quote.card_due),
            earn_points=quote.earn_points,
            rules_version=quote.rules_version,
            limits=Limits(quote.limit_min, quote.limit_max, quote.limit_step, quote.bound_by),  # type: ignore[arg-type]
            expires_at=quote.expires_at,
            cart_version=quote.cart_version,
            address_id=quote.address_id,
            shipping_method=quote.shipping_method,
        )
