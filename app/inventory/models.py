"""Stock and what is promised of it."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class Stock(Base):
    """What may be sold is `on_hand - reserved`; the constraint is the last guard against overselling."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="no_oversell"),
    )

    variant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("variant.id"), primary_key=True)
    on_hand: Mapped[int]
    reserved: Mapped[int] = mapped_column(server_default="0")


class StockReservation(Base):
    """Units of a variant promised to an order; committed when it is paid, released when it fails.

    An order that is tried again reserves again: `attempt` counts up, and only one row per order and variant
    is live.
    """

    __tablename__ = "stock_reservation"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("state IN ('active','committed','released')", name="state"),
        Index("ix_stock_reservation_variant_id", "variant_id", "state"),
    )

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    variant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("stock.variant_id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
