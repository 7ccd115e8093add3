"""The cart: lines and quantities. It promises nothing, neither stock nor price."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class Cart(Base):
    """One per customer; a guest's cart has no customer yet. `version` rises with every change."""

    __tablename__ = "cart"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"), unique=True)
    version: Mapped[int] = mapped_column(server_default="0")
    updated_at: Mapped[datetime]


class CartLine(Base):
    """`seen_price` (minor units) is what the shopper last saw, so that a change can be pointed out."""

    __tablename__ = "cart_line"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 99", name="quantity"),
        Index("ix_cart_line_variant_id", "variant_id"),
    )

    cart_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"), primary_key=True)
    variant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("variant.id"), primary_key=True)
    quantity: Mapped[int]
    seen_price: Mapped[int]
    added_at: Mapped[datetime]
