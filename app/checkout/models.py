"""Quotes: what an order would cost and how it would be paid, frozen for a few minutes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class QuoteRow(Base):
    """`body` holds the whole quote; `digest` is what must still be true when the order is placed."""

    __tablename__ = "quote"
    __table_args__ = (
        CheckConstraint("points_value + card_due = total", name="tenders"),
        Index("ix_quote_customer_id", "customer_id", "created_at"),
        Index("ix_quote_expires_at", "expires_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    cart_id: Mapped[uuid.UUID]
    cart_version: Mapped[int]
    address_id: Mapped[uuid.UUID]
    shipping_method: Mapped[str]
    points: Mapped[int]
    points_value: Mapped[int]
    card_due: Mapped[int]
    total: Mapped[int]
    rules_version: Mapped[int]
    digest: Mapped[bytes]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
