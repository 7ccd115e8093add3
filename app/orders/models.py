"""Orders: a frozen copy of what was agreed, and the append-only story of what happened since."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class Order(Base):
    """`total = points_value + card_due`, in minor units; `points` are the points behind points_value.

    `tier` and `priced_at` are what the rules of `rules_version` were applied to, together with the lines; each
    rule's part of `earn_points` is in `earn_breakdown`.
    `checkout_key` makes one order per customer and checkout for ever, longer than any idempotency row lives.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("customer_id", "checkout_key"),
        CheckConstraint("points >= 0 AND (points = 0) = (points_value = 0)", name="points"),
        CheckConstraint("card_due >= 0 AND total >= 0 AND total = points_value + card_due", name="tenders"),
        CheckConstraint("total = items_total + shipping + tax", name="total"),
        CheckConstraint("0 <= refunded_points AND refunded_points <= points", name="refunded_points"),
        CheckConstraint(
            "0 <= refunded_points_value AND refunded_points_value <= points_value", name="refunded_value"
        ),
        CheckConstraint("0 <= refunded_card AND refunded_card <= card_due", name="refunded_card"),
        CheckConstraint(
            "status IN ('payment_pending','paid','packed','shipped','delivered','payment_failed','cancelled',"
            "'refunded','needs_review')",
            name="status",
        ),
        Index("ix_orders_customer_id", "customer_id", "placed_at", "id"),
        Index("ix_orders_status", "status", "placed_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    checkout_key: Mapped[str]
    quote_id: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    status: Mapped[str]
    currency: Mapped[str]
    items_total: Mapped[int]
    shipping: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    points: Mapped[int]
    points_value: Mapped[int]
    card_due: Mapped[int]
    earn_points: Mapped[int]
    rules_version: Mapped[int]
    tier: Mapped[str] = mapped_column(server_default="member")
    priced_at: Mapped[datetime | None]
    earn_breakdown: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    shipping_method: Mapped[str]
    email: Mapped[str]
    address: Mapped[dict[str, Any]]
    failure_code: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(server_default="1")
    placed_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    refunded_points: Mapped[int] = mapped_column(server_default="0")
    refunded_points_value: Mapped[int] = mapped_column(server_default="0")
    refunded_card: Mapped[int] = mapped_column(server_default="0")


class OrderLine(Base):
    """`total = unit_price * quantity`; `extras` is the line's share of shipping and tax.

    `points`, `points_value` and `card` are the line's parts of the order's, extras included:
    `points_value + card = total + extras`, and each sums over the lines to the order's exactly.
    """

    __tablename__ = "order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "variant_id"),
        CheckConstraint("quantity > 0 AND unit_price >= 0 AND total = unit_price * quantity", name="total"),
        CheckConstraint("points >= 0 AND points_value >= 0 AND card >= 0 AND extras >= 0", name="parts"),
        CheckConstraint("points_value + card = total + extras", name="adds_up"),
        CheckConstraint("0 <= refunded_quantity AND refunded_quantity <= quantity", name="refunded"),
        CheckConstraint(
            "refunded_points >= 0 AND refunded_points_value >= 0 AND refunded_card >= 0 "
            "AND refunded_points_value + refunded_card <= total + extras",
            name="refunded_parts",
        ),
        CheckConstraint("0 <= refunded_earned AND refunded_earned <= earn_points", name="refunded_earned"),
        Index("ix_order_line_variant_id", "variant_id"),
    )

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    variant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("variant.id"))
    sku: Mapped[str]
    slug: Mapped[str]
    brand: Mapped[str] = mapped_column(server_default="")
    category: Mapped[str] = mapped_column(server_default="")
    name: Mapped[str]
    options: Mapped[list[str]] = mapped_column(server_default="[]")
    image_url: Mapped[str | None]
    quantity: Mapped[int]
    unit_price: Mapped[int]
    total: Mapped[int]
    extras: Mapped[int]
    points: Mapped[int]
    points_value: Mapped[int]
    card: Mapped[int]
    earn_points: Mapped[int] = mapped_column(server_default="0")
    refunded_quantity: Mapped[int] = mapped_column(server_default="0")
    refunded_points: Mapped[int] = mapped_column(server_default="0")
    refunded_points_value: Mapped[int] = mapped_column(server_default="0")
    refunded_card: Mapped[int] = mapped_column(server_default="0")
    refunded_earned: Mapped[int] = mapped_column(server_default="0")


class OrderLineLot(Base):
    """The points of a hold that pay for a line, by the lot that they came from; `returned`: came back by refunds.

    Over a hold's rows, each line's points sum to the line's and each lot's to what the hold took of it. A hold that
    was released keeps its rows: the attempt after it has a hold, and rows, of its own.
    """

    __tablename__ = "order_line_lot"
    __table_args__ = (
        ForeignKeyConstraint(["order_id", "position"], ["order_line.order_id", "order_line.position"]),
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("0 <= returned AND returned <= points", name="returned"),
    )

    hold_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_hold.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_lot.id"), primary_key=True)
    order_id: Mapped[uuid.UUID]
    points: Mapped[int]
    returned: Mapped[int] = mapped_column(server_default="0")


class OrderEvent(Base):
    """The timeline: append-only. `event` is a stable word, `text` a sentence for the shopper."""

    __tablename__ = "order_event"
    __table_args__ = (Index("ix_order_event_order_id", "order_id", "at", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"))
    at: Mapped[datetime]
    event: Mapped[str]
    text: Mapped[str]
    actor: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class OrderRefund(Base):
    """One refund in both tenders: `card` in minor units, `points` returned, `clawback` taken back.

    `lines` says what of the order came back; they add up to the order's and its lines' refunded columns, which
    the database checks. It is empty for money of a payment that the order did not want.
    """

    __tablename__ = "order_refund"
    __table_args__ = (
        CheckConstraint("points >= 0 AND points_value >= 0 AND card >= 0 AND clawback >= 0", name="amounts"),
        CheckConstraint("points + card > 0", name="not_empty"),
        CheckConstraint("jsonb_typeof(lines) = 'array'", name="lines"),
        CheckConstraint("state IN ('running','done','stuck')", name="state"),
        UniqueConstraint("order_id", "idem_key"),
        Index("ix_order_refund_state", "state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id"))
    idem_key: Mapped[str]
    reason: Mapped[str]
    strategy: Mapped[str]
    points: Mapped[int]
    points_value: Mapped[int]
    card: Mapped[int]
    clawback: Mapped[int] = mapped_column(server_default="0")
    lines: Mapped[list[dict[str, Any]]]
    card_refund_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("card_refund.id"))
    state: Mapped[str]
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
